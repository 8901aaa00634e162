package web

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"bascule/sql"
)

// errOverload says that a subscriber has waited long enough, or that too many
// others wait already (I8).
var errOverload error = failure{status: http.StatusServiceUnavailable, wait: retryLater}

const (
	// patience is how long a submission waits for its turn or for a slot.
	patience = 2 * time.Second
	// queueLength is how many may wait for one thing: each holds a form in memory.
	queueLength = 32
	// pollBusy is how often a submission that another process or an import holds up
	// asks again. Between two questions it has no connection to the database.
	pollBusy = 50 * time.Millisecond
)

// maxRequests is how many requests are answered at once, each with a form of 64
// KiB in memory at the most: many times what the database and the hashing take.
const maxRequests = 512

// admit sends away at once who comes on top of maxRequests, but not those who
// watch whether the process lives: overload is no reason to kill it.
func (s *Server) admit(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if isProbe(r.URL.Path) {
			next.ServeHTTP(w, r)
			return
		}
		select {
		case s.requests <- struct{}{}:
			defer func() { <-s.requests }()
			next.ServeHTTP(w, r)
		default:
			s.fail(w, r, errOverload)
		}
	})
}

// gate lets only so many compute hashes at once: each takes a core and 19 MiB.
type gate struct {
	slots   chan struct{}
	queue   chan struct{}
	refused atomic.Int64
}

func newGate(slots int) *gate {
	return &gate{slots: make(chan struct{}, slots), queue: make(chan struct{}, queueLength)}
}

// enter waits for a slot. The caller calls leave once, or more often. It
// returns errOverload, or ctx's error.
func (g *gate) enter(ctx context.Context) (leave func(), err error) {
	leave = sync.OnceFunc(func() { <-g.slots })
	select {
	case g.slots <- struct{}{}:
		return leave, nil
	default:
	}
	if err := queueFor(ctx, g.slots, g.queue); err != nil {
		g.refused.Add(1)
		return nil, err
	}
	return leave, nil
}

// queueFor waits in the queue, if there is room, until slots takes a token.
func queueFor(ctx context.Context, slots, queue chan struct{}) error {
	select {
	case queue <- struct{}{}:
		defer func() { <-queue }()
	default:
		return errOverload
	}
	timeout := time.NewTimer(patience)
	defer timeout.Stop()
	select {
	case slots <- struct{}{}:
		return nil
	case <-timeout.C:
		return errOverload
	case <-ctx.Done():
		return ctx.Err()
	}
}

// turns makes the submissions for one request take turns in this process, so
// that a flood of them uses one hashing slot; between processes the database
// decides.
type turns struct {
	mu  sync.Mutex
	now map[int64]*turn
}

// turn is the place of those who submit for one request.
type turn struct {
	slot, queue chan struct{}
	users       int // who hold it or wait for it
}

func newTurns() *turns { return &turns{now: make(map[int64]*turn)} }

// take waits for the turn on a request, and tells whether it had to: what was
// read before may have changed then. The caller calls end once. It returns
// errOverload, or ctx's error.
func (t *turns) take(ctx context.Context, request int64) (end func(), waited bool, err error) {
	place := t.join(request)
	select {
	case place.slot <- struct{}{}:
	default:
		waited = true
		err = queueFor(ctx, place.slot, place.queue)
	}
	if err != nil {
		t.quit(request)
		return nil, true, err
	}
	return func() { <-place.slot; t.quit(request) }, waited, nil
}

func (t *turns) join(request int64) *turn {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.now[request] == nil {
		t.now[request] = &turn{slot: make(chan struct{}, 1), queue: make(chan struct{}, queueLength)}
	}
	t.now[request].users++
	return t.now[request]
}

func (t *turns) quit(request int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.now[request].users--; t.now[request].users == 0 {
		delete(t.now, request)
	}
}

// whileBusy calls f again as long as somebody else is at work on the same request,
// another process or an import, and gives up with errOverload.
func whileBusy(ctx context.Context, f func() error) error {
	timeout := time.NewTimer(patience)
	defer timeout.Stop()
	poll := time.NewTicker(pollBusy)
	defer poll.Stop()
	for {
		err := f()
		if !errors.Is(err, sql.ErrBusy) {
			return err
		}
		select {
		case <-poll.C:
		case <-timeout.C:
			return errOverload
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
