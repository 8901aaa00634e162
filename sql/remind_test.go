package sql_test

import (
	"context"
	"testing"
	"time"

	"bascule/internal/conversion"
	"bascule/sql"
)

// half is when a reminder of a code that started now is due.
const half = conversion.DefaultCodeLifetime / 2

// reminders makes the reminders due, and starts what may leave.
func (d *desk) reminders(help sql.Assistance) *hand {
	d.t.Helper()
	_, err := d.Remind(d.ctx, 100)
	d.must(err)
	h := d.startWith(100, help)
	for _, m := range h.mails {
		if m.Kind != sql.MailReminder {
			d.t.Errorf("a %s mail left", m.Kind)
		}
	}
	return h
}

// running is a campaign of n invitations that were mailed at an instant.
func (d *desk) running(n int, at time.Time) (mails []*sql.Mail) {
	d.t.Helper()
	d.Freeze(d.t, at)
	d.released("spring", rows(n)...)
	h := d.start(n)
	d.must(d.FinishAccepted(d.ctx, h.mails))
	return h.mails
}

// noon is a Tuesday, on which assistance answers in the hour after midnight.
var noon = time.Date(2031, 5, 6, 12, 0, 0, 0, time.UTC)

// D16: one reminder with the same code and deadline, once half of the lifetime is over.
func TestReminder(t *testing.T) {
	t.Parallel()
	d := open(t)
	first := d.running(2, noon)
	d.Freeze(t, noon.Add(half-time.Second))
	if n := len(d.reminders(nil).mails); n != 0 {
		t.Errorf("%d reminders left before half time", n)
	}
	d.Freeze(t, noon.Add(half))
	if swept, err := d.Sweep(d.ctx, 10); err != nil || swept.Found != 0 {
		t.Errorf("a sweep took %d deadlines that have not passed, error %v", swept.Found, err)
	}
	h := d.reminders(nil)
	if len(h.mails) != 2 {
		t.Fatalf("%d reminders left, want 2", len(h.mails))
	}
	for i, m := range h.mails {
		if m.To != first[i].To || m.Code != first[i].Code || !m.ExpiresAt.Equal(first[i].ExpiresAt) || m.Date.Equal(first[i].Date) {
			t.Errorf("the reminder is %+v, the invitation was %+v", m, first[i])
		}
	}
	d.must(d.FinishAccepted(d.ctx, h.mails))
	if p := d.stands("spring", sql.CampaignRunning, 0, 2); p.Reminded != 2 {
		t.Errorf("%d reminders are counted, want 2", p.Reminded)
	}
	d.Freeze(t, noon.Add(half+time.Hour))
	if n := len(d.reminders(nil).mails); n != 0 {
		t.Errorf("%d reminders left after the first", n)
	}
	if got := d.audit(d.latest(number(0))); got != "requested by admin, mailed by worker, reminder mailed by worker" {
		t.Errorf("the audit log says %s", got)
	}
	d.accepted(d.code(first[0]), d.latest(number(0)))
	d.Freeze(t, noon.Add(2*half))
	if swept, err := d.Sweep(d.ctx, 10); err != nil || swept.Done != 2 {
		t.Errorf("%d expired at the deadline, error %v", swept.Done, err)
	}
	d.tallies(0)
	d.sound()
}

// I8, R21, D16: one statement looks at few codes, however many started together.
func TestLooksAtDeadlinesAreBounded(t *testing.T) {
	t.Parallel()
	d := open(t)
	const codes, most = 150, 64
	d.running(codes, noon)
	for _, c := range []struct {
		name string
		at   time.Time
		look func(ctx context.Context, limit int) (sql.Looked, error)
	}{
		{"reminders", noon.Add(half), d.Remind},
		{"ended requests", noon.Add(2 * half), d.Sweep},
	} {
		d.Freeze(t, c.at)
		done := 0
		for found := 1; found > 0; {
			looked, err := c.look(d.ctx, 1)
			d.must(err)
			if looked.Done > most {
				t.Errorf("%s: %d of one deadline, %d at the most", c.name, looked.Done, most)
			}
			found, done = looked.Found, done+looked.Done
		}
		if done != codes {
			t.Errorf("%s: %d in all, want %d", c.name, done, codes)
		}
	}
}

// D16: assistance answers when a reminder leaves; if it does not before the deadline,
// none does.
func TestReminderWaitsForHelp(t *testing.T) {
	t.Parallel()
	d := open(t)
	d.running(1, noon)
	d.Freeze(t, noon.Add(half))
	if n := len(d.reminders(firstHours{}).mails); n != 0 {
		t.Errorf("%d reminders left while nobody answers", n)
	}
	d.Freeze(t, noon.Add(half+12*time.Hour-time.Second))
	if n := len(d.reminders(firstHours{}).mails); n != 0 {
		t.Errorf("%d reminders left a second early", n)
	}
	d.Freeze(t, noon.Add(half+12*time.Hour))
	if n := len(d.reminders(firstHours{}).mails); n != 1 {
		t.Errorf("%d reminders left once somebody answers, want 1", n)
	}
	late := open(t)
	late.running(1, noon.Add(-12*time.Hour)) // the deadline is midnight: as it passes, assistance would answer
	late.Freeze(t, noon.Add(half-11*time.Hour))
	late.reminders(firstHours{})
	if n := late.count(`SELECT count(*) FROM obligation`); n != 0 {
		t.Errorf("%d reminders wait for assistance that comes too late", n)
	}
}

// D16: some subscribers get no reminder, before half time or after it. They have typed
// the code, their mail came back, they are left alone, their request is over, or they
// chose for themselves.
func TestNoReminder(t *testing.T) {
	t.Parallel()
	for name, act := range map[string]func(d *desk, m *sql.Mail){
		"typed":     func(d *desk, m *sql.Mail) { d.accepted(d.code(m), m.RequestID) },
		"bounced":   func(d *desk, m *sql.Mail) { d.Exec(d.t, `UPDATE code SET bounce = 'late', bounced_at = bascule_now()`) },
		"excluded":  func(d *desk, m *sql.Mail) { d.exclude(number(0)) },
		"cancelled": func(d *desk, m *sql.Mail) { d.must(d.CancelNumber(d.ctx, m.Number)) },
		"opted": func(d *desk, m *sql.Mail) {
			_, err := d.opt(number(0), m.To.String())
			d.must(err)
		},
		"another address": func(d *desk, m *sql.Mail) {
			d.kinds(row(number(0), "another@duvallon.example"))
		},
		"campaign closed": func(d *desk, m *sql.Mail) {
			_, err := d.CloseCampaign(d.ctx, "spring", "", "admin")
			d.must(err)
		},
	} {
		for _, before := range []bool{true, false} {
			t.Run(name, func(t *testing.T) {
				d := open(t)
				first := d.running(1, noon)
				d.Freeze(t, noon.Add(half))
				if before {
					act(d, first[0])
				}
				_, err := d.Remind(d.ctx, 10)
				d.must(err)
				late := name == "excluded" || name == "campaign closed" // its start finds out
				if n := d.count(`SELECT count(*) FROM obligation WHERE kind = 'reminder'`); before && !late && n != 0 {
					t.Errorf("%d reminders are due", n)
				}
				if !before {
					if n := d.count(`SELECT count(*) FROM obligation WHERE kind = 'reminder'`); n != 1 {
						t.Fatalf("%d reminders are due, want 1", n)
					}
					act(d, first[0])
				}
				for _, m := range d.start(10).mails {
					if m.Kind == sql.MailReminder {
						t.Errorf("before half time %v: a reminder left", before)
					}
				}
			})
		}
	}
}

// D16, D12: a paused campaign holds its reminders; those whose deadline comes first are
// void.
func TestReminderIsHeld(t *testing.T) {
	t.Parallel()
	d := open(t)
	d.running(1, noon)
	d.must(d.PauseCampaign(d.ctx, "spring", "", "admin"))
	d.Freeze(t, noon.Add(half))
	if n := len(d.reminders(nil).mails); n != 0 {
		t.Errorf("%d reminders left a paused campaign", n)
	}
	d.must(d.ResumeCampaign(d.ctx, "spring", "admin"))
	h := d.reminders(nil)
	if len(h.mails) != 1 {
		t.Errorf("%d reminders left the campaign that goes on, want 1", len(h.mails))
	}
	d.must(d.FinishFailed(d.ctx, []sql.Failure{{Mail: h.mails[0], Delay: time.Minute, Counts: true, Refusal: "450"}}))
	d.must(d.PauseCampaign(d.ctx, "spring", "", "admin"))
	d.Freeze(t, noon.Add(half+time.Hour))
	d.start(10)
	d.Freeze(t, noon.Add(2*half))
	_, err := d.CleanUp(d.ctx, 10)
	d.must(err)
	if n := d.count(`SELECT count(*) FROM obligation`); n != 0 {
		t.Errorf("%d reminders wait for ever", n)
	}
	d.tallies(0)
	d.sound()
}

// D16: one whose code somebody holds at half time is reminded a little later.
func TestReminderOfAHeldCode(t *testing.T) {
	t.Parallel()
	d := open(t)
	d.running(2, noon)
	d.Freeze(t, noon.Add(half))
	tx, err := d.Raw.Begin()
	d.must(err)
	_, err = tx.Exec(`SELECT FROM code WHERE request_id = $1 FOR UPDATE`, d.latest(number(0)))
	d.must(err)
	if n := len(d.reminders(nil).mails); n != 1 {
		t.Errorf("%d reminders left, want 1", n)
	}
	d.must(tx.Rollback())
	d.Freeze(t, noon.Add(half+2*time.Second))
	if n := len(d.reminders(nil).mails); n != 1 {
		t.Errorf("%d reminders left afterwards, want 1", n)
	}
	d.Freeze(t, noon.Add(2*half))
	if swept, err := d.Sweep(d.ctx, 10); err != nil || swept.Done != 2 {
		t.Errorf("%d expired, error %v", swept.Done, err)
	}
}

// D16, D4: a code that started anew is reminded by its own half time, once.
func TestReminderOfASecondStart(t *testing.T) {
	t.Parallel()
	d := open(t)
	d.Freeze(t, noon)
	d.released("spring", rows(1)...)
	h := d.start(1)
	d.must(d.FinishFailed(d.ctx, []sql.Failure{{Mail: h.mails[0], Delay: time.Hour, Counts: true, Refusal: "450"}}))
	d.Freeze(t, noon.Add(time.Hour))
	if n := d.deliver(); n != 1 {
		t.Fatalf("%d mails left", n)
	}
	for _, c := range []struct {
		at   time.Duration
		want int
	}{{half, 0}, {half + time.Hour, 1}, {half + 2*time.Hour, 0}} {
		d.Freeze(t, noon.Add(c.at))
		h := d.reminders(nil)
		if n := len(h.mails); n != c.want {
			t.Errorf("%s after the first start %d reminders left, want %d", c.at, n, c.want)
		}
		d.must(d.FinishAccepted(d.ctx, h.mails))
	}
}
