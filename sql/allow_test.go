package sql_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"bascule/internal/conversion"
	"bascule/sql"
	"bascule/sql/sqltest"
)

// firm are the rows of so many spaces that share an address.
func firm(n int) (list []sql.ImportRow) {
	for i := range n {
		list = append(list, row(number(i), "cabinet@duvallon.example", serial(fmt.Sprintf("f%d", i))))
	}
	return list
}

// leave releases and mails what may leave, and returns how many mails of each kind did.
func (d *desk) leave() map[sql.MailKind]int {
	d.t.Helper()
	kinds := make(map[sql.MailKind]int)
	for {
		n := d.release(nil)
		h := d.start(100)
		if n == 0 && len(h.mails) == 0 {
			return kinds
		}
		for _, m := range h.mails {
			kinds[m.Kind]++
		}
		d.must(d.FinishAccepted(d.ctx, h.mails))
	}
}

// D16: an accounting firm of twelve spaces gets five mails a day in Paris; the others
// wait, held by their campaign, in the order of their rows. A space with an address of
// its own waits for nobody.
func TestFiveADay(t *testing.T) {
	t.Parallel()
	d := open(t)
	d.Freeze(t, noon)
	d.held("spring", append(firm(12), row("ALONE1", "alone@duvallon.example"))...)
	d.must(d.StartCampaign(d.ctx, "spring", sql.CampaignSettings{PerDay: 7}, "", "admin"))
	if got := d.leave(); got[sql.MailCode] != 6 {
		t.Errorf("%v left on the first day, want 5 to the firm and 1", got)
	}
	d.stands("spring", sql.CampaignRunning, 7, 6)
	if got := d.Text(t, `SELECT string_agg(s.number, ' ' ORDER BY s.number) FROM request_code r JOIN space s ON s.id = r.space_id WHERE r.mailed_at IS NOT NULL`); got != "0000000 0000001 0000002 0000003 0000004 ALONE1" {
		t.Errorf("they went to %s", got)
	}
	if got := d.Text(t, `SELECT string_agg(email_key || ' ' || mails, ', ') FROM allowance`); got != "cabinet@duvallon.example 5" {
		t.Errorf("counted were %q", got)
	}
	d.tallies(0)
	d.sound()
	next := midnight(noon.AddDate(0, 0, 1))
	d.Freeze(t, next.Add(-time.Second))
	if got := d.leave(); len(got) != 0 {
		t.Errorf("%v left before midnight", got)
	}
	d.Freeze(t, next)
	if got := d.leave(); got[sql.MailCode] != 5 {
		t.Errorf("%v left on the second day, want 5", got)
	}
	d.must(d.PauseCampaign(d.ctx, "spring", "", "admin"))
	d.Freeze(t, next.AddDate(0, 0, 1))
	if got := d.leave(); len(got) != 0 {
		t.Errorf("%v left a paused campaign", got)
	}
	d.must(d.ResumeCampaign(d.ctx, "spring", "admin"))
	if got := d.leave(); got[sql.MailCode] != 2 {
		t.Errorf("%v left on the third day, want 2", got)
	}
	d.stands("spring", sql.CampaignRunning, 0, 13)
	d.tallies(0)
	d.sound()
}

// D16: reminders, and words that a code is over, count among the five, and wait too; what
// a subscriber asks for does neither.
func TestFiveOfAnyKind(t *testing.T) {
	t.Parallel()
	d := open(t)
	at := midnight(noon)
	d.Freeze(t, at)
	d.held("spring", firm(12)...)
	d.must(d.StartCampaign(d.ctx, "spring", sql.CampaignSettings{}, "", "admin"))
	d.leave()
	d.Freeze(t, at.AddDate(0, 0, 1))
	_, err := d.Remind(d.ctx, 100)
	d.must(err)
	if got := d.leave(); got[sql.MailReminder]+got[sql.MailCode] != 5 {
		t.Errorf("%v left on the second day, want 5", got)
	}
	if _, err := d.opt(number(11), "cabinet@duvallon.example"); err != nil {
		t.Fatal(err)
	}
	if got := d.leave(); got[sql.MailCode] != 1 {
		t.Errorf("%v left to who asked for it, want 1", got)
	}
	d.Freeze(t, at.AddDate(0, 0, 2))
	if _, err := d.Sweep(d.ctx, 100); err != nil {
		t.Fatal(err)
	}
	got := d.leave()
	if n := got[sql.MailReminder] + got[sql.MailCode] + got[sql.MailExpired]; n != 5 {
		t.Errorf("%v left on the third day, want 5", got)
	}
	d.sound()
}

// D16: a mail that the rate of mails held back, and one that certainly did not go out, is
// none of the five.
func TestFiveThatWentOut(t *testing.T) {
	t.Parallel()
	d := open(t)
	d.Freeze(t, noon)
	d.released("spring", firm(9)...)
	two := func(mails []*sql.Mail) ([]*sql.Mail, error) { return mails[:2], nil }
	for range 2 {
		h := d.startBy(sql.Window{Limit: 5, Admit: two})
		if len(h.mails) != 2 {
			t.Fatalf("%d mails started, want 2", len(h.mails))
		}
		d.must(d.FinishFailed(d.ctx, []sql.Failure{{Mail: h.mails[0], Delay: time.Minute, Counts: true, Refusal: "450"}}))
		d.must(d.FinishAccepted(d.ctx, h.mails[1:]))
	}
	d.Freeze(t, noon.Add(time.Hour))
	if got := d.leave(); got[sql.MailCode] != 3 {
		t.Errorf("after two mails %v left, want 3 more", got)
	}
	d.stands("spring", sql.CampaignRunning, 2, 5) // two that failed stay due
	d.Freeze(t, midnight(noon.AddDate(0, 0, 3)))
	if _, err := d.CleanUp(d.ctx, 100); err != nil {
		t.Fatal(err)
	}
	if n := d.count(`SELECT count(*) FROM allowance`); n != 0 {
		t.Errorf("%d allowances of days gone by are kept", n)
	}
	d.sound()
}

// D16, D9: an invitation that waits for its address does so no longer once its address
// is another one.
func TestAnotherAddressDoesNotWait(t *testing.T) {
	t.Parallel()
	d := open(t)
	d.Freeze(t, noon)
	d.held("spring", firm(6)...)
	d.must(d.StartCampaign(d.ctx, "spring", sql.CampaignSettings{}, "", "admin"))
	d.leave()
	d.held("spring", row(number(5), "own@duvallon.example", serial("f5")))
	if got := d.leave(); got[sql.MailCode] != 1 {
		t.Errorf("%v left, want 1", got)
	}
}

// D16: nobody is invited twice within two days at the same address, but who is named.
func TestTwoDays(t *testing.T) {
	t.Parallel()
	const again = 20 * time.Hour
	for name, c := range map[string]struct {
		invite func(d *desk)
		want   int // mails at once
	}{
		"retry": {func(d *desk) {
			if _, err := d.RetryAll(d.ctx, 0, false, d.keys); err != nil {
				d.t.Fatal(err)
			}
		}, 0},
		"named": {func(d *desk) {
			if _, err := d.RetryNumber(d.ctx, conversion.SubscriberNumber(number(0)), d.keys); err != nil {
				d.t.Fatal(err)
			}
		}, 1},
		"import": {func(d *desk) {
			d.held("spring", row(number(0), "a0@duvallon.example", holder("Dominique Duvallon")))
		}, 0},
		"import of another address": {func(d *desk) { d.held("spring", row(number(0), "b0@duvallon.example")) }, 1},
	} {
		d := open(t)
		d.Freeze(t, noon)
		d.released("spring", rows(1)...)
		s, err := d.StartMail(d.ctx, sql.Window{Lane: sql.LaneBulk, Limit: 1, Lifetime: again, Keys: d.keys})
		d.must(err)
		d.must(d.FinishAccepted(d.ctx, s.Mails))
		d.expireAt(noon.Add(again), 1)
		c.invite(d)
		if got := d.leave(); got[sql.MailCode] != c.want {
			t.Errorf("%s: %v left, want %d", name, got, c.want)
		}
		d.Freeze(t, noon.Add(48*time.Hour-time.Second))
		d.held("spring", row("OTHER1", "other@duvallon.example"))
		if got := d.leave(); got[sql.MailCode] != 1 {
			t.Errorf("%s: %v left within two days, want another's", name, got)
		}
		d.Freeze(t, noon.Add(48*time.Hour))
		if got := d.leave(); got[sql.MailCode] != 1-c.want {
			t.Errorf("%s: %v left after two days, want %d", name, got, 1-c.want)
		}
		d.sound()
	}
}

// D16, D9: an open request whose address changes and changes back is not invited a second
// time there within two days, whatever was excluded and lifted meanwhile. The address in
// between is another one.
func TestBackWithinTwoDays(t *testing.T) {
	t.Parallel()
	d := open(t)
	d.Freeze(t, noon)
	first := row(number(0), "a0@duvallon.example")
	d.released("spring", first)
	d.leave()
	for _, r := range []sql.ImportRow{row(number(0), "typo@duvallon.example"), first} {
		d.held("spring", r)
		d.leave()
	}
	excluded := conversion.Excluded{Kind: conversion.ExcludedNumber, Key: number(0)}
	_, err := d.Exclude(d.ctx, sql.Exclusion{Excluded: excluded, Reason: "call 12"}, "admin")
	d.must(err)
	_, err = d.Lift(d.ctx, excluded, "call 13", "admin")
	d.must(err)
	for _, c := range []struct {
		after   time.Duration
		address string
		want    int
	}{{48*time.Hour - time.Second, "a0", 1}, {48 * time.Hour, "a0", 2}, {48 * time.Hour, "typo", 1}} {
		d.Freeze(t, noon.Add(c.after))
		d.leave()
		if n := d.count(`SELECT count(*) FROM code WHERE started_at IS NOT NULL AND email = $1`, c.address+"@duvallon.example"); n != c.want {
			t.Errorf("after %s %s was invited %d times, want %d", c.after, c.address, n, c.want)
		}
	}
	d.sound()
}

// D16, D9: an administrator who corrects the address of a number names it: its invitation
// does not wait, whether its request is open or over.
func TestCorrectedWithinTwoDays(t *testing.T) {
	t.Parallel()
	const again = 20 * time.Hour
	for _, over := range []bool{false, true} {
		d := open(t)
		d.Freeze(t, noon)
		d.released("spring", row(number(0), "a0@duvallon.example"))
		s, err := d.StartMail(d.ctx, sql.Window{Lane: sql.LaneBulk, Limit: 1, Lifetime: again, Keys: d.keys})
		d.must(err)
		d.must(d.FinishAccepted(d.ctx, s.Mails))
		if over {
			d.expireAt(noon.Add(again), 1)
			d.held("spring", row(number(0), "typo@duvallon.example"))
			d.must(d.CancelNumber(d.ctx, conversion.SubscriberNumber(number(0))))
		} else {
			d.held("spring", row(number(0), "typo@duvallon.example"))
		}
		_, _, err = d.Correct(d.ctx, sql.Correction{Number: conversion.SubscriberNumber(number(0)), Email: sqltest.Email(t, "a0@duvallon.example"), Reason: "call 12", Actor: "helper", Keys: d.keys})
		d.must(err)
		if got := d.leave(); got[sql.MailCode] != 1 {
			t.Errorf("over %v: %v left, want 1", over, got)
		}
		d.sound()
	}
}

// D16: whatever the locale of the database, a window locks the numbers of its addresses
// in the order in which outcomes do, that of their column: no two wait for each other.
func TestAllowanceLocksInOrder(t *testing.T) {
	t.Parallel()
	d := open(t)
	query, err := os.ReadFile("query/allow.sql")
	d.must(err)
	plan := d.plan(d.Raw, string(query), "{a@duvallon.example}", "{1}", 5)
	if !strings.Contains(plan, `COLLATE "C"`) {
		t.Errorf("no order of the column's:\n%s", plan)
	}
}

// D16: an address that several spaces come to share on a day on which its first one was
// mailed, or reminded: that mail is one of the five.
func TestFiveOfAnAddressThatIsShared(t *testing.T) {
	t.Parallel()
	for _, reminded := range []bool{false, true} {
		d := open(t)
		d.Freeze(t, noon)
		d.held("spring", firm(1)...)
		d.must(d.StartCampaign(d.ctx, "spring", sql.CampaignSettings{}, "", "admin"))
		had := d.leave()
		if reminded {
			d.Freeze(t, noon.AddDate(0, 0, 1))
			_, err := d.Remind(d.ctx, 1)
			d.must(err)
			had = d.leave()
		}
		d.held("spring", firm(9)...)
		if got := d.leave(); had[sql.MailCode]+had[sql.MailReminder] != 1 || got[sql.MailCode] != 4 {
			t.Errorf("reminded %v: %v left to the first, %v to the others, want 4", reminded, had, got)
		}
		d.Freeze(t, midnight(noon.AddDate(0, 0, 3)))
		if got := d.leave(); got[sql.MailCode] != 4 {
			t.Errorf("reminded %v: %v left on another day, want 4", reminded, got)
		}
		d.sound()
	}
}

// D16: an address that several spaces shared today has five mails, although the last of
// them has it alone by then.
func TestFiveOfAnAddressThatWasShared(t *testing.T) {
	t.Parallel()
	d := open(t)
	d.Freeze(t, noon)
	d.released("spring", firm(5)...)
	d.leave()
	for i := range 5 {
		d.held("spring", row(number(i), fmt.Sprintf("own%d@duvallon.example", i), serial(fmt.Sprintf("f%d", i))))
	}
	d.held("spring", row(number(5), "cabinet@duvallon.example"))
	for _, c := range []struct {
		at   time.Time
		want int // mails to the address
	}{{noon, 5}, {midnight(noon.AddDate(0, 0, 1)), 6}} {
		d.Freeze(t, c.at)
		d.leave()
		if n := d.count(`SELECT count(*) FROM code WHERE started_at IS NOT NULL AND email = 'cabinet@duvallon.example'`); n != c.want {
			t.Errorf("%s: %d mails left, want %d", c.at, n, c.want)
		}
	}
	d.sound()
}
