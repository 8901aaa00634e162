package jobs

import (
	"context"
	"slices"
	"sync"
	"time"

	"bascule/queue"
	"bascule/sql"
)

// A starter starts the windows of the slots of a lane, one transaction at a time:
// statements side by side would wait for each other in PostgreSQL. The slot whose turn it
// is starts the windows of those that wait, too: they share what a transaction costs.
type starter struct {
	turn    sync.Mutex
	mu      sync.Mutex
	waiting []*window
}

// maxStart is how many mails are started at once, at the most. It is a quarter of what
// sixteen slots hold: while some are started, others leave.
const maxStart = 4 * maxWindow

// start starts a window, or finds that another slot has done so.
func (s *starter) start(ctx context.Context, w *window) error {
	s.mu.Lock()
	s.waiting = append(s.waiting, w)
	s.mu.Unlock()
	s.turn.Lock()
	defer s.turn.Unlock()
	if w.tried {
		return w.err
	}
	over := ctx.Err() // the worker ended meanwhile; the others find out themselves
	g := s.take(w, over == nil && !w.probe)
	if over != nil {
		return over
	}
	ctx, cancel := outlive(ctx)
	defer cancel()
	g.start(ctx)
	return w.err
}

// take takes the window whose turn it is and, if it has company, others that wait. A probe
// has none.
func (s *starter) take(first *window, company bool) group {
	s.mu.Lock()
	defer s.mu.Unlock()
	g := group{first}
	first.tried = true
	s.waiting = slices.DeleteFunc(s.waiting, func(w *window) bool {
		joins := w != first && company && !w.probe && g.size()+w.pace.size <= maxStart
		if joins {
			g, w.tried = append(g, w), true
		}
		return joins || w == first
	})
	return g
}

// A group is windows that are started in one transaction.
type group []*window

// start starts as many mails as the paces of the windows and the rate allow.
func (g group) start(ctx context.Context) {
	w := g[0]
	asked, allowed, wait, begun, known := 0, 0, time.Duration(0), time.Time{}, w.ends.Load()
	t := sql.Window{Lane: w.lane, Limit: g.size(), Probe: w.probe, Another: w.another, Lifetime: w.Lifetime, Keys: w.Keys, Help: w.Help}
	if w.Limiter == nil && w.lane == sql.LaneBulk && !w.probe {
		t.Front = &w.front
	}
	t.Admit = func(mails []*sql.Mail) (_ []*sql.Mail, err error) {
		asked, allowed, wait = len(mails), len(mails), 0
		if w.Limiter != nil && asked > 0 {
			allowed, wait, err = w.Limiter.Take(ctx, queue.WakeUp(w.lane), asked)
		}
		begun = w.Now()
		return mails[:allowed], err
	}
	s, err := w.DB.StartMail(ctx, t)
	if s.Unwritten != nil {
		w.complain("cannot write mails; they stay due", "err", s.Unwritten)
	}
	if took := w.Now().Sub(begun); len(s.Mails) > 0 && took > handOverWithin {
		w.complain("PostgreSQL takes too long to commit the start of mails; they are due again (see its disk, and its synchronous standbys)", "took", took)
	}
	for _, w := range g {
		w.known, w.begun, w.wait, w.err = known, begun, wait, err
	}
	g.deal(s, err == nil && allowed < asked)
}

// size is how many mails the windows take.
func (g group) size() (n int) {
	for _, w := range g {
		n += w.pace.size
	}
	return n
}

// deal gives each window its mails; the first ones are filled first. If the rate held
// mails back, the next windows take no more than these got.
func (g group) deal(s sql.Start, isHeld bool) {
	for _, w := range g {
		w.found, w.mails = min(s.Found, w.pace.size), s.Mails[:min(len(s.Mails), w.pace.size)]
		s.Found, s.Mails = s.Found-w.found, s.Mails[len(w.mails):]
		if isHeld {
			w.pace.size = max(len(w.mails), 1)
		}
	}
}
