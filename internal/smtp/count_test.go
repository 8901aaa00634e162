package smtp

import (
	"context"
	"net"
	"sync"
)

// countingDial counts a client's writes and its connections.
type countingDial struct {
	dial func(context.Context, string, string) (net.Conn, error)

	mu     sync.Mutex
	writes int
	open   int
	most   int // open at once
}

func (c *countingDial) connect(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := c.dial(ctx, network, address)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.open++
	c.most = max(c.most, c.open)
	return &countingConn{Conn: conn, by: c}, err
}

type countingConn struct {
	net.Conn
	by   *countingDial
	once sync.Once
}

func (c *countingConn) Write(b []byte) (int, error) {
	c.by.mu.Lock()
	c.by.writes++
	c.by.mu.Unlock()
	return c.Conn.Write(b)
}

func (c *countingConn) Close() error {
	c.once.Do(func() {
		c.by.mu.Lock()
		defer c.by.mu.Unlock()
		c.by.open--
	})
	return c.Conn.Close()
}
