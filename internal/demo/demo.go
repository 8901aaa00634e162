// Package demo runs the real pages and a real worker among services of its own, on a
// campaign of fictitious subscribers: to be looked at, to be tried by the commands, or to
// play itself.
package demo

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/tls"
	"embed"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"

	"bascule/importer/sample"
	"bascule/internal/atomicfile"
	"bascule/internal/conversion"
	"bascule/internal/devenv"
	"bascule/internal/listen"
	"bascule/internal/smtp"
	"bascule/internal/web"
	"bascule/jobs"
	"bascule/queue"
	"bascule/sql"
)

// Dir is where a demonstration keeps its data unless somebody names another folder.
const Dir = "bascule-demo"

// Config is what a demonstration needs of its command.
type Config struct {
	Dir      string // keeps the data
	Sheet    string // to import; "" is a sample
	Auto     bool   // play the campaign and its subscribers, and end
	Listener net.Listener
	Getenv   func(string) string
	// Pages and Worker are the settings of serve and work in an environment.
	Pages  func(getenv func(string) string) (web.Config, error)
	Worker func(getenv func(string) string) (jobs.Config, error)
	Report func(ctx context.Context, db *sql.DB, path string, by conversion.Administration) error
	Out    io.Writer
	Note   func(string)
	Log    *slog.Logger
}

// A demo is the real pages and a real worker among embedded services.
type demo struct {
	Config
	env      map[string]string
	web      web.Config
	public   *url.URL
	campaign string
	database string // its URL, for the application's role
	redis    *devenv.Redis
	db       *sql.DB
	pages    *sql.DB // for the pages alone
	inbox    *devenv.Inbox
	queue    *queue.Client
	certs    *certificates
	closers  []func() error
}

// Run runs a demonstration until ctx ends, or until it has played itself. It takes PostgreSQL's
// own variables from this process.
func Run(ctx context.Context, c Config) (err error) {
	for _, name := range postgresVariables() {
		os.Unsetenv(name)
	}
	d := &demo{Config: c, public: &url.URL{Scheme: "http", Host: c.Listener.Addr().String()}}
	defer func() { err = errors.Join(err, d.close()) }()
	if err := checkSheet(ctx, c.Sheet); err != nil {
		return err
	}
	if err := d.start(ctx); err != nil {
		return err
	}
	if d.certs, err = newCertificates(filepath.Join(c.Dir, "certificates"), c.Listener.Addr(), c.Log); err != nil {
		return err
	}
	defer d.certs.listener.Close()
	if err := d.prepare(ctx, c.Sheet); err != nil {
		return err
	}
	stop, err := d.run(ctx, c.Listener)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	if c.Auto {
		return d.auto(ctx)
	}
	if err := d.writeEnvironment(); err != nil {
		return err
	}
	defer d.removeEnvironment()
	if err := d.welcome(ctx); err != nil {
		return err
	}
	<-ctx.Done()
	d.printf("\nStopped. The data are kept in %s; the same command goes on from there.\n", d.Dir)
	return nil
}

// start starts the services. close stops them in reverse order.
func (d *demo) start(ctx context.Context) (err error) {
	if err := os.MkdirAll(d.Dir, 0o700); err != nil {
		return err
	}
	postgres, err := devenv.StartPostgres(ctx, filepath.Join(d.Dir, "postgres"))
	if err != nil {
		return err
	}
	d.onClose(postgres.Stop)
	d.removeEnvironment() // of a demonstration that was killed
	if err := d.migrate(ctx, postgres); err != nil {
		return err
	}
	if d.db, err = sql.Open(ctx, d.database, 2*(workers+jobs.InteractiveSlots)+ownConns); err != nil {
		return err
	}
	d.onClose(d.db.Close)
	if d.pages, err = sql.OpenPages(ctx, d.database, web.Connections()); err != nil {
		return err
	}
	d.onClose(d.pages.Close)
	lasting := context.WithoutCancel(ctx) // the worker stops first, and needs the services for that
	if d.redis, err = devenv.StartRedis(lasting); err != nil {
		return err
	}
	d.onClose(func() error { d.redis.Stop(); return nil })
	if d.queue, err = queue.Open(d.redis.URL()); err != nil {
		return err
	}
	d.onClose(d.queue.Close)
	if d.inbox, err = devenv.StartInbox(lasting); err != nil {
		return err
	}
	d.onClose(func() error { d.inbox.Stop(); return nil })
	if err := d.inbox.KeepIn(filepath.Join(d.Dir, "mails")); err != nil {
		return err
	}
	return d.configure()
}

// ownConns is enough for whoever does one thing at a time.
const ownConns = 4

// role is the role of the demonstration. As in a production, it cannot change the
// past.
const role = "bascule_app"

// migrate makes the database and the role, or brings them up to date.
func (d *demo) migrate(ctx context.Context, postgres *devenv.Postgres) error {
	const name = "bascule"
	if err := postgres.EnsureDatabase(ctx, name); err != nil {
		return err
	}
	if err := postgres.EnsureRole(ctx, role); err != nil {
		return err
	}
	owner, err := sql.Open(ctx, postgres.URL(name), ownConns)
	if err != nil {
		return err
	}
	defer owner.Close()
	if err := owner.Migrate(ctx); err != nil {
		return err
	}
	d.database = postgres.URLOf(role, name)
	return owner.Grant(ctx, role)
}

// configure makes the environment of the demonstration, and reads it as serve does.
func (d *demo) configure() error {
	key, err := ownKey(filepath.Join(d.Dir, "secret.key"))
	if err != nil {
		return err
	}
	own, err := writeTexts(filepath.Join(d.Dir, "texts"))
	if err != nil {
		return err
	}
	d.env = map[string]string{
		"DATABASE_URL": d.database, "REDIS_URL": d.redis.URL(), "SMTP_URL": d.inbox.URL(),
		"MAIL_FROM": "espace-abonne@" + domain, "PUBLIC_URL": d.public.String(), "SECRET_KEY": key,
	}
	for _, name := range read {
		d.env[name] = cmp.Or(d.Getenv(name), own[name])
	}
	d.web, err = d.Pages(d.getenv)
	return err
}

// texts are what an operator writes: without them no campaign is ready to start.
//
//go:embed texts/*.txt
var texts embed.FS

const helpFile = "assistance.txt"

// writeTexts keeps the demonstration's own texts in dir. They are variables, for whatever
// the environment does not set.
func writeTexts(dir string) (map[string]string, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	for _, name := range append([]string{helpFile}, web.LegalFiles...) {
		text, err := texts.ReadFile("texts/" + name)
		if err != nil {
			return nil, err
		}
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			return nil, err
		}
	}
	return map[string]string{
		"ADMINISTRATION": "Direction départementale des finances publiques de l’Exemple; DDFiP Exemple",
		"HELP_TEXT_FILE": filepath.Join(dir, helpFile), "LEGAL_DIR": dir,
	}, nil
}

// domain is one that nobody asks DNS about.
const domain = "bascule.test"

func (d *demo) printf(format string, args ...any) { fmt.Fprintf(d.Out, format, args...) }

func (d *demo) onClose(f func() error) { d.closers = append(d.closers, f) }

func (d *demo) close() error {
	var errs error
	for _, closer := range slices.Backward(d.closers) {
		errs = errors.Join(errs, closer())
	}
	return errs
}

// ownKey reads the demonstration's own SECRET_KEY, or makes it.
func ownKey(path string) (string, error) {
	key, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		raw := make([]byte, 32)
		rand.Read(raw)
		key = []byte(base64.StdEncoding.EncodeToString(raw))
		err = atomicfile.WriteBytes(path, key)
	}
	return string(key), err
}

// workers is enough for the sample batch.
const workers = 2

// run starts the pages and the worker, as serve and work do. The caller calls stop.
func (d *demo) run(ctx context.Context, ln net.Listener) (stop func() error, err error) {
	d.web.DB, d.web.Log, d.web.Certificates, d.web.CertURL = d.pages, d.Log, d.certs.store, d.certs.url()
	pages, err := web.New(d.web)
	if err != nil {
		return nil, err
	}
	worker, relay, err := d.worker()
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("/", devenv.OnLoopback(pages.Handler()))
	inbox := d.inbox.Handler(&devenv.Panel{Show: d.showPanel, Do: d.press})
	mux.Handle("/inbox", inbox)
	mux.Handle("/inbox/", inbox)
	asking := func(base *tls.Config) *tls.Config {
		base.Certificates = []tls.Certificate{d.certs.server}
		return pages.AskCertificate(base)
	}
	listeners := []listen.Listener{
		{Name: "pages", Open: ln, Handler: mux},
		{Name: "certificates", Open: d.certs.listener, Handler: devenv.OnLoopback(pages.CertificateHandler()), TLS: asking},
	}
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan error, 2)
	go func() { ended <- listen.Serve(ctx, d.Log, listeners, func() {}) }()
	go func() { ended <- worker.Run(ctx) }()
	return func() error {
		cancel()
		defer relay.Close()
		return errors.Join(<-ended, <-ended)
	}, nil
}

func (d *demo) worker() (*jobs.Worker, *smtp.Client, error) {
	cfg, err := d.Worker(d.getenv)
	if err != nil {
		return nil, nil, err
	}
	cfg.Log, cfg.Workers, cfg.Domain, cfg.Office.Certificates = d.Log, workers, domain, true
	return jobs.NewWorker(cfg, d.db, d.queue)
}

// seed makes the sample the same each time: a second run finds it known.
const seed = 1

// writeSample writes the sample, unless the file exists.
func writeSample(path string) error {
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return atomicfile.Write(path, func(w io.Writer) error { return sample.Write(w, sample.Rows, seed) })
}
