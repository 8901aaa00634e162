package admission

import "net"

// LimitPerClient gives each client at most so many connections of a listener, and
// closes further ones at once (I8). Proxies are not counted, as they have the
// connections of all their clients.
func LimitPerClient(ln net.Listener, most int, proxies Proxies) net.Listener {
	return &perClient{Listener: ln, room: NewRoom(most), proxies: proxies}
}

type perClient struct {
	net.Listener
	room    *Room
	proxies Proxies
}

// Accept implements [net.Listener].
func (l *perClient) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		leave, err := l.room.Enter(l.client(c.RemoteAddr()))
		if err == nil {
			return &counted{Conn: c, leave: leave}, nil
		}
		c.Close()
	}
}

// client is the zero Client for a proxy.
func (l *perClient) client(remote net.Addr) Client {
	tcp, ok := remote.(*net.TCPAddr)
	if !ok {
		return Client{}
	}
	addr := canonical(tcp.AddrPort().Addr())
	if l.proxies.contain(addr) {
		return Client{}
	}
	return Client{addr}
}

// A counted connection counts for its client until it is closed.
type counted struct {
	net.Conn
	leave func()
}

// Close implements [net.Conn].
func (c *counted) Close() error {
	c.leave()
	return c.Conn.Close()
}
