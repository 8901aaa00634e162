package sql

import (
	"context"
	_ "embed"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"
)

// ProbeEvery is how often an open breaker lets one mail try (D11).
const ProbeEvery = 15 * time.Second

// UnclearLimit is how many distinct recipients in a row must be refused without
// a clear reason before the relay is held to blame (D11).
const UnclearLimit = 5

//go:embed query/open_breaker.sql
var openBreaker string

// OpenBreaker stops all mail of all workers: the relay refuses us. Suspects are
// the obligations that met the refusal.
func (db *DB) OpenBreaker(ctx context.Context, reason string, suspects []int64) error {
	if _, err := db.x.ExecContext(ctx, openBreaker, reason, pq.Int64Array(suspects), ProbeEvery.Seconds()); err != nil {
		return fmt.Errorf("open the breaker: %w", err)
	}
	return nil
}

//go:embed query/note_unclear.sql
var noteUnclear string

//go:embed query/give_back_attempts.sql
var giveBackAttempts string

// NoteUnclear remembers obligations refused without a clear reason. When they
// are UnclearLimit in a row, the breaker opens, their attempts are given back,
// and NoteUnclear returns true. Recipients that CloseBreaker laid the blame on
// do not count.
func (db *DB) NoteUnclear(ctx context.Context, ids []int64, reason string) (opened bool, err error) {
	err = db.inTx(ctx, func(tx *sqlx.Tx) error {
		var unclear pq.Int64Array
		if err := tx.GetContext(ctx, &unclear, noteUnclear, pq.Int64Array(ids)); err != nil {
			return err
		}
		opened = len(unclear) >= UnclearLimit
		if !opened {
			return nil
		}
		if _, err := tx.ExecContext(ctx, openBreaker, reason, unclear, ProbeEvery.Seconds()); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, giveBackAttempts, unclear, ProbeEvery.Seconds())
		return err
	})
	if err != nil {
		return false, fmt.Errorf("note unclear refusals: %w", err)
	}
	return opened, nil
}

//go:embed query/take_probe.sql
var takeProbe string

// A Passage is what an open breaker leaves to one worker.
type Passage struct {
	Open  bool `db:"open"`  // no mail starts, but for the probe
	Probe bool `db:"probe"` // the caller, alone of all workers, may try one mail
	// Avoid are the obligations of which no success of a probe is to be
	// expected, or none that would tell anything about the others.
	Avoid pq.Int64Array `db:"avoid"`
}

// TakeProbe looks whether the breaker is open, and takes the probe if one is due.
func (db *DB) TakeProbe(ctx context.Context) (Passage, error) {
	var p Passage
	if err := db.x.GetContext(ctx, &p, takeProbe, ProbeEvery.Seconds()); err != nil {
		return Passage{}, fmt.Errorf("take the probe: %w", err)
	}
	return p, nil
}

//go:embed query/close_breaker.sql
var closeBreaker string

// CloseBreaker lets mail flow again. If another mail than the suspects got
// through, blame tells so: further refusals of theirs without a clear reason are
// their own (D11). That costs suspects that met a refusal of us nothing but a
// voice in opening the breaker.
func (db *DB) CloseBreaker(ctx context.Context, blame bool) error {
	if _, err := db.x.ExecContext(ctx, closeBreaker, blame); err != nil {
		return fmt.Errorf("close the breaker: %w", err)
	}
	return nil
}
