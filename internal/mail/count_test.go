package mail

import (
	"context"
	"net"
	"sync/atomic"
)

// countingDial counts the writes of the client.
type countingDial struct {
	dial func(context.Context, string, string) (net.Conn, error)
	n    atomic.Int64
}

func (c *countingDial) writes() int { return int(c.n.Load()) }

func (c *countingDial) connect(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := c.dial(ctx, network, address)
	return &countingConn{conn, c}, err
}

type countingConn struct {
	net.Conn
	by *countingDial
}

func (c *countingConn) Write(b []byte) (int, error) {
	c.by.n.Add(1)
	return c.Conn.Write(b)
}
