package sql

import (
	"context"
	"errors"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// These are the limits of our patience with PostgreSQL. When one has passed, our side
// closes the connection. A server whose processes are frozen keeps its connections
// open, as the kernel answers for it. So does a server that never tells how a COMMIT
// ended.
const (
	// longest is for a statement of a command: an import's may take minutes.
	longest = 30 * time.Minute
	// connecting is for a connection, from the dial to its first use.
	connecting = 10 * time.Second
	// listening is for statements of the connection that waits for notifications.
	listening = 10 * time.Second
	// parting is for a statement whose context has ended: the server is asked to cancel
	// it, and has this long to say so.
	parting = 500 * time.Millisecond
	// closing is for each connection of a closed pool: the server confirms that it
	// forgets the prepared statements.
	closing = 100 * time.Millisecond
)

// A link dials for one connection of the pool. Once the connection stands, lib/pq dials
// again only to have a statement cancelled whose context has ended. The statement then
// has until parting to end by itself.
type link struct {
	patience  *atomic.Int64
	connected atomic.Bool
	mu        sync.Mutex
	main      *patientConn
}

func (l *link) dial(ctx context.Context, network, address string) (net.Conn, error) {
	if l.connected.Load() {
		l.part()
		ctx, cancel := context.WithTimeout(ctx, parting)
		defer cancel()
		c, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return c, c.SetDeadline(time.Now().Add(parting))
	}
	c, err := dial(ctx, network, address)
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.main = &patientConn{Conn: c, patience: l.patience}
	return l.main, ctx.Err()
}

func (l *link) part() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.main != nil {
		l.main.part()
	}
}

// parted tells whether the connection is about to be closed.
func (l *link) parted() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.main.parted()
}

// A patientConn gives up and closes itself when PostgreSQL does not answer in time.
type patientConn struct {
	net.Conn
	patience *atomic.Int64
	listens  bool // it reads all the time: only an answer to a statement has a deadline

	mu  sync.Mutex
	end time.Time // of the connection, once its context has ended
}

// Read waits for patience at the most.
func (c *patientConn) Read(b []byte) (int, error) {
	if !c.listens {
		c.limit(c.Conn.SetReadDeadline)
	}
	n, err := c.Conn.Read(b)
	if c.listens && n > 0 {
		c.Conn.SetReadDeadline(time.Time{})
	}
	return n, c.checked("read", err)
}

func (c *patientConn) Write(b []byte) (int, error) {
	if c.listens {
		c.limit(c.Conn.SetDeadline)
	} else {
		c.limit(c.Conn.SetWriteDeadline)
	}
	n, err := c.Conn.Write(b)
	return n, c.checked("write", err)
}

func (c *patientConn) limit(set func(time.Time) error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	at := time.Now().Add(time.Duration(c.patience.Load()))
	if !c.end.IsZero() && c.end.Before(at) {
		at = c.end
	}
	set(at) // an error comes again from the read or write that follows
}

// part ends the connection soon, whatever it waits for.
func (c *patientConn) part() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.end.IsZero() {
		c.end = time.Now().Add(parting)
		c.Conn.SetDeadline(c.end)
	}
}

func (c *patientConn) parted() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.end.IsZero()
}

// checked closes a connection that is out of step with the server.
func (c *patientConn) checked(op string, err error) error {
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		return err
	}
	c.Conn.Close()
	return &net.OpError{Op: op, Net: "postgres", Err: errSilent{}}
}

// errSilent says that PostgreSQL did not answer in time. Nobody knows what it has done.
type errSilent struct{}

func (errSilent) Error() string { return "PostgreSQL does not answer" }
func (errSilent) Timeout() bool { return true }

// Unwrap tells that the deadline is ours.
func (errSilent) Unwrap() error { return os.ErrDeadlineExceeded }

// dialToListen dials for the connection that waits for notifications.
func dialToListen(ctx context.Context, network, address string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, connecting)
	defer cancel()
	c, err := dial(ctx, network, address)
	if err != nil {
		return nil, err
	}
	conn := &patientConn{Conn: c, patience: new(atomic.Int64), listens: true}
	conn.patience.Store(int64(listening))
	return conn, nil
}
