package admission

import (
	"net"
	"net/netip"
	"sync"
	"testing"
)

// I8: which connections are one client, and that a closed connection makes room for
// another.
func TestLimitPerClient(t *testing.T) {
	t.Parallel()
	const most = 3
	l := LimitPerClient(nil, most, Proxies{netip.MustParsePrefix("10.0.0.0/8")}).(*perClient)
	for addr, want := range map[string]string{"192.0.2.1": "192.0.2.1/32", "::ffff:192.0.2.1": "192.0.2.1/32",
		"2001:db8::1": "2001:db8::/64", "10.1.1.1": "", "::ffff:10.1.1.1": ""} {
		got, counts := l.client(&net.TCPAddr{IP: net.ParseIP(addr)})
		if counts != (want != "") || counts && got.String() != want {
			t.Errorf("%s is %s, %t; want %q", addr, got, counts, want)
		}
	}
	if _, counts := l.client(&net.UnixAddr{}); counts {
		t.Error("who comes by a Unix socket is counted")
	}
	one, other := netip.MustParsePrefix("192.0.2.1/32"), netip.MustParsePrefix("192.0.2.2/32")
	for i := range most {
		if !l.acquire(one) {
			t.Fatalf("only %d are let in", i)
		}
	}
	if l.acquire(one) || !l.acquire(other) {
		t.Error("one client has more than its connections, or another none")
	}
	end, far := net.Pipe()
	defer far.Close()
	p := &counted{Conn: end, release: sync.OnceFunc(func() { l.release(one) })}
	p.Close()
	p.Close()
	if !l.acquire(one) || l.acquire(one) {
		t.Error("room is not made, or twice")
	}
	l.release(other)
	if _, kept := l.open[other]; kept {
		t.Error("who has gone is remembered")
	}
}
