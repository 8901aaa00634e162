package web_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"bascule/sql/sqltest"
)

// I8: more subscribers than the server has connections wait for rows that an import
// holds. A bystander is served meanwhile, and the server stays in service. The waiting
// subscribers learn in time when to come back.
func TestImportHoldsSubscribers(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	const held = 24
	var forms []url.Values
	for i := range held {
		contact := fmt.Sprintf("c%d@a.example", i)
		_, proof := s.mailed(sqltest.Invitation{Contact: contact})
		forms = append(forms, full(proof, contact))
	}
	_, bystander := s.mailed(sqltest.Invitation{Contact: "bystander@b.example"})
	release := s.lockRows(`SELECT FROM request r JOIN code c ON c.request_id = r.id WHERE c.email LIKE 'c%' ORDER BY r.id FOR UPDATE OF r`)
	var waiting sync.WaitGroup
	answers := make(chan answered, held)
	for _, f := range forms {
		waiting.Go(func() { answers <- s.post(f) })
	}
	for s.db.Text(t, gaveUp) != "true" || s.metric("bascule_hashing_queue") != "0" || s.metric("bascule_hashing_slots_used") != "0" {
		if n := s.db.Text(t, waiters); n != "0" {
			t.Errorf("%s pages wait for a lock, each with a connection", n)
		}
	}
	s.get("/readyz").expect(t, http.StatusOK)
	s.get("/connexion").expect(t, http.StatusOK)
	s.post(full(bystander, "bystander@b.example")).expect(t, http.StatusOK, success)
	waiting.Wait()
	close(answers)
	for a := range answers {
		a.expect(t, http.StatusServiceUnavailable, "Service momentanément indisponible")
		if a.header.Get("Retry-After") == "" {
			t.Error("nobody says when to come back")
		}
	}
	release()
	s.post(forms[0]).expect(t, http.StatusOK, success)
}

// I8: a page gives up any wait in time, says so, and changes nothing. A command or
// another page may hold each of these rows.
func TestPagesGiveUpWaiting(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	owner := s.switched(sqltest.Invitation{Contact: "owner@a.example"})
	reset := s.asked(owner)
	_, queued := s.mailed(sqltest.Invitation{Contact: "queued@a.example"})
	s.db.Exec(t, `UPDATE code SET mailed_at = NULL WHERE email = 'queued@a.example'`)
	v := s.visitor("192.0.2.1")
	v.connect("owner@a.example").leadsTo(t, "/espace")
	for name, test := range map[string]struct {
		rows string
		ask  func() answered
	}{
		"a code typed before its mail is known to be out": {`SELECT FROM code FOR UPDATE`, func() answered { return v.submit("/activation", queued) }},
		"a wrong code": {`LOCK TABLE throttle IN SHARE MODE`,
			func() answered { return v.submit("/activation", with(queued, "code", "0000-0000-0000")) }},
		"a sign-in":  {`SELECT FROM space FOR UPDATE`, func() answered { return s.visitor("192.0.2.2").connect("owner@a.example") }},
		"a sign-out": {`SELECT FROM session FOR UPDATE`, func() answered { return v.submit("/deconnexion", url.Values{"": {""}}) }},
		"a change of password": {`SELECT FROM space FOR UPDATE`,
			func() answered { return v.submit("/espace/mot-de-passe", change(password, "Another9Secret")) }},
		"a forgotten password": {`SELECT FROM space FOR UPDATE`, func() answered { return v.submit("/mot-de-passe-oublie", trust("owner@a.example")) }},
		"a new password":       {`SELECT FROM code FOR UPDATE`, func() answered { return v.submit("/nouveau-mot-de-passe", newPassword(reset, "Another9Secret")) }},
	} {
		before := s.dump()
		release := s.lockRows(test.rows)
		a := test.ask()
		release()
		if a.status != http.StatusServiceUnavailable || a.header.Get("Retry-After") == "" {
			t.Errorf("%s: status %d, Retry-After %q", name, a.status, a.header.Get("Retry-After"))
		}
		if s.dump() != before {
			t.Errorf("%s: something has changed", name)
		}
	}
	// A failure at the end of a request's time is logged. A page that gives up by
	// itself logs nothing.
	if log := s.log.String(); strings.Contains(log, "request failed") {
		t.Errorf("the log says %s", log)
	}
}

// I3, I8: a hundred forms come at once for one request. One activates; the others learn
// so, or are refused.
func TestHundredSubmissions(t *testing.T) {
	s := newSite(t)
	r, proof := s.mailed(sqltest.Invitation{Contact: "contact@a.example"})
	answers := make(chan answered, 100)
	for i := range cap(answers) {
		form := with(full(proof, "contact@a.example"), "submission", fmt.Sprintf("00000000-0000-4000-8000-%012d", i))
		go func() { answers <- s.post(form) }()
	}
	activated := 0
	for range cap(answers) {
		switch a := <-answers; a.status {
		case http.StatusOK:
			a.expect(t, http.StatusOK, success)
			activated++
		case http.StatusServiceUnavailable:
			if a.header.Get("Retry-After") == "" {
				t.Error("503 without Retry-After")
			}
		default:
			a.expect(t, http.StatusUnprocessableEntity, already)
		}
	}
	if activated != 1 {
		t.Errorf("%d forms activated, want 1", activated)
	}
	s.hashed("1")
	s.checkSwitched(r, "contact@a.example")
}

// I8: another process at work on the same request is waited for, not for ever.
func TestBusyElsewhere(t *testing.T) {
	s := newSite(t)
	r, proof := s.mailed(sqltest.Invitation{Contact: "contact@a.example"})
	tx, err := s.db.Raw.Begin()
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	if _, err := tx.Exec(`SELECT pg_advisory_xact_lock($1)`, r.ID); err != nil {
		t.Fatal(err)
	}
	form := full(proof, "contact@a.example")
	busy := s.post(form).expect(t, http.StatusServiceUnavailable, "Réessayez dans quelques minutes")
	if busy.header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	answer := make(chan answered, 1)
	go func() { answer <- s.post(form) }()
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	(<-answer).expect(t, http.StatusOK, success)
}

// R21, I3: a form comes in before the deadline and waits for the row until after it. It
// is too late, with a typed address and with a code alone.
func TestDeadlineBehindLock(t *testing.T) {
	t.Run("address typed", func(t *testing.T) {
		s := newSite(t)
		r, contact := s.mailed(sqltest.Invitation{Contact: "contact@a.example"})
		s.lateBehindLock(r, full(contact, "contact@a.example"))
	})
	t.Run("code alone", func(t *testing.T) {
		s := newSite(t)
		r, contact := s.mailed(sqltest.Invitation{Contact: "contact@a.example"})
		s.post(full(contact, "chosen@a.example")).expect(t, http.StatusOK, mailSent)
		s.lateBehindLock(r, s.mailAgain(r))
	})
}

func (s *site) lateBehindLock(r sqltest.Request, form url.Values) {
	s.t.Helper()
	tx, err := s.db.Raw.Begin()
	if err != nil {
		s.t.Fatal(err)
	}
	defer tx.Rollback()
	if _, err := tx.Exec(`SELECT id FROM request WHERE id = $1 FOR UPDATE`, r.ID); err != nil {
		s.t.Fatal(err)
	}
	answer := make(chan answered, 1)
	go func() { answer <- s.post(form) }()
	s.await(gaveUp)
	s.db.Shift(s.t, 49*time.Hour)
	if err := tx.Rollback(); err != nil {
		s.t.Fatal(err)
	}
	(<-answer).expect(s.t, http.StatusUnprocessableEntity, late)
	if access := s.db.Text(s.t, `SELECT access FROM space WHERE id = $1`, r.SpaceID); access != "certificate" {
		s.t.Errorf("access %s, switched after the deadline", access)
	}
}
