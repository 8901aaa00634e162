package jobs_test

import (
	stdsql "database/sql"
	"sync/atomic"
	"testing"
	"time"

	"bascule/internal/devenv/devtest"
	"bascule/sql"
	"bascule/sql/sqltest"
)

// stopsWithin is how long a worker may take to stop on a frozen PostgreSQL: its last
// words take 20 seconds.
const stopsWithin = 30 * time.Second

// frozenStage is a stage on a cluster of its own, which it may freeze.
func frozenStage(t *testing.T) *stage {
	t.Helper()
	url := devtest.OwnPostgres(t).URL("postgres")
	db, err := sql.Open(t.Context(), url, 2)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	if err := db.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	raw, err := stdsql.Open("postgres", url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { raw.Close() })
	return &stage{t: t, db: &sqltest.DB{DB: db, URL: url, Raw: raw}, url: url,
		keys: sqltest.Keys(t), redis: devtest.Redis(t), relay: newRelay(t), log: &devtest.Log{}}
}

// stopsFrozen freezes PostgreSQL, lets something happen, and wants the worker to
// stop all the same.
func (s *stage) stopsFrozen(what string, stop, meanwhile func()) (thaw func()) {
	s.t.Helper()
	thaw = devtest.Freeze(s.t, s.db.Raw)
	meanwhile()
	stopped := make(chan struct{})
	go func() { defer close(stopped); stop() }()
	select {
	case <-stopped:
	case <-time.After(stopsWithin):
		s.t.Errorf("%s: the worker has not stopped after %s", what, stopsWithin)
	}
	return thaw
}

// I1, I5: a PostgreSQL that is frozen keeps no worker from stopping: an idle one,
// and one that starts mails and has others under way, whose outcomes it cannot
// record. Thawed, nothing is lost.
func TestStopsOnFrozenPostgres(t *testing.T) {
	t.Parallel()
	s := frozenStage(t)
	first := s.invite(1)
	stop := s.work()
	s.until("all are mailed", allMailed)
	s.stopsFrozen("idle", stop, func() {})()

	two := s.invite(2)
	s.db.Exec(t, `UPDATE obligation SET lane = 'interactive', due_at = due_at + interval '30 seconds' WHERE request_id = $1`, two[1].ID)
	stands, goOn := make(chan struct{}), make(chan struct{})
	var once atomic.Bool
	s.relay.follow(func(stage, to, _ string) string {
		if stage == "dot" && to == two[0].Contact.String() && once.CompareAndSwap(false, true) {
			close(stands)
			s.await(goOn)
		}
		return ""
	})
	stop = s.work()
	<-stands
	holder, err := s.db.Raw.Begin()
	if err == nil {
		_, err = holder.Exec(`LOCK TABLE code IN EXCLUSIVE MODE`)
	}
	if err != nil {
		t.Fatal(err)
	}
	s.pass(31 * time.Second)
	s.until("the other one waits to be started", `SELECT count(*) > 0 FROM pg_locks WHERE NOT granted AND relation = 'code'::regclass`)
	thaw := s.stopsFrozen("at work", stop, func() { close(goOn) })

	thaw()
	if err := holder.Rollback(); err != nil {
		t.Fatal(err)
	}
	s.pass(61 * time.Second) // leases end
	s.work()
	s.elapse("all are mailed", allMailed)
	for _, r := range append(first, two...) {
		if len(s.relay.keptFor(r.Contact.String())) == 0 {
			t.Errorf("request %d has no mail", r.ID)
		}
	}
	s.proveMails()
}
