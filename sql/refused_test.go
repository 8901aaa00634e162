package sql_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"bascule/internal/conversion"
	"bascule/sql"
)

// D11, R31: the address of a code for a new password is refused for good: the code
// is dead, and the relay's words are kept.
func TestRefusedReset(t *testing.T) {
	t.Parallel()
	d := open(t)
	d.switched("000001", "a@duvallon.example")
	d.deliver()
	d.askReset("a@duvallon.example")
	h := d.start(10)
	d.must(d.FinishRefused(d.ctx, h.failures("550 5.1.1", false)))
	if got := d.Text(t, `SELECT coalesce(refusal, '') || ' ' || (void_at IS NOT NULL) FROM code WHERE purpose = 'reset'`); got != "550 5.1.1 true" {
		t.Errorf("the code says %q", got)
	}
	d.sound()
}

// I5: an address is refused for good after a doubt. The code keeps how many copies may have
// gone out.
func TestRefusedAfterDoubt(t *testing.T) {
	t.Parallel()
	d := open(t)
	request := d.invite("000001", "a@duvallon.example")
	d.must(d.FinishInDoubt(d.ctx, d.start(1).mails, 0))
	d.must(d.FinishRefused(d.ctx, d.start(1).failures("550 5.1.1", false)))
	if n := d.count(`SELECT doubts FROM code`); n != 1 || d.state(request) != conversion.StateUndeliverable {
		t.Errorf("%d doubts are on record; the request is %s", n, d.state(request))
	}
	d.sound()
}

// D4: a hand-over that certainly failed leaves no deadline, nor one that failed for good.
func TestRefusedHasNoDeadline(t *testing.T) {
	t.Parallel()
	d := open(t)
	d.invite("000001", "a@duvallon.example")
	d.must(d.FinishRefused(d.ctx, d.start(1).failures("550 5.1.1", false)))
	s, err := d.Story(d.ctx, "000001")
	d.must(err)
	if r := s.Requests[0]; !r.ExpiresAt.IsZero() || r.State != conversion.StateUndeliverable {
		t.Errorf("the request is %s, with the deadline %s", r.State, r.ExpiresAt)
	}
}

// R21, D11: a mail is refused for good once its request has expired: it stays
// expired, and the worker is done with it.
func TestRefusedAfterExpiry(t *testing.T) {
	t.Parallel()
	d := open(t)
	request := d.invite("000001", "a@duvallon.example")
	h := d.startOf(request)
	d.Shift(t, conversion.DefaultCodeLifetime+time.Hour)
	_, err := d.Sweep(d.ctx, 10)
	d.must(err)
	d.must(d.FinishRefused(d.ctx, h.failures("550 5.1.1", false)))
	if d.state(request) != conversion.StateExpired || d.count(`SELECT count(*) FROM obligation WHERE kind = 'code'`) != 0 {
		t.Errorf("the request is %s", d.state(request))
	}
	d.sound()
}

// D1, R21: a chosen address is refused for good once the contact's code is over, and
// looked at: its request, which falls back to that code, still expires.
func TestRefusedAfterContactCode(t *testing.T) {
	t.Parallel()
	d := open(t)
	request, contact := d.invited("000001", "a@duvallon.example")
	_, err := d.choose(contact, "mine@duvallon.example")
	d.must(err)
	d.deliverAll(sql.MailNotice)
	d.Shift(t, conversion.DefaultCodeLifetime+time.Hour)
	swept, err := d.Sweep(d.ctx, 10)
	d.must(err)
	if swept.Done != 0 || d.count(`SELECT count(*) FROM deadline`) != 0 {
		t.Fatalf("%d expired before, or a deadline is left", swept.Done)
	}
	h := d.startOf(request)
	d.must(d.FinishRefused(d.ctx, h.failures("550 5.1.1", false)))
	if swept, err = d.Sweep(d.ctx, 10); err != nil || swept.Done != 1 {
		t.Errorf("%d requests expired, error %v", swept.Done, err)
	}
	d.sound()
}

// deliverAll lets the relay take the mails of one kind that are due.
func (d *desk) deliverAll(kind sql.MailKind) {
	d.t.Helper()
	h := d.startBy(sql.Window{Limit: 100, Admit: func(mails []*sql.Mail) ([]*sql.Mail, error) {
		return slices.DeleteFunc(mails, func(m *sql.Mail) bool { return m.Kind != kind }), nil
	}})
	d.must(d.FinishAccepted(d.ctx, h.mails))
}

// I5: a refusal waits for nobody. An import may hold the request, and an opening of the
// breaker the mail.
func TestRefusalOfWhatIsHeld(t *testing.T) {
	t.Parallel()
	for _, lock := range []string{`SELECT FROM request WHERE id = $1 FOR UPDATE`, `SELECT FROM obligation WHERE request_id = $1 FOR NO KEY UPDATE`} {
		d := open(t).patient()
		held, free := d.invite("000001", "a@duvallon.example"), d.invite("000002", "b@duvallon.example")
		h := d.start(10)
		release := d.hold(lock, held)
		if err := d.FinishRefused(d.ctx, h.failures("550 5.1.1", false)); !isLocked(err) {
			t.Fatalf("%s: error %v, want one that says who is held", lock, err)
		}
		if got := fmt.Sprint(d.state(held), " ", d.state(free)); got != "requested undeliverable" {
			t.Errorf("%s: the requests are %s", lock, got)
		}
		release()
		d.must(d.FinishRefused(d.ctx, h.failures("550 5.1.1", false)))
		d.sound()
	}
}

// I5: a renewal of a claim leaves alone the rows that its holder is finishing, and
// waits for nobody.
func TestRenewalOfWhatIsHeld(t *testing.T) {
	t.Parallel()
	d := open(t).patient()
	held, free := d.invite("000001", "a@duvallon.example"), d.invite("000002", "b@duvallon.example")
	now := d.frozen()
	h := d.start(10)
	release := d.hold(`SELECT FROM obligation WHERE request_id = $1 FOR UPDATE`, held)
	d.Freeze(t, now.Add(time.Second))
	d.must(d.RenewClaim(d.ctx, h.mails))
	release()
	until := func(request int64) string {
		return d.Text(t, `SELECT extract(epoch FROM claimed_until - $2)::int::text FROM obligation WHERE request_id = $1`, request, now)
	}
	if until(held) != "60" || until(free) != "61" {
		t.Errorf("the claims last %s s and %s s, want 60 and 61", until(held), until(free))
	}
}

// D11: recipients are counted by the address that each kind of mail goes to. Five
// switched spaces share their contact; five others too, whose codes go to addresses
// of their own.
func TestRecipientsOfEachKind(t *testing.T) {
	t.Parallel()
	d := open(t)
	var ids []int64
	for i := range 10 {
		number := fmt.Sprintf("%06d", i)
		d.invite(number, "shared@duvallon.example")
		_, err := d.opt(number, fmt.Sprintf("mine%d@duvallon.example", i))
		d.must(err)
	}
	for _, m := range d.start(100).mails {
		if m.Kind == sql.MailCode {
			ids = append(ids, m.ID)
			if m.Number < "000005" {
				d.must(d.activate(d.code(m)))
			}
		}
	}
	// Only the code mails of before are left, as mails of each kind.
	d.Exec(t, `UPDATE space SET contact_email = 'shared@duvallon.example', contact_key = 'shared@duvallon.example'`)
	for _, c := range []struct {
		kind     string
		switched bool
		want     sql.Turn
	}{
		{"code", false, sql.Opened}, {"reset", false, sql.Opened}, {"expired", false, sql.Opened},
		{"notice", true, sql.Unturned}, {"switch-notice", true, sql.Unturned},
		{"confirmation", true, sql.Opened}, {"password-notice", true, sql.Opened}, {"siege-notice", true, sql.Opened},
	} {
		five := ids[5:]
		if c.switched {
			five = ids[:5]
		}
		d.Exec(t, `UPDATE breaker SET opened_at = NULL, probe_at = NULL`)
		d.Exec(t, `UPDATE obligation SET blame = NULL, kind = $1, happened_at = bascule_now()`, c.kind)
		turn, err := d.NoteUnclear(d.ctx, five, "550")
		d.must(err)
		if turn != c.want {
			t.Errorf("five mails of kind %s turned the breaker %d, want %d", c.kind, turn, c.want)
		}
	}
}

// D11: two workers whose refusals make five together open the breaker: one that notes
// refusals waits for another that does so at the same time.
func TestRefusalsAtOnce(t *testing.T) {
	t.Parallel()
	d := open(t).patient()
	for i := range 5 {
		d.invite(fmt.Sprintf("%06d", i), fmt.Sprintf("contact%d@duvallon.example", i))
	}
	ids := d.start(5).ids()
	tx, err := d.Raw.Begin()
	d.must(err)
	defer tx.Rollback()
	for _, statement := range []string{`SELECT FROM breaker FOR NO KEY UPDATE`, `UPDATE obligation SET blame = 'open' WHERE id <> ` + fmt.Sprint(ids[4])} {
		if _, err := tx.Exec(statement); err != nil {
			t.Fatal(err)
		}
	}
	type noted struct {
		turn sql.Turn
		err  error
	}
	done := make(chan noted, 1)
	go func() {
		turn, err := d.NoteUnclear(d.ctx, ids[4:], "550")
		done <- noted{turn, err}
	}()
	d.must(d.untilWaiting(d.ctx, func() bool { return len(done) > 0 }))
	d.must(tx.Commit())
	if n := <-done; n.err != nil || n.turn != sql.Opened {
		t.Errorf("the fifth refusal turned the breaker %d, %v", n.turn, n.err)
	}
}

// untilWaiting returns once a session waits for a lock, or somebody is done.
func (d *desk) untilWaiting(ctx context.Context, done func() bool) error {
	for ctx.Err() == nil && !done() {
		if d.count(`SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`) > 0 {
			return nil
		}
	}
	return ctx.Err()
}

// Statements that set the blame lock their mails by number, in whichever order they are
// in the table. So no two wait for each other.
func TestBlameLocksInOrder(t *testing.T) {
	t.Parallel()
	for name, say := range map[string]func(d *desk, ids []int64) error{
		"blame":  func(d *desk, ids []int64) error { return d.Blame(d.ctx, ids) },
		"note":   func(d *desk, ids []int64) error { _, err := d.NoteUnclear(d.ctx, ids, "550"); return err },
		"excuse": func(d *desk, ids []int64) error { return d.OpenBreaker(d.ctx, "421", ids) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := open(t).patient()
			for i := range 5 {
				d.invite(fmt.Sprintf("%06d", i), fmt.Sprintf("contact%d@duvallon.example", i))
			}
			ids := d.start(5).ids()
			slices.Reverse(ids)
			for _, id := range ids { // the last one comes to stand first
				d.Exec(t, `UPDATE obligation SET attempts = 1 WHERE id = $1`, id)
			}
			release := d.hold(`SELECT FROM obligation WHERE id = $1 FOR UPDATE`, ids[2])
			done := make(chan error, 1)
			go func() { done <- say(d, ids) }()
			d.must(d.untilWaiting(d.ctx, func() bool { return len(done) > 0 }))
			free := d.Text(t, `SELECT string_agg(id::text, ' ' ORDER BY id) FROM (SELECT id FROM obligation FOR NO KEY UPDATE SKIP LOCKED) AS free`)
			release()
			d.must(<-done)
			if want := fmt.Sprint(ids[1], " ", ids[0]); free != want {
				t.Errorf("while it waits for mail %d, nobody holds %s; want %s", ids[2], free, want)
			}
		})
	}
}
