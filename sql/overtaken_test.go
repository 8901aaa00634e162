package sql_test

import (
	"testing"
	"time"

	"bascule/internal/conversion"
	"bascule/sql"
)

// startWhile starts mails, and does something after the window has read what holds them
// back.
func (d *desk) startWhile(f func()) *hand {
	d.t.Helper()
	once := f
	return d.startBy(sql.Window{Limit: 100, Admit: func(mails []*sql.Mail) ([]*sql.Mail, error) {
		once()
		once = func() {}
		return mails, nil
	}})
}

// D12, I1: a campaign is resumed while a worker puts its mails off, as it was paused. The
// mails leave.
func TestResumedWhileMailsArePutOff(t *testing.T) {
	t.Parallel()
	d := open(t)
	d.held("spring", row("000001", "a@duvallon.example"))
	d.must(d.StartCampaign(d.ctx, "spring", sql.CampaignSettings{}, "", "admin"))
	d.release(nil)
	d.Exec(t, `UPDATE campaign SET state = 'paused'`) // what was released is not held again yet
	if h := d.startWhile(func() { d.must(d.ResumeCampaign(d.ctx, "spring", "admin")) }); len(h.mails) != 0 {
		t.Errorf("%d mails started", len(h.mails))
	}
	d.tallies(0)
	if n := d.deliver(); n != 1 {
		t.Errorf("%d mails left the resumed campaign, want 1", n)
	}
	d.tallies(0)
	d.sound()
}

// D17, I1: an exclusion is lifted, or replaced by one that is over soon, while a worker
// puts an invitation off for it. The invitation leaves.
func TestLiftedWhileMailsArePutOff(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*desk){
		"lifted":   func(d *desk) { d.must(d.lift("a@duvallon.example")) },
		"replaced": func(d *desk) { d.exclude("a@duvallon.example", time.Now().Add(time.Minute)) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := open(t)
			d.invite("000001", "a@duvallon.example")
			d.exclude("a@duvallon.example")
			if h := d.startWhile(func() { end(d) }); len(h.mails) != 0 {
				t.Errorf("%d mails started", len(h.mails))
			}
			d.tallies(0)
			d.Shift(t, 2*time.Minute)
			d.must(d.ReleaseAll(d.ctx))
			if n := d.deliver(); n != 1 {
				t.Errorf("%d mails left once nobody is left alone, want 1", n)
			}
			d.tallies(0)
			d.sound()
		})
	}
}

// D17, D12: an exclusion is lifted while a command ends the request whose invitation waits
// for that. Nothing is held of a request that has ended.
func TestLiftedWhileCancelled(t *testing.T) {
	t.Parallel()
	d := open(t)
	request := d.invite("000001", "a@duvallon.example")
	d.exclude("a@duvallon.example")
	d.deliver() // it is put off
	tx, err := d.Raw.BeginTx(d.ctx, nil)
	d.must(err)
	defer tx.Rollback()
	_, err = tx.Exec(`WITH cancelled AS (
			UPDATE request SET cancelled_at = bascule_now() WHERE id = $1 RETURNING id, space_id, cancelled_at
		), dead AS (
			UPDATE code SET void_at = cancelled_at FROM cancelled c WHERE request_id = c.id
		) INSERT INTO audit (at, space_id, request_id, event, actor, why) SELECT cancelled_at, space_id, id, 'cancelled', 'admin', 'test' FROM cancelled`, request)
	d.must(err)
	lifted := make(chan error, 1)
	go func() {
		_, err := d.DB.DB.Lift(d.ctx, conversion.Excluded{Kind: conversion.ExcludedAddress, Key: "a@duvallon.example"}, "r", "admin")
		lifted <- err
	}()
	d.must(d.untilSoMany(1, func() bool { return len(lifted) > 0 }))
	d.must(tx.Commit())
	d.must(<-lifted)
	if n := d.deliver(); n != 0 {
		t.Errorf("%d mails left", n)
	}
	d.tallies(0)
	d.sound()
}

// D13, D17: invitations whose exclusion ends leave as the campaign's brakes allow, like
// those of one that is lifted.
func TestExclusionEndsWithinTheDay(t *testing.T) {
	t.Parallel()
	d := open(t)
	at := time.Date(2031, 10, 13, 9, 0, 0, 0, conversion.Paris)
	d.Freeze(t, at)
	in := d.sheet(row("000001", "a@duvallon.example"), row("000002", "b@duvallon.example"), row("000003", "c@duvallon.example"))
	in.Campaign = "spring"
	d.run(in)
	d.exclude("duvallon.example", at.AddDate(0, 0, 3))
	if n := d.deliver(); n != 0 {
		t.Fatalf("%d mails were sent to who is left alone", n)
	}
	d.must(d.SetCampaign(d.ctx, "spring", func(s *sql.CampaignSettings) { s.PerDay = 2 }, "admin"))
	for day, want := range []int{0, 0, 0, 2, 1, 0} {
		d.Freeze(t, at.AddDate(0, 0, day))
		d.must(d.ReleaseAll(d.ctx))
		if n := d.deliver(); n != want {
			t.Errorf("day %d: %d mails were sent, want %d", day, n, want)
		}
		d.tallies(0)
		d.sound()
	}
}

// D17, I1: an exclusion with an earlier end takes the place of another one. The invitation
// waits no longer than that.
func TestEarlierEnd(t *testing.T) {
	t.Parallel()
	d := open(t)
	d.invite("000001", "a@duvallon.example")
	for _, end := range []time.Duration{24 * time.Hour, time.Minute} {
		d.exclude("000001", time.Now().Add(end))
		if n := d.deliver(); n != 0 {
			t.Fatalf("%d mails were sent", n)
		}
	}
	d.Shift(t, 2*time.Minute)
	d.must(d.ReleaseAll(d.ctx))
	if n := d.deliver(); n != 1 {
		t.Errorf("%d mails were sent once the exclusion is over, want 1", n)
	}
	d.sound()
}
