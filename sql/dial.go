package sql

import (
	"context"
	"net"
	"syscall"
	"time"
)

// silence is how long the other machine's kernel may leave a connection without an
// answer before the connection counts as broken. A machine that has vanished or a
// firewall that drops packets says nothing, and a statement would wait for a quarter of
// an hour. It does not limit how long PostgreSQL works on a statement.
const silence = 30 * time.Second

// dialer connects to PostgreSQL. It implements pq.Dialer and pq.DialerContext.
type dialer struct{ net.Dialer }

func newDialer() *dialer {
	return &dialer{net.Dialer{
		KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: silence / 2, Interval: silence / 6, Count: 3},
		Control: func(network, _ string, c syscall.RawConn) (err error) {
			if network == "unix" {
				return nil
			}
			if controlErr := c.Control(func(fd uintptr) { err = limitSilence(fd) }); controlErr != nil {
				return controlErr
			}
			return err
		},
	}}
}

func (d *dialer) DialTimeout(network, address string, timeout time.Duration) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	return d.DialContext(ctx, network, address)
}
