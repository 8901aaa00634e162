package sql_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/lib/pq"

	"bascule/internal/conversion"
	"bascule/sql"
)

// C2: what became due only now is shared evenly by three workers, whoever asks
// first and however much it asks for; a second later nobody waits for a worker
// that may be dead.
func TestShare(t *testing.T) {
	t.Parallel()
	d := open(t)
	for i := range 30 {
		d.invite(fmt.Sprintf("00000%d", 10+i), fmt.Sprintf("contact%d@duvallon.example", i))
	}
	now, err := d.Now(d.ctx)
	d.must(err)
	d.Freeze(t, now)
	d.Exec(t, `UPDATE obligation SET due_at = bascule_now()`)
	claim := func(rank int) int {
		mails, err := d.ClaimMail(d.ctx, sql.LaneBulk, 100, uuid.NewString(), false, sql.Share{Rank: rank, Of: 3})
		d.must(err)
		return len(mails)
	}
	if first, again, second := claim(0), claim(0), claim(1); first != 10 || again != 0 || second != 10 {
		t.Errorf("%d, %d and %d mails, want 10, none and 10", first, again, second)
	}
	d.Freeze(t, now.Add(time.Second))
	if n := claim(0); n != 10 {
		t.Errorf("%d mails of a worker that does not come, want 10", n)
	}
}

// D8, D1: the holder of the certificate chooses the contact address after another
// one was dropped as refused: the credentials get a code of their own, for the
// code of before could not activate them.
func TestOptAfterDroppedAddress(t *testing.T) {
	t.Parallel()
	d := open(t)
	request, contact := d.invited("000001", "contact@duvallon.example")
	_, err := d.choose(contact, "mine@duvallon.example")
	d.must(err)
	h := d.claimOf(request)
	h.start()
	d.must(d.FinishRefused(d.ctx, h.Token, h.refusals("550 5.1.1")))
	d.accepted(contact, request)

	choice, err := d.opt("000001", "contact@duvallon.example")
	d.must(err)
	if choice.Standing {
		t.Error("a code is said to stand that cannot activate")
	}
	d.sound()
	d.must(d.activate(d.mail(request)))
	d.sound()
}

// I1, R21: a copy is refused for good although its code was typed meanwhile: the
// request goes on, and ends at its deadline like any other.
func TestRefusedAfterTyped(t *testing.T) {
	t.Parallel()
	d := open(t)
	request := d.invite("000001", "contact@duvallon.example")
	d.must(d.FinishInDoubt(d.ctx, d.claimOf(request).sent(), 0)) // it arrived, but the answer was lost
	h := d.claimOf(request)
	h.start()
	d.accepted(d.code(h.mails[0]), request)
	d.must(d.FinishRefused(d.ctx, h.Token, h.refusals("552 5.2.2")))
	if d.state(request) != conversion.StateMailed {
		t.Errorf("the request is %s", d.state(request))
	}
	d.sound()
	d.Shift(t, conversion.DefaultCodeLifetime+time.Hour)
	if swept, err := d.Sweep(d.ctx, 10); err != nil || swept.Expired != 1 {
		t.Errorf("%d requests expired, error %v", swept.Expired, err)
	}
	d.sound()
}

// refusals are what a relay says that refuses all code mails of a hand.
func (h *hand) refusals(code string) []sql.Failure {
	var list []sql.Failure
	for _, m := range h.mails {
		if m.Kind == sql.MailCode {
			list = append(list, sql.Failure{ID: m.ID, Refusal: "no", Code: code})
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
		if got := sql.IsPermanent(fmt.Errorf("finish: %w", &pq.Error{Code: pq.ErrorCode(code)})); got != want {
			t.Errorf("%s: %v, want %v", code, got, want)
		}
	}
	if sql.IsPermanent(context.DeadlineExceeded) || sql.IsPermanent(nil) {
		t.Error("what PostgreSQL did not say is permanent")
	}
}
