package jobs_test

import (
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"bascule/internal/mail"
	"bascule/jobs"
	"bascule/queue"
	"bascule/sql/sqltest"
)

// told is how often the workers have said something.
func (s *stage) told(what string) int { return strings.Count(s.log.String(), what) }

// I1, I5: an outcome that can never be written down is given up at once. The log has
// the statement's own error, the outcomes beside it are recorded, other mails go out,
// and the worker stops when it is told. The mail is in doubt, as ever.
func TestOutcomeThatCannotBeRecorded(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	requests := s.invite(4) // one window
	s.db.Exec(t, `ALTER TABLE audit ADD CONSTRAINT never CHECK (event <> 'mailed' OR request_id <> 2)`)
	stop := s.work()
	s.until("the others are mailed", `SELECT count(*) = 3 FROM request_code WHERE mailed_at IS NOT NULL`)
	s.wait("the log tells the reason", func() bool { return s.told(`violates check constraint \"never\"`) > 0 })
	later := s.invite(1)[0]
	s.until("another one is mailed", `SELECT mailed_at IS NOT NULL FROM request_code WHERE id = $1`, later.ID)
	stop()
	if s.told("context canceled") > 0 {
		t.Errorf("the log hides the reason: %s", s.log)
	}
	if !s.holds(`SELECT started_at IS NOT NULL AND mailed_at IS NULL FROM request_code WHERE id = $1`, requests[1].ID) {
		t.Error("the mail that went out is not in doubt")
	}
	s.db.Exec(t, `ALTER TABLE audit DROP CONSTRAINT never`)
	s.pass(61 * time.Second) // its lease ends
	s.work()
	s.elapse("it is mailed", allMailed)
	if got := s.db.Text(t, `SELECT string_agg(doubts::text, ' ' ORDER BY request_id) FROM code`); got != "0 1 0 0 0" {
		t.Errorf("interruptions are %q", got)
	}
}

// I5: a worker whose role may not record outcomes says so. It does not send the whole
// batch meanwhile, as each of its mails would go out again.
func TestRoleThatMayNotRecord(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.db.Exec(t, `REVOKE INSERT ON audit FROM `+sqltest.Application)
	s.db.Exec(t, `REVOKE INSERT (at, space_id, request_id, event, actor, why) ON audit FROM `+sqltest.Application)
	s.flood(200)
	stop := s.work(func(w *jobs.Worker) { w.Slots = queue.Slots{Interactive: 1, Batch: 1} })
	s.wait("the log tells the reason", func() bool { return s.told("permission denied for table audit") > 0 })
	stop()
	if n := len(s.relay.kept()); n > 64 {
		t.Errorf("%d mails went out of which nothing is recorded", n)
	}
	s.db.Exec(t, `GRANT INSERT (at, space_id, request_id, event, actor, why) ON audit TO `+sqltest.Application)
	s.pass(61 * time.Second)
	s.work()
	s.elapse("all are mailed", allMailed)
}

// I5: an outcome that cannot be written down temporarily (a full disk) is tried again.
// The log tells it once a minute, not with each try. It is no doubt.
func TestOutcomeThatWaits(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.db.Exec(t, `CREATE SEQUENCE tries; GRANT USAGE ON tries TO `+sqltest.Application)
	s.db.Exec(t, `CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS
		$$ BEGIN PERFORM nextval('tries'); RAISE 'no space left on device' USING ERRCODE = 'disk_full'; END $$`)
	s.db.Exec(t, `CREATE TRIGGER full_disk BEFORE INSERT ON audit FOR EACH ROW EXECUTE FUNCTION full_disk()`)
	s.invite(3)
	begin, passed := time.Now(), new(atomic.Int64)
	s.work(func(w *jobs.Worker) {
		w.Mailer.Now = func() time.Time { return begin.Add(time.Duration(passed.Load())) }
	})
	const failure = "cannot record outcomes of mails"
	s.until("it was tried three times", `SELECT last_value >= 3 FROM tries`)
	if n := s.told(failure); n != 1 || s.told("no space left on device") != 1 {
		t.Errorf("the failure is told %d times", n)
	}
	passed.Store(int64(time.Minute))
	s.wait("it is told again", func() bool { return s.told(failure) == 2 })
	s.db.Exec(t, `DROP TRIGGER full_disk ON audit`)
	s.until("all are mailed", allMailed)
	if n := len(s.relay.kept()); n != 3 || s.holds(`SELECT bool_or(interruptions > 0) FROM obligation`) {
		t.Errorf("%d copies of 3 mails: %s", n, s.obligations())
	}
}

// I5, D4: a mail that makes our own code panic while it is written has certainly
// not gone out: no deadline counts, it is in no doubt, and it waits for its
// schedule. Its address is not given up for it.
func TestMailThatPanics(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.invite(3)
	stop := s.work(func(w *jobs.Worker) { w.Mailer.Composer = new(mail.Composer) })
	for i, minutes := range []int{1, 5, 15} {
		s.elapse("each was tried", `SELECT count(*) = 3 FROM obligation WHERE attempts = $1 AND claim IS NULL`, i+1)
		if !s.holds(`SELECT bool_and(ceil(extract(epoch FROM due_at - bascule_now()) / 60) = $1) FROM obligation`, minutes) {
			t.Errorf("after try %d they do not wait %d minutes: %s", i+1, minutes, s.obligations())
		}
	}
	if !s.holds(`SELECT bool_and(started_at IS NULL AND expires_at IS NULL AND NOT in_doubt) FROM request_code`) ||
		!s.holds(`SELECT bool_and(interruptions = 0) FROM obligation`) {
		t.Errorf("a mail that never was has a deadline, or is in doubt: %s", s.obligations())
	}
	if s.told("a mail cannot be written") != 1 || s.openings() != 0 {
		t.Errorf("the log: %s", s.log)
	}
	s.db.Exec(t, `UPDATE obligation SET attempts = 200`)
	s.elapse("they were tried again", `SELECT count(*) = 3 FROM obligation WHERE attempts > 200 AND claim IS NULL`)
	stop()
	s.work()
	s.elapse("all are mailed", allMailed)
	if n := len(s.relay.kept()); n != 3 {
		t.Errorf("%d copies of 3 mails", n)
	}
}
