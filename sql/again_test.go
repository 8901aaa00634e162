package sql_test

import (
	"fmt"
	"testing"
	"time"

	"bascule/internal/conversion"
	"bascule/sql"
)

// midnight begins a day in Paris.
func midnight(day time.Time) time.Time {
	y, m, d := day.Date()
	return time.Date(y, m, d, 0, 0, 0, 0, conversion.Paris)
}

// lapsed are n invitations of a campaign whose codes expire at an instant, so many days
// before their certificates end.
func (d *desk) lapsed(n, again int, at time.Time, days int) (mails []*sql.Mail) {
	d.t.Helper()
	d.Freeze(d.t, at.Add(-conversion.DefaultCodeLifetime))
	list := rows(n)
	for i := range list {
		list[i].Space.Certificate.Expires = time.Date(at.Year(), at.Month(), at.Day()+days, 0, 0, 0, 0, time.UTC)
	}
	d.held("spring", list...)
	d.launch("spring", sql.CampaignSettings{Again: again})
	h := d.start(n)
	d.must(d.FinishAccepted(d.ctx, h.mails))
	d.expireAt(at, n)
	return h.mails
}

func (d *desk) expireAt(at time.Time, n int) {
	d.t.Helper()
	d.Freeze(d.t, at)
	_, err := d.Remind(d.ctx, 100)
	d.must(err)
	swept, err := d.Sweep(d.ctx, 100)
	d.must(err)
	if swept.Done != n {
		d.t.Errorf("%d expired, want %d", swept.Done, n)
	}
	d.deliver() // the word that it is over
}

// invitedAgain has a worker look at an instant; it returns how many it invited again.
func (d *desk) invitedAgain(at time.Time) int {
	d.t.Helper()
	d.Freeze(d.t, at)
	looked, err := d.InviteAgain(d.ctx, d.keys, 100)
	d.must(err)
	return looked.Done
}

// D16: a subscriber whose code expired is invited again 30, 15, 7 or 2 days before the
// certificate ends, from midnight in Paris on. It is the next of these days after the
// expiry.
func TestAgainDays(t *testing.T) {
	t.Parallel()
	expired := time.Date(2031, 5, 6, 12, 0, 0, 0, time.UTC)
	for days, want := range map[int]int{45: 30, 31: 30, 30: 15, 15: 7, 8: 7, 7: 2, 3: 2, 2: 0, 0: 0, -5: 0} {
		d := open(t)
		d.lapsed(1, 3, expired, days)
		if want == 0 {
			if n := d.count(`SELECT count(*) FROM reinvitation`); n != 0 {
				t.Errorf("%d days before the end one is to be invited again", days)
			}
			continue
		}
		day := midnight(expired.AddDate(0, 0, days-want))
		if s, err := d.Story(d.ctx, conversion.SubscriberNumber(number(0))); err != nil || !s.Next.InvitesAt.Equal(day) {
			t.Errorf("%d days before the end: the story tells of %v, error %v", days, s.Next.InvitesAt, err)
		}
		d.must(d.PauseCampaign(d.ctx, "spring", "", "admin"))
		if s, err := d.Story(d.ctx, conversion.SubscriberNumber(number(0))); err != nil || !s.Next.InvitesAt.IsZero() {
			t.Errorf("paused, the story tells of %v, error %v", s.Next.InvitesAt, err)
		}
		d.must(d.ResumeCampaign(d.ctx, "spring", "admin"))
		if n := d.invitedAgain(day.Add(-time.Second)); n != 0 {
			t.Errorf("%d days before the end: invited again too early", days)
		}
		if n := d.invitedAgain(day); n != 1 {
			t.Errorf("%d days before the end: not invited again %d days before", days, want)
		}
	}
	d := open(t)
	at := midnight(expired)
	d.lapsed(1, 3, at, 15) // 15 days before is now
	if n := d.invitedAgain(at); n != 1 {
		t.Errorf("as the code expires %d are invited again", n)
	}
}

// D16: it happens as often as the campaign says; the request is a retry that the worker
// opened, held by its campaign, with a code of its own.
func TestAgainTimes(t *testing.T) {
	t.Parallel()
	d := open(t)
	expired := time.Date(2031, 5, 6, 12, 0, 0, 0, time.UTC)
	first := d.lapsed(2, 2, expired, 60)
	if p := d.stands("spring", sql.CampaignRunning, 0, 2); p.ToInvite != 2 {
		t.Errorf("%d are to be invited again, want 2", p.ToInvite)
	}
	for i, before := range []int{30, 15} {
		day := midnight(expired.AddDate(0, 0, 60-before))
		if n := d.invitedAgain(day); n != 2 {
			t.Fatalf("round %d: %d were invited again", i, n)
		}
		p := d.stands("spring", sql.CampaignRunning, 2, 2+2*i)
		if p.ToInvite != 0 {
			t.Errorf("round %d: %d are to be invited again", i, p.ToInvite)
		}
		request := d.latest(number(0))
		if got := d.Text(t, `SELECT origin FROM request WHERE id = $1`, request); got != "retry" {
			t.Errorf("the request is of origin %s", got)
		}
		if got := d.Text(t, `SELECT event || ' by ' || actor || ': ' || why FROM audit WHERE request_id = $1`, request); got != "requested by worker: the code expired, the certificate ends soon" {
			t.Errorf("the audit log says %s", got)
		}
		d.must(d.ReleaseAll(d.ctx))
		h := d.start(10)
		d.must(d.FinishAccepted(d.ctx, h.mails))
		if len(h.mails) != 2 || h.mails[0].Code == first[0].Code {
			t.Errorf("round %d: %d mails, the code %s", i, len(h.mails), h.mails[0].Code)
		}
		d.expireAt(day.Add(conversion.DefaultCodeLifetime), 2)
		d.tallies(0)
		d.sound()
	}
	if p, err := d.Progress(d.ctx, "spring"); err != nil || p.ToInvite != 0 {
		t.Errorf("%d are to be invited a third time, error %v", p.ToInvite, err)
	}
	if n := d.invitedAgain(midnight(expired.AddDate(0, 0, 53))); n != 0 {
		t.Errorf("%d were invited a third time", n)
	}
}

// D16: a retry in another campaign is its first invitation; further ones are counted there.
func TestAgainElsewhere(t *testing.T) {
	t.Parallel()
	d := open(t)
	at := time.Date(2031, 5, 6, 12, 0, 0, 0, time.UTC)
	d.lapsed(2, 3, at, 60)
	plan, err := d.PlanRetry(d.ctx, sql.RetryScope{Campaign: "spring", Into: "autumn"})
	d.must(err)
	_, err = d.Retry(d.ctx, plan, d.keys, "admin")
	d.must(err)
	d.must(d.StartCampaign(d.ctx, "autumn", sql.CampaignSettings{Again: 1}, "", "admin"))
	if p := d.stands("spring", sql.CampaignRunning, 0, 2); p.ToInvite != 0 {
		t.Errorf("spring is to invite %d again, which autumn does", p.ToInvite)
	}
	first := at
	at = at.AddDate(0, 0, 3)
	for i, before := range []int{30, 15} {
		want := 2 - 2*i
		d.Freeze(t, at)
		d.must(d.ReleaseAll(d.ctx))
		d.deliver()
		d.expireAt(at.Add(conversion.DefaultCodeLifetime), 2)
		if p, err := d.Progress(d.ctx, "autumn"); err != nil || p.ToInvite != want {
			t.Errorf("autumn is to invite %d again, want %d, error %v", p.ToInvite, want, err)
		}
		at = midnight(first.AddDate(0, 0, 60-before))
		if n := d.invitedAgain(at); n != want {
			t.Errorf("%d were invited again, want %d", n, want)
		}
		d.tallies(0)
		d.sound()
	}
}

// D16: a campaign invites again as often as it says now. Who it once did not want to invite
// is invited on the next day that is ahead, unless another request is open or the space is
// switched.
func TestAgainIsRaised(t *testing.T) {
	t.Parallel()
	d := open(t)
	expired := time.Date(2031, 5, 6, 12, 0, 0, 0, time.UTC)
	set := func(again, want int) {
		t.Helper()
		d.must(d.SetCampaign(d.ctx, "spring", func(s *sql.CampaignSettings) { s.Again = again }, "admin"))
		if p, err := d.Progress(d.ctx, "spring"); err != nil || p.ToInvite != want {
			t.Errorf("with %d times %d are to be invited again, error %v, want %d", again, p.ToInvite, err, want)
		}
		d.tallies(0)
		d.sound()
	}
	d.lapsed(4, 0, expired, 60)
	set(1, 4)
	set(0, 0)
	_, err := d.RetryNumber(d.ctx, conversion.SubscriberNumber(number(3)), d.keys)
	d.must(err)
	_, err = d.opt(number(2), "opted@duvallon.example")
	d.must(err)
	set(1, 2)
	day := midnight(expired.AddDate(0, 0, 30))
	if n := d.invitedAgain(day); n != 2 {
		t.Fatalf("%d were invited again, want 2", n)
	}
	d.must(d.CancelNumber(d.ctx, conversion.SubscriberNumber(number(3))))
	d.must(d.ReleaseAll(d.ctx))
	d.deliver()
	d.expireAt(day.Add(conversion.DefaultCodeLifetime), 3) // the option, too
	set(2, 2)
	set(0, 0)
	d.Freeze(t, midnight(expired.AddDate(0, 0, 46)))
	set(4, 2) // the day that was the next as the codes expired is over
	set(0, 0)
	d.Freeze(t, midnight(expired.AddDate(0, 0, 53)))
	set(4, 2) // today
	if n := d.invitedAgain(d.frozen()); n != 2 {
		t.Errorf("%d were invited again 7 days before the end, want 2", n)
	}
	d.must(d.CancelNumber(d.ctx, conversion.SubscriberNumber(number(0))))
	d.must(d.CancelNumber(d.ctx, conversion.SubscriberNumber(number(1))))
	set(0, 0)
	d.Freeze(t, midnight(expired.AddDate(0, 0, 59)))
	set(4, 0) // none is ahead
}

// D16: never after an exclusion, for a campaign that is over, or who has another
// request meanwhile; nor more often than the campaign says by then.
func TestNotAgain(t *testing.T) {
	t.Parallel()
	expired := time.Date(2031, 5, 6, 12, 0, 0, 0, time.UTC)
	day := midnight(expired.AddDate(0, 0, 30))
	for name, act := range map[string]func(d *desk){
		"excluded":           func(d *desk) { d.exclude(number(0)) },
		"campaign closed":    func(d *desk) { _, err := d.CloseCampaign(d.ctx, "spring", "", "admin"); d.must(err) },
		"campaign cancelled": func(d *desk) { _, err := d.CancelCampaign(d.ctx, "spring", "", "admin"); d.must(err) },
		"opted":              func(d *desk) { _, err := d.opt(number(0), "opted@duvallon.example"); d.must(err) },
		"retried and cancelled": func(d *desk) {
			_, err := d.RetryNumber(d.ctx, conversion.SubscriberNumber(number(0)), d.keys)
			d.must(err)
			d.must(d.CancelNumber(d.ctx, conversion.SubscriberNumber(number(0))))
		},
		"never more": func(d *desk) {
			d.must(d.SetCampaign(d.ctx, "spring", func(s *sql.CampaignSettings) { s.Again = 0 }, "admin"))
		},
	} {
		d := open(t)
		d.lapsed(1, 3, expired, 60)
		act(d)
		if p, err := d.Progress(d.ctx, "spring"); err != nil || p.ToInvite != 0 && name != "excluded" {
			t.Errorf("%s: %d are to be invited again, error %v", name, p.ToInvite, err)
		}
		before := d.latest(number(0))
		if n := d.invitedAgain(day); n != 0 || d.latest(number(0)) != before {
			t.Errorf("%s: %d were invited again", name, n)
		}
		if n := d.count(`SELECT count(*) FROM reinvitation`); n != 0 {
			t.Errorf("%s: %d wait for ever", name, n)
		}
		d.tallies(0)
		d.sound()
	}
}

// D16: a cancelled request is not followed by another invitation, nor is one whose
// address is gone.
func TestAgainAfterExpiryAlone(t *testing.T) {
	t.Parallel()
	d := open(t)
	expired := time.Date(2031, 5, 6, 12, 0, 0, 0, time.UTC)
	d.lapsed(1, 3, expired, 60)
	d.Exec(t, `UPDATE code SET bounce = 'gone', bounced_at = bascule_now()`)
	if n := d.invitedAgain(midnight(expired.AddDate(0, 0, 30))); n != 0 {
		t.Errorf("%d were invited again at an address that is gone", n)
	}
	d = open(t)
	d.held("spring", rows(1)...)
	d.must(d.CancelNumber(d.ctx, conversion.SubscriberNumber(number(0))))
	if n := d.count(`SELECT count(*) FROM reinvitation`); n != 0 {
		t.Errorf("%d cancelled ones are to be invited again", n)
	}
}

// D16: a worker takes a few at a time, and none while an import is at work.
func TestAgainIsBounded(t *testing.T) {
	t.Parallel()
	d := open(t)
	expired := time.Date(2031, 5, 6, 12, 0, 0, 0, time.UTC)
	d.lapsed(5, 3, expired, 60)
	d.Freeze(t, midnight(expired.AddDate(0, 0, 30)))
	tx, err := d.Raw.Begin()
	d.must(err)
	_, err = tx.Exec(fmt.Sprintf(`SELECT pg_advisory_xact_lock(%d)`, sql.ImportLock))
	d.must(err)
	for _, want := range []int{0, 2, 2, 1, 0} {
		looked, err := d.InviteAgain(d.ctx, d.keys, 2)
		if err != nil || looked.Found != want || looked.Done != want {
			t.Errorf("%d looked at, %d opened, error %v; want %d", looked.Found, looked.Done, err, want)
		}
		if want == 0 && tx != nil {
			d.must(tx.Rollback())
			tx = nil
		}
	}
}

// pagesOfAFollowUp is about expired requests of a campaign, beside many that are to be
// invited again later: one more expires, some are invited again.
func (d *desk) pagesOfAFollowUp(t *testing.T) {
	const requests = 5
	var list []sql.ImportRow
	for i := range requests {
		list = append(list, row(fmt.Sprintf("F%06d", i), fmt.Sprintf("f%d@a.example", i), expires(time.Now().AddDate(1, 0, 0))))
	}
	d.visits(sql.Open, func(d *desk) {
		d.Exec(t, `INSERT INTO campaign (name, state, created_at) VALUES ('follow', 'running', bascule_now())`)
		d.Exec(t, `INSERT INTO reinvitation (request_id, campaign_id, nth, at)
			SELECT 1000000 + i, c.id, 1, '2099-01-01' FROM generate_series(1, 200000) i, campaign c WHERE c.name = 'follow'`)
		d.held("follow", list...)
		for _, r := range list {
			request := d.latest(string(r.Space.Number))
			d.Mail(t, d.keys, request)
			d.Overdue(t, request)
		}
		d.Exec(t, `DELETE FROM held`) // their mails left
	})
	expired := d.visits(sql.OpenWork, func(d *desk) {
		swept, err := d.Sweep(d.ctx, 100)
		d.must(err)
		if swept.Done != requests {
			t.Errorf("%d expired, want %d", swept.Done, requests)
		}
	})
	d.visits(sql.Open, func(d *desk) { d.Exec(t, `UPDATE reinvitation SET at = bascule_now() WHERE at < '2099-01-01'`) })
	again := d.visits(sql.OpenWork, func(d *desk) {
		looked, err := d.InviteAgain(d.ctx, d.keys, 100)
		d.must(err)
		if looked.Done != requests {
			t.Errorf("%d were invited again, want %d", looked.Done, requests)
		}
	})
	if expired/requests > 80 || again/requests > 155 {
		t.Errorf("%d pages for each that expires, %d for each that is invited again; 80 and 155 at the most", expired/requests, again/requests)
	}
}
