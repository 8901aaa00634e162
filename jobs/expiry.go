package jobs

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"bascule/sql"
)

// Expirer makes reminders due at half time (D16), and ends requests whose deadline has
// passed (R21, C3). Codes die without it; it only brings the states up to date.
type Expirer struct {
	DB  *sql.DB
	Log *slog.Logger

	running sync.Mutex
}

// sweepSize is how many deadlines one transaction handles, each of up to 64 codes. So
// many are fast, and whoever activates meanwhile hardly waits.
const sweepSize = 16

// sweepers is how many sweeps a worker runs side by side. On two cores, two of them end
// twice as many requests a second as one, and more are no faster.
const sweepers = 2

// Run reminds, and sweeps until nothing is overdue. Wake-ups that come meanwhile have
// nothing to do: further sweeps would take the slots of mails.
func (e *Expirer) Run(ctx context.Context) error {
	if !e.running.TryLock() {
		return nil
	}
	defer e.running.Unlock()
	reminded, err := exhaust(ctx, sweepSize, e.DB.Remind)
	if reminded > 0 {
		e.Log.Info("reminders are due", "count", reminded)
	}
	if err != nil {
		return err
	}
	expired, err := e.sweep(ctx)
	if expired > 0 {
		e.Log.Info("requests expired", "count", expired)
	}
	return err
}

func (e *Expirer) sweep(ctx context.Context) (int, error) {
	var expired atomic.Int64
	g, ctx := errgroup.WithContext(ctx)
	for range sweepers {
		g.Go(func() error {
			n, err := exhaust(ctx, sweepSize, e.DB.Sweep)
			expired.Add(int64(n))
			return err
		})
	}
	err := g.Wait()
	return int(expired.Load()), err
}
