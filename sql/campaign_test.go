package sql_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/text/unicode/norm"

	"bascule/internal/conversion"
	"bascule/sql"
)

// held hands a spreadsheet in to a campaign that is not started.
func (d *desk) held(campaign string, rows ...sql.ImportRow) sql.ImportResult {
	d.t.Helper()
	in := d.sheet(rows...)
	in.Campaign = campaign
	result, err := d.DB.DB.Import(d.ctx, in, nil)
	d.must(err)
	return result
}

// released imports rows into a campaign of no settings, which releases them.
func (d *desk) released(campaign string, rows ...sql.ImportRow) {
	d.t.Helper()
	d.held(campaign, rows...)
	d.launch(campaign, sql.CampaignSettings{})
}

// launch starts a campaign, and has it release what it may.
func (d *desk) launch(campaign string, s sql.CampaignSettings) {
	d.t.Helper()
	d.must(d.StartCampaign(d.ctx, campaign, s, "", "admin"))
	d.must(d.ReleaseAll(d.ctx))
}

// release has the running campaigns release what they may.
func (d *desk) release(help sql.Assistance) int {
	d.t.Helper()
	n, err := d.Release(d.ctx, help, conversion.DefaultCodeLifetime)
	d.must(err)
	return n
}

// stands checks a campaign's state, and how many invitations it holds and has started.
func (d *desk) stands(name string, state sql.CampaignState, held, started int) sql.CampaignProgress {
	d.t.Helper()
	p, err := d.Progress(d.ctx, name)
	d.must(err)
	if p.State != state || p.Held != held || p.Started != started {
		d.t.Errorf("the campaign is %s, holds %d and has started %d, want %s, %d, %d", p.State, p.Held, p.Started, state, held, started)
	}
	return p
}

func rows(n int) (list []sql.ImportRow) {
	for i := range n {
		list = append(list, row(number(i), fmt.Sprintf("a%d@duvallon.example", i)))
	}
	return list
}

// recipients are the numbers of started mails.
func (h *hand) numbers() (list []string) {
	for _, m := range h.mails {
		list = append(list, string(m.Number))
	}
	return list
}

// D12: an import is held: no invitation leaves before its campaign runs, none while it
// is paused, and all of them in the end.
func TestHeldMeansHeld(t *testing.T) {
	t.Parallel()
	d := open(t)
	if r := d.held("spring", rows(5)...); r.Campaign != "spring" || r.State != sql.CampaignPrepared || r.Accepted != 5 {
		t.Errorf("the import says %+v", r)
	}
	d.release(nil)
	if n := d.deliver(); n != 0 {
		t.Errorf("%d mails left a campaign that is not started", n)
	}
	d.stands("spring", sql.CampaignPrepared, 5, 0)
	d.must(d.StartCampaign(d.ctx, "SPRING", sql.CampaignSettings{}, "", "admin"))
	d.release(nil)
	h := d.start(2)
	d.must(d.PauseCampaign(d.ctx, "spring", "too many calls", "admin"))
	if n := len(d.start(10).mails); n != 0 {
		t.Errorf("%d mails started after the pause", n)
	}
	d.must(d.FinishAccepted(d.ctx, h.mails)) // mails that had started are mailed
	d.release(nil)
	p := d.stands("spring", sql.CampaignPaused, 3, 2)
	if p.Why != "too many calls" || p.Mailed != 2 || p.Requested != 3 {
		t.Errorf("it stands so: %+v", p)
	}
	d.sound()
	if s, err := d.Status(d.ctx, 0); err != nil || s.ToSend != 0 {
		t.Errorf("%d mails are to send, error %v", s.ToSend, err)
	}
	d.must(d.ResumeCampaign(d.ctx, "spring", "admin"))
	d.release(nil)
	if n := d.deliver(); n != 3 {
		t.Errorf("%d mails left after the pause, want 3", n)
	}
	d.stands("spring", sql.CampaignRunning, 0, 5)
	d.tallies(0)
	d.sound()
}

// D12: mails that a subscriber asked for are never held, nor those that follow: an
// option, another address, a notice to the contact, a new password.
func TestNeverHeld(t *testing.T) {
	t.Parallel()
	d := open(t)
	d.released("spring", rows(2)...)
	chooser := d.mail(d.latest(number(0)))
	d.must(d.PauseCampaign(d.ctx, "spring", "", "admin"))
	if _, err := d.choose(chooser, "other@duvallon.example"); err != nil {
		t.Fatal(err)
	}
	if _, err := d.opt(number(1), "opted@duvallon.example"); err != nil {
		t.Fatal(err)
	}
	if n := d.deliver(); n != 4 { // two codes, two notices
		t.Errorf("%d mails left, want 4", n)
	}
	d.sound()
}

// D12: a cancelled campaign ends its open requests, and nothing else. Switched spaces
// stay switched, and a code that was mailed is dead. A second cancel changes nothing.
func TestCancelCampaign(t *testing.T) {
	t.Parallel()
	d := open(t)
	d.held("wrong", rows(4)...)
	d.held("right", row("R00001", "r@duvallon.example"))
	d.launch("wrong", sql.CampaignSettings{Pilot: 2})
	d.must(d.activate(d.mail(d.latest(number(0)))))
	mailed := d.mail(d.latest(number(1)))
	for i, why := range []string{"the wrong file", "once more"} {
		if n, err := d.CancelCampaign(d.ctx, "wrong", why, "admin"); n != []int64{3, 0}[i] || err != nil {
			t.Errorf("call %d ended %d requests, error %v", i, n, err)
		}
	}
	d.endedOnce("wrong", sql.CampaignCancelled, "the wrong file")
	if _, err := d.FindCode(d.ctx, d.keys, mailed.email, mailed.code); !errors.Is(err, conversion.ErrCodeRefused) {
		t.Errorf("the mailed code: %v", err)
	}
	p := d.stands("wrong", sql.CampaignCancelled, 0, 2)
	if p.Activated != 1 || p.Cancelled != 3 {
		t.Errorf("it stands so: %v", p.Counts)
	}
	d.stands("right", sql.CampaignPrepared, 1, 0)
	var state *sql.CampaignStateError
	if err := d.ResumeCampaign(d.ctx, "wrong", "admin"); !errors.As(err, &state) {
		t.Errorf("it resumed: %v", err)
	}
	in := d.sheet(row("N00001", "n@duvallon.example"))
	in.Campaign = "wrong"
	if _, err := d.DB.DB.Import(d.ctx, in, nil); !errors.As(err, &state) {
		t.Errorf("it took more rows: %v", err)
	}
	d.tallies(0)
	d.sound()
}

// endedOnce checks that a campaign keeps the reason for which it ended first, and that its
// log tells that end alone (I9).
func (d *desk) endedOnce(name string, state sql.CampaignState, why string) {
	d.t.Helper()
	if got := d.Text(d.t, `SELECT string_agg(c.why || ', ' || a.why, '; ') FROM campaign c JOIN campaign_audit a ON a.campaign_id = c.id AND a.event = $2
		WHERE c.name = $1`, name, state); got != why+", "+why {
		d.t.Errorf("it is %s, and its log says: %s", state, got)
	}
}

// D12: a space that another campaign's request switched, or its holder's own, counts as
// switched in each campaign that asked it to move.
func TestSwitchedByAnotherCampaign(t *testing.T) {
	t.Parallel()
	d := open(t)
	d.held("spring", rows(3)...)
	d.must(d.CancelNumber(d.ctx, conversion.SubscriberNumber(number(0))))
	d.launch("spring", sql.CampaignSettings{})
	d.released("autumn", row(number(0), "b0@duvallon.example"))
	d.must(d.activate(d.mail(d.latest(number(0)))))
	d.must(d.activate(d.mail(d.latest(number(1)))))
	for name, want := range map[string]map[conversion.Access]int{
		"spring": {conversion.AccessCertificate: 1, conversion.AccessPassword: 2},
		"autumn": {conversion.AccessCertificate: 0, conversion.AccessPassword: 1},
	} {
		p, err := d.Progress(d.ctx, name)
		d.must(err)
		if diff := cmp.Diff(want, p.Spaces); diff != "" {
			t.Errorf("the spaces of %s (-want, +got):\n%s", name, diff)
		}
	}
	d.tallies(0)
	d.sound()
}

// D12: a closed campaign sends nothing more; a code that was mailed is good until its
// deadline, an invitation that had not left ends.
func TestCloseCampaign(t *testing.T) {
	t.Parallel()
	d := open(t)
	d.held("spring", rows(3)...)
	d.launch("spring", sql.CampaignSettings{Pilot: 1})
	mailed := d.mail(d.latest(number(0)))
	for i, why := range []string{"all is done", "", "once more"} { // a call that broke off is made again
		if n, err := d.CloseCampaign(d.ctx, "spring", why, "admin"); n != []int64{2, 0, 0}[i] || err != nil {
			t.Errorf("call %d ended %d requests, error %v", i, n, err)
		}
	}
	d.endedOnce("spring", sql.CampaignClosed, "all is done")
	if n := d.deliver(); n != 0 {
		t.Errorf("%d mails left", n)
	}
	d.must(d.activate(mailed))
	d.stands("spring", sql.CampaignClosed, 0, 1)
	if _, err := d.CancelCampaign(d.ctx, "spring", "", "admin"); err == nil {
		t.Error("it was cancelled after that")
	}
	d.sound()
}

// D12: a pilot pauses once its invitations have started, those of a relay that refuses
// them for now among them; another hand-over of the same is none more.
func TestPilot(t *testing.T) {
	t.Parallel()
	d := open(t)
	d.held("spring", rows(6)...)
	d.launch("spring", sql.CampaignSettings{Pilot: 3})
	h := d.start(10)
	if len(h.mails) != 3 {
		t.Fatalf("%d mails started, want 3", len(h.mails))
	}
	d.release(nil)
	d.stands("spring", sql.CampaignRunning, 3, 3) // a worker is at it
	d.must(d.FinishAccepted(d.ctx, h.mails[1:]))
	d.must(d.FinishFailed(d.ctx, []sql.Failure{{Mail: h.mails[0], Delay: time.Hour, Counts: true, Refusal: "450"}}))
	d.release(nil)
	p := d.stands("spring", sql.CampaignPaused, 3, 2)
	if p.Why != "pilot" {
		t.Errorf("it paused because of %q", p.Why)
	}
	d.Shift(t, time.Hour+time.Second)
	if n := d.deliver(); n != 0 {
		t.Errorf("%d mails left while it is paused", n)
	}
	d.must(d.ResumeCampaign(d.ctx, "spring", "admin"))
	d.must(d.ReleaseAll(d.ctx))
	if n := d.deliver(); n != 4 {
		t.Errorf("%d mails left afterwards, want 4", n)
	}
	d.stands("spring", sql.CampaignRunning, 0, 6)
}

// D12: a pilot holds until its mails have left, whoever paused the campaign meanwhile, and
// so does another one that the paused campaign was given.
func TestPilotOutlastsPauses(t *testing.T) {
	t.Parallel()
	d := open(t)
	d.held("spring", rows(6)...)
	d.launch("spring", sql.CampaignSettings{Pilot: 2, Again: 2, PerDay: 50, StartsAt: time.Unix(1_000_000_000, 0)})
	for _, pilot := range []int{3, 5} {
		d.deliver()
		d.release(nil)
		d.must(d.SetCampaign(d.ctx, "spring", func(s *sql.CampaignSettings) { s.Pilot = pilot }, "admin"))
		if pilot == 5 {
			d.must(d.ResumeCampaign(d.ctx, "spring", "admin"))
			d.must(d.PauseCampaign(d.ctx, "spring", "too many calls", "admin"))
		}
		d.must(d.ResumeCampaign(d.ctx, "spring", "admin"))
		d.must(d.ReleaseAll(d.ctx))
	}
	d.deliver()
	d.release(nil)
	p := d.stands("spring", sql.CampaignPaused, 1, 5)
	if p.Why != "pilot" || p.Pilot != 0 {
		t.Errorf("it paused because of %q, with a pilot of %d", p.Why, p.Pilot)
	}
	if p.Again != 2 || p.PerDay != 50 || p.StartsAt.Unix() != 1_000_000_000 {
		t.Errorf("the end of the pilot changed other settings: %+v", p.CampaignSettings)
	}
}

// D13: at most so many invitations start on a day in Paris, over midnight and over both
// nights in which the clocks change. A start that certainly failed does not count.
func TestPerDay(t *testing.T) {
	t.Parallel()
	for _, day := range []string{"2031-03-29", "2031-10-25", "2031-12-31"} {
		t.Run(day, func(t *testing.T) {
			d := open(t)
			noon, err := time.ParseInLocation(time.DateTime, day+" 12:00:00", conversion.Paris)
			d.must(err)
			d.Freeze(t, noon)
			d.held("spring", rows(40)...)
			d.must(d.StartCampaign(d.ctx, "spring", sql.CampaignSettings{PerDay: 7}, "", "admin"))
			perDay := make(map[string]int)
			for hour := range 72 {
				at := noon.Add(time.Duration(hour) * time.Hour)
				d.Freeze(t, at)
				d.must(d.ReleaseAll(d.ctx))
				h := d.start(2)
				if hour%5 == 0 && len(h.mails) > 0 { // it fails, and counts no more
					d.must(d.FinishFailed(d.ctx, []sql.Failure{{Mail: h.mails[0], Delay: time.Minute, Counts: true, Refusal: "450"}}))
					h.mails = h.mails[1:]
				}
				d.must(d.FinishAccepted(d.ctx, h.mails))
				perDay[at.In(conversion.Paris).Format(time.DateOnly)] += len(h.mails)
			}
			first, next := perDay[day], perDay[noon.AddDate(0, 0, 1).Format(time.DateOnly)]
			if first != 7 || next != 7 || len(perDay) != 4 {
				t.Errorf("they left so: %v", perDay)
			}
			for day, n := range perDay {
				if n > 7 {
					t.Errorf("%d left on %s", n, day)
				}
			}
		})
	}
}

// firstHours is an assistance that answers for the first hour of each day, in UTC.
type firstHours struct{}

func (firstHours) Between(from, to time.Time) (sum time.Duration) {
	for at := from; at.Before(to); at = at.Add(time.Minute) {
		if at.UTC().Hour() == 0 {
			sum += time.Minute
		}
	}
	return sum
}

func (firstHours) NextOpen(from time.Time) (time.Time, bool) {
	if from.UTC().Hour() > 0 {
		from = from.UTC().Truncate(24 * time.Hour).Add(24 * time.Hour)
	}
	return from, true
}

// D14: an invitation starts only while enough assistance is in the lifetime of its code:
// one that was released in time and waited for the relay is not, either.
func TestMinHelp(t *testing.T) {
	t.Parallel()
	d := open(t)
	// Within 48 hours lie two hours of assistance, whenever they begin.
	at := time.Date(2031, 5, 6, 12, 0, 0, 0, time.UTC)
	d.Freeze(t, at)
	d.held("spring", rows(2)...)
	d.must(d.StartCampaign(d.ctx, "spring", sql.CampaignSettings{MinHelp: 2*time.Hour + time.Minute}, "", "admin"))
	if n := d.release(firstHours{}); n != 0 {
		t.Errorf("%d were released though there is too little assistance", n)
	}
	d.must(d.SetCampaign(d.ctx, "spring", func(s *sql.CampaignSettings) { s.MinHelp = 2 * time.Hour }, "admin"))
	if n := d.release(firstHours{}); n != 2 {
		t.Errorf("%d were released, want 2", n)
	}
	d.Freeze(t, at.Add(2*time.Minute)) // nobody looked since
	if n := len(d.start(1).mails); n != 0 {
		t.Errorf("%d started though nobody knows whether there is assistance", n)
	}
	d.Freeze(t, at.Add(4*time.Minute))
	d.release(firstHours{})
	if n := d.deliver(); n != 2 {
		t.Errorf("%d left, want 2", n)
	}
}

// D14, I5: a copy of an invitation in doubt waits for no assistance: its code has started,
// and its deadline stands.
func TestMinHelpOfDoubt(t *testing.T) {
	t.Parallel()
	d := open(t)
	at := time.Date(2031, 5, 6, 12, 0, 0, 0, time.UTC)
	d.Freeze(t, at)
	d.held("spring", rows(1)...)
	d.must(d.StartCampaign(d.ctx, "spring", sql.CampaignSettings{MinHelp: time.Hour}, "", "admin"))
	d.release(firstHours{})
	h := d.start(1)
	d.must(d.FinishInDoubt(d.ctx, h.mails, time.Minute))
	d.Freeze(t, at.Add(10*time.Minute)) // too late for another invitation
	if n := d.deliver(); n != 1 {
		t.Errorf("%d copies left, want 1", n)
	}
}

// D14: a lifetime reaches into two of these hours. An hour and a half of them is enough
// from the minute on in which it reaches so far, and until the second.
func TestMinHelpEnds(t *testing.T) {
	t.Parallel()
	d := open(t)
	d.held("spring", rows(3)...)
	least := 90 * time.Minute // within 48 hours and a half of them
	d.must(d.StartCampaign(d.ctx, "spring", sql.CampaignSettings{MinHelp: least}, "", "admin"))
	const lifetime = 24*time.Hour + 40*time.Minute
	for at, want := range map[string]int{"23:19:30": 0, "23:49:59": 0, "23:50:00": 1, "00:00:00": 1, "00:29:30": 1, "00:30:00": 0} {
		instant, err := time.Parse(time.DateTime, "2031-05-06 "+at)
		d.must(err)
		d.Freeze(t, instant)
		_, err = d.Release(d.ctx, firstHours{}, lifetime)
		d.must(err)
		if got := d.count(`SELECT count(*) FROM campaign WHERE open_until > bascule_now()`); got != want {
			t.Errorf("at %s it is open: %d, want %d; until %s", at, got, want, d.Text(t, `SELECT open_until::text FROM campaign`))
		}
	}
}

// D13: invitations leave by priority, then those of certificates that still hold, the
// earliest expiry first, then the others, then by row.
func TestOrder(t *testing.T) {
	t.Parallel()
	d := open(t)
	d.Freeze(t, time.Date(2031, 5, 5, 23, 0, 0, 0, time.UTC)) // the 6th in Paris
	in := func(number string, priority int, expires string) sql.ImportRow {
		r := row(number, strings.ToLower(number)+"@duvallon.example")
		day, err := time.Parse(time.DateOnly, expires)
		d.must(err)
		r.Priority, r.Space.Certificate.Expires = priority, day
		return r
	}
	d.held("spring",
		in("LATER1", 0, "2031-06-01"), in("PAST01", 5, "2031-05-05"), in("SOON01", 5, "2031-05-06"), in("LATER2", 5, "2031-06-01"),
		in("LAST01", 9, "2031-05-06"), in("FIRST1", 1, "2031-01-01"), in("FIRST2", 1, "2033-01-01"))
	const lie = "FIRST1 FIRST2 PAST01 SOON01 LATER1 LATER2 LAST01" // whose mails leave together are neighbours
	for _, place := range []string{"s.ctid", "r.ctid", "c.ctid", "r.id"} {
		if got := d.Text(t, `SELECT string_agg(s.number, ' ' ORDER BY `+place+`) FROM space s JOIN request r ON r.space_id = s.id JOIN code c ON c.request_id = r.id`); got != lie {
			t.Errorf("by %s they are %s, want %s", place, got, lie)
		}
	}
	d.launch("spring", sql.CampaignSettings{})
	want := []string{"FIRST2", "FIRST1", "SOON01", "LATER1", "LATER2", "PAST01", "LAST01"}
	if got := d.start(10).numbers(); !slices.Equal(got, want) {
		t.Errorf("they leave as %v, want %v", got, want)
	}
}

// D12: a row belongs to the named campaign, otherwise to the campaign of its space's
// latest request while that is open. Otherwise it belongs to a new one named after the
// file.
func TestCampaignOfAFile(t *testing.T) {
	t.Parallel()
	d := open(t)
	one, two := row("000001", "a@duvallon.example"), row("000002", "b@duvallon.example")
	if r := d.held("", one); r.Campaign != "lot" {
		t.Errorf("a new file is of %q", r.Campaign)
	}
	if r := d.held("", two); r.Campaign != "lot 2" {
		t.Errorf("another new file is of %q", r.Campaign)
	}
	wrong := sql.ImportRow{Line: 3, Space: conversion.Space{Number: "000003"}, Cell: "C3", Reason: "adresse invalide"}
	d.held("spring", row("000009", "i@duvallon.example"), wrong)
	if r := d.held("", row("000003", "c@duvallon.example")); r.Campaign != "spring" {
		t.Errorf("a corrected row is of %q", r.Campaign)
	}
	other := row("000002", "other@duvallon.example")
	if r := d.held("", other, row("000004", "d@duvallon.example"), row("000005", "e@duvallon.example")); r.Campaign != "lot 2" {
		t.Errorf("a file with a known row is of %q", r.Campaign)
	}
	d.must(d.CancelNumber(d.ctx, "000001"))
	d.held("spring", row("000001", "again@duvallon.example"))
	if got := d.Text(t, `SELECT string_agg(s.number || ' ' || c.name, ', ' ORDER BY r.id)
		FROM request r JOIN space s ON s.id = r.space_id JOIN campaign c ON c.id = r.campaign_id WHERE s.number IN ('000001', '000003', '000004')`); got != "000001 lot, 000003 spring, 000004 lot 2, 000001 spring" {
		t.Errorf("the requests are of %s", got)
	}
	if _, err := d.CloseCampaign(d.ctx, "lot", "", "admin"); err != nil {
		t.Fatal(err)
	}
	if r := d.held("", one); r.Campaign != "spring" {
		t.Errorf("a file whose campaign is closed is of %q", r.Campaign)
	}
	d.tallies(0)
	d.sound()
}

// D12, D10: a retry goes on in the campaign of the request before, and is held with it.
// If that campaign is over, the retry names another one, which is made if need be.
func TestRetryInCampaign(t *testing.T) {
	t.Parallel()
	d := open(t)
	d.held("spring", rows(2)...)
	d.must(d.CancelNumber(d.ctx, conversion.SubscriberNumber(number(0))))
	plan, err := d.PlanRetry(d.ctx, sql.RetryScope{Numbers: []conversion.SubscriberNumber{conversion.SubscriberNumber(number(0))}})
	d.must(err)
	if n, err := d.DB.DB.Retry(d.ctx, plan, d.keys, "admin"); n != 1 || err != nil {
		t.Fatalf("%d were invited again, error %v", n, err)
	}
	d.stands("spring", sql.CampaignPrepared, 2, 0)
	if _, err := d.CancelCampaign(d.ctx, "spring", "", "admin"); err != nil {
		t.Fatal(err)
	}
	plan, err = d.PlanRetry(d.ctx, sql.RetryScope{Numbers: []conversion.SubscriberNumber{conversion.SubscriberNumber(number(0))}})
	d.must(err)
	if len(plan.Named) != 1 || plan.Named[0].Why != sql.ObstacleClosed {
		t.Errorf("the plan is %+v", plan)
	}
	autumn := sql.RetryScope{Numbers: []conversion.SubscriberNumber{conversion.SubscriberNumber(number(0))}, Into: "autumn"}
	plan, err = d.PlanRetry(d.ctx, autumn)
	d.must(err)
	for _, want := range []int64{1, 0} { // twice is once
		if n, err := d.DB.DB.Retry(d.ctx, plan, d.keys, "admin"); n != want || err != nil {
			t.Errorf("%d were invited in another campaign, error %v; want %d", n, err, want)
		}
	}
	d.stands("autumn", sql.CampaignPrepared, 1, 0)
	d.launch("autumn", sql.CampaignSettings{})
	d.must(d.activate(d.mail(d.latest(number(0)))))
	d.tallies(0)
	d.sound()
}

// D12: no request goes into a campaign that is over, even if it ends after the plan.
func TestRetryIntoEndedCampaign(t *testing.T) {
	t.Parallel()
	d := open(t)
	d.held("spring", row("000001", "a@duvallon.example"))
	d.held("autumn", row("000002", "b@duvallon.example"))
	d.must(d.CancelNumber(d.ctx, "000001"))
	into := sql.RetryScope{Numbers: []conversion.SubscriberNumber{"000001"}, Into: "autumn"}
	plan, err := d.PlanRetry(d.ctx, into)
	d.must(err)
	_, err = d.CloseCampaign(d.ctx, "autumn", "", "admin")
	d.must(err)
	refused := func(err error) {
		t.Helper()
		if over, ok := errors.AsType[*sql.CampaignStateError](err); !ok || over.State != sql.CampaignClosed {
			t.Errorf("the error is %v", err)
		}
	}
	_, err = d.DB.DB.Retry(d.ctx, plan, d.keys, "admin")
	refused(err)
	_, err = d.PlanRetry(d.ctx, into)
	refused(err)
	for number, over := range map[conversion.SubscriberNumber]bool{"000001": false, "000002": true} {
		if s, err := d.Story(d.ctx, number); err != nil || s.Next.Retry != "" || s.Next.Over != over {
			t.Errorf("%s: next %+v, error %v", number, s.Next, err)
		}
	}
	d.sound()
}

// D15: signals are those of the last hour and the last day, since the campaign was
// started or resumed; folding the tally loses none.
func TestSignals(t *testing.T) {
	t.Parallel()
	d := open(t)
	start := time.Date(2031, 5, 6, 9, 0, 30, 0, time.UTC)
	d.Freeze(t, start)
	d.released("spring", rows(6)...)
	h := d.start(4)
	d.must(d.FinishAccepted(d.ctx, h.mails[:3]))
	d.must(d.FinishRefused(d.ctx, []sql.Failure{{Mail: h.mails[3], Refusal: "550 5.1.1", Reply: "550 5.1.1"}}))
	for i, class := range []conversion.Bounce{conversion.BounceGone, conversion.BounceComplaint, conversion.BouncePolicy} {
		if _, err := d.Bounced(d.ctx, h.mails[i].RequestID, h.mails[i].Generation, class); err != nil {
			t.Fatal(err)
		}
	}
	p := d.stands("spring", sql.CampaignRunning, 0, 4)
	d.must(d.NoteEntries(d.ctx, map[int64]sql.Entries{p.ID: {All: 3, Failed: 1}}))
	all := sql.CampaignSignals{ID: p.ID, Name: "spring", Since: start, Mails: 4, Complaints: 1, Dead: 2, Entries: 3, Failures: 1}
	check := func(after time.Duration, want ...sql.CampaignSignals) {
		t.Helper()
		d.Freeze(t, start.Add(after))
		d.must(d.Fold(d.ctx))
		got, err := d.Signals(d.ctx)
		d.must(err)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("after %s (-want, +got):\n%s", after, diff)
		}
	}
	hour, day := all, all
	hour.Hours, day.Hours = 1, 24
	check(0, hour, day)
	check(2*time.Minute, hour, day)
	check(59*time.Minute, hour, day)
	check(61*time.Minute, day)
	check(23*time.Hour+59*time.Minute, day)
	check(24*time.Hour + time.Minute)
	check(26 * time.Hour)
	d.tallies(0)

	d.deliver()
	d.must(d.PauseCampaign(d.ctx, "spring", "", "admin"))
	check(26 * time.Hour)
	d.Freeze(t, start.Add(26*time.Hour+time.Minute))
	d.must(d.ResumeCampaign(d.ctx, "spring", "admin"))
	check(26*time.Hour + 2*time.Minute) // a resume starts anew
}

// D15: a campaign that does harm is paused, with the reason, and the operator gets one
// alert. An earlier pause by a person keeps its reason, and a campaign that was resumed
// since its signals were counted goes on. An alert that does not go out stays.
func TestStopCampaign(t *testing.T) {
	t.Parallel()
	d := open(t)
	d.held("spring", rows(2)...)
	d.must(d.StartCampaign(d.ctx, "spring", sql.CampaignSettings{}, "", "admin"))
	p := d.stands("spring", sql.CampaignRunning, 2, 0)
	alert := sql.Alert{Subject: "Campagne arrêtée", Text: "Elle est en pause."}
	signals := d.signals(p)
	stop := func(want bool) {
		t.Helper()
		if stopped, err := d.DB.StopCampaign(d.ctx, signals, "stopped: too many complaints", alert); stopped != want || err != nil {
			t.Errorf("%v, %v", stopped, err)
		}
	}
	stop(true)
	stop(false)
	if p := d.stands("spring", sql.CampaignPaused, 2, 0); p.Why != "stopped: too many complaints" {
		t.Errorf("it is paused because of %q", p.Why)
	}
	d.must(d.ResumeCampaign(d.ctx, "spring", "admin"))
	stop(false)
	d.stands("spring", sql.CampaignRunning, 2, 0)
	refused := errors.New("relay refuses")
	if _, err := d.SendAlert(d.ctx, func(sql.Alert) error { return refused }); !errors.Is(err, refused) {
		t.Errorf("error %v", err)
	}
	var sent []string
	for range 2 {
		if _, err := d.SendAlert(d.ctx, func(a sql.Alert) error { sent = append(sent, a.Subject); return nil }); err != nil {
			t.Fatal(err)
		}
	}
	if len(sent) != 1 || sent[0] != alert.Subject {
		t.Errorf("sent were %q", sent)
	}
}

// signals are those that the campaign would have now, if it did harm.
func (d *desk) signals(p sql.CampaignProgress) sql.CampaignSignals {
	d.t.Helper()
	var since time.Time
	d.must(d.Raw.QueryRow(`SELECT watched_from FROM campaign WHERE id = $1`, p.ID).Scan(&since))
	return sql.CampaignSignals{ID: p.ID, Since: since}
}

// D15: a campaign is stopped, and that is told, although what it has released cannot be
// held again.
func TestStopCampaignAnyway(t *testing.T) {
	t.Parallel()
	d := open(t)
	d.released("spring", rows(2)...)
	d.Exec(t, `CREATE TRIGGER broken BEFORE INSERT ON held FOR EACH ROW EXECUTE FUNCTION refuse('a test')`)
	p := d.stands("spring", sql.CampaignRunning, 0, 0)
	if stopped, err := d.DB.StopCampaign(d.ctx, d.signals(p), "stopped: too many complaints", sql.Alert{Subject: "S", Text: "T"}); !stopped || err == nil {
		t.Errorf("%v, %v", stopped, err)
	}
	d.stands("spring", sql.CampaignPaused, 0, 0)
}

// D13, D17: a subscriber who is left alone for days takes no room of the others' day.
func TestPerDayBesideExclusions(t *testing.T) {
	t.Parallel()
	d := open(t)
	at, err := d.Now(d.ctx)
	d.must(err)
	d.held("spring", rows(3)...)
	_, err = d.Exclude(d.ctx, sql.Exclusion{Excluded: conversion.Excluded{Kind: conversion.ExcludedNumber, Key: number(0)},
		Reason: "asked", EndsAt: at.AddDate(0, 0, 10)}, "admin")
	d.must(err)
	d.must(d.StartCampaign(d.ctx, "spring", sql.CampaignSettings{PerDay: 2}, "", "admin"))
	left := 0
	for range 3 {
		d.must(d.ReleaseAll(d.ctx))
		left += d.deliver()
	}
	if left != 2 {
		t.Errorf("%d mails left, want 2", left)
	}
}

// D12, D13: brakes that change while a campaign runs hold what it has released already.
func TestBrakesHoldReleased(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		change func(*sql.CampaignSettings, time.Time)
		want   int // mails that leave today
		state  sql.CampaignState
	}{
		"per day":  {func(s *sql.CampaignSettings, _ time.Time) { s.PerDay = 3 }, 3, sql.CampaignRunning},
		"pilot":    {func(s *sql.CampaignSettings, _ time.Time) { s.Pilot = 3 }, 3, sql.CampaignPaused},
		"later":    {func(s *sql.CampaignSettings, at time.Time) { s.StartsAt = at.Add(time.Hour) }, 1, sql.CampaignRunning},
		"min help": {func(s *sql.CampaignSettings, _ time.Time) { s.MinHelp = 72 * time.Hour }, 1, sql.CampaignRunning},
		"again":    {func(s *sql.CampaignSettings, _ time.Time) { s.Again = 1 }, 9, sql.CampaignRunning},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := open(t)
			at := time.Date(2031, 5, 6, 12, 0, 0, 0, time.UTC)
			d.Freeze(t, at)
			d.held("spring", rows(10)...)
			d.must(d.StartCampaign(d.ctx, "spring", sql.CampaignSettings{}, "", "admin"))
			d.release(nil)
			d.must(d.CancelNumber(d.ctx, conversion.SubscriberNumber(number(9))))
			h := d.start(1) // under way
			d.must(d.SetCampaign(d.ctx, "spring", func(s *sql.CampaignSettings) { test.change(s, at) }, "admin"))
			d.tallies(0)
			d.must(d.FinishAccepted(d.ctx, h.mails))
			left := 1
			for range 3 {
				d.release(firstHours{})
				left += d.deliver()
			}
			if left != test.want {
				t.Errorf("%d left, want %d", left, test.want)
			}
			d.stands("spring", test.state, 9-test.want, test.want)
			d.tallies(0)
			d.sound()
		})
	}
}

// A campaign whose invitations cannot be released holds up no other.
func TestReleaseDespiteAnother(t *testing.T) {
	t.Parallel()
	d := open(t)
	for i, name := range []string{"broken", "spring"} {
		d.held(name, row(number(i), fmt.Sprintf("a%d@duvallon.example", i)))
		d.must(d.StartCampaign(d.ctx, name, sql.CampaignSettings{}, "", "admin"))
	}
	d.Exec(t, `CREATE TRIGGER broken BEFORE DELETE ON held FOR EACH ROW WHEN (OLD.campaign_id = 1) EXECUTE FUNCTION refuse('a test')`)
	if n, err := d.Release(d.ctx, nil, conversion.DefaultCodeLifetime); n != 1 || err == nil {
		t.Errorf("%d were released, error %v", n, err)
	}
	d.stands("broken", sql.CampaignRunning, 1, 0)
}

// D12: a campaign that is named after a file can be named again: as a keyboard writes its
// accents, and without the blank before which a long name was cut.
func TestCampaignNamedAfterFile(t *testing.T) {
	t.Parallel()
	d := open(t)
	number := 10000000
	for file, want := range map[string]string{
		"e\u0301te\u0301 2027.csv":              "été 2027",
		strings.Repeat("x", 99) + " spring.csv": strings.Repeat("x", 99),
		strings.Repeat("e\u0301", 100) + ".csv": strings.Repeat("é", 100),
		" \u200b .csv":                          "import",
		"--yes - x.csv":                         "yes - x",
	} {
		number++
		in := d.sheet(row(fmt.Sprint(number), "anne@exemple.example"))
		in.FileName = file
		got, _ := d.run(in)
		if got.Campaign != want {
			t.Errorf("%q is imported as the campaign %q, want %q", file, got.Campaign, want)
		}
		if name, err := sql.ParseCampaignName(norm.NFD.String(want)); name != want || err != nil {
			t.Errorf("the name of %q reads as %q, %v", want, name, err)
		}
	}
}

// I9: the log tells each setting.
func TestSettingsAreTold(t *testing.T) {
	t.Parallel()
	told := make(map[string]bool)
	all := []sql.CampaignSettings{{}, {StartsAt: time.Unix(0, 0)}, {Pilot: 1}, {PerDay: 1}, {MinHelp: time.Minute}, {Again: 1}}
	for _, s := range all {
		told[s.String()] = true
	}
	if len(told) != len(all) {
		t.Errorf("of %d settings the log tells %q", len(all), slices.Collect(maps.Keys(told)))
	}
}
