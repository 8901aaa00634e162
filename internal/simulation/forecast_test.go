package simulation

import (
	"math"
	"time"

	"bascule/internal/plan"
)

// A forecast is a plan of the main campaign, made at an instant. A plan assumes that
// nothing happens. So a change of its input ends it, and another one is made: a file, a
// setting, a pause, the relay, an invitation again, an exclusion.
type forecast struct {
	from time.Time
	plan.Plan
	known   bool
	waiting int // mails for full mailboxes, then and since
}

// foresee makes the workers compare the mails that have left since the last forecast
// with it. Then it makes another one before they look at anything.
func (s *simulation) foresee() { s.outdated = true }

func (s *simulation) foreseeAnew() {
	if !s.outdated {
		return
	}
	s.outdated = false
	s.judge()
	s.forecast = forecast{}
	c := s.campaigns[mainCampaign]
	if c.state != "running" || s.troubled {
		return
	}
	p, err := s.db.Progress(s.t.Context(), mainCampaign)
	s.must(err)
	pending, err := s.db.Pending(s.t.Context(), p.Campaign)
	s.must(err)
	s.forecast = forecast{from: s.now, known: true, waiting: len(s.deferred), Plan: plan.Make(pending, plan.Brakes{
		From: s.now, PerDay: p.PerDay, Today: p.StartedToday, MinHelp: p.MinHelp, Lifetime: lifetime, Help: s.help})}
}

// judgeNow ends a forecast.
func (s *simulation) judgeNow() {
	s.judge()
	s.forecast = forecast{}
}

// judge compares day by day. The last day counts only if its mails were to leave by
// now.
func (s *simulation) judge() {
	f := s.forecast
	if !f.known {
		return
	}
	got := make(map[time.Time]int)
	for _, at := range s.campaigns[mainCampaign].left {
		if !at.Before(f.from) && at.Before(s.now) {
			got[dateOf(at)]++
		}
	}
	today := dateOf(s.now)
	planned, left := 0, 0
	for _, d := range f.Days {
		if d.Date.After(today) || d.Date.Equal(today) && !d.Last.Before(s.now.Add(-s.pause)) {
			delete(got, d.Date)
			continue
		}
		s.compare("on "+d.Date.Format(time.DateOnly), d.Mails, got[d.Date])
		planned, left = planned+d.Mails, left+got[d.Date]
		delete(got, d.Date)
		s.foreseen++
		s.planned += d.Mails
	}
	s.compare("from "+f.from.Format(time.DateOnly), planned, left)
	for date, n := range got {
		s.compare("unplanned, on "+date.Format(time.DateOnly), 0, n)
	}
}

// compare allows for 2 %, for one mail, and for mails that wait for a full mailbox:
// these hold a place of each day on which they may leave.
func (s *simulation) compare(when string, planned, left int) {
	most := max(1, int(math.Ceil(0.02*float64(max(planned, left)))))
	if left > planned+most || left < planned-most-s.forecast.waiting {
		s.t.Errorf("%s: %d mails were planned, %d left (D13, D14); the plan is of %s, now it is %s", when, planned, left, s.forecast.from, s.now)
	}
}
