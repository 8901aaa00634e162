package jobs

import (
	"context"
	"fmt"
	"time"

	"bascule/internal/smtp"
	"bascule/sql"
)

// flushEvery is how long an outcome waits for others to share its transaction.
const flushEvery = 60 * time.Millisecond

// A recorder writes outcomes down while the relay still works on the rest of the
// window. So a crash leaves few mails in doubt. A mail whose outcome cannot be written
// while the lease lasts is in doubt: it goes out again.
type recorder struct {
	scribe
	w      *window
	held   *holding
	ctx    context.Context // the worker's: once it has ended, we may have broken a mail off ourselves
	out    context.Context // ends when nothing can be written down any more
	cancel context.CancelFunc
	in     chan result
	done   chan struct{}
}

type result struct {
	mail      *sql.Mail
	outcome   smtp.Outcome
	stopping  bool // the worker is stopping: we may have broken the mail off ourselves
	unwritten bool // there were no bytes to hand over
}

// record starts a recorder of mails that were started. It goes on after ctx ended, as a
// known outcome must not become a doubt.
func (w *window) record(ctx context.Context, mails []*sql.Mail) *recorder {
	claim := sql.Claim{Token: w.token}
	for _, m := range mails {
		claim.IDs = append(claim.IDs, m.ID)
	}
	r := &recorder{scribe: scribe{turn: &w.turns().recording, tell: w.tell}, w: w, held: hold(ctx, w.DB, claim, w.Log), ctx: ctx, in: make(chan result, maxWindow), done: make(chan struct{})}
	r.out, r.cancel = r.held.recording(ctx)
	go r.run()
	return r
}

func (r *recorder) add(m *sql.Mail, o smtp.Outcome) {
	r.w.Metrics.mail(o.Kind)
	r.in <- result{mail: m, outcome: o, stopping: r.ctx.Err() != nil}
}

// addUnwritten records a mail that could not be written. It certainly did not go out.
func (r *recorder) addUnwritten(m *sql.Mail) {
	r.in <- result{mail: m, outcome: smtp.Outcome{Kind: smtp.NotSent}, unwritten: true}
}

// close returns once every outcome was written down or given up. It tells whether all
// were given up.
func (r *recorder) close() (stuck bool) {
	close(r.in)
	<-r.done
	return r.stuck()
}

func (r *recorder) run() {
	defer close(r.done)
	defer r.held.release()
	defer r.cancel()
	tick := time.NewTicker(flushEvery)
	defer tick.Stop()
	var pending []result
	for open := true; open; {
		var res result
		select {
		case res, open = <-r.in:
			if open {
				pending = append(pending, res)
			}
		case <-tick.C:
			r.judge(pending)
			pending = nil
			r.complain(r.try(r.out))
		}
	}
	r.judge(pending)
	r.complain(r.finish(r.out))
}

func (w *window) tell(err error) {
	w.complain("cannot record outcomes of mails; trying again", "err", err)
}

func (r *recorder) complain(err error) {
	switch {
	case err != nil && r.lost > 0:
		r.w.complain("outcomes of mails could not be recorded; they are in doubt", "count", r.lost, "err", err)
	case err != nil:
		r.w.complain("cannot move the breaker", "err", err)
	}
}

// judge makes the writes of outcomes, set by set. The breaker moves after them.
func (r *recorder) judge(results []result) {
	if len(results) == 0 {
		return
	}
	db, token, v := r.w.DB, r.w.token, r.w.judge(results)
	r.queue(writeAll(v.accepted, func(ctx context.Context, mails []*sql.Mail) error { return db.FinishAccepted(ctx, token, mails) })...)
	r.queue(writeAll(v.inDoubt, func(ctx context.Context, ids []int64) error {
		return db.FinishInDoubt(ctx, sql.Claim{Token: token, IDs: ids}, doubtDelay)
	})...)
	r.queue(writeAll(v.refused, func(ctx context.Context, f []sql.Failure) error { return db.FinishRefused(ctx, token, f) })...)
	r.queue(writeAll(v.failed, func(ctx context.Context, f []sql.Failure) error { return db.FinishFailed(ctx, token, f) })...)
	r.queue(write{run: func(ctx context.Context) error {
		if err := db.Blame(ctx, v.blamed); err != nil {
			return err
		}
		return r.w.moveBreaker(ctx, v)
	}})
}

// A verdict is what outcomes mean for their rows and for the breaker (D11).
type verdict struct {
	accepted        []*sql.Mail
	inDoubt         []int64
	refused, failed []sql.Failure
	blamed          []int64 // refused without a clear reason or broken off, before another mail was accepted
	unclear         []int64 // the same, after the last accepted mail
	us              []int64
	reason          string // of the last refusal that may speak about us
	spoke           bool   // the relay said something about a recipient: it works
}

// accept ends a run of unclear refusals (D11).
func (v *verdict) accept(m *sql.Mail) {
	v.accepted, v.spoke = append(v.accepted, m), true
	v.blamed, v.unclear = append(v.blamed, v.unclear...), nil
}

func (v *verdict) suspect(id int64, o smtp.Outcome) {
	v.unclear, v.reason = append(v.unclear, id), o.String()
}

// retry puts a mail off as the schedule says, or gives its address up.
func (v *verdict) retry(f sql.Failure, attempts int) {
	delay, ok := schedule(attempts)
	if !ok {
		v.refused = append(v.refused, f)
		return
	}
	f.Delay, f.Counts = delay, true
	v.failed = append(v.failed, f)
}

// doubtDelay is how long a mail in doubt waits: time for the relay to recover.
const doubtDelay = 30 * time.Second

// judge applies the table of D11, from the relay's words to the rows. A mail that the
// relay breaks off, or whose dot it never answers, counts as unclear: the mail or the
// relay may be the cause.
func (w *window) judge(results []result) verdict {
	var v verdict
	for _, res := range results {
		id, o := res.mail.ID, res.outcome
		f := sql.Failure{ID: id, Refusal: refusalOf(o), Code: codeOf(o)}
		switch w.kindOf(res) {
		case smtp.Accepted:
			v.accept(res.mail)
		case smtp.InDoubt:
			v.inDoubt = append(v.inDoubt, id)
			if !res.stopping {
				v.suspect(id, o)
			}
		case smtp.Person:
			v.spoke = true
			v.refused = append(v.refused, f)
		case smtp.Us:
			v.us, v.reason = append(v.us, id), o.String()
			v.failed = append(v.failed, f)
		case smtp.NotSent:
			if res.unwritten { // the address is not to blame, and is never given up
				f.Refusal, f.Counts = "the mail could not be written", true
				f.Delay, _ = schedule(res.mail.Attempts)
			}
			v.failed = append(v.failed, f)
		case smtp.Unclear:
			v.suspect(id, o)
			v.retry(f, res.mail.Attempts)
		case smtp.Later:
			v.spoke = true
			v.retry(f, res.mail.Attempts)
		}
	}
	return v
}

// kindOf is the kind of an outcome, given what happened before. A mail that was broken
// off is Unclear, unless we broke it off ourselves. If one mail alone meets a refusal
// of us while others get through, the mail is the cause. Otherwise each of its attempts
// would stop all mail.
func (w *window) kindOf(res result) smtp.Kind {
	switch o := res.outcome; {
	case o.Kind == smtp.NotSent && o.Stage != "" && !res.stopping:
		return smtp.Unclear
	case o.Kind == smtp.Us && o.Stage.OfMessage() && res.mail.OwnFault && !w.probe:
		return smtp.Unclear
	default:
		return o.Kind
	}
}

// moveBreaker opens, keeps open or closes the breaker after outcomes.
func (w *window) moveBreaker(ctx context.Context, v verdict) error {
	switch {
	case len(v.us) > 0:
		if err := w.DB.OpenBreaker(ctx, v.reason, v.us); err != nil {
			return err
		}
		w.Log.Warn("the relay refuses us; no mail starts until it takes one", "reason", v.reason)
	case len(v.unclear) > 0:
		turn, err := w.DB.NoteUnclear(ctx, v.unclear, v.reason)
		if err != nil {
			return err
		}
		switch turn {
		case sql.Opened:
			w.Log.Warn("the relay fails one recipient after the other; no mail starts until it takes one", "reason", v.reason)
		case sql.Closed:
			w.Log.Info("only mails are left that were refused twice; they follow their own schedule", "reason", v.reason)
		}
	case w.probe && v.spoke:
		if err := w.DB.CloseBreaker(ctx); err != nil {
			return err
		}
		w.Log.Info("the relay takes mail again")
	}
	return nil
}

// wordsOf is the text that is kept of a refusal: the relay's words, or the failure if
// the relay said nothing.
func wordsOf(o smtp.Outcome) string {
	switch {
	case o.Code != 0:
		return o.Text
	case o.Kind == smtp.Unclear: // our own judgement of the message
		return o.Err.Error()
	}
	return "no answer at " + string(o.Stage)
}

// refusalOf is the text of a refusal for the report: its code, and the relay's words.
func refusalOf(o smtp.Outcome) string {
	if o.Code == 0 {
		return wordsOf(o)
	}
	return codeOf(o) + " " + o.Text
}

func codeOf(o smtp.Outcome) string {
	if o.Code == 0 {
		return wordsOf(o)
	}
	if o.Enhanced == "" {
		return fmt.Sprint(o.Code)
	}
	return fmt.Sprintf("%d %s", o.Code, o.Enhanced)
}

// retryDelays come first, then one hour each time (D11).
var retryDelays = []time.Duration{time.Minute, 5 * time.Minute, 15 * time.Minute, 30 * time.Minute, time.Hour}

// giveUpAfter is how long the relay may refuse an address temporarily. Only refusals
// count: the time with the breaker open does not.
const giveUpAfter = 5 * 24 * time.Hour

// schedule tells how long to wait after refusal number attempts+1, and whether to try
// again at all.
func schedule(attempts int) (delay time.Duration, ok bool) {
	waited := time.Duration(0)
	for i := range attempts {
		waited += retryDelays[min(i, len(retryDelays)-1)]
	}
	return retryDelays[min(attempts, len(retryDelays)-1)], waited < giveUpAfter
}
