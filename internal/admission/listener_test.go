package admission

import (
	"errors"
	"net"
	"net/netip"
	"testing"
)

// I8: which connections are one client.
func TestLimitPerClient(t *testing.T) {
	t.Parallel()
	l := LimitPerClient(nil, 1, Proxies{netip.MustParsePrefix("10.0.0.0/8")}).(*perClient)
	for addr, want := range map[string]string{"192.0.2.1": "192.0.2.1/32", "::ffff:192.0.2.1": "192.0.2.1/32",
		"2001:db8::1": "2001:db8::/64", "10.1.1.1": "", "::ffff:10.1.1.1": ""} {
		got := l.client(&net.TCPAddr{IP: net.ParseIP(addr)}).line()
		if got.IsValid() != (want != "") || want != "" && got.String() != want {
			t.Errorf("%s is %s; want %q", addr, got, want)
		}
	}
	if l.client(&net.UnixAddr{}).line().IsValid() {
		t.Error("who comes by a Unix socket is counted")
	}
}

// I8: a place that is left makes room for another, once.
func TestRoom(t *testing.T) {
	t.Parallel()
	const most = 3
	r := NewRoom(most)
	one, other := Client{netip.MustParseAddr("192.0.2.1")}, Client{netip.MustParseAddr("192.0.2.2")}
	enter := func(c Client) func() {
		leave, err := r.Enter(c)
		if err != nil {
			t.Fatal(err)
		}
		return leave
	}
	leave := enter(one)
	for range most - 1 {
		enter(one)
	}
	full := func() {
		t.Helper()
		if _, err := r.Enter(one); !errors.Is(err, ErrOverload) {
			t.Errorf("one client has more than its places: %v", err)
		}
	}
	full()
	gone := enter(other)
	end, far := net.Pipe()
	defer far.Close()
	p := &counted{Conn: end, leave: leave}
	p.Close()
	p.Close()
	enter(one)
	full()
	for range most + 1 {
		enter(Client{}) // a client without a network address
	}
	gone()
	if _, kept := r.taken[other.line()]; kept {
		t.Error("who has gone is remembered")
	}
}
