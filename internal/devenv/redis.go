package devenv

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"github.com/alicebob/miniredis/v2"
)

// A Redis is a Redis in this process, for `bascule demo`. It forgets everything
// when it stops, which the design allows: Redis holds wake-ups only.
type Redis struct {
	server   *miniredis.Miniredis
	password string
	stop     context.CancelFunc
	stopped  chan struct{}
}

// redisTick is how often time passes in the embedded Redis: keys expire at most so
// late.
const redisTick = 2 * time.Second

// StartRedis starts a Redis in this process on a loopback port of its own. It has a
// random password, as every user of the machine can reach the port. It runs until Stop
// or until ctx ends.
func StartRedis(ctx context.Context) (*Redis, error) {
	r := &Redis{server: miniredis.NewMiniRedis(), password: rand.Text(), stopped: make(chan struct{})}
	r.server.RequireAuth(r.password)
	if err := r.server.StartAddr("127.0.0.1:0"); err != nil {
		return nil, fmt.Errorf("embedded Redis: %w", err)
	}
	ctx, r.stop = context.WithCancel(ctx)
	go r.passTime(ctx)
	return r, nil
}

// passTime lets keys expire: time in miniredis moves only when it is told to.
func (r *Redis) passTime(ctx context.Context) {
	defer close(r.stopped)
	defer r.server.Close()
	tick := time.NewTicker(redisTick)
	defer tick.Stop()
	last := time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			r.server.FastForward(now.Sub(last))
			last = now
		}
	}
}

// URL is the address as REDIS_URL has it.
func (r *Redis) URL() string { return "redis://:" + r.password + "@" + r.server.Addr() + "/0" }

// Stop disconnects everybody. The caller may call it again.
func (r *Redis) Stop() {
	r.stop()
	<-r.stopped
}

// A RedisServer is a real redis-server, for tests of properties that the embedded Redis
// cannot prove: leases, memory, failures.
type RedisServer struct {
	dir    string
	port   int
	server *Process
}

// ErrNoRedis says that the machine has no redis-server.
var ErrNoRedis = errors.New("no redis-server on this machine: install it (Debian, Ubuntu: apt-get install redis-server); no server needs to run")

// portTries is how many random ports are tried: another process may take a port between
// our choice and the server's start.
const portTries = 10

// StartRedisServer starts a redis-server on a random loopback port. It keeps
// nothing on disk but its log, in dir, and evicts nothing (noeviction). ctx
// bounds the start alone. It returns ErrNoRedis if the machine has none.
func StartRedisServer(ctx context.Context, dir string) (*RedisServer, error) {
	for range portTries {
		port, err := freePort()
		if err != nil {
			return nil, fmt.Errorf("redis-server: %w", err)
		}
		r := &RedisServer{dir: dir, port: port}
		err = r.start(ctx)
		if err == nil {
			return r, nil
		}
		if !errors.Is(err, errPortTaken) {
			return nil, fmt.Errorf("redis-server: %w", err)
		}
	}
	return nil, errors.New("redis-server: no free port")
}

var errPortTaken = errors.New("port taken")

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

func (r *RedisServer) log() string { return filepath.Join(r.dir, "redis.log") }

func (r *RedisServer) start(ctx context.Context) error {
	path, err := exec.LookPath("redis-server")
	if err != nil {
		return ErrNoRedis
	}
	log, err := os.Create(r.log())
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := command(context.Background(), identity{}, r.dir, path,
		"--bind", "127.0.0.1", "--port", strconv.Itoa(r.port), "--daemonize", "no",
		"--save", "", "--appendonly", "no", "--maxmemory-policy", "noeviction")
	cmd.Stdout, cmd.Stderr = log, log
	if r.server, err = StartProcess(cmd); err != nil {
		return err
	}
	if err := r.waitReady(ctx); err != nil {
		return errors.Join(err, r.server.Kill())
	}
	return nil
}

// waitReady waits until the server itself says that it accepts connections: an answer
// at the port may be another server's.
func (r *RedisServer) waitReady(ctx context.Context) error {
	var log []byte
	read := func() (ready bool, err error) {
		log, err = os.ReadFile(r.log())
		return bytes.Contains(log, []byte("Ready to accept connections")), err
	}
	err := r.server.waitReady(ctx, read)
	if !errors.Is(err, errEnded) {
		return err
	}
	if _, err := read(); err != nil { // what it said in the end
		return err
	}
	if bytes.Contains(log, []byte("Address already in use")) {
		return errPortTaken
	}
	return fmt.Errorf("did not start%s", lastWords(log))
}

// Addr is the server's host and port.
func (r *RedisServer) Addr() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(r.port)) }

// URL is the address as REDIS_URL has it.
func (r *RedisServer) URL() string { return "redis://" + r.Addr() + "/0" }

// PID is the server's process.
func (r *RedisServer) PID() int { return r.server.cmd.Process.Pid }

// Stop ends the server at once: there is nothing to save. The caller may call it again.
func (r *RedisServer) Stop() error { return r.server.Kill() }
