package jobs_test

import (
	"log/slog"
	"testing"

	"bascule/jobs"
	"bascule/sql"
)

// I8: the rows that sign-ins and failed attempts leave behind are forgotten, any number
// of them, even if no other work is due. Rows that still count are kept. The tally is
// folded.
func TestCleaner(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	left := func(n int) {
		s.db.Exec(t, `INSERT INTO throttle SELECT uuid_send(gen_random_uuid()), bascule_now() - interval '1 second' FROM generate_series(1, $1)`, n)
		s.db.Exec(t, `INSERT INTO session SELECT sha256(uuid_send(gen_random_uuid())), (SELECT min(id) FROM space), 'recap', bascule_now() - interval '1 second' FROM generate_series(1, $1)`, n)
	}
	s.invite(1)
	s.db.Exec(t, `INSERT INTO throttle VALUES ('counts', bascule_now() + interval '1 hour')`)
	s.db.Exec(t, `INSERT INTO session SELECT sha256('open'), min(id), 'recap', bascule_now() + interval '1 hour' FROM space`)
	left(12_000) // more than one statement takes
	s.work()
	const clean = `SELECT (SELECT count(*) FROM throttle) = 1 AND (SELECT count(*) FROM session) = 1`
	s.until("it is forgotten", clean)

	db, err := sql.Open(t.Context(), s.url, 1)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	left(3)
	s.invite(1)
	go (&jobs.Cleaner{DB: db, Every: 1, Log: slog.New(slog.DiscardHandler)}).Run(t.Context())
	s.until("it is forgotten again, and folded", clean+` AND (SELECT count(*) = count(DISTINCT (batch_id, campaign_id, day, at)) FROM tally)`)
}
