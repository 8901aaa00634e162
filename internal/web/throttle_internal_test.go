package web

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"bascule/internal/conversion"
	"bascule/sql/sqltest"
)

// newGuard is the guard of a stranger.
func newGuard(t *testing.T, peer, email string) guard {
	t.Helper()
	s := &Server{keys: sqltest.Keys(t)}
	return s.stranger("form", &http.Request{RemoteAddr: peer}, sqltest.Email(t, email), strangersGuess)
}

// R3, R31: what each count of failures is of: a client, a network and an address,
// or an address alone. What one of them fills is in nobody else's way.
func TestBucketsOfAStranger(t *testing.T) {
	names := func(g guard) map[string]string {
		return map[string]string{"client": string(g.own[0].Name), "share": string(g.own[1].Name), "known": string(g.known.Name),
			"crowd": string(g.crowd.Name), "first": string(g.reserve[0].Name), "reserve": string(g.reserve[1].Name)}
	}
	base := names(newGuard(t, "192.0.2.1:1", "one@a.example"))
	for other, test := range map[string]struct {
		guard guard
		same  []string
	}{
		"nothing": {newGuard(t, "192.0.2.1:2", "ONE@a.example"), []string{"client", "crowd", "first", "known", "reserve", "share"}},
		"address": {newGuard(t, "192.0.2.1:1", "two@a.example"), []string{"client"}},
		"network": {newGuard(t, "192.0.2.2:1", "one@a.example"), []string{"crowd", "reserve"}},
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

// R3, R31: where a stranger's failure counts, and whose turn it takes for that. A
// network from which the space was entered before counts by itself; what strangers
// share comes before the reserve; what is full is waited for.
func TestGuardChooses(t *testing.T) {
	g := newGuard(t, "192.0.2.1:1", "owner@a.example")
	own, all := g.own, slices.Concat(g.own, []bucket{*g.known, *g.crowd}, g.reserve)
	for _, test := range []struct {
		waits  string // of client, share, known, crowd, first guesses, reserve; in minutes
		counts []bucket
		turn   bucket
		wait   time.Duration
	}{
		{"0 0 0 0 0 0", append(slices.Clone(own), *g.crowd), *g.crowd, 0},
		{"0 0 0 0 7 8", append(slices.Clone(own), *g.crowd), *g.crowd, 0},
		{"0 0 0 5 0 0", slices.Concat(own, g.reserve), *g.crowd, 0},
		{"0 0 9 0 0 0", own, own[1], 0},
		{"0 0 9 5 7 8", own, own[1], 0},
		{"3 0 0 0 0 0", nil, bucket{}, 3 * time.Minute},
		{"3 4 9 5 7 8", nil, bucket{}, 4 * time.Minute},
		{"0 4 9 0 0 0", nil, bucket{}, 4 * time.Minute},
		{"0 0 0 5 7 0", nil, bucket{}, 5 * time.Minute},
		{"0 0 0 9 0 8", nil, bucket{}, 8 * time.Minute},
		{"0 0 0 9 7 8", nil, bucket{}, 8 * time.Minute},
		{"0 0 0 9 8 7", nil, bucket{}, 8 * time.Minute},
	} {
		var waits []time.Duration
		for w := range strings.FieldsSeq(test.waits) {
			waits = append(waits, time.Duration(w[0]-'0')*time.Minute)
		}
		if len(waits) != len(all) {
			t.Fatalf("%d waits of %d buckets", len(waits), len(all))
		}
		counts, wait := g.choose(waits)
		if wait != test.wait || !slices.EqualFunc(counts, test.counts, sameBucket) {
			t.Errorf("waits %s: %d counts, wait %s, want %d, %s", test.waits, len(counts), wait, len(test.counts), test.wait)
		}
		if counts != nil && !sameBucket(g.turn(counts), test.turn) {
			t.Errorf("waits %s: another turn", test.waits)
		}
	}
	if !sameBucket(of(own...).turn(own), own[1]) {
		t.Error("a guard without strangers: another turn")
	}
}

func sameBucket(a, b bucket) bool { return slices.Equal(a.Name, b.Name) && a.Limit == b.Limit }

// R27: a form is the same one only with all that was typed into it; one without a
// name is never the same.
func TestFormID(t *testing.T) {
	s := &Server{keys: sqltest.Keys(t)}
	form := url.Values{}
	for _, field := range []string{"submission", "email", "code", "new_email", "password", "question", "answer"} {
		form.Set(field, "same")
	}
	id := s.formID(form)
	if again := s.formID(form); again != id {
		t.Errorf("the same form is %s, then %s", id, again)
	}
	for field := range form {
		other := maps.Clone(form)
		if other.Set(field, "another"); s.formID(other) == id {
			t.Errorf("another %s makes no other form", field)
		}
	}
	form.Del("submission")
	first, second := s.formID(form), s.formID(form)
	if first == second {
		t.Error("a form without a name is the same twice")
	}
}

// I8: who has to wait anyway is told so at once, whoever has the turn.
func TestGuessTellsTheWaitBeforeTheTurn(t *testing.T) {
	t.Parallel()
	db := sqltest.Open(t)
	s := &Server{db: db.DB, keys: sqltest.Keys(t), turns: newTurns()}
	full := s.bucket(perAddress, "full")
	db.Freeze(t, time.Now())
	for range perAddress.Burst {
		if err := db.CountFailure(t.Context(), full); err != nil {
			t.Fatal(err)
		}
	}
	end, _, err := s.turns.take(t.Context(), turnOf(full))
	if err != nil {
		t.Fatal(err)
	}
	defer end()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	wait, err := s.guess(ctx, of(full), func() error { return errors.New("tried all the same") })
	if err != nil || wait != perAddress.Every {
		t.Errorf("wait %s, %v, want %s", wait, err, perAddress.Every)
	}
}

// I8: of what a browser says of itself, no more is looked at than it was given.
func TestTokensBounded(t *testing.T) {
	s := &Server{keys: sqltest.Keys(t)}
	good := strings.Repeat("A", 43) + "." + strings.Repeat("A", 22)
	for cookie, want := range map[string]int{
		good: 1, good + ":" + good: 2, "": 0, good[1:]: 0, good + "A": 0, "x:" + good: 1,
		strings.Repeat(good+":", 50): maxKnown,
	} {
		r := &http.Request{Header: http.Header{"Cookie": {browserCookie + "=" + cookie}}}
		if got := s.tokens(r); len(got) != want {
			t.Errorf("%d tokens in %.80q, want %d", len(got), cookie, want)
		}
	}
	email := func(i int) conversion.Email { return sqltest.Email(t, strings.Repeat("a", i+1)+"@a.example") }
	one := newToken()
	if token := one + "." + s.voucher(one, email(0)); s.vouched(token, email(0)) != one || s.vouched(token, email(1)) != "" {
		t.Error("a token vouches for another address, or for none")
	}
}
