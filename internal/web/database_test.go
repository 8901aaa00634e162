package web_test

import (
	"regexp"
	"strings"
	"sync"
	"time"

	"bascule/internal/conversion"
	"bascule/sql"
	"bascule/sql/sqltest"
)

func (s *site) checkAccess(r sqltest.Request, want string) {
	s.t.Helper()
	if got := s.db.Text(s.t, `SELECT access FROM space WHERE id = $1`, r.SpaceID); got != want {
		s.t.Errorf("access %s, want %s", got, want)
	}
}

// checkSwitched proves that the space is a password space whose password and
// answer are those of the tests.
func (s *site) checkSwitched(r sqltest.Request, email string) {
	s.t.Helper()
	var access, identifier, question string
	var passwordHash, answerHash conversion.Hash
	err := s.db.Raw.QueryRow(`SELECT access, email, question, password_hash, answer_hash FROM space WHERE id = $1`, r.SpaceID).
		Scan(&access, &identifier, &question, &passwordHash, &answerHash)
	if err != nil {
		s.t.Fatal(err)
	}
	if access != "password" || identifier != email || question != "enfance-rue" {
		s.t.Errorf("space: access %s, identifier %s, question %s", access, identifier, question)
	}
	typed, err := conversion.ParseTrustAnswer("RUE des tanneurs")
	if err != nil {
		s.t.Fatal(err)
	}
	if !passwordHash.MatchesPassword(password) || !answerHash.MatchesAnswer(typed) {
		s.t.Error("the password or the answer is not the one typed (R17, R18)")
	}
}

// kept is what the switch leaves alone (R5).
func (s *site) kept(r sqltest.Request) string {
	s.t.Helper()
	return s.db.Text(s.t, `SELECT concat_ws(' ', number, holder, contact_email, companies) FROM space WHERE id = $1`, r.SpaceID)
}

func (s *site) openRequest(r sqltest.Request) (id int64) {
	s.t.Helper()
	if err := s.db.Raw.QueryRow(`SELECT id FROM request r WHERE space_id = $1 AND request_is_open(r)`, r.SpaceID).Scan(&id); err != nil {
		s.t.Fatal(err)
	}
	return id
}

// unchanged runs f and proves that no row of any table differs afterwards,
// throttling and the tables apart.
func (s *site) unchanged(f func(), apart ...string) {
	s.t.Helper()
	before := s.dump(apart...)
	f()
	if after := s.dump(apart...); after != before {
		s.t.Errorf("rows have changed\nbefore: %s\nafter: %s", before, after)
	}
}

func (s *site) dump(apart ...string) string {
	tables := strings.Join(append(apart, "throttle"), "|")
	return regexp.MustCompile(`(?m)^(?:`+tables+`): (?s:.*?)(?:^\w+: |\z)`).ReplaceAllString(s.db.Dump(s.t), "")
}

// unchangedBut compares all rows, those of one table aside.
func (s *site) unchangedBut(table string, do func()) {
	s.t.Helper()
	const rows = `SELECT concat((SELECT string_agg(t::text, ' ' ORDER BY id) FROM space t), (SELECT string_agg(t::text, ' ' ORDER BY id) FROM request t),
		(SELECT string_agg(t::text, ' ' ORDER BY id) FROM obligation t), (SELECT string_agg(t::text, ' ' ORDER BY id) FROM audit t))`
	before := s.db.Text(s.t, rows)
	do()
	if after := s.db.Text(s.t, rows); after != before {
		s.t.Errorf("more than %s has changed\nbefore %s\nafter  %s", table, before, after)
	}
}

// gaveUp tells whether a page has found a lock held, and will ask again.
const gaveUp = `SELECT EXISTS (SELECT FROM pg_stat_activity
	WHERE datname = current_database() AND usename = '` + sqltest.Application + `' AND query ILIKE 'ROLLBACK%')`

// await asks the database until the answer is true.
func (s *site) await(query string) {
	s.t.Helper()
	for start := time.Now(); s.db.Text(s.t, query) != "true"; {
		if time.Since(start) > 10*time.Second {
			s.t.Fatalf("never true: %s", query)
		}
	}
}

// lockRows locks rows as an import does, until release.
func (s *site) lockRows(query string) (release func()) {
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

// meetsAnotherPassword has a form wait for a change of the password of its space.
func (s *site) meetsAnotherPassword(r sqltest.Request, ask func() answered) answered {
	s.t.Helper()
	tx, err := s.db.Raw.Begin()
	if err != nil {
		s.t.Fatal(err)
	}
	defer tx.Rollback()
	if _, err := tx.Exec(`UPDATE space SET password_hash = 'another' WHERE id = $1`, r.SpaceID); err != nil {
		s.t.Fatal(err)
	}
	if _, err := tx.Exec(`INSERT INTO audit (at, space_id, request_id, event, actor, why)
		VALUES (bascule_now(), $1, $2, 'password changed', 'subscriber', 'mailed code')`, r.SpaceID, r.ID); err != nil {
		s.t.Fatal(err)
	}
	answer := make(chan answered, 1)
	go func() { answer <- ask() }()
	s.await(`SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock')`)
	if err := tx.Commit(); err != nil {
		s.t.Fatal(err)
	}
	return <-answer
}

// resets are the mails that have been asked for.
func (s *site) resets() string {
	return s.db.Text(s.t, `SELECT count(*) FROM code WHERE purpose = 'reset'`)
}

// fill counts failures in a bucket, as many attempts of strangers do.
func (s *site) fill(n int, every time.Duration, parts ...string) {
	s.t.Helper()
	err := s.db.CountFailure(s.t.Context(), sql.Bucket{Name: s.keys.Bucket(parts...), Limit: sql.Limit{Every: time.Duration(n) * every}})
	if err != nil {
		s.t.Fatal(err)
	}
}
