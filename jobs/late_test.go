package jobs_test

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"bascule/jobs"
	"bascule/queue"
)

// still is what a slow relay's script answers at the dot to stand still there
// until the test lets it go on; then it takes the mail.
const still = "!still"

// A slowRelay stands still on a signal, and so does the time: the test moves it.
type slowRelay struct {
	s      *stage
	stands chan struct{}
	goOn   chan struct{}
	passed atomic.Int64 // nanoseconds that the worker's clock is ahead
}

// slow starts a worker with one slot, whose clock only the test moves forward.
func (s *stage) slow(sc script, changes ...func(*jobs.Worker)) *slowRelay {
	s.t.Helper()
	r := &slowRelay{s: s, stands: make(chan struct{}), goOn: make(chan struct{})}
	r.follow(sc)
	begin := time.Now()
	s.work(append(changes, func(w *jobs.Worker) {
		w.Slots = queue.Slots{Interactive: 1, Batch: 1}
		w.Mailer.Now = func() time.Time { return begin.Add(time.Duration(r.passed.Load())) }
	})...)
	return r
}

func (r *slowRelay) follow(sc script) {
	over := r.s.t.Context().Done()
	r.s.relay.follow(func(stage, to, id string) string {
		answer := sc(stage, to, id)
		if answer != still {
			return answer
		}
		select {
		case r.stands <- struct{}{}:
			select {
			case <-r.goOn:
			case <-over:
			}
		case <-over:
		}
		return ""
	})
}

// pass lets time pass for the worker and the database alike.
func (r *slowRelay) pass(d time.Duration) {
	r.passed.Add(int64(d))
	r.s.pass(d)
}

// stillAt is the script of a relay that stands still at the dots of some.
func stillAt(to ...string) script {
	return func(stage, rcpt, _ string) string {
		if stage == "dot" && slices.Contains(to, rcpt) {
			return still
		}
		return ""
	}
}

// D4, I5: the relay becomes slow in the middle of a window. The mail under way keeps
// its start. The late ones have no deadline and no attempt, and are due at once. They
// are started anew with a full deadline, each once.
func TestSlowWindow(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	requests := s.invite(6) // a window of four, then one of two
	relay := s.slow(stillAt(requests[0].Contact.String(), requests[1].Contact.String(), requests[4].Contact.String()))
	<-relay.stands
	if !s.holds(`SELECT count(*) = 4 FROM request_code WHERE started_at IS NOT NULL`) {
		t.Fatal("the first window is not one of four: this proves nothing")
	}
	first := s.db.Text(t, `SELECT min(started_at)::text FROM request_code`)
	relay.pass(6 * time.Second)
	relay.goOn <- struct{}{}

	<-relay.stands // in the window of two
	if !s.holds(`SELECT count(*) = 3 FROM request_code r JOIN obligation o ON o.request_id = r.id
		WHERE r.id IN ($1, $2, $3) AND r.started_at IS NULL AND r.expires_at IS NULL
		  AND o.claim IS NULL AND o.due_at <= bascule_now() AND o.attempts = 0 AND o.interruptions = 0`,
		requests[1].ID, requests[2].ID, requests[3].ID) {
		t.Errorf("mails whose turn came too late still have a deadline, or are not due: %s", s.obligations())
	}
	if s.holds(breakerOpen) {
		t.Error("a slow relay opened the breaker")
	}
	relay.goOn <- struct{}{}

	<-relay.stands // the second one, in a window of its own
	relay.goOn <- struct{}{}
	s.until("all are mailed", allMailed)
	if !s.holds(`SELECT started_at = $1::timestamptz FROM request_code WHERE id = $2`, first, requests[0].ID) {
		t.Error("the mail under way lost its start")
	}
	if !s.holds(`SELECT count(*) = 5 FROM request_code WHERE started_at >= $1::timestamptz + interval '6 seconds' AND expires_at - started_at = interval '48 hours'`, first) {
		t.Error("a mail that was late is not started anew, with a full deadline")
	}
	if n := len(s.relay.kept()); n != len(requests) {
		t.Errorf("%d copies of %d mails", n, len(requests))
	}
}

// D4, I1: a database takes long to start a window. That makes no mail late, and no window
// small: its clock is read once it is about to commit. Otherwise nothing would leave while
// it is slow.
func TestSlowStart(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.invite(3 * 4) // a window of four, then one of eight
	holder, err := s.db.Raw.Begin()
	if err == nil {
		_, err = holder.Exec(`LOCK TABLE code IN EXCLUSIVE MODE`)
	}
	if err != nil {
		t.Fatal(err)
	}
	var metrics *jobs.Metrics
	relay := s.slow(accept, func(w *jobs.Worker) { metrics = jobs.NewMetrics(w.DB); w.Mailer.Metrics = metrics })
	s.until("a window waits to be started", `SELECT count(*) > 0 FROM pg_locks WHERE NOT granted AND relation = 'code'::regclass`)
	relay.pass(6 * time.Second)
	if err := holder.Rollback(); err != nil {
		t.Fatal(err)
	}
	s.until("all are mailed", allMailed)
	told := httptest.NewRecorder()
	metrics.Handler().ServeHTTP(told, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	if !strings.Contains(told.Body.String(), `{outcome="accepted"} 12`) || strings.Contains(told.Body.String(), "not_sent") {
		t.Errorf("some mail was late: %s", told.Body.String())
	}
	if n := s.db.Text(t, `SELECT count(DISTINCT started_at) FROM code`); n != "2" {
		t.Errorf("%s windows, want 2", n)
	}
}

// D4, I1: PostgreSQL takes long to commit a start, as a standby for which it waits is gone.
// Those mails are late, and none leaves: the log tells why.
func TestSlowCommit(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.invite(1)
	holder, err := s.db.Raw.Begin()
	if err == nil {
		_, err = holder.Exec(`LOCK TABLE deadline IN SHARE MODE`)
	}
	if err != nil {
		t.Fatal(err)
	}
	relay := s.slow(accept)
	s.until("a window that was admitted waits", `SELECT count(*) > 0 FROM pg_locks WHERE NOT granted AND relation = 'deadline'::regclass`)
	relay.pass(6 * time.Second)
	if err := holder.Rollback(); err != nil {
		t.Fatal(err)
	}
	s.until("it is mailed", allMailed)
	if s.told("PostgreSQL takes too long") != 1 || s.told("took=6s") != 1 {
		t.Errorf("the log says %s", s.log.String())
	}
}

// D12, D4: a relay becomes slow, and the campaign is paused. The mail under way leaves, and
// the rest of its window does not.
func TestPauseEndsWindows(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.campaign("spring", 4)
	relay := s.slow(stillAt("c1@duvallon.example"))
	<-relay.stands
	if !s.holds(`SELECT count(*) = 4 FROM request_code WHERE started_at IS NOT NULL`) {
		t.Fatal("they are not in one window: this proves nothing")
	}
	if err := s.db.PauseCampaign(t.Context(), "spring", "too many calls", "admin"); err != nil {
		t.Fatal(err)
	}
	r := s.invite(1)[0] // once that is mailed, the worker has looked at what is due
	s.db.Exec(t, `UPDATE obligation SET lane = 'interactive', campaign_id = NULL WHERE request_id = $1`, r.ID)
	s.until("another one is mailed", `SELECT mailed_at IS NOT NULL FROM request_code WHERE id = $1`, r.ID)
	relay.goOn <- struct{}{}
	s.until("the rest waits", `SELECT count(*) = 2 FROM obligation WHERE claim IS NULL AND due_at = 'infinity'`)
	if n := len(s.relay.kept()); n != 3 {
		t.Errorf("the relay has %d mails, want those of two that had begun and the other one", n)
	}
	if !s.holds(`SELECT count(started_at) = 3 FROM request_code`) {
		t.Error("a deadline counts that no mail states")
	}
	if err := s.db.ResumeCampaign(t.Context(), "spring", "admin"); err != nil {
		t.Fatal(err)
	}
	s.until("all are mailed", allMailed)
}

// accept is the script of a relay that takes every mail.
func accept(string, string, string) string { return "" }

// I5: a worker whose relay stands still renews its lease, so that nobody sends the
// mail again meanwhile, however long it takes. The outcome of the mail before it is
// recorded meanwhile: should the worker die now, that one is in no doubt.
func TestLeaseIsRenewed(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	r := s.invite(2)
	relay := s.slow(stillAt(r[1].Contact.String()))
	<-relay.stands
	s.until("the first is mailed", `SELECT mailed_at IS NOT NULL FROM request_code WHERE id = $1`, r[0].ID)
	until := s.db.Text(t, `SELECT claimed_until::text FROM obligation`)
	s.until("the lease is renewed", `SELECT claimed_until > $1::timestamptz FROM obligation`, until)
	if !s.holds(`SELECT claimed_until > bascule_now() + interval '45 seconds' FROM obligation`) {
		t.Errorf("the lease is too short: %s", s.obligations())
	}
	relay.goOn <- struct{}{}
	s.until("both are mailed", allMailed)
}

// I5, D4: a repetition after doubt whose turn comes too late stays the copy that
// it was: its start and its one doubt stand.
func TestSlowWindowAfterDoubt(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	r := s.invite(2)
	other, doubtful := r[0].Contact.String(), r[1].Contact.String()
	relay := s.slow(func(stage, to, _ string) string {
		switch {
		case stage == "rcpt" && to == other:
			return "451 4.2.2 mailbox full"
		case stage == "dot":
			return take
		}
		return ""
	})
	s.until("one is refused, one in doubt", `SELECT sum(attempts) = 1 AND sum(interruptions) = 1 AND count(claim) = 0 FROM obligation`)
	first := s.db.Text(t, `SELECT started_at::text FROM request_code WHERE id = $1`, r[1].ID)
	s.db.Exec(t, `UPDATE obligation SET due_at = (SELECT min(due_at) FROM obligation) WHERE request_id = $1`, r[0].ID) // its turn is first
	relay.follow(stillAt(other))
	relay.pass(61 * time.Second)
	<-relay.stands
	if !s.holds(`SELECT count(started_at) = 2 FROM obligation`) {
		t.Fatal("the two do not share a window: this proves nothing")
	}
	dials := s.relay.dials()
	relay.pass(6 * time.Second)
	relay.goOn <- struct{}{}
	s.until("all are mailed", allMailed)
	if n := s.relay.dials() - dials; n != 1 {
		t.Errorf("%d more connections: the repetition was not late", n)
	}
	if !s.holds(`SELECT started_at = $1::timestamptz AND doubts = 1 AND NOT in_doubt FROM code WHERE request_id = $2`, first, r[1].ID) {
		t.Error("the repetition lost its start, or gained a doubt")
	}
	if n := len(s.relay.keptFor(doubtful)); n != 2 { // that they are equal, every stage proves
		t.Errorf("%d copies, want 2", n)
	}
}
