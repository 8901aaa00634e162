package jobs

import (
	"context"
	"log/slog"

	"bascule/sql"
)

// Expirer ends requests whose deadline has passed (R21, C3). The codes are dead
// without it; it makes the facts agree.
type Expirer struct {
	DB  *sql.DB
	Log *slog.Logger
}

// sweepSize bounds one transaction: long enough to be fast, short enough to
// hold nobody up.
const sweepSize = 5000

// Run sweeps until nothing is overdue.
func (e *Expirer) Run(ctx context.Context) error {
	expired := 0
	for {
		swept, err := e.DB.Sweep(ctx, sweepSize)
		if err != nil {
			return err
		}
		expired += swept.Expired
		if swept.Obligations < sweepSize {
			break
		}
	}
	if expired > 0 {
		e.Log.Info("requests expired", "count", expired)
	}
	return e.DB.CleanUp(ctx)
}
