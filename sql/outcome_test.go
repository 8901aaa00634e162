package sql_test

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
	"testing"

	"bascule/internal/conversion"
	"bascule/sql"
)

// A flight is a mail that was handed to the relay, and the code whose fate depends
// on it.
type flight struct {
	request int64
	hand    *hand
	code    proof
}

// flights are what may have become of a request while its mail is under way.
var flights = []struct {
	name string
	take func(d *desk, number string) flight
}{
	{"nothing", func(d *desk, number string) flight { return d.flight(d.invite(number, number+"@duvallon.example")) }},
	{"in doubt before", func(d *desk, number string) flight {
		request := d.invite(number, number+"@duvallon.example")
		d.must(d.FinishInDoubt(d.ctx, d.startOf(request).mails, 0))
		return d.flight(request)
	}},
	{"typed", func(d *desk, number string) flight {
		f := d.flight(d.invite(number, number+"@duvallon.example"))
		d.accepted(f.code, f.request)
		return f
	}},
	{"cancelled", func(d *desk, number string) flight {
		f := d.flight(d.invite(number, number+"@duvallon.example"))
		d.must(d.CancelNumber(d.ctx, conversion.SubscriberNumber(number)))
		return f
	}},
	{"activated", func(d *desk, number string) flight {
		f := d.flight(d.invite(number, number+"@duvallon.example"))
		d.must(d.activate(f.code))
		return f
	}},
	{"contact changed", func(d *desk, number string) flight {
		f := d.flight(d.invite(number, number+"@duvallon.example"))
		if got := d.kinds(row(number, "new"+number+"@duvallon.example")); got != "accepted" {
			d.t.Fatalf("another contact address is %s", got)
		}
		return f
	}},
	{"to a chosen address", func(d *desk, number string) flight {
		request, contact := d.invited(number, number+"@duvallon.example")
		_, err := d.choose(contact, "mine"+number+"@duvallon.example")
		d.must(err)
		return d.flight(request)
	}},
	{"chosen after the contact's", func(d *desk, number string) flight {
		f := d.flight(d.invite(number, number+"@duvallon.example"))
		_, err := d.choose(f.code, "mine"+number+"@duvallon.example")
		d.must(err)
		return f
	}},
	{"to the holder's address", func(d *desk, number string) flight {
		d.invite(number, number+"@duvallon.example")
		_, err := d.opt(number, "mine"+number+"@duvallon.example")
		d.must(err)
		return d.flight(d.latest(number))
	}},
	{"a copy", func(d *desk, number string) flight {
		request, _ := d.invited(number, number+"@duvallon.example")
		d.must(d.Resend(d.ctx, conversion.SubscriberNumber(number), "", "admin"))
		return d.flight(request)
	}},
	{"to a chosen address, typed", func(d *desk, number string) flight {
		request, contact := d.invited(number, number+"@duvallon.example")
		_, err := d.choose(contact, "mine"+number+"@duvallon.example")
		d.must(err)
		f := d.flight(request)
		d.accepted(f.code, request)
		return f
	}},
	{"to a chosen address, cancelled", func(d *desk, number string) flight {
		request, contact := d.invited(number, number+"@duvallon.example")
		_, err := d.choose(contact, "mine"+number+"@duvallon.example")
		d.must(err)
		f := d.flight(request)
		d.must(d.CancelNumber(d.ctx, conversion.SubscriberNumber(number)))
		return f
	}},
	{"a notice alone", func(d *desk, number string) flight {
		request, contact := d.invited(number, number+"@duvallon.example")
		_, err := d.choose(contact, "mine"+number+"@duvallon.example")
		d.must(err)
		return d.flight(request).only(sql.MailNotice)
	}},
	{"the holder's notice alone", func(d *desk, number string) flight {
		d.invite(number, number+"@duvallon.example")
		_, err := d.opt(number, "mine"+number+"@duvallon.example")
		d.must(err)
		return d.flight(d.latest(number)).only(sql.MailNotice)
	}},
	{"a notice after its code", func(d *desk, number string) flight {
		d.invite(number, number+"@duvallon.example")
		_, err := d.opt(number, "mine"+number+"@duvallon.example")
		d.must(err)
		f := d.flight(d.latest(number))
		d.must(d.accept(f.only(sql.MailCode)))
		return f.only(sql.MailNotice)
	}},
	{"an old code after the new one", func(d *desk, number string) flight {
		f := d.flight(d.invite(number, number+"@duvallon.example"))
		if got := d.kinds(row(number, "new"+number+"@duvallon.example")); got != "accepted" {
			d.t.Fatalf("another contact address is %s", got)
		}
		d.mail(f.request)
		return f
	}},
	{"another's claim", func(d *desk, number string) flight {
		f := d.flight(d.invite(number, number+"@duvallon.example"))
		for _, m := range f.hand.mails {
			m.Token = "00000000-0000-4000-8000-000000000000"
		}
		return f
	}},
}

// flight starts the mails of a request that are due.
func (d *desk) flight(request int64) flight {
	d.t.Helper()
	f := flight{request: request, hand: d.startOf(request)}
	if len(f.hand.mails) == 0 {
		d.t.Fatalf("no mail of request %d was started", request)
	}
	for _, m := range f.hand.mails {
		if m.Kind == sql.MailCode {
			f.code = d.code(m)
		}
	}
	return f
}

// only is the part of a flight that is of one kind.
func (f flight) only(kind sql.MailKind) flight {
	h := *f.hand
	h.mails = nil
	for _, m := range f.hand.mails {
		if m.Kind == kind {
			h.mails = append(h.mails, m)
		}
	}
	f.hand = &h
	return f
}

// accept records that the relay took the mails of a flight.
func (d *desk) accept(f flight) error {
	return d.FinishAccepted(d.ctx, f.hand.mails)
}

// outcomes are what may become of such a mail.
var outcomes = []struct {
	name   string
	finish func(d *desk, h *hand) error
}{
	{"accepted", func(d *desk, h *hand) error { return d.FinishAccepted(d.ctx, h.mails) }},
	{"failed", func(d *desk, h *hand) error { return d.FinishFailed(d.ctx, h.failures("451 later", true)) }},
	{"given back", func(d *desk, h *hand) error { return d.FinishFailed(d.ctx, h.failures("421 busy", false)) }},
	{"refused", func(d *desk, h *hand) error { return d.FinishRefused(d.ctx, h.failures("550 5.1.1", false)) }},
	{"in doubt", func(d *desk, h *hand) error { return d.FinishInDoubt(d.ctx, h.mails, 0) }},
}

func (h *hand) failures(words string, counts bool) (list []sql.Failure) {
	for _, m := range h.mails {
		list = append(list, sql.Failure{Mail: m, Refusal: words, Reply: words, Counts: counts})
	}
	return list
}

// story has the facts of a request: its state, its deadline, the relay's last words,
// its obligations, whether its code is good, and the audit log.
func (d *desk) story(f flight) string {
	d.t.Helper()
	facts := d.Text(d.t, `SELECT concat_ws(' ', request_state(r, bascule_now()),
			CASE WHEN r.expires_at IS NULL THEN 'undated' ELSE 'dated by ' ||
				r.generation END, nullif(r.refusal, ''),
			CASE WHEN r.in_doubt THEN 'in doubt' END) FROM request_code r WHERE id = $1`, f.request)
	todo := d.Text(d.t, `SELECT coalesce(string_agg(kind || generation || CASE WHEN copy > 0 THEN ' copy' ELSE '' END || CASE WHEN attempts > 0 THEN ' tried' ELSE '' END
			|| CASE WHEN interruptions > 0 THEN ' doubted' ELSE '' END || CASE WHEN claim IS NULL THEN '' ELSE ' held' END, ', ' ORDER BY kind, generation), 'nothing')
		FROM obligation WHERE request_id = $1`, f.request)
	events := strings.TrimPrefix(d.audit(f.request), "requested by admin") // before the code is typed
	code := "code good"
	if _, err := d.FindCode(d.ctx, d.keys, f.code.email, f.code.code); err != nil {
		code = "code dead"
	}
	return strings.Join([]string{facts, todo, code, cmp.Or(strings.TrimPrefix(events, ", "), "no event")}, " | ")
}

// stories are the results of each outcome for each request. A story has the state,
// whether it has a deadline and which code has the same, and the relay's words. It also
// has what is due, the code, and the audit log.
var stories = map[string]string{
	"nothing, accepted":                          "mailed dated by 1 | nothing | code good | mailed by worker",
	"nothing, failed":                            "requested undated 451 later | code1 tried | code dead | no event",
	"nothing, given back":                        "requested undated | code1 | code dead | no event",
	"nothing, refused":                           "undeliverable dated by 1 550 5.1.1 | nothing | code dead | undeliverable by worker",
	"nothing, in doubt":                          "requested dated by 1 | code1 doubted | code good | no event",
	"in doubt before, accepted":                  "mailed dated by 1 | nothing | code good | mailed by worker",
	"in doubt before, failed":                    "requested dated by 1 451 later | code1 tried doubted | code good | no event",
	"in doubt before, given back":                "requested dated by 1 | code1 doubted | code good | no event",
	"in doubt before, refused":                   "undeliverable dated by 1 550 5.1.1 | nothing | code dead | undeliverable by worker",
	"in doubt before, in doubt":                  "requested dated by 1 | code1 doubted | code good | no event",
	"typed, accepted":                            "mailed dated by 1 | nothing | code good | mailed by subscriber",
	"typed, failed":                              "mailed dated by 1 | code1 tried | code good | mailed by subscriber",
	"typed, given back":                          "mailed dated by 1 | code1 | code good | mailed by subscriber",
	"typed, refused":                             "mailed dated by 1 | nothing | code good | mailed by subscriber",
	"typed, in doubt":                            "mailed dated by 1 | code1 doubted | code good | mailed by subscriber",
	"cancelled, accepted":                        "cancelled dated by 1 | nothing | code dead | cancelled by admin, dead code mailed by worker",
	"cancelled, failed":                          "cancelled dated by 1 | code1 tried | code dead | cancelled by admin",
	"cancelled, given back":                      "cancelled dated by 1 | code1 | code dead | cancelled by admin",
	"cancelled, refused":                         "cancelled dated by 1 | nothing | code dead | cancelled by admin",
	"cancelled, in doubt":                        "cancelled dated by 1 | code1 doubted | code dead | cancelled by admin",
	"activated, accepted":                        "activated dated by 1 | recap1 | code good | mailed by subscriber, activated by subscriber",
	"activated, failed":                          "activated dated by 1 | code1 tried, recap1 | code good | mailed by subscriber, activated by subscriber",
	"activated, given back":                      "activated dated by 1 | code1, recap1 | code good | mailed by subscriber, activated by subscriber",
	"activated, refused":                         "activated dated by 1 | recap1 | code good | mailed by subscriber, activated by subscriber",
	"activated, in doubt":                        "activated dated by 1 | code1 doubted, recap1 | code good | mailed by subscriber, activated by subscriber",
	"contact changed, accepted":                  "requested undated | code2 | code dead | address changed by admin, dead code mailed by worker",
	"contact changed, failed":                    "requested undated | code1 tried, code2 | code dead | address changed by admin",
	"contact changed, given back":                "requested undated | code1, code2 | code dead | address changed by admin",
	"contact changed, refused":                   "requested undated | code2 | code dead | address changed by admin",
	"contact changed, in doubt":                  "requested undated | code1 doubted, code2 | code dead | address changed by admin",
	"to a chosen address, accepted":              "mailed dated by 2 | nothing | code good | mailed by worker, address chosen by subscriber, mailed by worker, notice mailed by worker",
	"to a chosen address, failed":                "requested undated 451 later | code2 tried, notice2 tried | code dead | mailed by worker, address chosen by subscriber",
	"to a chosen address, given back":            "requested undated | code2, notice2 | code dead | mailed by worker, address chosen by subscriber",
	"to a chosen address, refused":               "mailed dated by 1 550 5.1.1 | nothing | code dead | mailed by worker, address chosen by subscriber, address dropped by worker, notice refused by worker",
	"to a chosen address, in doubt":              "requested dated by 2 | code2 doubted, notice2 doubted | code good | mailed by worker, address chosen by subscriber",
	"chosen after the contact's, accepted":       "requested undated | code2, notice2 | code good | mailed by subscriber, address chosen by subscriber",
	"chosen after the contact's, failed":         "requested undated | code1 tried, code2, notice2 | code good | mailed by subscriber, address chosen by subscriber",
	"chosen after the contact's, given back":     "requested undated | code1, code2, notice2 | code good | mailed by subscriber, address chosen by subscriber",
	"chosen after the contact's, refused":        "requested undated | code2, notice2 | code good | mailed by subscriber, address chosen by subscriber",
	"chosen after the contact's, in doubt":       "requested undated | code1 doubted, code2, notice2 | code good | mailed by subscriber, address chosen by subscriber",
	"to the holder's address, accepted":          "mailed dated by 2 | nothing | code good | address chosen by subscriber, mailed by worker, notice mailed by worker",
	"to the holder's address, failed":            "requested undated 451 later | code2 tried, notice2 tried | code dead | address chosen by subscriber",
	"to the holder's address, given back":        "requested undated | code2, notice2 | code dead | address chosen by subscriber",
	"to the holder's address, refused":           "undeliverable dated by 2 550 5.1.1 | nothing | code dead | address chosen by subscriber, undeliverable by worker, notice refused by worker",
	"to the holder's address, in doubt":          "requested dated by 2 | code2 doubted, notice2 doubted | code good | address chosen by subscriber",
	"a copy, accepted":                           "mailed dated by 1 | nothing | code good | mailed by worker, resend asked by admin, resent by worker",
	"a copy, failed":                             "mailed dated by 1 | code1 copy tried | code good | mailed by worker, resend asked by admin",
	"a copy, given back":                         "mailed dated by 1 | code1 copy | code good | mailed by worker, resend asked by admin",
	"a copy, refused":                            "mailed dated by 1 | nothing | code good | mailed by worker, resend asked by admin, code refused by worker",
	"a copy, in doubt":                           "mailed dated by 1 | code1 copy doubted | code good | mailed by worker, resend asked by admin",
	"to a chosen address, typed, accepted":       "mailed dated by 2 | nothing | code good | mailed by worker, address chosen by subscriber, mailed by subscriber, notice mailed by worker",
	"to a chosen address, typed, failed":         "mailed dated by 2 | code2 tried, notice2 tried | code good | mailed by worker, address chosen by subscriber, mailed by subscriber",
	"to a chosen address, typed, given back":     "mailed dated by 2 | code2, notice2 | code good | mailed by worker, address chosen by subscriber, mailed by subscriber",
	"to a chosen address, typed, refused":        "mailed dated by 2 | nothing | code good | mailed by worker, address chosen by subscriber, mailed by subscriber, notice refused by worker",
	"to a chosen address, typed, in doubt":       "mailed dated by 2 | code2 doubted, notice2 doubted | code good | mailed by worker, address chosen by subscriber, mailed by subscriber",
	"to a chosen address, cancelled, accepted":   "cancelled dated by 2 | nothing | code dead | mailed by worker, address chosen by subscriber, cancelled by admin, dead code mailed by worker, notice mailed by worker",
	"to a chosen address, cancelled, failed":     "cancelled dated by 2 | code2 tried, notice2 tried | code dead | mailed by worker, address chosen by subscriber, cancelled by admin",
	"to a chosen address, cancelled, given back": "cancelled dated by 2 | code2, notice2 | code dead | mailed by worker, address chosen by subscriber, cancelled by admin",
	"to a chosen address, cancelled, refused":    "cancelled dated by 2 | nothing | code dead | mailed by worker, address chosen by subscriber, cancelled by admin, notice refused by worker",
	"to a chosen address, cancelled, in doubt":   "cancelled dated by 2 | code2 doubted, notice2 doubted | code dead | mailed by worker, address chosen by subscriber, cancelled by admin",
	"a notice alone, accepted":                   "requested dated by 2 | code2 held | code good | mailed by worker, address chosen by subscriber, notice mailed by worker",
	"a notice alone, failed":                     "requested dated by 2 | code2 held, notice2 tried | code good | mailed by worker, address chosen by subscriber",
	"a notice alone, given back":                 "requested dated by 2 | code2 held, notice2 | code good | mailed by worker, address chosen by subscriber",
	"a notice alone, refused":                    "requested dated by 2 | code2 held | code good | mailed by worker, address chosen by subscriber, notice refused by worker",
	"a notice alone, in doubt":                   "requested dated by 2 | code2 held, notice2 doubted | code good | mailed by worker, address chosen by subscriber",
	"the holder's notice alone, accepted":        "requested dated by 2 | code2 held | code good | address chosen by subscriber, notice mailed by worker",
	"the holder's notice alone, failed":          "requested dated by 2 | code2 held, notice2 tried | code good | address chosen by subscriber",
	"the holder's notice alone, given back":      "requested dated by 2 | code2 held, notice2 | code good | address chosen by subscriber",
	"the holder's notice alone, refused":         "requested dated by 2 | code2 held | code good | address chosen by subscriber, notice refused by worker",
	"the holder's notice alone, in doubt":        "requested dated by 2 | code2 held, notice2 doubted | code good | address chosen by subscriber",
	"a notice after its code, accepted":          "mailed dated by 2 | nothing | code good | address chosen by subscriber, mailed by worker, notice mailed by worker",
	"a notice after its code, failed":            "mailed dated by 2 | notice2 tried | code good | address chosen by subscriber, mailed by worker",
	"a notice after its code, given back":        "mailed dated by 2 | notice2 | code good | address chosen by subscriber, mailed by worker",
	"a notice after its code, refused":           "mailed dated by 2 | nothing | code good | address chosen by subscriber, mailed by worker, notice refused by worker",
	"a notice after its code, in doubt":          "mailed dated by 2 | notice2 doubted | code good | address chosen by subscriber, mailed by worker",
	"an old code after the new one, accepted":    "mailed dated by 2 | nothing | code dead | address changed by admin, mailed by worker, dead code mailed by worker",
	"an old code after the new one, failed":      "mailed dated by 2 | code1 tried | code dead | address changed by admin, mailed by worker",
	"an old code after the new one, given back":  "mailed dated by 2 | code1 | code dead | address changed by admin, mailed by worker",
	"an old code after the new one, refused":     "mailed dated by 2 | nothing | code dead | address changed by admin, mailed by worker",
	"an old code after the new one, in doubt":    "mailed dated by 2 | code1 doubted | code dead | address changed by admin, mailed by worker",
	"another's claim, accepted":                  "requested dated by 1 | code1 held | code good | no event",
	"another's claim, failed":                    "requested dated by 1 | code1 held | code good | no event",
	"another's claim, given back":                "requested dated by 1 | code1 held | code good | no event",
	"another's claim, refused":                   "requested dated by 1 | code1 held | code good | no event",
	"another's claim, in doubt":                  "requested dated by 1 | code1 held | code good | no event",
}

// D4, D1, D11, I5, I9: the effect of each outcome of a mail on its request, whatever
// became of that while the mail was under way.
func TestOutcomes(t *testing.T) {
	t.Parallel()
	d := open(t)
	n := 0
	for _, f := range flights {
		for _, o := range outcomes {
			n++
			flying := f.take(d, fmt.Sprintf("%06d", n))
			d.must(o.finish(d, flying.hand))
			name := f.name + ", " + o.name
			if got := d.story(flying); got != stories[name] {
				t.Errorf("%s:\n%s, want\n%s", name, got, stories[name])
			}
		}
	}
	d.sound()
}

func isLocked(err error) bool {
	_, ok := errors.AsType[*sql.LockedError](err)
	return ok
}
