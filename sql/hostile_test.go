package sql_test

import (
	stdsql "database/sql"
	"errors"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/lib/pq"

	"bascule/internal/conversion"
	"bascule/sql"
	"bascule/sql/sqltest"
)

// history is what a hostile application may not change, whatever else it does.
const history = `SELECT concat_ws(E'\n',
	(SELECT string_agg(s::text, E'\n' ORDER BY id) FROM space s WHERE access = 'password'),
	(SELECT string_agg(r::text, E'\n' ORDER BY id) FROM request r WHERE NOT request_is_open(r)),
	(SELECT string_agg(c::text, E'\n' ORDER BY c.request_id, c.generation) FROM code c WHERE mailed_at IS NOT NULL OR void_at IS NOT NULL),
	(SELECT string_agg(p::text, E'\n' ORDER BY request_id) FROM recap p),
	(SELECT string_agg(a::text, E'\n' ORDER BY id) FROM audit a),
	(SELECT string_agg(i::text, E'\n' ORDER BY id) FROM import i),
	(SELECT string_agg(b::text, E'\n' ORDER BY id) FROM batch b))`

// hostile is what the application's role may try in plain SQL. {A} is a switched space,
// {a} the request that switched it. {x} is an expired request, {b} one that expired
// after its mail came back. {n} is one whose address was refused. {u} expired while
// nobody knew whether its mail had gone. {m} and {o} are mailed and open, {q} is an
// open one whose mail is due, {M} is the space of {m}.
var hostile = []string{
	// Identifiers and password of a switched space.
	`UPDATE space SET email = 'z@evil.example', email_key = 'z@evil.example' WHERE id = {A}`,
	`UPDATE space SET password_hash = 'stolen' WHERE id = {A}`,
	`UPDATE space SET question = 'other', answer_hash = 'stolen' WHERE id = {A}`,
	`UPDATE space SET contact_email = 'z@evil.example', contact_key = 'z@evil.example' WHERE id = {A}`,
	`UPDATE space SET holder = 'Z', companies = '[]' WHERE id = {A}`,
	`UPDATE space SET serial = '1', issuer = 'CN=Z' WHERE id = {A}`,
	`BEGIN; UPDATE space SET password_hash = 'stolen' WHERE id = {A}; SET CONSTRAINTS ALL DEFERRED; COMMIT`,
	`BEGIN; INSERT INTO audit (at, space_id, request_id, event, actor) VALUES (bascule_now(), {A}, {a}, 'mailed', 'worker');
		UPDATE space SET password_hash = 'stolen' WHERE id = {A}; COMMIT`,
	`CREATE TEMP TABLE audit (space_id bigint, event text); BEGIN; INSERT INTO pg_temp.audit VALUES ({A}, 'password changed');
		UPDATE space SET password_hash = 'stolen' WHERE id = {A}; COMMIT`,
	`BEGIN; INSERT INTO audit (at, space_id, request_id, event, actor) VALUES (bascule_now(), {A}, {a}, 'identifier changed', 'subscriber');
		UPDATE space SET email = 'z@evil.example', email_key = 'z@evil.example' WHERE id = {A}; COMMIT`, // no code proved it
	`BEGIN; INSERT INTO audit (at, space_id, request_id, event, actor) VALUES (bascule_now(), {A}, {a}, 'identifier changed', 'subscriber');
		INSERT INTO code (request_id, generation, purpose, email, email_key, key_id, nonce)
		SELECT {a}, 99, 'identifier', 'z@evil.example', 'z@evil.example', key_id, nonce FROM code WHERE request_id = {a} LIMIT 1;
		UPDATE space SET email = 'z@evil.example', email_key = 'z@evil.example' WHERE id = {A}; COMMIT`, // nobody typed it
	// A space that no code switched.
	`UPDATE space SET access = 'password', switched_at = bascule_now(), email = 'z@evil.example', email_key = 'z@evil.example',
		password_hash = 'p', question = 'q', answer_hash = 'a' WHERE id = {M}`,
	`UPDATE space SET access = 'password', switched_at = (SELECT activated_at FROM request WHERE id = {a}), email = 'z@evil.example', email_key = 'z@evil.example',
		password_hash = 'p', question = 'q', answer_hash = 'a' WHERE id = {M}`,
	`BEGIN; UPDATE request SET activated_at = bascule_now() WHERE id = {m};
		UPDATE space SET access = 'password', switched_at = bascule_now() - interval '1 hour', email = 'z@evil.example', email_key = 'z@evil.example',
		password_hash = 'p', question = 'q', answer_hash = 'a' WHERE id = {M}; COMMIT`,
	`INSERT INTO space (number, holder, contact_email, contact_key, serial, issuer, certificate_expires, contents, access, switched_at, email, email_key, password_hash, question, answer_hash)
		SELECT 'Z' || number, holder, contact_email, contact_key, serial, issuer, certificate_expires, contents, 'password', bascule_now(), 'z@evil.example', 'z@evil.example', 'p', 'q', 'a' FROM space LIMIT 1`,
	`BEGIN; INSERT INTO code (request_id, generation, purpose, email, email_key, key_id, nonce)
			VALUES ({m}, 9, 'activate', 'z@evil.example', 'z@evil.example', 'k', uuid_send(gen_random_uuid()));
		UPDATE request SET generation = 9, activated_at = bascule_now() WHERE id = {m}; COMMIT`,
	`UPDATE request SET activated_at = bascule_now() + interval '3 days' WHERE id = {m}`,
	`UPDATE request SET activated_at = bascule_now() WHERE id = {q}`,
	// Requests that ended.
	`UPDATE request SET activated_at = NULL WHERE id = {a}`,
	`UPDATE request SET expired_at = NULL WHERE id = {x}`,
	`UPDATE request SET expired_at = NULL, cancelled_at = bascule_now() WHERE id = {x}`,
	`UPDATE request SET batch_id = NULL WHERE id = {x}`,
	`UPDATE request SET generation = generation + 1 WHERE id = {a}`,
	`UPDATE request SET other_addresses = 0, submission = NULL WHERE id = {a}`,
	`UPDATE request SET undeliverable_at = NULL WHERE id = {n}`,
	`DELETE FROM request WHERE id = {x}`,
	// Requests that are open.
	`UPDATE request SET cancelled_at = bascule_now() - interval '1 year' WHERE id = {m}`,
	`UPDATE request SET expired_at = bascule_now() + interval '1 year' WHERE id = {m}`,
	`UPDATE request SET undeliverable_at = bascule_now() - interval '10 minutes' WHERE id = {m}`,
	`BEGIN; UPDATE request SET generation = 7 WHERE id = {m}; COMMIT`,
	`UPDATE request SET id = DEFAULT WHERE id = {m}`,
	`UPDATE request SET space_id = {A} WHERE id = {m}`,
	`UPDATE request SET origin = 'space' WHERE id = {m}`,
	`UPDATE request SET requested_at = requested_at - interval '1 second' WHERE id = {m}`,
	`INSERT INTO request (space_id, origin, requested_at) SELECT id, 'import', bascule_now() - interval '1 year' FROM space WHERE id = {A}`,
	`INSERT INTO request (space_id, origin, requested_at, activated_at) SELECT id, 'import', bascule_now(), bascule_now() FROM space WHERE id = {A}`,
	// Codes.
	`DELETE FROM code WHERE request_id = {m}`,
	`DELETE FROM code WHERE request_id = {u}`,
	`TRUNCATE code`,
	`UPDATE code SET email = 'z@evil.example', email_key = 'z@evil.example' WHERE request_id = {m}`,
	`UPDATE code SET nonce = uuid_send(gen_random_uuid()) WHERE request_id = {m}`,
	`UPDATE code SET key_id = 'other' WHERE request_id = {x}`,
	`UPDATE code SET generation = 2 WHERE request_id = {m}`,
	`UPDATE code SET purpose = 'identify' WHERE purpose = 'reset'`,
	`UPDATE code SET purpose = 'reset' WHERE request_id = {m}`,
	`UPDATE code SET expires_at = expires_at + interval '1 day'`,
	`UPDATE code SET expires_at = started_at + interval '1 second' WHERE request_id = {m}`,
	`UPDATE code SET started_at = started_at - interval '1 day' WHERE request_id = {a}`,
	`UPDATE code SET started_at = NULL, expires_at = NULL, mailed_at = NULL WHERE request_id = {m}`,
	`UPDATE code SET mailed_at = NULL WHERE request_id = {m}`,
	`UPDATE code SET mailed_at = mailed_at - interval '1 day' WHERE request_id = {x}`,
	`UPDATE code SET void_at = NULL`,
	`UPDATE code SET void_at = bascule_now() - interval '1 day' WHERE request_id = {m}`,
	`UPDATE code SET refusal = 'said nothing', in_doubt = true WHERE request_id = {a}`,
	`UPDATE code SET bounced_at = bascule_now(), bounce = 'gone' WHERE request_id = {a}`,
	`UPDATE code SET bounced_at = bascule_now() + interval '1 hour' WHERE request_id = {b}`,
	`UPDATE code SET bounce = 'late' WHERE request_id = {b}`,
	`UPDATE code SET bounced_at = NULL, bounce = NULL WHERE request_id = {b}`,
	`UPDATE code SET refusal = 'said nothing' WHERE request_id = {n}`,
	`UPDATE code SET started_at = bascule_now() + interval '1 day', expires_at = bascule_now() + interval '2 days' WHERE request_id = {q}`,
	`UPDATE code SET started_at = bascule_now(), expires_at = bascule_now() + interval '61 days' WHERE request_id = {q}`,
	`UPDATE code SET resends = -100 WHERE request_id = {m}`,
	`INSERT INTO code (request_id, generation, purpose, email, email_key, key_id, nonce, started_at, expires_at, mailed_at)
		VALUES ({m}, 9, 'activate', 'z@evil.example', 'z@evil.example', 'k', uuid_send(gen_random_uuid()), bascule_now(), bascule_now() + interval '1 day', bascule_now())`,
	// The recap that the subscriber keeps.
	`UPDATE recap SET pdf = 'other', sha256 = sha256('other'), rendered_at = bascule_now() WHERE request_id = {a}`,
	`UPDATE recap SET pdf = NULL, sha256 = NULL, rendered_at = NULL WHERE request_id = {a}`,
	`UPDATE recap SET facts = '{}' WHERE request_id = {a}`,
	`DELETE FROM recap`,
	`INSERT INTO recap (request_id, facts) VALUES ({m}, '{}')`,
	// The audit log.
	`INSERT INTO audit (at, space_id, request_id, event, actor) VALUES ('2020-01-01', {A}, {a}, 'activated', 'subscriber')`,
	`INSERT INTO audit (at, space_id, request_id, event, actor) VALUES (bascule_now() - interval '10 minutes', {A}, {a}, 'activated', 'subscriber')`,
	`INSERT INTO audit (at, space_id, request_id, event, actor) VALUES ('2120-01-01', {A}, {a}, 'activated', 'subscriber')`,
	`INSERT INTO audit (at, space_id, request_id, event, actor) VALUES ('-infinity', {A}, {a}, 'activated', 'subscriber')`,
	`INSERT INTO audit (at, space_id, request_id, event, actor) VALUES (bascule_now(), {A}, {x}, 'activated', 'subscriber')`,
	`INSERT INTO audit (at, space_id, request_id, event, actor) VALUES (bascule_now(), 999999, {a}, 'activated', 'subscriber')`,
	`INSERT INTO audit (at, space_id, request_id, event, actor) VALUES (bascule_now(), {A}, 999999, 'activated', 'subscriber')`,
	`CREATE TEMP TABLE request (id bigint, space_id bigint); INSERT INTO pg_temp.request VALUES (999999, {A});
		INSERT INTO audit (at, space_id, request_id, event, actor) VALUES (bascule_now(), {A}, 999999, 'activated', 'subscriber')`,
	`INSERT INTO audit (at, space_id, request_id, event, actor) VALUES (bascule_now(), {A}, {a}, 'activated', 'subscriber'), (bascule_now(), {A}, {x}, 'activated', 'subscriber')`,
	`INSERT INTO audit (at, space_id, request_id, event, actor) VALUES (bascule_now(), {A}, {a}, 'activated', 'subscriber'), ('2020-01-01', {A}, {a}, 'activated', 'subscriber')`,
	`INSERT INTO audit (at, space_id, request_id, event, actor) VALUES (bascule_now(), {A}, {a}, 'activated', 'subscriber'), ('2120-01-01', {A}, {a}, 'activated', 'subscriber')`,
	`INSERT INTO audit (id, at, space_id, request_id, event, actor) OVERRIDING SYSTEM VALUE VALUES (-1, bascule_now(), {A}, {a}, 'activated', 'subscriber')`,
	`INSERT INTO audit (at, space_id, request_id, event, actor) VALUES (bascule_now(), {A}, {a}, 'activated', '')`,
	`INSERT INTO audit (at, space_id, request_id, event, actor) VALUES (bascule_now(), {A}, {a}, 'activated', E'admin\n2026-01-01 other line')`,
	`INSERT INTO audit (at, space_id, request_id, event, actor) VALUES (bascule_now(), {A}, {a}, 'Jane.Doe@evil.example', 'worker')`,
	`UPDATE audit SET why = 'other'`,
	`DELETE FROM audit`,
	`TRUNCATE audit`,
	`SELECT setval('audit_id_seq', 1)`,
	`SELECT nextval('audit_id_seq')`,
	`ALTER SEQUENCE audit_id_seq RESTART`,
	// Imports.
	`INSERT INTO import (batch_id, at, actor, rows, accepted, unchanged, not_due, excluded, rejected) SELECT batch_id, '2020-01-01', 'admin', 0, 0, 0, 0, 0, 0 FROM import LIMIT 1`,
	`INSERT INTO import (batch_id, at, actor, rows, accepted, unchanged, not_due, excluded, rejected) SELECT batch_id, bascule_now(), '', 0, 0, 0, 0, 0, 0 FROM import LIMIT 1`,
	`INSERT INTO import (batch_id, at, actor, rows, accepted, unchanged, not_due, excluded, rejected) SELECT batch_id, bascule_now(), E'admin\nx', 0, 0, 0, 0, 0, 0 FROM import LIMIT 1`,
	`INSERT INTO import (batch_id, at, actor, rows, accepted, unchanged, not_due, excluded, rejected) SELECT batch_id, bascule_now(), 'admin', 2, 1, 0, 0, 0, 0 FROM import LIMIT 1`,
	`UPDATE import SET actor = 'other'`,
	`DELETE FROM import`,
	`DELETE FROM batch`,
	`UPDATE batch SET sha256 = sha256('other')`,
}

// owners begin, or are part of, the hostile statements that the tables' owner may
// run: an operator mends a row by hand, and purges.
var owners = []string{
	`UPDATE space SET email = `, `UPDATE space SET question = `, `UPDATE space SET contact_email = `, `UPDATE space SET holder = `, `UPDATE space SET serial = `,
	`DELETE FROM request WHERE id = {x}`, `UPDATE code SET expires_at`, `UPDATE code SET started_at`, `UPDATE code SET mailed_at = NULL`,
	`UPDATE code SET mailed_at = mailed_at - interval '1 day' WHERE request_id = {x}`, `INSERT INTO recap`, `audit_id_seq`, `OVERRIDING SYSTEM VALUE`, `UPDATE import`, `DELETE FROM import`, `DELETE FROM batch`, `UPDATE batch`,
}

// guards are the SQLSTATEs of what refuses: a trigger, a constraint, a right, a
// reference. A statement that is wrong in any other way would prove nothing.
var guards = []string{"23000", "23514", "42501", "0A000"}

func isGuarded(err error) bool {
	refusal, ok := errors.AsType[*pq.Error](err)
	return ok && slices.Contains(guards, string(refusal.Code))
}

// scene makes the requests that the hostile statements name.
func (d *desk) scene() *strings.Replacer {
	d.t.Helper()
	a := d.switched("00000A", "a@duvallon.example")
	d.resetCode("a@duvallon.example")
	d.must(d.UseReset(d.ctx, sql.Reset{RequestID: a, Generation: 2}, "$new"))
	d.Exec(d.t, `UPDATE recap SET pdf = 'pdf', sha256 = sha256('pdf'), rendered_at = bascule_now() WHERE request_id = $1`, a)
	x, _ := d.invited("00000X", "x@duvallon.example")
	b, _ := d.invited("00000B", "b@duvallon.example")
	_, err := d.Bounced(d.ctx, b, 1, conversion.BouncePolicy)
	d.must(err)
	n := d.invite("00000N", "n@duvallon.example")
	d.refuse(n)
	u := d.invite("00000U", "u@duvallon.example")
	d.startOf(u)
	d.Shift(d.t, 49*time.Hour)
	if swept, err := d.Sweep(d.ctx, 10); err != nil || swept.Done == 0 {
		d.t.Fatal("nothing expired", err)
	}
	d.Exec(d.t, `SELECT expire_requests(ARRAY[$1::bigint], bascule_now(), 'worker')`, u)
	m, _ := d.invited("00000M", "m@duvallon.example")
	o, _ := d.invited("00000O", "o@duvallon.example")
	q := d.invite("00000Q", "q@duvallon.example")
	var names []string
	for name, id := range map[string]int64{"{a}": a, "{x}": x, "{b}": b, "{n}": n, "{u}": u, "{m}": m, "{o}": o, "{q}": q} {
		names = append(names, name, strconv.FormatInt(id, 10))
	}
	for name, id := range map[string]int64{"{A}": a, "{M}": m} {
		names = append(names, name, d.Text(d.t, `SELECT space_id::text FROM request WHERE id = $1`, id))
	}
	return strings.NewReplacer(names...)
}

// R4, I3, I9: history stays, whatever the application says in plain SQL: the ends of
// requests, the switches, the instants of mails, and the audit log. docs/security.md
// tells what the database cannot know. Except for a few columns, the owner of the
// tables is refused the same.
func TestHostileApplication(t *testing.T) {
	t.Parallel()
	d := open(t)
	names := d.scene()
	for who, role := range map[string]string{"the application": sqltest.Application, "the owner": ""} {
		d.on(t).beHostile(who, role, names)
	}
}

func (d *desk) beHostile(who, role string, names *strings.Replacer) {
	url := d.URL
	if role != "" {
		url = sqltest.As(d.t, d.URL, role)
	}
	db, err := stdsql.Open("postgres", url)
	d.must(err)
	defer db.Close()
	db.SetMaxOpenConns(1) // all in one session
	const stands = `SELECT string_agg(r::text, E'\n' ORDER BY id) FROM request r WHERE request_is_open(r)`
	before, open := d.Text(d.t, history), d.Text(d.t, stands)
	for _, statement := range hostile {
		if role == "" && slices.ContainsFunc(owners, func(s string) bool { return strings.Contains(statement, s) }) {
			continue
		}
		statement = names.Replace(statement)
		if role == "" { // a change that the owner may make all the same is undone
			statement = "BEGIN; " + statement + "; SET CONSTRAINTS ALL IMMEDIATE"
		}
		if _, err := db.Exec(statement); !isGuarded(err) {
			d.t.Errorf("%s, by %s: %v, want a refusal", statement, who, err)
		}
		for _, end := range []string{`ROLLBACK`, `DISCARD ALL`} {
			_, err := db.Exec(end)
			d.must(err)
		}
		if after := d.Text(d.t, history); after != before {
			d.t.Fatalf("%s, by %s:\nbefore %s\nafter  %s", statement, who, before, after)
		}
		if after := d.Text(d.t, stands); after != open {
			d.t.Fatalf("%s, by %s:\nbefore %s\nafter  %s", statement, who, open, after)
		}
	}
}
