package sql

import (
	"context"
	stdsql "database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"
	"github.com/lib/pq/pqerror"
)

// txAttempts is how often a transaction is tried that PostgreSQL ended for the sake of
// another (deadlock, serialization). Such a transaction has changed nothing.
const txAttempts = 3

// inTx runs f in a transaction and commits, or rolls back on an error of f.
func (db *DB) inTx(ctx context.Context, f func(*sqlx.Tx) error) error {
	return busy(again(func() error { return db.tryTx(ctx, f) }))
}

// fewMails is how many mails a worker starts or finishes without waiting for its turn.
const fewMails = 64

// turnPatience is how long a worker waits for its turn. So long a worker that is frozen in
// its own holds up the others, each time.
const turnPatience = 200 * time.Millisecond

// inTurn is inTx for what workers do with many mails. They take turns: side by side they
// would wait for each other in PostgreSQL, and be slower. A worker whose turn does not come
// goes ahead without.
func (db *DB) inTurn(ctx context.Context, lock int64, f func(*sqlx.Tx) error) error {
	wait := fmt.Sprintf("SET LOCAL lock_timeout = %d; SELECT pg_advisory_xact_lock(%d); SET LOCAL lock_timeout = 0", turnPatience.Milliseconds(), lock)
	waited := false
	err := db.inTx(ctx, func(tx *sqlx.Tx) error {
		_, err := tx.ExecContext(ctx, wait)
		if waited = sqlState(err) == "55P03"; err != nil {
			return err
		}
		return f(tx)
	})
	if waited {
		return db.inTx(ctx, f)
	}
	return err
}

func (db *DB) tryTx(ctx context.Context, f func(*sqlx.Tx) error) error {
	tx, err := db.begin(ctx, nil)
	if err != nil {
		return wrap(err, "begin")
	}
	if err := f(tx); err != nil {
		tx.Rollback() // fails only when the connection is gone, and the transaction with it
		return marked(err)
	}
	if ctx.Err() != nil {
		tx.Rollback()
		return ctx.Err()
	}
	err = tx.Commit()
	if err != nil && sqlState(err) == "" {
		return fmt.Errorf("%w: %w", ErrUnknown, err)
	}
	return wrap(err, "commit")
}

// ErrUnknown says that PostgreSQL did not tell how a COMMIT ended: its connection
// broke, or the context ended meanwhile.
var ErrUnknown = errors.New("the connection ended during the commit, so it is not known whether all is stored (`bascule status` and `bascule show NUMBER` tell)")

// begin begins a transaction. lib/pq does not look at ctx while it waits for the answer
// to BEGIN. If ctx ends meanwhile, begin rolls back.
func (db *DB) begin(ctx context.Context, options *stdsql.TxOptions) (*sqlx.Tx, error) {
	type result struct {
		tx  *sqlx.Tx
		err error
	}
	begun := make(chan result, 1)
	go func() {
		tx, err := db.x.BeginTxx(ctx, options)
		begun <- result{tx, err}
	}()
	select {
	case r := <-begun:
		return r.tx, r.err
	case <-ctx.Done():
		go func() {
			if r := <-begun; r.err == nil {
				r.tx.Rollback()
			}
		}()
		return nil, ctx.Err()
	}
}

// again runs f, txAttempts times at the most while PostgreSQL ends its statement or
// transaction for the sake of another one.
func again(f func() error) error {
	for attempt := 1; ; attempt++ {
		err := f()
		if err == nil || attempt == txAttempts || !isVictim(err) {
			return err
		}
	}
}

func affected(res stdsql.Result, err error) (int64, error) {
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

// IsPermanent tells whether a statement meets the error again however often it is
// tried. Its data, its rights or the schema are at fault, or a trigger refuses it. A
// lack of resources (a full disk, too many connections) or of the server is not
// permanent.
func IsPermanent(err error) bool {
	answer, ok := errors.AsType[*pq.Error](err)
	return ok && slices.Contains([]pqerror.Class{"22", "23", "42", "P0"}, answer.Code.Class())
}

// sqlState is the code by which PostgreSQL refused a statement; "" for any other error.
func sqlState(err error) pqerror.Code {
	if answer, ok := errors.AsType[*pq.Error](err); ok {
		return answer.Code
	}
	return ""
}

// ErrBusy says that somebody else is at work on the same space or request.
var ErrBusy = errors.New("somebody else is at work on it")

// busy makes ErrBusy of the refusal to wait for a lock any longer, or at all.
func busy(err error) error {
	if sqlState(err) == "55P03" {
		return fmt.Errorf("%w: %w", ErrBusy, err)
	}
	return err
}

// isLost tells whether the connection broke under a statement. The outcome of the
// statement, or of the COMMIT, is unknown then.
func isLost(err error) bool {
	_, broken := errors.AsType[net.Error](err)
	return broken || errors.Is(err, driver.ErrBadConn) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, stdsql.ErrConnDone)
}

// A lostError is the error of a connection to PostgreSQL, and of none to anybody else.
type lostError struct{ error }

func (e *lostError) Unwrap() error { return e.error }

// marked makes a lostError of the error of a connection. It is narrower than isLost: a
// transaction may write a file, whose errors have the methods of a net.Error.
func marked(err error) error {
	if _, broken := errors.AsType[*net.OpError](err); broken || errors.Is(err, driver.ErrBadConn) || errors.Is(err, stdsql.ErrConnDone) {
		return &lostError{err}
	}
	return err
}

// IsCanceled tells whether err says that its context was cancelled: before a statement,
// or during one. The server then ended the statement, or did not answer any more.
func IsCanceled(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, driver.ErrBadConn) || errors.Is(err, errSilent{}) || sqlState(err) == "57014"
}

func isVictim(err error) bool { return sqlState(err) == "40P01" || sqlState(err) == "40001" }

// violates tells whether err is the refusal of the named constraint or unique index.
func violates(err error, constraint string) bool {
	answer, ok := errors.AsType[*pq.Error](err)
	return ok && answer.Constraint == constraint
}

// The advisory locks: those who take one wait for each other. The locks of requests are
// their ids, which are positive.
const (
	importLock  = -1 - iota // imports, and other commands that open or change many requests
	grantLock               // changes to the rights of a role
	keyLock                 // processes that bring keys
	foldLock                // one process at a time folds the tally
	personLock              // changes of who may act
	excludeLock             // new exclusions
	startLock               // workers that start many mails
	finishLock              // workers that write down what became of many
	spaceLocks              // those of spaces are below
)

const (
	lockExclusively = `SELECT pg_advisory_xact_lock($1)`
	tryLock         = `SELECT pg_try_advisory_xact_lock($1)` // tells whether it has the lock
)
