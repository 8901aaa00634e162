package sqltest_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"bascule/internal/conversion"
	"bascule/internal/devenv/devtest"
	"bascule/sql/sqltest"
)

func TestMain(m *testing.M) { devtest.Main(m) }

// R21: the fixture's code is the one that package sql accepts, until the clock
// is moved to its deadline.
func TestMailed(t *testing.T) {
	db, keys := sqltest.Open(t), sqltest.Keys(t)
	r, code := db.Mailed(t, keys, sqltest.Invitation{})
	ctx := context.Background()
	proven, err := db.FindCode(ctx, keys, r.Contact, code)
	if err != nil {
		t.Fatal(err)
	}
	if proven.RequestID != r.ID || proven.Space.Number != r.Number || !proven.Proven.Same(r.Contact) || proven.Activates {
		t.Errorf("proven = %+v, want request %d of space %s", proven, r.ID, r.Number)
	}
	db.Shift(t, 48*time.Hour)
	if _, err := db.FindCode(ctx, keys, r.Contact, code); !errors.Is(err, conversion.ErrCodeRefused) {
		t.Errorf("48 hours later: %v, want ErrCodeRefused", err)
	}
	db.Shift(t, 0)
	if _, err := db.FindCode(ctx, keys, r.Contact, code); err != nil {
		t.Errorf("back in time: %v", err)
	}
}

// Dump tells a change of any table, and none where there is none.
func TestDump(t *testing.T) {
	db, keys := sqltest.Open(t), sqltest.Keys(t)
	empty := db.Dump(t)
	if db.Dump(t) != empty {
		t.Error("two dumps of the same rows differ")
	}
	db.Requested(t, keys, sqltest.Invitation{})
	if db.Dump(t) == empty {
		t.Error("a new request does not show")
	}
}

// Freeze moves the clock of every connection to the microsecond, also where it was
// planned before.
func TestFreeze(t *testing.T) {
	db := sqltest.Open(t)
	for _, at := range []time.Time{
		time.Date(2031, 10, 26, 2, 59, 59, 999_999_000, conversion.Paris),
		time.Date(2032, 2, 29, 0, 0, 0, 1_000, conversion.Paris),
	} {
		db.Freeze(t, at)
		if now, err := db.Now(t.Context()); err != nil || !now.Equal(at) {
			t.Errorf("it is %s, %v; want %s", now, err, at)
		}
	}
}
