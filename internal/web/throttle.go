package web

import (
	"context"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"bascule/internal/conversion"
	"bascule/sql"
)

// Failures are counted, successes never: an office may activate thousands of
// spaces from one address. Whoever fails too often waits; the same subscriber
// at another network address does not. Attempts under way at the same moment
// may pass before the first is counted: a few more guesses at 60 bits.
var (
	// perClient stops a search through addresses.
	perClient = sql.Limit{Burst: 60, Every: 5 * time.Second}
	// perAddress stops a search through the codes of one address.
	perAddress = sql.Limit{Burst: 10, Every: 3 * time.Minute}
)

// A suspect is who tries a code: the buckets that its failures fill. They are
// named by a keyed hash, so that the database tells nobody's address (I6).
type suspect struct{ client, address []byte }

func (s *Server) suspect(r *http.Request, email conversion.Email) suspect {
	client := s.client(r).String()
	return suspect{
		client:  s.keys.Bucket("client", client),
		address: s.keys.Bucket("client and address", client, email.Key()),
	}
}

// throttled tells how long the suspect has to wait, 0 for not at all.
func (s *Server) throttled(ctx context.Context, who suspect) (time.Duration, error) {
	one, err := s.db.Throttled(ctx, who.client, perClient)
	if err != nil {
		return 0, err
	}
	other, err := s.db.Throttled(ctx, who.address, perAddress)
	return max(one, other), err
}

func (s *Server) countFailure(ctx context.Context, who suspect) error {
	if err := s.db.CountFailure(ctx, who.client, perClient); err != nil {
		return err
	}
	return s.db.CountFailure(ctx, who.address, perAddress)
}

// client is the network that a request comes from: an IPv4 address, or the /64
// of an IPv6 address, which is what one subscriber line gets.
func (s *Server) client(r *http.Request) netip.Prefix {
	a := clientAddr(r, s.proxies)
	bits := 64
	if a.Is4() {
		bits = 32
	}
	p, err := a.Prefix(bits)
	if err != nil {
		return netip.Prefix{} // no address, as on a Unix socket: all such clients are one
	}
	return p
}

// clientAddr is the peer's address or, where the peer is a trusted proxy, the
// rightmost untrusted hop that the proxies tell of. What stands left of it is
// the client's own invention.
func clientAddr(r *http.Request, trusted []netip.Prefix) netip.Addr {
	addr := peerAddr(r)
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(hops) - 1; i >= 0 && isTrusted(addr, trusted); i-- {
		hop, ok := parseHop(hops[i])
		if !ok {
			break
		}
		addr = hop
	}
	return addr
}

// peerAddr is who the connection comes from; the zero Addr on a Unix socket.
func peerAddr(r *http.Request) netip.Addr {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return plainAddr(peer.Addr())
}

func isTrusted(a netip.Addr, trusted []netip.Prefix) bool {
	for _, p := range trusted {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// parseHop reads an address with or without a port, as proxies write it.
func parseHop(s string) (netip.Addr, bool) {
	s = strings.TrimSpace(s)
	if a, err := netip.ParseAddr(strings.Trim(s, "[]")); err == nil {
		return plainAddr(a), true
	}
	ap, err := netip.ParseAddrPort(s)
	return plainAddr(ap.Addr()), err == nil
}

func plainAddr(a netip.Addr) netip.Addr { return a.Unmap().WithZone("") }
