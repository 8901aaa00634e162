package main

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

	"github.com/spf13/cobra"

	"bascule/importer/sample"
	"bascule/internal/assistance"
	"bascule/internal/atomicfile"
	"bascule/internal/conversion"
	"bascule/internal/devenv"
	"bascule/internal/listen"
	"bascule/internal/mail"
	"bascule/internal/smtp"
	"bascule/internal/web"
	"bascule/jobs"
	"bascule/queue"
	"bascule/sql"
)

// demoDir is where a demonstration keeps its data unless --dir says otherwise.
const demoDir = "bascule-demo"

type demoFlags struct {
	auto   bool
	env    bool
	dir    string
	listen string
}

func (a *app) demoCommand() *cobra.Command {
	var f demoFlags
	cmd := &cobra.Command{
		Use:   "demo [FILE]",
		Short: "Run everything on this machine with a campaign and an inbox in the browser",
		Long: `Runs the pages and a worker with services of its own (PostgreSQL from this
machine's programs, Redis and a mail server in the process), imports FILE, or a
sample of fictitious subscribers, as a campaign that is held, and shows its mails at
/inbox: none leaves this machine, whatever addresses FILE has. It reads no
DATABASE_URL, REDIS_URL, SMTP_URL or SECRET_KEY, and listens on loopback only.
It may be run again on the same folder.

With --env it prints, for a shell, the environment in which every other command
works on the demonstration that runs in the folder.`,
		Example: `  bascule demo
  bascule demo list.xlsx --dir /tmp/training
  bascule demo --auto --dir /tmp/demo
  eval "$(bascule demo --env)"`,
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: completeFiles("xlsx", "csv"),
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case !f.env:
				return a.demo(cmd.Context(), append(args, "")[0], f)
			case len(args) > 0:
				return usagef("--env is of a demonstration that runs, and takes no FILE")
			}
			return a.demoEnvironment(f.dir)
		},
	}
	cmd.Flags().BoolVar(&f.auto, "auto", false, "play the campaign and its subscribers, leave report, recaps and mails in the folder, and exit")
	cmd.Flags().BoolVar(&f.env, "env", false, "print the environment of the demonstration that runs in the folder")
	cmd.Flags().StringVar(&f.dir, "dir", demoDir, "the `folder` where the demonstration keeps its data")
	cmd.Flags().StringVar(&f.listen, "listen", defaultListen, "the `address` of the pages, on loopback")
	cmd.MarkFlagsMutuallyExclusive("env", "auto")
	cmd.MarkFlagsMutuallyExclusive("env", "listen")
	return cmd
}

// A demo is the real pages and a real worker among embedded services.
type demo struct {
	*app
	dir       string
	public    *url.URL
	sender    string // MAIL_FROM
	campaign  string
	keys      *conversion.Keyring
	by        conversion.Administration
	help      string
	legal     web.Legal
	helpHours assistance.Hours
	profile   conversion.PasswordProfile
	database  string // its URL, for the application's role
	redis     *devenv.Redis
	db        *sql.DB
	pages     *sql.DB // for the pages alone
	inbox     *devenv.Inbox
	queue     *queue.Client
	certs     *demoCertificates
	closers   []func() error
}

func (a *app) demo(ctx context.Context, file string, f demoFlags) (err error) {
	listener, err := listenLoopback(f.listen)
	if err != nil {
		return err
	}
	defer listener.Close()
	d := &demo{app: a, dir: f.dir, public: &url.URL{Scheme: "http", Host: listener.Addr().String()}}
	d.log = slog.New(slog.NewTextHandler(a.stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	defer func() { err = errors.Join(err, d.close()) }()
	if err := checkSheet(ctx, file); err != nil {
		return err
	}
	if err := d.start(ctx); err != nil {
		return err
	}
	if d.certs, err = newDemoCertificates(filepath.Join(f.dir, "certificates"), listener.Addr(), d.log); err != nil {
		return err
	}
	defer d.certs.listener.Close()
	if err := d.prepare(ctx, file); err != nil {
		return err
	}
	stop, err := d.run(ctx, listener)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	if f.auto {
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
	a.printf("\nStopped. The data are kept in %s; the same command goes on from there.\n", d.dir)
	return nil
}

// listenLoopback refuses addresses that other machines can reach, as the inbox shows
// every mail to every visitor.
func listenLoopback(addr string) (net.Listener, error) {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, usagef("--listen %q is not of the form 127.0.0.1:8080", addr)
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return nil, usagef("--listen %s is not on loopback: the demonstration shows everybody's mails and stays on this machine", addr)
	}
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("%w: choose another address with --listen 127.0.0.1:0", err)
	}
	return ln, nil
}

// start starts the services. close stops them in reverse order.
func (d *demo) start(ctx context.Context) (err error) {
	if err := os.MkdirAll(d.dir, 0o700); err != nil {
		return err
	}
	postgres, err := devenv.StartPostgres(ctx, filepath.Join(d.dir, "postgres"))
	if err != nil {
		return err
	}
	d.onClose(postgres.Stop)
	d.removeEnvironment() // of a demonstration that was killed
	if err := d.migrate(ctx, postgres); err != nil {
		return err
	}
	if d.db, err = sql.Open(ctx, d.database, 2*(demoWorkers+interactiveSlots)+commandConns); err != nil {
		return err
	}
	d.onClose(d.db.Close)
	if d.pages, err = sql.OpenPages(ctx, d.database, serveConns()); err != nil {
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
	if err := d.inbox.KeepIn(filepath.Join(d.dir, "mails")); err != nil {
		return err
	}
	return d.configure()
}

// demoRole is the role of the demonstration. As in a production, it cannot change the
// past.
const demoRole = "bascule_app"

// migrate makes the database and the role, or brings them up to date.
func (d *demo) migrate(ctx context.Context, postgres *devenv.Postgres) error {
	const name = "bascule"
	if err := postgres.EnsureDatabase(ctx, name); err != nil {
		return err
	}
	if err := postgres.EnsureRole(ctx, demoRole); err != nil {
		return err
	}
	owner, err := sql.Open(ctx, postgres.URL(name), commandConns)
	if err != nil {
		return err
	}
	defer owner.Close()
	if err := owner.Migrate(ctx); err != nil {
		return err
	}
	d.database = postgres.URLOf(demoRole, name)
	return owner.Grant(ctx, demoRole)
}

func (d *demo) configure() (err error) {
	if d.keys, err = demoKey(filepath.Join(d.dir, "secret.key")); err != nil {
		return err
	}
	if err := d.useTexts(filepath.Join(d.dir, "texts")); err != nil {
		return err
	}
	d.by, d.help, d.legal = take(&err, d.env.administration), take(&err, d.env.help), take(&err, d.env.legal)
	d.helpHours, d.profile = take(&err, d.env.helpHours), take(&err, d.env.passwordProfile)
	d.sender = d.by.Short + " – " + senderName + " <espace-abonne@" + demoDomain + ">"
	return err
}

// demoTexts are what an operator writes: without them no campaign is ready to start.
//
//go:embed demo/*.txt
var demoTexts embed.FS

// useTexts keeps the demonstration's own texts in dir, for whatever the environment
// does not set.
func (d *demo) useTexts(dir string) error {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	for _, name := range append([]string{demoHelp}, web.LegalFiles...) {
		text, err := demoTexts.ReadFile("demo/" + name)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, name), text, ownerOnly); err != nil {
			return err
		}
	}
	given := d.env.getenv
	d.env.getenv = func(name string) string {
		return cmp.Or(given(name), map[string]string{
			"ADMINISTRATION": "Direction départementale des finances publiques de l’Exemple; DDFiP Exemple",
			"HELP_TEXT_FILE": filepath.Join(dir, demoHelp), "LEGAL_DIR": dir,
		}[name])
	}
	return nil
}

const demoHelp = "assistance.txt"

// demoDomain is one that nobody asks DNS about.
const demoDomain = "bascule.test"

func (d *demo) onClose(f func() error) { d.closers = append(d.closers, f) }

func (d *demo) close() error {
	var errs error
	for i := len(d.closers) - 1; i >= 0; i-- {
		errs = errors.Join(errs, d.closers[i]())
	}
	return errs
}

// ownerOnly is the mode of files that nobody else on this machine may read.
const ownerOnly = 0o600

// demoKey reads the demonstration's own key, or makes it.
func demoKey(path string) (*conversion.Keyring, error) {
	b, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		raw := make([]byte, 32)
		rand.Read(raw)
		b = []byte(base64.StdEncoding.EncodeToString(raw))
		err = atomicfile.WriteBytes(path, b)
	}
	if err == nil {
		err = os.Chmod(path, ownerOnly) // an older release may have made the file
	}
	if err != nil {
		return nil, err
	}
	keys, err := conversion.ParseKeyring(string(b))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return keys, nil
}

// demoWorkers is enough for the sample batch.
const demoWorkers = 2

// run starts the pages and the worker, as serve and work do. The caller calls stop.
func (d *demo) run(ctx context.Context, ln net.Listener) (stop func() error, err error) {
	pages, err := web.New(web.Config{DB: d.pages, Keys: d.keys, PublicURL: d.public, Profile: d.profile, Administration: d.by, Help: d.help, Legal: d.legal, Log: d.log,
		Certificates: d.certs.store, CertURL: d.certs.url()})
	if err != nil {
		return nil, err
	}
	worker, relay, err := d.worker()
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("/", devenv.OnLoopback(pages.Handler()))
	inbox := d.inbox.Handler(d.panel())
	mux.Handle("/inbox", inbox)
	mux.Handle("/inbox/", inbox)
	ctx, cancel := context.WithCancel(ctx)
	srv, certSrv := listen.NewServer(mux, d.log), listen.NewServer(devenv.OnLoopback(pages.CertificateHandler()), d.log)
	certSrv.TLSConfig.Certificates = []tls.Certificate{d.certs.server}
	certSrv.TLSConfig = pages.AskCertificate(certSrv.TLSConfig)
	ended := make(chan error, 3)
	go func() { ended <- listen.Listener{Name: "pages"}.Serve(srv, ln) }()
	go func() { ended <- listen.Listener{Name: "certificates"}.Serve(certSrv, d.certs.listener) }()
	go func() { ended <- worker.Run(ctx) }()
	return func() error {
		cancel()
		errs := listen.Stop([]*http.Server{srv, certSrv})
		errs = errors.Join(errs, <-ended, <-ended, <-ended)
		relay.Close()
		return errs
	}, nil
}

func (d *demo) worker() (*jobs.Worker, *smtp.Client, error) {
	relay, err := smtp.ParseURL(d.inbox.URL())
	if err != nil {
		return nil, nil, err
	}
	from, err := mail.ParseSender(d.sender)
	if err != nil {
		return nil, nil, err
	}
	return d.newWorker(workConfig{
		keys: d.keys, smtp: relay, returnPath: from.Address, domain: demoDomain,
		office: mail.Office{From: from, Administration: d.by, PublicURL: d.public.String(), Help: d.help, Certificates: true}, workers: demoWorkers, lifetime: conversion.DefaultCodeLifetime, helpHours: d.helpHours,
	}, d.db, d.queue)
}

// demoSeed makes the sample the same each time: a second run finds it known.
const demoSeed = 1

// demoSample writes the sample, unless the file exists.
func demoSample(path string) error {
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		err := atomicfile.Write(path, func(w io.Writer) error { return sample.Write(w, sample.Rows, demoSeed) })
		if err != nil {
			return err
		}
	}
	return os.Chmod(path, ownerOnly)
}
