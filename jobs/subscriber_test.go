package jobs_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"bascule/internal/conversion"
	"bascule/internal/devenv"
	"bascule/internal/recap"
	"bascule/jobs"
	"bascule/queue"
	"bascule/sql"
	"bascule/sql/sqltest"
)

// answer is a trust answer that no log may hold.
const answer = "duvallon-le-chat"

// choose asks for another address as a page does.
func (s *stage) choose(form sql.Submission) error {
	s.t.Helper()
	return s.unlessBusy(func() error {
		_, err := s.db.ChooseAddress(s.t.Context(), form)
		return err
	})
}

// submission is the form of a subscriber who proved one address and chose
// another, or the same.
func (s *stage) submission(proven conversion.Email, code string, chosen conversion.Email) (sql.ProvenCode, sql.Submission) {
	s.t.Helper()
	typed, err := conversion.ParseCode(code)
	if err != nil {
		s.t.Fatal(err)
	}
	p, err := s.find(proven, typed)
	if err != nil {
		s.t.Fatal(err)
	}
	form := sql.Submission{Request: p.RequestID, Generation: p.Generation, ID: uuid.NewString(), Email: chosen}
	if !p.Activates {
		form.Credentials = func() (sql.Credentials, error) {
			a, err := conversion.ParseTrustAnswer(answer)
			// No test enters a space: the hash of a password needs not be one.
			return sql.Credentials{Password: a.Hash(), Question: conversion.TrustQuestions()[0], Answer: a.Hash()}, err
		}
	}
	return p, form
}

// activate does what the pages do with a mailed code.
func (s *stage) activate(p parcel) {
	s.t.Helper()
	to := sqltest.Email(s.t, p.to)
	proven, form := s.submission(to, p.code(), to)
	facts := func(space conversion.Space, q conversion.TrustQuestion, at time.Time) ([]byte, error) {
		return json.Marshal(recap.Facts{Version: recap.Version, Number: space.Number, Holder: space.Holder, Email: to, Question: q.Text(),
			SwitchedAt: at, PublicURL: "https://espace.example", Help: "Assistance : 01 00 00 00 00"})
	}
	err := s.unlessBusy(func() error {
		return s.db.Activate(s.t.Context(), sql.Activation{Submission: form, Facts: facts, SessionHash: sha256.Sum256([]byte(form.ID))})
	})
	if err != nil {
		s.t.Fatalf("activate request %d: %v", proven.RequestID, err)
	}
}

// mailed is the latest mail to a recipient whose Message-ID begins with kind.
func (s *stage) mailed(kind string, to conversion.Email) parcel {
	s.t.Helper()
	var found parcel
	s.wait("the "+kind+" mail is there", func() bool {
		for _, p := range s.relay.keptFor(to.String()) {
			if strings.HasPrefix(p.id, kind+".") {
				found = p
			}
		}
		return found.id != ""
	})
	return found
}

// attachment is the one file that comes with a mail.
func (p parcel) attachment(t *testing.T) []byte {
	t.Helper()
	m := p.parsed(t)
	if len(m.Attachments) != 1 || m.Attachments[0].Type != "application/pdf" {
		t.Fatalf("not one PDF in the mail: %d files", len(m.Attachments))
	}
	return m.Attachments[0].Content
}

func (p parcel) parsed(t *testing.T) devenv.Mail {
	t.Helper()
	m, err := devenv.Message{Raw: []byte(p.raw)}.Parse()
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// C4, R28, I7: an activation leads to a recap and a mail that carries it: the very
// bytes that `serve` renders from the same facts.
func TestRecapIsMailed(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	r := s.invite(1)[0]
	s.work()
	s.activate(s.mailed("code", r.Contact))
	s.elapse("the confirmation is mailed", `SELECT count(*) = 1 FROM audit WHERE event = 'confirmation mailed'`)
	if n := len(s.relay.keptFor(r.Contact.String())); n != 2 {
		t.Errorf("%d mails, want the code and the confirmation: the contact address is the identifier itself", n)
	}
	var facts, stored, hash []byte
	if err := s.db.Raw.QueryRow(`SELECT facts, pdf, sha256 FROM recap`).Scan(&facts, &stored, &hash); err != nil {
		t.Fatal(err)
	}
	var f recap.Facts
	if err := json.Unmarshal(facts, &f); err != nil {
		t.Fatal(err)
	}
	var served bytes.Buffer
	if err := recap.Write(&served, f); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(stored, served.Bytes()) {
		t.Error("the stored recap is not the one that serve renders")
	}
	if sum := sha256.Sum256(stored); !bytes.Equal(hash, sum[:]) {
		t.Error("the stored hash is not the recap's")
	}
	if !bytes.Equal(s.mailed("confirmation", r.Contact).attachment(t), stored) {
		t.Error("the mail carries another recap")
	}
}

// C4: a recap that cannot be rendered stays due, and holds no other one up; each
// is rendered once.
func TestBrokenRecap(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	requests := s.invite(4)
	s.work()
	s.until("all are mailed", allMailed)
	s.db.Exec(t, `INSERT INTO recap (request_id, facts) SELECT id, '{"version": 99}' FROM request WHERE id <= 2`)
	s.db.Exec(t, `INSERT INTO obligation (lane, kind, space_id, request_id, generation, due_at) SELECT 'recap', 'recap', space_id, id, 1, bascule_now() FROM request WHERE id <= 2`)
	for _, r := range requests[2:] {
		s.activate(s.mailed("code", r.Contact))
	}
	s.until("the good ones are mailed", `SELECT count(*) = 2 FROM audit WHERE event = 'confirmation mailed'`)
	s.pass(61 * time.Second)
	s.until("the broken ones were tried again", `SELECT count(*) = 2 FROM obligation WHERE lane = 'recap' AND claimed_until > bascule_now()`)
	if !s.holds(`SELECT count(*) = 2 FROM audit WHERE event = 'recap ready'`) {
		t.Error("a recap was rendered twice, or a broken one is ready")
	}
}

// D11: the space stays activated, whatever happens to a confirmation. The relay's
// doubts repeat it, a refusal for good ends it.
func TestRefusedConfirmation(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		script script
		copies int
	}{
		"refused for good": {at("rcpt", "550 5.1.1 unknown"), 0},
		"refused for now":  {times(2, at("dot", "451 4.3.0 later")), 1},
		"in doubt":         {at("dot", take), 3},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t)
			r := s.invite(1)[0]
			s.work()
			s.activate(s.mailed("code", r.Contact))
			s.relay.follow(c.script)
			before := s.db.Text(t, `SELECT row(r.*)::text FROM request r`)
			s.elapse("nothing is due", `SELECT count(*) = 0 FROM obligation`)
			if after := s.db.Text(t, `SELECT row(r.*)::text FROM request r`); after != before {
				t.Errorf("the request changed from\n%s to\n%s", before, after)
			}
			if n := len(s.relay.keptFor(r.Contact.String())) - 1; n > c.copies || c.copies < 2 && n != c.copies {
				t.Errorf("%d copies of the confirmation, want %d", n, c.copies)
			}
		})
	}
}

// D1: another address is proven by a code of its own. The contact gets a notice,
// without the code and without that address. Then that code activates.
func TestOtherAddress(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	r := s.invite(1)[0]
	s.work()
	other := sqltest.Email(t, "autre@duvallon.example")
	_, form := s.submission(r.Contact, s.mailed("code", r.Contact).code(), other)
	if err := s.choose(form); err != nil {
		t.Fatal(err)
	}
	notice, second := s.mailed("notice", r.Contact), s.mailed("code", other)
	if strings.Contains(notice.text(), second.code()) || strings.Contains(notice.text(), other.String()) {
		t.Error("the notice tells the code or the other address")
	}
	at, err := time.Parse("2006-01-02T15:04:05-07", s.db.Text(t, `SELECT to_char(at, 'YYYY-MM-DD"T"HH24:MI:SSOF') FROM audit WHERE event = 'address chosen'`))
	if err != nil || !strings.Contains(notice.text(), conversion.FrenchTime(at)) {
		t.Errorf("the notice does not tell when it was, %v, %v", at, err)
	}
	if !strings.Contains(notice.text(), "a…@d….example") {
		t.Error("the notice does not tell which address was chosen")
	}
	contact := s.db.Text(t, `SELECT to_char(expires_at, 'YYYY-MM-DD"T"HH24:MI:SSOF') FROM code WHERE generation = 1`)
	if at, err := time.Parse("2006-01-02T15:04:05-07", contact); err != nil || !strings.Contains(notice.text(), conversion.FrenchTime(at)) {
		t.Errorf("the notice does not tell until when the contact's code is good: %v", err)
	}
	s.activate(second)
	if states := s.states(); states[0] != "activated" {
		t.Errorf("state %s", states)
	}
	s.elapse("the confirmation is mailed", `SELECT count(*) = 1 FROM audit WHERE event = 'confirmation mailed'`)
	s.mailed("confirmation", other)
	told := s.mailed("switch-notice", r.Contact)
	if text := told.text(); strings.Contains(text, other.String()) || !strings.Contains(text, "a…@d….example") || !strings.Contains(text, "irrévocable") {
		t.Errorf("the contact is told of the switch by\n%s", text)
	}
}

// D1, D11: a chosen address that is refused for good is dropped, its hashes are
// erased, and the contact's code is good as before. A notice that is refused
// changes nothing.
func TestOtherAddressRefused(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	r := s.invite(1)[0]
	s.work()
	first := s.mailed("code", r.Contact)
	s.until("it is mailed", allMailed)
	deadline := s.db.Deadline(t, r.ID)
	s.relay.follow(at("rcpt", "550 5.1.1 unknown"))
	_, form := s.submission(r.Contact, first.code(), sqltest.Email(t, "faute@duvallon.example"))
	if err := s.choose(form); err != nil {
		t.Fatal(err)
	}
	s.until("both mails are refused", `SELECT count(*) = 0 FROM obligation WHERE lane = 'interactive'`)
	if !s.holds(`SELECT c.purpose = 'identify' AND r.password_hash IS NULL AND r.answer_hash IS NULL AND request_state(c, bascule_now()) = 'mailed' FROM request_code c JOIN request r USING (id)`) {
		t.Error("the request has not fallen back to its contact")
	}
	if got := s.db.Deadline(t, r.ID); !got.Equal(deadline) {
		t.Errorf("the contact's deadline moved from %s to %s", deadline, got)
	}
	if !s.holds(`SELECT bool_and(event IN ('notice refused', 'address dropped', 'mailed', 'address chosen')) FROM audit`) {
		t.Error("the audit log says something else")
	}
	s.activate(first)
}

// D3: a resend is a mail of its own, with its own Message-ID and Date and the same
// code and deadline; none goes out after the deadline.
func TestResend(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	r := s.invite(1)[0]
	s.work()
	s.until("it is mailed", allMailed)
	for i := range 2 {
		s.pass(2 * time.Hour)
		if err := s.db.Resend(t.Context(), r.Number, "", "admin"); err != nil {
			t.Fatal(err)
		}
		s.until("it is sent again", `SELECT count(*) = $1 FROM audit WHERE event = 'resent'`, i+1)
	}
	kept := s.relay.keptFor(r.Contact.String())
	ids, dates := make(map[string]bool), make(map[string]bool)
	for _, p := range kept { // one code and one deadline: every stage proves
		ids[p.id], dates[p.parsed(t).Header.Get("Date")] = true, true
	}
	if len(kept) != 3 || len(ids) != 3 || len(dates) != 3 {
		t.Errorf("%d mails with %d Message-IDs and %d dates, want 3 of each", len(kept), len(ids), len(dates))
	}
	s.relay.down()
	if err := s.db.Resend(t.Context(), r.Number, "", "admin"); err != nil {
		t.Fatal(err)
	}
	s.until("the breaker is open", breakerOpen)
	s.pass(44*time.Hour + time.Minute)
	s.relay.up()
	s.elapse("nothing is due", `SELECT count(*) = 0 FROM obligation`)
	codes := 0
	for _, p := range s.relay.kept() {
		if strings.HasPrefix(p.id, "code.") {
			codes++
		}
	}
	if codes != 3 {
		t.Errorf("%d mails carry the code, one of them after the deadline", codes)
	}
}

// Requests are cancelled and redirected while the rate makes a worker wait. Their mails
// that were not started never go out, and the new address gets the new code.
func TestChangedWhileWaiting(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	r := s.invite(3)
	s.work(func(w *jobs.Worker) {
		w.Slots = queue.Slots{Interactive: 1, Batch: 1}
		w.Mailer.Limiter = queue.NewLimiter(w.Queue, 0.8)
	})
	s.until("the first is mailed", `SELECT count(mailed_at) = 1 FROM code`)
	if err := s.db.CancelNumber(t.Context(), r[1].Number); err != nil {
		t.Fatal(err)
	}
	s.redirect(r[2].ID, "nouvelle@duvallon.example")
	s.until("nothing is due", `SELECT count(*) = 0 FROM obligation`)
	var to []string
	for _, p := range s.relay.kept() {
		to = append(to, p.to)
	}
	if got := strings.Join(to, " "); got != r[0].Contact.String()+" nouvelle@duvallon.example" {
		t.Errorf("mails went to %s", got)
	}
}

// redirect does what an import with another contact address does (D9).
func (s *stage) redirect(request int64, to string) {
	s.t.Helper()
	s.db.Exec(s.t, `
		WITH old AS (
			UPDATE code SET void_at = bascule_now() WHERE request_id = $1 RETURNING request_id, generation, key_id
		), redirected AS (
			UPDATE request r SET generation = old.generation + 1 FROM old WHERE id = $1 RETURNING r.id, r.space_id, r.generation, old.key_id
		), made AS (
			INSERT INTO code (request_id, generation, purpose, email, email_key, key_id, nonce)
			SELECT id, generation, 'identify', $2, $2, key_id, uuid_send(gen_random_uuid()) FROM redirected
		)
		INSERT INTO obligation (lane, kind, space_id, request_id, generation, due_at)
		SELECT 'bulk', 'code', space_id, id, generation, bascule_now() FROM redirected`, request, to)
}

// Cancelled, redirected, activated while the mail is in flight: the request's own
// fate stands whatever the relay answers, and no copy goes out.
func TestChangedInFlight(t *testing.T) {
	t.Parallel()
	for _, accepted := range []bool{true, false} {
		s := newStage(t)
		here, goOn := make(chan struct{}, 3), make(chan struct{})
		s.relay.follow(func(stage, _, id string) string {
			if stage == "dot" && strings.HasSuffix(id, ".1.0@espace.example") && strings.HasPrefix(id, "code.") {
				here <- struct{}{}
				<-goOn
				if !accepted {
					return drop
				}
			}
			return ""
		})
		s.work()
		var r []sqltest.Request
		for range 3 { // over a connection each
			r = append(r, s.invite(1)...)
			<-here
		}
		if err := s.db.CancelNumber(t.Context(), r[0].Number); err != nil {
			t.Fatal(err)
		}
		s.redirect(r[1].ID, "nouvelle@duvallon.example")
		s.activate(parcel{to: r[2].Contact.String(), raw: s.codeOf(r[2])})
		close(goOn)
		s.elapse("nothing is due", `SELECT count(*) = 0 FROM obligation`)
		if got := strings.Join(s.states(), " "); got != "cancelled mailed activated" {
			t.Errorf("accepted %v: states %s", accepted, got)
		}
		if got := s.db.Text(t, `SELECT count(*)::text FROM audit WHERE event = 'dead code mailed'`); accepted && got != "2" {
			t.Errorf("the audit log knows %s dead codes, want 2", got)
		}
		for _, x := range r {
			n := 0
			for _, to := range s.relay.rcpts() {
				if to == x.Contact.String() {
					n++
				}
			}
			if want := map[bool]int{true: 2, false: 1}[x.ID == r[2].ID]; n != want { // the confirmation
				t.Errorf("accepted %v: request %d was tried %d times, want %d", accepted, x.ID, n, want)
			}
		}
	}
}

// codeOf computes what the mail says.
func (s *stage) codeOf(r sqltest.Request) string {
	s.t.Helper()
	var id conversion.KeyID
	var nonce []byte
	if err := s.db.Raw.QueryRow(`SELECT key_id, nonce FROM request_code WHERE id = $1`, r.ID).Scan(&id, &nonce); err != nil {
		s.t.Fatal(err)
	}
	code, err := s.keys.Code(conversion.ForActivation, id, conversion.Nonce(nonce), 1, r.Contact)
	if err != nil {
		s.t.Fatal(err)
	}
	return code.String()
}

// D4, R21: the deadline is committed before a byte of the mail leaves; 48 hours
// later, not an instant before, the code is dead and the sweep says so (C3).
func TestDeadline(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	r := s.invite(1)[0]
	seen := make(chan bool, 1)
	s.relay.follow(func(stage, _, _ string) string {
		if stage == "mail" {
			seen <- s.holds(`SELECT count(*) = 1 AND bool_and(expires_at > bascule_now()) FROM code`)
		}
		return ""
	})
	s.work()
	if !<-seen {
		t.Error("the mail went out before its deadline was committed")
	}
	s.until("it is mailed", allMailed)
	deadline := s.db.Deadline(t, r.ID)
	if !s.holds(`SELECT expires_at - started_at = interval '48 hours' FROM request_code`) {
		t.Error("the deadline is not 48 hours away")
	}
	s.db.Freeze(t, deadline.Add(-time.Microsecond))
	s.db.Exec(t, `SELECT pg_notify('bascule_due', '')`)
	s.typeCode(r.Contact)
	s.db.Freeze(t, deadline)
	s.until("it is expired", `SELECT expired_at = expires_at FROM request_code`)
	code, _ := conversion.ParseCode(s.codeOf(r))
	if _, err := s.find(r.Contact, code); err == nil {
		t.Error("the code is good at its deadline")
	}
	s.until("nothing is left", `SELECT count(*) = 0 FROM obligation`)
}

// C3, R21: a whole batch expires in one sweep of 48 hours, once.
func TestBatchExpires(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.flood(500)
	s.work()
	s.until("all are mailed", allMailed)
	s.pass(48 * time.Hour)
	s.until("all are expired", `SELECT count(*) = 500 FROM request WHERE expired_at IS NOT NULL`)
	s.until("nothing is left", `SELECT count(*) = 0 FROM obligation`)
	if !s.holds(`SELECT count(*) = 500 FROM audit WHERE event = 'expired'`) || !s.holds(`SELECT count(*) = 500 FROM audit WHERE event = 'expired mailed'`) {
		t.Error("the audit log has not one entry for each, and one for each mail")
	}
	if !strings.Contains(s.log.String(), "count=500") && !strings.Contains(s.log.String(), "requests expired") {
		t.Error("the log does not tell")
	}
}

// R21, D4: a mail tells that a mailed code is over, once, at the address of the code.
// There is none if a new request is open by then, or if the code's mail came back.
func TestExpiredIsTold(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	r := s.invite(3)
	stop := s.work()
	s.until("all are mailed", allMailed)
	if _, err := s.db.Bounced(t.Context(), r[1].ID, 1, conversion.BounceGone); err != nil {
		t.Fatal(err)
	}
	deadline := s.db.Deadline(t, r[0].ID)
	stop()
	s.pass(48 * time.Hour)
	if _, err := s.db.Sweep(t.Context(), 10); err != nil {
		t.Fatal(err)
	}
	s.db.Exec(t, `INSERT INTO request (space_id, origin, requested_at) SELECT space_id, 'retry', bascule_now() FROM request WHERE id = $1`, r[2].ID)
	s.work()
	s.elapse("nothing is due", `SELECT count(*) = 0 FROM obligation`)
	told := s.mailed("expired", r[0].Contact)
	if !strings.Contains(told.text(), conversion.FrenchTime(deadline)) || told.code() != "" {
		t.Errorf("the mail says\n%s", told.text())
	}
	for _, p := range s.relay.kept() {
		if strings.HasPrefix(p.id, "expired.") && p.id != told.id {
			t.Errorf("%s was told too", p.id)
		}
	}
}

// R31, I5: the code for a new password goes to the identifier, with a deadline
// that counts from its mail; asking again makes the first code void.
func TestResetIsMailed(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	r := s.invite(1)[0]
	s.work()
	s.activate(s.mailed("code", r.Contact))
	owner, err := s.db.FindIdentifier(t.Context(), r.Contact)
	if err != nil {
		t.Fatal(err)
	}
	var codes []conversion.Code
	for n := range 2 {
		if err := s.db.AskReset(t.Context(), owner, s.keys); err != nil {
			t.Fatal(err)
		}
		s.until("it is mailed", `SELECT count(*) = $1 FROM audit WHERE event = 'reset mailed'`, n+1)
		var last parcel
		for _, p := range s.relay.keptFor(r.Contact.String()) {
			if strings.HasPrefix(p.id, "reset.") {
				last = p
			}
		}
		code, err := conversion.ParseCode(last.code())
		if err != nil {
			t.Fatal(err)
		}
		codes = append(codes, code)
		var until time.Time
		if err := s.db.Raw.QueryRow(`SELECT expires_at FROM code WHERE purpose = 'reset' ORDER BY generation DESC LIMIT 1`).Scan(&until); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(last.text(), conversion.FrenchTime(until)) {
			t.Errorf("the mail does not state %s", until)
		}
	}
	if _, err := s.db.FindReset(t.Context(), s.keys, r.Contact, codes[0]); err == nil {
		t.Error("the first code is still good")
	}
	if _, err := s.db.FindReset(t.Context(), s.keys, r.Contact, codes[1]); err != nil {
		t.Errorf("the second code: %v", err)
	}
	s.pass(conversion.ResetLifetime)
	if _, err := s.db.FindReset(t.Context(), s.keys, r.Contact, codes[1]); err == nil {
		t.Error("the code is good after half an hour")
	}
}

// A mail of its own tells the owner of each change of the password, by a mailed code
// and in the space. It has the instant of the change, not of the mail. It carries no
// code, and its fate changes nothing (D11).
func TestPasswordChangeIsTold(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	r := s.invite(1)[0]
	s.work()
	s.activate(s.mailed("code", r.Contact))
	s.elapse("the confirmation is mailed", `SELECT count(*) = 1 FROM audit WHERE event = 'confirmation mailed'`)
	before := s.db.Text(t, `SELECT row(r.*)::text FROM request r`)
	s.relay.down()
	first := s.changePassword(r, "one")
	s.pass(3 * time.Hour)
	second := s.changePassword(r, "two")
	s.pass(time.Hour)
	s.relay.up()
	s.elapse("both are told", `SELECT count(*) = 2 FROM audit WHERE event = 'password-notice mailed'`)
	var texts []string
	ids := make(map[string]bool)
	for _, p := range s.relay.keptFor(r.Contact.String()) {
		if strings.HasPrefix(p.id, "password-notice.") {
			texts, ids[p.id] = append(texts, p.text()), true
			if p.code() != "" || strings.Contains(p.text(), "code=") {
				t.Errorf("the notice carries a code or a link with one:\n%s", p.text())
			}
		}
	}
	if len(ids) != 2 {
		t.Fatalf("%d mails of their own, want 2", len(ids))
	}
	for _, at := range []time.Time{first, second} {
		if !strings.Contains(strings.Join(texts, "\n"), conversion.FrenchTime(at)) {
			t.Errorf("no mail tells of the change at %s:\n%s", conversion.FrenchTime(at), strings.Join(texts, "\n"))
		}
	}
	if after := s.db.Text(t, `SELECT row(r.*)::text FROM request r`); after != before {
		t.Errorf("the request changed from\n%s to\n%s", before, after)
	}
}

// R6: the code that proves another identifier goes to the new address, good for half an
// hour. The notice of the change goes to the old one, without a code.
func TestIdentifierChangeIsTold(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	r := s.invite(1)[0]
	s.work()
	s.activate(s.mailed("code", r.Contact))
	s.changePassword(r, "one")
	cookie := sha256.Sum256([]byte("one"))
	in, err := s.db.SpaceOfSession(t.Context(), cookie)
	if err != nil {
		t.Fatal(err)
	}
	next := sqltest.Email(t, "next@a.example")
	if err := s.db.AskIdentifier(t.Context(), in, next, s.keys); err != nil {
		t.Fatal(err)
	}
	asked := s.mailed("identifier", next)
	code, err := conversion.ParseCode(asked.code())
	if err != nil {
		t.Fatal(err)
	}
	if err := s.db.ChangeIdentifier(t.Context(), in, s.keys, next, code, cookie); err != nil {
		t.Fatal(err)
	}
	if told := s.mailed("identifier-notice", r.Contact); told.code() != "" {
		t.Errorf("the notice carries a code:\n%s", told.text())
	}
}

// changePassword does what the page in the space does, and tells when.
func (s *stage) changePassword(r sqltest.Request, token string) time.Time {
	s.t.Helper()
	owner, err := s.db.FindIdentifier(s.t.Context(), r.Contact)
	if err != nil {
		s.t.Fatal(err)
	}
	cookie := sha256.Sum256([]byte(token))
	if err := s.db.EnterSpace(s.t.Context(), owner, cookie); err != nil {
		s.t.Fatal(err)
	}
	in, err := s.db.SpaceOfSession(s.t.Context(), cookie)
	if err != nil {
		s.t.Fatal(err)
	}
	next, err := conversion.ParseTrustAnswer(token)
	if err != nil {
		s.t.Fatal(err)
	}
	if err := s.db.ChangePassword(s.t.Context(), in, next.Hash(), cookie); err != nil {
		s.t.Fatal(err)
	}
	now, err := s.db.Now(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	return now
}

// A sweep takes all that is overdue. A wake-up that comes meanwhile leaves its slot to
// the mails.
func TestOneSweepAtATime(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	expirer := &jobs.Expirer{DB: s.db.DB, Log: slog.New(slog.DiscardHandler)}
	tx, err := s.db.Raw.Begin()
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	if _, err := tx.Exec(`LOCK TABLE deadline`); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 2)
	for range 2 {
		go func() { ended <- expirer.Run(t.Context()) }()
	}
	if err := <-ended; err != nil { // the other one waits for the table
		t.Error(err)
	}
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
