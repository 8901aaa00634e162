package jobs

import (
	"context"
	"log/slog"
	"sync"
	"time"

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
	others.Go(func() { (&Inviter{DB: w.DB, Keys: w.Mailer.Keys, Log: w.Log}).Run(ctx) })
	others.Go(func() { (&Watcher{Mailer: w.Mailer, Alert: w.Alert, Every: watchEvery}).Run(ctx) })
	others.Go(func() {
		(&Presence{DB: w.DB, Version: w.Version, Texts: w.Mailer.Composer.Digest(""), Trouble: w.Queue.Trouble, Log: w.Log}).Run(ctx)
	})
	defer others.Wait()
	(&Dispatcher{
		DB: w.DB, Queue: w.Queue, Slots: w.Slots, Log: w.Log, Help: w.Mailer.Help, Lifetime: w.Mailer.Lifetime, Stopped: w.Mailer.endWindows,
	}).Run(ctx)
	return nil
}

// repeat calls f again and again until ctx ends. Of failures in a row it logs the first.
func repeat(ctx context.Context, every time.Duration, log *slog.Logger, failure string, f func(context.Context) error) {
	failing := false
	for ctx.Err() == nil {
		err := f(ctx)
		if err != nil && !failing && ctx.Err() == nil {
			log.Warn(failure, "err", err)
		}
		failing = err != nil
		pause(ctx, every, nil)
	}
}

// exhaust looks until fewer rows than size are found. Each look ends within
// statementTimeout. It returns how much they did.
func exhaust(ctx context.Context, size int, look func(context.Context, int) (sql.Looked, error)) (done int, err error) {
	for found := size; found == size && err == nil; {
		ctx, cancel := context.WithTimeout(ctx, statementTimeout)
		var l sql.Looked
		l, err = look(ctx, size)
		cancel()
		found, done = l.Found, done+l.Done
	}
	return done, err
}
