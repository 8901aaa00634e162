package sql_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"bascule/internal/conversion"
	"bascule/sql"
	"bascule/sql/sqltest"
)

// D10: which requests retry invites again, by what became of them and whether
// the contact address changed since. Twice is once.
func TestRetry(t *testing.T) {
	t.Parallel()
	bounce := func(d *desk, number string, request int64) {
		d.mail(request)
		_, err := d.Bounced(d.ctx, request, 1, conversion.BounceGone)
		d.must(err)
	}
	for _, test := range []struct {
		name                string
		go_                 func(d *desk, number string, request int64)
		plain, moved, force bool // whether it is invited again: address unchanged, changed, --same-address
	}{
		{"requested", func(*desk, string, int64) {}, false, false, false},
		{"mailed", func(d *desk, _ string, r int64) { d.mail(r) }, false, false, false},
		{"mailed and bounced", bounce, false, false, false},
		{"expired", func(d *desk, _ string, r int64) { d.mail(r); d.expire(r) }, true, true, true},
		{"overdue, not swept", func(d *desk, _ string, r int64) { d.mail(r); d.overdue(r) }, true, true, true},
		{"bounced, then expired", func(d *desk, n string, r int64) { bounce(d, n, r); d.expire(r) }, false, true, true},
		{"bounced, then overdue", func(d *desk, n string, r int64) { bounce(d, n, r); d.overdue(r) }, false, true, true},
		{"undeliverable", func(d *desk, _ string, r int64) { d.refuse(r) }, false, true, true},
		{"cancelled", func(d *desk, n string, _ int64) {
			d.must(d.CancelNumber(d.ctx, conversion.SubscriberNumber(n)))
		}, false, false, false},
		{"bounced, then cancelled", func(d *desk, n string, r int64) {
			bounce(d, n, r)
			d.must(d.CancelNumber(d.ctx, conversion.SubscriberNumber(n)))
		}, false, false, false},
		{"activated", func(d *desk, _ string, r int64) { d.must(d.activate(d.mail(r))) }, false, false, false},
		{"another address chosen, that one bounced, then expired", func(d *desk, n string, r int64) {
			_, err := d.choose(d.mail(r), n+"@other.example")
			d.must(err)
			d.mail(r)
			_, err = d.Bounced(d.ctx, r, 2, conversion.BounceGone)
			d.must(err)
			d.Exec(t, `UPDATE code SET started_at = started_at - interval '2 days', expires_at = expires_at - interval '2 days' WHERE request_id = $1 AND generation = 1`, r)
			d.expire(r)
		}, true, true, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			d := open(t)
			for i, variant := range []struct {
				name        string
				moved, same bool
				want        bool
			}{{"forced", false, true, test.force}, {"moved", true, false, test.moved}, {"plain", false, false, test.plain}} {
				d, number := d.on(t), fmt.Sprintf("00000%d", i)
				request := d.invite(number, number+"@duvallon.example")
				test.go_(d, number, request)
				if variant.moved {
					d.Exec(t, `UPDATE space SET contact_email = 'moved@duvallon.example', contact_key = 'moved@duvallon.example' WHERE number = $1`, number)
				}
				for round := range 2 {
					n, err := d.RetryAll(d.ctx, 0, variant.same, d.keys)
					d.must(err)
					want := int64(0)
					if variant.want && round == 0 {
						want = 1
					}
					if n != want {
						t.Errorf("%s, round %d: %d requests were opened, want %d", variant.name, round, n, want)
					}
				}
				if variant.want {
					d.fresh(number, request)
				}
				d.sound()
				// The next variant starts without this one.
				if state := d.state(d.latest(number)); state.Open() {
					d.must(d.CancelNumber(d.ctx, conversion.SubscriberNumber(number)))
				}
			}
		})
	}
}

// fresh fails the test unless the latest request is another one than old, as
// retry makes it: open, no credentials, to the present contact address, due.
func (d *desk) fresh(number string, old int64) {
	d.t.Helper()
	latest := d.latest(number)
	got := d.Text(d.t, `SELECT row(r.id <> $2, r.origin, r.email_key = s.contact_key, r.purpose, r.generation, o.lane, o.kind)::text
		FROM request_code r JOIN space s ON s.id = r.space_id LEFT JOIN obligation o ON o.request_id = r.id WHERE r.id = $1`, latest, old)
	if want := "(t,retry,t,identify,1,bulk,code)"; got != want || d.state(latest) != conversion.StateRequested {
		d.t.Errorf("the new request is %s and %s, want %s", d.state(latest), got, want)
	}
}

// D10: an administrator who names a number may have been mistaken in cancelling it.
// A dead address keeps a named one out too, and twice is once.
func TestRetryOfANumber(t *testing.T) {
	t.Parallel()
	d := open(t)
	for i, test := range []struct {
		go_  func(number string, request int64)
		want sql.Obstacle
	}{
		{func(string, int64) {}, sql.ObstacleOpen},
		{func(_ string, r int64) { d.mail(r) }, sql.ObstacleOpen},
		{func(_ string, r int64) { d.mail(r); d.overdue(r) }, ""},
		{func(n string, _ int64) { d.must(d.CancelNumber(d.ctx, conversion.SubscriberNumber(n))) }, ""},
		{func(_ string, r int64) { d.refuse(r) }, sql.ObstacleRefused},
		{func(n string, r int64) {
			d.mail(r)
			_, err := d.Bounced(d.ctx, r, 1, conversion.BounceGone)
			d.must(err)
			d.must(d.CancelNumber(d.ctx, conversion.SubscriberNumber(n)))
		}, sql.ObstacleBounced},
		{func(_ string, r int64) { d.must(d.activate(d.mail(r))) }, sql.ObstacleSwitched},
	} {
		number := conversion.SubscriberNumber(fmt.Sprintf("00000%d", i))
		request := d.invite(string(number), string(number)+"@duvallon.example")
		test.go_(string(number), request)
		plan, err := d.PlanRetry(d.ctx, sql.RetryScope{Numbers: []conversion.SubscriberNumber{number, number}})
		d.must(err)
		left := sql.Obstacle("")
		if len(plan.Named) > 0 {
			left = plan.Named[0].Why
		}
		if left != test.want || len(plan.Requests)+len(plan.Named) != 1 {
			t.Errorf("%s: %+v is planned, want %q in the way", number, plan, test.want)
		}
		for round, want := range []int64{1, 0} {
			if test.want != "" {
				want = 0
			}
			if n, err := d.RetryNumber(d.ctx, number, d.keys); n != want || err != nil {
				t.Errorf("%s, round %d: %d requests were opened, error %v, want %d", number, round, n, err, want)
			}
		}
		if test.want == "" {
			d.fresh(string(number), request)
		}
	}
	plan, err := d.PlanRetry(d.ctx, sql.RetryScope{Numbers: []conversion.SubscriberNumber{"999999"}})
	if err != nil || plan.LeftOut[sql.ObstacleUnknown] != 1 {
		t.Errorf("an unknown number: %+v, error %v", plan, err)
	}
	d.sound()
}

// D10, I4: retry leaves out requests that changed after the plan: by an import, an
// activation, a cancel, another retry.
func TestRetryOfAnOldPlan(t *testing.T) {
	t.Parallel()
	d := open(t)
	expired := d.invite("000001", "a@duvallon.example")
	d.mail(expired)
	d.overdue(expired)
	moved := d.invite("000002", "b@duvallon.example")
	d.mail(moved)
	d.overdue(moved)
	plan, err := d.PlanRetry(d.ctx, sql.RetryScope{})
	d.must(err)
	if len(plan.Requests) != 2 || plan.States[conversion.StateExpired] != 2 {
		t.Fatalf("the plan is %+v", plan)
	}
	d.invite("000002", "moved@duvallon.example")
	d.must(d.CancelNumber(d.ctx, "000002"))
	for _, want := range []int64{1, 0} {
		if n, err := d.Retry(d.ctx, plan, d.keys, "admin"); n != want || err != nil {
			t.Errorf("%d requests were opened, error %v, want %d", n, err, want)
		}
	}
	d.sound()
}

// C7: a code that expired between the plan and the cancel stays expired.
func TestCancelOfAnOldPlan(t *testing.T) {
	t.Parallel()
	d := open(t)
	overdue, _ := d.invited("000001", "a@duvallon.example")
	d.invite("000002", "b@duvallon.example")
	plan, err := d.PlanCancel(d.ctx, []conversion.SubscriberNumber{"000001", "000002", "000001"})
	d.must(err)
	if len(plan.Requests) != 2 || plan.States[conversion.StateMailed] != 1 || plan.States[conversion.StateRequested] != 1 {
		t.Errorf("the plan is %+v", plan)
	}
	d.overdue(overdue)
	for _, want := range []int64{1, 0} {
		if n, err := d.Cancel(d.ctx, plan, "admin"); n != want || err != nil {
			t.Errorf("%d requests were cancelled, error %v, want %d", n, err, want)
		}
	}
	if got := d.state(overdue); got != conversion.StateExpired {
		t.Errorf("the overdue request is %s", got)
	}
	d.sound()
}

// A leaked key is named by its id. The error tells a mistyped id from a key whose codes
// were all replaced already.
func TestReissueOfAnUnknownKey(t *testing.T) {
	t.Parallel()
	d := open(t)
	if _, err := d.PlanReissue(d.ctx, "typo"); !errors.Is(err, conversion.ErrKeyUnknown) {
		t.Errorf("with no request: %v", err)
	}
	d.must(d.LearnKeys(d.ctx, d.keys, sql.KeyUse{}))
	d.invite("000001", "a@duvallon.example")
	leaked := d.keys.Newest()
	_, err := d.PlanReissue(d.ctx, "typo")
	if !errors.Is(err, conversion.ErrKeyUnknown) || !strings.Contains(err.Error(), string(leaked)) {
		t.Errorf("%v does not name %s", err, leaked)
	}
	for _, want := range []int{1, 0} {
		plan, err := d.PlanReissue(d.ctx, leaked)
		if err != nil || len(plan.Requests) != want {
			t.Errorf("%d codes are planned, error %v, want %d", len(plan.Requests), err, want)
		}
		d.keys = otherKeys(t)
		if _, err := d.Reissue(d.ctx, leaked, d.keys, "admin"); err != nil {
			t.Error(err)
		}
	}
}

// D10: one batch alone, by its latest requests.
func TestRetryOfABatch(t *testing.T) {
	t.Parallel()
	d := open(t)
	first, _ := d.run(d.sheet(row("000001", "a@duvallon.example"), row("000002", "b@duvallon.example")))
	second, _ := d.run(d.sheet(row("000003", "c@duvallon.example")))
	d.deliver()
	for _, n := range []string{"000001", "000002", "000003"} {
		d.overdue(d.latest(n))
	}
	for _, step := range []struct {
		batch, want int64
	}{{first.Batch, 2}, {first.Batch, 0}, {0, 1}, {second.Batch, 0}} {
		n, err := d.RetryAll(d.ctx, step.batch, false, d.keys)
		if err != nil || n != step.want {
			t.Errorf("batch %d: %d requests were opened, error %v, want %d", step.batch, n, err, step.want)
		}
	}
	if got := d.count(`SELECT count(*) FROM request WHERE batch_id = $1`, first.Batch); got != 4 {
		t.Errorf("%d requests of the first batch, want 4", got)
	}
	if _, err := d.RetryAll(d.ctx, 99, false, d.keys); !errors.Is(err, conversion.ErrNotFound) {
		t.Errorf("an unknown batch: %v, want ErrNotFound", err)
	}
	d.sound()
}

// D10, I4: retries and imports at once open one request for a space, and none
// of them fails because of the others.
func TestRetriesAndImportsAtOnce(t *testing.T) {
	t.Parallel()
	d := open(t)
	var rows, changed []sql.ImportRow
	for i := range 400 {
		number, email := fmt.Sprintf("%06d", i), fmt.Sprintf("a%d@duvallon.example", i)
		rows = append(rows, row(number, email))
		changed = append([]sql.ImportRow{row(number, email, holder("Autre"))}, changed...) // in the opposite order
	}
	d.run(d.sheet(rows...))
	d.deliver()
	d.Exec(t, `UPDATE code SET started_at = started_at - interval '3 days', expires_at = bascule_now()`)
	in := d.sheet(changed...)
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			if _, err := d.RetryAll(d.ctx, 0, false, d.keys); err != nil {
				t.Error(err)
			}
		})
		wg.Go(func() {
			if _, err := d.Import(d.ctx, in, nil); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := d.count(`SELECT count(*) FROM request r WHERE request_is_open(r)`); n != 400 {
		t.Errorf("%d requests are open, want 400", n)
	}
	if n := d.count(`SELECT count(*) FROM request`); n != 800 {
		t.Errorf("%d requests, want 800", n)
	}
	d.sound()
}

// D3: a code is sent again only while it is good, three times at most, with the
// same deadline, in a mail of its own.
func TestResend(t *testing.T) {
	t.Parallel()
	d := open(t)
	refusedIn := func(number string, want conversion.State) {
		t.Helper()
		var state *sql.StateError
		if err := d.Resend(d.ctx, conversion.SubscriberNumber(number), "", "admin"); !errors.As(err, &state) || state.State != want {
			t.Errorf("%s: %v, want a refusal in state %s", number, err, want)
		}
	}
	for i, way := range ways {
		number := fmt.Sprintf("0000%02d", i)
		way.go_(d, number, d.invite(number, number+"@duvallon.example"))
		if way.state != conversion.StateMailed {
			refusedIn(number, way.state)
		}
	}
	if err := d.Resend(d.ctx, "999999", "", "admin"); !errors.Is(err, conversion.ErrNotFound) {
		t.Errorf("an unknown number: %v, want ErrNotFound", err)
	}
	const number = "000001" // the mailed one
	request := d.latest(number)
	d.deliver()
	deadline := d.Deadline(t, request)
	for copyOf := 1; copyOf <= conversion.MaxResends; copyOf++ {
		d.must(d.Resend(d.ctx, number, "", "admin"))
		h := d.startOf(request)
		if len(h.mails) != 1 || h.mails[0].Copy != copyOf {
			t.Fatalf("resend %d makes %+v due", copyOf, h.mails)
		}
		d.accepted(d.code(h.mails[0]), request)
		if m := h.mails[0]; !m.ExpiresAt.Equal(deadline) || !m.Date.After(deadline.Add(-conversion.DefaultCodeLifetime)) {
			t.Errorf("resend %d starts %+v, want the deadline %s and a Date of its own", copyOf, m, deadline)
		}
		d.must(d.FinishAccepted(d.ctx, h.mails))
	}
	refusedIn(number, conversion.StateMailed)
	if got, want := d.audit(request), "requested by admin, mailed by worker"+strings.Repeat(", resend asked by admin, resent by worker", 3); got != want {
		t.Errorf("the audit log says %s, want %s", got, want)
	}
	d.overdue(request)
	refusedIn(number, conversion.StateExpired)
	d.sound()
}

// D3: three times for each generation; a fall-back to the contact code gives no
// further ones.
func TestResendsOfAGeneration(t *testing.T) {
	t.Parallel()
	d := open(t)
	request, p := d.invited("000001", "contact@duvallon.example")
	resends := func(want int) {
		t.Helper()
		n := 0
		for n < 10 && d.Resend(d.ctx, "000001", "", "admin") == nil {
			n++
		}
		if n != want {
			t.Errorf("%d resends are granted, want %d", n, want)
		}
		d.deliver()
	}
	resends(3)
	_, err := d.choose(p, "other@duvallon.example")
	d.must(err)
	resends(0)
	d.deliver()
	resends(3) // generation 2
	_, err = d.choose(p, "typo@duvallon.example")
	d.must(err)
	d.refuse(request)
	resends(0)
}

// D3, D4: a resend that waited beyond the deadline is not started.
func TestResendAfterTheDeadline(t *testing.T) {
	t.Parallel()
	d := open(t)
	request, _ := d.invited("000001", "contact@duvallon.example")
	d.must(d.Resend(d.ctx, "000001", "", "admin"))
	d.overdue(request)
	if n := d.deliver(); n != 0 {
		t.Errorf("%d mails were started", n)
	}
	if n := d.count(`SELECT count(*) FROM obligation`); n != 0 {
		t.Errorf("%d mails are still due", n)
	}
}

// C7: cancel ends an open request in any way it can be open, and nothing else.
// Its code is dead at once and its kept hashes are gone (D1).
func TestCancel(t *testing.T) {
	t.Parallel()
	d := open(t)
	for i, way := range ways {
		number := conversion.SubscriberNumber(fmt.Sprintf("0000%02d", i))
		request := d.invite(string(number), string(number)+"@duvallon.example")
		way.go_(d, string(number), request)
		var left *sqltest.LeftOutError
		err := d.CancelNumber(d.ctx, number)
		if way.state.Open() && (err != nil || d.state(request) != conversion.StateCancelled) {
			t.Errorf("%s: error %v, the request is %s", way.state, err, d.state(request))
		}
		if !way.state.Open() && (!errors.As(err, &left) || left.Why != sql.Obstacle(way.state) || d.state(request) != way.state) {
			t.Errorf("%s: error %v, the request is %s", way.state, err, d.state(request))
		}
	}
	var left *sqltest.LeftOutError
	if err := d.CancelNumber(d.ctx, "999999"); !errors.As(err, &left) || left.Why != sql.ObstacleUnknown {
		t.Errorf("an unknown number: %v", err)
	}
	request, p := d.invited("000010", "contact@duvallon.example")
	_, err := d.choose(p, "other@duvallon.example")
	d.must(err)
	chosen := d.mail(request)
	d.must(d.CancelNumber(d.ctx, "000010"))
	d.refused(p)
	d.refused(chosen)
	if got := d.Text(t, `SELECT num_nonnulls(password_hash, question, answer_hash)::text FROM request WHERE id = $1`, request); got != "0" {
		t.Errorf("%s hashes are still kept", got)
	}
	d.deliver()
	if n := d.count(`SELECT count(*) FROM obligation WHERE lane IN ('interactive', 'bulk')`); n != 0 {
		t.Errorf("%d mails are still due", n)
	}
	d.sound()
}

// C7: an overdue request cannot be cancelled, swept or not.
func TestCancelOverdue(t *testing.T) {
	t.Parallel()
	d := open(t)
	request, _ := d.invited("000001", "contact@duvallon.example")
	d.overdue(request)
	var left *sqltest.LeftOutError
	if err := d.CancelNumber(d.ctx, "000001"); !errors.As(err, &left) || left.Why != sql.Obstacle(conversion.StateExpired) {
		t.Errorf("the error is %v", err)
	}
}

// I5, D1: reissue kills every code made with a leaked key, whatever its
// request waits for, and makes new ones with the newest key.
func TestReissue(t *testing.T) {
	t.Parallel()
	d := open(t)
	waiting := d.invite("000001", "a@duvallon.example")
	mailed, mailedCode := d.invited("000002", "b@duvallon.example")
	choosing, contact := d.invited("000003", "c@duvallon.example")
	_, err := d.choose(contact, "mine@duvallon.example")
	d.must(err)
	chosen := d.mail(choosing)
	overdue, overdueCode := d.invited("000004", "d@duvallon.example")
	d.overdue(overdue)
	done := d.switched("000005", "e@duvallon.example")
	mailedReset := d.resetCode("e@duvallon.example")
	d.switched("000006", "f@duvallon.example")
	d.askReset("f@duvallon.example") // its mail is due still
	leaked := d.keys.Newest()
	d.keys = otherKeys(t)
	if n, err := d.Reissue(d.ctx, "00000000", d.keys, "admin"); n != 0 || err != nil {
		t.Errorf("an unused key: %d requests, error %v", n, err)
	}
	for _, want := range []int64{3, 0} {
		if n, err := d.Reissue(d.ctx, leaked, d.keys, "admin"); n != want || err != nil {
			t.Errorf("%d codes were reissued, error %v, want %d", n, err, want)
		}
	}
	for _, p := range []proof{mailedCode, contact, chosen, overdueCode} {
		d.refused(p)
	}
	if _, err := d.FindReset(d.ctx, d.keys, mailedReset.email, mailedReset.code); !errors.Is(err, conversion.ErrCodeRefused) {
		t.Errorf("a code for a new password is not refused: %v", err)
	}
	if n := d.count(`SELECT count(*) FROM obligation WHERE kind = 'reset'`); n != 0 {
		t.Errorf("%d codes for a new password are still to be mailed", n)
	}
	if d.state(overdue) != conversion.StateExpired || d.state(done) != conversion.StateActivated {
		t.Errorf("the overdue request is %s, the activated one %s", d.state(overdue), d.state(done))
	}
	if n := d.count(`SELECT count(*) FROM request_code r WHERE is_open(r) AND key_id = $1`, leaked); n != 0 {
		t.Errorf("%d open requests still have the leaked key", n)
	}
	d.must(d.activate(d.mail(waiting)))
	d.must(d.activate(d.mail(mailed)))
	p := d.mail(choosing)
	if p.email.String() != "mine@duvallon.example" {
		t.Errorf("the chosen address is %s now", p.email)
	}
	d.must(d.activate(p)) // with the credentials kept
	d.sound()
}

// askReset has a code for a new password mailed.
func (d *desk) askReset(email string) {
	d.t.Helper()
	i, err := d.FindIdentifier(d.ctx, sqltest.Email(d.t, email))
	d.must(err)
	d.must(d.AskReset(d.ctx, i, d.keys))
}

// resetCode is the code for a new password that was mailed.
func (d *desk) resetCode(email string) proof {
	d.t.Helper()
	d.askReset(email)
	h := d.startOf(d.latestOf(email))
	for _, m := range h.mails {
		if m.Kind != sql.MailReset {
			continue
		}
		d.must(d.FinishAccepted(d.ctx, h.mails))
		return d.code(m)
	}
	d.t.Fatal("no code for a new password is due")
	return proof{}
}

// latestOf is the request that made an address an identifier.
func (d *desk) latestOf(email string) (id int64) {
	d.t.Helper()
	d.must(d.Raw.QueryRow(`SELECT r.id FROM request_code r JOIN space s ON s.id = r.space_id WHERE s.email = $1 AND r.activated_at IS NOT NULL`, email).Scan(&id))
	return id
}

// D4: the program does not start while the machine's clock and the database's
// differ by more than five seconds.
func TestCheckClock(t *testing.T) {
	t.Parallel()
	d := open(t)
	for shift, ok := range map[time.Duration]bool{0: true, 4 * time.Second: true, -4 * time.Second: true,
		6 * time.Second: false, -6 * time.Second: false, time.Hour: false} {
		d.Shift(t, shift)
		if err := d.CheckClock(d.ctx); (err == nil) != ok {
			t.Errorf("a difference of %s: %v", shift, err)
		}
	}
}

// `show`: the whole story of a number, and of an unknown one none.
func TestStory(t *testing.T) {
	t.Parallel()
	d := open(t)
	old, _ := d.invited("000001", "a@duvallon.example")
	d.expire(old)
	if _, err := d.RetryAll(d.ctx, 0, false, d.keys); err != nil {
		t.Fatal(err)
	}
	request := d.latest("000001")
	d.must(d.activate(d.mail(request)))
	story, err := d.Story(d.ctx, "000001")
	d.must(err)
	if story.Space.Access != conversion.AccessPassword || story.Email != "a@duvallon.example" || story.SwitchedAt.IsZero() {
		t.Errorf("the space is %+v, email %s, switched %s", story.Space, story.Email, story.SwitchedAt)
	}
	if len(story.Requests) != 2 || story.Requests[0].ID != old || story.Requests[0].State != conversion.StateExpired ||
		story.Requests[1].ID != request || story.Requests[1].State != conversion.StateActivated {
		t.Errorf("the requests are %+v", story.Requests)
	}
	var events []string
	for _, e := range story.Audit {
		events = append(events, e.Event)
	}
	if got, want := strings.Join(events, " "), "requested mailed expired requested mailed activated"; got != want {
		t.Errorf("the events are %s, want %s", got, want)
	}
	if _, err := d.Story(d.ctx, "999999"); !errors.Is(err, conversion.ErrNotFound) {
		t.Errorf("an unknown number: %v, want ErrNotFound", err)
	}
}

// D3, I9: a resend that waits for a lock happens at the instant at which the lock is
// free: before the deadline or not at all.
func TestResendBehindLock(t *testing.T) {
	t.Parallel()
	for late, want := range map[time.Duration]bool{2 * time.Minute: true, 49 * time.Hour: false} {
		d := open(t)
		request, _ := d.invited("000001", "a@duvallon.example")
		tx, err := d.Raw.Begin()
		d.must(err)
		_, err = tx.Exec(`SELECT FROM request WHERE id = $1 FOR UPDATE`, request)
		d.must(err)
		answer := make(chan error, 1)
		go func() { answer <- d.Resend(d.ctx, "000001", "", "admin") }()
		d.waiting(1)
		d.Shift(t, late)
		d.must(tx.Rollback())
		if err := <-answer; (err == nil) != want {
			t.Errorf("%s later: %v", late, err)
		}
		d.sound()
	}
}
