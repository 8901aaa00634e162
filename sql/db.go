// Package sql keeps bascule's truth in PostgreSQL. It is the only door to
// sqlx and lib/pq. A query is a file in query/, named like the method that runs
// it. All instants come from the database's clock, bascule_now().
package sql

import (
	"context"
	stdsql "database/sql"
	"database/sql/driver"
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

// DB is a pool of connections to PostgreSQL. It is safe for concurrent use.
type DB struct {
	x     *sqlx.DB
	probe *stdsql.DB // one connection, for Ready alone
	pool  *connector // of both

	statements sync.Map // *sqlx.Stmt by their text: see prepare
}

// Open connects to the database of a DATABASE_URL with at most conns
// connections. The caller closes it. No error repeats the URL: any part of it
// may be the password, badly written.
func Open(ctx context.Context, url string, conns int) (*DB, error) {
	return open(ctx, url, conns, func(c driver.Connector) driver.Connector { return c })
}

func open(ctx context.Context, url string, conns int, change func(driver.Connector) driver.Connector) (*DB, error) {
	if _, err := newConnector(url); err != nil {
		return nil, err
	}
	pool := &connector{url: url}
	pool.patience.Store(int64(longest))
	x := sqlx.NewDb(stdsql.OpenDB(change(pool)), "postgres")
	if err := x.PingContext(ctx); err != nil {
		x.Close()
		return nil, connectError(err)
	}
	x.SetMaxOpenConns(conns)
	x.SetMaxIdleConns(conns)
	x.SetConnMaxIdleTime(5 * time.Minute)
	probe := stdsql.OpenDB(pool)
	probe.SetMaxOpenConns(1)
	return &DB{x: x, probe: probe, pool: pool}, nil
}

// LimitAnswers sets how long PostgreSQL may take for one statement, and for each
// further part of its answer. Then the connection is closed, and what it was
// doing is unknown. Without it that is half an hour. A context that ends before
// cancels the statement; half a second later its connection is closed.
func (db *DB) LimitAnswers(d time.Duration) { db.pool.patience.Store(int64(d)) }

// prepare prepares a query that runs again and again: each connection parses and
// plans it once. It takes a connection of the pool the first time, so it is not to
// be called within a transaction.
func (db *DB) prepare(ctx context.Context, query string) (*sqlx.Stmt, error) {
	if stmt, ok := db.statements.Load(query); ok {
		return stmt.(*sqlx.Stmt), nil
	}
	stmt, err := db.x.PreparexContext(ctx, query)
	if err != nil {
		return nil, err
	}
	if other, ok := db.statements.LoadOrStore(query, stmt); ok {
		stmt.Close()
		return other.(*sqlx.Stmt), nil
	}
	return stmt, nil
}

// Close closes the pool, also where PostgreSQL does not answer any more.
func (db *DB) Close() error {
	db.LimitAnswers(closing)
	return errors.Join(db.x.Close(), db.probe.Close())
}

//go:embed migrations/*.sql
var migrations embed.FS

// Migrate creates or upgrades the schema. It is safe to run twice, and by two
// processes at once: one waits for the other.
func (db *DB) Migrate(ctx context.Context) error {
	// Who waits for another's migration looks once a second, for five minutes.
	locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, 300))
	if err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	fsys, err := migrationFiles()
	if err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	p, err := goose.NewProvider(goose.DialectPostgres, db.x.DB, fsys,
		goose.WithSessionLocker(locker), goose.WithSlog(slog.New(slog.DiscardHandler)))
	if err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	if _, err := p.Up(ctx); err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	return nil
}

func migrationFiles() (fs.FS, error) { return fs.Sub(migrations, "migrations") }

// ErrSchema says that the database has not the schema of this program.
var ErrSchema = errors.New("the database schema is not up to date: run `bascule migrate`")

// CheckSchema returns ErrSchema unless the schema is the one of this program.
func (db *DB) CheckSchema(ctx context.Context) error {
	fsys, err := migrationFiles()
	if err != nil {
		return err
	}
	p, err := goose.NewProvider(goose.DialectPostgres, db.x.DB, fsys, goose.WithSlog(slog.New(slog.DiscardHandler)))
	if err != nil {
		return fmt.Errorf("check schema: %w", err)
	}
	var exists bool
	if err := db.x.GetContext(ctx, &exists, `SELECT to_regclass('goose_db_version') IS NOT NULL`); err != nil {
		return fmt.Errorf("check schema: %w", err)
	}
	if !exists {
		return ErrSchema
	}
	pending, err := p.HasPending(ctx)
	if err != nil {
		return fmt.Errorf("check schema: %w", err)
	}
	if pending {
		return ErrSchema
	}
	return nil
}

// MaxClockSkew is how far this machine's clock may be from the database's: far
// below anything that a deadline printed to the minute would show.
const MaxClockSkew = 5 * time.Second

// CheckClock returns an error if the two clocks differ by more than MaxClockSkew.
func (db *DB) CheckClock(ctx context.Context) error {
	before := time.Now()
	now, err := db.Now(ctx)
	if err != nil {
		return err
	}
	after := time.Now()
	if now.Before(before.Add(-MaxClockSkew)) || now.After(after.Add(MaxClockSkew)) {
		return fmt.Errorf("this machine's clock and the database's differ by %s: synchronise them",
			now.Sub(after).Abs().Round(time.Second))
	}
	return nil
}

// Now is the database's clock, the only one that decides anything.
func (db *DB) Now(ctx context.Context) (time.Time, error) {
	return now(ctx, db.x)
}

func now(ctx context.Context, q sqlx.QueryerContext) (time.Time, error) {
	var t time.Time
	if err := sqlx.GetContext(ctx, q, &t, `SELECT bascule_now()`); err != nil {
		return t, fmt.Errorf("read the clock: %w", err)
	}
	return t, nil
}

// txAttempts is how often a transaction that PostgreSQL ended for the sake of
// another (deadlock, serialization) is tried. The victim has changed nothing.
const txAttempts = 3

// inTx runs f in a transaction and commits, or rolls back on an error of f.
func (db *DB) inTx(ctx context.Context, f func(*sqlx.Tx) error) error {
	for attempt := 1; ; attempt++ {
		err := db.tryTx(ctx, f)
		if err == nil || attempt == txAttempts || !isVictim(err) {
			return busy(err)
		}
	}
}

func (db *DB) tryTx(ctx context.Context, f func(*sqlx.Tx) error) error {
	tx, err := db.begin(ctx, nil)
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	if err := f(tx); err != nil {
		tx.Rollback() // fails only when the connection is gone, and the transaction with it
		return err
	}
	if ctx.Err() != nil {
		tx.Rollback()
		return ctx.Err()
	}
	err = tx.Commit()
	var answer *pq.Error
	if err != nil && !errors.As(err, &answer) {
		return fmt.Errorf("%w: %w", ErrUnknown, err)
	}
	if err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	return nil
}

// ErrUnknown says that PostgreSQL did not tell how a COMMIT ended: its connection
// broke, or the context ended meanwhile.
var ErrUnknown = errors.New("the connection ended during the commit, so it is not known whether all is stored")

// begin begins a transaction. lib/pq does not look at ctx while it waits for the
// answer to BEGIN: who waits for it past ctx's end rolls back.
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

// isLost tells whether the connection broke under a statement, so that its
// outcome, or that of the COMMIT, is unknown.
func isLost(err error) bool {
	var netErr net.Error
	return errors.Is(err, driver.ErrBadConn) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, stdsql.ErrConnDone) || errors.As(err, &netErr)
}

// IsCanceled tells whether err says that its context was cancelled: before a statement, or
// during one, which the server then ended or did not answer any more.
func IsCanceled(err error) bool {
	var pqErr *pq.Error
	return errors.Is(err, context.Canceled) || errors.Is(err, driver.ErrBadConn) || errors.Is(err, errSilent{}) ||
		errors.As(err, &pqErr) && pqErr.Code == "57014"
}

func isVictim(err error) bool {
	var pqErr *pq.Error
	if !errors.As(err, &pqErr) {
		return false
	}
	return pqErr.Code == "40P01" || pqErr.Code == "40001"
}

// violates tells whether err is the refusal of the named constraint or unique index.
func violates(err error, constraint string) bool {
	var pqErr *pq.Error
	return errors.As(err, &pqErr) && pqErr.Constraint == constraint
}
