package sql

import (
	"context"
	stdsql "database/sql"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"
)

// Open connects to the database of a DATABASE_URL with at most conns connections. The
// caller closes it. No error repeats the URL, as any part of it may be a mistyped
// password.
func Open(ctx context.Context, url string, conns int) (*DB, error) { return open(ctx, url, conns, "") }

// OpenPages is Open for pages: each statement is prepared once and goes by the indexes,
// and none waits longer for a lock than PagePatience. What gives up returns ErrBusy and
// has changed nothing.
func OpenPages(ctx context.Context, url string, conns int) (*DB, error) {
	return open(ctx, url, conns, fmt.Sprintf("%s; SET lock_timeout = %d", byIndex, PagePatience.Milliseconds()))
}

// OpenWork is Open for workers: each statement is prepared once and goes by the indexes.
func OpenWork(ctx context.Context, url string, conns int) (*DB, error) {
	return open(ctx, url, conns, byIndex)
}

// byIndex leaves the planner no choice. The statements of workers and pages go from a
// bounded number of rows to others by their keys; a plan that reads a table
// through, because there are no statistics yet or no longer, would do so for each
// window of mails. Where there is no index, as on the breaker's one row, the
// planner takes the cost for enormous: nothing is to be compiled for that.
//
// Such a plan is as good for any other arguments, so it is made once.
const byIndex = "SET plan_cache_mode = force_generic_plan; SET jit = off; SET enable_seqscan = off; SET enable_bitmapscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off"

// PagePatience is how long a statement of a page waits for a lock that another
// transaction holds. An import may hold one for as long as it applies its rows;
// a page that waits keeps a connection from everybody else.
const PagePatience = 2 * time.Second

func open(ctx context.Context, url string, conns int, settings string) (*DB, error) {
	if _, err := newConnector(url); err != nil {
		return nil, err
	}
	pool := &connector{url: url, settings: settings}
	pool.patience.Store(int64(longest))
	x := sqlx.NewDb(stdsql.OpenDB(pool), "postgres")
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
