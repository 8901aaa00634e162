// Package sql keeps bascule's truth in PostgreSQL. It is the only door to
// sqlx and lib/pq. A query is a file in query/, named like the method that runs
// it. All instants come from the database's clock, bascule_now().
package sql

import (
	"context"
	stdsql "database/sql"
	"errors"
	"time"

	"github.com/jmoiron/sqlx"
)

// DB is a pool of connections to PostgreSQL. It is safe for concurrent use.
type DB struct {
	x     *sqlx.DB
	probe *stdsql.DB // one connection, for Ready alone
	pool  *connector // of both

	fourEyes *int // see RequireFourEyes; nil: one person may do everything
}

// LimitAnswers sets how long PostgreSQL may take for one statement, and for each
// further part of its answer. The default is half an hour. After that the connection is
// closed, and the outcome of the statement is unknown. If the context ends before, the
// statement is cancelled, and its connection is closed half a second later.
func (db *DB) LimitAnswers(d time.Duration) { db.pool.patience.Store(int64(d)) }

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
