package devenv

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// Superuser is the role that owns the clusters started here.
const Superuser = "bascule"

// A Postgres is a running cluster of our own. Its Unix socket is in a folder that only
// we can enter, so it needs no port and no password.
type Postgres struct {
	programs  programs
	who       identity
	folder    *folder
	socketDir string
	server    *Process
	extra     []string // settings of the caller, name=value
}

// startTimeout is how long a start may take, with crash recovery.
const startTimeout = 60 * time.Second

// StartPostgres starts the cluster in dir, and makes it first if there is none. The
// data outlive Stop: the next start finds them again. It refuses a folder of another
// major version unless that version is installed too; nothing is ever deleted.
// Settings, such as "max_connections=200", come after ours. ctx bounds the start alone.
// It returns ErrNoPostgres if the machine has no PostgreSQL.
func StartPostgres(ctx context.Context, dir string, settings ...string) (*Postgres, error) {
	p := &Postgres{extra: settings}
	if err := p.start(ctx, dir); err != nil {
		return nil, fmt.Errorf("PostgreSQL in %s: %w", dir, err)
	}
	return p, nil
}

func (p *Postgres) start(ctx context.Context, dir string) (err error) {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	if p.folder, err = openFolder(ctx, dir); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			p.release()
		}
	}()
	if err = p.prepare(ctx); err != nil {
		return p.who.explain(err)
	}
	if err = p.launch(); err != nil {
		return p.who.explain(err)
	}
	if err = p.waitReady(ctx); err != nil {
		return errors.Join(err, p.server.Kill())
	}
	return nil
}

// prepare finds the programs and their identity, and makes the data folder, if there is
// none, and the folder of the socket.
func (p *Postgres) prepare(ctx context.Context) error {
	major, err := p.folder.majorVersion()
	if err != nil {
		return err
	}
	if p.programs, err = findPrograms(installations(ctx), major); err != nil {
		return err
	}
	if p.who, err = postgresIdentity(ctx, p.programs.path("postgres")); err != nil {
		return err
	}
	if err = p.who.own(p.folder.dir); err != nil {
		return err
	}
	if major == 0 {
		err = p.initialise(ctx)
	} else {
		err = p.folder.removeStalePID()
	}
	if err != nil {
		return err
	}
	p.socketDir, err = makeSocketDir(p.folder.dir, p.who)
	return err
}

// initialise makes the data folder under another name and renames it. If it is killed
// half-way, it leaves nothing that looks like data.
func (p *Postgres) initialise(ctx context.Context) error {
	unfinished := filepath.Join(p.folder.dir, "data.unfinished")
	if err := os.RemoveAll(unfinished); err != nil {
		return err
	}
	args := []string{"--pgdata", unfinished, "--username", Superuser, "--auth", "trust",
		"--encoding", "UTF8", "--locale", "C.UTF-8", "--no-instructions"}
	if slices.Contains(p.extra, "fsync=off") {
		args = append(args, "--no-sync")
	}
	if err := run(command(ctx, p.who, p.folder.dir, p.programs.path("initdb"), args...)); err != nil {
		return err
	}
	return os.Rename(unfinished, p.folder.data())
}

// launch starts the server. The server inherits the lock of the folder. So the lock
// lasts as long as any process of the server, even if we are killed.
func (p *Postgres) launch() error {
	log, err := os.Create(p.folder.log())
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := command(context.Background(), p.who, p.folder.dir, p.programs.path("postgres"), p.settings()...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.ExtraFiles = []*os.File{p.folder.lock}
	p.server, err = StartProcess(cmd)
	return err
}

// settings are arguments of the command line: no file of the folder is edited, and an
// old folder gets the present settings.
func (p *Postgres) settings() []string {
	values := []string{
		"listen_addresses=",
		"unix_socket_directories=" + quoteName(p.socketDir),
		"unix_socket_permissions=0700",
		"port=5432", // names the socket's file
		"max_connections=100",
		"timezone=UTC",
		"log_timezone=UTC",
		// Statements and the values that break a constraint hold addresses (I6):
		// neither is logged.
		"log_min_error_statement=panic",
		"log_error_verbosity=terse",
		"log_checkpoints=off",
	}
	args := []string{"-D", p.folder.data()}
	for _, v := range append(values, p.extra...) {
		args = append(args, "-c", v)
	}
	return args
}

// waitReady waits until the server accepts connections.
func (p *Postgres) waitReady(ctx context.Context) error {
	err := p.server.waitReady(ctx, func() (bool, error) { return p.folder.ready(p.server.cmd.Process.Pid), nil })
	switch {
	case errors.Is(err, errEnded):
		return fmt.Errorf("the server did not start%s", p.lastLog())
	case err != nil:
		return fmt.Errorf("the server is not ready: %w%s", err, p.lastLog())
	}
	return nil
}

func (p *Postgres) lastLog() string {
	log, err := os.ReadFile(p.folder.log())
	if err != nil {
		return ""
	}
	return lastWords(log)
}

// URL is the address of a database of the cluster, for DATABASE_URL.
func (p *Postgres) URL(database string) string { return p.URLOf(Superuser, database) }

// URLOf is the address of a database for another role.
func (p *Postgres) URLOf(role, database string) string {
	u := url.URL{
		Scheme: "postgres", User: url.User(role), Path: "/" + database,
		RawQuery: url.Values{"host": {p.socketDir}, "sslmode": {"disable"}}.Encode(),
	}
	return u.String()
}

// EnsureDatabase makes a database if the cluster has none of that name.
func (p *Postgres) EnsureDatabase(ctx context.Context, name string) error {
	return p.ensure(ctx, "CREATE DATABASE "+quoteName(name), "SELECT FROM pg_database WHERE datname = "+quoteText(name))
}

// EnsureRole makes a role that may log in if the cluster has none of that name.
func (p *Postgres) EnsureRole(ctx context.Context, name string) error {
	return p.ensure(ctx, "CREATE ROLE "+quoteName(name)+" LOGIN", "SELECT FROM pg_roles WHERE rolname = "+quoteText(name))
}

// ensure executes a statement unless a query finds something.
func (p *Postgres) ensure(ctx context.Context, statement, found string) error {
	return p.Exec(ctx, "postgres", fmt.Sprintf("SELECT %s WHERE NOT EXISTS (%s)\n\\gexec\n", quoteText(statement), found))
}

// Exec runs a psql script as the superuser. It stops at the first error.
func (p *Postgres) Exec(ctx context.Context, database, script string) error {
	cmd := command(ctx, identity{}, "/", p.programs.path("psql"), "--no-psqlrc", "--quiet", "--set", "ON_ERROR_STOP=1",
		"--host", p.socketDir, "--username", Superuser, "--dbname", database)
	cmd.Stdin = strings.NewReader(script)
	if err := run(cmd); err != nil {
		return fmt.Errorf("database %s: %w", database, err)
	}
	return nil
}

// quoteName makes any text a name in SQL, or a path in a list of directories.
func quoteName(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

func quoteText(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

// The limits of a stop. A fast shutdown writes a checkpoint; an immediate one leaves
// the rest to recovery at the next start.
const (
	fastStop      = 20 * time.Second
	immediateStop = 5 * time.Second
)

// Stop disconnects everybody and stops the server. The caller may call it again.
func (p *Postgres) Stop() error {
	err := p.server.stop(stopStep{syscall.SIGINT, fastStop}, stopStep{syscall.SIGQUIT, immediateStop})
	p.release()
	if err != nil {
		return fmt.Errorf("stop PostgreSQL: %w", err)
	}
	return nil
}

func (p *Postgres) release() {
	if p.socketDir != "" && p.socketDir != p.folder.dir {
		os.RemoveAll(p.socketDir)
	}
	p.folder.lock.Close()
}
