package admission

import (
	"net"
	"net/netip"
	"sync"
)

// LimitPerClient gives each client at most so many connections of a listener, and
// closes further ones at once. So no client keeps all others out (I8). An IPv6 client
// is its /64. Proxies are not counted, as they have the connections of all their
// clients. Clients without a network address are not counted either.
func LimitPerClient(ln net.Listener, most int, proxies Proxies) net.Listener {
	return &perClient{Listener: ln, most: most, proxies: proxies, open: make(map[netip.Prefix]int)}
}

type perClient struct {
	net.Listener
	most    int
	proxies Proxies

	mu   sync.Mutex
	open map[netip.Prefix]int // connections of each line
}

// Accept implements [net.Listener].
func (l *perClient) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		client, counts := l.client(c.RemoteAddr())
		switch {
		case !counts:
			return c, nil
		case l.acquire(client):
			return &counted{Conn: c, release: sync.OnceFunc(func() { l.release(client) })}, nil
		}
		c.Close()
	}
}

func (l *perClient) client(remote net.Addr) (line netip.Prefix, counts bool) {
	tcp, ok := remote.(*net.TCPAddr)
	if !ok {
		return netip.Prefix{}, false
	}
	c := Client{canonical(tcp.AddrPort().Addr())}
	line = c.line()
	return line, line.IsValid() && !l.proxies.contain(c.addr)
}

func (l *perClient) acquire(client netip.Prefix) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open[client] >= l.most {
		return false
	}
	l.open[client]++
	return true
}

func (l *perClient) release(client netip.Prefix) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open[client]--; l.open[client] == 0 {
		delete(l.open, client)
	}
}

// A counted connection counts for its client until it is closed.
type counted struct {
	net.Conn
	release func()
}

// Close implements [net.Conn].
func (c *counted) Close() error {
	c.release()
	return c.Conn.Close()
}
