package main

import (
	"context"
	"net"
	"os"
	"runtime/debug"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"bascule/internal/assistance"
	"bascule/internal/conversion"
	"bascule/internal/listen"
	"bascule/internal/mail"
	"bascule/internal/smtp"
	"bascule/jobs"
	"bascule/queue"
	"bascule/sql"
)

func (a *app) workCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "work",
		Short: "Send mails, render recaps, expire requests",
		Long: `Does all background work, until SIGTERM or SIGINT. Any number of workers may run
side by side, and any may stop at any moment.

Environment, needed:
  DATABASE_URL    the PostgreSQL database, such as postgres://user@host/bascule
  REDIS_URL       redis://, rediss:// or redis-sentinel://
  SMTP_URL        the relay: smtp://user:password@host:587 or smtps://host:465, with
                  ?starttls=required (the default), optional or off
  MAIL_FROM       the address that mails come from
  PUBLIC_URL      where subscribers find the pages, such as https://espace.example
  SECRET_KEY      what codes are made with, the same for all processes

Environment, optional:
  ADMINISTRATION  whom the mails are from, "name; short form" (nobody)
  WORKERS         how much is done at a time (8)
  MAIL_RATE       mails a second, all workers together (no limit)
  CODE_LIFETIME   how long a code works (48h)
  BOUNCE_ADDRESS  where mails come back to (MAIL_FROM)
  BOUNCE_DIR      the folder or maildir where they arrive (not read)
  HELP_TEXT_FILE  what mails say about the assistance
  ALERT_EMAIL     who is told that a campaign was stopped (nobody)
  METRICS_ADDR    where to serve /metrics to Prometheus, and the probes (nowhere)
  HELP_HOURS      when it answers, in Paris (Mon-Fri 08:00-19:30)
  CERT_PUBLIC_URL where certificates open spaces, as for serve: mails then propose it`,
		Example: "  WORKERS=16 MAIL_RATE=5 bascule work",
		Args:    noArg,
		RunE:    func(cmd *cobra.Command, _ []string) error { return a.work(cmd.Context()) },
	}
}

// interactiveSlots are the slots for mails that somebody waits for.
const interactiveSlots = 4

func (a *app) work(ctx context.Context) error {
	cfg, err := a.workConfig()
	if err != nil {
		return err
	}
	redisURL, err := a.env.redisURL()
	if err != nil {
		return err
	}
	q, err := queue.Open(redisURL)
	if err != nil {
		return err
	}
	defer q.Close()
	db, err := a.openDB(ctx, sql.OpenWork, 2*(cfg.workers+interactiveSlots)+4)
	if err != nil {
		return err
	}
	defer db.Close()
	db.LimitAnswers(answerTimeout)
	if err := a.checkStart(ctx, db, cfg.keys, sql.KeyUse{Worker: true}); err != nil {
		return err
	}
	if err := q.CheckPolicy(ctx); err != nil {
		a.log.Warn(err.Error())
	}
	w, relay, err := a.newWorker(cfg, db, q)
	if err != nil {
		return err
	}
	defer relay.Close()
	collectLess()
	if cfg.office.Administration.IsZero() {
		a.log.Warn("ADMINISTRATION is not set: mails say nobody's name")
	}
	a.log.Info("working", "slots", cfg.workers, "relay", cfg.smtp.String(), "key", string(cfg.keys.Newest()))
	g, ctx := errgroup.WithContext(ctx)
	if addr := a.env.metricsAddr(); addr != "" {
		w.Mailer.Metrics = jobs.NewMetrics(db)
		g.Go(func() error {
			return listen.Serve(ctx, a.log, []listen.Listener{{Name: "metrics", Variable: "METRICS_ADDR", Addr: addr, Handler: w.Mailer.Metrics.Handler()}}, func() {})
		})
	}
	g.Go(func() error { return w.Run(ctx) })
	if cfg.bounces != "" {
		bouncer := &jobs.Bouncer{DB: db, Keys: cfg.keys, Dir: cfg.bounces, Now: time.Now, Log: a.log}
		g.Go(func() error { return bouncer.Run(ctx) })
	}
	return g.Wait()
}

// collectLess lets garbage grow to twice the live memory, unless GOGC says otherwise.
// Each mail leaves tens of kilobytes behind, and a worker keeps little else.
func collectLess() {
	if was := debug.SetGCPercent(200); was != 100 {
		debug.SetGCPercent(was)
	}
}

// workConfig is what a worker reads from its environment.
type workConfig struct {
	keys       *conversion.Keyring
	smtp       smtp.Config
	office     mail.Office
	returnPath conversion.Email
	signBounce bool   // BOUNCE_ADDRESS is set: its mailbox accepts addresses with +
	bounces    string // the folder of the reports, "" for none
	domain     string
	rate       float64
	workers    int
	lifetime   time.Duration
	helpHours  assistance.Hours
	alert      conversion.Email
}

func (a *app) workConfig() (cfg workConfig, err error) {
	cfg.keys, cfg.smtp = take(&err, a.env.keys), take(&err, a.env.smtp)
	if err == nil {
		cfg.office, cfg.domain, err = a.env.office()
	}
	cfg.returnPath, cfg.bounces = take(&err, a.env.bounceAddress), take(&err, a.env.bounceDir)
	if cfg.signBounce = !cfg.returnPath.IsZero(); !cfg.signBounce {
		cfg.returnPath = cfg.office.From.Address
	}
	cfg.office.Certificates = take(&err, a.env.certPublicURL) != nil
	cfg.rate, cfg.workers = take(&err, a.env.mailRate), take(&err, a.env.workers)
	cfg.alert, cfg.helpHours = take(&err, a.env.alertEmail), take(&err, a.env.helpHours)
	cfg.lifetime = take(&err, a.env.codeLifetime)
	return cfg, err
}

func (a *app) newWorker(cfg workConfig, db *sql.DB, q *queue.Client) (*jobs.Worker, *smtp.Client, error) {
	composer, err := mail.NewComposer(cfg.office)
	if err != nil {
		return nil, nil, err
	}
	if cfg.smtp.Hello == "" {
		cfg.smtp.Hello = helloName()
	}
	relay := smtp.NewClient(cfg.smtp, cfg.workers+interactiveSlots)
	mailer := &jobs.Mailer{
		DB: db, Keys: cfg.keys, Relay: relay, Composer: composer, Domain: cfg.domain,
		ReturnPath: cfg.returnPath, SignBounce: cfg.signBounce, Lifetime: cfg.lifetime, Help: cfg.helpHours, Now: time.Now, Log: a.log,
	}
	if cfg.rate > 0 {
		mailer.Limiter = queue.NewLimiter(q, cfg.rate)
	}
	slots := queue.Slots{Interactive: interactiveSlots, Batch: cfg.workers}
	return &jobs.Worker{DB: db, Queue: q, Mailer: mailer, Slots: slots, Log: a.log, Alert: cfg.alert, Version: thisVersion().String()}, relay, nil
}

// helloName is this machine's full name, if it has one. Otherwise the sender tells its
// network address, as RFC 5321 requires.
func helloName() string {
	name, err := os.Hostname()
	if err != nil || !strings.Contains(name, ".") || net.ParseIP(name) != nil {
		return ""
	}
	return name
}
