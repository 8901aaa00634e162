package sql_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"bascule/internal/conversion"
	"bascule/sql"
	"bascule/sql/sqltest"
)

// D12, I1: a campaign ends while an import that has found it open adds to it. Nothing
// waits for it for ever.
func TestEndedWhileImporting(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*sql.DB, context.Context, string, string, string) (int64, error){
		"cancelled": (*sql.DB).CancelCampaign, "closed": (*sql.DB).CloseCampaign,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := open(t)
			d.held("spring", row("000001", "a@duvallon.example"))
			tx := d.holdImports()
			var both sync.WaitGroup
			both.Go(func() { d.held("spring", row("000002", "b@duvallon.example")) })
			d.waiting(1)
			ended := make(chan int64, 1)
			both.Go(func() {
				n, err := end(d.DB.DB, d.ctx, "spring", "", "admin")
				if err != nil {
					t.Error(err)
				}
				ended <- n
			})
			d.must(d.untilSoMany(2, func() bool { return len(ended) > 0 }))
			d.must(tx.Rollback())
			both.Wait()
			if n := <-ended; n != 2 || d.state(d.latest("000002")) != conversion.StateCancelled {
				t.Errorf("%d requests ended, want 2; the latest is %s", n, d.state(d.latest("000002")))
			}
			d.tallies(0)
			d.sound()
		})
	}
}

// D12: an import that starts its campaign is stored, too, if somebody else starts the campaign
// while the import is at work. If somebody cancels it, nothing is stored.
func TestStartedWhileImported(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		state sql.CampaignState
		move  func(d *desk) error
		rows  int
	}{
		{sql.CampaignRunning, func(d *desk) error {
			return d.StartCampaign(d.ctx, "spring", sql.CampaignSettings{Pilot: 1}, "", "admin")
		}, 2},
		{sql.CampaignCancelled, func(d *desk) error {
			_, err := d.CancelCampaign(d.ctx, "spring", "", "admin")
			return err
		}, 1},
	} {
		t.Run(string(c.state), func(t *testing.T) {
			t.Parallel()
			d := open(t)
			d.held("spring", row("000001", "a@duvallon.example"))
			tx := d.holdImports()
			in := d.sheet(row("000002", "b@duvallon.example"))
			in.Campaign, in.Start = "spring", true
			var both sync.WaitGroup
			both.Go(func() {
				result, err := d.DB.DB.Import(d.ctx, in, nil)
				if over, ok := errors.AsType[*sql.CampaignStateError](err); ok {
					result.State, err = over.State, nil
				}
				if err != nil || result.State != c.state {
					t.Errorf("the campaign is %q for the import, error %v", result.State, err)
				}
			})
			d.waiting(1)
			both.Go(func() {
				if err := c.move(d); err != nil {
					t.Error(err)
				}
			})
			d.until(`SELECT state <> 'prepared' FROM campaign`)
			d.must(tx.Rollback())
			both.Wait()
			if p, err := d.Progress(d.ctx, "spring"); err != nil || p.State != c.state || p.Rows != c.rows {
				t.Errorf("the campaign is %s, of %d rows, error %v", p.State, p.Rows, err)
			}
			d.tallies(0)
			d.sound()
		})
	}
}

// untilSoMany waits until that many connections wait for a lock, or until done.
func (d *desk) untilSoMany(n int, done func() bool) error {
	for d.ctx.Err() == nil && !done() {
		if d.count(`SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`) >= n {
			return nil
		}
	}
	return d.ctx.Err()
}

// D9, D12: another address for a subscriber whose code a closed campaign mailed. The
// code is dead. The invitation belongs to the campaign of the file.
func TestRedirectAfterClose(t *testing.T) {
	t.Parallel()
	d := open(t)
	d.released("spring", row("000001", "a@duvallon.example"))
	old := d.mail(d.latest("000001"))
	_, err := d.CloseCampaign(d.ctx, "spring", "", "admin")
	d.must(err)
	v, result, err := d.Correct(d.ctx, sql.Correction{Number: "000001", Email: sqltest.Email(t, "b@duvallon.example"), Reason: "typing error", Actor: "admin", Keys: d.keys})
	if err != nil || v.Kind != "accepted" {
		t.Fatalf("the verdict is %+v, error %v", v, err)
	}
	d.refused(old)
	d.tallies(0)
	d.sound()
	d.launch(result.Campaign, sql.CampaignSettings{})
	d.must(d.activate(d.mail(d.latest("000001"))))
	d.tallies(0)
	d.sound()
}

// D12: a code is reissued that a closed campaign had mailed. Its owner gets the new one
// at once.
func TestReissueAfterClose(t *testing.T) {
	t.Parallel()
	d := open(t)
	d.released("spring", row("000001", "a@duvallon.example"))
	old := d.mail(d.latest("000001"))
	_, err := d.CloseCampaign(d.ctx, "spring", "", "admin")
	d.must(err)
	leaked := d.keys.Newest()
	d.keys = otherKeys(t)
	if n, err := d.Reissue(d.ctx, leaked, d.keys, "admin"); n != 1 || err != nil {
		t.Fatalf("%d codes were reissued, error %v", n, err)
	}
	d.refused(old)
	d.sound()
	d.must(d.activate(d.mail(d.latest("000001"))))
	d.tallies(0)
	d.sound()
}

// D12, I1: a campaign is closed while the relay is at an invitation, and the hand-over
// fails. The request ends, as it would have a moment before.
func TestFailedAfterClose(t *testing.T) {
	t.Parallel()
	d := open(t)
	d.released("spring", row("000001", "a@duvallon.example"))
	h := d.start(1)
	if n, err := d.CloseCampaign(d.ctx, "spring", "", "admin"); n != 0 || err != nil {
		t.Errorf("%d requests ended, error %v: the mail is under way", n, err)
	}
	d.must(d.FinishFailed(d.ctx, h.failures("421", false)))
	for range 2 {
		if n := d.deliver(); n != 0 {
			t.Errorf("%d mails left", n)
		}
		d.Shift(t, time.Minute)
	}
	if got := d.state(d.latest("000001")); got != conversion.StateCancelled || d.count(`SELECT count(*) FROM obligation`) != 0 {
		t.Errorf("the request is %s", got)
	}
	d.tallies(0)
	d.sound()
}

// D12: a mail that waits without end for a paused campaign waits no longer once that is
// over.
func TestEndedWhilePaused(t *testing.T) {
	t.Parallel()
	d := open(t)
	d.released("spring", row("000001", "a@duvallon.example"))
	d.must(d.FinishInDoubt(d.ctx, d.start(1).mails, 0))
	d.must(d.PauseCampaign(d.ctx, "spring", "", "admin"))
	d.deliver()
	if n := d.count(`SELECT count(*) FROM obligation WHERE due_at = 'infinity'`); n != 1 {
		t.Fatalf("%d mails are put off", n)
	}
	_, err := d.CloseCampaign(d.ctx, "spring", "", "admin")
	d.must(err)
	d.tallies(0)
	if n := d.deliver(); n != 0 || d.count(`SELECT count(*) FROM obligation`) != 0 {
		t.Errorf("%d mails left, or some wait for ever", n)
	}
	d.tallies(0)
	d.sound()
}

// D12, D1, D8: a campaign is closed while the mail is due by which a subscriber proves an
// address of their own. It leaves, and activates.
func TestChoiceOutlivesCampaign(t *testing.T) {
	t.Parallel()
	for name, choose := range map[string]func(d *desk, contact proof) error{
		"another address": func(d *desk, contact proof) error { _, err := d.choose(contact, "mine@duvallon.example"); return err },
		"by certificate":  func(d *desk, _ proof) error { _, err := d.opt("000001", "mine@duvallon.example"); return err },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := open(t)
			d.released("spring", row("000001", "a@duvallon.example"))
			d.must(choose(d, d.mail(d.latest("000001"))))
			if n, err := d.CloseCampaign(d.ctx, "spring", "", "admin"); n != 0 || err != nil {
				t.Errorf("%d requests ended, error %v", n, err)
			}
			d.must(d.activate(d.mail(d.latest("000001"))))
			d.tallies(0)
			d.sound()
		})
	}
}

// D8, D12: the certificate holder chooses the address to which an invitation is under way,
// and the hand-over fails, before or after somebody stops the campaign. The mail is the
// holder's now: no campaign holds it back.
func TestStandingMailIsFree(t *testing.T) {
	t.Parallel()
	for name, stop := range map[string]func(d *desk) error{
		"paused": func(d *desk) error { return d.PauseCampaign(d.ctx, "spring", "", "admin") },
		"closed": func(d *desk) error { _, err := d.CloseCampaign(d.ctx, "spring", "", "admin"); return err },
		"set": func(d *desk) error {
			return d.SetCampaign(d.ctx, "spring", func(s *sql.CampaignSettings) { s.PerDay = 1 }, "admin")
		},
		"lifted": func(d *desk) error {
			d.exclude("000001")
			d.Exec(d.t, `UPDATE obligation SET due_at = bascule_now() + interval '15 seconds' WHERE started_at IS NULL`) // excused (D11)
			return errors.Join(d.PauseCampaign(d.ctx, "spring", "", "admin"), d.lift("000001"))
		},
	} {
		for _, late := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s %t", name, late), func(t *testing.T) {
				t.Parallel()
				d := open(t)
				d.released("spring", row("000001", "a@duvallon.example"))
				h := d.start(1)
				_, err := d.opt("000001", "a@duvallon.example")
				d.must(err)
				for i := range 3 {
					if i == 0 && !late || i == 1 && late {
						d.must(stop(d))
					}
					if i > 0 {
						if h = d.start(1); len(h.mails) != 1 {
							t.Fatalf("%d mails start", len(h.mails))
						}
					}
					if i < 2 {
						d.must(d.FinishFailed(d.ctx, h.failures("421", false)))
					}
				}
				d.must(d.FinishAccepted(d.ctx, h.mails))
				d.must(d.activate(d.code(h.mails[0])))
				if n := d.count(`SELECT coalesce(sum(started), 0) FROM tally`); n != 0 {
					t.Errorf("the campaign has started %d", n)
				}
				d.tallies(0)
				d.sound()
			})
		}
	}
}

// D12, R21: a paused campaign holds back the mail that tells an invited person that the
// code has expired. A subscriber who chose another address is told.
func TestExpiredChoiceIsTold(t *testing.T) {
	t.Parallel()
	d := open(t)
	d.released("spring", row("000001", "a@duvallon.example"), row("000002", "b@duvallon.example"))
	d.mail(d.latest("000001"))
	_, err := d.choose(d.mail(d.latest("000002")), "other@duvallon.example")
	d.must(err)
	d.deliver()
	d.must(d.PauseCampaign(d.ctx, "spring", "", "admin"))
	d.Shift(t, 49*time.Hour)
	swept, err := d.Sweep(d.ctx, 10)
	if err != nil || swept.Done != 2 {
		t.Fatalf("%+v, %v; want 2 expired", swept, err)
	}
	h := d.start(10)
	if len(h.mails) != 1 || h.mails[0].Kind != sql.MailExpired || h.mails[0].To.String() != "other@duvallon.example" {
		t.Errorf("%d mails start, want the one to the address that was chosen", len(h.mails))
	}
}
