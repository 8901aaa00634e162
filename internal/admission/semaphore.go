package admission

import (
	"context"
	"sync"
	"sync/atomic"
)

// A Semaphore lets only so many callers work at once. It is safe for concurrent use.
type Semaphore struct {
	slots   chan struct{}
	queue   chan struct{}
	refused atomic.Int64
}

// NewSemaphore returns a semaphore with so many slots. At most queue callers wait
// for one: each may hold a form in memory.
func NewSemaphore(slots, queue int) *Semaphore {
	return &Semaphore{slots: make(chan struct{}, slots), queue: make(chan struct{}, queue)}
}

// Acquire takes a slot, and waits two seconds for one at the most. The caller calls
// release at least once. It returns ErrOverload, or ctx's error.
func (s *Semaphore) Acquire(ctx context.Context) (release func(), err error) {
	if !s.tryAcquire() {
		if err := s.wait(ctx); err != nil {
			s.refused.Add(1)
			return nil, err
		}
	}
	return sync.OnceFunc(func() { <-s.slots }), nil
}

func (s *Semaphore) tryAcquire() bool {
	select {
	case s.slots <- struct{}{}:
		return true
	default:
		return false
	}
}

// wait takes a slot from within the queue, if there is room.
func (s *Semaphore) wait(ctx context.Context) error {
	select {
	case s.queue <- struct{}{}:
		defer func() { <-s.queue }()
	default:
		return ErrOverload
	}
	ctx, cancel := context.WithTimeoutCause(ctx, patience, ErrOverload)
	defer cancel()
	select {
	case s.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// InUse is how many slots are taken.
func (s *Semaphore) InUse() int { return len(s.slots) }

// Waiting is how many callers wait for a slot.
func (s *Semaphore) Waiting() int { return len(s.queue) }

// Refused is how many callers got no slot since the start.
func (s *Semaphore) Refused() int64 { return s.refused.Load() }
