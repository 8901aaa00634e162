package web_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"

	"bascule/sql/sqltest"
)

// hold locks rows as an import does, until release.
func (s *site) hold(query string) (release func()) {
	s.t.Helper()
	tx, err := s.db.Raw.Begin()
	if err != nil {
		s.t.Fatal(err)
	}
	if _, err := tx.Exec(query); err != nil {
		s.t.Fatal(err)
	}
	release = sync.OnceFunc(func() { tx.Rollback() })
	s.t.Cleanup(release)
	return release
}

// waiters counts the pages that keep a connection while they wait for a lock.
const waiters = `SELECT count(*) FROM pg_stat_activity
	WHERE datname = current_database() AND usename = '` + sqltest.Application + `' AND wait_event_type = 'Lock'`

// I8: more subscribers than the server has connections wait for what an import
// holds. A bystander is served meanwhile, the server stays in service, and those
// who wait are told in time when to come back.
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
	release := s.hold(`SELECT FROM request r JOIN code c ON c.request_id = r.id WHERE c.email LIKE 'c%' ORDER BY r.id FOR UPDATE OF r`)
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

// I8: whatever a page waits for is given up in time and told, and nothing has
// changed. Each of these rows is one that a command or another page may hold.
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
		"a forgotten password": {`SELECT FROM request FOR UPDATE`, func() answered { return v.submit("/mot-de-passe-oublie", trust("owner@a.example")) }},
		"a new password":       {`SELECT FROM code FOR UPDATE`, func() answered { return v.submit("/nouveau-mot-de-passe", newPassword(reset, "Another9Secret")) }},
	} {
		before := s.dump()
		release := s.hold(test.rows)
		a := test.ask()
		release()
		if a.status != http.StatusServiceUnavailable || a.header.Get("Retry-After") == "" {
			t.Errorf("%s: status %d, Retry-After %q", name, a.status, a.header.Get("Retry-After"))
		}
		if s.dump() != before {
			t.Errorf("%s: something has changed", name)
		}
	}
	// What ends with the time of its request is logged as a failure; what gives up by itself is not.
	if log := s.log.String(); strings.Contains(log, "request failed") {
		t.Errorf("the log says %s", log)
	}
}

// A server whose connections are all in use is in service still: /readyz asks on
// one of its own.
func TestReadyWhileAllConnectionsAreInUse(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.switched(sqltest.Invitation{Contact: "owner@a.example"})
	v := s.visitor("192.0.2.1")
	v.connect("owner@a.example").leadsTo(t, "/espace")
	s.db.Exec(t, `CREATE OR REPLACE FUNCTION bascule_now() RETURNS timestamptz LANGUAGE sql VOLATILE AS 'SELECT clock_timestamp() FROM pg_sleep(600)'`)
	const asleep = `FROM pg_stat_activity WHERE datname = current_database() AND usename = '` + sqltest.Application + `' AND wait_event = 'PgSleep'`
	var asking sync.WaitGroup
	for range 20 {
		asking.Go(func() { v.get("/espace") })
	}
	s.await(`SELECT count(*) = 20 ` + asleep)
	s.get("/readyz").expect(t, http.StatusOK)
	s.db.Shift(t, 0)
	s.db.Exec(t, `SELECT pg_terminate_backend(pid) `+asleep)
	asking.Wait()
}
