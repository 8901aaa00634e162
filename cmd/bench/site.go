package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"bascule/internal/devenv"
	"bascule/sql"
)

// A site is the product at work on a fresh database and a fresh Redis.
type site struct {
	*bench
	db       *database
	env      []string     // the environment of its commands
	redis    func() error // it stops Redis
	redisPID int
	services []*process
	logs     int
}

// newSite copies the template. The sink forgets what came, and misbehaves by f from now
// on.
func (b *bench) newSite(ctx context.Context, embedded bool, f faults) (s *site, err error) {
	s = &site{bench: b}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.end())
		}
	}()
	if s.db, err = b.newDatabase(ctx, template); err != nil {
		return nil, err
	}
	redis, err := s.startRedis(ctx, embedded)
	if err != nil {
		return nil, err
	}
	if err := b.sink.reset(ctx, f); err != nil {
		return nil, err
	}
	s.env = []string{"DATABASE_URL=" + b.postgres.URLOf(application, s.db.name), "REDIS_URL=" + redis, "SMTP_URL=" + b.sink.smtpURL(),
		"MAIL_FROM=espace-abonne@bascule.example", "PUBLIC_URL=http://espace.example"}
	return s, nil
}

func (s *site) startRedis(ctx context.Context, embedded bool) (url string, err error) {
	if embedded {
		p, url, err := startRole(ctx, "redis", s.dir)
		if err == nil {
			s.redis, s.redisPID = p.stop, p.cmd.Process.Pid
		}
		return url, err
	}
	dir, err := os.MkdirTemp(s.dir, "redis-")
	if err != nil {
		return "", err
	}
	r, err := devenv.StartRedisServer(ctx, dir)
	if err != nil {
		return "", err
	}
	s.redis, s.redisPID = r.Stop, r.PID()
	return r.URL(), nil
}

// start starts a service of the product and waits until its log has a word.
func (s *site) start(ctx context.Context, word string, env []string, args ...string) (*process, error) {
	p, err := s.launch(env, args...)
	if err != nil {
		return nil, err
	}
	s.services = append(s.services, p)
	return p, p.ready(ctx, word)
}

// work starts a worker.
func (s *site) work(ctx context.Context, env ...string) (*process, error) {
	return s.start(ctx, `"working"`, env, "work")
}

// run runs a command of the product to its end.
func (s *site) run(ctx context.Context, args ...string) (*process, error) {
	p, err := s.launch(nil, args...)
	if err != nil {
		return nil, err
	}
	return p, p.wait(ctx)
}

func (s *site) launch(env []string, args ...string) (*process, error) {
	s.logs++
	log := filepath.Join(s.dir, fmt.Sprintf("%s-%s-%d.log", s.db.name, args[0], s.logs))
	return start(args[0], s.command(append(s.env, env...), args...), log)
}

// stop stops the services.
func (s *site) stop() error {
	var errs []error
	for _, p := range s.services {
		errs = append(errs, p.stop())
	}
	s.services = nil
	return errors.Join(errs...)
}

// end stops everything and drops the database.
func (s *site) end() error {
	err := s.stop()
	if s.redis != nil {
		err = errors.Join(err, s.redis())
	}
	if s.db != nil {
		err = errors.Join(err, s.db.drop())
	}
	return err
}

// imported is an import that has ended.
type imported struct {
	sql.ImportResult
	process *process
}

// importList imports a list of fictitious subscribers with the product's own command.
func (s *site) importList(ctx context.Context, rows int, seed int64, f form) (in imported, err error) {
	path, err := s.list(rows, seed, f)
	if err != nil {
		return in, err
	}
	p, err := s.run(ctx, "import", path, "--start", "--json")
	if err != nil {
		return in, err
	}
	in.process = p
	return in, json.Unmarshal(p.stdout.Bytes(), &in)
}

// status is what the product counts.
func (s *site) status(ctx context.Context) (st sql.Counts, err error) {
	p, err := s.run(ctx, "status", "--json")
	if err != nil {
		return st, err
	}
	return st, json.Unmarshal(p.stdout.Bytes(), &st)
}
