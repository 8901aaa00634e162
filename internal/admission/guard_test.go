package admission

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"bascule/sql"
	"bascule/sql/sqltest"
)

// newGuard is the guard of a stranger.
func newGuard(t *testing.T, peer, email string) Guard {
	t.Helper()
	l := NewLimiter(nil, sqltest.Keys(t))
	return l.Stranger("form", Client{netip.MustParseAddr(peer)}, sqltest.Email(t, email), StrangersPasswords)
}

// R3, R31: each count of failures is of a client, of a network and an address, or of an
// address alone. A count that one of them fills is in nobody else's way.
func TestBucketsOfAStranger(t *testing.T) {
	names := func(g Guard) map[string]string {
		return map[string]string{"client": string(g.own[0].Name), "share": string(g.own[1].Name), "known": string(g.known.Name),
			"crowd": string(g.crowd.Name), "first": string(g.reserve[0].Name), "reserve": string(g.reserve[1].Name)}
	}
	base := names(newGuard(t, "192.0.2.1", "one@a.example"))
	for other, test := range map[string]struct {
		guard Guard
		same  []string
	}{
		"nothing": {newGuard(t, "192.0.2.1", "ONE@a.example"), []string{"client", "crowd", "first", "known", "reserve", "share"}},
		"address": {newGuard(t, "192.0.2.1", "two@a.example"), []string{"client"}},
		"network": {newGuard(t, "192.0.2.2", "one@a.example"), []string{"crowd", "reserve"}},
	} {
		var same []string
		for name, b := range names(test.guard) {
			if b == base[name] {
				same = append(same, name)
			}
		}
		if slices.Sort(same); !slices.Equal(same, test.same) {
			t.Errorf("another %s: the same %v, want %v", other, same, test.same)
		}
	}
}

// R3, R31: the bucket in which a stranger's failure counts, and the bucket that it
// locks for that. A network from which the space was entered before counts by itself.
// The common count comes before the reserve. A guess waits for a full bucket.
func TestGuardChooses(t *testing.T) {
	g := newGuard(t, "192.0.2.1", "owner@a.example")
	own, all := g.own, slices.Concat(g.own, []sql.Bucket{*g.known, *g.crowd}, g.reserve)
	for _, test := range []struct {
		waits  string // of client, share, known, crowd, first guesses, reserve; in minutes
		counts []sql.Bucket
		lock   sql.Bucket
		wait   time.Duration
	}{
		{"0 0 0 0 0 0", append(slices.Clone(own), *g.crowd), *g.crowd, 0},
		{"0 0 0 0 7 8", append(slices.Clone(own), *g.crowd), *g.crowd, 0},
		{"0 0 0 5 0 0", slices.Concat(own, g.reserve), *g.crowd, 0},
		{"0 0 9 0 0 0", own, own[1], 0},
		{"0 0 9 5 7 8", own, own[1], 0},
		{"3 0 0 0 0 0", nil, sql.Bucket{}, 3 * time.Minute},
		{"3 4 9 5 7 8", nil, sql.Bucket{}, 4 * time.Minute},
		{"0 4 9 0 0 0", nil, sql.Bucket{}, 4 * time.Minute},
		{"0 0 0 5 7 0", nil, sql.Bucket{}, 5 * time.Minute},
		{"0 0 0 9 0 8", nil, sql.Bucket{}, 8 * time.Minute},
		{"0 0 0 9 7 8", nil, sql.Bucket{}, 8 * time.Minute},
		{"0 0 0 9 8 7", nil, sql.Bucket{}, 8 * time.Minute},
	} {
		var waits []time.Duration
		for w := range strings.FieldsSeq(test.waits) {
			waits = append(waits, time.Duration(w[0]-'0')*time.Minute)
		}
		if len(waits) != len(all) {
			t.Fatalf("%d waits of %d buckets", len(waits), len(all))
		}
		counts, err := g.choose(waits)
		if wait := waitOf(err); wait != test.wait || !slices.EqualFunc(counts, test.counts, sameBucket) {
			t.Errorf("waits %s: %d counts, wait %s, want %d, %s", test.waits, len(counts), waitOf(err), len(test.counts), test.wait)
		}
		if counts != nil && !sameBucket(g.lock(counts), test.lock) {
			t.Errorf("waits %s: another lock", test.waits)
		}
	}
	if !sameBucket(Own(own...).lock(own), own[1]) {
		t.Error("a guard without strangers: another lock")
	}
}

// waitOf is how long an error says to wait, 0 for not at all.
func waitOf(err error) time.Duration {
	if throttled, ok := errors.AsType[*Throttled](err); ok {
		return throttled.Wait
	}
	return 0
}

func sameBucket(a, b sql.Bucket) bool { return slices.Equal(a.Name, b.Name) && a.Limit == b.Limit }

// I8: a visitor who has to wait anyway learns so at once, even while another one has
// the lock.
func TestGuessTellsTheWaitBeforeTheLock(t *testing.T) {
	t.Parallel()
	db := sqltest.Open(t)
	l := NewLimiter(db.DB, sqltest.Keys(t))
	full := l.Bucket(PerAddress, "full")
	db.Freeze(t, time.Now())
	for range PerAddress.Burst {
		if err := l.Count(t.Context(), full); err != nil {
			t.Fatal(err)
		}
	}
	unlock, _, err := l.guesses.Lock(t.Context(), string(full.Name))
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	err = l.Guess(ctx, Own(full), func() error { return errors.New("tried all the same") })
	if waitOf(err) != PerAddress.Every {
		t.Errorf("%v, want a wait of %s", err, PerAddress.Every)
	}
}

// One network can fill no bucket that strangers share, and fewer than ten cannot
// keep one full; a share is no wider than what bounds a client.
func TestShare(t *testing.T) {
	for name, all := range map[string]sql.Limit{"passwords": StrangersPasswords, "answers": StrangersAnswers} {
		one := share(all)
		if 2*one.Burst > all.Burst || one.Every < 10*all.Every {
			t.Errorf("%s: a network has %d, then one every %s, of %d, then one every %s", name, one.Burst, one.Every, all.Burst, all.Every)
		}
		if one.Burst > PerAddress.Burst || one.Every < PerAddress.Every {
			t.Errorf("%s: %d, then one every %s, is wider than PerAddress", name, one.Burst, one.Every)
		}
	}
}

// R3, R31: a burst of wrong guesses is counted one by one: none beyond the limit is
// tried.
func TestBurstOfGuesses(t *testing.T) {
	t.Parallel()
	db := sqltest.Open(t)
	db.Freeze(t, time.Now())
	l := NewLimiter(db.DB, sqltest.Keys(t))
	var tried, waited atomic.Int64
	var burst sync.WaitGroup
	for range 2 * PerAddress.Burst {
		burst.Go(func() {
			err := l.Guess(t.Context(), Own(l.Bucket(PerAddress, "burst")), func() error { tried.Add(1); return ErrWrong })
			switch {
			case waitOf(err) > 0:
				waited.Add(1)
			case !errors.Is(err, ErrWrong):
				t.Error(err)
			}
		})
	}
	burst.Wait()
	if tried.Load() != int64(PerAddress.Burst) || waited.Load() != int64(PerAddress.Burst) {
		t.Errorf("%d guesses were tried and %d told to wait, want %d each", tried.Load(), waited.Load(), PerAddress.Burst)
	}
}
