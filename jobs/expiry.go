package jobs

import (
	"context"
	"log/slog"
	"sync"

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

// Run reminds, and sweeps until nothing is overdue. Wake-ups that come meanwhile have
// nothing to do: sweeps side by side would take the slots of mails, and the processor of
// activations, and be no faster.
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
	expired, err := exhaust(ctx, sweepSize, e.DB.Sweep)
	if expired > 0 {
		e.Log.Info("requests expired", "count", expired)
	}
	return err
}
