package sql_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"

	"bascule/internal/conversion"
	"bascule/sql"
)

// ring is a keyring of keys named by one letter each, newest first.
func ring(t *testing.T, names string) *conversion.Keyring {
	t.Helper()
	var keys []string
	for _, n := range names {
		keys = append(keys, strings.Repeat(string(n), 43))
	}
	r, err := conversion.ParseKeyring(strings.Join(keys, ","))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// The start of the program refuses keys that leave an open request without its
// code; requests that have ended, swept or not, need no key any more.
func TestCheckKeys(t *testing.T) {
	t.Parallel()
	d := open(t)
	request, _ := d.invited("000001", "a@duvallon.example")
	alone, err := conversion.ParseKeyring("YW5vdGhlciBrZXksIGZvciB0ZXN0cyBvZiByb3RhdGlvbiBvbmx5IQ==")
	d.must(err)
	for _, keys := range []*conversion.Keyring{d.keys, otherKeys(t)} {
		if err := d.LearnKeys(d.ctx, keys, sql.KeyUse{}); err != nil {
			t.Errorf("keys %v: %v", keys.IDs(), err)
		}
	}
	if err := d.CheckKeys(d.ctx, alone); !errors.Is(err, conversion.ErrKeyUnknown) || !strings.Contains(err.Error(), string(d.keys.Newest())) {
		t.Errorf("the key of an open request is missing: %v, want ErrKeyUnknown that names it", err)
	}
	d.overdue(request)
	if err := d.CheckKeys(d.ctx, alone); err != nil {
		t.Errorf("the key of an overdue request is missing: %v", err)
	}
}

// The database knows its keys from the first that came: others are refused, and
// told both names; a new key beside a known one is a rotation.
func TestLearnKeys(t *testing.T) {
	t.Parallel()
	d := open(t)
	for _, step := range []struct {
		names string
		lost  string // the key that they replace
		taken bool
	}{
		{"A", "", true},
		{"A", "", true},
		{"B", "", false}, // another one alone
		{"BC", "", false},
		{"AB", "", true}, // first behind, then in front
		{"BA", "", true},
		{"CB", "", true}, // at once in front
		{"C", "", true},  // the old ones are out
		{"A", "", true},
		{"D", "", false},
		{"D", "E", false}, // nobody knows E
		{"D", "C", true},  // C is lost, and D replaces it
		{"D", "", true},
	} {
		keys, use := ring(t, step.names), sql.KeyUse{}
		if step.lost != "" {
			use.Lost = ring(t, step.lost).Newest()
		}
		err := d.LearnKeys(d.ctx, keys, use)
		if (err == nil) != step.taken {
			t.Errorf("keys %s instead of %q: %v, want them taken: %t", step.names, step.lost, err, step.taken)
		}
		if err != nil && (!errors.Is(err, conversion.ErrKeyUnknown) || strings.Contains(err.Error(), "\n") ||
			!strings.Contains(err.Error(), string(keys.Newest())) || !strings.Contains(err.Error(), string(ring(t, "A").Newest()))) {
			t.Errorf("keys %s: %v, want one line with the key given and the key expected", step.names, err)
		}
		if checked := d.CheckKeys(d.ctx, keys); step.lost == "" && (checked == nil) != step.taken {
			t.Errorf("keys %s are checked otherwise than taken: %v", step.names, checked)
		}
	}
}

// CheckKeys stores nothing: a dry run may bring any key to a new database.
func TestCheckKeysStoresNothing(t *testing.T) {
	t.Parallel()
	d := open(t)
	d.must(d.CheckKeys(d.ctx, ring(t, "A")))
	d.must(d.LearnKeys(d.ctx, ring(t, "B"), sql.KeyUse{}))
}

// Of two that bring the first key at once, one wins.
func TestLearnKeysAtOnce(t *testing.T) {
	t.Parallel()
	d := open(t)
	var wg sync.WaitGroup
	errs := make([]error, 6)
	for i := range errs {
		wg.Go(func() { errs[i] = d.LearnKeys(context.Background(), ring(t, string(rune('A'+i))), sql.KeyUse{}) })
	}
	wg.Wait()
	taken := 0
	for _, err := range errs {
		if err == nil {
			taken++
		} else if !errors.Is(err, conversion.ErrKeyUnknown) {
			t.Error(err)
		}
	}
	if taken != 1 {
		t.Errorf("%d of %d first keys were taken", taken, len(errs))
	}
}

// A key that has leaked makes no code after `reissue`: it may stand behind
// another one, never first, and never alone.
func TestKeyGivenUp(t *testing.T) {
	t.Parallel()
	d := open(t)
	d.must(d.LearnKeys(d.ctx, ring(t, "BA"), sql.KeyUse{}))
	_, err := d.Reissue(d.ctx, ring(t, "A").Newest(), ring(t, "BA"), "admin")
	d.must(err)
	d.must(d.LearnKeys(d.ctx, ring(t, "BA"), sql.KeyUse{}))
	for _, names := range []string{"AB", "A"} {
		if err := d.LearnKeys(d.ctx, ring(t, names), sql.KeyUse{}); !errors.Is(err, conversion.ErrKeyUnknown) {
			t.Errorf("keys %s: %v", names, err)
		}
	}
}

// A key that is lost before it made a code is given up like any other.
func TestUnusedKeyIsGivenUp(t *testing.T) {
	t.Parallel()
	d := open(t)
	lost := ring(t, "A").Newest()
	d.must(d.LearnKeys(d.ctx, ring(t, "A"), sql.KeyUse{}))
	plan, err := d.PlanReissue(d.ctx, lost)
	if err != nil || len(plan.Requests) != 0 {
		t.Fatalf("%d requests, %v", len(plan.Requests), err)
	}
	d.must(d.LearnKeys(d.ctx, ring(t, "B"), sql.KeyUse{Lost: lost}))
	_, err = d.Reissue(d.ctx, lost, ring(t, "B"), "admin")
	d.must(err)
	d.must(d.LearnKeys(d.ctx, ring(t, "B"), sql.KeyUse{Worker: true}))
	if err := d.LearnKeys(d.ctx, ring(t, "A"), sql.KeyUse{}); !errors.Is(err, conversion.ErrKeyUnknown) {
		t.Errorf("the lost key: %v", err)
	}
}

// The check value tells a key from another key of the same id.
func TestKeyOfTheSameID(t *testing.T) {
	t.Parallel()
	d := open(t)
	d.must(d.LearnKeys(d.ctx, ring(t, "A"), sql.KeyUse{}))
	d.Exec(t, `UPDATE key SET check_value = '\x00112233445566778899aabbccddeeff'`)
	if err := d.LearnKeys(d.ctx, ring(t, "A"), sql.KeyUse{}); !errors.Is(err, conversion.ErrKeyUnknown) {
		t.Errorf("another key of the same id: %v", err)
	}
}

// `status`: mail that waits for a key which no worker has says so.
func TestStatusTellsOfKeys(t *testing.T) {
	t.Parallel()
	d := open(t)
	waits := func(want ...conversion.KeyID) {
		t.Helper()
		s, err := d.Status(d.ctx, 0)
		d.must(err)
		if !slices.Equal(s.WaitsForKeys, want) {
			t.Errorf("mail waits for keys %q, want %q", s.WaitsForKeys, want)
		}
	}
	d.must(d.LearnKeys(d.ctx, d.keys, sql.KeyUse{}))
	waits()
	d.invite("000001", "a@duvallon.example")
	waits(d.keys.Newest())
	d.must(d.LearnKeys(d.ctx, d.keys, sql.KeyUse{Worker: true}))
	waits()
	d.must(d.LearnKeys(d.ctx, otherKeys(t), sql.KeyUse{}))
	waits()
	d.keys = otherKeys(t)
	d.invite("000002", "b@duvallon.example")
	waits(d.keys.Newest())
	d.deliver()
	waits()
}
