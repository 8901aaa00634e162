package jobs_test

import (
	stdsql "database/sql"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"bascule/internal/conversion"
	"bascule/sql/sqltest"
)

// I5, D4: the answer to the dot is lost. The repetition is the same mail to the
// byte, its deadline stands, the interruption is recorded, and no third copy goes out.
func TestAnswerLost(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	r := s.invite(1)[0]
	s.relay.follow(times(1, at("dot", take)))
	s.work()
	s.until("the doubt is recorded", `SELECT interruptions = 1 AND claim IS NULL FROM obligation`)
	deadline := s.db.Deadline(t, r.ID)
	s.elapse("it is mailed", allMailed)
	if n := len(s.relay.keptFor(r.Contact.String())); n != 2 {
		t.Errorf("%d copies, want 2", n) // that they are equal, every stage proves
	}
	if got := s.db.Deadline(t, r.ID); !got.Equal(deadline) {
		t.Errorf("the deadline moved from %s to %s", deadline, got)
	}
	if !s.holds(`SELECT NOT in_doubt AND doubts = 1 FROM code`) {
		t.Error("a mail that the relay accepted in the end is still in doubt")
	}
}

// I5: after the third doubt the request counts as mailed, shown as such, and no
// more copies go out, whether the relay kept them or not.
func TestThreeDoubts(t *testing.T) {
	t.Parallel()
	for answer, copies := range map[string]int{take: 3, drop: 0} {
		s := newStage(t)
		r := s.invite(1)[0]
		s.relay.follow(at("dot", answer))
		s.work()
		s.elapse("it counts as mailed", allMailed)
		if !s.holds(`SELECT in_doubt FROM request_code`) {
			t.Errorf("%s: the doubt does not show", answer)
		}
		if got := s.db.Text(t, `SELECT string_agg(event || ' ' || why, '; ') FROM audit`); got != "mailed in doubt" {
			t.Errorf("%s: the audit log says %q", answer, got)
		}
		if asked, kept := len(s.relay.rcpts()), len(s.relay.keptFor(r.Contact.String())); asked != 3 || kept != copies {
			t.Errorf("%s: tried %d times, %d copies; want 3, %d", answer, asked, kept, copies)
		}
	}
}

// I5: a typed code has arrived: no repetition goes out, and nothing is in doubt any
// more.
func TestTypedCodeStopsRepetitions(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	r := s.invite(1)[0]
	s.relay.follow(at("dot", take))
	s.work()
	s.until("the doubt is recorded", `SELECT interruptions = 1 AND claim IS NULL FROM obligation`)
	s.typeCode(r.Contact)
	s.elapse("nothing is due", `SELECT count(*) = 0 FROM obligation`)
	if n := len(s.relay.rcpts()); n != 1 {
		t.Errorf("tried %d times although the code was typed", n)
	}
	if !s.holds(`SELECT mailed_at IS NOT NULL AND NOT in_doubt FROM request_code`) {
		t.Error("the typed code does not count as mailed")
	}
	if !s.holds(`SELECT count(*) = 1 FROM deadline WHERE at = (SELECT expires_at FROM code)`) {
		t.Error("nothing will expire the request")
	}
}

// typeCode types the code of the latest mail to a recipient.
func (s *stage) typeCode(to conversion.Email) {
	s.t.Helper()
	kept := s.relay.keptFor(to.String())
	code, err := conversion.ParseCode(kept[len(kept)-1].code())
	if err != nil {
		s.t.Fatal(err)
	}
	if _, err := s.find(to, code); err != nil {
		s.t.Fatal(err)
	}
}

// I5, D4: certain failures after a doubt change nothing of the mail, for a copy
// may have arrived: same Date, same deadline. After certain failures alone both
// are new.
func TestFailureAfterDoubt(t *testing.T) {
	t.Parallel()
	for name, doubtful := range map[string]bool{"after a doubt": true, "without doubt": false} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t)
			r := s.invite(1)[0]
			if doubtful {
				s.relay.follow(times(1, at("dot", take)))
			} else {
				s.relay.follow(times(1, at("dot", "451 4.3.0 disk full")))
			}
			s.work()
			s.until("the first try is over", `SELECT interruptions + attempts = 1 AND claim IS NULL FROM obligation`)
			s.relay.follow(times(3, at("rcpt", "451 4.2.2 mailbox full")))
			s.until("the start is settled", `SELECT (started_at IS NOT NULL) = $1 FROM request_code`, doubtful)
			first := s.db.Text(t, `SELECT bascule_now()::text`)
			s.elapse("it is mailed", allMailed)
			if !s.holds(`SELECT (started_at < $1::timestamptz) = $2 FROM request_code`, first, doubtful) {
				t.Error("the deadline counts from the wrong try")
			}
			want := 1
			if doubtful {
				want = 2
			}
			if n := len(s.relay.keptFor(r.Contact.String())); n != want {
				t.Errorf("%d copies, want %d", n, want)
			}
		})
	}
}

// I5, I1, R21: no code mail starts after its deadline, however due it is: the
// request expires, and the sweep agrees.
func TestNoMailAfterItsDeadline(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.invite(1)
	s.relay.follow(times(1, at("dot", drop)))
	s.work()
	s.until("the doubt is recorded", `SELECT interruptions = 1 AND claim IS NULL FROM obligation`)
	s.relay.down()
	s.pass(48 * time.Hour)
	s.relay.follow(nil)
	s.relay.up()
	s.elapse("it is expired", `SELECT expired_at IS NOT NULL FROM request`)
	s.until("nothing is left to do", `SELECT count(*) = 0 FROM obligation`)
	if n := len(s.relay.rcpts()); n != 1 {
		t.Errorf("tried %d times, once of them too late", n)
	}
}

// childEnv makes this test binary a worker that somebody else will kill.
const childEnv = "BASCULE_TEST_CHILD"

// TestChild is not a test of its own: it is the worker that TestKilled kills.
func TestChild(t *testing.T) {
	where := strings.Fields(os.Getenv(childEnv))
	if len(where) != 3 {
		return
	}
	w, closeAll := newWorker(t, "child.example", where[0], where[1], where[2], slog.New(slog.NewTextHandler(os.Stdout, nil)))
	defer closeAll()
	fmt.Println("working")
	if err := w.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// I1, I5: a worker is killed (SIGKILL) in the middle of its windows, twice. The
// next ones finish everything, and what the dead ones left in doubt has at most
// the copies that its interruptions explain.
func TestKilled(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	const n = 300
	s.flood(n)
	for range 2 {
		inTheMiddle, killed := s.relay.standAfter(60)
		child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestChild$")
		child.Env = append(os.Environ(), childEnv+"="+s.url+" "+s.redis.URL()+" "+s.relay.URL())
		child.Stdout = s.log
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		s.wait("it is in the middle", inTheMiddle)
		child.Process.Kill()
		child.Wait() // says that it was killed
		killed()
		s.pass(61 * time.Second) // leases end
	}
	if !s.holds(`SELECT count(*) > 0 FROM obligation WHERE claim IS NOT NULL AND started_at IS NOT NULL`) {
		t.Error("the kill left nothing in doubt: it proves nothing")
	}
	s.work()
	s.elapse("all are mailed", allMailed)
	recipients := make(map[string]bool)
	for _, p := range s.relay.kept() {
		recipients[p.to] = true
	}
	if len(recipients) != n {
		t.Errorf("%d of %d subscribers have a mail", len(recipients), n)
	}
}

// I5: a worker stands still for longer than its lease (a laptop's lid, a paused virtual
// machine). It starts nothing more under it. Its started mails count as one
// interruption for the worker that takes over.
func TestLeaseLapses(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.flood(40)
	stopped, resume := make(chan struct{}, 100), make(chan struct{})
	s.relay.follow(func(stage, _, _ string) string {
		if stage == "dot" {
			stopped <- struct{}{}
			<-resume
		}
		return ""
	})
	s.work()
	<-stopped
	s.pass(61 * time.Second)
	s.work()
	close(resume)
	s.elapse("all are mailed", allMailed)
}

// I5: somebody holds the request of a mail that has gone out, as a long import
// does: the other outcomes are recorded meanwhile, those that are known at once and
// those that come later, and that one afterwards. No mail becomes doubtful.
func TestHeldRequest(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	requests := s.invite(4) // one window
	var holder *stdsql.Tx
	var once sync.Once
	goOn := make(chan struct{})
	s.relay.follow(func(stage, to, _ string) string {
		if stage == "dot" && to == requests[3].Contact.String() {
			s.await(goOn)
		}
		if stage == "dot" {
			once.Do(func() {
				var err error
				if holder, err = s.db.Raw.Begin(); err == nil {
					_, err = holder.Exec(`SELECT FROM code WHERE request_id = $1 FOR UPDATE`, requests[0].ID)
				}
				if err != nil {
					t.Error(err)
				}
			})
		}
		return ""
	})
	s.work()
	s.until("two others are mailed", `SELECT count(*) = 2 FROM request_code WHERE mailed_at IS NOT NULL`)
	close(goOn)
	s.until("the third one is, too", `SELECT count(*) = 3 FROM request_code WHERE mailed_at IS NOT NULL`)
	if err := holder.Rollback(); err != nil {
		t.Fatal(err)
	}
	s.until("all are mailed", allMailed)
	if n := len(s.relay.rcpts()); n != 4 || s.holds(`SELECT bool_or(interruptions > 0) FROM obligation`) {
		t.Errorf("the relay was asked %d times for 4 mails: %s", n, s.obligations())
	}
}

// I4, I5: two spaces with one contact have a mail and a code each (D2).
func TestSharedContact(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	const firm = "cabinet@duvallon.example"
	for range 3 {
		s.db.Requested(t, s.keys, sqltest.Invitation{Contact: firm})
	}
	alone := s.invite(1)[0]
	s.work()
	s.until("all are mailed", allMailed)
	codes := make(map[string]bool)
	for _, p := range s.relay.keptFor(firm) {
		codes[p.code()] = true
		if !strings.Contains(p.text(), "3 espaces abonnés ont cette adresse") {
			t.Error("a mail does not say that three spaces share the address")
		}
	}
	if len(codes) != 3 {
		t.Errorf("%d codes for three spaces", len(codes))
	}
	if p := s.relay.keptFor(alone.Contact.String()); len(p) != 1 || strings.Contains(p[0].text(), "ont cette adresse") {
		t.Error("the mail of an address that is not shared says that it is")
	}
}
