package jobs

import (
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

// persistEvery is the pause between two attempts.
const persistEvery = 200 * time.Millisecond

// persist tries until it succeeds, somebody holds a row, ctx ends, or the error is
// permanent. It calls tell before each further try. It returns the statement's own
// error, even when ctx has ended.
func persist(ctx context.Context, tell func(error), run func(context.Context) error) error {
	var last error
	for {
		try, cancel := context.WithTimeout(ctx, statementTimeout)
		err := run(try)
		cancel()
		if err == nil || errors.Is(err, sql.ErrLocked) {
			return err
		}
		if last == nil || ctx.Err() == nil {
			last = err
		}
		if ctx.Err() != nil || sql.IsPermanent(err) {
			return last
		}
		tell(err)
		pause(ctx, persistEvery, nil)
	}
}

// persistApart is persist, but tries each row alone after a permanent error, so that
// rows that can never be recorded hold up no others. It returns the writes whose rows
// somebody holds, how many rows are lost, and why.
func persistApart(ctx context.Context, tell func(error), w write) (held []write, lost int, err error) {
	err = persist(ctx, tell, w.run)
	switch {
	case err == nil:
		return nil, 0, nil
	case errors.Is(err, sql.ErrLocked) && ctx.Err() == nil:
		return []write{w}, 0, nil
	case w.parts == nil || !sql.IsPermanent(err):
		return nil, w.count, err
	}
	err = nil
	for _, part := range w.parts() {
		partHeld, partLost, partErr := persistApart(ctx, tell, part)
		held, lost, err = append(held, partHeld...), lost+partLost, errors.Join(err, partErr)
	}
	return held, lost, err
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
