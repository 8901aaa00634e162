package sql_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/lib/pq"
	"github.com/lib/pq/pqerror"

	"bascule/internal/conversion"
	"bascule/sql"
)

// C2: a slot that shares a front begins where the others have come to. Mails that
// become due behind it, as those of a worker that died, are found once nothing is
// ahead, or when the front is reset.
func TestFront(t *testing.T) {
	t.Parallel()
	d := open(t)
	for i := range 8 {
		d.invite(fmt.Sprintf("00000%d", i), fmt.Sprintf("contact%d@duvallon.example", i))
	}
	var front sql.Front
	next := func(want string) {
		t.Helper()
		s, err := d.StartMail(d.ctx, sql.Window{Lane: sql.LaneBulk, Limit: 2, Lifetime: time.Hour, Keys: d.keys, Front: &front})
		d.must(err)
		var got []string
		for _, m := range s.Mails {
			got = append(got, string(m.Number))
		}
		if strings.Join(got, " ") != want {
			t.Errorf("started %q, want %s", got, want)
		}
	}
	lapses := func(number string) {
		d.Exec(t, `UPDATE obligation SET claimed_until = bascule_now() WHERE space_id = (SELECT id FROM space WHERE number = $1)`, number)
	}
	next("000000 000001")
	next("000002 000003")
	lapses("000001")
	next("000004 000005")
	front.Reset()
	next("000001 000006")
	lapses("000000")
	next("000007")
	next("000000")
	next("")
}

// D2, R6: a mail tells whether its contact address is the identifier of a password
// space, also an administrator's copy.
func TestTakenIsTold(t *testing.T) {
	t.Parallel()
	d := open(t)
	const firm = "cabinet@duvallon.example"
	d.invited("000001", firm)
	d.invited("000002", "free@duvallon.example")
	d.switched("000003", "mine@duvallon.example")
	d.deliver()
	d.Exec(t, `UPDATE space SET contact_email = $1, contact_key = $1 WHERE number = '000001'`, "mine@duvallon.example")
	for _, number := range []conversion.SubscriberNumber{"000001", "000002"} {
		d.must(d.Resend(d.ctx, number, "", "admin"))
	}
	d.invite("000004", "mine2@duvallon.example")
	d.Exec(t, `UPDATE space SET contact_email = $1, contact_key = $1 WHERE number = '000004'`, "mine@duvallon.example")
	d.invite("000005", "other@duvallon.example")
	taken := make(map[string]bool)
	for _, m := range d.start(10).mails {
		taken[string(m.Number)] = m.Taken
	}
	if got := fmt.Sprint(taken); got != "map[000001:true 000002:false 000004:true 000005:false]" {
		t.Errorf("taken: %s", got)
	}
}

// D2: a mail knows how many certificate spaces share its address, once those that
// have switched are gone; beyond a thousand they are not counted.
func TestSharingIsCounted(t *testing.T) {
	t.Parallel()
	d := open(t)
	const firm = "cabinet@duvallon.example"
	d.invite("000001", firm)
	d.invite("000002", firm)
	d.invite("000003", "seul@duvallon.example")
	others := func(n int) {
		d.Exec(t, `INSERT INTO space (number, holder, contact_email, contact_key, serial, issuer, certificate_expires, companies, contents)
			SELECT 'X' || md5(random()::text || i), 'Camille Duvallon', $1, $1, md5(random()::text || i), 'CN=AC', bascule_now()::date + 60, '[]', gen_random_uuid()
			FROM generate_series(1, $2) AS i`, firm, n)
	}
	claimed := func() string {
		var told []string
		h := d.start(10)
		for _, m := range h.mails {
			told = append(told, fmt.Sprint(m.Sharing))
		}
		d.must(d.FinishFailed(d.ctx, h.failures("421 busy", false)))
		return strings.Join(told, " ")
	}
	if got := claimed(); got != "2 2 1" {
		t.Errorf("sharing %q, want 2 2 1", got)
	}
	others(248)
	if got := claimed(); got != "250 250 1" {
		t.Errorf("sharing %q, want 250 250 1", got)
	}
	others(1000)
	if got := claimed(); got != "1001 1001 1" {
		t.Errorf("sharing %q, want 1001 1001 1", got)
	}
}

// I5: a worker that renews a claim keeps it for another lease. A worker with another
// token, or one that lets the claim lapse, does not.
func TestRenewClaim(t *testing.T) {
	t.Parallel()
	d := open(t)
	d.invite("000001", "contact@duvallon.example")
	now, err := d.Now(d.ctx)
	d.must(err)
	d.Freeze(t, now)
	h := d.start(10)
	d.Freeze(t, now.Add(sql.Lease-time.Second))
	d.must(d.RenewClaim(d.ctx, h.mails))
	d.Freeze(t, now.Add(2*sql.Lease-2*time.Second))
	if n := len(d.start(10).mails); n != 0 {
		t.Errorf("a renewed claim was taken by somebody else: %d", n)
	}
	lapsed := *h.mails[0]
	lapsed.Token = uuid.NewString()
	d.must(d.RenewClaim(d.ctx, []*sql.Mail{&lapsed}))
	d.Freeze(t, now.Add(2*sql.Lease))
	if n := len(d.start(10).mails); n != 1 {
		t.Errorf("a claim that lapsed is not taken: %d", n)
	}
	d.must(d.RenewClaim(d.ctx, h.mails))
	d.Freeze(t, now.Add(3*sql.Lease))
	if n := len(d.start(10).mails); n != 1 {
		t.Errorf("a former holder renewed another's claim: %d", n)
	}
}

// D11: whose fault a refusal is. Five recipients in a row open the breaker, a
// success in between ends the row; an attempt is given back once.
func TestBlame(t *testing.T) {
	t.Parallel()
	d := open(t)
	for i := range 12 {
		d.invite(fmt.Sprintf("0000%02d", i+10), fmt.Sprintf("contact%d@duvallon.example", i))
	}
	now, err := d.Now(d.ctx)
	d.must(err)
	d.Freeze(t, now)
	h := d.start(12)
	ids := h.ids()
	note := func(want sql.Turn, ids ...int64) {
		t.Helper()
		turn, err := d.NoteUnclear(d.ctx, ids, "550")
		d.must(err)
		if turn != want {
			t.Errorf("refusals of %v turned the breaker %d, want %d", ids, turn, want)
		}
	}
	blame := func(want string) {
		t.Helper()
		if got := d.Text(t, `SELECT string_agg(coalesce(blame, '-'), ' ' ORDER BY id) FROM obligation`); got != want {
			t.Errorf("blame is %q, want %q", got, want)
		}
	}
	note(sql.Unturned, ids[:4]...)
	d.must(d.FinishAccepted(d.ctx, h.mails[4:5]))
	blame("own own own own - - - - - - -")
	note(sql.Unturned, ids[:4]...)
	note(sql.Unturned, ids[4:9]...) // one of them is no mail any more
	note(sql.Unturned, ids[5:9]...)
	blame("own own own own open open open open - - -")
	d.Exec(t, `UPDATE obligation SET attempts = 3, due_at = bascule_now(), claim = CASE WHEN id = $1 THEN claim END`, ids[8])
	note(sql.Opened, ids[9])
	blame("own own own own excused excused excused excused excused - -")
	note(sql.Opened, ids[10])
	note(sql.Opened, ids[5:9]...)
	note(sql.Opened, ids[9])
	blame("own own own own own own own own own excused -")
	note(sql.Closed, ids[10])
	d.must(d.OpenBreaker(d.ctx, "421", append(ids[10:], ids[4])))
	blame("own own own own own own own own own own excused")
	d.must(d.Blame(d.ctx, append(ids[11:], ids[4])))
	blame("own own own own own own own own own own own")
	note(sql.Closed, ids[0])
	// The worker that hands a mail over sets its attempts and its next time.
	if got := d.Text(t, `SELECT string_agg(attempts || CASE WHEN due_at > bascule_now() THEN ' later' ELSE '' END, ', ' ORDER BY id) FROM obligation`); got !=
		"3, 3, 3, 3, 2 later, 2 later, 2 later, 3, 2 later, 2 later, 3" {
		t.Errorf("attempts are %q", got)
	}
	if got := d.Text(t, `SELECT coalesce(opened_at::text, 'closed') || reason FROM breaker`); got != "closed" {
		t.Errorf("the breaker is %q", got)
	}
}

// D11: five recipients are five addresses. Chosen addresses of spaces with one contact
// count each. One address of five mails counts once.
func TestRecipientsInARow(t *testing.T) {
	t.Parallel()
	d := open(t)
	for i := range 5 {
		d.invite(fmt.Sprintf("0000%02d", i+10), "shared@duvallon.example")
	}
	h := d.start(5)
	turn, err := d.NoteUnclear(d.ctx, h.ids(), "550")
	d.must(err)
	if turn != sql.Unturned {
		t.Error("five mails to one address opened the breaker")
	}
	d.must(d.FinishFailed(d.ctx, h.failures("550", true)))
	for i := range 5 {
		_, err := d.opt(fmt.Sprintf("0000%02d", i+10), fmt.Sprintf("mine%d@duvallon.example", i))
		d.must(err)
	}
	var codes []int64
	for _, m := range d.start(20).mails {
		if m.Kind == sql.MailCode && m.IsChosen {
			codes = append(codes, m.ID)
		}
	}
	if turn, err = d.NoteUnclear(d.ctx, codes, "550"); err != nil || turn != sql.Opened {
		t.Errorf("five addresses that were chosen turned the breaker %d, %v", turn, err)
	}
}

// D8, D1: the holder of the certificate chooses the contact address after another
// one was dropped as refused: the code that was mailed there stands, and activates.
func TestOptAfterDroppedAddress(t *testing.T) {
	t.Parallel()
	d := open(t)
	request, contact := d.invited("000001", "contact@duvallon.example")
	_, err := d.choose(contact, "mine@duvallon.example")
	d.must(err)
	h := d.startOf(request)
	d.must(d.FinishRefused(d.ctx, h.refusals("550 5.1.1")))
	d.accepted(contact, request)

	choice, err := d.opt("000001", "contact@duvallon.example")
	d.must(err)
	if !choice.Standing {
		t.Error("another mail goes out, though a good code was mailed")
	}
	d.sound()
	d.must(d.activate(contact))
	d.sound()
}

// I1, R21: a copy is refused for good although its code was typed meanwhile: the
// request goes on, and ends at its deadline like any other.
func TestRefusedAfterTyped(t *testing.T) {
	t.Parallel()
	d := open(t)
	request := d.invite("000001", "contact@duvallon.example")
	d.must(d.FinishInDoubt(d.ctx, d.startOf(request).mails, 0)) // it arrived, but the answer was lost
	h := d.startOf(request)
	d.accepted(d.code(h.mails[0]), request)
	d.must(d.FinishRefused(d.ctx, h.refusals("552 5.2.2")))
	if d.state(request) != conversion.StateMailed {
		t.Errorf("the request is %s", d.state(request))
	}
	d.sound()
	d.Shift(t, conversion.DefaultCodeLifetime+time.Hour)
	if swept, err := d.Sweep(d.ctx, 10); err != nil || swept.Done != 1 {
		t.Errorf("%d requests expired, error %v", swept.Done, err)
	}
	d.sound()
}

// refusals are what a relay says that refuses all code mails of a hand.
func (h *hand) refusals(code string) []sql.Failure {
	var list []sql.Failure
	for _, m := range h.mails {
		if m.Kind == sql.MailCode {
			list = append(list, sql.Failure{Mail: m, Refusal: "no", Reply: code})
		}
	}
	return list
}

// An error stays when the data, the rights, the schema or a trigger are at fault;
// a full disk, a lost connection or a server that starts are overcome.
func TestIsPermanent(t *testing.T) {
	t.Parallel()
	for code, want := range map[string]bool{
		"22021": true, "22P02": true, "23505": true, "23514": true, "42501": true, "42P01": true, "P0001": true,
		"53100": false, "53200": false, "53300": false, "08006": false, "57P03": false, "57014": false, "40P01": false, "25006": false, "55P03": false,
	} {
		if got := sql.IsPermanent(fmt.Errorf("finish: %w", &pq.Error{Code: pqerror.Code(code)})); got != want {
			t.Errorf("%s: %v, want %v", code, got, want)
		}
	}
	if sql.IsPermanent(context.DeadlineExceeded) || sql.IsPermanent(nil) {
		t.Error("what PostgreSQL did not say is permanent")
	}
}

// I5, R21: a mail that failed is started again hours later: its code is good for
// all of its new deadline, and found, though the one of the first start is over.
func TestStartedAgainLater(t *testing.T) {
	t.Parallel()
	d := open(t)
	request := d.invite("000001", "contact@duvallon.example")
	h := d.startOf(request)
	d.must(d.FinishFailed(d.ctx, h.failures("451", true)))
	d.Shift(t, 20*time.Hour)
	p := d.mail(request)
	for _, at := range []time.Duration{49 * time.Hour, 51 * time.Hour, 67 * time.Hour} {
		d.Shift(t, at)
		_, err := d.Sweep(d.ctx, 10)
		d.must(err)
		d.accepted(p, request)
		d.sound()
	}
	for _, at := range []time.Duration{69 * time.Hour, 71 * time.Hour} {
		d.Shift(t, at)
		_, err := d.Sweep(d.ctx, 10)
		d.must(err)
		d.refused(p)
	}
	if d.state(request) != conversion.StateExpired {
		t.Errorf("the request is %s", d.state(request))
	}
	if n := d.count(`SELECT count(*) FROM deadline`); n != 0 {
		t.Errorf("%d deadlines are left of what is over", n)
	}
}
