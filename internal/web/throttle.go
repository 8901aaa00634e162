package web

import (
	"context"
	"encoding/binary"
	"errors"
	"net/http"
	"net/netip"
	"slices"
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
	// shareBurst forgives a network as many typing errors as perAddress.
	shareBurst = 10
	// besiegers is how much slower the share of one network refills than the count
	// of all strangers leaks: so many networks it takes to keep that full.
	besiegers = 10
	// reserveBurst is how many guesses networks that have not failed before may
	// make while the count of all strangers is full.
	reserveBurst = 200
)

// firstGuesses is what each network may take from the reserve: who mistypes twice
// still gets in.
var firstGuesses = sql.Limit{Burst: 3, Every: 8 * time.Hour}

// share is what one network may put into a bucket of all strangers.
func share(all sql.Limit) sql.Limit {
	return sql.Limit{Burst: shareBurst, Every: besiegers * all.Every}
}

// A bucket is one count of failures, with its limit. Its name is a keyed hash, so
// that the database tells nobody's address (I6); each form has buckets of its
// own, so that trying passwords blocks no code.
type bucket = sql.Bucket

// A guard bounds the guesses at the secrets of one address. Besides what whoever
// asks has failed itself, strangers share a count: it bounds a search from many
// networks, which would otherwise have the share of each. So that strangers cannot
// keep the owner out by filling it, two ways lead past it: a network from which
// the space was entered before counts by itself alone, and others may take a few
// guesses each from a reserve. All of that is bounded: see docs/security.md.
type guard struct {
	email   conversion.Email
	own     []bucket // of who asks: while one is full, nothing is tried
	known   *bucket  // full where the space was entered from this network before
	crowd   *bucket  // of all strangers; nil for who is none
	reserve []bucket // of networks that have not failed before, and of this one
}

// of is a guard of these buckets alone.
func of(buckets ...bucket) guard { return guard{own: buckets} }

// clientBuckets are those of whoever guesses at a form.
func (s *Server) clientBuckets(form string, r *http.Request, email conversion.Email) []bucket {
	return []bucket{s.clientBucket(form, r), s.bucket(perAddress, form+" client and address", s.client(r).String(), email.Key())}
}

func (s *Server) clientBucket(form string, r *http.Request) bucket {
	return s.bucket(perClient, form+" client", s.client(r).String())
}

func (s *Server) bucket(l sql.Limit, name ...string) bucket {
	return bucket{Name: s.keys.Bucket(name...), Limit: l}
}

// stranger guards a form against who is at a browser that is not known; all is
// the limit of all strangers together. The share of a network stands in for
// perAddress, being stricter.
func (s *Server) stranger(form string, r *http.Request, email conversion.Email, all sql.Limit) guard {
	network, key := s.network(r).String(), email.Key()
	known, crowd := s.knownNetwork(r, email), s.bucket(all, form+" address", key)
	return guard{
		email: email,
		own:   []bucket{s.clientBucket(form, r), s.bucket(share(all), form+" share", network, key)},
		known: &known,
		crowd: &crowd,
		reserve: []bucket{
			s.bucket(firstGuesses, form+" first", network, key),
			s.bucket(sql.Limit{Burst: reserveBurst, Every: all.Every}, form+" reserve", key),
		},
	}
}

// errWrong says that a secret was guessed wrong.
var errWrong = errors.New("wrong secret")

// guess tries a secret, unless the guard tells how long to wait. A try that
// returns errWrong is counted. Those who guess at one time with the same
// bucket take turns, each from the look to the count, so that no burst of guesses
// overfills it and locks its owner out for hours; between processes a few may
// pass. The look before that keeps those who have to wait anyway out of the queue.
func (s *Server) guess(ctx context.Context, g guard, try func() error) (wait time.Duration, err error) {
	counts, wait, err := s.look(ctx, g)
	if err != nil || wait > 0 {
		return wait, err
	}
	if len(counts) > 0 {
		end, _, err := s.turns.take(ctx, turnOf(g.turn(counts)))
		if err != nil {
			return 0, err
		}
		defer end()
	}
	if counts, wait, err = s.look(ctx, g); err != nil || wait > 0 {
		return wait, err
	}
	err = try()
	if !errors.Is(err, errWrong) {
		return 0, err
	}
	if failed := s.count(ctx, g, counts); failed != nil {
		return 0, failed
	}
	return 0, err
}

// turn is the bucket on which those take turns who count in these. What strangers
// share and the reserve have one between them: who waited for the first may have
// to count in the other.
func (g guard) turn(counts []bucket) bucket {
	if g.crowd != nil && len(counts) > len(g.own) {
		return *g.crowd
	}
	return counts[len(counts)-1]
}

// turnOf names the turn on a bucket: 64 random bits among the numbers of
// requests and spaces, which meet none of them but once in an age.
func turnOf(b bucket) int64 { return int64(binary.BigEndian.Uint64(b.Name)) }

// look tells which buckets a failure counts in, or how long to wait.
func (s *Server) look(ctx context.Context, g guard) (counts []bucket, wait time.Duration, err error) {
	if g.crowd == nil {
		wait, err = s.longestWait(ctx, g.own...)
		return g.own, wait, err
	}
	waits, err := s.db.Throttled(ctx, slices.Concat(g.own, []bucket{*g.known, *g.crowd}, g.reserve)...)
	if err != nil {
		return nil, 0, err
	}
	counts, wait = g.choose(waits)
	return counts, wait, nil
}

// choose is look for a stranger, with the wait of each bucket in the order of the
// guard's fields.
func (g guard) choose(waits []time.Duration) (counts []bucket, wait time.Duration) {
	n := len(g.own)
	known, crowd, reserve := waits[n], waits[n+1], longest(waits[n+2:])
	switch wait := longest(waits[:n]); {
	case wait > 0:
		return nil, wait
	case known > 0:
		return g.own, 0
	case crowd == 0:
		return append(slices.Clip(g.own), *g.crowd), 0
	case reserve == 0:
		return slices.Concat(g.own, g.reserve), 0
	}
	return nil, min(crowd, reserve)
}

// count adds a failure, and notes the siege of an address at which strangers have
// used up what they share.
func (s *Server) count(ctx context.Context, g guard, counts []bucket) error {
	if err := s.db.CountFailure(ctx, counts...); err != nil {
		return err
	}
	if g.crowd == nil || len(counts) == len(g.own) {
		return nil
	}
	full, err := s.longestWait(ctx, *g.crowd)
	if err != nil || full == 0 {
		return err
	}
	return s.db.NoteSiege(ctx, g.email)
}

// longestWait tells how long to wait until none of the buckets is full, 0 for not
// at all.
func (s *Server) longestWait(ctx context.Context, buckets ...bucket) (time.Duration, error) {
	waits, err := s.db.Throttled(ctx, buckets...)
	if err != nil {
		return 0, err
	}
	return longest(waits), nil
}

func longest(waits []time.Duration) (l time.Duration) {
	for _, w := range waits {
		l = max(l, w)
	}
	return l
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
