package sql_test

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"bascule/internal/conversion"
	"bascule/sql"
	"bascule/sql/sqltest"
)

// R3, I3, D1: the statement that switches does so by itself for a good code alone. The
// request is open, the deadline is ahead, and the address is the one that the code
// proves.
func TestSwitchStatement(t *testing.T) {
	t.Parallel()
	d := open(t)
	ended, _ := d.invited("000002", "late@duvallon.example")
	d.expire(ended)
	expired := d.Deadline(t, ended)
	request, contact := d.invited("000001", "contact@duvallon.example")
	for _, email := range []string{"first@duvallon.example", "mine@duvallon.example"} {
		_, err := d.choose(contact, email)
		d.must(err)
		d.mail(request)
	}
	deadline := d.Deadline(t, request)
	query := func(name string) string {
		text, err := os.ReadFile("query/" + name)
		d.must(err)
		return string(text)
	}
	for _, test := range []struct {
		what       string
		request    int64
		generation int
		at         time.Time
		email      string
		want       int
	}{
		{"the code that counts, just in time", request, 3, deadline.Add(-time.Microsecond), "mine@duvallon.example", 1},
		{"at the deadline", request, 3, deadline, "mine@duvallon.example", 0},
		{"for another address", request, 3, deadline.Add(-time.Second), "contact@duvallon.example", 0},
		{"a code that was given up", request, 2, deadline.Add(-time.Second), "first@duvallon.example", 0},
		{"an ended request", ended, 1, expired.Add(-time.Second), "late@duvallon.example", 0},
		{"an unknown code", request, 9, deadline.Add(-time.Second), "mine@duvallon.example", 0},
	} {
		tx, err := d.Raw.Begin()
		d.must(err)
		_, err = tx.Exec(`ALTER TABLE request DISABLE TRIGGER USER; ALTER TABLE code DISABLE TRIGGER USER`) // the statement's own guards are proven here
		d.must(err)
		var n int
		d.must(tx.QueryRow(query("switch_request.sql"), test.request, test.generation, test.at, uuid.NewString(), sqltest.Email(t, test.email).Key()).Scan(&n))
		d.must(tx.Rollback())
		if n != test.want {
			t.Errorf("%s: %d requests are activated, want %d", test.what, n, test.want)
		}
	}
	d.Freeze(t, deadline.Add(-time.Hour))
	done := d.switched("000003", "done@duvallon.example")
	result, err := d.Raw.Exec(query("switch_space.sql"), done, deadline, "again@duvallon.example", "again@duvallon.example", "$p", "animal", "$a", "{}", sum("again"), 60)
	d.must(err)
	if n, err := result.RowsAffected(); n != 0 || err != nil {
		t.Errorf("a switched space is switched again: %d, %v", n, err)
	}
}

// R31, D1: a code for a new password opens no activation, and the code of an activation
// opens no new password.
func TestCodesOfOneKind(t *testing.T) {
	t.Parallel()
	d := open(t)
	d.switched("000001", "owner@duvallon.example")
	d.askReset("owner@duvallon.example")
	_, code := d.MailReset(t, d.keys, "owner@duvallon.example")
	reset := proof{sqltest.Email(t, "owner@duvallon.example"), code}
	d.refused(reset)
	_, p := d.invited("000002", "b@duvallon.example")
	if _, err := d.FindReset(d.ctx, d.keys, p.email, p.code); !errors.Is(err, conversion.ErrCodeRefused) {
		t.Errorf("the code of an activation chooses a password: %v", err)
	}
	found, err := d.FindReset(d.ctx, d.keys, reset.email, reset.code)
	d.must(err)
	for _, wrong := range []sql.Reset{{RequestID: found.RequestID, Generation: 1}, {RequestID: d.latest("000002"), Generation: 1}} {
		if err := d.UseReset(d.ctx, wrong, "$stolen"); !errors.Is(err, conversion.ErrCodeRefused) {
			t.Errorf("request %d, generation %d gives a new password: %v", wrong.RequestID, wrong.Generation, err)
		}
	}
	var expires time.Time
	d.must(d.Raw.QueryRow(`SELECT expires_at FROM code WHERE purpose = 'reset'`).Scan(&expires))
	d.Freeze(t, expires)
	if err := d.UseReset(d.ctx, found, "$late"); !errors.Is(err, conversion.ErrCodeRefused) {
		t.Errorf("used at its deadline: %v", err)
	}
	refused := func() {
		t.Helper()
		if _, err := d.FindReset(d.ctx, d.keys, reset.email, reset.code); !errors.Is(err, conversion.ErrCodeRefused) {
			t.Errorf("the code is not refused: %v", err)
		}
	}
	refused()
	d.Freeze(t, expires.Add(-time.Microsecond))
	d.must(d.UseReset(d.ctx, found, "$new"))
	if err := d.UseReset(d.ctx, found, "$twice"); !errors.Is(err, conversion.ErrCodeRefused) {
		t.Errorf("used twice: %v", err)
	}
	refused()
}

// I3, D1: a form under way changes nothing once its code died, its request ended or the
// credentials went.
func TestFormsUnderWay(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(d *desk, request int64, a, c *sql.Submission){
		"contact changed":   func(d *desk, _ int64, _, _ *sql.Submission) { d.kinds(row("000001", "new@duvallon.example")) },
		"overdue":           func(d *desk, request int64, _, _ *sql.Submission) { d.overdue(request) },
		"cancelled":         func(d *desk, _ int64, _, _ *sql.Submission) { d.must(d.CancelNumber(d.ctx, "000001")) },
		"no credentials":    func(_ *desk, _ int64, a, c *sql.Submission) { a.Credentials, c.Credentials = nil, nil },
		"a code never made": func(_ *desk, _ int64, a, c *sql.Submission) { a.Generation, c.Generation = 7, 7 },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := open(t)
			request, p := d.invited("000001", "contact@duvallon.example")
			activating, err := d.form(p, p.email)
			d.must(err)
			choosing, err := d.form(p, sqltest.Email(t, "mine@duvallon.example"))
			d.must(err)
			end(d, request, &activating, &choosing)
			before := d.facts()
			if err := d.switchBy(activating); !errors.Is(err, conversion.ErrCodeRefused) {
				t.Errorf("activates: %v", err)
			}
			if _, err := d.ChooseAddress(d.ctx, choosing); !errors.Is(err, conversion.ErrCodeRefused) {
				t.Errorf("chooses: %v", err)
			}
			if d.facts() != before {
				t.Error("something changed")
			}
		})
	}
}

// D1: the form that chose an address says that its mail is sent as long as its
// request is open, and no longer.
func TestChoiceRepeated(t *testing.T) {
	t.Parallel()
	d := open(t)
	_, p := d.invited("000001", "contact@duvallon.example")
	s, err := d.form(p, sqltest.Email(t, "mine@duvallon.example"))
	d.must(err)
	for range 2 {
		_, err := d.ChooseAddress(d.ctx, s)
		d.must(err)
	}
	if n := d.count(`SELECT count(*) FROM code`); n != 2 {
		t.Errorf("%d codes were made, want 2", n)
	}
	d.must(d.CancelNumber(d.ctx, "000001"))
	if _, err := d.ChooseAddress(d.ctx, s); !errors.Is(err, conversion.ErrCodeRefused) {
		t.Errorf("repeated after the end: %v", err)
	}
}

// D1, D8, D11: a subscriber who chooses an address again whose mail came back gets
// another mail there. A mail that is only late stands. Another code beside it is dead.
func TestChosenAgainAfterBounce(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		bounce   conversion.Bounce
		standing bool
	}{{"", true}, {conversion.BounceLate, true}, {conversion.BouncePolicy, false}, {conversion.BounceGone, false}} {
		for way, choose := range map[string]func(d *desk, contact proof) (sql.Choice, error){
			"by the code":        func(d *desk, contact proof) (sql.Choice, error) { return d.choose(contact, "mine@duvallon.example") },
			"by the certificate": func(d *desk, _ proof) (sql.Choice, error) { return d.opt("000001", "mine@duvallon.example") },
		} {
			t.Run(fmt.Sprintf("%s, %s", test.bounce, way), func(t *testing.T) {
				t.Parallel()
				d := open(t)
				request, contact := d.invited("000001", "contact@duvallon.example")
				_, err := d.choose(contact, "mine@duvallon.example")
				d.must(err)
				chosen := d.mail(request)
				d.deliver()
				if test.bounce != "" {
					_, err := d.Bounced(d.ctx, request, 2, test.bounce)
					d.must(err)
				}
				choice, err := choose(d, contact)
				d.must(err)
				if n := d.deliver(); choice.Standing != test.standing || (n > 0) == test.standing {
					t.Errorf("standing %v, %d mails; want standing %v", choice.Standing, n, test.standing)
				}
				if test.standing {
					d.accepted(chosen, request)
				} else {
					d.refused(chosen)
				}
				if way == "by the certificate" {
					d.refused(contact)
				} else {
					d.accepted(contact, request)
				}
				d.sound()
			})
		}
	}
}

// D8: no command keeps a certificate holder from opting: the lock of no space is one of
// those of imports, keys, persons and the like.
func TestLocksOfSpaces(t *testing.T) {
	t.Parallel()
	d := open(t)
	held, err := d.Raw.Begin()
	d.must(err)
	defer held.Rollback()
	for i := range 8 {
		d.invite(number(i), fmt.Sprintf("a%d@duvallon.example", i))
	}
	for lock := sql.ImportLock; lock > sql.SpaceLocks; lock-- {
		_, err := held.Exec(`SELECT pg_advisory_xact_lock($1)`, lock)
		d.must(err)
	}
	for i := range 8 {
		if _, err := d.opt(number(i), fmt.Sprintf("b%d@duvallon.example", i)); err != nil {
			t.Errorf("space %d: %v", i, err)
		}
	}
}

// D8: the form of a certificate holder that is sent twice changes nothing the
// second time; at the deadline of the open request, not before, another begins.
func TestOptionTwice(t *testing.T) {
	t.Parallel()
	d := open(t)
	request := d.invite("000001", "contact@duvallon.example")
	o := sql.Option{ID: uuid.NewString(), Email: sqltest.Email(t, "mine@duvallon.example"), Credentials: chosenCredentials, Keys: d.keys}
	d.must(d.Raw.QueryRow(`SELECT id, serial FROM space`).Scan(&o.Space, &o.Serial))
	opt := func() sql.Choice {
		t.Helper()
		choice, err := d.Opt(d.ctx, o)
		d.must(err)
		return choice
	}
	opt()
	before := d.facts()
	if choice := opt(); choice.Standing || d.facts() != before {
		t.Errorf("the same form again, queued: %+v, or something changed", choice)
	}
	d.mail(request)
	before = d.facts()
	if choice := opt(); !choice.Standing || choice.MailedAt.IsZero() || d.facts() != before {
		t.Errorf("the same form again, mailed: %+v, or something changed", choice)
	}
	deadline := d.Deadline(t, request)
	for _, test := range []struct {
		at   time.Time
		same bool
	}{{deadline.Add(-time.Microsecond), true}, {deadline, false}} {
		d.Freeze(t, test.at)
		o.ID = uuid.NewString()
		opt()
		if got := d.latest("000001"); (got == request) != test.same {
			t.Errorf("at %s the request is %d, the first was %d", test.at, got, request)
		}
	}
	o.Serial = "ff"
	if _, err := d.Opt(d.ctx, o); !errors.Is(err, conversion.ErrNotFound) {
		t.Errorf("with the certificate of another space: %v", err)
	}
}

// R31: a space is known by the request that switched it, not by an earlier one.
func TestIdentifierOfTheSwitch(t *testing.T) {
	t.Parallel()
	d := open(t)
	first, _ := d.invited("000001", "owner@duvallon.example")
	d.expire(first)
	if n, err := d.RetryNumber(d.ctx, "000001", d.keys); n != 1 || err != nil {
		t.Fatalf("%d requests, %v", n, err)
	}
	second := d.latest("000001")
	if s, err := d.Story(d.ctx, "000001"); err != nil || !s.SwitchedAt.IsZero() {
		t.Errorf("switched at %s before the switch, %v", s.SwitchedAt, err)
	}
	d.must(d.activate(d.mail(second)))
	i, err := d.FindIdentifier(d.ctx, sqltest.Email(t, "owner@duvallon.example"))
	if err != nil || i.RequestID != second {
		t.Errorf("request %d, %v, want %d", i.RequestID, err, second)
	}
}

// D17, D11: an exclusion, or its end, hurries no mail that waits for the relay, and
// rewrites nothing of an exclusion that was over.
func TestExclusionKeepsTheSchedule(t *testing.T) {
	t.Parallel()
	d := open(t)
	request := d.invite("000001", "a@duvallon.example")
	h := d.startOf(request)
	d.must(d.FinishFailed(d.ctx, h.failures("451 later", true)))
	d.Exec(t, `UPDATE obligation SET due_at = due_at + interval '1 hour'`) // as long as its schedule has it wait
	due := func() string { return d.Text(t, `SELECT due_at::text FROM obligation`) }
	want := due()
	d.exclude("000001")
	d.exclude("000001") // replaces
	d.must(d.lift("000001"))
	if got := due(); got != want {
		t.Errorf("due at %s, was due at %s", got, want)
	}
	history := `SELECT string_agg(lift_reason, ', ' ORDER BY id) FROM exclusion`
	if got := d.Text(t, history); got != "replaced, asked to be invited" {
		t.Errorf("lifted: %s", got)
	}
	d.exclude("000001")
	if got := d.Text(t, history); !strings.HasPrefix(got, "replaced, asked to be invited") {
		t.Errorf("rewritten: %s", got)
	}
}

// `status` tells why no mail goes out: no worker is alive, Redis is of no use to one,
// the relay does not answer, or it has put the mails off.
func TestStandstill(t *testing.T) {
	t.Parallel()
	d := open(t)
	d.Freeze(t, time.Date(2031, 5, 6, 9, 0, 0, 0, time.UTC))
	is := func(want sql.Standstill) {
		t.Helper()
		s, err := d.Status(d.ctx, 0)
		d.must(err)
		s.Standstill.NextAt = s.Standstill.NextAt.UTC()
		if s.Standstill != want {
			t.Errorf("%+v, want %+v", s.Standstill, want)
		}
	}
	is(sql.Standstill{})
	d.held("spring", row("000001", "a@duvallon.example"))
	is(sql.Standstill{})
	d.launch("spring", sql.CampaignSettings{})
	is(sql.Standstill{NoWorker: true})
	worker := uuid.NewString()
	d.must(d.NoteWorker(d.ctx, worker, sql.Worker{Version: "v1", Texts: "texts", Trouble: "its memory is full"}))
	is(sql.Standstill{Trouble: "its memory is full"})
	d.must(d.NoteWorker(d.ctx, worker, sql.Worker{Version: "v1", Texts: "texts"}))
	is(sql.Standstill{})
	d.release(nil)
	h := d.start(1)
	d.Freeze(t, time.Date(2031, 5, 6, 9, 0, 45, 0, time.UTC))
	is(sql.Standstill{Handed: 45 * time.Second})
	failures := h.failures("450 4.2.0 try again later", true)
	failures[0].Delay = 5 * time.Minute
	d.must(d.FinishFailed(d.ctx, failures))
	is(sql.Standstill{NextAt: time.Date(2031, 5, 6, 9, 5, 45, 0, time.UTC), Refusal: "450 4.2.0 try again later"})
	d.Freeze(t, time.Date(2031, 5, 6, 9, 6, 0, 0, time.UTC))
	is(sql.Standstill{NoWorker: true, Refusal: "450 4.2.0 try again later"})
	d.deliver()
	is(sql.Standstill{})
	d.must(d.Resend(d.ctx, "000001", "", "admin"))
	next := time.Date(2031, 5, 6, 9, 30, 0, 0, time.UTC)
	d.Exec(t, `UPDATE obligation SET due_at = $1`, next) // nobody has refused this mail
	d.Freeze(t, next.Add(-time.Minute))
	is(sql.Standstill{NoWorker: true, NextAt: next})
}

// `status`: mails of the last minute, recaps to render; a notice needs no key.
func TestStatusOfTheLastMinute(t *testing.T) {
	t.Parallel()
	d := open(t)
	status := func() sql.Status {
		t.Helper()
		s, err := d.Status(d.ctx, 0)
		d.must(err)
		return s
	}
	request, p := d.invited("000001", "a@duvallon.example")
	d.must(d.Resend(d.ctx, "000001", "", "admin"))
	d.deliver()
	if s := status(); s.LastMinute != 2 || s.ToRender != 0 || s.ToSend != 0 {
		t.Errorf("after two mails: %+v", s)
	}
	d.Shift(t, 61*time.Second)
	d.must(d.LearnKeys(d.ctx, d.keys, sql.KeyUse{}))
	_, err := d.choose(p, "mine@duvallon.example")
	d.must(err)
	if s := status(); s.LastMinute != 0 || s.ToSend != 2 || len(s.WaitsForKeys) != 1 {
		t.Errorf("a code and a notice are due: %+v", s)
	}
	f := d.flight(request)
	d.must(d.accept(f.only(sql.MailCode)))
	if s := status(); s.ToSend != 1 || len(s.WaitsForKeys) != 0 {
		t.Errorf("a notice alone is due: %+v", s)
	}
	d.must(d.activate(f.code))
	if s := status(); s.ToRender != 1 {
		t.Errorf("after an activation: %+v", s)
	}
}

// I5: a typed code ends all doubt about its mail.
func TestTypedIsNoDoubt(t *testing.T) {
	t.Parallel()
	d := open(t)
	request := d.invite("000001", "a@duvallon.example")
	var p proof
	for range 3 {
		h := d.startOf(request)
		p = d.code(h.mails[0])
		d.must(d.FinishInDoubt(d.ctx, h.mails, 3))
	}
	d.Exec(t, `UPDATE code SET in_doubt = true, mailed_at = NULL`) // whatever the worker has concluded
	d.accepted(p, request)
	if got := d.Text(t, `SELECT in_doubt::text FROM code`); got != "false" {
		t.Error("in doubt although the code was typed")
	}
}

// The owner of a besieged space gets one notice a day. A siege that begins after a day
// of quiet is a new one.
func TestSiegesOfADay(t *testing.T) {
	t.Parallel()
	d := open(t)
	d.switched("000001", "owner@duvallon.example")
	start := time.Now().Truncate(time.Microsecond)
	for _, test := range []struct {
		after time.Duration
		told  int
		began time.Duration
	}{{0, 1, 0}, {2 * time.Hour, 1, 0}, {23*time.Hour + 59*time.Minute, 1, 0}, {24 * time.Hour, 2, 0}, {47 * time.Hour, 2, 0}, {71 * time.Hour, 3, 71 * time.Hour}} {
		d.Freeze(t, start.Add(test.after))
		d.must(d.NoteSiege(d.ctx, sqltest.Email(t, "owner@duvallon.example")))
		s, err := d.Story(d.ctx, "000001")
		d.must(err)
		if n := d.count(`SELECT count(*) FROM obligation WHERE kind = 'siege-notice'`); n != test.told || !s.Siege.BeganAt.Equal(start.Add(test.began)) {
			t.Errorf("after %s: told %d times, began %s; want %d and %s", test.after, n, s.Siege.BeganAt.Sub(start), test.told, test.began)
		}
	}
}

// A key is needed while a code that it made is good or to be mailed, and no longer.
func TestKeysNeeded(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		make func(d *desk)
		end  func(d *desk)
	}{
		"cancelled":                 {func(d *desk) { d.invited("000001", "a@duvallon.example") }, func(d *desk) { d.must(d.CancelNumber(d.ctx, "000001")) }},
		"cancelled before its mail": {func(d *desk) { d.invite("000001", "a@duvallon.example") }, func(d *desk) { d.must(d.CancelNumber(d.ctx, "000001")) }},
		"a new password asked for a day ago": {func(d *desk) {
			d.switched("000001", "a@duvallon.example")
			d.askReset("a@duvallon.example")
		}, func(d *desk) { d.Shift(d.t, 24*time.Hour) }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := open(t)
			d.keys = ring(t, "A")
			test.make(d)
			d.must(d.LearnKeys(d.ctx, ring(t, "BA"), sql.KeyUse{}))
			if err := d.CheckKeys(d.ctx, ring(t, "B")); !errors.Is(err, conversion.ErrKeyUnknown) {
				t.Errorf("its key may be taken away: %v", err)
			}
			d.must(d.LearnKeys(d.ctx, ring(t, "B"), sql.KeyUse{Lost: d.keys.Newest()})) // by reissue, which replaces its codes
			test.end(d)
			if err := d.CheckKeys(d.ctx, ring(t, "B")); err != nil {
				t.Errorf("its key is still wanted: %v", err)
			}
		})
	}
}

// R22: an address is reserved until the deadline of the request that reserves it. A
// request that invites to it does not count, nor one that lost it by a bounce.
func TestReservedUntil(t *testing.T) {
	t.Parallel()
	d := open(t)
	d.invited("000001", "shared@duvallon.example")
	first, p := d.invited("000002", "b@duvallon.example")
	_, err := d.choose(p, "shared@duvallon.example")
	d.must(err)
	d.mail(first)
	_, err = d.Bounced(d.ctx, first, 2, conversion.BounceGone)
	d.must(err)
	d.Shift(t, time.Hour)
	second, p := d.invited("000003", "c@duvallon.example")
	_, err = d.choose(p, "shared@duvallon.example")
	d.must(err)
	d.mail(second)
	_, p = d.invited("000004", "d@duvallon.example")
	_, err = d.choose(p, "shared@duvallon.example")
	var reserved *conversion.ReservedError
	if want := d.Deadline(t, second); !errors.As(err, &reserved) || !reserved.Until.Equal(want) {
		t.Errorf("%v, want it reserved until %s", err, want)
	}
}

// R22, D11: an overdue request whose mail is late reserves its address no more,
// swept or not.
func TestOverdueAndLate(t *testing.T) {
	t.Parallel()
	d := open(t)
	request, p := d.invited("000001", "a@duvallon.example")
	_, err := d.choose(p, "shared@duvallon.example")
	d.must(err)
	d.mail(request)
	_, err = d.Bounced(d.ctx, request, 2, conversion.BounceLate)
	d.must(err)
	d.overdue(request)
	_, p = d.invited("000002", "b@duvallon.example")
	if _, err := d.choose(p, "shared@duvallon.example"); err != nil || d.state(request) != conversion.StateExpired {
		t.Errorf("the address is not free: %v; its request is %s", err, d.state(request))
	}
	d.sound()
}

// I8: a serial number that many spaces have is answered by a hundred of them.
func TestSpacesOfOneSerial(t *testing.T) {
	t.Parallel()
	d := open(t)
	var rows []sql.ImportRow
	for i := range 101 {
		rows = append(rows, row(fmt.Sprintf("%06d", i), fmt.Sprintf("a%d@duvallon.example", i), serial("abc"),
			func(s *conversion.Space) { s.Certificate.Issuer = fmt.Sprint("CN=AC ", i) }))
		rows[i].IssuerKey = rows[i].Space.Certificate.Issuer
	}
	if got := d.kinds(rows...); strings.Contains(got, "rejected") {
		t.Fatal(got)
	}
	spaces, err := d.SpacesOfCertificate(d.ctx, "abc")
	if err != nil || len(spaces) != 100 {
		t.Errorf("%d spaces, %v", len(spaces), err)
	}
}

// C4: the worker with the latest claim renders a recap, when it is due.
func TestRecapClaims(t *testing.T) {
	t.Parallel()
	d := open(t)
	d.switched("000001", "a@duvallon.example")
	claim := func() (token string, ids []int64) {
		t.Helper()
		token, due, err := d.ClaimRecaps(d.ctx, 10)
		d.must(err)
		for _, r := range due {
			ids = append(ids, r.ObligationID)
		}
		return token, ids
	}
	lost, ids := claim()
	if _, again := claim(); len(ids) != 1 || len(again) != 0 {
		t.Fatalf("claimed %v, then %v", ids, again)
	}
	d.Shift(t, sql.Lease+time.Second)
	token, again := claim()
	if !slices.Equal(again, ids) {
		t.Fatalf("after the lease: %v", again)
	}
	for _, by := range []string{lost, token} {
		err := d.FinishRecaps(d.ctx, by, []sql.RenderedRecap{{ObligationID: ids[0], PDF: []byte(by)}})
		if by == token {
			d.must(err)
		}
	}
	if got := d.Text(t, `SELECT encode(pdf, 'escape') FROM recap`); got != token {
		t.Errorf("kept of who had lost it: %v", got == lost)
	}
	d.switched("000002", "b@duvallon.example")
	d.Exec(t, `UPDATE obligation SET due_at = bascule_now() + interval '1 minute' WHERE lane = 'recap'`)
	if _, ids := claim(); len(ids) != 0 {
		t.Error("claimed before it is due")
	}
	n := 0
	for _, err := range d.Recaps(d.ctx) {
		d.must(err)
		n++
	}
	if n != 1 {
		t.Errorf("%d recaps are rendered, want 1", n)
	}
}

// C8: a report tells instants to the second, overdue requests as expired at their
// deadline, and of a batch nothing but its own.
func TestReportOfABatch(t *testing.T) {
	t.Parallel()
	d := open(t)
	d.Freeze(t, time.Date(2027, 7, 1, 22, 30, 59, 999_000_000, time.UTC))
	late := expires(time.Date(2028, 1, 1, 0, 0, 0, 0, time.UTC))
	d.kinds(row("000001", "a@duvallon.example", late), malformed("000002"))
	d.mail(d.latest("000001"))
	d.kinds(row("000003", "b@duvallon.example", late), malformed("000004"))
	d.Freeze(t, time.Date(2027, 7, 6, 12, 0, 0, 0, time.UTC))
	read := func(batch int64) (requests, rejected string) {
		t.Helper()
		d.must(d.ReadReport(d.ctx, sql.Scope{Batch: batch}, func(r conversion.Report) error {
			for q, err := range r.Requests {
				d.must(err)
				requests += fmt.Sprintf("%s %s", q.Number, q.State)
				for _, at := range []time.Time{q.RequestedAt, q.MailedAt, q.EndedAt} {
					requests += at.UTC().Format(" 02/01 15:04:05.000")
				}
				requests += ", "
			}
			for x, err := range r.Rejected {
				d.must(err)
				rejected += x.Number + ", "
			}
			return nil
		}))
		return requests, rejected
	}
	const none = " 01/01 00:00:00.000"
	first := "000001 expired 01/07 22:30:59.000 01/07 22:30:59.000 03/07 22:30:59.000, "
	second := "000003 requested 01/07 22:30:59.000" + none + none + ", "
	for batch, want := range map[int64][2]string{0: {first + second, "000002, 000004, "}, 1: {first, "000002, "}, 2: {second, "000004, "}} {
		requests, rejected := read(batch)
		if got := [2]string{requests, rejected}; got != want {
			t.Errorf("batch %d:\n%q, want\n%q", batch, got, want)
		}
	}
}

// C8: nothing of a long report is gathered before its first row is there, neither
// with statistics nor without.
func TestReportComesRowByRow(t *testing.T) {
	t.Parallel()
	d := open(t)
	d.fill(5_000)
	for _, statistics := range []string{`SELECT`, `ANALYZE`} {
		d.Exec(t, statistics)
		tx, err := d.Raw.BeginTx(d.ctx, nil)
		d.must(err)
		defer tx.Rollback()
		_, err = tx.Exec(sql.RowByRow)
		d.must(err)
		plan := d.plan(tx, sql.ReportRequests, 0, time.Now(), 0, 0)
		if strings.Contains(plan, "Sort") || strings.Contains(plan, "Hash") {
			t.Errorf("%s: the plan is\n%s", statistics, plan)
		}
	}
}
