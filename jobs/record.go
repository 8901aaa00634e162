package jobs

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"bascule/internal/smtp"
	"bascule/sql"
)

// flushEvery is how long an outcome waits, at the most, for others to share its
// transaction.
const flushEvery = 60 * time.Millisecond

// A recorder writes down what became of the mails of a lane, for all its slots: a set of
// few rows costs nearly as much as a large one, and statements side by side wait for each
// other in PostgreSQL. It does so while the relay still works on the rest of a window, so
// that a crash leaves few mails in doubt. It tries again what fails for now. A mail whose
// outcome cannot be written while the claim lasts is in doubt: it goes out again.
type recorder struct {
	mu    sync.Mutex
	known []result      // outcomes that nobody has judged yet
	open  int           // windows with outcomes to come
	full  int           // windows without, that wait until the last ones are written down
	now   chan struct{} // write; nil while the recorder rests

	suspects map[string]bool // recipients refused without a clear reason, since a mail was accepted

	waiting []write // in the order in which they run
	failure error   // of the last write that failed for now
}

// A result is what became of a mail.
type result struct {
	w         *window
	mail      *sql.Mail
	outcome   smtp.Outcome
	stopping  bool // the worker is stopping: we may have broken the mail off ourselves
	unwritten bool // there were no bytes to hand over
	failure   sql.Failure
}

// expect announces the outcomes of a window. From now on they may be added.
func (r *recorder) expect(w *window) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.open++
	if r.now == nil {
		r.now = make(chan struct{}, 1)
		go r.run(w.Mailer, r.now)
	}
}

// add hands an outcome over to be written down: at once if half of the windows wait for
// that. The relay works on the others meanwhile. An outcome that will open the breaker ends
// all windows: until that is written down, a relay that blocks us would be asked some
// thousand times more.
func (r *recorder) add(res result) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.known = append(r.known, res)
	if r.opens(res) {
		res.w.endWindows()
	}
	if res.w.awaited--; res.w.awaited > 0 {
		return
	}
	if r.open, r.full = r.open-1, r.full+1; r.full >= r.open {
		select {
		case r.now <- struct{}{}:
		default: // it knows
		}
	}
}

// opens tells whether an outcome will open the breaker, as far as this process knows (D11).
func (r *recorder) opens(res result) bool {
	switch kind := res.kind(); {
	case kind == smtp.Us:
		return true
	case kind == smtp.Accepted:
		r.suspects = nil
	case (kind == smtp.Unclear || kind == smtp.InDoubt && !res.stopping) && !res.mail.OwnFault:
		if r.suspects == nil {
			r.suspects = make(map[string]bool)
		}
		r.suspects[res.mail.To.String()] = true
	}
	if len(r.suspects) < sql.UnclearLimit {
		return false
	}
	r.suspects = nil
	return true
}

// run writes outcomes down until nothing is awaited and nothing waits.
func (r *recorder) run(m *Mailer, now <-chan struct{}) {
	tick := time.NewTicker(flushEvery)
	defer tick.Stop()
	for !r.rest() {
		select {
		case <-now:
		case <-tick.C:
		}
		r.queue(m, r.take())
		if lost, err := r.try(m); lost > 0 {
			m.complain("outcomes of mails could not be recorded; they are in doubt", "count", lost, "err", err)
		} else if err != nil {
			m.complain("cannot move the breaker", "err", err)
		}
	}
}

func (r *recorder) take() []result {
	r.mu.Lock()
	defer r.mu.Unlock()
	known := r.known
	r.known, r.full = nil, 0
	return known
}

// rest ends the recorder if it has nothing to do.
func (r *recorder) rest() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.open > 0 || len(r.known) > 0 || len(r.waiting) > 0 {
		return false
	}
	r.now = nil
	return true
}

// queue makes the writes of a set of outcomes. The breaker moves after them.
func (r *recorder) queue(m *Mailer, results []result) {
	v := judge(results)
	for _, w := range []write{
		{rows: v.accepted, run: func(ctx context.Context, rows []result) error { return m.DB.FinishAccepted(ctx, mailsOf(rows)) }},
		{rows: v.inDoubt, run: func(ctx context.Context, rows []result) error {
			return m.DB.FinishInDoubt(ctx, mailsOf(rows), doubtDelay)
		}},
		{rows: v.refused, run: func(ctx context.Context, rows []result) error { return m.DB.FinishRefused(ctx, failures(rows)) }},
		{rows: v.failed, run: func(ctx context.Context, rows []result) error { return m.DB.FinishFailed(ctx, failures(rows)) }},
		{rows: results, run: func(ctx context.Context, _ []result) error { return m.moveBreaker(ctx, v) }, ofSet: true},
	} {
		if len(w.rows) > 0 {
			r.waiting = append(r.waiting, w)
		}
	}
}

func mailsOf(rows []result) (mails []*sql.Mail) {
	for _, res := range rows {
		mails = append(mails, res.mail)
	}
	return mails
}

func failures(rows []result) (list []sql.Failure) {
	for _, res := range rows {
		list = append(list, res.failure)
	}
	return list
}

// A write records something of rows. It may be repeated.
type write struct {
	rows  []result
	run   func(context.Context, []result) error
	ofSet bool // it is about the set: it cannot be done row by row
}

// try tries the writes that wait, in their order. Those whose rows somebody holds wait
// on, and so do all from one on that fails for now. After a permanent error each row is
// tried alone, so that rows that can never be recorded hold up no others. What can be
// written no longer is given up. The error tells why.
func (r *recorder) try(m *Mailer) (lost int, err error) {
	all := r.waiting
	r.waiting = nil
	for len(all) > 0 {
		w := all[0]
		all = all[1:]
		failed := w.once()
		locked, isLocked := errors.AsType[*sql.LockedError](failed)
		switch {
		case failed == nil:
			r.failure = nil
			w.settle(true)
		case w.until().Err() != nil:
			lost, err = lost+w.settle(false), cmp.Or(r.failure, failed)
		case isLocked:
			r.waiting = append(r.waiting, w.rest(locked.IDs))
		case !sql.IsPermanent(failed):
			r.waiting, r.failure = append(append(r.waiting, w), all...), failed
			m.complain("cannot record outcomes of mails; trying again", "err", failed)
			return lost, err
		case len(w.rows) > 1 && !w.ofSet:
			all = append(w.apart(), all...)
		default:
			lost, err = lost+w.settle(false), errors.Join(err, failed)
		}
	}
	return lost, err
}

func (w write) once() error {
	ctx, cancel := context.WithTimeout(w.until(), statementTimeout)
	defer cancel()
	return w.run(ctx, w.rows)
}

// until ends when a row can be written no longer. It has ended when none of them can.
func (w write) until() context.Context {
	alive := slices.IndexFunc(w.rows, func(res result) bool { return res.w.out.Err() == nil })
	return w.rows[max(alive, 0)].w.out
}

// rest is the write of the rows that are left. The others are recorded, and their windows
// wait for them no longer.
func (w write) rest(ids []int64) write {
	done, left := w, w
	done.rows, left.rows = nil, nil
	for _, res := range w.rows {
		if slices.Contains(ids, res.mail.ID) {
			left.rows = append(left.rows, res)
		} else {
			done.rows = append(done.rows, res)
		}
	}
	done.settle(true)
	return left
}

func (w write) apart() (parts []write) {
	for i := range w.rows {
		parts = append(parts, write{rows: w.rows[i : i+1], run: w.run})
	}
	return parts
}

// settle tells the windows what became of their rows. It returns how many are lost.
func (w write) settle(recorded bool) (lost int) {
	for _, res := range w.rows {
		switch {
		case w.ofSet:
		case recorded:
			res.w.recorded++
		default:
			res.w.lost++
			lost++
		}
		res.w.unsettled.Done()
	}
	return lost
}
