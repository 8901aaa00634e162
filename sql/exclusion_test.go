package sql_test

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"bascule/internal/conversion"
	"bascule/sql"
	"bascule/sql/sqltest"
)

func (d *desk) exclude(whom string, until ...time.Time) int {
	d.t.Helper()
	x, err := conversion.ParseExcluded(whom)
	d.must(err)
	e := sql.Exclusion{Excluded: x, Reason: "asked by phone"}
	for _, e.EndsAt = range until {
	}
	n, err := d.Exclude(d.ctx, e, "admin")
	d.must(err)
	return n
}

// I8: an import looks up by index whether a row is left alone. With a thousand exclusions
// the planner would rather keep them all, and compare each row with each.
func TestExclusionsAreLookedUp(t *testing.T) {
	t.Parallel()
	d := open(t)
	d.Exec(t, `INSERT INTO exclusion (kind, key, reason, made_at, made_by)
		SELECT 'address', i || '@b.example', 'asked by phone', bascule_now(), 'admin' FROM generate_series(1, 1000) i`)
	query, err := os.ReadFile("query/judge_known.sql")
	d.must(err)
	tx, err := d.Raw.BeginTx(d.ctx, nil)
	d.must(err)
	defer tx.Rollback()
	_, err = tx.Exec(sql.Stage + sql.KeysOnly)
	d.must(err)
	if plan := d.plan(tx, string(query), 0, "C", noon, 1, true); !strings.Contains(plan, "Index Cond: (left_alone.id =") {
		t.Errorf("the plan is\n%s", plan)
	}
}

func (d *desk) lift(whom string) error {
	d.t.Helper()
	x, err := conversion.ParseExcluded(whom)
	d.must(err)
	_, err = d.Lift(d.ctx, x, "asked to be invited", "admin")
	return err
}

// D17: an import leaves out the spaces that an exclusion names by address, domain or
// number, new or known, and says so. A switched space needs no exclusion.
func TestImportExcluded(t *testing.T) {
	t.Parallel()
	d := open(t)
	d.invited("000001", "known@duvallon.example")
	d.switched("000002", "switched@duvallon.example")
	for _, whom := range []string{"Known@Duvallon.example", "switched@duvallon.example", "firm.example", "000006", "000007"} {
		d.exclude(whom)
	}
	must := func(err error) { t.Helper(); d.must(err) }
	must(d.lift("000007"))
	d.exclude("000008", time.Now().Add(-time.Hour)) // over
	_, verdicts := d.run(d.sheet(
		row("000001", "known@duvallon.example"),               // held already: excluded, not unchanged
		row("000001X", "known@duvallon.example"),              // the address under another number
		row("000002", "switched@duvallon.example"),            // switched
		row("000003", "anne@firm.example"),                    // the domain
		row("000004", "anne@sub.firm.example"),                // another domain
		row("000005", "anne@xfirm.example"),                   // another one
		row("000006", "free@duvallon.example"),                // the number
		row("000007", "lifted@duvallon.example"),              // lifted
		row("000008", "over@duvallon.example"),                // over
		row("000001Y", "other@duvallon.example", serial("9")), // nobody excluded
		malformed("000006"),
	))
	want := "excluded excluded unchanged excluded accepted accepted rejected accepted accepted accepted rejected"
	if got := kindsOf(verdicts); got != want {
		t.Errorf("the verdicts are\n%s, want\n%s", got, want)
	}
	if r := verdicts[0].Reason; !strings.Contains(r, "à ne pas inviter") || !strings.Contains(r, "asked by phone") || verdicts[0].Cell != "" {
		t.Errorf("the verdict says %q of cell %q", r, verdicts[0].Cell)
	}
	if n := d.count(`SELECT count(*) FROM space WHERE number IN ('000001X', '000003')`); n != 0 {
		t.Errorf("%d excluded rows were stored", n)
	}
	if got := d.Text(t, `SELECT string_agg(line || ' ' || verdict, ', ' ORDER BY line) FROM rejected WHERE batch_id = (SELECT max(id) FROM batch)`); got !=
		"2 excluded, 3 excluded, 5 excluded, 8 rejected, 12 rejected" {
		t.Errorf("kept of the rows that were not taken: %s", got)
	}
	d.sound()
}

// D17: who is excluded by two at once is excluded once; the later one replaces the other.
func TestExcludedAtOnce(t *testing.T) {
	t.Parallel()
	d := open(t)
	d.invite("000001", "a@duvallon.example")
	whom, err := conversion.ParseExcluded("a@duvallon.example")
	d.must(err)
	d.bothExclude(func(i int) {
		x := sql.Exclusion{Excluded: whom, Reason: fmt.Sprintf("call %d", i)}
		if i == 0 {
			_, err := d.Exclude(d.ctx, x, "admin")
			d.must(err)
			return
		}
		_, err := d.ExcludeAll(d.ctx, []sql.Exclusion{x}, "admin", false)
		d.must(err)
	})
	if n := d.count(`SELECT count(*) FROM exclusion WHERE ends_at > bascule_now()`); n != 1 {
		t.Errorf("%d exclusions hold, want 1", n)
	}
	if n, err := d.Lift(d.ctx, whom, "asked to be invited", "admin"); n != 1 || err != nil {
		t.Errorf("the lift names %d spaces, error %v", n, err)
	}
	d.sound()
}

// bothExclude calls exclude twice. No exclusion is made before both calls wait, for each
// other or to make it.
func (d *desk) bothExclude(exclude func(i int)) {
	d.t.Helper()
	const gate = 4711
	d.Exec(d.t, `CREATE FUNCTION wait_at_gate() RETURNS trigger LANGUAGE plpgsql AS $$
		BEGIN PERFORM pg_advisory_xact_lock_shared(TG_ARGV[0]::bigint); RETURN NEW; END $$`)
	d.Exec(d.t, fmt.Sprintf(`CREATE TRIGGER gate BEFORE INSERT ON exclusion FOR EACH ROW EXECUTE FUNCTION wait_at_gate(%d)`, gate))
	open := d.hold(`SELECT pg_advisory_xact_lock($1)`, gate)
	var both sync.WaitGroup
	for i := range 2 {
		both.Go(func() { exclude(i) })
	}
	d.waiting(2)
	open()
	both.Wait()
}

// D17: two complaints from an address that several spaces share exclude it once.
func TestComplaintsAtOnce(t *testing.T) {
	t.Parallel()
	d := open(t)
	first, _ := d.invited("000001", "a@duvallon.example")
	second, _ := d.invited("000002", "a@duvallon.example")
	d.bothExclude(func(i int) {
		_, err := d.Bounced(d.ctx, []int64{first, second}[i], 1, conversion.BounceComplaint)
		d.must(err)
	})
	if n := d.count(`SELECT count(*) FROM exclusion`); n != 1 {
		t.Errorf("there are %d exclusions, want 1", n)
	}
	d.sound()
}

// D17: an exclusion survives further imports, until somebody lifts it. A lift happens
// once and is in the audit log of the space. The exclusion keeps its author and its
// reason.
func TestExclusionIsLifted(t *testing.T) {
	t.Parallel()
	d := open(t)
	request := d.invite("000001", "a@duvallon.example")
	if n := d.exclude("a@duvallon.example"); n != 1 {
		t.Errorf("%d spaces are named, want 1", n)
	}
	d.exclude("a@duvallon.example") // replaces
	for range 2 {
		if got := d.kinds(row("000001", "a@duvallon.example", holder("New"))); got != "excluded" {
			t.Errorf("the verdict is %s", got)
		}
	}
	d.must(d.lift("A@duvallon.example"))
	if err := d.lift("a@duvallon.example"); !errors.Is(err, conversion.ErrNotFound) {
		t.Errorf("lifted twice: %v", err)
	}
	if err := d.lift("nobody@duvallon.example"); !errors.Is(err, conversion.ErrNotFound) {
		t.Errorf("nobody lifted: %v", err)
	}
	if got := d.kinds(row("000001", "a@duvallon.example", holder("New"))); got != "accepted" {
		t.Errorf("the verdict is %s", got)
	}
	if got := d.audit(request); !strings.Contains(got, "excluded by admin, excluded by admin, exclusion lifted by admin") {
		t.Errorf("the audit log has %s", got)
	}
	if got := d.Text(t, `SELECT string_agg(concat_ws('|', kind, key, reason, made_by, lifted_by, lift_reason), ' ' ORDER BY id) FROM exclusion`); got !=
		"address|a@duvallon.example|asked by phone|admin|admin|replaced address|a@duvallon.example|asked by phone|admin|admin|asked to be invited" {
		t.Errorf("kept: %s", got)
	}
	d.sound()
}

// D17, I1: an invitation that waits for its mail waits on while its space is left
// alone, by any name. It leaves at once when the exclusion is lifted or over.
func TestExcludedIsNotInvited(t *testing.T) {
	t.Parallel()
	for _, whom := range []string{"a@duvallon.example", "duvallon.example", "000001"} {
		t.Run(whom, func(t *testing.T) {
			t.Parallel()
			d := open(t)
			d.invite("000001", "a@duvallon.example")
			d.exclude(whom)
			if n := d.deliver(); n != 0 {
				t.Fatalf("%d mails were sent", n)
			}
			d.sound()
			s, err := d.Status(d.ctx, 0)
			d.must(err)
			if s.ToSend != 0 || s.Requested != 1 {
				t.Errorf("%d mails to send, %d requests wait", s.ToSend, s.Requested)
			}
			d.must(d.lift(whom))
			if n := d.deliver(); n != 1 {
				t.Errorf("%d mails were sent once it is lifted, want 1", n)
			}
			d.sound()
		})
	}
	t.Run("until a day", func(t *testing.T) {
		t.Parallel()
		d := open(t)
		d.invite("000001", "a@duvallon.example")
		d.exclude("000001", time.Now().Add(time.Hour))
		if n := d.deliver(); n != 0 {
			t.Fatalf("%d mails were sent", n)
		}
		d.Shift(t, time.Hour+time.Second)
		d.must(d.ReleaseAll(d.ctx))
		if n := d.deliver(); n != 1 {
			t.Errorf("%d mails were sent once it is over, want 1", n)
		}
	})
}

// D13, D17: a subscriber who was left alone is invited as the campaign's brakes allow,
// however many there are at once.
func TestLiftedWithinTheDay(t *testing.T) {
	t.Parallel()
	d := open(t)
	at := time.Date(2031, 10, 13, 9, 0, 0, 0, conversion.Paris)
	d.Freeze(t, at)
	in := d.sheet(row("000001", "a@duvallon.example"), row("000002", "b@duvallon.example"), row("000003", "c@duvallon.example"))
	in.Campaign = "spring"
	d.run(in)
	d.exclude("duvallon.example")
	if n := d.deliver(); n != 0 {
		t.Fatalf("%d mails were sent to who is left alone", n)
	}
	d.must(d.SetCampaign(d.ctx, "spring", func(s *sql.CampaignSettings) { s.PerDay = 2 }, "admin"))
	d.must(d.lift("duvallon.example"))
	for day, want := range []int{2, 1, 0} {
		d.Freeze(t, at.AddDate(0, 0, day))
		d.must(d.ReleaseAll(d.ctx))
		if n := d.deliver(); n != want {
			t.Errorf("day %d: %d mails were sent, want %d", day, n, want)
		}
		d.sound()
	}
}

// D17: an invitation that waits for an exclusion without an end is forgotten once its
// request has ended or has another code. Other invitations wait.
func TestExcludedWaitsNotForEver(t *testing.T) {
	t.Parallel()
	d := open(t)
	for i, number := range []string{"000001", "000002", "000003", "000004"} {
		d.invite(number, fmt.Sprintf("contact%d@duvallon.example", i))
		d.exclude(number)
	}
	d.deliver()
	d.must(d.CancelNumber(d.ctx, "000001"))
	_, err := d.opt("000002", "mine@duvallon.example")
	d.must(err)
	d.exclude("contact2@duvallon.example")
	d.must(d.lift("000003"))
	waiting := func() string {
		return d.Text(t, `SELECT string_agg(s.number || ' ' || o.kind || o.generation, ', ' ORDER BY s.number, o.id)
			FROM obligation o JOIN request r ON r.id = o.request_id JOIN space s ON s.id = r.space_id`)
	}
	if got := waiting(); got != "000001 code1, 000002 code1, 000002 code2, 000002 notice2, 000003 code1, 000004 code1" {
		t.Fatalf("before: %s", got)
	}
	n, err := d.CleanUp(d.ctx, 1)
	d.must(err)
	m, err := d.CleanUp(d.ctx, 10)
	d.must(err)
	if got := waiting(); n.Found != 1 || m.Found != 1 || got != "000002 code2, 000002 notice2, 000003 code1, 000004 code1" {
		t.Errorf("after: %d, then %d are forgotten: %s", n.Found, m.Found, got)
	}
	d.sound()
	d.must(d.lift("contact2@duvallon.example"))
	d.must(d.lift("000004"))
	if n := d.deliver(); n != 4 {
		t.Errorf("%d mails were sent once nobody is left alone, want 4", n)
	}
}

// D17, I5: a mail in doubt does not go out again to a subscriber who is left alone in
// the meantime. Its code may have arrived and is good until its deadline.
func TestExcludedInDoubt(t *testing.T) {
	t.Parallel()
	d := open(t)
	request := d.invite("000001", "a@duvallon.example")
	h := d.start(1)
	d.must(d.FinishInDoubt(d.ctx, h.mails, 0))
	d.exclude("000001")
	if n := d.deliver(); n != 0 {
		t.Errorf("%d copies were sent", n)
	}
	d.accepted(d.code(h.mails[0]), request)
	d.sound()
}

// D17, R21: a subscriber who is left alone gets no reminder, no retry and no repetition
// of the code. A code that was mailed is good all the same.
func TestExcludedIsNotReminded(t *testing.T) {
	t.Parallel()
	for _, whom := range []string{"000001", "a@duvallon.example", "duvallon.example"} {
		t.Run(whom, func(t *testing.T) { t.Parallel(); open(t).notReminded(whom) })
	}
}

func (d *desk) notReminded(whom string) {
	t := d.t
	request, p := d.invited("000001", "a@duvallon.example")
	d.must(d.Resend(d.ctx, "000001", "", "admin"))
	d.exclude(whom)
	if n := d.deliver(); n != 0 {
		t.Errorf("%d repetitions were sent that waited", n)
	}
	var state *sql.StateError
	if err := wantAs(d.Resend(d.ctx, "000001", "", "admin"), &state); err != nil || !strings.Contains(state.Advice, "bascule exclude --lift") {
		t.Errorf("resend: %v, %v", err, state)
	}
	d.accepted(p, request)
	d.expire(request)
	if n := d.deliver(); n != 0 {
		t.Errorf("%d mails were sent about the deadline", n)
	}
	for _, scope := range []sql.RetryScope{{SameAddress: true}, {Numbers: []conversion.SubscriberNumber{"000001"}, SameAddress: true}} {
		plan, err := d.PlanRetry(d.ctx, scope)
		d.must(err)
		if len(plan.Requests) != 0 || plan.LeftOut[sql.ObstacleExcluded] != 1 {
			t.Errorf("retry of %v: %d planned, left out %v", scope.Numbers, len(plan.Requests), plan.LeftOut)
		}
	}
	s, err := d.Story(d.ctx, "000001")
	d.must(err)
	if len(s.Exclusions) != 1 || s.Exclusions[0].MadeBy != "admin" || s.Exclusions[0].Reason != "asked by phone" {
		t.Errorf("the story tells of %+v", s.Exclusions)
	}
	d.must(d.lift(whom))
	plan, err := d.PlanRetry(d.ctx, sql.RetryScope{})
	d.must(err)
	if len(plan.Requests) != 1 {
		t.Errorf("%d planned once it is lifted, left out %v", len(plan.Requests), plan.LeftOut)
	}
	d.sound()
}

// D17: mails that excluded subscribers ask for go out as ever: an option in the space,
// another address, a new password. The notices that follow go out too.
func TestExcludedIsServed(t *testing.T) {
	t.Parallel()
	d := open(t)
	first, p := d.invited("000001", "a@duvallon.example")
	d.invited("000002", "b@duvallon.example")
	d.exclude("duvallon.example")
	_, err := d.choose(p, "chosen@duvallon.example")
	d.must(err)
	if n := d.deliver(); n != 2 {
		t.Errorf("another address was chosen: %d mails, want code and notice", n)
	}
	_, err = d.opt("000002", "other@duvallon.example")
	d.must(err)
	if n := d.deliver(); n != 2 {
		t.Errorf("an option: %d mails, want code and notice", n)
	}
	d.must(d.activate(d.proofOf(first)))
	if n := d.count(`SELECT count(*) FROM space WHERE access = 'password'`); n != 1 {
		t.Errorf("%d spaces are switched", n)
	}
	d.sound()
}

// proofOf is the code of the present generation of a request.
func (d *desk) proofOf(request int64) proof {
	d.t.Helper()
	var (
		key        conversion.KeyID
		nonce      []byte
		generation int
		email      string
	)
	d.must(d.Raw.QueryRow(`SELECT key_id, nonce, generation, email FROM request_code WHERE id = $1`, request).Scan(&key, &nonce, &generation, &email))
	to := sqltest.Email(d.t, email)
	code, err := d.keys.Code(conversion.ForActivation, key, conversion.Nonce(nonce), generation, to)
	d.must(err)
	return proof{to, code}
}

// D17: a complaint leaves the address of its mail alone, for good, even if its request
// is switched meanwhile. Other spaces with the address are left alone, too. An address
// that the request has left is not known, and nobody else pays for it.
func TestComplaint(t *testing.T) {
	t.Parallel()
	d := open(t)
	first, p := d.invited("000001", "shared@duvallon.example")
	d.invite("000002", "shared@duvallon.example")
	switched := d.switched("000003", "c@duvallon.example")
	complain := func(request int64, generation int, want bool) {
		t.Helper()
		if news, err := d.Bounced(d.ctx, request, generation, conversion.BounceComplaint); err != nil || news != want {
			t.Errorf("the complaint is news: %v, %v; want %v", news, err, want)
		}
	}
	d.exclude("shared@duvallon.example", time.Now().Add(time.Hour)) // a complaint has no end
	complain(first, 1, true)
	complain(first, 1, false)
	if n := d.deliver(); n != 0 {
		t.Errorf("%d mails were sent", n)
	}
	complain(switched, 1, true)
	_, err := d.choose(p, "chosen@duvallon.example")
	d.must(err)
	d.mail(first)
	complain(first, 1, false) // the contact address, once more
	complain(first, 2, true)  // the address chosen
	complain(first, 3, false)
	complain(999, 1, false)
	if got := d.Text(t, `SELECT string_agg(concat_ws(' ', key, reason, made_by), ', ' ORDER BY id) FROM exclusion WHERE ends_at = 'infinity'`); got !=
		"shared@duvallon.example complaint worker, c@duvallon.example complaint worker, chosen@duvallon.example complaint worker" {
		t.Errorf("excluded: %s", got)
	}
	d.expire(first)
	if n := d.deliver(); n != 0 {
		t.Errorf("%d mails were sent to who complained", n)
	}
	if got := d.kinds(row("000009", "shared@duvallon.example")); got != "excluded" {
		t.Errorf("imported again, the address is %s", got)
	}
	_, verdicts := d.run(d.sheet(row("000009", "shared@duvallon.example", holder("Z"))))
	if !strings.HasSuffix(verdicts[0].Reason, "plainte du destinataire") {
		t.Errorf("the verdict says %q", verdicts[0].Reason)
	}
	d.sound()
}

// D17, I1: a shorter exclusion in place of one without an end lets the invitation
// go when it is over, or lifted.
func TestShorterExclusionEnds(t *testing.T) {
	t.Parallel()
	for _, lifted := range []bool{false, true} {
		d := open(t)
		d.invite("000001", "a@duvallon.example")
		d.exclude("a@duvallon.example")
		if n := d.deliver(); n != 0 {
			t.Fatalf("%d mails were sent", n)
		}
		d.exclude("a@duvallon.example", time.Now().Add(24*time.Hour))
		if n := d.deliver(); n != 0 {
			t.Fatalf("%d mails were sent under the shorter one", n)
		}
		if lifted {
			d.must(d.lift("a@duvallon.example"))
		} else {
			d.Shift(t, 25*time.Hour)
			d.must(d.ReleaseAll(d.ctx))
		}
		if n := d.deliver(); n != 1 {
			t.Errorf("lifted %v: %d mails were sent, want 1", lifted, n)
		}
		d.sound()
	}
}

// D17: a list of exclusions is accepted whole, or not at all: if the database refuses
// one, it takes the others back. A dry run changes nothing.
func TestExcludeAll(t *testing.T) {
	t.Parallel()
	d := open(t)
	d.invite("000001", "a@duvallon.example")
	list := func(reasons ...string) (all []sql.Exclusion) {
		for i, reason := range reasons {
			all = append(all, sql.Exclusion{Excluded: conversion.Excluded{Kind: conversion.ExcludedAddress, Key: string(rune('a'+i)) + "@duvallon.example"}, Reason: reason})
		}
		return all
	}
	wrong := list("R", "R")
	wrong[1].Kind = "nobody"
	if _, err := d.ExcludeAll(d.ctx, wrong, "admin", false); err == nil {
		t.Error("an exclusion of nobody is taken")
	}
	for _, c := range []struct {
		list   []sql.Exclusion
		dryRun bool
		want   sql.ExclusionCount
		kept   string
	}{
		{list("R", "R"), true, sql.ExclusionCount{New: 2}, "0"},
		{list("R", "R"), false, sql.ExclusionCount{New: 2}, "2"},
		{list("R", "S", "T"), true, sql.ExclusionCount{New: 1, Changed: 1, Same: 1}, "2"},
		{list("R", "S", "T"), false, sql.ExclusionCount{New: 1, Changed: 1, Same: 1}, "4"},
		{append(list("R"), list("R")...), false, sql.ExclusionCount{Same: 2}, "4"},
	} {
		n, err := d.ExcludeAll(d.ctx, c.list, "admin", c.dryRun)
		d.must(err)
		if kept := d.Text(t, `SELECT count(*) FROM exclusion`); n != c.want || kept != c.kept {
			t.Errorf("%+v of %d, dry run %v, and %s rows; want %+v and %s", n, len(c.list), c.dryRun, kept, c.want, c.kept)
		}
	}
	if n := d.deliver(); n != 0 {
		t.Errorf("%d mails were sent to who stands in a list", n)
	}
	for x, err := range d.Exclusions(d.ctx) {
		d.must(err)
		if x.Spaces != map[string]int{"a@duvallon.example": 1}[x.Key] {
			t.Errorf("%s names %d spaces", x.Key, x.Spaces)
		}
	}
	d.sound()
}
