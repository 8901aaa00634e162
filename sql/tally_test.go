package sql_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"bascule/internal/conversion"
	"bascule/sql"
	"bascule/sql/sqltest"
)

// tallied is how many rows the tally has.
const tallied = `SELECT count(*) FROM tally`

// Status tells what a count would tell, beside any concurrent work, while the tally is
// folded, and after a rollback.
func TestTallyOfMany(t *testing.T) {
	t.Parallel()
	d := open(t)
	const spaces, hands = 24, 6
	for i := range spaces {
		d.invite(number(i), fmt.Sprintf("a%d@duvallon.example", i))
	}
	var wg sync.WaitGroup
	for h := range hands {
		wg.Go(func() { (&crowd{desk: d, Rand: rand.New(rand.NewPCG(2, uint64(h))), hand: h}).run(spaces) })
	}
	wg.Wait()
	d.tallies(0)
	d.must(d.Fold(d.ctx))
	d.tallies(0)
}

func number(i int) string { return fmt.Sprintf("%07d", i) }

// A crowd is one of those who work on the same spaces at once.
type crowd struct {
	*desk
	*rand.Rand
	hand int
}

func (c *crowd) run(spaces int) {
	for step := range 40 {
		n := number(c.IntN(spaces))
		another := fmt.Sprintf("b%d.%d@duvallon.example", c.hand, step)
		var err error
		switch c.IntN(10) {
		case 0, 1, 2:
			err = c.post()
		case 3:
			_, err = c.Import(c.ctx, c.sheet(row(n, another)), nil)
		case 4:
			_, err = c.opt(n, another)
		case 5:
			err = c.CancelNumber(c.ctx, conversion.SubscriberNumber(n))
		case 6:
			_, err = c.RetryAll(c.ctx, 0, true, c.keys)
		case 7:
			_, err = c.Bounced(c.ctx, c.latest(n), 1, conversion.BounceLate)
		case 8:
			err = c.rollBack(c.latest(n))
		case 9:
			c.Exec(c.t, `
				WITH late AS (
					UPDATE code c SET started_at = c.started_at - (c.expires_at - now.t), expires_at = now.t
					FROM (SELECT bascule_now() AS t) AS now, (
						SELECT request_id, generation FROM code WHERE expires_at > bascule_now() AND void_at IS NULL LIMIT 2 FOR UPDATE SKIP LOCKED) AS few
					WHERE c.request_id = few.request_id AND c.generation = few.generation
					RETURNING c.request_id, c.expires_at
				)
				INSERT INTO deadline (at, requests) SELECT expires_at, ARRAY[request_id] FROM late`)
			if _, err = c.Sweep(c.ctx, 1000); err == nil {
				err = c.Fold(c.ctx)
			}
		}
		if unexpected(err) {
			c.t.Errorf("step %d: %v", step, err)
		}
	}
}

// unexpected tells whether an error says more than that somebody else was faster.
func unexpected(err error) bool {
	var leftOut *sqltest.LeftOutError
	var reserved *conversion.ReservedError
	expected := err == nil || errors.As(err, &leftOut) || errors.As(err, &reserved) || errors.Is(err, sql.ErrBusy) || isLocked(err)
	for _, e := range []error{conversion.ErrNotFound, conversion.ErrAlreadyActivated, conversion.ErrTooManyAddresses, conversion.ErrCodeRefused, conversion.ErrAddressTaken} {
		expected = expected || errors.Is(err, e)
	}
	return !expected
}

// post mails some codes, with luck, and activates one of them.
func (c *crowd) post() error {
	h := c.start(1 + c.IntN(8))
	accepted, refused := h.mails, []sql.Failure{}
	for len(accepted) > 0 && c.IntN(3) == 0 {
		refused = append(refused, sql.Failure{Mail: accepted[0], Refusal: "no", Reply: "550 5.1.1"})
		accepted = accepted[1:]
	}
	if err := errors.Join(c.FinishAccepted(c.ctx, accepted), c.FinishRefused(c.ctx, refused)); err != nil {
		return err
	}
	for _, m := range h.mails {
		if m.Kind == sql.MailCode && m.Copy == 0 && c.IntN(4) == 0 {
			if err := c.activate(c.code(m)); unexpected(err) {
				return err
			}
		}
	}
	return nil
}

// rollBack lets a transaction that ends a request come to nothing.
func (c *crowd) rollBack(request int64) error {
	tx, err := c.Raw.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback()
	_, err = tx.Exec(`UPDATE request SET cancelled_at = bascule_now(), password_hash = NULL, question = NULL, answer_hash = NULL WHERE id = $1 AND request_is_open(request)`, request)
	return err
}

// A statement that ends a request waits for one that says that its mail went out. A
// bounce waits for a statement that ends its request. The first one is counted first.
func TestTallyOfTwoAtOnce(t *testing.T) {
	t.Parallel()
	d := open(t)
	request := d.invite("000001", "a@duvallon.example")
	d.startOf(request)
	d.after(`WITH mailed AS (UPDATE code SET mailed_at = bascule_now() WHERE request_id = $1)
		INSERT INTO audit (at, space_id, request_id, event, actor) SELECT bascule_now(), space_id, id, 'mailed', 'worker' FROM request WHERE id = $1`, request,
		func() error {
			_, err := d.Raw.Exec(`UPDATE request SET expired_at = bascule_now() WHERE id = $1`, request)
			return err
		})
	d.tallies(0)
	request, _ = d.invited("000002", "b@duvallon.example")
	d.after(`UPDATE request SET expired_at = bascule_now() WHERE id = $1`, request, func() error {
		_, err := d.Bounced(d.ctx, request, 1, conversion.BounceLate)
		return err
	})
	d.tallies(0)
}

// after runs f beside a transaction, which it has to wait for.
func (d *desk) after(statement string, request int64, f func() error) {
	d.t.Helper()
	tx, err := d.Raw.Begin()
	d.must(err)
	defer tx.Rollback()
	_, err = tx.Exec(statement, request)
	d.must(err)
	done := make(chan error)
	go func() { done <- f() }()
	for d.count(`SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`) == 0 {
		select {
		case err := <-done:
			d.t.Fatalf("it waits for nobody: %v", err)
		default:
		}
	}
	d.must(tx.Commit())
	d.must(<-done)
}

// I9: a code that was started anew since it was typed is mailed when its form comes.
func TestTallyOfATypedCode(t *testing.T) {
	t.Parallel()
	d := open(t)
	for i, submit := range []func(sql.Submission) error{
		d.switchBy,
		func(s sql.Submission) error {
			s.Email = sqltest.Email(t, "other@duvallon.example")
			_, err := d.ChooseAddress(d.ctx, s)
			return err
		},
	} {
		email := fmt.Sprintf("a%d@duvallon.example", i)
		request := d.invite(number(i), email)
		d.startOf(request)
		d.must(submit(sql.Submission{Request: request, Generation: 1, ID: uuid.NewString(), Email: sqltest.Email(t, email), Credentials: chosenCredentials}))
		if got := d.audit(request); !strings.Contains(got, "mailed by subscriber") {
			t.Errorf("the audit log has %s", got)
		}
		d.tallies(0)
	}
}

// A request that the owner deletes by hand is not counted any more, but its space, its
// batch and its other requests are.
func TestTallyOfWhatIsDeleted(t *testing.T) {
	t.Parallel()
	d := open(t)
	first := d.invite("000001", "a@duvallon.example")
	d.must(d.CancelNumber(d.ctx, "000001"))
	second, p := d.invited("000001", "b@duvallon.example")
	d.must(d.activate(p))
	d.invite("000002", "c@duvallon.example")
	d.invited("000003", "d@duvallon.example")
	d.tallies(0)
	for _, request := range []int64{first, d.latest("000002"), d.latest("000003")} {
		d.Exec(t, `DELETE FROM request WHERE id = $1`, request)
		d.tallies(0)
	}
	if second != d.latest("000001") {
		t.Errorf("request %d is gone", second)
	}
	d.invite("000004", "e@duvallon.example")
	d.must(d.CancelNumber(d.ctx, "000004"))
	_, err := d.RetryNumber(d.ctx, "000004", d.keys)
	d.must(err)
	d.Exec(t, `DELETE FROM request WHERE space_id = (SELECT id FROM space WHERE number = '000004')`)
	d.tallies(0)
}

// A space counts in each batch that knows it, once, however it was switched.
func TestTallyOfSpacesInBatches(t *testing.T) {
	t.Parallel()
	d := open(t)
	sheets := []sql.Import{
		d.sheet(row("000001", "a@duvallon.example"), row("000002", "b@duvallon.example")),
		d.sheet(row("000001", "c@duvallon.example"), row("000003", "d@duvallon.example")),
		d.sheet(row("000001", "a@duvallon.example", holder("Dominique")), row("000002", "e@duvallon.example")),
	}
	for _, again := range []bool{false, true} {
		for _, sheet := range sheets {
			d.run(sheet)
			d.tallies(0)
			if again {
				d.must(d.CancelNumber(d.ctx, "000001"))
				d.tallies(0)
			}
		}
	}
	for _, sheet := range sheets[1:] { // it is open, and moves on
		d.run(sheet)
		d.tallies(0)
	}
	d.must(d.activate(d.mail(d.latest("000001"))))
	d.tallies(0)
	if n := d.count(`SELECT count(DISTINCT batch_id) FROM request r JOIN space s ON s.id = r.space_id WHERE s.number = '000001'`); n < 2 {
		t.Errorf("the space is in %d batches", n)
	}
}

// Mails that wait for the end of an exclusion are not to be sent, until it ends.
func TestTallyOfExcluded(t *testing.T) {
	t.Parallel()
	d := open(t)
	for i := range 3 {
		d.invite(number(i), fmt.Sprintf("a%d@duvallon.example", i))
	}
	waiting := func(want int) {
		t.Helper()
		d.tallies(0)
		if n := d.count(`SELECT count(*) FROM obligation WHERE due_at = 'infinity'`); n != want {
			t.Errorf("%d mails wait without end, want %d", n, want)
		}
	}
	d.exclude("duvallon.example")
	d.start(10)
	waiting(3)
	for _, end := range []time.Duration{time.Hour, 2 * time.Hour} { // in its place
		d.exclude("duvallon.example", time.Now().Add(end))
		waiting(0)
		d.start(10)
	}
	d.exclude(number(0))
	d.must(d.lift("duvallon.example"))
	d.start(10)
	waiting(1)
	d.must(d.lift(number(0)))
	waiting(0)
	d.exclude(number(0))
	d.start(10)
	waiting(1)
	d.must(d.CancelNumber(d.ctx, conversion.SubscriberNumber(number(0))))
	_, err := d.CleanUp(d.ctx, 100)
	d.must(err)
	waiting(0)
}

// recount() counts the changes that the owner made by hand. The pace and the signals that
// stop a campaign stay (D15).
func TestRecount(t *testing.T) {
	t.Parallel()
	d := open(t)
	for i := range 4 {
		d.invited(number(i), fmt.Sprintf("a%d@duvallon.example", i))
	}
	d.must(d.activate(d.mail(d.invite("000005", "c@duvallon.example"))))
	request := d.invite("000006", "b@duvallon.example")
	d.Exec(t, `UPDATE code SET started_at = bascule_now(), expires_at = bascule_now() + interval '1 day', mailed_at = bascule_now() WHERE request_id = $1`, request)
	d.Exec(t, `ALTER TABLE obligation DISABLE TRIGGER USER; DELETE FROM obligation WHERE lane = 'bulk'; ALTER TABLE obligation ENABLE TRIGGER USER`)
	if s, err := d.Status(d.ctx, 0); err != nil || s.Mailed != 4 || s.ToSend != 1 {
		t.Errorf("status is %+v, %v; it follows what is done by hand", s, err)
	}
	signals, err := d.Signals(d.ctx)
	d.must(err)
	d.Exec(t, `SELECT recount()`)
	d.tallies(0)
	if now, err := d.Signals(d.ctx); err != nil || len(now) == 0 || !slices.Equal(now, signals) {
		t.Errorf("the signals are %v, %v, and were %v", now, err, signals)
	}
	if s, err := d.Status(d.ctx, 0); err != nil || s.LastMinute == 0 {
		t.Errorf("status is %+v, %v; mails went out in the last minute", s, err)
	}
}

// A fold leaves one row for each batch, and of the mails of the last minute one
// for each second.
func TestFold(t *testing.T) {
	t.Parallel()
	d := open(t)
	for i := range 5 {
		d.invited(number(i), fmt.Sprintf("a%d@duvallon.example", i))
	}
	lastMinute := func(want int) {
		t.Helper()
		s, err := d.Status(d.ctx, 0)
		d.must(err)
		if s.LastMinute != want {
			t.Errorf("%d mails in the last minute, want %d", s.LastMinute, want)
		}
	}
	lastMinute(5)
	d.must(d.Fold(d.ctx))
	lastMinute(5)
	d.Shift(t, time.Minute+time.Second)
	lastMinute(0)
	lock, err := d.Raw.Begin()
	d.must(err)
	defer lock.Rollback()
	_, err = lock.Exec(`SELECT pg_advisory_xact_lock(-4)`)
	d.must(err)
	before := d.count(tallied)
	d.must(d.Fold(d.ctx))
	if n := d.count(tallied); n != before {
		t.Errorf("%d rows beside somebody else's fold, want %d", n, before)
	}
	d.must(lock.Rollback())
	d.must(d.Fold(d.ctx))
	lastMinute(0)
	d.tallies(0)
	rows := d.Text(t, `SELECT string_agg(t::text || xmin, E'\n' ORDER BY batch_id) FROM tally t`)
	if n := d.count(tallied); n != 21 {
		t.Errorf("%d rows, want four for each batch, whose campaign has started and mailed something, and one for none:\n%s", n, rows)
	}
	d.must(d.Fold(d.ctx))
	if again := d.Text(t, `SELECT string_agg(t::text || xmin, E'\n' ORDER BY batch_id) FROM tally t`); again != rows {
		t.Errorf("folded for nothing:\n%s\n%s", rows, again)
	}
}

// D11: an expired request was not delivered while its bounce says that the code was
// late. The bounce may come before the expiry or after. A graver one ends that.
func TestTallyOfLateCodes(t *testing.T) {
	t.Parallel()
	d := open(t)
	before, _ := d.invited("000001", "a@duvallon.example")
	after, _ := d.invited("000002", "b@duvallon.example")
	bounce := func(request int64, class conversion.Bounce) {
		t.Helper()
		_, err := d.Bounced(d.ctx, request, 1, class)
		d.must(err)
	}
	notDelivered := func(want int) {
		t.Helper()
		d.tallies(0)
		s, err := d.Status(d.ctx, 0)
		d.must(err)
		if s.NotDelivered != want {
			t.Errorf("%d were not delivered, want %d", s.NotDelivered, want)
		}
	}
	bounce(before, conversion.BounceLate)
	notDelivered(0)
	d.Overdue(t, before)
	notDelivered(1)
	held, err := d.Raw.Begin()
	d.must(err)
	defer held.Rollback()
	_, err = held.Exec(`SELECT FROM request WHERE id = $1 FOR UPDATE`, before)
	d.must(err)
	d.Overdue(t, after)
	swept, err := d.Sweep(d.ctx, 10)
	d.must(err)
	if swept.Done != 1 {
		t.Errorf("%d were swept, want the one that nobody holds", swept.Done)
	}
	notDelivered(1)
	d.must(held.Rollback())
	d.Exec(t, `SELECT expire_requests(ARRAY[$1::bigint], bascule_now(), 'worker')`, before)
	notDelivered(1)
	bounce(after, conversion.BounceLate)
	notDelivered(2)
	bounce(after, conversion.BounceGone)
	notDelivered(1)
	d.Exec(t, `SELECT recount()`)
	notDelivered(1)
}
