package smtp

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime/debug"
	"sync"
	"time"
)

// session is one connection to the relay, greeted, encrypted and authenticated.
// One goroutine uses it at a time.
type session struct {
	raw    net.Conn // what was dialled: deadlines and abrupt ends go there
	conn   net.Conn // raw, or TLS over it
	in     *bufio.Reader
	out    []byte // what is written next; kept for its capacity
	limits Limits
	offers extensions
	expiry *time.Timer // set while the relay keeps the session

	handled int  // messages that have their outcome from this connection
	ahead   bool // the next message's MAIL, RCPT, DATA are already written
	dirty   bool // a transaction is open and must be reset
	asked   bool // the relay took an envelope that asks for reports
	broken  bool // out of step with the relay, or gone: never used again
	dotted  bool // the dot of the present message may have been written

	mu     sync.Mutex
	stopAt time.Time // no wait goes beyond it, once the context is cancelled
}

// ending says how a run over one connection ended.
type ending int

const (
	finished ending = iota // every message has its outcome
	renew                  // the rest goes over another connection
	stopped                // the rest is not to be tried
	tooLate                // the same, for the caller says so
)

var errTooLarge = errors.New("message larger than the relay's SIZE")

// run hands over window[next:] until something ends it, and returns the index
// of the first message without an outcome.
func (s *session) run(ctx context.Context, window []Outgoing, next int, late func() bool, done func(int, Outcome)) (int, ending) {
	for next < len(window) {
		if ctx.Err() != nil {
			return next, stopped
		}
		if late() {
			s.broken = s.ahead // the relay waits for a body that never comes
			return next, tooLate
		}
		if s.handled >= s.limits.PerConn {
			return next, renew
		}
		o := s.survive(ctx, window[next:])
		if s.handled > 0 && saysNothing(o) {
			return next, renew
		}
		s.handled++
		done(next, o)
		next++
		if o.Kind == Us || o.Kind == NotSent || o.Kind == InDoubt {
			s.broken = true
			return next, stopped
		}
		if s.broken {
			return next, renew
		}
	}
	return next, finished
}

// saysNothing tells the end of a used connection before it answered MAIL: the
// relay closed it for its own reasons (see Send).
func saysNothing(o Outcome) bool {
	return o.Kind == Us && o.Stage == StageMail && (o.Err != nil || o.Code == 421)
}

// A PanicError is a fault of our own code, which must cost no more than the
// message that met it.
type PanicError struct {
	Type  string // of what was thrown; its value may hold anything (I6)
	Stack string
}

func (e *PanicError) Error() string { return "our own code panicked (" + e.Type + ")" }

func newPanicError(p any) *PanicError {
	return &PanicError{Type: fmt.Sprintf("%T", p), Stack: string(debug.Stack())}
}

// survive delivers. A message that makes it panic was certainly not sent, unless
// its dot may have been written.
func (s *session) survive(ctx context.Context, rest []Outgoing) (o Outcome) {
	s.dotted = false
	defer func() {
		if p := recover(); p != nil {
			stage := StageData
			if s.dotted {
				stage = StageDot
			}
			o = s.lost(stage, newPanicError(p))
		}
	}()
	return s.deliver(ctx, rest)
}

// deliver hands over the first message of rest, and the commands of the second
// together with the first one's body where that is safe.
func (s *session) deliver(ctx context.Context, rest []Outgoing) Outcome {
	if !s.fits(rest[0]) {
		return Outcome{Kind: Unclear, Stage: StageMail, Err: errTooLarge}
	}
	if o := s.offer(rest[0]); o.Kind != 0 {
		return o
	}
	if ctx.Err() != nil { // the relay waits for a body that never comes
		return s.lost(StageData, context.Cause(ctx))
	}
	if len(rest) > 1 && s.pipelines(rest[1]) && s.handled+1 < s.limits.PerConn && s.fits(rest[1]) {
		return s.hand(rest[0], &rest[1])
	}
	return s.hand(rest[0], nil)
}

// fits tells whether the relay announced that it takes a message of that size.
// A larger one is Unclear: it is neither the person's doing nor a reason to stop all mail.
func (s *session) fits(o Outgoing) bool {
	return s.offers.size == 0 || int64(len(o.Body)) <= s.offers.size
}

var envelope = [...]Stage{StageMail, StageRcpt, StageData}

// offer sends the envelope of a message, unless it went ahead with the previous
// body, and reads the three answers. The zero Outcome means that the relay waits
// for the body.
func (s *session) offer(o Outgoing) Outcome {
	if s.dirty {
		if r, err := s.exchange("RSET", s.limits.Command); err != nil || r.code/100 != 2 {
			return s.lost(StageMail, errors.Join(err, errReply))
		}
		s.dirty = false
	}
	pipelined := s.ahead || s.pipelines(o)
	if pipelined && !s.ahead {
		if err := s.command(o, envelope[:]...); err != nil {
			return s.lost(StageMail, err)
		}
	}
	s.ahead = false
	for _, stage := range envelope {
		if !pipelined {
			if err := s.command(o, stage); err != nil {
				return s.lost(stage, err)
			}
		}
		r, err := s.answer(s.limits.Command)
		if err != nil {
			return s.lost(stage, err)
		}
		if stage == StageData && r.code != 354 || stage != StageData && r.code/100 != 2 {
			if s.asks(o) && !s.asked && stage != StageData && refusesParameters(r) {
				s.offers.dsn, s.dirty = false, true
				return s.offer(o) // without, once: it asks for nothing now
			}
			refusal := r.outcome(stage, o.From, o.To)
			s.recover(refusal, pipelined)
			return refusal
		}
	}
	s.asked = s.asked || s.asks(o)
	return Outcome{}
}

// asks tells whether the envelope of a message asks for reports. They go to its
// return path, so there must be one.
func (s *session) asks(o Outgoing) bool {
	return s.offers.dsn && o.EnvelopeID != "" && !o.From.IsZero()
}

// pipelines tells whether the commands of an envelope go out together. The first
// one that asks for reports does not: a relay that offers them and then refuses to
// be asked has refused nothing else yet.
func (s *session) pipelines(o Outgoing) bool {
	return s.offers.pipelining && (s.asked || !s.asks(o))
}

// refusesParameters tells an answer to MAIL or RCPT that may mean what we asked
// for, and not the sender or the recipient.
func refusesParameters(r reply) bool {
	return (r.code == 501 || r.code == 504 || r.code == 555) && !aboutRecipient(r.enhanced)
}

// recover puts the dialogue in order after a refusal. A pipelined DATA may still
// be answered 354 after a refused RCPT: a dot would then hand over an empty
// mail, so that connection is given up.
func (s *session) recover(refusal Outcome, pipelined bool) {
	switch {
	case refusal.Kind == Us || refusal.Kind == NotSent:
		s.broken = true
	case refusal.Stage == StageRcpt && pipelined:
		r, err := s.answer(s.limits.Command)
		s.broken = err != nil || r.code/100 < 4 || r.code == 421
		s.dirty = true
	default:
		s.dirty = true
	}
}

// hand writes the body of a message, with the envelope of the next one if it
// may go ahead (RFC 2920 §3.1), and reads the answer to the dot.
func (s *session) hand(o Outgoing, next *Outgoing) Outcome {
	s.out = appendData(s.out[:0], o.Body)
	dot := len(s.out) - len(".\r\n")
	if next != nil {
		for _, stage := range envelope {
			s.out = appendCommand(s.out, stage, *next, s.asks(*next))
		}
		s.ahead = true
	}
	s.dotted = true
	if n, err := s.write(s.limits.Write); err != nil {
		if n <= dot {
			return s.lost(StageData, err)
		}
		return s.lost(StageDot, err)
	}
	r, err := s.answer(s.limits.Dot)
	if err != nil {
		return s.lost(StageDot, err)
	}
	result := r.outcome(StageDot, o.From, o.To)
	if result.Kind == InDoubt {
		result.Err = errReply
	}
	return result
}

// command writes commands of one envelope.
func (s *session) command(o Outgoing, stages ...Stage) error {
	s.out = s.out[:0]
	for _, stage := range stages {
		s.out = appendCommand(s.out, stage, o, s.asks(o))
	}
	_, err := s.write(s.limits.Write)
	return err
}

// appendCommand needs no quoting: an Email holds no blank, bracket or control
// character. ask adds what asks for reports (RFC 3461): of failure, and of delay,
// for a code may be dead before its queue gives up.
func appendCommand(b []byte, stage Stage, o Outgoing, ask bool) []byte {
	switch stage {
	case StageMail:
		b = append(append(append(b, "MAIL FROM:<"...), o.From.Mailbox()...), '>')
		if ask {
			b = appendXtext(append(b, " RET=HDRS ENVID="...), o.EnvelopeID)
		}
		return append(b, "\r\n"...)
	case StageRcpt:
		b = append(append(append(b, "RCPT TO:<"...), o.To.Mailbox()...), '>')
		if ask {
			b = append(b, " NOTIFY=FAILURE,DELAY"...)
		}
		return append(b, "\r\n"...)
	}
	return append(b, "DATA\r\n"...)
}

// appendXtext appends a text as RFC 3461 §4 wants it.
func appendXtext(b []byte, s string) []byte {
	for _, c := range []byte(s) {
		if c <= ' ' || c > '~' || c == '+' || c == '=' {
			b = fmt.Appendf(b, "+%02X", c)
		} else {
			b = append(b, c)
		}
	}
	return b
}

// appendData appends a body as DATA wants it: every line ends in CRLF, a leading
// dot is doubled, the final dot follows. A bare CR or LF becomes CRLF, so that no
// two servers can disagree about where the mail ends.
func appendData(b, body []byte) []byte {
	copied := 0
	for at := 0; at < len(body); {
		line, _, _ := bytes.Cut(body[at:], []byte{'\n'})
		next := min(at+len(line)+1, len(body))
		if !canonical(line) || next == len(body) && body[next-1] != '\n' {
			b = append(b, body[copied:at]...)
			b = appendLine(b, bytes.TrimSuffix(line, []byte{'\r'}))
			copied = next
		}
		at = next
	}
	return append(append(b, body[copied:]...), ".\r\n"...)
}

// canonical tells a line that goes out as it is, its LF being cut off.
func canonical(line []byte) bool {
	return len(line) > 0 && line[0] != '.' && bytes.IndexByte(line, '\r') == len(line)-1
}

func appendLine(b, line []byte) []byte {
	for {
		part, rest, bare := bytes.Cut(line, []byte{'\r'})
		if len(part) > 0 && part[0] == '.' {
			b = append(b, '.')
		}
		b = append(append(b, part...), "\r\n"...)
		if !bare {
			return b
		}
		line = rest
	}
}

// exchange writes one line and reads its answer.
func (s *session) exchange(line string, limit time.Duration) (reply, error) {
	s.out = append(append(s.out[:0], line...), "\r\n"...)
	if _, err := s.write(limit); err != nil {
		return reply{}, err
	}
	return s.answer(limit)
}

// maxKept is the capacity of the write buffer that a session keeps.
const maxKept = 1 << 20

// write writes what is in s.out and tells how many bytes of it left.
func (s *session) write(limit time.Duration) (int, error) {
	s.deadline(limit)
	n, err := s.conn.Write(s.out)
	if cap(s.out) > maxKept {
		s.out = nil
	}
	return n, err
}

// answer reads one answer. The limit is for all of it, however slowly it drips in.
func (s *session) answer(limit time.Duration) (reply, error) {
	s.deadline(limit)
	r, err := readReply(s.in)
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return r, err
}

// deadline bounds the next wait, by stopAt too.
func (s *session) deadline(limit time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := time.Now().Add(limit)
	if !s.stopAt.IsZero() && s.stopAt.Before(t) {
		t = s.stopAt
	}
	s.raw.SetDeadline(t) // fails on a closed connection only: so does what follows
}

// watch cuts every wait short once ctx is cancelled. The function returned ends
// that, and tells whether the session was left untouched.
func (s *session) watch(ctx context.Context) func() bool {
	return context.AfterFunc(ctx, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.stopAt = time.Now().Add(s.limits.Grace)
		s.raw.SetDeadline(s.stopAt)
	})
}

// lost is the outcome of a message during which the connection became useless.
// Nothing that our own cancellation cuts short is the relay's fault.
func (s *session) lost(stage Stage, err error) Outcome {
	s.broken = true
	o := lost(stage, err)
	s.mu.Lock()
	defer s.mu.Unlock()
	if o.Kind == Us && !s.stopAt.IsZero() {
		o.Kind = NotSent
	}
	return o
}

// courtesy bounds the wait for the answer to QUIT.
const courtesy = time.Second

// end closes the connection, with QUIT if the dialogue is in order. In disorder
// it closes what was dialled and writes nothing: a dot after half a body would
// hand over a truncated mail.
func (s *session) end() {
	if s.broken || s.ahead {
		s.raw.Close()
		return
	}
	s.exchange("QUIT", courtesy) // whatever it answers, we are leaving
	s.conn.Close()
}
