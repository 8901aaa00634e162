package jobs

import (
	"context"
	"log/slog"
	"time"

	"bascule/sql"
)

// Expirer ends requests whose deadline has passed (R21, C3). The codes are dead without
// it; it only brings the states up to date.
type Expirer struct {
	DB  *sql.DB
	Log *slog.Logger
}

// sweepSize is how many deadlines one transaction handles, one for each window of
// mails: enough to be fast, few enough to hold nobody up.
const sweepSize = 80

// sweepTimeout bounds one statement. On a loaded database a sweep is slow.
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
