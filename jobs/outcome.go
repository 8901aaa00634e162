package jobs

import (
	"context"
	"fmt"
	"strings"
	"time"

	"bascule/internal/smtp"
	"bascule/sql"
)

// A verdict is what outcomes mean for their rows and for the breaker (D11).
type verdict struct {
	accepted, inDoubt []result
	refused, failed   []result // with what is recorded of the failure
	blamed            []int64  // refused without a clear reason or broken off, before another mail was accepted
	unclear           []int64  // the same, after the last accepted mail
	us                []int64
	reason            string // of the last refusal that may speak about us
	spoke             bool   // the relay said something about the recipient of a probe: it works
}

// accept ends a run of unclear refusals (D11).
func (v *verdict) accept(res result) {
	v.accepted = append(v.accepted, res)
	v.blamed, v.unclear = append(v.blamed, v.unclear...), nil
}

func (v *verdict) suspect(id int64, o smtp.Outcome) {
	v.unclear, v.reason = append(v.unclear, id), o.String()
}

// retry puts a mail off as the schedule says, or gives its address up.
func (v *verdict) retry(res result) {
	delay, ok := schedule(res.mail.Attempts)
	if !ok {
		v.refused = append(v.refused, res)
		return
	}
	res.failure.Delay, res.failure.Counts = delay, true
	v.failed = append(v.failed, res)
}

// doubtDelay is how long a mail in doubt waits: time for the relay to recover.
const doubtDelay = 30 * time.Second

// judge applies the table of D11, from the relay's words to the rows. A mail that the
// relay breaks off, or whose dot it never answers, counts as unclear: the mail or the
// relay may be the cause.
func judge(results []result) verdict {
	var v verdict
	for _, res := range results {
		id, o := res.mail.ID, res.outcome
		f := &res.failure
		*f = sql.Failure{Mail: res.mail, Refusal: refusalOf(o), Reply: codeOf(o)}
		kind := res.kind()
		v.spoke = v.spoke || res.w.probe && (kind == smtp.Accepted || kind == smtp.Person || kind == smtp.Later)
		switch kind {
		case smtp.Accepted:
			v.accept(res)
		case smtp.InDoubt:
			v.inDoubt = append(v.inDoubt, res)
			if !res.stopping {
				v.suspect(id, o)
			}
		case smtp.Person:
			v.refused = append(v.refused, res)
		case smtp.Us:
			v.us, v.reason = append(v.us, id), o.String()
			v.failed = append(v.failed, res)
		case smtp.NotSent:
			if res.unwritten { // the address is not to blame, and is never given up
				f.Refusal, f.Counts = "the mail could not be written", true
				f.Delay, _ = schedule(res.mail.Attempts)
			}
			v.failed = append(v.failed, res)
		case smtp.Unclear:
			v.suspect(id, o)
			v.retry(res)
		case smtp.Later:
			v.retry(res)
		}
	}
	return v
}

// kind is the kind of an outcome, given what happened before. A mail that was broken
// off is Unclear, unless we broke it off ourselves. If one mail alone meets a refusal
// of us while others get through, the mail is the cause. Otherwise each of its attempts
// would stop all mail.
func (res result) kind() smtp.Kind {
	switch o := res.outcome; {
	case o.Kind == smtp.NotSent && o.Stage != "" && !res.stopping:
		return smtp.Unclear
	case o.Kind == smtp.Us && o.Stage.OfMessage() && res.mail.OwnFault && !res.w.probe:
		return smtp.Unclear
	default:
		return o.Kind
	}
}

// moveBreaker opens, keeps open or closes the breaker after outcomes.
func (m *Mailer) moveBreaker(ctx context.Context, v verdict) error {
	if err := m.DB.Blame(ctx, v.blamed); err != nil {
		return err
	}
	switch {
	case len(v.us) > 0:
		if err := m.DB.OpenBreaker(ctx, v.reason, v.us); err != nil {
			return err
		}
		m.Log.Warn("the relay refuses us; no mail starts until it takes one", "reason", v.reason)
	case len(v.unclear) > 0:
		turn, err := m.DB.NoteUnclear(ctx, v.unclear, v.reason)
		if err != nil {
			return err
		}
		switch turn {
		case sql.Opened:
			m.Log.Warn("the relay fails one recipient after the other; no mail starts until it takes one", "reason", v.reason)
		case sql.Closed:
			m.Log.Info("only mails are left that were refused twice; they follow their own schedule", "reason", v.reason)
		}
	case v.spoke:
		if err := m.DB.CloseBreaker(ctx); err != nil {
			return err
		}
		m.Log.Info("the relay takes mail again")
	}
	return nil
}

// refusalOf is the text of a refusal for the report: its code, and the relay's words.
func refusalOf(o smtp.Outcome) string {
	if o.Code == 0 {
		return codeOf(o)
	}
	return codeOf(o) + " " + o.Text
}

// codeOf is the code of a refusal, or the failure if the relay said nothing.
func codeOf(o smtp.Outcome) string {
	switch {
	case o.Code == 0 && o.Kind == smtp.Unclear: // our own judgement of the message
		return o.Err.Error()
	case o.Code == 0:
		return "no answer at " + string(o.Stage)
	}
	return strings.TrimSpace(fmt.Sprint(o.Code, " ", o.Enhanced))
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
