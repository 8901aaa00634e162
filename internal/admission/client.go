package admission

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// A Client is the network address that a request or a connection comes from. Clients
// without one, as on a Unix socket, are all the zero Client.
type Client struct{ addr netip.Addr }

// line is the least that one subscriber line gets: an IPv4 address, or the /64 of an
// IPv6 address.
func (c Client) line() netip.Prefix { return c.prefix(64) }

// network is the most that one line gets: an IPv4 address, or the /48 of an IPv6
// address. Such a client is 65,536 lines, but one network. Neighbours there share a
// count for one e-mail address only.
func (c Client) network() netip.Prefix { return c.prefix(48) }

func (c Client) prefix(bits int) netip.Prefix {
	if c.addr.Is4() {
		bits = 32
	}
	p, err := c.addr.Prefix(bits)
	if err != nil {
		return netip.Prefix{} // the zero Client
	}
	return p
}

// Proxies are the addresses of proxies that are believed.
type Proxies []netip.Prefix

// Client is the peer of a request. If the peer is one of the proxies, it is the
// rightmost hop of X-Forwarded-For that is none of them. The client may have invented
// the hops left of it.
func (p Proxies) Client(r *http.Request) Client {
	addr := peer(r)
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for _, text := range slices.Backward(hops) {
		hop, ok := parseHop(text)
		if !ok || !p.contain(addr) {
			break
		}
		addr = hop
	}
	return Client{addr}
}

// Sent tells whether the peer of a request is one of the proxies.
func (p Proxies) Sent(r *http.Request) bool { return p.contain(peer(r)) }

func (p Proxies) contain(a netip.Addr) bool {
	return slices.ContainsFunc(p, func(proxy netip.Prefix) bool { return proxy.Contains(a) })
}

// peer is the address that the connection comes from; the zero Addr on a Unix socket.
func peer(r *http.Request) netip.Addr {
	addr, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return canonical(addr.Addr())
}

// parseHop reads an address with or without a port, as proxies write it.
func parseHop(s string) (netip.Addr, bool) {
	s = strings.TrimSpace(s)
	if a, err := netip.ParseAddr(strings.Trim(s, "[]")); err == nil {
		return canonical(a), true
	}
	ap, err := netip.ParseAddrPort(s)
	return canonical(ap.Addr()), err == nil
}

func canonical(a netip.Addr) netip.Addr { return a.Unmap().WithZone("") }
