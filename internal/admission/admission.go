// Package admission bounds what one client can take from the server, and how often
// a secret can be guessed (I8, R3, R31). It knows clients, limits and instants, and
// no page.
//
// Each process bounds by itself how many are served at once:
//   - [Semaphore]: so many hold a slot, so many wait, the others are sent away;
//   - [KeyedMutex]: one at a time for each key, such as a request;
//   - [Room]: so many places for each client;
//   - [LimitPerClient]: so many connections of one listener for each client.
//
// All processes together bound how often somebody may fail: a [Limiter] keeps its
// token buckets in the database.
//
// Two libraries come near, and neither fits: golang.org/x/sync/semaphore bounds no
// queue and does not tell how long it is; golang.org/x/time/rate keeps its buckets
// in one process.
package admission

import (
	"context"
	"errors"
	"time"

	"bascule/sql"
)

// ErrOverload says that somebody has waited long enough, or that too many others
// wait already (I8).
var ErrOverload = errors.New("overload")

// Throttled says that somebody has failed too often, and how long to wait.
type Throttled struct{ Wait time.Duration }

func (t *Throttled) Error() string { return "throttled for " + t.Wait.String() }

const (
	// patience is how long anybody waits for a slot, a key or a lock.
	patience = 2 * time.Second
	// pollBusy is how often Retry asks again.
	pollBusy = 50 * time.Millisecond
)

// Retry calls f again while it returns [sql.ErrBusy], because another process or an
// import is at work on the same request. Between two calls the caller has no connection
// to the database. After two seconds it returns ErrOverload. It returns ctx's error
// when ctx ends, and any other error of f at once.
func Retry(ctx context.Context, f func() error) error {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, ErrOverload)
	defer cancel()
	poll := time.NewTicker(pollBusy)
	defer poll.Stop()
	for {
		err := f()
		if !errors.Is(err, sql.ErrBusy) {
			return err
		}
		select {
		case <-poll.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}
