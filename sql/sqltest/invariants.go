package sqltest

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"bascule/internal/conversion"
	"bascule/sql"
)

// Sound fails the test unless the invariants hold for every row.
func (db *DB) Sound(t testing.TB) {
	t.Helper()
	db.Tallies(t, 0)
	db.prove(t, requestInvariants, `true`)
	db.prove(t, invariants, `true`)
}

// SoundFor is the cheap part of Sound, for one request.
func (db *DB) SoundFor(t testing.TB, request int64) {
	t.Helper()
	db.prove(t, requestInvariants, `t.id = $1`, request)
}

func (db *DB) prove(t testing.TB, invariants map[string]string, where string, args ...any) {
	t.Helper()
	for rule, query := range invariants {
		if broken := db.Text(t, `SELECT coalesce(string_agg(t::text, E'\n'), '') FROM (`+query+`) AS t WHERE `+where, args...); broken != "" {
			t.Errorf("%s is broken:\n%s", rule, broken)
		}
	}
}

// Tallies fails the test unless status tells the numbers that a count of all rows
// gives. It compares everything and each batch of the space, or of all spaces if it is
// 0.
func (db *DB) Tallies(t testing.TB, space int64) {
	t.Helper()
	rows, err := db.Raw.Query(`SELECT 0 UNION SELECT id FROM batch b WHERE $1::bigint = 0 OR EXISTS (SELECT FROM request r WHERE r.space_id = $1 AND r.batch_id = b.id)`, space)
	must(t, err)
	defer rows.Close()
	for rows.Next() {
		var batch int64
		must(t, rows.Scan(&batch))
		got, err := db.Status(t.Context(), batch)
		must(t, err)
		got.LastMinute, got.Breaker, got.WaitsForKeys, got.Paused, got.Standstill = 0, "", nil, nil, sql.Standstill{}
		if diff := cmp.Diff(db.recount(t, batch), got); diff != "" {
			t.Errorf("status of batch %d (-counted, +told):\n%s", batch, diff)
		}
	}
	must(t, rows.Err())
}

// recount is what status has to tell.
func (db *DB) recount(t testing.TB, batch int64) sql.Status {
	t.Helper()
	s := sql.Status{Counts: sql.Counts{Spaces: make(map[conversion.Access]int)}}
	states := s.States()
	rows, err := db.Raw.Query(`SELECT request_state(r, bascule_now()), count(*), count(*) FILTER (WHERE request_not_delivered(r, bascule_now()))
		FROM request_code r WHERE $1::bigint = 0 OR batch_id = $1 GROUP BY 1`, batch)
	must(t, err)
	defer rows.Close()
	for rows.Next() {
		var state conversion.State
		var n, late int
		must(t, rows.Scan(&state, &n, &late))
		states[state] = n
		s.NotDelivered += late
	}
	s.Requested, s.Mailed, s.Activated = states[conversion.StateRequested], states[conversion.StateMailed], states[conversion.StateActivated]
	s.Expired, s.Undeliverable, s.Cancelled = states[conversion.StateExpired], states[conversion.StateUndeliverable], states[conversion.StateCancelled]
	if diff := cmp.Diff(states, s.States()); diff != "" {
		t.Errorf("a state is unknown:\n%s", diff)
	}
	must(t, rows.Err())
	var certificate, password int
	must(t, db.Raw.QueryRow(`SELECT count(*) FILTER (WHERE access = 'certificate'), count(*) FILTER (WHERE access = 'password'),
			(SELECT count(*) FROM obligation WHERE lane <> 'recap' AND due_at < 'infinity'), (SELECT count(*) FROM obligation WHERE lane = 'recap'),
			(SELECT count(*) FROM held), (SELECT count(*) FROM held JOIN campaign c ON c.id = campaign_id WHERE c.state = 'running')
		FROM space s WHERE EXISTS (SELECT FROM request r WHERE r.space_id = s.id AND ($1::bigint = 0 OR r.batch_id = $1))`, batch).
		Scan(&certificate, &password, &s.ToSend, &s.ToRender, &s.Held, &s.Leaving))
	s.Spaces[conversion.AccessCertificate], s.Spaces[conversion.AccessPassword] = certificate, password
	return s
}

// requestInvariants select the requests that break one.
var requestInvariants = map[string]string{
	"I1: an open request has a mail or a deadline to come": `
		SELECT r.id FROM request r WHERE request_is_open(r)
			AND NOT EXISTS (SELECT FROM obligation o WHERE o.request_id = r.id AND o.generation = r.generation AND o.kind = 'code' AND o.copy = 0)
			AND NOT EXISTS (SELECT FROM held h WHERE h.request_id = r.id)
			AND NOT EXISTS (SELECT FROM deadline d WHERE r.id = ANY (d.requests))`,
	"D12: an open campaign holds an invitation of an open request, whose code never started": `
		SELECT h.request_id AS id FROM held h LEFT JOIN request_code r ON r.id = h.request_id AND r.generation = h.generation AND r.campaign_id = h.campaign_id
		WHERE r.id IS NULL OR NOT is_open(r) OR r.started_at IS NOT NULL OR r.purpose <> 'identify' OR NOT campaign_is_open(h.campaign_id)`,
	"I5: the code that counts of an open request is its latest good one": `
		SELECT r.id FROM request r WHERE request_is_open(r) AND r.generation IS DISTINCT FROM
			(SELECT max(c.generation) FROM code c WHERE c.request_id = r.id AND c.void_at IS NULL AND c.purpose <> 'reset')`,
	"D1: credentials are kept while a chosen address is to be proven, and no longer": `
		SELECT r.id FROM request_code c JOIN request r USING (id) WHERE (r.password_hash IS NOT NULL) <> (request_is_open(r) AND c.purpose = 'activate')`,
	"I3: a request that has ended has no good code, but one whose deadline has passed": `
		SELECT r.id FROM request_code r JOIN code c ON c.request_id = r.id
		WHERE NOT is_open(r) AND c.purpose <> 'reset' AND c.void_at IS NULL AND (r.expired_at IS NULL OR c.purpose = 'activate' OR c.expires_at > r.expired_at)`,
}

// invariants select the rows that break one.
var invariants = map[string]string{
	"I1: a space is open once, or its request has ended": `
		SELECT space_id FROM request r WHERE request_is_open(r) GROUP BY 1 HAVING count(*) > 1`,
	"I2: a password space has its one activated request, a certificate space has none": `
		SELECT s.id, s.access FROM space s
		WHERE (SELECT count(*) FROM request r WHERE r.space_id = s.id AND r.activated_at IS NOT NULL) <> (s.access = 'password')::int`,
	"I3: activated before the deadline, and never expired": `
		SELECT id FROM request_code WHERE activated_at IS NOT NULL AND (activated_at >= expires_at OR expires_at IS NULL OR expired_at IS NOT NULL)`,
	"I4: one password space for an address": `
		SELECT email_key FROM space WHERE access = 'password' GROUP BY 1 HAVING count(*) > 1`,
	"I5: mailed, then started, and found by its tag": `
		SELECT c.request_id, c.generation FROM code c
		WHERE c.mailed_at IS NOT NULL AND (c.started_at IS NULL OR c.tag IS NULL)`,
	"D1, R31: one good code of a kind": `
		SELECT request_id, purpose FROM code WHERE void_at IS NULL GROUP BY 1, 2 HAVING count(*) > 1`,
	"I9: one audit entry for each end and each mailing": `
		SELECT r.id, e.event
		FROM request r CROSS JOIN (VALUES ('activated'), ('expired'), ('undeliverable'), ('cancelled'), ('requested')) AS e (event)
		LEFT JOIN (SELECT request_id, event, count(*) AS n FROM audit GROUP BY 1, 2) AS a ON a.request_id = r.id AND a.event = e.event
		WHERE coalesce(a.n, 0)
			<> CASE e.event WHEN 'activated' THEN num_nonnulls(r.activated_at) WHEN 'expired' THEN num_nonnulls(r.expired_at)
			   WHEN 'undeliverable' THEN num_nonnulls(r.undeliverable_at) WHEN 'cancelled' THEN num_nonnulls(r.cancelled_at) ELSE 1 END`,
	"I9: who and why": `
		SELECT id, event FROM audit WHERE event = '' OR actor = '' OR why = ''`,
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
