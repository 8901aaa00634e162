package main

import (
	"net"
	"net/netip"
	"slices"
	"sync"
)

// maxShare is how many connections of a listener one client may hold: half of
// them, so that no one address keeps all others out, nor those who watch whether
// the process lives (I8).
const maxShare = maxConnections / 2

// A shared listener gives each client its share, an IPv6 client being its /64, and
// closes at once what goes beyond. A proxy has as many connections as it has
// clients and needs: it is not counted, and neither is who has no network address.
type shared struct {
	net.Listener
	proxies []netip.Prefix

	mu   sync.Mutex
	held map[netip.Prefix]int
}

func share(ln net.Listener, proxies []netip.Prefix) *shared {
	return &shared{Listener: ln, proxies: proxies, held: make(map[netip.Prefix]int)}
}

// Accept implements [net.Listener].
func (l *shared) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		client, counts := l.client(c.RemoteAddr())
		switch {
		case !counts:
			return c, nil
		case l.take(client):
			return &place{Conn: c, leave: sync.OnceFunc(func() { l.leave(client) })}, nil
		}
		c.Close()
	}
}

func (l *shared) client(remote net.Addr) (client netip.Prefix, counts bool) {
	tcp, ok := remote.(*net.TCPAddr)
	if !ok {
		return netip.Prefix{}, false
	}
	addr, bits := tcp.AddrPort().Addr().Unmap().WithZone(""), 64
	if addr.Is4() {
		bits = 32
	}
	if slices.ContainsFunc(l.proxies, func(p netip.Prefix) bool { return p.Contains(addr) }) {
		return netip.Prefix{}, false
	}
	client, err := addr.Prefix(bits)
	return client, err == nil
}

func (l *shared) take(client netip.Prefix) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.held[client] >= maxShare {
		return false
	}
	l.held[client]++
	return true
}

func (l *shared) leave(client netip.Prefix) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.held[client]--; l.held[client] == 0 {
		delete(l.held, client)
	}
}

// A place is a connection that counts in its client's share until it is closed.
type place struct {
	net.Conn
	leave func()
}

// Close implements [net.Conn].
func (p *place) Close() error {
	p.leave()
	return p.Conn.Close()
}
