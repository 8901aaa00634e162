package web

import (
	"context"
	"encoding/binary"
	"errors"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"bascule/internal/conversion"
	"bascule/sql"
)

// Failures are counted, successes never: an office may activate thousands of
// spaces from one address. Whoever fails too often waits; the same subscriber
// at another network does not.
var (
	// perClient stops a search through addresses.
	perClient = sql.Limit{Burst: 60, Every: 5 * time.Second}
	// perAddress stops a search through the secrets of one address.
	perAddress = sql.Limit{Burst: 10, Every: 3 * time.Minute}
)

const (
	// shareBurst forgives a network as many typing errors as perAddress. It is
	// half of the smallest bucket that strangers share, so that no network ever
	// fills one by itself: what it puts in leaks out before its share refills.
	shareBurst = 10
	// besiegers is how many networks it takes to keep a bucket that strangers
	// share full for good: the share of each refills so many times slower than
	// the bucket leaks. Of fewer, once their bursts are spent, each keeps it full
	// for a tenth of the time at most, and the owner gets through in the others.
	besiegers = 10
)

// share is what one network may put into a bucket of all strangers.
func share(all sql.Limit) sql.Limit {
	return sql.Limit{Burst: shareBurst, Every: besiegers * all.Every}
}

// A bucket is one count of failures, with its limit. Its name is a keyed hash, so
// that the database tells nobody's address (I6); each form has buckets of its
// own, so that trying passwords blocks no code.
type bucket struct {
	name  []byte
	limit sql.Limit
}

// clientBuckets are those of whoever guesses at a form.
func (s *Server) clientBuckets(form string, r *http.Request, email conversion.Email) []bucket {
	name := s.keys.Bucket(form+" client and address", s.client(r).String(), email.Key())
	return []bucket{s.clientBucket(form, r), {name, perAddress}}
}

func (s *Server) clientBucket(form string, r *http.Request) bucket {
	return bucket{s.keys.Bucket(form+" client", s.client(r).String()), perClient}
}

// strangerBuckets are those of a stranger who guesses at a form where many
// networks together must not get further than one: the last is filled by all
// strangers who guess for the address, and bounds their guesses by the limit all.
// While it is full, it keeps the owner out too. So a network that has used up its
// share is refused before it reaches the last: its guesses are not tried, and
// need not be counted there. The share stands in for perAddress, being stricter.
func (s *Server) strangerBuckets(form string, r *http.Request, email conversion.Email, all sql.Limit) []bucket {
	return []bucket{
		s.clientBucket(form, r),
		{s.keys.Bucket(form+" share", s.network(r).String(), email.Key()), share(all)},
		{s.keys.Bucket(form+" address", email.Key()), all},
	}
}

// errWrong says that a secret was guessed wrong.
var errWrong = errors.New("wrong secret")

// guess tries a secret, unless one of the buckets is full: then it tells how
// long to wait. A try that returns errWrong is counted in all of them. Those who
// guess at one time with the same last bucket take turns, each from the look to
// the count, so that no burst of guesses overfills it and locks its owner out
// for hours; between processes a few may pass. The look before that keeps those
// who have to wait anyway out of the queue.
func (s *Server) guess(ctx context.Context, buckets []bucket, try func() error) (wait time.Duration, err error) {
	if wait, err = s.longestWait(ctx, buckets...); err != nil || wait > 0 {
		return wait, err
	}
	end, _, err := s.turns.take(ctx, turnOf(buckets[len(buckets)-1]))
	if err != nil {
		return 0, err
	}
	defer end()
	if wait, err = s.longestWait(ctx, buckets...); err != nil || wait > 0 {
		return wait, err
	}
	err = try()
	if errors.Is(err, errWrong) {
		if err := s.count(ctx, buckets...); err != nil {
			return 0, err
		}
	}
	return 0, err
}

// turnOf names the turn on a bucket: 64 random bits among the numbers of
// requests and spaces, which meet none of them but once in an age.
func turnOf(b bucket) int64 { return int64(binary.BigEndian.Uint64(b.name)) }

// longestWait tells how long to wait until none of the buckets is full, 0 for not
// at all.
func (s *Server) longestWait(ctx context.Context, buckets ...bucket) (longest time.Duration, err error) {
	for _, b := range buckets {
		wait, err := s.db.Throttled(ctx, b.name, b.limit)
		if err != nil {
			return 0, err
		}
		longest = max(longest, wait)
	}
	return longest, nil
}

// count adds a failure to each of the buckets.
func (s *Server) count(ctx context.Context, buckets ...bucket) error {
	for _, b := range buckets {
		if err := s.db.CountFailure(ctx, b.name, b.limit); err != nil {
			return err
		}
	}
	return nil
}

// client is who a request comes from: an IPv4 address, or the /64 of an IPv6
// address, which is what one subscriber line gets at least.
func (s *Server) client(r *http.Request) netip.Prefix { return s.prefix(r, 64) }

// network is where a client is: an IPv4 address, or the /48 of an IPv6 address,
// the most that one line gets. Who has one is 65,536 clients, but one network;
// and the neighbours there that share a count share it for one address only.
func (s *Server) network(r *http.Request) netip.Prefix { return s.prefix(r, 48) }

func (s *Server) prefix(r *http.Request, bits int) netip.Prefix {
	a := clientAddr(r, s.proxies)
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
