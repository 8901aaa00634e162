package jobs

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"bascule/internal/conversion"
	"bascule/internal/mail"
	"bascule/internal/smtp"
	"bascule/queue"
	"bascule/sql"
)

// Mailer sends the mails that are due (C2), one window after the other: start, hand to
// the relay, finish. After a crash, only mails that were started and not finished are
// in doubt.
type Mailer struct {
	DB         *sql.DB
	Keys       *conversion.Keyring
	Relay      *smtp.Client
	Composer   *mail.Composer
	Limiter    *queue.Limiter   // nil: no limit
	Domain     string           // of our Message-IDs
	ReturnPath conversion.Email // of the envelope; the zero Email is the null return path
	SignBounce bool             // the return path of a code mail is signed, so that its bounce counts (D11)
	Lifetime   time.Duration    // of a code (R21)
	Help       sql.Assistance   // when it answers (D14, D16); nil: always
	Now        func() time.Time // measures how long windows take, nothing else
	Log        *slog.Logger

	front       sql.Front    // of bulk mail
	ends        atomic.Int64 // how often all windows under way were to end
	bulk        lane
	interactive lane
	said        complaints
	Metrics     *Metrics // may be nil
}

// A lane is what the slots of a lane share.
type lane struct {
	starter
	outcomes recorder
}

// complain logs a failure that many slots meet again and again.
func (m *Mailer) complain(msg string, args ...any) { m.said.error(m.Log, m.Now(), msg, args...) }

// turn is how long one wake-up may work before another kind of work gets its slot.
const turn = 20 * time.Second

// Run mails until nothing is due in the lane, ctx ends or its turn is over.
func (m *Mailer) Run(ctx context.Context, lane sql.Lane) error {
	passage, err := m.DB.ClaimProbe(ctx)
	switch {
	case err != nil:
		return err
	case passage.Probe:
		return m.probe(ctx)
	case passage.Open:
		return nil // nothing could start
	}
	m.front.Reset()
	until, p := m.Now().Add(turn), newPace(lane)
	for ctx.Err() == nil && m.Now().Before(until) {
		w := &window{Mailer: m, lane: lane, pace: p}
		if err := w.run(ctx); err != nil || w.found == 0 {
			return err
		}
	}
	return nil
}

// probe tries one mail of any lane although the breaker is open. It prefers a mail that
// did not open the breaker (D11).
func (m *Mailer) probe(ctx context.Context) error {
	until := m.Now().Add(turn)
	for _, another := range []bool{true, false} {
		for _, lane := range []sql.Lane{sql.LaneInteractive, sql.LaneBulk} {
			if tried, err := m.tryOne(ctx, lane, another, until); err != nil || tried {
				return err
			}
		}
	}
	return nil
}

// tryOne tries the mail that has been due for longest and is not void. So every mail
// has its turn, whatever became of earlier probes.
func (m *Mailer) tryOne(ctx context.Context, lane sql.Lane, another bool, until time.Time) (tried bool, err error) {
	for ctx.Err() == nil && m.Now().Before(until) {
		w := &window{Mailer: m, lane: lane, pace: &pace{size: 1, max: 1}, probe: true, another: another}
		if err := w.run(ctx); err != nil || len(w.mails) > 0 || w.found == 0 {
			return len(w.mails) > 0, err
		}
	}
	return false, nil
}

// A window is a few mails on their way through the relay.
type window struct {
	*Mailer
	lane    sql.Lane
	pace    *pace
	probe   bool // one mail, although the breaker is open
	another bool // see sql.Window

	tried bool          // its start
	known int64         // the ends before it
	begun time.Time     // shortly before the instant that counts as the start of its mails
	found int           // mails that were due
	mails []*sql.Mail   // those that were started
	wait  time.Duration // until the rate allows a mail; 0 if it allowed some
	err   error         // of the start

	awaited        int             // mails whose outcome is not known; the recorder counts
	out            context.Context // ends when outcomes can be written down no longer
	unsettled      sync.WaitGroup  // each mail counts twice: for its row, and for the breaker
	recorded, lost int             // outcomes, once nothing is unsettled
}

// run starts a window of mails and sends them.
func (w *window) run(ctx context.Context) error {
	if err := w.shared().start(ctx, w); err != nil {
		return err // if they were started after all, their next start counts a doubt
	}
	if w.wait > 0 {
		pause(ctx, w.wait, nil)
		return nil
	}
	if len(w.mails) == 0 {
		w.pace.adapt(0)
		return nil
	}
	if stuck := w.handOver(ctx, w.mails); stuck && !w.probe {
		pause(ctx, stuckPause, nil)
	}
	return nil
}

func (w *window) shared() *lane {
	if w.lane == sql.LaneInteractive {
		return &w.interactive
	}
	return &w.bulk
}

// handOverWithin is how long after the start of its window the hand-over of a mail may
// begin. The deadline counts from that start and is printed to the minute (D4). If the
// relay becomes slow when windows are large, the last mails are late. They certainly
// did not go out, and are started anew with a full deadline. The statements that choose
// the mails make none late; those that start them do, and a slow COMMIT.
const handOverWithin = 5 * time.Second

// stuckPause is how long a worker waits after a window of which it could record
// nothing. Each mail that it sent meanwhile would go out again.
const stuckPause = 15 * time.Second

// handOver sends the mails that were started, and returns once each outcome was written
// down or given up. It tells whether no outcome could be recorded.
func (w *window) handOver(ctx context.Context, mails []*sql.Mail) (stuck bool) {
	held := hold(ctx, w.DB, mails, w.Log)
	defer held.release()
	out, cancel := held.recording(ctx)
	defer cancel()
	w.out = out
	w.unsettled.Add(2 * len(mails))
	w.awaited = len(mails)
	w.shared().outcomes.expect(w)
	sent := w.Now()
	w.send(ctx, mails)
	w.pace.adapt(w.Now().Sub(sent))
	w.unsettled.Wait()
	return w.lost > 0 && w.recorded == 0
}

// endWindows ends the windows under way, but for probes: the relay refuses us, or a
// campaign does not run any more. The mails that they have not begun to hand over are due
// again.
func (m *Mailer) endWindows() { m.ends.Add(1) }

// send hands mails over, until it is too late or all windows end.
func (w *window) send(ctx context.Context, mails []*sql.Mail) {
	write := func(i int) (smtp.Message, error) { return w.write(mails[i]) }
	late := func() bool { return w.Now().Sub(w.begun) > handOverWithin || !w.probe && w.ends.Load() != w.known }
	w.Relay.Send(ctx, len(mails), write, late, func(i int, o smtp.Outcome) {
		unwritten := errors.Is(o.Err, smtp.ErrUnwritten)
		if !unwritten {
			w.tellPanic(mails[i], o)
			w.Metrics.mail(o.Kind)
		}
		w.shared().outcomes.add(result{w: w, mail: mails[i], outcome: o, stopping: ctx.Err() != nil, unwritten: unwritten})
	})
}

// write turns a panic into an error. A mail that cannot be written certainly did not go
// out, and does not hold up its window.
func (w *window) write(m *sql.Mail) (out smtp.Message, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("writing a mail panicked (%T)", p) // its value may hold anything (I6)
			w.complain("a mail cannot be written; it waits for its next try", "request", m.RequestID, "kind", string(m.Kind), "err", err,
				"stack", string(debug.Stack()))
		}
	}()
	envelope := smtp.Envelope{From: w.returnPath(m), To: m.To, EnvelopeID: envelopeID(m)}
	return smtp.Message{Envelope: envelope, Body: w.compose(m).Bytes(), Secret: m.Code.String()}, nil
}

func (w *window) tellPanic(m *sql.Mail, o smtp.Outcome) {
	if p := new(smtp.PanicError); errors.As(o.Err, &p) {
		w.complain("handing a mail over panicked", "request", m.RequestID, "outcome", o, "stack", p.Stack)
	}
}

// compose writes a mail. The same mail gives the same bytes, so a repetition after
// doubt is a copy (I5).
func (m *Mailer) compose(d *sql.Mail) mail.Message {
	copyOf := 0
	if d.Copy > 0 || d.Kind == sql.MailPassword || d.Kind == sql.MailMoved || d.Kind == sql.MailSiege {
		copyOf = int(d.ID) // a resend is a mail of its own (D3), and so is a repeated notice
	}
	l := mail.Letter{
		Head: mail.Head{
			ID:   mail.MessageID(string(d.Kind)+"."+fingerprint(d.Nonce), d.RequestID, d.Generation, copyOf, m.Domain),
			Date: d.Date, To: d.To,
		},
		Kind: mail.Kind(d.Kind), Number: d.Number, Holder: d.Holder, Code: d.Code, Certificate: d.Expires,
		Sharing: d.Sharing, Taken: d.Taken, Chosen: d.IsChosen, Message: d.Message, At: d.HappenedAt, Recap: d.PDF,
	}
	l.Other, _ = conversion.ParseEmail(d.CodeEmail)
	if d.ExpiresAt.Unix() > 0 {
		l.Deadline = d.ExpiresAt
	}
	if d.Kind == sql.MailConfirmation {
		l.At = d.SwitchedAt
	}
	return m.Composer.Write(l)
}

// fingerprint tells requests with the same id apart: a restored or a new database has
// them. A mailbox drops a mail that it takes for a copy.
func fingerprint(nonce []byte) string {
	sum := sha256.Sum256(nonce)
	return hex.EncodeToString(sum[:4])
}

// envelopeID asks the relay for reports about a mail that carries a code. The code of a
// late mail may be dead before it arrives (D11). The report should not contain the
// code.
func envelopeID(d *sql.Mail) string {
	id := strconv.FormatInt(d.RequestID, 10) + "." + strconv.Itoa(d.Generation)
	switch d.Kind {
	case sql.MailCode, sql.MailReminder:
		return id
	case sql.MailReset, sql.MailIdentifier:
		return string(d.Kind) + "." + id
	}
	return ""
}

// returnPath signs the return path of a mail with a code, so that only bounces of our own
// mails count (D11). It also signs that of the word that the code is over, so that whoever
// complains of it is left alone (D17).
func (m *Mailer) returnPath(d *sql.Mail) conversion.Email {
	mark := ""
	switch {
	case !m.SignBounce:
		return m.ReturnPath
	case d.Kind == sql.MailCode, d.Kind == sql.MailReminder:
	case d.Kind == sql.MailExpired && d.Recipient == d.CodeEmail:
		mark = wordMark
	default:
		return m.ReturnPath
	}
	id := fmt.Sprintf("%d.%d%s.%s", d.RequestID, d.Generation, mark, fingerprint(d.Nonce))
	local, domain, _ := strings.Cut(m.ReturnPath.Mailbox(), "@")
	signed, err := conversion.ParseEmail(fmt.Sprintf("%s+%s.%s@%s", local, id, m.Keys.SignPath(id), domain))
	if err != nil {
		return m.ReturnPath // the address is too long to be signed
	}
	return signed
}

// pace chooses how many mails are started at once, so that they are with the relay within
// about half a second. The deadline of a code counts from the start of its window (D4),
// which must be shortly before the mail. A small window also leaves mails of a small batch
// to other workers. How long the database takes makes no window smaller: it is asked once
// for each.
type pace struct{ size, max int }

const (
	firstWindow    = 4
	maxWindow      = 256
	maxInteractive = 64 // some of these carry a recap
)

func newPace(lane sql.Lane) *pace {
	if lane == sql.LaneInteractive {
		return &pace{size: firstWindow, max: maxInteractive}
	}
	return &pace{size: firstWindow, max: maxWindow}
}

func (p *pace) adapt(took time.Duration) {
	switch {
	case took < 250*time.Millisecond:
		p.size = min(2*p.size, p.max)
	case took > time.Second:
		p.size = max(p.size/2, 1)
	}
}
