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

// A dialFunc connects to PostgreSQL. It implements pq.Dialer and pq.DialerContext.
type dialFunc func(ctx context.Context, network, address string) (net.Conn, error)

func (dial dialFunc) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	return dial(ctx, network, address)
}

func (dial dialFunc) Dial(network, address string) (net.Conn, error) {
	return dial(context.Background(), network, address)
}

func (dial dialFunc) DialTimeout(network, address string, timeout time.Duration) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	return dial(ctx, network, address)
}

// dial connects, and limits the silence.
func dial(ctx context.Context, network, address string) (net.Conn, error) {
	d := net.Dialer{
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
	}
	return d.DialContext(ctx, network, address)
}
