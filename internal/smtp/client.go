// Package smtp is a client that hands messages to an SMTP relay, and tells exactly
// what became of each, as near to exactly-once as SMTP allows. It knows nothing of
// what the messages say.
package smtp

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"bascule/internal/conversion"
)

// Outgoing is one message ready to go: its envelope and its rendered bytes.
type Outgoing struct {
	From conversion.Email // return path; the zero Email is the null return path <>
	To   conversion.Email
	Body []byte // headers and content; read, never kept or changed
	// EnvelopeID, if not empty, asks for reports of failure and delay that name it
	// and return the headers alone (RFC 3461), where the relay takes that. It goes
	// on as it is: no address stands in it.
	EnvelopeID string
}

// Relay hands messages to one SMTP relay over a bounded number of kept
// connections, dialled when needed. It is safe for concurrent use.
type Relay struct {
	cfg   Config
	slots chan struct{} // one token per connection in use
	quits sync.WaitGroup

	mu     sync.Mutex
	idle   []*session // most recently used last
	closed bool
}

// NewRelay prepares a relay with at most conns connections; it connects to
// nothing yet. Whoever makes it calls Close.
func NewRelay(cfg Config, conns int) *Relay {
	cfg.Limits = cfg.Limits.orDefault()
	return &Relay{cfg: cfg, slots: make(chan struct{}, max(conns, 1))}
}

// LogValue tells where the relay is, without credentials.
func (r *Relay) LogValue() slog.Value { return r.cfg.LogValue() }

var (
	errClosed  = errors.New("relay is closed")
	errStopped = errors.New("not tried: an earlier message of the window stopped it")
	errLate    = errors.New("not tried: its turn came too late")
)

// Send hands over a window of messages, in order, over one connection at a
// time, pipelined where the relay allows it. It waits for a free connection
// while all are in use. done is called exactly once per message, in order, from
// the calling goroutine, before Send returns.
//
// Us, NotSent and InDoubt end the window: the messages behind are NotSent. Once
// ctx is cancelled no further message is started; an answer to a dot already
// written is waited for during Limits.Grace.
//
// late is asked before each message: once it returns true, that message and
// those behind are NotSent; nil is never late. Commands that went ahead with the
// message before do not count: as that one's answer may take its time, the
// connection is given up instead.
//
// A connection that ends before it answered MAIL, after it served other
// messages, says nothing about us: relays close idle connections and limit the
// messages of one. The message, of which not a byte was handed over, goes on
// over another connection; only a fresh one's failure is Us.
func (r *Relay) Send(ctx context.Context, window []Outgoing, late func() bool, done func(i int, o Outcome)) {
	if late == nil {
		late = func() bool { return false }
	}
	next, end := r.send(ctx, window, late, done)
	cause := errStopped
	switch {
	case ctx.Err() != nil:
		cause = context.Cause(ctx)
	case end == tooLate:
		cause = errLate
	case r.isClosed():
		cause = errClosed
	}
	for ; next < len(window); next++ {
		done(next, Outcome{Kind: NotSent, Err: cause})
	}
}

// send works until the window is done or stopped, and returns how many messages
// have their outcome, and what ended it.
func (r *Relay) send(ctx context.Context, window []Outgoing, late func() bool, done func(int, Outcome)) (next int, end ending) {
	select {
	case r.slots <- struct{}{}:
		defer func() { <-r.slots }()
	case <-ctx.Done():
		return 0, stopped
	}
	for next < len(window) && ctx.Err() == nil {
		s, failure := r.take(ctx)
		if s == nil {
			if failure.Kind == 0 { // closed
				return next, stopped
			}
			done(next, failure)
			return next + 1, stopped
		}
		unwatch := s.watch(ctx)
		next, end = s.run(ctx, window, next, late, done)
		untouched := unwatch()
		r.giveBack(s, (end == finished || end == tooLate) && untouched)
		if end == stopped || end == tooLate {
			return next, end
		}
	}
	return next, end
}

// take returns a kept connection, or else a new one, or else why there is none.
// A new one is dialled only when none is kept: so there are never more than the slots.
func (r *Relay) take(ctx context.Context) (*session, Outcome) {
	r.mu.Lock()
	if r.closed {
		r.mu.Unlock()
		return nil, Outcome{}
	}
	if n := len(r.idle); n > 0 {
		s := r.idle[n-1]
		r.idle = r.idle[:n-1]
		r.mu.Unlock()
		s.expiry.Stop()
		return s, Outcome{}
	}
	r.mu.Unlock()
	return connect(ctx, r.cfg)
}

// giveBack keeps a connection in good order for the next window and ends any other.
func (r *Relay) giveBack(s *session, good bool) {
	r.mu.Lock()
	keep := good && !s.broken && !r.closed
	if keep {
		r.idle = append(r.idle, s)
		s.expiry = time.AfterFunc(s.limits.Idle, func() { r.expire(s) })
	}
	r.mu.Unlock()
	if !keep {
		s.end()
	}
}

// expire ends a connection that nobody took for Limits.Idle.
func (r *Relay) expire(s *session) {
	r.mu.Lock()
	found := false
	for i, kept := range r.idle {
		if kept == s {
			r.idle = append(r.idle[:i], r.idle[i+1:]...)
			r.quits.Add(1)
			found = true
			break
		}
	}
	r.mu.Unlock()
	if found {
		defer r.quits.Done()
		s.end()
	}
}

// Close ends the kept connections and returns when they are ended. A window
// under way goes on to its end; later ones are NotSent.
func (r *Relay) Close() {
	r.mu.Lock()
	idle := r.idle
	r.idle, r.closed = nil, true
	r.mu.Unlock()
	for _, s := range idle {
		s.expiry.Stop()
		r.quits.Go(s.end)
	}
	r.quits.Wait()
}

func (r *Relay) isClosed() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.closed
}
