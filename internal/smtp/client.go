// Package smtp is a client that hands messages to an SMTP relay. It tells exactly the
// fate of each message, as near to exactly-once as SMTP allows. It knows nothing of the
// content of messages.
package smtp

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"bascule/internal/conversion"
)

// Envelope has the values of MAIL and RCPT.
type Envelope struct {
	From conversion.Email // return path; the zero Email is the null return path <>
	To   conversion.Email
	// EnvelopeID, if not empty, requests DSNs of failure and delay, if the relay offers
	// them (RFC 3461). A DSN names the id and returns the headers alone. The id is
	// passed on as it is, so it must hold no address.
	EnvelopeID string
}

// Message is one mail ready to go.
type Message struct {
	Envelope
	Body   []byte // headers and content; read, never kept or changed
	Secret string // a word of the body that no Outcome may repeat (I6), "" for none
}

// Client hands messages to one SMTP relay over a bounded number of kept connections. It
// dials them when needed. It is safe for concurrent use.
type Client struct {
	cfg   Config
	slots chan struct{} // one token for each connection in use, and each that the relay has refused
	quits sync.WaitGroup

	mu       sync.Mutex
	idle     []*session // most recently used last
	open     int        // sessions, idle ones too
	dialling int        // sessions that may open
	dialled  *sync.Cond // one of them did, or did not
	left     time.Time  // when a session ended in good order
	closed   bool
}

// NewClient makes a client with at most conns connections. It connects to nothing yet.
// The caller calls Close.
func NewClient(cfg Config, conns int) *Client {
	cfg.Limits = cmp.Or(cfg.Limits, DefaultLimits())
	c := &Client{cfg: cfg, slots: make(chan struct{}, max(conns, 1))}
	c.dialled = sync.NewCond(&c.mu)
	return c
}

// LogValue is the address of the relay, without credentials.
func (c *Client) LogValue() slog.Value { return c.cfg.LogValue() }

var (
	// ErrUnwritten is why a message is NotSent that the caller could not write.
	ErrUnwritten = errors.New("cannot be written")

	errClosed  = errors.New("relay is closed")
	errStopped = errors.New("not tried: an earlier message of the window stopped it")
	errLate    = errors.New("not tried: its turn came too late")
)

// Send hands over a window of n messages, in order, over one connection at a time,
// pipelined if the relay allows it. It waits for a free connection while all are in
// use. It calls done exactly once per message, in order, from the calling goroutine,
// before it returns.
//
// It calls write there, too, for a message whose turn it is or comes next, and for some
// that follow: so few are in memory. A message that cannot be written is NotSent, with an
// error that wraps ErrUnwritten, and holds up no other.
//
// Us, NotSent and InDoubt end the window: the later messages are NotSent. Once ctx is
// cancelled, Send starts no further message. It waits during Limits.Grace for the reply
// to a dot already written.
//
// Send calls late before each message. Once late returns true, that message and the
// later ones are NotSent; nil is never late. Commands that went ahead with the message
// before do not count. As the reply to that message may take its time, the connection
// is given up instead.
//
// A used connection may end before it asks for a message. That says nothing about us, nor
// about the recipient: relays close idle connections, and limit the messages or the
// recipients of one connection (421, 452). Not a byte of the message was handed over, so
// it goes on over another connection. Only what a fresh connection answers counts.
//
// A relay may take fewer connections than the client may have. If it refuses one while
// others of the client are open, or have just ended, that says nothing about us either: the
// window waits for one of those, a minute at the most, or a moment. A refusal for good (5xx)
// always counts: no number of connections is why a relay does not know our password.
func (c *Client) Send(ctx context.Context, n int, write func(i int) (Message, error), late func() bool, done func(i int, o Outcome)) {
	if late == nil {
		late = func() bool { return false }
	}
	next, end := c.send(ctx, &window{n: n, write: write}, late, done)
	cause := errStopped
	switch {
	case ctx.Err() != nil:
		cause = context.Cause(ctx)
	case end == tooLate:
		cause = errLate
	case c.isClosed():
		cause = errClosed
	}
	for ; next < n; next++ {
		done(next, Outcome{Kind: NotSent, Err: cause})
	}
}

// A window is the messages of a call of Send.
type window struct {
	n       int
	write   func(i int) (Message, error)
	first   int       // of those that are written
	written []written // in order
}

type written struct {
	Message
	err error
}

// So many messages, or messages of so many bytes, are written together. Meanwhile the
// relay waits once, and not for each of them.
const (
	writeAhead      = 32
	writeAheadBytes = 1 << 20
)

// at is message i, from 0. If it is not written, it is now, and some that follow with it.
// They take the place of those before.
func (w *window) at(i int) *written {
	if i < w.first || i >= w.first+len(w.written) {
		clear(w.written)
		w.first, w.written = i, w.written[:0]
		for j, size := i, 0; j < min(i+writeAhead, w.n) && size < writeAheadBytes; j++ {
			m, err := w.write(j)
			w.written, size = append(w.written, written{m, err}), size+len(m.Body)
		}
	}
	return &w.written[i-w.first]
}

// send works until the window is done or stopped. It returns how many messages have
// their outcome, and what ended it.
func (c *Client) send(ctx context.Context, w *window, late func() bool, done func(int, Outcome)) (next int, end ending) {
	if !c.occupy(ctx) {
		return 0, stopped
	}
	defer func() { <-c.slots }()
	for end = reconnect; end == reconnect && next < w.n && ctx.Err() == nil; {
		s, failure := c.acquire(ctx)
		if failure.Kind == Us && failure.Code/100 != 5 && c.makeDo(ctx) {
			continue
		}
		if s == nil {
			if failure.Kind == 0 { // closed
				return next, stopped
			}
			done(next, failure)
			return next + 1, stopped
		}
		unwatch := s.watch(ctx)
		next, end = s.run(ctx, w, next, late, done)
		untouched := unwatch()
		c.release(s, (end == finished || end == tooLate) && untouched)
	}
	return next, end
}

const (
	// fewerFor is how long the client makes do with a connection less after the relay has
	// refused one, and how long a window waits for another one at the most.
	fewerFor = time.Minute
	// leftFor is how long a relay may count a connection that has ended.
	leftFor   = 5 * time.Second
	leftPause = 500 * time.Millisecond
)

// makeDo waits after the relay has refused a connection, until there may be another one, or
// until ctx ends. It returns false if there is none to wait for: the relay refuses us. The
// slot of the refused connection stays occupied for a while, and its window takes the next
// one that is free.
func (c *Client) makeDo(ctx context.Context) bool {
	c.mu.Lock()
	for c.open == 0 && c.dialling > 0 {
		c.dialled.Wait()
	}
	open, left := c.open > 0, time.Since(c.left) < leftFor
	c.mu.Unlock()
	switch {
	case open:
		return c.another(ctx)
	case left:
		select {
		case <-time.After(leftPause):
		case <-ctx.Done():
		}
	}
	return left
}

// another waits for a slot beside the one of the refused connection. It returns false if
// none is free for long: then the relay takes no mail over the others, either.
func (c *Client) another(ctx context.Context) bool {
	wait, cancel := context.WithTimeout(ctx, fewerFor)
	defer cancel()
	if c.occupy(wait) {
		c.withhold()
		return true
	}
	return ctx.Err() != nil
}

// withhold gives a slot back after a while, as the relay takes a connection less. If none
// is open any more, the relay is gone, and that says nothing about their number.
func (c *Client) withhold() {
	c.mu.Lock()
	defer c.mu.Unlock()
	wait := fewerFor
	if c.open == 0 {
		wait = 0
	}
	time.AfterFunc(wait, func() { <-c.slots })
}

// occupy waits for a slot. It returns false if ctx ends before.
func (c *Client) occupy(ctx context.Context) bool {
	select {
	case c.slots <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

// acquire returns a kept connection or a new one, or the reason why there is none. It
// dials a new one only if none is kept: so there are never more than the slots.
func (c *Client) acquire(ctx context.Context) (*session, Outcome) {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return nil, Outcome{}
	}
	if n := len(c.idle); n > 0 {
		s := c.idle[n-1]
		c.idle = c.idle[:n-1]
		c.mu.Unlock()
		s.expiry.Stop()
		return s, Outcome{}
	}
	c.dialling++
	c.mu.Unlock()
	s, failure := connect(ctx, c.cfg)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.dialling--
	if s != nil {
		c.open++
	}
	c.dialled.Broadcast()
	return s, failure
}

// release keeps a connection in good order for the next window and ends any other.
func (c *Client) release(s *session, good bool) {
	c.mu.Lock()
	keep := good && !s.broken && !c.closed
	if keep {
		c.idle = append(c.idle, s)
		s.expiry = time.AfterFunc(s.limits.Idle, func() { c.expire(s) })
	} else {
		c.leave(s)
	}
	c.mu.Unlock()
	if !keep {
		s.end()
	}
}

// expire ends a connection that nobody took for Limits.Idle.
func (c *Client) expire(s *session) {
	c.mu.Lock()
	at := slices.Index(c.idle, s)
	if at >= 0 {
		c.idle = slices.Delete(c.idle, at, at+1)
		c.leave(s)
		c.quits.Add(1)
	}
	c.mu.Unlock()
	if at >= 0 {
		defer c.quits.Done()
		s.end()
	}
}

// leave notes that a connection is about to end.
func (c *Client) leave(s *session) {
	c.open--
	if !s.broken {
		c.left = time.Now()
	}
}

// Close ends the kept connections and waits for their end. A window under way goes on
// to its end; later ones are NotSent.
func (c *Client) Close() {
	c.mu.Lock()
	idle := c.idle
	c.idle, c.closed = nil, true
	c.mu.Unlock()
	for _, s := range idle {
		c.quits.Go(s.end)
	}
	c.quits.Wait()
}

func (c *Client) isClosed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.closed
}
