package sql_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"bascule/internal/conversion"
	"bascule/sql"
)

// patient is the same desk, whose calls end when they wait for a lock in vain.
func (d *desk) patient() *desk {
	ctx, cancel := context.WithTimeout(d.ctx, 20*time.Second)
	d.t.Cleanup(cancel)
	return &desk{DB: d.DB, t: d.t, ctx: ctx, keys: d.keys}
}

// frozen stops the clock and returns what it shows.
func (d *desk) frozen() time.Time {
	d.t.Helper()
	now, err := d.Now(d.ctx)
	d.must(err)
	d.Freeze(d.t, now)
	return now
}

// D4: a mail whose code somebody holds, such as an import, is left out, whatever its
// kind. Nobody waits, no deadline counts, and it is due again 2 seconds later. A mail
// that another worker starts is left to that one.
func TestHeldIsLeftOut(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, lock string
		due        bool // again, later
	}{
		{"code", `SELECT FROM code WHERE request_id = $1 FOR UPDATE`, true},
		{"copy", `SELECT FROM code WHERE request_id = $1 FOR UPDATE`, true},
		{"taken", `SELECT FROM obligation WHERE request_id = $1 FOR UPDATE`, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			d := open(t).patient()
			held := d.invite("000001", "a@duvallon.example")
			if c.name == "copy" {
				d.mail(held)
				d.must(d.Resend(d.ctx, "000001", "", "admin"))
			}
			free := d.invite("000002", "b@duvallon.example")
			now := d.frozen()
			release := d.hold(c.lock, held)
			h := d.start(10)
			if len(h.mails) != 1 || h.mails[0].RequestID != free {
				t.Fatalf("started %d mails, want the one that nobody holds", len(h.mails))
			}
			release()
			if got := d.Text(t, `SELECT (claim IS NULL AND started_at IS NULL AND (NOT $2 OR due_at = bascule_now() + interval '2 seconds'))::text
				FROM obligation WHERE request_id = $1`, held, c.due); got != "true" {
				t.Error("the mail that was held is started, or is not due in 2 seconds")
			}
			d.Freeze(t, now.Add(2*time.Second))
			if h := d.start(10); len(h.mails) != 1 || h.mails[0].RequestID != held {
				t.Errorf("%d mails start once it is free, want that one", len(h.mails))
			}
		})
	}
}

// Workers that start or finish many mails take turns. One that is frozen in its own does
// not keep the others from theirs.
func TestTurns(t *testing.T) {
	t.Parallel()
	d := open(t).patient()
	var rows []sql.ImportRow
	for i := range 2 * (sql.FewMails + 1) {
		rows = append(rows, row(fmt.Sprintf("%06d", i+1), fmt.Sprintf("a%d@duvallon.example", i)))
	}
	d.run(d.sheet(rows...))
	window := sql.Window{Lane: sql.LaneBulk, Limit: sql.FewMails + 1, Lifetime: conversion.DefaultCodeLifetime, Keys: d.keys}
	start := func() []*sql.Mail {
		s, err := d.StartMail(d.ctx, window)
		if err != nil || s.Found != window.Limit {
			t.Errorf("%d mails are due (%v), want %d", s.Found, err, window.Limit)
		}
		return s.Mails
	}
	frozen := func(lock int, f func()) {
		defer d.hold(`SELECT pg_advisory_xact_lock($1)`, lock)()
		var seen atomic.Bool
		done := make(chan struct{})
		go func() {
			defer close(done)
			for !seen.Load() {
				f()
			}
		}()
		d.until(`SELECT (count(*) > 0)::text FROM pg_locks WHERE locktype = 'advisory' AND NOT granted
			AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`)
		seen.Store(true)
		<-done
	}
	window.Admit = func([]*sql.Mail) ([]*sql.Mail, error) { return nil, nil }
	frozen(sql.StartLock, func() { start() })
	window.Admit = nil
	mails := start()
	frozen(sql.FinishLock, func() {
		if err := d.FinishAccepted(d.ctx, mails); err != nil {
			t.Error(err)
		}
	})
	d.must(d.FinishAccepted(d.ctx, start()))
	if n := d.count(`SELECT count(*) FROM code WHERE mailed_at IS NOT NULL`); n != len(rows) {
		t.Errorf("%d codes are mailed, want %d", n, len(rows))
	}
}

// I5: outcomes of mails whose codes nobody holds are recorded at once; the others
// wait for their turn, and are recorded then.
func TestHeldOutcomeWaits(t *testing.T) {
	t.Parallel()
	for _, o := range outcomes {
		if o.name == "in doubt" { // that is of the mail alone
			continue
		}
		t.Run(o.name, func(t *testing.T) {
			t.Parallel()
			d := open(t).patient()
			held := d.invite("000001", "a@duvallon.example")
			free := d.invite("000002", "b@duvallon.example")
			h := d.start(10)
			release := d.hold(`SELECT FROM code WHERE request_id = $1 FOR UPDATE`, held)
			if err := o.finish(d, h); !isLocked(err) {
				t.Fatalf("error %v, want one that says who is held", err)
			}
			release()
			claims := func() string {
				return d.Text(t, `SELECT coalesce(string_agg(request_id::text, ' ' ORDER BY id), '') FROM obligation WHERE claim IS NOT NULL`)
			}
			if got := claims(); got != fmt.Sprint(held) {
				t.Errorf("held by the worker: %q, want %d alone, not %d", got, held, free)
			}
			d.must(o.finish(d, h))
			if got := claims(); got != "" {
				t.Errorf("held by the worker in the end: %q", got)
			}
			d.sound()
		})
	}
}

// I5: a code is dead at its deadline, to the microsecond: no mail of it is started
// then, be it a repetition after doubt or an administrator's copy.
func TestNoStartAtTheDeadline(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		copy bool
		at   time.Duration
		want int
	}{{"doubt, before", false, -time.Microsecond, 1}, {"doubt, at", false, 0, 0}, {"copy, before", true, -time.Microsecond, 1}, {"copy, at", true, 0, 0}} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			d := open(t)
			request := d.invite("000001", "a@duvallon.example")
			now := d.frozen()
			h := d.startOf(request)
			if c.copy {
				d.must(d.FinishAccepted(d.ctx, h.mails))
				d.must(d.Resend(d.ctx, "000001", "", "admin"))
			} else {
				d.must(d.FinishInDoubt(d.ctx, h.mails, 0))
			}
			d.Freeze(t, now.Add(conversion.DefaultCodeLifetime+c.at))
			if n := len(d.start(10).mails); n != c.want {
				t.Errorf("%d mails start, want %d", n, c.want)
			}
		})
	}
}

// I5, D4: a mail that was started and whose worker died is a repetition in doubt: the
// same Date and deadline, one interruption, one look at the deadline. After a certain
// failure alone both are new.
func TestStartedAgain(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		ends   func(d *desk, h *hand)
		same   bool
		doubts int
	}{
		{"lapsed", func(*desk, *hand) {}, true, 1},
		{"failed", func(d *desk, h *hand) { d.must(d.FinishFailed(d.ctx, h.failures("451", true))) }, false, 0},
		{"in doubt", func(d *desk, h *hand) { d.must(d.FinishInDoubt(d.ctx, h.mails, 0)) }, true, 1},
		{"in doubt, then failed", func(d *desk, h *hand) {
			d.must(d.FinishInDoubt(d.ctx, h.mails, 0))
			again := d.start(10)
			d.must(d.FinishFailed(d.ctx, again.failures("451", true)))
		}, true, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			d := open(t)
			d.invite("000001", "a@duvallon.example")
			now := d.frozen()
			first := d.start(10)
			c.ends(d, first)
			d.Freeze(t, now.Add(sql.Lease))
			second := d.start(10)
			if len(second.mails) != 1 {
				t.Fatalf("%d mails start again", len(second.mails))
			}
			a, b := first.mails[0], second.mails[0]
			if a.Date.Equal(b.Date) != c.same || a.ExpiresAt.Equal(b.ExpiresAt) != c.same {
				t.Errorf("dates %s and %s, deadlines %s and %s; the same: want %v", a.Date, b.Date, a.ExpiresAt, b.ExpiresAt, c.same)
			}
			if got := d.Text(t, `SELECT interruptions::text FROM obligation`); got != fmt.Sprint(c.doubts) || b.Interruptions != c.doubts {
				t.Errorf("%s interruptions are recorded, %d told; want %d", got, b.Interruptions, c.doubts)
			}
			if got := d.Text(t, `SELECT (started_at = $1)::text FROM code`, now); got != fmt.Sprint(c.same) {
				t.Errorf("started at the first start: %s, want %v", got, c.same)
			}
			if n := d.count(`SELECT count(*) FROM deadline WHERE coalesce(until, at) = $1`, b.ExpiresAt); n != 1 {
				t.Errorf("%d looks at the deadline", n)
			}
		})
	}
}

// I5: after three interruptions a code counts as mailed, in doubt; an administrator's
// copy is given up, and changes nothing.
func TestThirdInterruption(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		make func(d *desk) string // which obligation
		want string               // event of the audit log, and the code
	}{
		"code": {func(d *desk) string { d.invite("000001", "a@duvallon.example"); return "code" }, "mailed in doubt: true 3"},
		"copy": {func(d *desk) string {
			d.invited("000001", "a@duvallon.example")
			d.must(d.Resend(d.ctx, "000001", "", "admin"))
			return "code"
		}, "resend asked mail 1 of generation 1: false 0"},
		"reset": {func(d *desk) string {
			d.switched("000001", "a@duvallon.example")
			d.deliver()
			d.askReset("a@duvallon.example")
			return "reset"
		}, "reset mailed in doubt: true 3"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := open(t)
			kind := c.make(d)
			d.Exec(t, `UPDATE obligation SET due_at = 'infinity' WHERE kind <> $1`, kind)
			for i := range 3 {
				h := d.start(10)
				if len(h.mails) != 1 {
					t.Fatalf("interruption %d: %d mails start", i, len(h.mails))
				}
				d.must(d.FinishInDoubt(d.ctx, h.mails, 0))
			}
			if n := len(d.start(10).mails); n != 0 {
				t.Errorf("%d mails start after three interruptions", n)
			}
			if n := d.count(`SELECT count(*) FROM obligation WHERE kind = $1`, kind); n != 0 {
				t.Error("it is still to be mailed")
			}
			got := d.Text(t, `SELECT (SELECT event || ' ' || why FROM audit ORDER BY id DESC LIMIT 1) || ': ' || in_doubt || ' ' || doubts
				FROM code ORDER BY generation DESC LIMIT 1`)
			if got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

// R31: the code for a new password is good for half an hour, and its mail starts
// within a day of being asked for, or never; a repetition after doubt goes out.
func TestResetOfADay(t *testing.T) {
	t.Parallel()
	d := open(t)
	d.switched("000001", "a@duvallon.example")
	d.deliver()
	for _, c := range []struct {
		after  time.Duration
		doubts bool
		want   int
	}{{24*time.Hour - time.Microsecond, false, 1}, {24 * time.Hour, false, 0}, {24*time.Hour + time.Minute, true, 1}} {
		now := d.frozen()
		d.askReset("a@duvallon.example")
		if c.doubts {
			d.Freeze(t, now.Add(24*time.Hour-time.Minute))
			d.must(d.FinishInDoubt(d.ctx, d.start(10).mails, 0))
		}
		d.Freeze(t, now.Add(c.after))
		h := d.start(10)
		if len(h.mails) != c.want {
			t.Errorf("after %s, in doubt %v: %d mails start, want %d", c.after, c.doubts, len(h.mails), c.want)
		}
		for _, m := range h.mails {
			if life := m.ExpiresAt.Sub(d.started(m)); life != conversion.ResetLifetime {
				t.Errorf("its code is good for %s", life)
			}
		}
		d.must(d.FinishAccepted(d.ctx, h.mails))
		if got := d.Text(t, `SELECT (mailed_at IS NOT NULL)::text FROM code ORDER BY generation DESC LIMIT 1`); got != fmt.Sprint(c.want == 1) {
			t.Errorf("after %s: mailed is %s", c.after, got)
		}
		d.Exec(t, `DELETE FROM obligation`)
	}
	d.askReset("a@duvallon.example")
	h := d.start(10)
	d.must(d.FinishFailed(d.ctx, h.failures("421", false)))
	if got := d.Text(t, `SELECT (started_at IS NULL AND expires_at IS NULL)::text FROM code ORDER BY generation DESC LIMIT 1`); got != "true" {
		t.Error("the deadline of a code whose mail failed stands")
	}
}

// started is when the code of a mail was.
func (d *desk) started(m *sql.Mail) (at time.Time) {
	d.t.Helper()
	d.must(d.Raw.QueryRow(`SELECT started_at FROM code WHERE request_id = $1 AND generation = $2`, m.RequestID, m.Generation).Scan(&at))
	return at
}

// D11: an open breaker lets one worker probe every 15 seconds, and stays as it was
// when it is opened again.
func TestProbeIsOfOne(t *testing.T) {
	t.Parallel()
	d := open(t)
	now := d.frozen()
	probes := func(after time.Duration, want ...sql.Passage) {
		t.Helper()
		d.Freeze(t, now.Add(after))
		for i, w := range want {
			if p, err := d.ClaimProbe(d.ctx); err != nil || p != w {
				t.Errorf("after %s, worker %d: %+v, %v; want %+v", after, i+1, p, err, w)
			}
		}
	}
	waits, one := sql.Passage{Open: true}, sql.Passage{Open: true, Probe: true}
	probes(0, sql.Passage{})
	d.must(d.OpenBreaker(d.ctx, "421", nil))
	probes(15*time.Second-time.Microsecond, waits)
	probes(15*time.Second, one, waits)
	probes(-time.Hour, one, waits) // the clock is set back
	probes(15*time.Second, one, waits)
	probes(30*time.Second-time.Microsecond, waits)
	probes(30*time.Second, one)
	d.must(d.OpenBreaker(d.ctx, "530", nil)) // as that probe met it
	probes(45*time.Second-time.Microsecond, waits)
	if got := d.Text(t, `SELECT (opened_at = $1)::text || ' ' || reason FROM breaker`, now); got != "true 530" {
		t.Errorf("opened at first, and why: %q", got)
	}
	probes(45*time.Second, one)
	d.must(d.CloseBreaker(d.ctx))
	probes(time.Hour, sql.Passage{})
}

// D8, D1: a notice tells the deadline of the contact's code while that is good for
// anything. It never tells that of the code for the chosen address.
func TestNoticeOfAVoidCode(t *testing.T) {
	t.Parallel()
	d := open(t)
	d.invited("000001", "a@duvallon.example")
	_, err := d.opt("000001", "mine@duvallon.example")
	d.must(err)
	for range 2 { // the second time its code is started
		h := d.start(10)
		for _, m := range h.mails {
			if m.Kind == sql.MailNotice && m.ExpiresAt.Unix() > 0 {
				t.Errorf("the notice tells of a code good until %s", m.ExpiresAt)
			}
		}
		if len(h.mails) != 2 {
			t.Fatalf("%d mails, want code and notice", len(h.mails))
		}
		d.must(d.FinishInDoubt(d.ctx, h.mails, 0))
	}
}

// R21: a subscriber whom the code did not reach gets no mail about its expiry, even if
// that is known only now.
func TestExpiredAfterBounce(t *testing.T) {
	t.Parallel()
	d := open(t)
	request, _ := d.invited("000001", "a@duvallon.example")
	d.expire(request)
	_, err := d.Bounced(d.ctx, request, 1, conversion.BounceGone)
	d.must(err)
	if n := len(d.start(10).mails); n != 0 {
		t.Errorf("%d mails start", n)
	}
}

// I5: a mail that the relay accepts once its code is over carries a dead code: it
// does not count as mailed, and the audit log says so.
func TestAcceptedTooLate(t *testing.T) {
	t.Parallel()
	d := open(t)
	request := d.invite("000001", "a@duvallon.example")
	now := d.frozen()
	h := d.start(1)
	d.Freeze(t, now.Add(conversion.DefaultCodeLifetime))
	d.must(d.FinishAccepted(d.ctx, h.mails))
	if got := d.audit(request); got != "requested by admin, dead code mailed by worker" {
		t.Errorf("the audit log says %q", got)
	}
	if n := d.count(`SELECT count(*) FROM code WHERE mailed_at IS NOT NULL`); n != 0 {
		t.Error("it counts as mailed")
	}
}

// D11: once another mail got through, those that opened the breaker are to blame,
// though they have their attempts back.
func TestExcusedIsBlamed(t *testing.T) {
	t.Parallel()
	d := open(t)
	for i := range 6 {
		d.invite(fmt.Sprintf("00000%d", i), fmt.Sprintf("contact%d@duvallon.example", i))
	}
	h := d.start(6)
	d.must(d.FinishFailed(d.ctx, (&hand{desk: d, mails: h.mails[:5]}).failures("550", false)))
	turn, err := d.NoteUnclear(d.ctx, h.ids()[:5], "550")
	d.must(err)
	if got := d.Text(t, `SELECT string_agg(blame || attempts, ' ') FROM obligation`); turn != sql.Opened || got != "excused0 excused0 excused0 excused0 excused0" {
		t.Fatalf("turned %d, blame and attempts are %q", turn, got)
	}
	d.must(d.FinishAccepted(d.ctx, h.mails[5:]))
	if got := d.Text(t, `SELECT string_agg(blame, ' ') FROM obligation`); got != "own own own own own" {
		t.Errorf("blame is %q", got)
	}
}
