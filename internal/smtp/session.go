package smtp

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"runtime/debug"
	"sync"
	"time"
)

// session is one connection to the relay, greeted, encrypted and authenticated.
// One goroutine uses it at a time.
type session struct {
	raw        net.Conn // the dialled connection: deadlines and abrupt ends go there
	conn       net.Conn // raw, or TLS over it
	in         *bufio.Reader
	out        []byte // the bytes to write next; kept for its capacity
	limits     Limits
	extensions extensions
	expiry     *time.Timer // set while the client keeps the session

	handled    int  // messages that have their outcome from this connection
	ahead      bool // the next message's MAIL, RCPT, DATA are already written
	needsReset bool // a transaction is open
	dsnTaken   bool // the relay took an envelope that requests DSNs
	broken     bool // out of step with the relay, or gone: never used again
	dotWritten bool // the dot of the present message may have been written

	mu     sync.Mutex
	stopAt time.Time // no wait goes beyond it, once the context is cancelled
}

// ending says how a run over one connection ended.
type ending int

const (
	finished  ending = iota // every message has its outcome
	reconnect               // the rest goes over another connection
	stopped                 // the rest is not tried
	tooLate                 // likewise, as the caller says so
)

var errTooLarge = errors.New("message larger than the relay's SIZE")

// run hands over the messages from next on until something ends it. It returns the index
// of the first message without an outcome.
func (s *session) run(ctx context.Context, w *window, next int, late func() bool, done func(int, Outcome)) (int, ending) {
	for ; next < w.n; next++ {
		if end := s.mayBegin(ctx, late); end != finished {
			return next, end
		}
		if err := w.at(next).err; err != nil {
			done(next, Outcome{Kind: NotSent, Err: fmt.Errorf("%w: %w", ErrUnwritten, err)})
			continue
		}
		o := s.attempt(ctx, w, next)
		if s.handled > 0 && wentStale(o) {
			return next, reconnect
		}
		s.handled++
		done(next, o)
		switch {
		case o.Kind == Us || o.Kind == NotSent || o.Kind == InDoubt:
			s.broken = true
			return next + 1, stopped
		case s.broken:
			return next + 1, reconnect
		}
	}
	return next, finished
}

// mayBegin tells why the next message cannot use this connection; finished if it can.
func (s *session) mayBegin(ctx context.Context, late func() bool) ending {
	switch {
	case ctx.Err() != nil:
		return stopped
	case late():
		s.broken = s.ahead // the relay waits for a body that never comes
		return tooLate
	case s.handled >= s.limits.PerConn:
		return reconnect
	}
	return finished
}

// wentStale tells whether a used connection is at its end, for the relay's own reasons,
// before the relay asked for the message (see Send).
func wentStale(o Outcome) bool {
	if o.Err != nil {
		return o.Kind == Us && o.Stage == StageMail
	}
	return o.Code == 421 && o.Stage != StageDot || o.Code == 452 && o.Stage == StageRcpt && (o.Enhanced == "" || o.Enhanced == tooMany)
}

// tooMany counts the recipients of all messages of a connection, with some relays. It
// says nothing of the recipient who was one too many.
const tooMany = "4.5.3"

// A PanicError is a fault of our own code. It must cost no more than the message that
// met it.
type PanicError struct {
	Type  string // of the panic's value, which may hold anything (I6)
	Stack string
}

func (e *PanicError) Error() string { return "our own code panicked (" + e.Type + ")" }

func newPanicError(p any) *PanicError {
	return &PanicError{Type: fmt.Sprintf("%T", p), Stack: string(debug.Stack())}
}

// attempt delivers. A message that panics was certainly not sent, unless its dot may
// have been written.
func (s *session) attempt(ctx context.Context, w *window, i int) (o Outcome) {
	s.dotWritten = false
	defer func() {
		if p := recover(); p != nil {
			stage := StageData
			if s.dotWritten {
				stage = StageDot
			}
			o = s.fail(stage, newPanicError(p))
		}
	}()
	return s.deliver(ctx, w, i)
}

// deliver hands over message i. If that is safe, it sends the envelope of the next one
// together with its body.
func (s *session) deliver(ctx context.Context, w *window, i int) Outcome {
	m := w.at(i).Message
	if !s.fits(m) {
		return Outcome{Kind: Unclear, Stage: StageMail, Err: errTooLarge}
	}
	if o := s.sendEnvelope(m); o.Kind != 0 {
		return o
	}
	if ctx.Err() != nil { // the relay waits for a body that never comes
		return s.fail(StageData, context.Cause(ctx))
	}
	if s.extensions.pipelining && i+1 < w.n && s.handled+1 < s.limits.PerConn {
		if next := w.at(i + 1); next.err == nil && s.pipelines(next.Envelope) && s.fits(next.Message) {
			return s.sendBody(m, &next.Envelope)
		}
	}
	return s.sendBody(m, nil)
}

// fits tells whether the relay announced that it accepts a message of that size. A
// larger one is Unclear: it is neither the recipient's fault nor a reason to stop all
// mail.
func (s *session) fits(m Message) bool {
	return s.extensions.size == 0 || int64(len(m.Body)) <= s.extensions.size
}

// transaction is the beginning of a message.
var transaction = [...]Stage{StageMail, StageRcpt, StageData}

// sendEnvelope sends the commands of a message, unless they went ahead with the
// previous body, and reads the three replies. The zero Outcome means that the
// relay waits for the body.
func (s *session) sendEnvelope(m Message) Outcome {
	if err := s.reset(); err != nil {
		return s.fail(StageMail, err)
	}
	pipelined := s.ahead || s.pipelines(m.Envelope)
	if pipelined && !s.ahead {
		if err := s.command(m.Envelope, transaction[:]...); err != nil {
			return s.fail(StageMail, err)
		}
	}
	s.ahead = false
	for _, stage := range transaction {
		if !pipelined {
			if err := s.command(m.Envelope, stage); err != nil {
				return s.fail(stage, err)
			}
		}
		r, err := s.reply(s.limits.Command)
		if err != nil {
			return s.fail(stage, err)
		}
		if !goesOn(stage, r) {
			return s.refused(m, stage, r, pipelined)
		}
	}
	s.dsnTaken = s.dsnTaken || s.requestsDSN(m.Envelope)
	return Outcome{}
}

// refused is the outcome of a message whose envelope the relay refuses. If the request
// for DSNs may be the reason, the message is sent once more without it.
func (s *session) refused(m Message, stage Stage, r reply, pipelined bool) Outcome {
	if s.refusesDSN(m.Envelope, stage, r) {
		s.extensions.dsn, s.needsReset = false, true
		return s.sendEnvelope(m)
	}
	o := r.outcome(stage, m)
	s.resync(o, pipelined)
	return o
}

// reset ends a transaction that was left open.
func (s *session) reset() error {
	if !s.needsReset {
		return nil
	}
	if r, err := s.exchange("RSET", s.limits.Command); err != nil || r.code/100 != 2 {
		return errors.Join(err, errReply)
	}
	s.needsReset = false
	return nil
}

// goesOn tells whether the next command, or the body, may follow a reply.
func goesOn(stage Stage, r reply) bool {
	if stage == StageData {
		return r.code == 354
	}
	return r.code/100 == 2
}

// requestsDSN tells whether an envelope requests DSNs. They go to its return
// path, so there must be one.
func (s *session) requestsDSN(e Envelope) bool {
	return s.extensions.dsn && e.EnvelopeID != "" && !e.From.IsZero()
}

// refusesDSN tells whether a reply to MAIL or RCPT may refuse the request for DSNs, and
// not the sender or the recipient. A relay that accepted one before means something
// else.
func (s *session) refusesDSN(e Envelope, stage Stage, r reply) bool {
	return s.requestsDSN(e) && !s.dsnTaken && stage != StageData &&
		(r.code == 501 || r.code == 504 || r.code == 555) && !aboutRecipient(r.enhanced)
}

// pipelines tells whether the commands of an envelope go out together. The first
// envelope that requests DSNs does not: if the relay refuses the request, it has
// refused nothing else yet.
func (s *session) pipelines(e Envelope) bool {
	return s.extensions.pipelining && (s.dsnTaken || !s.requestsDSN(e))
}

// resync puts the dialogue in order after a refusal. The relay may still answer 354 to
// a pipelined DATA after a refused RCPT. A dot would then hand over an empty mail, so
// that connection is given up.
func (s *session) resync(refusal Outcome, pipelined bool) {
	switch {
	case refusal.Kind == Us || refusal.Kind == NotSent:
		s.broken = true
	case refusal.Stage == StageRcpt && pipelined:
		r, err := s.reply(s.limits.Command)
		s.broken = err != nil || r.code/100 < 4 || r.code == 421
		s.needsReset = true
	default:
		s.needsReset = true
	}
}

// sendBody writes the body of a message and reads the reply to the dot. The envelope of
// the next message goes with the body if it may go ahead (RFC 2920 §3.1).
func (s *session) sendBody(m Message, next *Envelope) Outcome {
	s.out = appendData(s.out[:0], m.Body)
	dot := len(s.out) - len(".\r\n")
	if next != nil {
		s.appendCommands(*next, transaction[:]...)
		s.ahead = true
	}
	s.dotWritten = true
	if n, err := s.write(s.limits.Write); err != nil {
		if n <= dot {
			return s.fail(StageData, err)
		}
		return s.fail(StageDot, err)
	}
	r, err := s.reply(s.limits.Dot)
	if err != nil {
		return s.fail(StageDot, err)
	}
	o := r.outcome(StageDot, m)
	if o.Kind == InDoubt {
		o.Err = errReply
	}
	return o
}

// command writes commands of one envelope.
func (s *session) command(e Envelope, stages ...Stage) error {
	s.out = s.out[:0]
	s.appendCommands(e, stages...)
	_, err := s.write(s.limits.Write)
	return err
}

func (s *session) appendCommands(e Envelope, stages ...Stage) {
	for _, stage := range stages {
		s.out = appendCommand(s.out, stage, e, s.requestsDSN(e))
	}
}

// exchange writes one line and reads its reply.
func (s *session) exchange(line string, limit time.Duration) (reply, error) {
	s.out = append(append(s.out[:0], line...), "\r\n"...)
	if _, err := s.write(limit); err != nil {
		return reply{}, err
	}
	return s.reply(limit)
}

// maxKept is the capacity of the write buffer that a session keeps.
const maxKept = 1 << 20

// write writes the bytes in s.out and tells how many of them left.
func (s *session) write(limit time.Duration) (int, error) {
	s.deadline(limit)
	n, err := s.conn.Write(s.out)
	if cap(s.out) > maxKept {
		s.out = nil
	}
	return n, err
}

// reply reads one reply. The limit is for the whole reply, however slowly it comes.
func (s *session) reply(limit time.Duration) (reply, error) {
	s.deadline(limit)
	return readReply(s.in)
}

// deadline bounds the next wait, by stopAt too.
func (s *session) deadline(limit time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := time.Now().Add(limit)
	if !s.stopAt.IsZero() && s.stopAt.Before(t) {
		t = s.stopAt
	}
	s.raw.SetDeadline(t) // fails on a closed connection only, and so does the next call
}

// watch cuts every wait short once ctx is cancelled. The returned function ends that,
// and tells whether the session was left untouched.
func (s *session) watch(ctx context.Context) func() bool {
	return context.AfterFunc(ctx, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.stopAt = time.Now().Add(s.limits.Grace)
		s.raw.SetDeadline(s.stopAt)
	})
}

// fail is the outcome of a message during which the connection became useless. A
// failure that our own cancellation caused is not the relay's fault.
func (s *session) fail(stage Stage, err error) Outcome {
	s.broken = true
	o := brokenOff(stage, err)
	s.mu.Lock()
	defer s.mu.Unlock()
	if o.Kind == Us && !s.stopAt.IsZero() {
		o.Kind = NotSent
	}
	return o
}

// quitWait bounds the wait for the reply to QUIT.
const quitWait = time.Second

// end closes the connection, with QUIT if the dialogue is in order. Otherwise it closes
// the dialled connection and writes nothing: a dot after half a body would hand over a
// truncated mail.
func (s *session) end() {
	if s.broken || s.ahead {
		s.raw.Close()
		return
	}
	s.exchange("QUIT", quitWait) // whatever it answers, we are leaving
	s.conn.Close()
}
