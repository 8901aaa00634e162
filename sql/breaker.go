package sql

import (
	"context"
	stdsql "database/sql"
	_ "embed"
	"errors"
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

// TakeProbe tells whether the caller, alone of all workers, may try one mail
// although the breaker is open; avoid are the obligations of which no success
// is to be expected, or none that would tell anything about the others.
func (db *DB) TakeProbe(ctx context.Context) (avoid []int64, ok bool, err error) {
	var ids pq.Int64Array
	err = db.x.GetContext(ctx, &ids, takeProbe, ProbeEvery.Seconds())
	if errors.Is(err, stdsql.ErrNoRows) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("take the probe: %w", err)
	}
	return ids, true, nil
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
