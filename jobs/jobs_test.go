package jobs_test

import (
	"context"
	stdsql "database/sql"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime/quotedprintable"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"bascule/internal/conversion"
	"bascule/internal/devenv"
	"bascule/internal/devenv/devtest"
	"bascule/internal/mail"
	"bascule/internal/smtp"
	"bascule/jobs"
	"bascule/queue"
	"bascule/sql"
	"bascule/sql/sqltest"
)

func TestMain(m *testing.M) { devtest.Main(m) }

// A stage is everything around a worker, real: PostgreSQL, Redis, SMTP. When the
// test ends, it proves what must hold after every fault.
type stage struct {
	t     *testing.T
	db    *sqltest.DB
	url   string // where workers log in, with the rights of the application alone
	keys  *conversion.Keyring
	redis *devenv.RedisServer
	relay *relay
	log   *devtest.Log
	ahead time.Duration // of the database's clock
	count int           // workers so far
}

// ourselves names the connections of the test, which no fault breaks.
const ourselves = "test"

func newStage(t *testing.T) *stage {
	t.Helper()
	s := &stage{t: t, db: sqltest.Open(t), keys: sqltest.Keys(t), redis: devtest.Redis(t), relay: newRelay(t), log: &devtest.Log{}}
	s.url = sqltest.As(t, s.db.URL, sqltest.Application)
	s.db.Raw.Close()
	raw, err := stdsql.Open("postgres", withParameter(t, s.db.URL, "application_name", ourselves))
	if err != nil {
		t.Fatal(err)
	}
	s.db.Raw = raw
	s.db.Exec(t, countOpenings)
	t.Cleanup(func() {
		s.proveMails()
		s.proveSecrecy()
		raw.Close()
	})
	return s
}

// countOpenings lets the database count how often the breaker opens, in the very
// transactions that open it.
const countOpenings = `
	CREATE TABLE breaker_opening ();
	CREATE FUNCTION count_opening() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS
		$$ BEGIN INSERT INTO breaker_opening DEFAULT VALUES; RETURN NULL; END $$;
	CREATE TRIGGER count_opening AFTER UPDATE ON breaker FOR EACH ROW
		WHEN (OLD.opened_at IS NULL AND NEW.opened_at IS NOT NULL) EXECUTE FUNCTION count_opening()`

func withParameter(t *testing.T, s, name, value string) string {
	u, err := url.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	q.Set(name, value)
	u.RawQuery = q.Encode()
	return u.String()
}

// invite makes n requests whose mails are due.
func (s *stage) invite(n int) []sqltest.Request {
	s.t.Helper()
	list := make([]sqltest.Request, n)
	for i := range list {
		list[i] = s.db.Requested(s.t, s.keys, sqltest.Invitation{})
	}
	return list
}

// work starts a worker with a pool of its own; stop ends it and waits.
func (s *stage) work(changes ...func(*jobs.Worker)) (stop func()) {
	s.t.Helper()
	s.count++
	name := fmt.Sprintf("worker%d.example", s.count)
	w, closeAll := newWorker(s.t, name, s.url, s.redis.URL(), s.relay.URL(), slog.New(slog.NewTextHandler(s.log, nil)))
	for _, change := range changes {
		change(w)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			s.t.Errorf("the worker ended with %v", err)
		}
		closeAll()
	})
	s.t.Cleanup(stop)
	return stop
}

// newWorker makes a worker as cmd does. It names itself to the relay, and waits for no
// answer longer than half a second once it is told to stop.
func newWorker(t *testing.T, name, dbURL, redisURL, smtpURL string, log *slog.Logger) (*jobs.Worker, func()) {
	t.Helper()
	cfg, err := smtp.ParseURL(smtpURL)
	if err != nil {
		t.Fatal(err)
	}
	cfg.Hello, cfg.Limits = name, smtp.DefaultLimits()
	cfg.Limits.Grace = 500 * time.Millisecond
	text, err := composer()
	if err != nil {
		t.Fatal(err)
	}
	db, err := sql.OpenWork(t.Context(), dbURL, 12)
	if err != nil {
		t.Fatal(err)
	}
	q, err := queue.Open(redisURL)
	if err != nil {
		t.Fatal(err)
	}
	out := smtp.NewClient(cfg, 6)
	return &jobs.Worker{DB: db, Queue: q, Log: log, Slots: queue.Slots{Interactive: 2, Batch: 4}, Mailer: &jobs.Mailer{
			DB: db, Keys: sqltest.Keys(t), Relay: out, Composer: text, Domain: "espace.example",
			ReturnPath: sqltest.Email(t, "retours@espace.example"), SignBounce: true,
			Lifetime: conversion.DefaultCodeLifetime, Now: time.Now, Log: log,
		}}, func() {
			out.Close()
			q.Close()
			db.Close()
		}
}

// composer is the same for all workers: to make one takes as long as a test.
var composer = sync.OnceValues(func() (*mail.Composer, error) {
	from, err := conversion.ParseEmail("ne-pas-repondre@bascule.example")
	if err != nil {
		return nil, err
	}
	return mail.NewComposer(mail.Office{From: mail.Sender{Name: "Espace abonné", Address: from},
		PublicURL: "https://espace.example", Help: "Assistance : 01 00 00 00 00"})
})

// patience bounds every wait for something that is certain to come.
const patience = 40 * time.Second

// until waits for a condition that the database tells.
func (s *stage) until(what, query string, args ...any) {
	s.t.Helper()
	s.wait(what, func() bool { return s.holds(query, args...) })
}

func (s *stage) holds(query string, args ...any) bool {
	s.t.Helper()
	return s.db.Text(s.t, "SELECT coalesce(("+query+"), false)::text", args...) == "true"
}

func (s *stage) wait(what string, holds func() bool) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	tick := time.NewTicker(25 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-ctx.Done():
			s.t.Fatalf("waited in vain until %s; obligations: %s; the workers say:\n%s", what, s.obligations(), s.log)
		case <-tick.C:
		}
	}
}

// unlessBusy does what a page does, which tries again while a worker is at work on
// the same request.
func (s *stage) unlessBusy(do func() error) (err error) {
	s.t.Helper()
	s.wait("no worker is at work on the request", func() bool {
		err = do()
		return !errors.Is(err, sql.ErrBusy)
	})
	return err
}

// await lets the relay wait for a signal, or the end of the test.
func (s *stage) await(signal <-chan struct{}) {
	select {
	case <-signal:
	case <-s.t.Context().Done():
	}
}

// find looks a code up as the pages do.
func (s *stage) find(to conversion.Email, code conversion.Code) (p sql.ProvenCode, err error) {
	s.t.Helper()
	err = s.unlessBusy(func() (err error) {
		p, err = s.db.FindCode(s.t.Context(), s.keys, to, code)
		return err
	})
	return p, err
}

func (s *stage) obligations() string {
	return s.db.Text(s.t, `SELECT coalesce(json_agg(o)::text, 'none') FROM (SELECT *, bascule_now() AS now FROM obligation ORDER BY id LIMIT 5) AS o`)
}

// pass moves the database's clock forward.
func (s *stage) pass(d time.Duration) {
	s.t.Helper()
	s.ahead += d
	s.db.Shift(s.t, s.ahead)
	s.db.Exec(s.t, `SELECT pg_notify('bascule_due', '')`)
}

// nextEvent is how many seconds are left until a mail or a recap can be worked
// on, 0 while one can be or is.
const nextEvent = `
	WITH clock AS MATERIALIZED (SELECT bascule_now() AS now)
	SELECT CASE
		WHEN EXISTS (SELECT FROM obligation, clock WHERE claimed_until > clock.now) THEN 0
		ELSE coalesce((SELECT greatest(0, extract(epoch FROM min(
				CASE WHEN lane = 'recap' OR breaker.opened_at IS NULL THEN due_at ELSE greatest(due_at, breaker.probe_at) END) - (SELECT now FROM clock)))
			FROM obligation, breaker), 0)
	END::float8`

// elapse waits for a condition and lets time pass wherever the workers do nothing but wait.
func (s *stage) elapse(what, query string, args ...any) {
	s.t.Helper()
	s.wait(what, func() bool {
		if s.holds(query, args...) {
			return true
		}
		if s.busy() {
			return false
		}
		var wait float64
		if err := s.db.Raw.QueryRow(nextEvent).Scan(&wait); err != nil {
			s.t.Fatal(err)
		}
		// Nobody works now: the condition stays true until time passes.
		if wait > 0 {
			if s.holds(query, args...) {
				return true
			}
			s.pass(time.Duration(wait*float64(time.Second)) + time.Millisecond)
		}
		return false
	})
}

// busy tells whether a worker is within a transaction: its starts are not visible yet.
func (s *stage) busy() bool {
	s.t.Helper()
	return s.holds(`SELECT EXISTS (SELECT FROM pg_stat_activity
		WHERE datname = current_database() AND application_name <> $1 AND xact_start IS NOT NULL)`, ourselves)
}

// quiet waits until no mail is under way. The breaker must be open: otherwise a
// worker may be about to start some.
func (s *stage) quiet() {
	s.t.Helper()
	s.wait("nothing is under way", func() bool {
		return !s.busy() && s.holds(`SELECT NOT EXISTS (SELECT FROM obligation WHERE claim IS NOT NULL)`)
	})
}

const allMailed = `NOT EXISTS (SELECT FROM request_code WHERE mailed_at IS NULL) AND NOT EXISTS (SELECT FROM obligation)`

var (
	codeInMail = regexp.MustCompile(`\b[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{4}\b`)
	bareCode   = regexp.MustCompile(`(?:^|[^0-9A-Za-z-])[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{4}(?:$|[^0-9A-Za-z-])`) // and no part of a UUID
	release    = regexp.MustCompile(`@v\d+\.\d+\.\d+`)                                                           // of a module, in a stack
	addressed  = regexp.MustCompile(`[\w.+-]@\w+[.-]`)
	mailID     = regexp.MustCompile(`^(code|reminder|notice|switch-notice|confirmation|expired|reset|identifier|identifier-notice|password-notice|siege-notice)\.[0-9a-f]{8}\.(\d+)\.(\d+)\.(\d+)@espace\.example$`)
)

// text is a mail's words, with the transfer encoding undone.
func (p parcel) text() string {
	b, _ := io.ReadAll(quotedprintable.NewReader(strings.NewReader(p.raw)))
	return string(b)
}

func (p parcel) code() string { return codeInMail.FindString(p.text()) }

// proveMails proves of every mail that the relay kept what must hold after any
// fault: copies of one mail are the same bytes and at most one more than the
// interruptions recorded; all mails of one request and generation carry one code,
// and the deadline that the database enforces (I5, D4, R23).
func (s *stage) proveMails() {
	known := s.mailings()
	copies := make(map[string][]parcel)
	codes := make(map[string]string)
	for _, p := range s.relay.kept() {
		if strings.HasPrefix(p.id, "alert.") { // to the operator, about no request
			continue
		}
		id := mailID.FindStringSubmatch(p.id)
		if id == nil {
			s.t.Errorf("a mail has the Message-ID %q", p.id)
			continue
		}
		if copies[p.id] = append(copies[p.id], p); copies[p.id][0].raw != p.raw {
			s.t.Errorf("two copies of %s differ:\n%s\n%s", p.id, copies[p.id][0].raw, p.raw)
		}
		if id[1] != "code" && id[1] != "reminder" {
			continue
		}
		of, text := id[2]+" "+id[3], p.text()
		code := codeInMail.FindString(text)
		if codes[of] == "" {
			codes[of] = code
		}
		if codes[of] != code || code == "" {
			s.t.Errorf("request and generation %s were mailed more than one code", of)
		}
		m, ok := known[of]
		if !ok || !strings.Contains(text, conversion.FrenchTime(m.deadline)) {
			s.t.Errorf("the mail %s does not state the deadline that counts, %s", p.id, m.deadline)
		}
		if n := len(copies[p.id]); id[1] == "code" && id[4] == "0" && n > m.copies {
			s.t.Errorf("%s: copy %d, only %d are explained by interruptions", p.id, n, m.copies)
		}
	}
	s.proveMailed(codes)
}

// A mailing is what the database knows of the code of one request and generation.
type mailing struct {
	deadline time.Time
	copies   int // of its mail, at most
}

// mailings are named by "request generation". The interruptions of a mail that ended or
// is in doubt are not kept: three copies at most.
func (s *stage) mailings() map[string]mailing {
	rows, err := s.db.Raw.Query(`
		SELECT c.request_id || ' ' || c.generation, c.expires_at,
			CASE WHEN c.in_doubt THEN 3 WHEN o.id IS NOT NULL THEN 1 + o.interruptions WHEN c.void_at IS NULL THEN 1 + c.doubts ELSE 3 END
		FROM code c
		LEFT JOIN obligation o ON o.request_id = c.request_id AND o.generation = c.generation AND o.kind = 'code' AND o.copy = 0
		WHERE c.started_at IS NOT NULL AND c.purpose <> 'reset'`)
	if err != nil {
		s.t.Fatal(err)
	}
	defer rows.Close()
	known := make(map[string]mailing)
	for rows.Next() {
		var of string
		var m mailing
		if err := rows.Scan(&of, &m.deadline, &m.copies); err != nil {
			s.t.Fatal(err)
		}
		known[of] = m
	}
	return known
}

// proveMailed: a request counts as mailed only if the relay has the mail, a right
// code was typed, or nobody can know (I5).
func (s *stage) proveMailed(codes map[string]string) {
	rows, err := s.db.Raw.Query(`SELECT r.id || ' ' || r.generation FROM request_code r
		WHERE r.mailed_at IS NOT NULL AND NOT r.in_doubt
		  AND NOT EXISTS (SELECT FROM audit a WHERE a.request_id = r.id AND a.event = 'mailed' AND a.actor = 'subscriber')
		  AND EXISTS (SELECT FROM audit a WHERE a.request_id = r.id AND a.event = 'mailed')`)
	if err != nil {
		s.t.Error(err)
		return
	}
	defer rows.Close()
	for rows.Next() {
		var of string
		if err := rows.Scan(&of); err != nil {
			s.t.Error(err)
		}
		if codes[of] == "" {
			s.t.Errorf("request and generation %s count as mailed; no relay has the mail", of)
		}
	}
}

// proveSecrecy: the workers' logs and Redis hold no address, code or answer (I6).
func (s *stage) proveSecrecy() {
	for where, said := range map[string]string{"log": s.log.String(), "Redis": s.dumpRedis()} {
		for _, line := range strings.Split(release.ReplaceAllString(said, ""), "\n") {
			if addressed.MatchString(line) || strings.Contains(line, "duvallon") || bareCode.MatchString(line) || strings.Contains(line, relayPassword) {
				s.t.Errorf("personal data in the %s: %s", where, line)
			}
		}
	}
}

// dumpRedis is every key of Redis with its value; nothing if it is down.
func (s *stage) dumpRedis() string {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	opt, err := redis.ParseURL(s.redis.URL())
	if err != nil {
		s.t.Fatal(err)
	}
	rdb := redis.NewClient(opt)
	defer rdb.Close()
	var b strings.Builder
	for keys := rdb.Scan(ctx, 0, "", 1000).Iterator(); keys.Next(ctx); {
		fmt.Fprintf(&b, "%s %v\n", keys.Val(), valueOf(ctx, rdb, keys.Val()))
	}
	return b.String()
}

// valueOf is what a key holds; nothing if it is gone meanwhile.
func valueOf(ctx context.Context, rdb *redis.Client, key string) any {
	switch rdb.Type(ctx, key).Val() {
	case "string":
		return rdb.Get(ctx, key).Val()
	case "hash":
		return rdb.HGetAll(ctx, key).Val()
	case "list":
		return rdb.LRange(ctx, key, 0, -1).Val()
	case "set":
		return rdb.SMembers(ctx, key).Val()
	case "zset":
		return rdb.ZRange(ctx, key, 0, -1).Val()
	}
	return nil
}

// C2, R19, R23, I5: every subscriber gets exactly one mail, with the one code
// that the request stands for; package sql accepts it.
func TestEverySubscriberGetsOneMail(t *testing.T) {
	s := newStage(t)
	requests := s.invite(300)
	for range 3 {
		s.work()
	}
	s.until("all are mailed", allMailed)
	for _, r := range requests {
		mails := s.relay.keptFor(r.Contact.String())
		if len(mails) != 1 {
			t.Errorf("request %d was mailed %d times", r.ID, len(mails))
			continue
		}
		code, err := conversion.ParseCode(mails[0].code())
		if err != nil {
			t.Fatalf("no code in the mail: %v", err)
		}
		if _, err := s.find(r.Contact, code); err != nil {
			t.Errorf("the mailed code is refused: %v", err)
		}
	}
}

func inviting(contact string) sqltest.Invitation { return sqltest.Invitation{Contact: contact} }

// flood makes n requests at once whose mails are due, as a large import does.
func (s *stage) flood(n int) {
	s.t.Helper()
	s.db.Exec(s.t, `
		WITH spaces AS (
			INSERT INTO space (number, holder, contact_email, contact_key, serial, issuer, certificate_expires, companies, contents)
			SELECT 'LOT' || (m.last + i), 'Camille Duvallon', 'lot' || (m.last + i) || '@duvallon.example', 'lot' || (m.last + i) || '@duvallon.example',
			       md5((m.last + i)::text), 'CN=AC des exemples', bascule_now()::date + 60, '[]', gen_random_uuid()
			FROM generate_series(1, $1) AS i, (SELECT coalesce(max(id), 0) + 1000 AS last FROM space) AS m
			RETURNING id, contact_email, contact_key
		), requests AS (
			INSERT INTO request (space_id, origin, requested_at) SELECT id, 'import', bascule_now() FROM spaces RETURNING id, space_id
		), codes AS (
			INSERT INTO code (request_id, generation, purpose, email, email_key, key_id, nonce)
			SELECT r.id, 1, 'identify', s.contact_email, s.contact_key, $2, uuid_send(gen_random_uuid()) FROM requests r JOIN spaces s ON s.id = r.space_id
		)
		INSERT INTO obligation (lane, kind, space_id, request_id, generation, due_at) SELECT 'bulk', 'code', space_id, id, 1, bascule_now() FROM requests`,
		n, s.keys.Newest())
}
