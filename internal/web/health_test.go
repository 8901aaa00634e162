package web_test

import (
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"bascule/sql/sqltest"
)

// Without PostgreSQL the server is alive, not ready, and says so to subscribers
// without losing their trust: 503, and when to come back.
func TestWithoutDatabase(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	_, proof := s.mailed(sqltest.Invitation{Contact: "contact@a.example"})
	s.get("/readyz").expect(t, http.StatusOK)
	s.db.DB.Close()
	s.get("/healthz").expect(t, http.StatusOK)
	s.get("/readyz").expect(t, http.StatusServiceUnavailable)
	page := s.post(full(proof, "contact@a.example")).expect(t, http.StatusServiceUnavailable, "Service momentanément indisponible")
	if page.header.Get("Retry-After") == "" || !strings.Contains(s.log.String(), "request failed") {
		t.Errorf("Retry-After %q, log %s", page.header.Get("Retry-After"), s.log)
	}
}

// A PostgreSQL that is frozen takes bytes and answers none: the server calls
// itself out of service all the same, in time.
func TestFrozenDatabase(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.get("/readyz").expect(t, http.StatusOK)
	backends := s.db.Text(t, `SELECT string_agg(pid::text, ' ') FROM pg_stat_activity WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()`)
	signalAll := func(signal syscall.Signal) {
		for pid := range strings.FieldsSeq(backends) {
			n, err := strconv.Atoi(pid)
			if err == nil {
				err = syscall.Kill(n, signal)
			}
			if err != nil {
				t.Errorf("backend %s: %v", pid, err)
			}
		}
	}
	signalAll(syscall.SIGSTOP)
	defer signalAll(syscall.SIGCONT)
	besieged := make(chan string, 1)
	go func() { besieged <- s.metric("bascule_besieged_spaces") }()
	answer := httptest.NewRecorder()
	if err := s.server.Ready(answer); err != nil || answer.Code != http.StatusServiceUnavailable {
		t.Errorf("status %d, %v", answer.Code, err)
	}
	if got := <-besieged; got != "NaN" {
		t.Errorf("%s besieged spaces, want NaN", got)
	}
	s.get("/healthz").expect(t, http.StatusOK)
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
