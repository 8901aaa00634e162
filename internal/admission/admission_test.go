package admission

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"bascule/internal/devenv/devtest"
	"bascule/sql"
)

func TestMain(m *testing.M) { devtest.Main(m) }

// I8: a caller that finds another process at work asks again, for two seconds or as
// long as its context lasts.
func TestRetry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		busy := func() error { return fmt.Errorf("request 1: %w", sql.ErrBusy) }
		start := time.Now()
		if err := Retry(t.Context(), busy); !errors.Is(err, ErrOverload) || time.Since(start) != patience {
			t.Errorf("%v after %s, want %v after %s", err, time.Since(start), ErrOverload, patience)
		}
		ctx, cancel := context.WithTimeout(t.Context(), pollBusy/2)
		defer cancel()
		if err := Retry(ctx, busy); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error %v, want that nobody waits any more", err)
		}
		asked, broken := 0, errors.New("broken")
		err := Retry(t.Context(), func() error {
			if asked++; asked < 3 {
				return sql.ErrBusy
			}
			return broken
		})
		if err != broken || asked != 3 {
			t.Errorf("error %v after %d questions, want %v after 3", err, asked, broken)
		}
	})
}
