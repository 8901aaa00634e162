package jobs

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"bascule/sql"
)

// A write records something. It may be repeated.
type write struct {
	run   func(context.Context) error
	count int            // how many rows it is about
	parts func() []write // the same write, row by row; nil for a single row
}

// writeAll is a write of items, nil if there are none.
func writeAll[T any](items []T, record func(context.Context, []T) error) []write {
	if len(items) == 0 {
		return nil
	}
	w := write{run: func(ctx context.Context) error { return record(ctx, items) }, count: len(items)}
	if len(items) > 1 {
		w.parts = func() []write {
			var parts []write
			for i := range items {
				parts = append(parts, writeAll(items[i:i+1], record)...)
			}
			return parts
		}
	}
	return []write{w}
}

// A scribe writes down what must not be lost. It tries again what fails for now.
type scribe struct {
	turn *sync.Mutex // held by who runs a statement: crowds of them wait for each other in PostgreSQL
	tell func(error) // a write failed for now

	waiting  []write
	failure  error // of the last write that failed for now
	recorded bool  // something was written down
	lost     int   // how many rows were given up
}

func (s *scribe) queue(all ...write) { s.waiting = append(s.waiting, all...) }

// try tries the writes that wait, in their order. Those whose rows somebody holds wait
// on, and so do all from one on that fails for now. After a permanent error each row is
// tried alone, so that rows that can never be recorded hold up no others. Once ctx has
// ended, everything is given up. The error tells why writes were given up.
func (s *scribe) try(ctx context.Context) (err error) {
	all := s.waiting
	s.waiting = nil
	for len(all) > 0 {
		w := all[0]
		all = all[1:]
		failed := s.once(ctx, w.run)
		switch {
		case failed == nil:
			s.recorded, s.failure = s.recorded || w.count > 0, nil
		case ctx.Err() != nil:
			s.lost, err = s.lost+w.count, cmp.Or(s.failure, failed)
		case errors.Is(failed, sql.ErrLocked):
			s.waiting = append(s.waiting, w)
		case !sql.IsPermanent(failed):
			s.waiting, s.failure = append(append(s.waiting, w), all...), failed
			s.tell(failed)
			return err
		case w.parts != nil:
			all = append(w.parts(), all...)
		default:
			s.lost, err = s.lost+w.count, errors.Join(err, failed)
		}
	}
	return err
}

func (s *scribe) once(ctx context.Context, run func(context.Context) error) error {
	s.turn.Lock()
	defer s.turn.Unlock()
	ctx, cancel := context.WithTimeout(ctx, statementTimeout)
	defer cancel()
	return run(ctx)
}

// stuck tells whether nothing could be written down.
func (s *scribe) stuck() bool { return s.lost > 0 && !s.recorded }

// tryEvery is the pause between two attempts.
const tryEvery = 200 * time.Millisecond

// finish tries until nothing waits.
func (s *scribe) finish(ctx context.Context) error {
	err := s.try(ctx)
	for len(s.waiting) > 0 {
		pause(ctx, tryEvery, nil)
		err = errors.Join(err, s.try(ctx))
	}
	return err
}

// complaints keep a failure that repeats from filling the log.
type complaints struct {
	mu   sync.Mutex
	last map[string]time.Time
}

// complainEvery is how often the same failure is logged.
const complainEvery = time.Minute

// error logs a failure the first time, and then once in complainEvery.
func (c *complaints) error(log *slog.Logger, now time.Time, msg string, args ...any) {
	c.mu.Lock()
	last, told := c.last[msg]
	quiet := told && now.Sub(last) < complainEvery
	if !quiet {
		if c.last == nil {
			c.last = make(map[string]time.Time)
		}
		c.last[msg] = now
	}
	c.mu.Unlock()
	if !quiet {
		log.Error(msg, args...)
	}
}
