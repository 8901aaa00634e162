package sql

import (
	"net"
	"testing"
	"time"

	"github.com/lib/pq"
	"golang.org/x/sys/unix"
)

var (
	_ pq.Dialer        = dialFunc(dial)
	_ pq.DialerContext = dialFunc(dial)
)

// I1: a database machine that vanishes without a word is noticed within the
// three minutes after which nothing due may be left undone.
func TestSilence(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := dialFunc(dial).DialTimeout("tcp", l.Addr().String(), time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	raw, err := c.(*net.TCPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	option := func(level, name int) (n int) {
		t.Helper()
		if controlErr := raw.Control(func(fd uintptr) { n, err = unix.GetsockoptInt(int(fd), level, name) }); controlErr != nil || err != nil {
			t.Fatal(controlErr, err)
		}
		return n
	}
	if ms := option(unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT); ms != 30_000 {
		t.Errorf("sent bytes may stay unacknowledged for %d ms", ms)
	}
	idle, interval, count := option(unix.IPPROTO_TCP, unix.TCP_KEEPIDLE), option(unix.IPPROTO_TCP, unix.TCP_KEEPINTVL), option(unix.IPPROTO_TCP, unix.TCP_KEEPCNT)
	if on := option(unix.SOL_SOCKET, unix.SO_KEEPALIVE); on == 0 || idle+interval*count > 60 {
		t.Errorf("who waits for an answer notices after %d s + %d × %d s, keep-alive %d", idle, count, interval, on)
	}
}
