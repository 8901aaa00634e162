package simulation

import (
	stdsql "database/sql"
	"errors"
	"time"

	"bascule/internal/assistance"
)

// work makes the workers look at everything, once.
func (s *simulation) work() {
	s.worked = s.now
	s.did("the workers look")
	s.readStates()
	s.readBounces()
	s.inviteAgain()
	s.foreseeAnew()
	s.must(s.do(s.t.Context()))
	s.receive()
	s.checkOrder()
	s.must(s.watcher.Look(s.t.Context()))
	if s.now.Sub(s.looked) > 6*time.Hour {
		s.must(s.cleaner.Clean(s.t.Context()))
		s.looked = s.now
	}
	s.noticeStops()
}

// nextWork is the next look of the workers: when something is due, or a day or enough
// assistance begins.
func (s *simulation) nextWork() time.Time {
	at := midnightAfter(s.now)
	if due, any := s.nextDue(); any {
		at = assistance.Earlier(at, assistance.Later(due, s.now.Add(s.pause)))
	}
	if opens, ok := s.help.Next(s.now, lifetime, 12*time.Hour); ok && opens.After(s.now) {
		at = assistance.Earlier(at, opens)
	}
	return at
}

// readBounces reads the returned mails. A recipient who has complained is left alone
// from now on, and so is everybody with the same address.
func (s *simulation) readBounces() {
	if s.returned == s.read {
		return
	}
	s.read = s.returned
	s.must(s.bouncer.Look(s.t.Context()))
	for _, c := range s.complaints {
		for _, b := range s.subscribers {
			b.alone = b.alone || b.contact == c.contact
		}
	}
	if len(s.complaints) > 0 {
		s.complaints = nil
		s.foresee()
	}
}

// inviteAgain invites the subscribers whose day has begun.
func (s *simulation) inviteAgain() {
	var due int
	s.must(s.db.Raw.QueryRow(`SELECT count(*) FROM reinvitation WHERE at <= bascule_now()`).Scan(&due))
	if due == 0 {
		return
	}
	s.must(s.inviter.Invite(s.t.Context()))
	s.foresee()
}

// readStates notes the states in which the workers find the campaigns.
func (s *simulation) readStates() {
	for _, c := range s.campaigns {
		c.before = c.state
	}
}

// noticeStops finds the campaigns that stopped by themselves, and goes on another day.
func (s *simulation) noticeStops() {
	running := s.count(`SELECT count(*) FROM campaign WHERE state = 'running'`)
	for _, c := range s.campaigns {
		if c.state == "running" {
			running--
		}
	}
	if running == 0 {
		return
	}
	for _, c := range s.campaigns {
		found, err := s.db.Campaign(s.t.Context(), c.name)
		s.must(err)
		if c.state == string(found.State) {
			continue
		}
		c.state = string(found.State)
		s.tell("%s is %s: %s", c.name, found.State, found.Why)
		if found.Why == "pilot" {
			s.did("the pilot is over")
			if len(c.left) > c.Pilot {
				s.t.Errorf("a pilot of %d mailed %d", c.Pilot, len(c.left))
			}
			c.Pilot = 0
		} else {
			s.did("stopped by itself")
		}
		name := c.name
		s.add(day(s.dayOf()+1, 10, 0), func() {
			if s.campaigns[name].state == "paused" {
				s.resume(name)
			}
		})
		s.foresee()
	}
}

// dayOf is the day of the run.
func (s *simulation) dayOf() int {
	return int(dateOf(s.now).Sub(dateOf(monday)).Hours() / 24)
}

// checkOrder: mails that leave as a day begins come before held ones (D13).
func (s *simulation) checkOrder() {
	c := s.campaigns[mainCampaign]
	last := c.last
	c.last = nil
	if last == nil || s.troubled || !s.now.Equal(midnightAfter(s.now.Add(-time.Hour))) {
		return
	}
	var priority int
	var expires time.Time
	err := s.db.Raw.QueryRow(`SELECT h.priority, h.expires FROM held h JOIN campaign c ON c.id = h.campaign_id
		WHERE c.name = $1 AND h.not_before IS NULL AND h.expires >= (bascule_now() AT TIME ZONE 'Europe/Paris')::date ORDER BY 1, 2 LIMIT 1`, mainCampaign).Scan(&priority, &expires)
	if errors.Is(err, stdsql.ErrNoRows) {
		return
	}
	s.must(err)
	s.did("the order is looked at")
	if last.priority > priority || last.priority == priority && last.expires.After(expires) {
		s.fail(last, "of priority %d until %s is invited before one of priority %d until %s (D13)", last.priority, last.expires, priority, expires)
	}
}
