package main

import (
	"context"
	"runtime/debug"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"bascule/internal/listen"
	"bascule/jobs"
	"bascule/queue"
	"bascule/sql"
)

func (a *app) workCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "work",
		Short: "Send mails, render recaps, expire requests",
		Long: `Does all background work, until SIGTERM, SIGINT or SIGHUP. Any number of workers may run
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
  WORKERS         how much is done at a time (16)
  MAIL_RATE       mails a second, all workers together (no limit)
  CODE_LIFETIME   how long a code works (48h)
  BOUNCE_ADDRESS  where mails come back to (MAIL_FROM)
  BOUNCE_DIR      the folder or maildir where they arrive (not read)
  HELP_TEXT_FILE  what mails say about the assistance
  ALERT_EMAIL     who is told that a campaign was stopped (nobody)
  METRICS_ADDR    where to serve /metrics to Prometheus, and the probes (nowhere)
  HELP_HOURS      when it answers, in Paris (Mon-Fri 08:00-19:30)
  CERT_PUBLIC_URL where certificates open spaces, as for serve: mails then propose it`,
		Example: "  WORKERS=4 MAIL_RATE=5 bascule work",
		Args:    noArg,
		RunE:    func(cmd *cobra.Command, _ []string) error { return a.work(cmd.Context()) },
	}
}

// otherConns is enough for what a worker does beside its slots, each of which takes one
// connection at a time.
const otherConns = 8

func (a *app) work(ctx context.Context) error {
	outliveReader()
	cfg, err := a.workConfig()
	bounces, redisURL := take(&err, a.env.bounceDir), take(&err, a.env.redisURL)
	if err != nil {
		return err
	}
	q, err := queue.Open(redisURL)
	if err != nil {
		return err
	}
	defer q.Close()
	db, err := a.openDB(ctx, sql.OpenWork, cfg.Workers+jobs.InteractiveSlots+otherConns)
	if err != nil {
		return err
	}
	defer db.Close()
	db.LimitAnswers(answerTimeout)
	if err := a.checkStart(ctx, db, cfg.Keys, sql.KeyUse{Worker: true}); err != nil {
		return err
	}
	if err := q.CheckPolicy(ctx); err != nil {
		a.log.Warn(err.Error())
	}
	w, relay, err := jobs.NewWorker(cfg, db, q)
	if err != nil {
		return err
	}
	defer relay.Close()
	collectLess()
	if cfg.Office.Administration.IsZero() {
		a.log.Warn("ADMINISTRATION is not set: mails say nobody's name")
	}
	a.log.Info("working", "slots", cfg.Workers, "relay", cfg.SMTP.String(), "key", string(cfg.Keys.Newest()))
	g, ctx := errgroup.WithContext(ctx)
	if addr := a.env.metricsAddr(); addr != "" {
		w.Mailer.Metrics = jobs.NewMetrics(db)
		g.Go(func() error {
			return listen.Serve(ctx, a.log, []listen.Listener{{Name: "metrics", Variable: "METRICS_ADDR", Addr: addr, Handler: w.Mailer.Metrics.Handler()}}, func() {})
		})
	}
	g.Go(func() error { return w.Run(ctx) })
	if bounces != "" {
		bouncer := &jobs.Bouncer{DB: db, Keys: cfg.Keys, Dir: bounces, Now: time.Now, Log: a.log}
		g.Go(func() error { bouncer.Run(ctx); return nil })
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

func (a *app) workConfig() (cfg jobs.Config, err error) {
	cfg.Version, cfg.Log = thisVersion().String(), a.log
	cfg.Keys, cfg.SMTP = take(&err, a.env.keys), take(&err, a.env.smtp)
	if err == nil {
		cfg.Office, cfg.Domain, err = a.env.office()
	}
	cfg.ReturnPath = take(&err, a.env.bounceAddress)
	if cfg.SignBounce = !cfg.ReturnPath.IsZero(); !cfg.SignBounce {
		cfg.ReturnPath = cfg.Office.From.Address
	}
	cfg.Office.Certificates = take(&err, a.env.certPublicURL) != nil
	cfg.Rate, cfg.Workers = take(&err, a.env.mailRate), take(&err, a.env.workers)
	cfg.Alert, cfg.HelpHours = take(&err, a.env.alertEmail), take(&err, a.env.helpHours)
	cfg.Lifetime = take(&err, a.env.codeLifetime)
	return cfg, err
}
