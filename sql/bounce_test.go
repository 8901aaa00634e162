package sql_test

import (
	"testing"

	"bascule/internal/conversion"
	"bascule/sql"
)

// D11: a graver class replaces a lighter one, never the other way round, and
// twice is once. Each class that counts is audited by its name.
func TestBounceClassesUpgrade(t *testing.T) {
	t.Parallel()
	d := open(t)
	request, p := d.invited("000001", "a@duvallon.example")
	for i, step := range []struct {
		class conversion.Bounce
		news  bool
		now   conversion.Bounce
	}{
		{conversion.BounceLate, true, conversion.BounceLate},
		{conversion.BounceLate, false, conversion.BounceLate},
		{conversion.BouncePolicy, true, conversion.BouncePolicy},
		{conversion.BounceLate, false, conversion.BouncePolicy},
		{conversion.BounceGone, true, conversion.BounceGone},
		{conversion.BouncePolicy, false, conversion.BounceGone},
		{conversion.BounceComplaint, true, conversion.BounceComplaint},
		{conversion.BounceGone, false, conversion.BounceComplaint},
		{conversion.BounceComplaint, false, conversion.BounceComplaint},
	} {
		news, err := d.Bounced(d.ctx, request, 1, step.class)
		d.must(err)
		got := conversion.Bounce(d.Text(t, `SELECT bounce FROM request_code WHERE id = $1`, request))
		if news != step.news || got != step.now {
			t.Errorf("step %d, %s: news %v and %s, want %v and %s", i, step.class, news, got, step.news, step.now)
		}
	}
	want := "late, full or policy, gone, complaint"
	if got := d.Text(t, `SELECT string_agg(why, ', ' ORDER BY id) FROM audit WHERE event = 'bounced'`); got != want {
		t.Errorf("the audit log tells %s, want %s", got, want)
	}
	d.accepted(p, request) // the code still works
	d.sound()
}

// D11, D3: the effects of a report on the mail to an address that the subscriber chose.
// The contact is told of the missed deadline instead, but after a complaint. Only a mail
// that may still arrive keeps its reservation. Only a late one counts as not delivered,
// once its code is dead.
func TestBounceClasses(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		class    conversion.Bounce
		reserved bool
		told     string
		lost     bool
	}{
		{"", true, "chosen@duvallon.example", false},
		{conversion.BounceLate, true, "a@duvallon.example", true},
		{conversion.BouncePolicy, false, "a@duvallon.example", false},
		{conversion.BounceGone, false, "a@duvallon.example", false},
		{conversion.BounceComplaint, false, "", false},
	} {
		t.Run(string(test.class), func(t *testing.T) {
			t.Parallel()
			d := open(t)
			request, p := d.invited("000001", "a@duvallon.example")
			_, err := d.choose(p, "chosen@duvallon.example")
			d.must(err)
			chosen := d.mail(request)
			d.deliver() // the notice
			if test.class != "" {
				if news, err := d.Bounced(d.ctx, request, 2, test.class); err != nil || !news {
					t.Fatalf("not recorded: %v, %v", news, err)
				}
			}
			d.accepted(chosen, request)
			_, other := d.invited("000002", "b@duvallon.example")
			_, err = d.choose(other, "chosen@duvallon.example")
			if got := err != nil; got != test.reserved {
				t.Errorf("the address is reserved: %v (%v), want %v", got, err, test.reserved)
			}
			d.must(d.CancelNumber(d.ctx, "000002"))
			if got := d.notDelivered(); got != 0 {
				t.Errorf("%d not delivered while the code is good", got)
			}
			d.overdue(request)
			want := map[bool]int{true: 1}[test.lost]
			if got := d.notDelivered(); got != want {
				t.Errorf("overdue: %d not delivered, want %d", got, want)
			}
			d.expire(request)
			if got := d.notDelivered(); got != want {
				t.Errorf("expired: %d not delivered, want %d", got, want)
			}
			if got := d.toldOfExpiry(); got != test.told {
				t.Errorf("%q is told of the deadline, want %q", got, test.told)
			}
			d.sound()
		})
	}
}

// toldOfExpiry mails what is due, and returns to whom the word goes that a code is over.
func (d *desk) toldOfExpiry() (to string) {
	d.t.Helper()
	h := d.start(100)
	for _, m := range h.mails {
		if m.Kind == sql.MailExpired {
			to += m.To.String()
		}
	}
	d.must(d.FinishAccepted(d.ctx, h.mails))
	if n := d.count(`SELECT count(*) FROM obligation`); n != 0 {
		d.t.Errorf("%d mails are left", n)
	}
	return to
}

// R21, D1: whose chosen address did not get the code is told at the contact address that
// the code is over, also by certificate. Nobody is if the contact's mail came back, or if
// the chosen address is the contact's.
func TestExpiryOfAnAddressThatCameBack(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		chosen  string
		contact conversion.Bounce // of the invitation
		told    string
	}{
		"the contact is told":        {"chosen@duvallon.example", "", "a@duvallon.example"},
		"the contact came back":      {"chosen@duvallon.example", conversion.BounceGone, ""},
		"the contact's, chosen also": {"A@duvallon.example", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := open(t)
			request, _ := d.invited("000001", "a@duvallon.example")
			if test.contact != "" {
				_, err := d.Bounced(d.ctx, request, 1, test.contact)
				d.must(err)
			}
			_, err := d.opt("000001", test.chosen)
			d.must(err)
			d.deliver()
			latest := d.count(`SELECT generation FROM request`)
			if news, err := d.Bounced(d.ctx, request, latest, conversion.BounceGone); err != nil || !news {
				t.Fatalf("not recorded: %v, %v", news, err)
			}
			d.expire(request)
			if got := d.toldOfExpiry(); got != test.told {
				t.Errorf("%q is told, want %q", got, test.told)
			}
			d.sound()
		})
	}
}

func (d *desk) notDelivered() int {
	d.t.Helper()
	s, err := d.Status(d.ctx, 0)
	d.must(err)
	return s.NotDelivered
}

// D11: the report of a queue that gave up comes days later, when the request has
// long expired. It counts, and a word about the deadline that still waits is not
// sent any more.
func TestBounceAfterTheEnd(t *testing.T) {
	t.Parallel()
	d := open(t)
	request, _ := d.invited("000001", "a@duvallon.example")
	d.expire(request)
	if news, err := d.Bounced(d.ctx, request, 1, conversion.BounceLate); err != nil || !news {
		t.Fatalf("not recorded: %v, %v", news, err)
	}
	if got := d.notDelivered(); got != 1 {
		t.Errorf("%d not delivered, want 1", got)
	}
	if n := d.deliver(); n != 0 {
		t.Errorf("%d mails were sent about the deadline", n)
	}
	if n := d.count(`SELECT count(*) FROM obligation`); n != 0 {
		t.Errorf("%d obligations are left", n)
	}
	d.sound()
}

// D11, R22: a code of a new key is a new mail, without the reports on the old one. Its
// own bounce counts, a mail tells its expiry, and it reserves its address again.
func TestReissueForgetsBounces(t *testing.T) {
	t.Parallel()
	d := open(t)
	request, p := d.invited("000001", "a@duvallon.example")
	_, err := d.choose(p, "chosen@duvallon.example")
	d.must(err)
	d.mail(request)
	_, err = d.Bounced(d.ctx, request, 2, conversion.BounceGone)
	d.must(err)
	d.Exec(t, `UPDATE code SET refusal = 'no such user' WHERE request_id = $1`, request)
	next := otherKeys(t)
	if n, err := d.Reissue(d.ctx, d.keys.Newest(), next, "admin"); n != 1 || err != nil {
		t.Fatalf("%d codes were reissued, %v", n, err)
	}
	d.keys = next
	if got := d.Text(t, `SELECT row(bounced_at, bounce, refusal)::text FROM request_code WHERE id = $1`, request); got != `(,,"")` {
		t.Errorf("the new code begins with %s", got)
	}
	d.mail(request)
	_, other := d.invited("000002", "b@duvallon.example")
	if _, err := d.choose(other, "chosen@duvallon.example"); err == nil {
		t.Error("the address is not reserved again")
	}
	if news, err := d.Bounced(d.ctx, request, 3, conversion.BouncePolicy); err != nil || !news {
		t.Errorf("the bounce of the new mail: %v, %v", news, err)
	}
	d.sound()
}

// R22, I4: a leaked key is given up for all, also where an address that bounced
// has become another request's, or where two wait for it: one of them has it then.
func TestReissueOfALostReservation(t *testing.T) {
	t.Parallel()
	d := open(t)
	bounce := func(number string) int64 {
		request, p := d.invited(number, number+"@duvallon.example")
		_, err := d.choose(p, "chosen@duvallon.example")
		d.must(err)
		d.mail(request)
		_, err = d.Bounced(d.ctx, request, 2, conversion.BounceGone)
		d.must(err)
		return request
	}
	first, second := bounce("000001"), bounce("000002")
	next := otherKeys(t)
	third, err := conversion.ParseKeyring("dGhpcmR0aGlyZHRoaXJkdGhpcmR0aGlyZHRoaXJkdGhpcmQ=")
	d.must(err)
	if n, err := d.Reissue(d.ctx, d.keys.Newest(), next, "admin"); n != 2 || err != nil {
		t.Fatalf("two bounced: %d codes were reissued, %v", n, err)
	}
	if got := d.Text(t, `SELECT string_agg(concat(id = $1, id = $2, coalesce(bounce, '')), ' ' ORDER BY id) FROM request_code`, first, second); got != "tf ftgone" {
		t.Errorf("after two bounced: %s", got)
	}
	if n, err := d.Reissue(d.ctx, next.Newest(), third, "admin"); n != 2 || err != nil {
		t.Fatalf("one has the address: %d codes were reissued, %v", n, err)
	}
	if got := d.Text(t, `SELECT string_agg(coalesce(bounce, 'reserved'), ' ' ORDER BY id) FROM request_code`); got != "reserved gone" {
		t.Errorf("after one had it: %s", got)
	}
	d.keys = third
	d.sound()
}
