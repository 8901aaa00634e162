package sql

import (
	"context"
	"database/sql/driver"
	"fmt"
	"time"
)

// OpenPages is Open for pages: no statement waits longer for a lock than
// PagePatience. What gives up returns ErrBusy and has changed nothing.
func OpenPages(ctx context.Context, url string, conns int) (*DB, error) {
	set := fmt.Sprintf("SET lock_timeout = %d", PagePatience.Milliseconds())
	return open(ctx, url, conns, func(c driver.Connector) driver.Connector { return configured{c, set} })
}

// byIndex leaves the planner no choice. The statements of workers go from a
// bounded number of rows to others by their keys; a plan that reads a table
// through, because there are no statistics yet or no longer, would do so for each
// window of mails. Where there is no index, as on the breaker's one row, the
// planner takes the cost for enormous: nothing is to be compiled for that.
//
// Such a plan is as good for any other window, so it is made once.
const byIndex = "SET plan_cache_mode = force_generic_plan; SET jit = off; SET enable_seqscan = off; SET enable_bitmapscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off"

// OpenWork is Open for workers: each statement goes by the indexes, whatever the
// statistics say.
func OpenWork(ctx context.Context, url string, conns int) (*DB, error) {
	return open(ctx, url, conns, func(c driver.Connector) driver.Connector { return configured{c, byIndex} })
}

// configured runs a statement on each connection of a pool before it is used.
// Parameters of the connection would do too, but poolers refuse them.
type configured struct {
	driver.Connector
	set string
}

// Connect implements driver.Connector.
func (c configured) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	if _, err := conn.(driver.ExecerContext).ExecContext(ctx, c.set, nil); err != nil {
		conn.Close()
		return nil, fmt.Errorf("set a connection up: %w", err)
	}
	return conn, nil
}

// PagePatience is how long a statement of a page waits for a lock that another
// transaction holds. An import may hold one for as long as it applies its rows;
// a page that waits keeps a connection from everybody else.
const PagePatience = 2 * time.Second
