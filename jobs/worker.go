package jobs

import (
	"context"
	"log/slog"
	"sync"

	"bascule/internal/conversion"
	"bascule/queue"
	"bascule/sql"
)

// Worker is one `bascule work`. It dispatches, and does the work of the wake-ups. Any
// number of workers may run side by side, and any may die at any moment.
type Worker struct {
	DB     *sql.DB
	Queue  *queue.Client
	Mailer *Mailer
	Slots  queue.Slots
	Log    *slog.Logger
	// Alert is the address that learns that a campaign was stopped (D15). If it is
	// zero, only the log tells it.
	Alert conversion.Email
	// Version is that of the program, as `campaign check` tells it.
	Version string
}

// Run works until ctx ends. Then it gives back the work that it had not started.
func (w *Worker) Run(ctx context.Context) error {
	recapper := &Recapper{DB: w.DB, Log: w.Log}
	expirer := &Expirer{DB: w.DB, Log: w.Log}
	server, err := queue.Serve(ctx, w.Queue, w.Slots, queue.Handlers{
		queue.WakeInteractive: func(ctx context.Context) error { return w.Mailer.Run(ctx, sql.LaneInteractive) },
		queue.WakeBulk:        func(ctx context.Context) error { return w.Mailer.Run(ctx, sql.LaneBulk) },
		queue.WakeRecap:       recapper.Run,
		queue.WakeExpiry:      expirer.Run,
	}, w.Log)
	if err != nil {
		return err
	}
	defer server.Shutdown()
	var others sync.WaitGroup
	others.Go(func() { (&Cleaner{DB: w.DB, Every: cleanEvery, Log: w.Log}).Run(ctx) })
	others.Go(func() { (&Inviter{DB: w.DB, Keys: w.Mailer.Keys, Every: inviteEvery, Log: w.Log}).Run(ctx) })
	others.Go(func() { w.watcher().Run(ctx) })
	others.Go(func() { w.presence().Run(ctx) })
	defer others.Wait()
	(&Dispatcher{DB: w.DB, Queue: w.Queue, Slots: w.Slots, Log: w.Log, Help: w.Mailer.Help, Lifetime: w.Mailer.Lifetime}).Run(ctx)
	return nil
}

func (w *Worker) presence() *Presence {
	return &Presence{DB: w.DB, Version: w.Version, Texts: w.Mailer.Composer.Digest(""), Every: presentEvery, Log: w.Log}
}

func (w *Worker) watcher() *Watcher {
	m := w.Mailer
	return &Watcher{DB: w.DB, Every: watchEvery, Log: w.Log, Alert: w.Alert, Composer: m.Composer, Relay: m.Relay,
		From: m.ReturnPath, Domain: m.Domain, Metrics: m.Metrics}
}
