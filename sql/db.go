// Package sql keeps bascule's truth in PostgreSQL. It is the only door to
// sqlx and lib/pq. A query is a file in query/, named like the method that runs
// it. All instants come from the database's clock, bascule_now().
package sql

import (
	"context"
	stdsql "database/sql"
	"database/sql/driver"
	"errors"
	"sync"
	"time"

	"github.com/jmoiron/sqlx"
)

// DB is a pool of connections to PostgreSQL. It is safe for concurrent use.
type DB struct {
	x     *sqlx.DB
	probe *stdsql.DB // one connection, for Ready alone
	pool  *connector // of both

	statements sync.Map // *sqlx.Stmt by their text: see prepare
}

// Open connects to the database of a DATABASE_URL with at most conns connections. The
// caller closes it. No error repeats the URL, as any part of it may be a mistyped
// password.
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
// further part of its answer. The default is half an hour. Then the connection is
// closed, and the outcome of the statement is unknown. If the context ends before, the
// statement is cancelled, and its connection is closed half a second later.
func (db *DB) LimitAnswers(d time.Duration) { db.pool.patience.Store(int64(d)) }

// prepare prepares a query that runs again and again: each connection parses and plans
// it once. The first call takes a connection of the pool, so never call it within a
// transaction.
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

// Close closes the pool, even if PostgreSQL does not answer any more.
func (db *DB) Close() error {
	db.LimitAnswers(closing)
	return errors.Join(db.x.Close(), db.probe.Close())
}

// Ready tells whether PostgreSQL answers. It has a connection of its own, as all others
// may be in use. It ends with ctx. A frozen server may hold that connection for longer;
// there is never a second one.
func (db *DB) Ready(ctx context.Context) error {
	answer := make(chan error, 1)
	go func() { answer <- db.probe.PingContext(ctx) }()
	select {
	case err := <-answer:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}
