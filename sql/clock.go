package sql

import (
	"context"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"
)

// MaxClockSkew is how much this machine's clock may differ from the database's.
// Deadlines are printed to the minute, so nobody sees the difference.
const MaxClockSkew = 5 * time.Second

// CheckClock returns an error if the two clocks differ by more than MaxClockSkew.
func (db *DB) CheckClock(ctx context.Context) error {
	d, err := db.ClockDifference(ctx)
	if err == nil && d.Abs() > MaxClockSkew {
		err = fmt.Errorf("this machine's clock and the database's differ by %s: synchronise them", d.Abs().Round(time.Second))
	}
	return err
}

// ClockDifference is by how much this machine's clock is ahead of the database's; zero
// if the time that the question took could be the reason.
func (db *DB) ClockDifference(ctx context.Context) (time.Duration, error) {
	before := time.Now()
	now, err := db.Now(ctx)
	if err != nil {
		return 0, err
	}
	if now.Before(before) {
		return before.Sub(now), nil
	}
	return min(time.Since(now), 0), nil
}

// Now is the database's clock, the only one that decides anything.
func (db *DB) Now(ctx context.Context) (time.Time, error) {
	return now(ctx, db.x)
}

func now(ctx context.Context, q sqlx.QueryerContext) (time.Time, error) {
	t, err := get[time.Time](ctx, q, `SELECT bascule_now()`)
	return t, wrap(err, "read the clock")
}
