package jobs_test

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"bascule/jobs"
	"bascule/queue"
	"bascule/sql"
	"bascule/sql/sqltest"
)

const breakerOpen = `SELECT opened_at IS NOT NULL FROM breaker`

// D11, D4, I1: every refusal of us opens the breaker, gives the attempt back and erases
// the deadline. Once the relay is back, everybody is mailed within three minutes, with
// a full deadline.
func TestRefusalsOfUs(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.work()
	for _, c := range []struct{ stage, answer string }{
		{"connect", "421 4.3.2 too busy"},
		{"connect", "554 5.7.1 go away"},
		{"ehlo", "550 5.7.1 you lie"},
		{"auth", "535 5.7.8 wrong password"},
		{"mail", "451 4.3.0 not now"},
		{"mail", "550 5.1.8 your domain is unknown"},
		{"rcpt", "421 4.7.0 closing"},
		{"rcpt", "530 5.7.0 authenticate first"},
		{"data", "421 4.3.2 closing"},
		{"dot", "421 4.3.2 closing"},
		{"dot", "535 5.7.0 expired"},
	} {
		t.Run(c.stage+" "+c.answer, func(t *testing.T) {
			s.t = t
			s.relay.follow(at(c.stage, c.answer))
			s.relay.hangUp() // no connection of the case before
			s.invite(3)
			s.until("the breaker is open", breakerOpen)
			s.quiet()
			if !s.holds(`SELECT bool_and(attempts = 0 AND interruptions = 0) AND count(*) = 3 FROM obligation WHERE lane = 'bulk'`) {
				t.Errorf("attempts are not given back: %s", s.obligations())
			}
			if !s.holds(`SELECT bool_and(started_at IS NULL AND expires_at IS NULL) FROM request_code WHERE mailed_at IS NULL`) {
				t.Error("a deadline counts that no mail states")
			}
			s.relay.follow(nil)
			s.mailedSoon()
		})
	}
	s.t = t
}

// mailedSoon proves I1: within three minutes everything is mailed, each with a full deadline.
func (s *stage) mailedSoon() {
	s.t.Helper()
	before := s.ahead
	back := s.db.Text(s.t, `SELECT bascule_now()::text`)
	s.elapse("all are mailed", allMailed)
	if took := s.ahead - before; took > 3*time.Minute {
		s.t.Errorf("all are mailed %s after the relay is back", took)
	}
	if !s.holds(`SELECT bool_and(expires_at - started_at = interval '48 hours') FROM request_code`) {
		s.t.Error("a deadline is not 48 hours after its start")
	}
	if s.holds(`SELECT count(*) > 0 FROM request_code r JOIN audit a ON a.request_id = r.id AND a.event = 'mailed' AND a.at > $1::timestamptz
		JOIN obligation o ON o.request_id = r.id AND o.interruptions = 0 WHERE r.started_at < $1::timestamptz`, back) {
		s.t.Error("the deadline of a mail counts from before it could go out")
	}
}

// D11, I1: an outage of half a week costs the subscribers nothing: no attempt, no
// minute of their 48 hours, no mail.
func TestLongOutage(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.relay.down()
	s.invite(20)
	s.work()
	s.until("the breaker is open", breakerOpen)
	s.quiet()
	for range 3 {
		failed := s.told("the relay refuses us")
		s.pass(28 * time.Hour)
		s.wait("a probe failed", func() bool { return s.told("the relay refuses us") > failed })
	}
	s.quiet()
	if !s.holds(`SELECT bool_and(attempts = 0) AND count(*) = 20 FROM obligation`) {
		t.Errorf("the outage counts against the addresses: %s", s.obligations())
	}
	s.relay.up()
	s.mailedSoon()
}

// D11: a recipient refused for good is undeliverable at once, at RCPT and at the dot,
// and never tried again. The relay's code and words are kept without the address.
func TestRefusedPerson(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	r := s.invite(4)
	atRcpt, atDot := r[0].Contact.String(), r[2].Contact.String()
	s.relay.follow(func(stage, to, _ string) string {
		switch {
		case stage == "rcpt" && to == atRcpt:
			return "550 5.1.1 <" + to + "> unknown"
		case stage == "dot" && to == atDot:
			return "550 5.2.1 the mailbox of " + to + " is closed"
		}
		return ""
	})
	s.work()
	s.until("nothing is due", `NOT EXISTS (SELECT FROM obligation)`)
	if got := s.db.Text(t, `SELECT string_agg(request_state(r, bascule_now()) || ' ' || refusal, '; ' ORDER BY id) FROM request_code r`); got !=
		"undeliverable 550 5.1.1 [e-mail] unknown; mailed ; undeliverable 550 5.2.1 the mailbox of [e-mail] is closed; mailed " {
		t.Errorf("states are %q", got)
	}
	if got := s.db.Text(t, `SELECT string_agg(why, '; ' ORDER BY request_id) FROM audit WHERE event = 'undeliverable'`); got != "550 5.1.1; 550 5.2.1" {
		t.Errorf("the audit log says %q", got)
	}
	if n := len(s.relay.rcpts()); n != 4 {
		t.Errorf("the relay was asked %d times for 4 mails", n)
	}
}

// D11: relays adorn their status codes: eight dead addresses are eight
// undeliverable requests, and stop nobody's mail.
func TestRefusedPersonWithOrnaments(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	answers := []string{
		"550 #5.1.0 Address rejected.", "550 5.1.1: Recipient address rejected", "550 (5.1.1) no such user", "550 [5.1.1] unknown",
		"550 <5.1.1> unknown", "550 5.1.1, unknown", "550-sorry\r\n550 #5.1.10 unknown", "550-5.0.0 sorry\r\n550-5.1.1 unknown\r\n550 5.2.1 closed",
	}
	of := make(map[string]string)
	for i, r := range s.invite(len(answers)) {
		of[r.Contact.String()] = answers[i]
	}
	s.relay.follow(func(stage, to, _ string) string {
		if stage == "rcpt" {
			return of[to]
		}
		return ""
	})
	s.work()
	s.until("all are undeliverable", `SELECT count(*) = $1 FROM request WHERE undeliverable_at IS NOT NULL`, len(answers))
	if n := s.openings(); n != 0 {
		t.Errorf("dead addresses opened the breaker %d times", n)
	}
}

// D11: a mailbox that is full is no reason to give a person up: the mail goes out
// once it is emptied.
func TestFullMailbox(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.invite(2)
	var asked atomic.Int64
	s.relay.follow(func(stage, _, _ string) string {
		if (stage == "rcpt" || stage == "dot") && asked.Add(1) <= 3 {
			return "552 5.2.2 Over quota"
		}
		return ""
	})
	s.work()
	s.elapse("both are mailed", allMailed)
	if slices.Contains(s.states(), "undeliverable") || s.openings() != 0 {
		t.Errorf("states are %q after full mailboxes, the breaker opened %d times", s.states(), s.openings())
	}
}

// D11: one unclear refusal only makes its own row wait; five recipients in a row
// open the breaker and have their attempts back.
func TestUnclearRefusals(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	r := s.invite(4)
	s.relay.follow(refusing("550 5.7.1 no, thanks", r[1].Contact.String()))
	s.work()
	s.until("the others are mailed", `SELECT count(*) = 3 FROM request_code WHERE mailed_at IS NOT NULL`)
	s.until("the refusal is recorded", `SELECT attempts = 1 AND due_at - bascule_now() BETWEEN interval '50 seconds' AND interval '60 seconds'
		FROM obligation WHERE lane = 'bulk'`)
	if s.holds(breakerOpen) {
		t.Fatal("one unclear refusal opened the breaker")
	}
	s.relay.follow(nil)
	s.elapse("all are mailed", allMailed)

	s.relay.follow(at("rcpt", "550 rejected by policy"))
	s.invite(9)
	s.until("the breaker is open", breakerOpen)
	s.quiet()
	if !s.holds(`SELECT count(*) >= 5 FROM obligation WHERE blame = 'excused' AND attempts = 0`) {
		t.Errorf("the five have not got their attempts back: %s", s.obligations())
	}
	s.relay.follow(nil)
	s.mailedSoon()
}

// D11, D4: windows under way end before the breaker opens: a relay that blocks us is asked no
// more. The mails that it was not asked about have no deadline, and no part in it.
func TestOpenBreakerEndsWindows(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.invite(12) // a window of four, then one of eight
	s.relay.follow(at("rcpt", "550 rejected by policy"))
	s.work(func(w *jobs.Worker) { w.Slots = queue.Slots{Interactive: 1, Batch: 1} })
	s.until("the breaker is open", breakerOpen)
	s.quiet()
	if !s.holds(`SELECT count(*) FILTER (WHERE blame = 'excused') = $1 AND count(*) = 12 AND bool_and(attempts = 0) FROM obligation`, sql.UnclearLimit) {
		t.Errorf("more mails were refused than open the breaker: %s", s.obligations())
	}
	if !s.holds(`SELECT bool_and(started_at IS NULL) FROM request_code`) {
		t.Error("a deadline counts that no mail states")
	}
	s.relay.follow(nil)
	s.mailedSoon()
}

// D11: what opened the breaker may be mended while mails fail in another way. The
// operator is told what the latest probe met.
func TestReasonIsTheLatest(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.relay.follow(at("auth", "535 5.7.8 wrong password"))
	s.invite(9)
	s.work()
	s.until("the breaker is open", breakerOpen)
	s.quiet()
	s.relay.follow(at("rcpt", "550 rejected by policy"))
	s.elapse("the reason is the latest", `SELECT opened_at IS NOT NULL AND reason LIKE 'unclear at rcpt 550%' FROM breaker`)
	s.relay.follow(at("dot", drop))
	s.elapse("the reason is the latest", `SELECT opened_at IS NOT NULL AND reason LIKE 'in_doubt at dot%' FROM breaker`)
	s.wait("the log tells it", func() bool { return s.told("in_doubt at dot") > 0 })
}

// D11: "distinct recipients": an accounting firm whose server refuses its own
// thirty spaces stops nobody else's mail.
func TestUnclearRefusalsOfOneRecipient(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	const firm = "cabinet@duvallon.example"
	for range 30 {
		s.db.Requested(t, s.keys, inviting(firm))
	}
	s.relay.follow(refusing("550 5.7.1 no, thanks", firm))
	s.work()
	s.until("all were refused", `SELECT count(*) = 30 FROM obligation WHERE attempts = 1 AND claim IS NULL`)
	if s.holds(breakerOpen) {
		t.Error("one recipient opened the breaker")
	}
}

// D11: "in a row": refusals among mails that the relay takes are not its fault.
func TestUnclearRefusalsAmongSuccesses(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	var refused []string
	for i, r := range s.invite(60) {
		if i%3 == 1 {
			refused = append(refused, r.Contact.String())
		}
	}
	s.relay.follow(refusing("550 5.7.1 no, thanks", refused...))
	s.work(func(w *jobs.Worker) { w.Slots = queue.Slots{Interactive: 1, Batch: 1} })
	s.until("the others are mailed", `SELECT count(*) = 40 FROM request_code WHERE mailed_at IS NOT NULL`)
	s.until("the rest waits", `SELECT count(*) = 20 FROM obligation WHERE attempts = 1 AND claim IS NULL`)
	if s.holds(`SELECT opened_at IS NOT NULL FROM breaker`) {
		t.Error("refusals that are not in a row opened the breaker")
	}
}

// noSuchUser is what a relay without enhanced codes says of a bad address: it is
// not clear that it means the address.
const noSuchUser = "550 No such user"

// contacts are the addresses that requests are mailed to.
func contacts(requests []sqltest.Request) []string {
	list := make([]string, len(requests))
	for i, r := range requests {
		list[i] = r.Contact.String()
	}
	return list
}

// openings is how often the breaker has opened so far.
func (s *stage) openings() int {
	s.t.Helper()
	var n int
	if err := s.db.Raw.QueryRow(`SELECT count(*) FROM breaker_opening`).Scan(&n); err != nil {
		s.t.Fatal(err)
	}
	return n
}

// opensMoreThan waits for that many openings and one more: whether the breaker is
// open would also tell of one that is about to close.
const opensMoreThan = `SELECT count(*) > $1 FROM breaker_opening`

// D11: once another mail got through, addresses that opened the breaker are to
// blame for themselves: they wait for their own schedule, and stop nobody's mail
// any more. Fresh ones may open it again.
func TestBadAddressesAreToBlame(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	bad := s.invite(12) // the first windows: four, and eight
	good := s.invite(8)
	s.relay.follow(refusing(noSuchUser, contacts(bad)...))
	s.work(func(w *jobs.Worker) { w.Slots = queue.Slots{Interactive: 1, Batch: 1} })
	s.elapse("the good ones are mailed", `SELECT count(*) = 8 FROM request_code WHERE mailed_at IS NOT NULL AND id >= $1`, good[0].ID)
	for i := range 4 {
		s.elapse("each bad one is refused once more", `SELECT count(*) = 12 FROM obligation WHERE attempts > $1`, i)
		waits := s.invite(1)[0]
		s.db.Exec(t, `UPDATE obligation SET lane = 'interactive' WHERE request_id = $1 AND lane = 'bulk'`, waits.ID)
		s.until("somebody who waits is mailed, without any time passing", `SELECT mailed_at IS NOT NULL FROM request_code WHERE id = $1`, waits.ID)
	}
	if n := s.openings(); n < 1 || n > 2 {
		t.Errorf("the breaker opened %d times for 12 bad addresses", n)
	}
	before := s.openings()
	s.relay.follow(at("rcpt", noSuchUser))
	s.invite(5)
	s.until("five fresh ones open it", opensMoreThan, before)
	s.relay.follow(nil)
	s.elapse("all are mailed", allMailed)
	s.relay.follow(at("rcpt", noSuchUser))
	s.invite(5)
	s.until("five more open it", opensMoreThan, before+1)
	s.relay.follow(nil)
	s.elapse("all are mailed again", allMailed)
}

// D11: a mail refused while the breaker is open, in a window under way or as a probe,
// is a suspect too. The breaker does not open again for every five bad addresses.
func TestManyBadAddresses(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	bad := s.invite(30)
	good := s.invite(1)[0]
	s.relay.follow(refusing(noSuchUser, contacts(bad)...))
	s.work()
	s.elapse("the good one is mailed", `SELECT mailed_at IS NOT NULL FROM request_code WHERE id = $1`, good.ID)
	s.elapse("each bad one is refused more than once", `SELECT count(*) = 30 FROM obligation WHERE attempts > 1`)
	if n := s.openings(); n > 2 {
		t.Errorf("the breaker opened %d times for 30 bad addresses", n)
	}
}

// D11: the blame is the recipient's: another space of one that is to blame does
// not open the breaker either.
func TestBlameIsOfTheRecipient(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	bad := contacts(s.invite(6))
	s.relay.follow(refusing(noSuchUser, bad...))
	s.work(func(w *jobs.Worker) { w.Slots = queue.Slots{Interactive: 1, Batch: 1} })
	s.until("the breaker is open", breakerOpen)
	s.quiet()
	s.invite(1)
	s.elapse("another mail closes it", `SELECT opened_at IS NULL FROM breaker`)
	for _, contact := range bad {
		s.db.Requested(t, s.keys, inviting(contact))
	}
	s.elapse("all were refused", `SELECT count(*) = 12 FROM obligation WHERE attempts > 0 AND claim IS NULL`)
	if n := s.openings(); n != 1 {
		t.Errorf("the breaker opened %d times for 6 bad addresses", n)
	}
}

// D11: while the breaker is open and nothing else is due, those that opened it
// probe. Once one of them gets through, the others are to blame for themselves:
// they have had their attempts back, and do not open it again.
func TestProbeOfThoseThatOpenedIt(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.relay.follow(at("rcpt", noSuchUser))
	s.invite(6)
	s.work(func(w *jobs.Worker) { w.Slots = queue.Slots{Interactive: 1, Batch: 1} })
	s.until("the breaker is open", breakerOpen)
	s.quiet()
	var asked atomic.Int64
	s.relay.follow(func(stage, _, _ string) string {
		if stage == "rcpt" && asked.Add(1) > 1 {
			return noSuchUser
		}
		return ""
	})
	s.elapse("one of them is mailed, the others have an attempt", `SELECT count(*) FILTER (WHERE attempts = 2) = 5 FROM obligation`)
	if s.openings() != 1 || s.holds(breakerOpen) {
		t.Errorf("the breaker opened %d times", s.openings())
	}
	s.relay.follow(nil)
	s.elapse("all are mailed", allMailed)
}

// D11: five bad addresses are left at the end of a campaign, and nothing else is
// due. They open the breaker once and get their attempts back once; then they
// follow their schedule, the breaker being closed, until they are given up.
func TestTailOfBadAddresses(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	bad := s.invite(5)
	s.relay.follow(refusing(noSuchUser, contacts(bad)...))
	s.work()
	s.until("the breaker is open", breakerOpen)
	s.elapse("the breaker is closed", `SELECT opened_at IS NULL FROM breaker`)
	for i, minutes := range []int{1, 5, 15, 30, 60, 60, 60} {
		s.elapse(fmt.Sprintf("each has attempt %d", i+1), `SELECT count(*) = 5 FROM obligation WHERE attempts > $1`, i)
		if !s.holds(`SELECT bool_and(due_at - bascule_now() <= make_interval(mins => $1)) FROM obligation WHERE attempts = $2`, minutes, i+1) {
			t.Errorf("after attempt %d they do not wait %d minutes: %s", i+1, minutes, s.obligations())
		}
	}
	if n := len(s.relay.rcpts()); n != 5*8 {
		t.Errorf("the relay was asked %d times, want once and then seven times for each", n)
	}
	if s.openings() != 1 || s.holds(breakerOpen) {
		t.Errorf("the breaker opened %d times for five bad addresses, reason %q", s.openings(), s.db.Text(t, `SELECT reason FROM breaker`))
	}
	s.db.Exec(t, `UPDATE obligation SET attempts = 124`)
	s.elapse("they are given up", `SELECT count(*) = 5 FROM request WHERE undeliverable_at IS NOT NULL`)
}

// D11: fewer than five bad addresses never open the breaker, however often they
// are refused in a row; a fifth one does.
func TestInARowOverTime(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.relay.follow(at("rcpt", noSuchUser))
	s.invite(4)
	s.work()
	s.elapse("four are refused three times", `SELECT count(*) = 4 FROM obligation WHERE attempts >= 3 AND claim IS NULL`)
	if n := s.openings(); n != 0 {
		t.Errorf("four recipients opened the breaker %d times", n)
	}
	s.invite(1)
	s.until("a fifth opens it", breakerOpen)
}

// D11: a mail at which the relay breaks off, again and again, waits like one that
// is refused for now, and stops nobody's mail. In the end its address is given up.
func TestBrokenOffMail(t *testing.T) {
	t.Parallel()
	for _, stage := range []string{"rcpt", "data"} {
		t.Run(stage, func(t *testing.T) {
			s := newStage(t)
			poison := s.invite(1)[0]
			s.relay.follow(func(at, to, _ string) string {
				if at == stage && to == poison.Contact.String() {
					return drop
				}
				return ""
			})
			s.work()
			for i, minutes := range []int{1, 5, 15, 30, 60, 60} {
				s.elapse(fmt.Sprintf("try %d", i+1), `SELECT attempts = $2 AND claim IS NULL FROM obligation WHERE request_id = $1`, poison.ID, i+1)
				wait := s.db.Text(t, `SELECT ceil(extract(epoch FROM due_at - bascule_now()) / 60)::text FROM obligation WHERE request_id = $1`, poison.ID)
				if wait != fmt.Sprint(minutes) {
					t.Errorf("after try %d the mail waits %s minutes, want %d", i+1, wait, minutes)
				}
				good := s.invite(1)[0]
				s.until("another one is mailed meanwhile", `SELECT mailed_at IS NOT NULL FROM request_code WHERE id = $1`, good.ID)
			}
			if n := s.openings(); n != 0 {
				t.Errorf("one mail opened the breaker %d times", n)
			}
			s.db.Exec(t, `UPDATE obligation SET attempts = 124 WHERE request_id = $1`, poison.ID)
			s.elapse("the address is given up", `SELECT undeliverable_at IS NOT NULL FROM request WHERE id = $1`, poison.ID)
			if got := s.db.Text(t, `SELECT r.refusal || '; ' || a.why FROM request_code r JOIN audit a ON a.request_id = r.id AND a.event = 'undeliverable'`); got !=
				"no answer at "+stage+"; no answer at "+stage {
				t.Errorf("the reason is %q", got)
			}
		})
	}
}

// D11: a mail that breaks off just before the relay turns out to be down gets its
// attempt back.
func TestBrokenOffByAnOutage(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.invite(1)
	s.relay.follow(at("rcpt", drop))
	s.work()
	s.until("one is broken off", `SELECT attempts = 1 FROM obligation`)
	s.relay.follow(at("connect", "421 4.3.2 closing"))
	s.invite(1)
	s.until("the breaker is open", breakerOpen)
	s.until("the attempt is given back", `SELECT bool_and(attempts = 0 AND claim IS NULL) FROM obligation`)
	s.relay.follow(nil)
	s.mailedSoon()
}

// D11: a mail that the relay answers by refusing us opens the breaker once. When
// others got through, it waits for its schedule instead of stopping them again.
func TestPoisonedMail(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	poison := s.invite(1)[0]
	s.relay.follow(refusing("421 4.3.0 this one ends me", poison.Contact.String()))
	s.work(func(w *jobs.Worker) { w.Slots = queue.Slots{Interactive: 1, Batch: 1} })
	s.until("the breaker is open", breakerOpen)
	s.invite(3)
	s.elapse("the others are mailed, the mail has two attempts", `SELECT count(*) FILTER (WHERE r.mailed_at IS NOT NULL) = 3 AND max(o.attempts) = 2
		FROM request_code r LEFT JOIN obligation o ON o.request_id = r.id`)
	if n := s.openings(); n != 1 {
		t.Errorf("one mail opened the breaker %d times", n)
	}
}

// D11: the probe looks in both lanes for another mail than the suspects, first among
// the interactive ones, and takes the one due for longest.
func TestProbeLooksInBothLanes(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	bad := s.invite(6)
	s.relay.follow(refusing(noSuchUser, contacts(bad)...))
	s.work(func(w *jobs.Worker) { w.Slots = queue.Slots{Interactive: 1, Batch: 1} })
	s.until("the breaker is open", breakerOpen)
	s.quiet()
	two := s.invite(2)
	waits := two[1]
	s.db.Exec(t, `UPDATE obligation SET lane = 'interactive' WHERE request_id = $1`, two[0].ID)
	s.db.Exec(t, `UPDATE obligation SET lane = 'interactive', due_at = due_at - interval '1 minute' WHERE request_id = $1`, waits.ID)
	asked := len(s.relay.rcpts())
	s.pass(sql.ProbeEvery) // for one probe
	s.until("the breaker closes", `SELECT opened_at IS NULL FROM breaker`)
	if rcpts := s.relay.rcpts(); rcpts[asked] != waits.Contact.String() {
		t.Error("the probe took another one first")
	}
}

// D11: while the breaker is open nobody claims a mail but for the probe, which
// would not see it and would take a suspect instead.
func TestOpenBreakerLeavesMailsToProbe(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	w, closeAll := newWorker(t, "idle.example", s.url, s.redis.URL(), s.relay.URL(), slog.New(slog.NewTextHandler(s.log, nil)))
	defer closeAll()
	if err := w.DB.OpenBreaker(t.Context(), "421 too busy", []int64{}); err != nil {
		t.Fatal(err)
	}
	s.invite(3)
	s.db.Exec(t, `CREATE TABLE claimed ()`)
	s.db.Exec(t, `CREATE FUNCTION count_claim() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS
		$$ BEGIN INSERT INTO claimed DEFAULT VALUES; RETURN NULL; END $$`)
	s.db.Exec(t, `CREATE TRIGGER count_claim AFTER UPDATE OF claim ON obligation FOR EACH ROW
		WHEN (NEW.claim IS NOT NULL) EXECUTE FUNCTION count_claim()`)
	claims := func() string {
		if err := w.Mailer.Run(t.Context(), sql.LaneBulk); err != nil {
			t.Fatal(err)
		}
		return s.db.Text(t, `SELECT count(*)::text FROM claimed`)
	}
	if n := claims(); n != "0" {
		t.Errorf("%s claims before the probe is due", n)
	}
	s.pass(sql.ProbeEvery)
	if n := claims(); n != "1" {
		t.Errorf("%s claims for one probe", n)
	}
}

// D11: a refusal for now is tried again after 1, 5, 15, 30, 60 minutes, then
// hourly; after five days the address is undeliverable.
func TestRefusedForNow(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	r := s.invite(1)[0]
	s.relay.follow(at("rcpt", "451 4.2.2 mailbox full"))
	s.work()
	for i, minutes := range []int{1, 5, 15, 30, 60, 60, 60} {
		s.elapse(fmt.Sprintf("refusal %d", i+1), `SELECT attempts = $1 AND claim IS NULL FROM obligation`, i+1)
		wait := s.db.Text(t, `SELECT round(extract(epoch FROM due_at - bascule_now()) / 60)::text FROM obligation`)
		if wait != fmt.Sprint(minutes) {
			t.Errorf("after refusal %d the mail waits %s minutes, want %d", i+1, wait, minutes)
		}
	}
	if s.holds(breakerOpen) {
		t.Error("a refusal for now opened the breaker")
	}
	s.db.Exec(t, `UPDATE obligation SET attempts = 123`)
	s.elapse("the last but one refusal", `SELECT attempts = 124 FROM obligation`)
	s.elapse("the address is given up", `SELECT undeliverable_at IS NOT NULL FROM request WHERE id = $1`, r.ID)
}

// D11: a half-open breaker tries another mail than the one that opened it, and
// tries again while the relay is down.
func TestProbeTakesAnotherMail(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	poison := s.invite(1)[0]
	s.relay.follow(refusing("421 4.3.0 this one ends me", poison.Contact.String()))
	s.work(func(w *jobs.Worker) { w.Slots = queue.Slots{Interactive: 1, Batch: 1} })
	s.until("the breaker is open", breakerOpen)
	s.quiet()
	good := s.invite(3)
	asked := len(s.relay.rcpts())
	s.pass(sql.ProbeEvery) // for one probe
	s.until("the breaker closes", `SELECT opened_at IS NULL FROM breaker`)
	if rcpts := s.relay.rcpts(); len(rcpts) <= asked || rcpts[asked] != good[0].Contact.String() {
		t.Errorf("the probe took the mail that had opened the breaker")
	}
	s.elapse("the good ones are mailed", `SELECT count(*) = 3 FROM request_code WHERE mailed_at IS NOT NULL`)
	if slices.Contains(s.states(), "undeliverable") {
		t.Errorf("states are %q", s.states())
	}
	s.relay.follow(nil)
	s.mailedSoon()
}

func (s *stage) states() []string {
	return strings.Split(s.db.Text(s.t, `SELECT string_agg(request_state(r, bascule_now()), ' ' ORDER BY id) FROM request_code r`), " ")
}

// I1, D11: a relay that takes connections and breaks off every mail is not
// hammered with the batch: the breaker opens, and closes once it behaves.
func TestRelayBreaksOff(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	for _, stage := range []string{"data", "dot"} {
		s.flood(400)
		dials := s.relay.dials()
		s.relay.follow(at(stage, drop))
		stop := s.work()
		s.until("the breaker is open", breakerOpen)
		s.quiet()
		if n := s.relay.dials() - dials; n > 40 {
			t.Errorf("broken off at %s: %d connections for a relay that takes none of 400 mails", stage, n)
		}
		s.relay.follow(nil)
		s.mailedSoon()
		stop()
	}
	if s.holds(`SELECT bool_or(in_doubt) FROM request_code`) {
		t.Error("a broken relay made mails doubtful for good")
	}
}

// I1: a batch that became void does not stand in the way of what follows it.
func TestVoidMailsAreNoObstacle(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.flood(2000)
	s.db.Exec(t, `UPDATE code SET void_at = bascule_now(); UPDATE request SET cancelled_at = bascule_now()`)
	last := s.invite(1)[0]
	s.work(func(w *jobs.Worker) { w.Slots = queue.Slots{Interactive: 1, Batch: 1} })
	s.until("the last one is mailed", `SELECT mailed_at IS NOT NULL FROM request_code WHERE id = $1`, last.ID)
	if n := len(s.relay.rcpts()); n != 1 {
		t.Errorf("%d mails went out, want one", n)
	}
}

// I1: a mail whose key is missing holds no other one up, and stays due.
func TestMailsThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.invite(20)
	s.db.Exec(t, `ALTER TABLE code DISABLE TRIGGER code_is_fixed; UPDATE code SET key_id = 'lost'; ALTER TABLE code ENABLE TRIGGER code_is_fixed`)
	good := s.invite(1)[0]
	s.work(func(w *jobs.Worker) { w.Slots = queue.Slots{Interactive: 1, Batch: 1} })
	s.until("the good one is mailed", `SELECT mailed_at IS NOT NULL FROM request_code WHERE id = $1`, good.ID)
	if !s.holds(`SELECT count(*) = 20 FROM obligation WHERE lane = 'bulk'`) {
		t.Error("a mail that cannot be written is no longer due")
	}
	if n := strings.Count(s.log.String(), "cannot write mails"); n > 5 {
		t.Errorf("the log says so %d times", n)
	}
}
