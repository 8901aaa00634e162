package sql

import (
	"context"
	_ "embed"
	"errors"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"
)

// ProbeEvery is how often an open breaker lets one mail try (D11).
const ProbeEvery = 15 * time.Second

// UnclearLimit is how many distinct recipients in a row the relay may refuse without a
// clear reason before it is to blame (D11).
const UnclearLimit = 5

//go:embed query/open_breaker.sql
var openBreaker string

//go:embed query/excuse.sql
var excuse string

// OpenBreaker stops all mail of all workers, because the relay refuses us. met are the
// obligations whose mails met that refusal. The mails that were refused without a clear
// reason since the last success get their attempt back.
func (db *DB) OpenBreaker(ctx context.Context, reason string, met []int64) error {
	return wrap(db.steps(ctx, openSteps(reason, met)...), "open the breaker")
}

func openSteps(reason string, met []int64) []step {
	return []step{do(openBreaker, reason, ProbeEvery.Seconds()), do(excuse, pq.Int64Array(met), ProbeEvery.Seconds())}
}

// A Turn is what a refusal did to the breaker.
type Turn int

// The turns.
const (
	Unturned Turn = iota
	Opened        // or stays open, for another reason
	Closed
)

var (
	//go:embed query/hold_breaker.sql
	holdBreaker string
	//go:embed query/note_unclear.sql
	noteUnclear string
	//go:embed query/count_unclear.sql
	countUnclear string
	//go:embed query/any_excused.sql
	anyExcused string
)

// NoteUnclear records that the mails of obligations were refused without a clear
// reason. After UnclearLimit recipients in a row the breaker opens, and their mails get
// the attempt back (D11). That happens to a mail once. If it is refused again, it is to
// blame itself: it no longer counts, and follows its own schedule. When only such mails
// are left, the open breaker closes, as no probe could tell anything about the relay.
//
// If nobody knows how its COMMIT ended, it counts as done. Said twice, one refusal would
// count as two, and close the breaker. If it is not on record after all, the next one is.
func (db *DB) NoteUnclear(ctx context.Context, ids []int64, reason string) (turn Turn, err error) {
	err = db.inTx(ctx, func(tx *sqlx.Tx) error {
		isOpen, err := get[bool](ctx, tx, holdBreaker)
		if err != nil {
			return err
		}
		if err := run(ctx, tx, do(noteUnclear, pq.Int64Array(ids))); err != nil {
			return err
		}
		turn = Unturned
		if isOpen {
			turn, err = whileOpen(ctx, tx, reason)
			return err
		}
		if recipients, err := get[int](ctx, tx, countUnclear, UnclearLimit); err != nil || recipients < UnclearLimit {
			return err
		}
		turn = Opened
		return run(ctx, tx, openSteps(reason, nil)...)
	})
	if errors.Is(err, ErrUnknown) {
		return Unturned, nil
	}
	return turn, wrap(err, "note unclear refusals")
}

// whileOpen excuses the mails that were refused for the first time, and keeps the latest
// reason: what opened the breaker may be mended by now. It closes the breaker if each mail
// has been refused again.
func whileOpen(ctx context.Context, tx *sqlx.Tx, reason string) (Turn, error) {
	if err := run(ctx, tx, openSteps(reason, nil)...); err != nil {
		return Unturned, err
	}
	if left, err := get[bool](ctx, tx, anyExcused); err != nil || left {
		return Opened, err
	}
	return Closed, run(ctx, tx, do(closeBreaker))
}

//go:embed query/blame.sql
var blame string

// Blame records that mails were refused without a clear reason before another one got
// through. So they are to blame themselves.
func (db *DB) Blame(ctx context.Context, ids []int64) error {
	if len(ids) == 0 {
		return nil
	}
	return wrap(db.exec(ctx, blame, pq.Int64Array(ids)), "blame refused mails")
}

//go:embed query/claim_probe.sql
var claimProbe string

// A Passage is what the breaker allows one worker.
type Passage struct {
	Open  bool `db:"open"`  // only the probe may start
	Probe bool `db:"probe"` // the caller may try one mail, and no other worker may
}

// ClaimProbe looks whether the breaker is open, and takes the probe if one is due.
func (db *DB) ClaimProbe(ctx context.Context) (Passage, error) {
	p, err := get[Passage](ctx, db.x, claimProbe, ProbeEvery.Seconds())
	return p, wrap(err, "claim the probe")
}

//go:embed query/close_breaker.sql
var closeBreaker string

// CloseBreaker lets mail flow again.
func (db *DB) CloseBreaker(ctx context.Context) error {
	return wrap(db.exec(ctx, closeBreaker), "close the breaker")
}
