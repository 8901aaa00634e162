package sql

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/lib/pq"
)

// PagePatience is how long a statement of a page waits for a lock that another
// transaction holds. An import may hold one for as long as it applies its rows;
// a page that waits keeps a connection from everybody else.
const PagePatience = 2 * time.Second

// ErrBusy says that somebody else is at work on the same space or request.
var ErrBusy = errors.New("somebody else is at work on it")

// busy makes ErrBusy of the refusal to wait for a lock any longer, or at all.
func busy(err error) error {
	if pqErr, ok := errors.AsType[*pq.Error](err); ok && pqErr.Code == "55P03" {
		return fmt.Errorf("%w: %w", ErrBusy, err)
	}
	return err
}

// Ready tells whether PostgreSQL answers, on a connection of its own: that all
// others are in use says nothing of PostgreSQL. It ends with ctx, though a frozen
// server may hold that connection for longer; until then it is the only one.
func (db *DB) Ready(ctx context.Context) error {
	answer := make(chan error, 1)
	go func() { answer <- db.probe.PingContext(ctx) }()
	select {
	case err := <-answer:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}
