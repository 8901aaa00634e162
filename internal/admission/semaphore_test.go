package admission

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// I8: a semaphore lets in as many callers as it has slots. It keeps as many waiting as
// its queue holds, for two seconds, and refuses the others at once.
func TestSemaphore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const queue = 32
		s := NewSemaphore(1, queue)
		release, err := s.Acquire(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		waits := make(chan time.Duration, queue+5)
		for range cap(waits) {
			go func() {
				if _, err := s.Acquire(t.Context()); !errors.Is(err, ErrOverload) {
					t.Errorf("acquired a slot too many: %v", err)
				}
				waits <- time.Since(start)
			}()
		}
		var atOnce int
		for range cap(waits) {
			switch <-waits {
			case 0:
				atOnce++
			case patience:
			default:
				t.Error("neither at once nor after the patience")
			}
		}
		if atOnce != 5 || s.Refused() != int64(cap(waits)) {
			t.Errorf("%d sent away at once, want 5; %d counted", atOnce, s.Refused())
		}

		entered := make(chan error, 1)
		go func() { _, err := s.Acquire(t.Context()); entered <- err }()
		synctest.Wait()
		release()
		release() // harmless
		if err := <-entered; err != nil {
			t.Errorf("not let in after another left: %v", err)
		}
		if s.InUse() != 1 {
			t.Errorf("%d slots used, want 1", s.InUse())
		}
	})
}

// A caller that has gone waits no longer.
func TestSemaphoreCancelled(t *testing.T) {
	s := NewSemaphore(1, 1)
	if _, err := s.Acquire(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Acquire(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want context.Canceled", err)
	}
}
