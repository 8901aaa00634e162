package jobs_test

import (
	"context"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"bascule/internal/conversion"
	"bascule/jobs"
	"bascule/queue"
	"bascule/sql"
	"bascule/sql/sqltest"
)

// mailer is a worker that nobody wakes but the test.
func (s *stage) mailer(changes ...func(*jobs.Worker)) *jobs.Mailer {
	s.t.Helper()
	w, closeAll := newWorker(s.t, "woken.example", s.url, s.redis.URL(), s.relay.URL(), slog.New(slog.NewTextHandler(s.log, nil)))
	s.t.Cleanup(closeAll)
	for _, change := range changes {
		change(w)
	}
	return w.Mailer
}

// hurried is a mailer whose turn is over once a mail was taken, while hurry is on.
func (s *stage) hurried() (m *jobs.Mailer, hurry func(on bool)) {
	s.t.Helper()
	var passed atomic.Int64
	begin := time.Now()
	m = s.mailer(func(w *jobs.Worker) {
		w.Mailer.Now = func() time.Time { return begin.Add(time.Duration(passed.Load())) }
	})
	return m, func(on bool) {
		s.relay.follow(func(stage, _, _ string) string {
			if stage == "dot" && on {
				passed.Add(int64(21 * time.Second))
			}
			return ""
		})
	}
}

// wake lets a worker do what one wake-up asks for.
func (s *stage) wake(m *jobs.Mailer, lane sql.Lane) {
	s.t.Helper()
	if err := m.Run(s.t.Context(), lane); err != nil {
		s.t.Fatal(err)
	}
}

// due moves when the mail of a request is due, and to which lane it belongs.
func (s *stage) due(r sqltest.Request, lane sql.Lane, shift time.Duration) {
	s.t.Helper()
	s.db.Exec(s.t, `UPDATE obligation SET lane = $2, due_at = due_at + make_interval(secs => $3) WHERE request_id = $1`, r.ID, lane, shift.Seconds())
}

// openBreaker opens the breaker; its probe is due.
func (s *stage) openBreaker() {
	s.t.Helper()
	if err := s.db.OpenBreaker(s.t.Context(), "421 too busy", nil); err != nil {
		s.t.Fatal(err)
	}
	s.pass(sql.ProbeEvery)
}

// void makes the codes of requests void.
func (s *stage) void(requests ...sqltest.Request) {
	s.t.Helper()
	for _, r := range requests {
		s.db.Exec(s.t, `UPDATE code SET void_at = bascule_now() WHERE request_id = $1`, r.ID)
	}
}

// asked are the recipients, in the order in which the relay was asked to take them.
func (s *stage) asked() string { return strings.Join(s.relay.rcpts(), " ") }

func names(requests ...sqltest.Request) string { return strings.Join(contacts(requests), " ") }

// The longest due is first: a wake-up looks at all that is due, also at what became
// due behind those whom the wake-up before had come to.
func TestWakeUpLooksAtAll(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	m, hurry := s.hurried()
	first := s.invite(1)[0]
	hurry(true) // it does not come to the end of what is due
	s.wake(m, sql.LaneBulk)
	hurry(false)
	two := s.invite(2)
	s.due(two[1], sql.LaneBulk, -time.Minute)
	s.wake(m, sql.LaneBulk)
	if got, want := s.asked(), names(first, two[1], two[0]); got != want {
		t.Errorf("mailed %s, want %s", got, want)
	}
}

// I1: one wake-up does all that is due, past windows of which none starts.
func TestWakeUpGoesOn(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	m := s.mailer()
	dead := s.invite(5) // the first window, and one of the second
	good := s.invite(1)[0]
	s.void(dead...)
	s.wake(m, sql.LaneBulk)
	if got := s.asked(); got != good.Contact.String() || !s.holds(`SELECT count(*) = 0 FROM obligation`) {
		t.Errorf("mailed %q; obligations: %s", got, s.obligations())
	}
}

// A wake-up whose turn is over leaves the rest to the next one, so that other work
// has its slot; a probe, too.
func TestTurn(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	m, hurry := s.hurried()
	hurry(true)
	requests := s.invite(12)
	s.wake(m, sql.LaneBulk)
	if n := len(s.relay.kept()); n == 0 || n > 4 {
		t.Errorf("%d mails went out in one turn, want some of the first window", n)
	}

	s.openBreaker()
	s.void(requests...)
	for _, r := range requests {
		s.due(r, sql.LaneInteractive, 0) // the probe looks there first
	}
	begin, reads := time.Now(), 0
	m.Now = func() time.Time { reads++; return begin.Add(time.Duration(reads) * 5 * time.Second) }
	left := s.db.Text(t, `SELECT count(*)::text FROM obligation`)
	s.wake(m, sql.LaneBulk)
	if now := s.db.Text(t, `SELECT count(*)::text FROM obligation`); now == left || now == "0" {
		t.Errorf("of %s void mails a probe leaves %s", left, now)
	}
}

// D11: the probe looks past void mails, in both lanes, first for interactive mails, and
// for the longest due. It does so wherever its process had come to, and tries one.
func TestProbe(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	m, hurry := s.hurried()
	first := s.invite(1)[0]
	hurry(true)
	s.wake(m, sql.LaneBulk)
	list := s.invite(6)
	dead, later, waits, bulk := list[:3], list[3], list[4], list[5]
	s.void(dead...)
	s.due(later, sql.LaneInteractive, 0)
	s.due(waits, sql.LaneInteractive, -time.Minute)
	s.due(bulk, sql.LaneBulk, -time.Hour)
	s.relay.follow(at("rcpt", "530 5.7.0 busy"))
	s.openBreaker()
	s.wake(m, sql.LaneBulk)
	if got, want := s.asked(), names(first, waits); got != want {
		t.Errorf("asked %s, want %s", got, want)
	}
	s.void(waits, later)
	s.invite(1) // due after bulk
	s.pass(sql.ProbeEvery)
	s.relay.follow(nil)
	s.wake(m, sql.LaneInteractive)
	if got, want := s.asked(), names(first, waits, bulk); got != want {
		t.Errorf("asked %s, want %s", got, want)
	}
	if s.holds(breakerOpen) {
		t.Error("the breaker is open after a mail got through")
	}
}

// D11: if only mails that opened the breaker are left, past void mails, one of them
// probes.
func TestProbePastVoidMails(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	m := s.mailer()
	list := s.invite(4)
	s.void(list[:3]...)
	s.db.Exec(t, `UPDATE obligation SET blame = 'excused' WHERE request_id = $1`, list[3].ID)
	s.openBreaker()
	s.wake(m, sql.LaneInteractive)
	if got, want := s.asked(), names(list[3]); got != want || s.holds(breakerOpen) {
		t.Errorf("asked %q, want %s", got, want)
	}
}

// soon ends the context of a worker that waits rightly.
func soon(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// I5: a worker that can record nothing of a window sends no other one for a while:
// each of its mails would go out again.
func TestStuckWorkerWaits(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.db.Exec(t, `ALTER TABLE audit ADD CONSTRAINT never CHECK (event <> 'mailed')`)
	s.invite(20)
	if err := s.mailer().Run(soon(t), sql.LaneBulk); err != nil {
		t.Fatal(err)
	}
	if n := len(s.relay.kept()); n != 4 {
		t.Errorf("%d mails went out of which nothing is recorded, want the first window", n)
	}
	s.db.Exec(t, `ALTER TABLE audit DROP CONSTRAINT never`)
	s.pass(61 * time.Second)
	s.work()
	s.elapse("all are mailed", allMailed)
}

// C2: a mail that does not start takes nothing of MAIL_RATE, nor does it wait for
// it; a worker that has to wait looks again when the time has come, not before.
func TestRate(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	var windows atomic.Int64
	m := s.mailer(func(w *jobs.Worker) {
		w.Mailer.Limiter = queue.NewLimiter(w.Queue, 0.01)
		w.Mailer.Now = func() time.Time { windows.Add(1); return time.Now() }
	})
	dead := s.invite(4) // one window
	good := s.invite(2)
	s.void(dead...)
	if err := m.Run(soon(t), sql.LaneBulk); err != nil {
		t.Fatal(err)
	}
	if got, want := s.asked(), names(good[0]); got != want {
		t.Errorf("asked %q, want %s", got, want)
	}
	if n := windows.Load(); n > 30 {
		t.Errorf("the clock was read %d times: the worker does not wait for the rate", n)
	}
}

// D11, I5: a mail that breaks off because its worker is told to stop says nothing of
// the mail or the relay. Nobody is suspected, and no attempt counts.
func TestBrokenOffByUs(t *testing.T) {
	t.Parallel()
	for stage, want := range map[string]string{"rcpt": "0 0", "dot": "0 1"} {
		t.Run(stage, func(t *testing.T) {
			s := newStage(t)
			s.invite(1)
			stands, goOn := make(chan struct{}), make(chan struct{})
			s.relay.follow(func(at, _, _ string) string {
				if at == stage {
					close(stands)
					s.await(goOn)
					return drop
				}
				return ""
			})
			stop := s.work()
			<-stands
			stop()
			close(goOn)
			if got := s.db.Text(t, `SELECT concat_ws(' ', attempts, interruptions, blame) FROM obligation WHERE claim IS NULL`); got != want {
				t.Errorf("attempts, interruptions and blame are %q, want %q", got, want)
			}
		})
	}
}

// D8: the notice that follows an option in the space tells of no code of the contact's
// if none was mailed.
func TestNoticeWithoutContactCode(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	r := s.invite(1)[0]
	s.db.Exec(t, `UPDATE obligation SET due_at = 'infinity'`)
	var serial string
	if err := s.db.Raw.QueryRow(`SELECT serial FROM space`).Scan(&serial); err != nil {
		t.Fatal(err)
	}
	credentials := func() (sql.Credentials, error) {
		return sql.Credentials{Password: "$password", Question: "animal", Answer: "$answer"}, nil
	}
	_, err := s.db.Opt(t.Context(), sql.Option{Space: r.SpaceID, Serial: conversion.SerialNumber(serial), ID: "0b0e4e0e-5f3a-4b6a-9c55-0b8a3a3f4d52",
		Email: sqltest.Email(t, "autre@duvallon.example"), Credentials: credentials, Keys: s.keys})
	if err != nil {
		t.Fatal(err)
	}
	s.wake(s.mailer(), sql.LaneInteractive)
	if text := s.mailed("notice", r.Contact).text(); strings.Contains(text, "1970") {
		t.Errorf("the notice tells of a code that never was:\n%s", text)
	}
}

// C2: however often a dispatcher looks, a lane has at most twice its slots of
// wake-ups, and enough for each slot.
func TestDispatchIsBounded(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.invite(100)
	q, err := queue.Open(s.redis.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close()
	d := &jobs.Dispatcher{DB: s.db.DB, Queue: q, Slots: queue.Slots{Interactive: 2, Batch: 3}, Log: slog.New(slog.DiscardHandler)}
	for range 3 {
		if busy, err := d.Dispatch(t.Context()); err != nil || !busy {
			t.Fatalf("busy %v, error %v", busy, err)
		}
		if n, err := q.Pending(t.Context(), queue.WakeUp(sql.LaneBulk)); err != nil || n != 6 {
			t.Errorf("%d wake-ups wait, want 6; error %v", n, err)
		}
		s.pass(time.Second) // other wake-ups than before have other names
	}
}

// What is due leaves, though a campaign cannot release what it holds.
func TestDispatchDespiteRelease(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.invite(1)
	s.db.Exec(t, `INSERT INTO campaign (name, created_at) VALUES ('spring', bascule_now())`)
	s.db.Exec(t, `UPDATE campaign SET state = 'running'`)
	s.db.Exec(t, `INSERT INTO held (request_id, generation, space_id, campaign_id, priority, expires) SELECT 99, 1, 99, id, 5, '2099-01-01' FROM campaign`)
	s.db.Exec(t, `CREATE TRIGGER broken BEFORE DELETE ON held FOR EACH ROW EXECUTE FUNCTION refuse('a test')`)
	q, err := queue.Open(s.redis.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close()
	d := &jobs.Dispatcher{DB: s.db.DB, Queue: q, Slots: queue.Slots{Interactive: 2, Batch: 3}, Log: slog.New(slog.DiscardHandler)}
	if busy, err := d.Dispatch(t.Context()); err == nil || !busy {
		t.Errorf("busy %v, error %v", busy, err)
	}
	if n, err := q.Pending(t.Context(), queue.WakeUp(sql.LaneBulk)); err != nil || n != 1 {
		t.Errorf("%d wake-ups wait, want 1; error %v", n, err)
	}
}
