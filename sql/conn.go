package sql

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/lib/pq"
)

// A connector makes the connections of a pool.
type connector struct {
	url      string
	settings string       // the first statement of each connection
	serves   bool         // pages or work: it writes, and prepares each statement with arguments once
	patience atomic.Int64 // a time.Duration
}

// Connect implements driver.Connector.
func (c *connector) Connect(ctx context.Context) (driver.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, connecting)
	defer cancel()
	inner, err := newConnector(c.url, c.serves)
	if err != nil {
		return nil, err
	}
	l := &link{patience: &c.patience}
	inner.Dialer(dialFunc(l.dial))
	unwatch := context.AfterFunc(ctx, l.part) // the handshake knows no context
	made, err := inner.Connect(ctx)
	if !unwatch() && err == nil {
		made.Close()
		err = ctx.Err()
	}
	if err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return nil, fmt.Errorf("no connection within %s: %w", connecting, err)
	}
	l.connected.Store(true)
	if err != nil {
		return nil, err
	}
	conn, err := setUp(ctx, made, l, c.settings)
	if err == nil && !c.serves {
		return made, nil
	}
	return conn, err
}

// Driver implements driver.Connector.
func (c *connector) Driver() driver.Driver { return &pq.Driver{} }

// A conn is a connection that runs the same statements again and again. It prepares
// each statement with arguments once. From then on PostgreSQL neither parses nor plans
// it, and answers in one round trip.
type conn struct {
	pqConn
	link       *link
	statements map[string]driver.Stmt
	stale      bool // the result of a prepared statement has changed, or PostgreSQL has forgotten the statement
}

// pqConn is what a connection of lib/pq can do.
type pqConn interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ConnPrepareContext
	driver.ExecerContext
	driver.NamedValueChecker
	driver.Pinger
	driver.QueryerContext
	driver.SessionResetter
	driver.Validator
}

// setUp makes a conn, and runs settings as a statement. Poolers refuse parameters of the
// connection.
func setUp(ctx context.Context, made driver.Conn, l *link, settings string) (driver.Conn, error) {
	c := &conn{pqConn: made.(pqConn), link: l, statements: make(map[string]driver.Stmt)}
	if _, err := c.ExecContext(ctx, settings, nil); err != nil {
		c.Close()
		return nil, fmt.Errorf("set a connection up: %w", err)
	}
	return c, nil
}

// QueryContext implements driver.QueryerContext.
func (c *conn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	if len(args) == 0 {
		return c.pqConn.QueryContext(ctx, query, args)
	}
	stmt, err := c.statement(ctx, query)
	if err != nil {
		return nil, err
	}
	rows, err := stmt.(driver.StmtQueryContext).QueryContext(ctx, args)
	return rows, c.noted(err)
}

// ExecContext implements driver.ExecerContext.
func (c *conn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	if len(args) == 0 {
		return c.pqConn.ExecContext(ctx, query, args)
	}
	stmt, err := c.statement(ctx, query)
	if err != nil {
		return nil, err
	}
	result, err := stmt.(driver.StmtExecContext).ExecContext(ctx, args)
	return result, c.noted(err)
}

// statement prepares the query once. A connection keeps as many statements as the
// product has queries.
func (c *conn) statement(ctx context.Context, query string) (driver.Stmt, error) {
	if stmt, ok := c.statements[query]; ok {
		return stmt, nil
	}
	stmt, err := c.PrepareContext(ctx, query)
	if err == nil {
		c.statements[query] = stmt
	}
	return stmt, err
}

func (c *conn) noted(err error) error {
	c.stale = c.stale || sqlState(err) == "0A000" || sqlState(err) == "26000"
	return err
}

// IsValid implements driver.Validator. The pool closes a connection that is not valid.
// lib/pq itself would keep a connection on which it has cancelled a prepared statement.
func (c *conn) IsValid() bool { return !c.stale && !c.link.parted() && c.pqConn.IsValid() }

// ResetSession implements driver.SessionResetter.
func (c *conn) ResetSession(ctx context.Context) error {
	if !c.IsValid() {
		return driver.ErrBadConn
	}
	return c.pqConn.ResetSession(ctx)
}
