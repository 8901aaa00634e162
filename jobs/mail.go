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
	"time"

	"bascule/internal/conversion"
	"bascule/internal/mail"
	"bascule/queue"
	"bascule/sql"
)

// Mailer sends the mails that are due (C2): claim a chunk, then for one window
// after the other: start, hand to the relay, finish. Only what was started and
// not finished can be in doubt after a crash.
type Mailer struct {
	DB         *sql.DB
	Keys       *conversion.Keyring
	Relay      *mail.Relay
	Composer   *mail.Composer
	Limiter    *queue.Limiter   // nil: no limit
	Queue      *queue.Client    // knows the other workers; nil: there are none
	Domain     string           // of our Message-IDs
	ReturnPath conversion.Email // of the envelope; the zero Email is the null return path
	SignBounce bool             // the return path of a code mail is signed, so that its bounce counts (D11)
	Lifetime   time.Duration    // of a code (R21)
	Now        func() time.Time // measures how long windows take, nothing else
	Log        *slog.Logger

	said complaints
}

// complain logs a failure that many slots may meet, again and again.
func (m *Mailer) complain(msg string, args ...any) { m.said.error(m.Log, m.Now(), msg, args...) }

// A chunk is what one claim takes. It starts small, so that a small batch is
// shared by all workers, and doubles while it is done in no time, so that a large
// one costs few claims. Interactive mail may carry recaps: a chunk of it stays
// small, for they are all in memory.
const (
	firstChunk          = 8
	maxChunk            = 128
	maxInteractiveChunk = 64
)

// turn is how long one wake-up may work before it lets another kind of work
// have its slot.
const turn = 20 * time.Second

// Run mails until nothing is due in the lane, ctx ends or its turn is over.
func (m *Mailer) Run(ctx context.Context, lane sql.Lane) error {
	passage, err := m.DB.TakeProbe(ctx)
	switch {
	case err != nil:
		return err
	case passage.Probe:
		return m.probe(ctx)
	case passage.Open:
		return nil // claims would only hide mails from the probe
	}
	until := m.Now().Add(turn)
	window, chunk := &pace{size: firstWindow, max: maxWindow}, &pace{size: firstChunk, max: maxChunk}
	if lane == sql.LaneInteractive {
		chunk.max = maxInteractiveChunk
	}
	for ctx.Err() == nil && m.Now().Before(until) {
		b := &batch{Mailer: m, lane: lane, token: newToken(), window: window, until: until}
		if more, err := b.run(ctx, chunk.size); err != nil || !more {
			return err
		}
		chunk.adapt(m.Now().Sub(b.claimed))
	}
	return nil
}

// probe tries one mail although the breaker is open: in whichever lane, another
// one than those that opened it, where there is another (D11).
func (m *Mailer) probe(ctx context.Context) error {
	for _, another := range []bool{true, false} {
		for _, lane := range []sql.Lane{sql.LaneInteractive, sql.LaneBulk} {
			b := &batch{Mailer: m, lane: lane, token: newToken(), window: &pace{size: 1, max: 1}, until: m.Now().Add(turn),
				probe: true, another: another}
			if err := b.tryOne(ctx); err != nil || b.tried {
				return err
			}
		}
	}
	return nil
}

// tryOne tries the mail that has been due for longest and is not void, so that
// every mail has its turn, whatever became of the probes before it.
func (b *batch) tryOne(ctx context.Context) error {
	for more := true; more && !b.tried && ctx.Err() == nil && b.Now().Before(b.until); {
		var err error
		if more, err = b.run(ctx, 1); err != nil {
			return err
		}
	}
	return nil
}

// A batch is one claim on its way through the relay.
type batch struct {
	*Mailer
	lane    sql.Lane
	token   string
	held    *holding
	window  *pace
	until   time.Time // no window starts later
	probe   bool      // one mail, although the breaker is open
	another bool      // than those that were refused without a clear reason
	tried   bool      // a window was handed to the relay
	claimed time.Time // when its mails were: a slow claim is no reason for smaller ones
}

// A letter is a claimed mail with its code.
type letter struct {
	sql.Mail
	to    conversion.Email
	space conversion.Space
	code  conversion.Code
	tag   conversion.Tag
}

// run claims up to limit mails and sends them. It tells whether it is worth
// claiming more.
func (b *batch) run(ctx context.Context, limit int) (more bool, err error) {
	mails, err := b.claim(ctx, limit)
	if err != nil || len(mails) == 0 {
		return false, err
	}
	b.claimed = b.Now()
	b.held = hold(ctx, b.DB, sql.Claim{Token: b.token, IDs: mailIDs(mails)}, b.Log)
	rest := b.address(mails)
	var idle []letter // of windows that started nothing
	defer func() { b.held.release(ctx, letterIDs(append(idle, rest...))) }()
	for len(rest) > 0 && ctx.Err() == nil && b.held.lost.Err() == nil && b.Now().Before(b.until) {
		n, err := b.allow(ctx, min(b.window.size, len(rest)))
		if err != nil {
			return false, err
		}
		window, begin := rest[:n], b.Now()
		started, err := b.start(ctx, window)
		if err != nil {
			return false, err // if it was started after all, whoever claims it next counts a doubt
		}
		if len(started) == 0 {
			if stopped, err := b.stopped(ctx); err != nil || stopped {
				return false, err
			}
			rest, idle = rest[n:], append(idle, window...)
			b.window.adapt(b.Now().Sub(begin))
			continue
		}
		rest, b.tried = rest[n:], true
		stuck := b.handOver(ctx, window, started, begin)
		if b.probe {
			break
		}
		if stuck {
			pause(ctx, stuckPause, nil)
		}
	}
	return true, nil
}

func (b *batch) claim(ctx context.Context, limit int) ([]sql.Mail, error) {
	ctx, cancel := outlive(ctx)
	defer cancel()
	return b.DB.ClaimMail(ctx, b.lane, limit, b.token, b.another, b.share())
}

// share is all of what is due, but of bulk mail what falls to this worker.
func (b *batch) share() sql.Share {
	if b.lane != sql.LaneBulk || b.Queue == nil || b.probe {
		return sql.Share{Of: 1}
	}
	return sql.Share(b.Queue.Place())
}

// stopped tells whether a window that started nothing met the open breaker. If
// not, all of it was void and is gone, or the breaker has closed just now: the
// next one may be good.
func (b *batch) stopped(ctx context.Context) (bool, error) {
	if b.probe {
		return false, nil
	}
	lanes, err := b.DB.Due(ctx, 1)
	return len(lanes) > 0 && lanes[0].BreakerOpen, err
}

// address computes the codes. A mail that cannot be addressed is left to its
// lease: it stays due. Its key is missing, which the start of the program refuses,
// or only a newer release knows its kind.
func (b *batch) address(mails []sql.Mail) []letter {
	letters := make([]letter, 0, len(mails))
	var failed error
	for _, m := range mails {
		l, err := b.addressOne(m)
		if err != nil {
			failed = fmt.Errorf("%s mail of request %d: %w", m.Kind, m.RequestID, err)
			continue
		}
		letters = append(letters, l)
	}
	if failed != nil {
		b.Log.Error("cannot write mails; they stay due", "count", len(mails)-len(letters), "err", failed)
	}
	return letters
}

func (b *batch) addressOne(m sql.Mail) (l letter, err error) {
	l.Mail = m
	if l.to, err = conversion.ParseEmail(m.Recipient); err != nil {
		return l, err
	}
	if l.space, err = m.Space(); err != nil {
		return l, err
	}
	switch m.Kind {
	case sql.MailCode:
		l.code, err = b.Keys.Code(m.KeyID, conversion.Nonce(m.Nonce), m.Generation, l.to)
	case sql.MailReset:
		l.code, err = b.Keys.ResetCode(m.KeyID, conversion.Nonce(m.Nonce), m.Generation, l.to)
	case sql.MailNotice, sql.MailSwitched, sql.MailConfirmation, sql.MailExpired, sql.MailPassword, sql.MailSiege:
		return l, nil
	default: // of a newer release, that works beside this one
		return l, errors.New("of an unknown kind")
	}
	if err != nil {
		return l, err
	}
	l.tag, err = b.Keys.Tag(m.KeyID, l.to, l.code)
	return l, err
}

func (b *batch) allow(ctx context.Context, n int) (int, error) {
	if b.Limiter == nil {
		return n, nil
	}
	return b.Limiter.Take(ctx, queue.WakeUp(b.lane), n)
}

func (b *batch) start(ctx context.Context, window []letter) ([]sql.Started, error) {
	tags := make([]conversion.Tag, len(window))
	for i, l := range window {
		tags[i] = l.tag
	}
	ctx, cancel := outlive(ctx)
	defer cancel()
	return b.DB.StartMail(ctx, sql.Claim{Token: b.token, IDs: letterIDs(window)}, tags, b.Lifetime, b.probe)
}

// handOverWithin is how long after the start of its window the hand-over of a
// mail may begin: its deadline counts from there and is printed to the minute
// (D4). A relay that becomes slow meets a window that has grown to maxWindow;
// what it does not get to in time certainly did not go out and is started anew,
// with a full deadline.
const handOverWithin = 5 * time.Second

// stuckPause is how long a worker waits that could record nothing of a window:
// each mail that it sends meanwhile would go out again.
const stuckPause = 15 * time.Second

// handOver sends what was started, begin being an instant before that, and
// records each outcome soon after it is known. It tells whether none could be
// recorded.
func (b *batch) handOver(ctx context.Context, window []letter, started []sql.Started, begin time.Time) (stuck bool) {
	letters := make(map[int64]letter, len(window))
	for _, l := range window {
		letters[l.ID] = l
	}
	r := b.record(ctx)
	defer func() {
		stuck = r.close()
		b.window.adapt(b.Now().Sub(begin))
	}()
	var going []letter
	var outgoing []mail.Outgoing
	for _, s := range started {
		out, err := b.write(letters[s.ID], s)
		if err != nil {
			r.addUnwritten(letters[s.ID])
			continue
		}
		going, outgoing = append(going, letters[s.ID]), append(outgoing, out)
	}
	late := func() bool { return b.Now().Sub(begin) > handOverWithin }
	b.Relay.Send(ctx, outgoing, late, func(i int, o mail.Outcome) {
		b.tellPanic(going[i], o)
		r.add(going[i], o)
	})
	return false
}

// write turns a panic into an error: a mail that cannot be written has certainly
// not gone out, and holds up none of its window.
func (b *batch) write(l letter, s sql.Started) (out mail.Outgoing, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("writing a mail panicked (%T)", p) // its value may hold anything (I6)
			b.complain("a mail cannot be written; it waits for its next try", "request", l.RequestID, "kind", string(l.Kind), "err", err,
				"stack", string(debug.Stack()))
		}
	}()
	return b.compose(l, s).Outgoing(), nil
}

func (b *batch) tellPanic(l letter, o mail.Outcome) {
	if p := new(mail.PanicError); errors.As(o.Err, &p) {
		b.complain("handing a mail over panicked", "request", l.RequestID, "outcome", o, "stack", p.Stack)
	}
}

// compose writes a mail. The same letter and the same start give the same
// bytes: a repetition after doubt is a copy (I5).
func (m *Mailer) compose(l letter, s sql.Started) mail.Message {
	copyOf := 0
	if l.Copy > 0 || l.Kind == sql.MailPassword || l.Kind == sql.MailSiege {
		copyOf = int(l.ID) // a resend is a mail of its own (D3), and so is what may happen again
	}
	head := mail.Head{
		ID:         mail.MessageID(string(l.Kind)+"."+fingerprint(l.Nonce), l.RequestID, l.Generation, copyOf, m.Domain),
		Date:       s.Date,
		To:         l.to,
		ReturnPath: m.returnPath(l),
		EnvelopeID: envelopeID(l),
	}
	switch l.Kind {
	case sql.MailNotice:
		chosen, _ := conversion.ParseEmail(l.CodeEmail)
		n := mail.OtherAddress{Head: head, Number: l.space.Number, Holder: l.space.Holder, Chosen: chosen, At: l.HappenedAt}
		if s.ExpiresAt.Unix() > 0 {
			n.ContactUntil = s.ExpiresAt
		}
		return m.Composer.OtherAddress(n)
	case sql.MailSwitched:
		chosen, _ := conversion.ParseEmail(l.CodeEmail) // it is what was switched to
		return m.Composer.Switched(mail.Switched{Head: head, Number: l.space.Number, Holder: l.space.Holder, Chosen: chosen, At: l.HappenedAt})
	case sql.MailPassword:
		return m.Composer.PasswordChanged(mail.PasswordChanged{Head: head, Number: l.space.Number, Holder: l.space.Holder, At: l.HappenedAt})
	case sql.MailSiege:
		return m.Composer.Siege(mail.Siege{Head: head, Number: l.space.Number, Holder: l.space.Holder, At: l.HappenedAt})
	case sql.MailConfirmation:
		return m.Composer.Confirmation(mail.Confirmation{Head: head, Number: l.space.Number, Holder: l.space.Holder,
			At: l.SwitchedAt, Recap: l.PDF})
	case sql.MailExpired:
		return m.Composer.Expired(mail.Expired{Head: head, Number: l.space.Number, Holder: l.space.Holder,
			Deadline: s.ExpiresAt, Certificate: l.space.Certificate.Expires})
	case sql.MailReset:
		return m.Composer.Reset(mail.Reset{Head: head, Number: l.space.Number, Holder: l.space.Holder,
			Code: l.code, Deadline: s.ExpiresAt})
	}
	return m.Composer.Activation(mail.Activation{Head: head, Number: l.space.Number, Holder: l.space.Holder,
		Code: l.code, Deadline: s.ExpiresAt, Certificate: l.space.Certificate.Expires, Sharing: l.Sharing, Taken: l.Taken, Chosen: l.IsChosen})
}

// fingerprint tells requests with the same number apart, as a restored or a new
// database has them: a mailbox drops what it takes for a copy.
func fingerprint(nonce []byte) string {
	sum := sha256.Sum256(nonce)
	return hex.EncodeToString(sum[:4])
}

// envelopeID asks the relay for reports of a mail that carries a code: when it is
// late, its code may be dead before it arrives (D11), and what comes back should
// not hold the code.
func envelopeID(l letter) string {
	id := strconv.FormatInt(l.RequestID, 10) + "." + strconv.Itoa(l.Generation)
	switch l.Kind {
	case sql.MailCode:
		return id
	case sql.MailReset:
		return "reset." + id
	}
	return ""
}

// returnPath signs the return path of a code mail, so that only bounces of our
// own mails count (D11).
func (m *Mailer) returnPath(l letter) conversion.Email {
	if !m.SignBounce || l.Kind != sql.MailCode {
		return m.ReturnPath
	}
	local, domain, _ := strings.Cut(m.ReturnPath.Mailbox(), "@")
	id := strconv.FormatInt(l.RequestID, 10) + "." + strconv.Itoa(l.Generation)
	signed, err := conversion.ParseEmail(fmt.Sprintf("%s+%s.%s@%s", local, id, m.Keys.SignPath(id), domain))
	if err != nil {
		return m.ReturnPath // too long an address to be signed
	}
	return signed
}

// pace chooses how many mails are taken at once, so that they take about half a
// second. For a window, because the deadline of a code counts from the start of
// its window (D4), which must not be long before the mail; for a chunk, because
// no other worker can take what one holds.
type pace struct{ size, max int }

const (
	firstWindow = 4
	maxWindow   = 64
)

func (p *pace) adapt(took time.Duration) {
	switch {
	case took < 250*time.Millisecond:
		p.size = min(2*p.size, p.max)
	case took > time.Second:
		p.size = max(p.size/2, 1)
	}
}

func mailIDs(mails []sql.Mail) []int64 {
	ids := make([]int64, len(mails))
	for i, m := range mails {
		ids[i] = m.ID
	}
	return ids
}

func letterIDs(letters []letter) []int64 {
	ids := make([]int64, len(letters))
	for i, l := range letters {
		ids[i] = l.ID
	}
	return ids
}
