package jobs

import (
	"context"
	"log/slog"
	"time"

	"bascule/sql"
)

// Expirer ends requests whose deadline has passed (R21, C3). The codes are dead
// without it; it makes the facts agree.
type Expirer struct {
	DB  *sql.DB
	Log *slog.Logger
}

// sweepSize bounds one transaction: of the deadlines of so many windows, long
// enough to be fast, short enough to hold nobody up.
const sweepSize = 80

// sweepTimeout bounds one statement: a sweep of a loaded database takes its time.
const sweepTimeout = time.Minute

// Run sweeps until nothing is overdue.
func (e *Expirer) Run(ctx context.Context) error {
	expired := 0
	for {
		swept, err := e.sweep(ctx)
		if err != nil {
			return err
		}
		expired += swept.Expired
		if swept.Deadlines < sweepSize {
			break
		}
	}
	if expired > 0 {
		e.Log.Info("requests expired", "count", expired)
	}
	return nil
}

func (e *Expirer) sweep(ctx context.Context) (sql.Swept, error) {
	ctx, cancel := context.WithTimeout(ctx, sweepTimeout)
	defer cancel()
	return e.DB.Sweep(ctx, sweepSize)
}
