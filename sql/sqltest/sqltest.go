// Package sqltest gives tests a migrated database, requests in the states that
// the importer and the workers leave them in, and a clock to move.
package sqltest

import (
	"context"
	stdsql "database/sql"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"bascule/internal/conversion"
	"bascule/internal/devenv/devtest"
	"bascule/sql"
)

// A DB is a migrated database of the test's own. In it the product has the rights of
// Application alone. A second door does what the product never does: move the clock,
// hold a lock, look at every row.
type DB struct {
	*sql.DB
	URL string     // of the owner
	Raw *stdsql.DB // the owner's

	wound sync.Once
}

// conns is enough for a hundred concurrent submissions to be in each other's way.
const conns = 20

// Open makes a database that is gone when the test ends. The package's TestMain
// calls devtest.Main.
func Open(t testing.TB) *DB { return open(t, sql.Open) }

// OpenPages is Open with a pool for pages, as serve has one.
func OpenPages(t testing.TB) *DB { return open(t, sql.OpenPages) }

func open(t testing.TB, connect func(context.Context, string, int) (*sql.DB, error)) *DB {
	t.Helper()
	url := devtest.Database(t, migrate)
	db, err := connect(context.Background(), As(t, url, Application), conns)
	must(t, err)
	raw, err := stdsql.Open("postgres", url)
	must(t, err)
	t.Cleanup(func() { db.Close(); raw.Close() })
	return &DB{DB: db, URL: url, Raw: raw}
}

// Pages is a pool of the same size for pages, as serve has one.
func (db *DB) Pages(t testing.TB) *sql.DB {
	t.Helper()
	pages, err := sql.OpenPages(context.Background(), As(t, db.URL, Application), conns)
	must(t, err)
	t.Cleanup(func() { pages.Close() })
	return pages
}

// Keys is a keyring that is the same in every test.
func Keys(t testing.TB) *conversion.Keyring {
	t.Helper()
	keys, err := conversion.ParseKeyring("dGVzdHMgYWxvbmUgdXNlIHRoaXMga2V5LCBub2JvZHkgZWxzZSE=")
	must(t, err)
	return keys
}

// Import is that of sql.DB; its campaign is running and has released all it holds.
func (db *DB) Import(ctx context.Context, in sql.Import, verdicts func(iter.Seq2[sql.Verdict, error]) error) (sql.ImportResult, error) {
	in.Start = true
	result, err := db.DB.Import(ctx, in, verdicts)
	if err != nil || in.DryRun {
		return result, err
	}
	return result, db.ReleaseAll(ctx)
}

// Retry is that of sql.DB, and releases the requests that it opens.
func (db *DB) Retry(ctx context.Context, p sql.Plan, keys *conversion.Keyring, actor string) (int64, error) {
	n, err := db.DB.Retry(ctx, p, keys, actor)
	return n, errors.Join(err, db.ReleaseAll(ctx))
}

// Lift is that of sql.DB; what waited is released.
func (db *DB) Lift(ctx context.Context, x conversion.Excluded, reason, actor string) (int, error) {
	n, err := db.DB.Lift(ctx, x, reason, actor)
	return n, errors.Join(err, db.ReleaseAll(ctx))
}

// Reissue is that of sql.DB; what it makes due is released.
func (db *DB) Reissue(ctx context.Context, leaked conversion.KeyID, keys *conversion.Keyring, actor string) (int64, error) {
	n, err := db.DB.Reissue(ctx, leaked, keys, actor)
	return n, errors.Join(err, db.ReleaseAll(ctx))
}

// StartCampaign starts a campaign with exactly these settings.
func (db *DB) StartCampaign(ctx context.Context, name string, s sql.CampaignSettings, why, actor string) error {
	return db.DB.StartCampaign(ctx, name, func(to *sql.CampaignSettings) { *to = s }, why, actor)
}

// ReleaseAll has the running campaigns release all that they may.
func (db *DB) ReleaseAll(ctx context.Context) error {
	for {
		if n, err := db.Release(ctx, nil, conversion.DefaultCodeLifetime); err != nil || n == 0 {
			return err
		}
	}
}

// An Invitation is a space and its request as an import makes them. Its zero
// fields are filled in; Number and Contact differ from call to call then.
type Invitation struct {
	Number    conversion.SubscriberNumber
	Holder    string
	Contact   string
	Companies []conversion.Company
}

// A Request is a request that waits for its code.
type Request struct {
	ID      int64
	SpaceID int64
	Number  conversion.SubscriberNumber
	Holder  string
	Contact conversion.Email
}

// Requested adds a certificate space and an open request whose mail is due.
func (db *DB) Requested(t testing.TB, keys *conversion.Keyring, in Invitation) Request {
	t.Helper()
	in = db.complete(t, in)
	contact := Email(t, in.Contact)
	companies, err := json.Marshal(in.Companies)
	must(t, err)
	r := Request{Number: in.Number, Holder: in.Holder, Contact: contact}
	nonce := conversion.Nonce(uuid.New())
	db.get(t, &r.SpaceID, `
		INSERT INTO space (number, holder, contact_email, contact_key, serial, issuer, certificate_expires, companies, contents)
		VALUES ($1, $2, $3, $4, md5($1), 'CN=AC des exemples', bascule_now()::date + 60, $5, md5($1)::uuid)
		RETURNING id`, in.Number, in.Holder, contact.String(), contact.Key(), companies)
	db.get(t, &r.ID, `
		INSERT INTO request (space_id, origin, requested_at) VALUES ($1, 'import', bascule_now()) RETURNING id`, r.SpaceID)
	db.Exec(t, `INSERT INTO code (request_id, generation, purpose, email, email_key, key_id, nonce) VALUES ($1, 1, 'identify', $2, $3, $4, $5)`,
		r.ID, contact.String(), contact.Key(), keys.Newest(), nonce[:])
	db.Exec(t, `INSERT INTO obligation (lane, kind, space_id, request_id, generation, due_at) VALUES ('bulk', 'code', $1, $2, 1, bascule_now())`, r.SpaceID, r.ID)
	return r
}

func (db *DB) complete(t testing.TB, in Invitation) Invitation {
	t.Helper()
	var n int
	db.get(t, &n, `SELECT coalesce(max(id), 0) + 1 FROM space`)
	if in.Number == "" {
		in.Number = conversion.SubscriberNumber(fmt.Sprintf("00%06d", n))
	}
	if in.Holder == "" {
		in.Holder = "Camille Duvallon"
	}
	if in.Contact == "" {
		in.Contact = fmt.Sprintf("contact%d@cabinet-duvallon.example", n)
	}
	if in.Companies == nil {
		in.Companies = []conversion.Company{{SIREN: "123456789", Name: "Boulangerie Duvallon", Services: []string{"TVA", "Paiement"}}}
	}
	return in
}

// Mail does to the code that counts of a request what a worker does: starts
// it, hands it over, marks it. It returns the code, good for
// [conversion.DefaultCodeLifetime], and the address it goes to.
func (db *DB) Mail(t testing.TB, keys *conversion.Keyring, request int64) (conversion.Email, conversion.Code) {
	t.Helper()
	c := db.readCode(t, `JOIN request r ON r.id = c.request_id AND r.generation = c.generation WHERE r.id = $1`, request)
	return c.email, db.start(t, keys, c, conversion.ForActivation, conversion.DefaultCodeLifetime)
}

// MailReset does the same to the latest code for a new password of a password
// space, whose identifier is email. It is good for [conversion.ResetLifetime].
func (db *DB) MailReset(t testing.TB, keys *conversion.Keyring, email string) (request int64, code conversion.Code) {
	t.Helper()
	c := db.readCode(t, `WHERE c.purpose = 'reset' AND c.email = $1 AND c.void_at IS NULL`, email)
	return c.request, db.start(t, keys, c, conversion.ForReset, conversion.ResetLifetime)
}

// MailIdentifier does the same to the code that proves another identifier.
func (db *DB) MailIdentifier(t testing.TB, keys *conversion.Keyring, email string) conversion.Code {
	t.Helper()
	c := db.readCode(t, `WHERE c.purpose = 'identifier' AND c.email = $1 AND c.void_at IS NULL`, email)
	return db.start(t, keys, c, conversion.ForIdentifier, conversion.ResetLifetime)
}

// code is a code that is to be mailed.
type code struct {
	request    int64
	generation int
	key        conversion.KeyID
	nonce      []byte
	email      conversion.Email
}

func (db *DB) readCode(t testing.TB, where string, arg any) (c code) {
	t.Helper()
	var email string
	must(t, db.Raw.QueryRow(`SELECT c.request_id, c.generation, c.key_id, c.nonce, c.email FROM code c `+where, arg).
		Scan(&c.request, &c.generation, &c.key, &c.nonce, &email))
	c.email = Email(t, email)
	return c
}

// start mails a code.
func (db *DB) start(t testing.TB, keys *conversion.Keyring, c code, of conversion.Purpose, life time.Duration) conversion.Code {
	t.Helper()
	text, err := keys.Code(of, c.key, conversion.Nonce(c.nonce), c.generation, c.email)
	must(t, err)
	tag, err := keys.Tag(keys.Newest(), c.email, text)
	must(t, err)
	db.Exec(t, `
		WITH started AS (
			UPDATE code SET tag = $4, started_at = now.t, expires_at = now.t + make_interval(secs => $3), mailed_at = now.t
			FROM (SELECT bascule_now() AS t) AS now WHERE request_id = $1 AND generation = $2 RETURNING request_id, generation, expires_at
		), done AS (
			DELETE FROM obligation o USING started s WHERE o.request_id = s.request_id AND o.generation = s.generation
		), told AS ( -- what the audit log would tell the tally
			INSERT INTO tally (batch_id, requested) SELECT r.batch_id, -1 FROM started s JOIN request r ON r.id = s.request_id AND r.generation = s.generation
		)
		INSERT INTO deadline (at, requests) SELECT expires_at, ARRAY[request_id] FROM started`,
		c.request, c.generation, life.Seconds(), int64(binary.BigEndian.Uint64(tag[:])))
	return text
}

// Overdue lets the deadline of the code that counts of a request pass: it was
// mailed one lifetime ago.
func (db *DB) Overdue(t testing.TB, request int64) {
	t.Helper()
	db.Exec(t, `
		WITH late AS (
			UPDATE code c SET started_at = c.started_at - (c.expires_at - now.t), expires_at = now.t
			FROM (SELECT bascule_now() AS t) AS now, request r
			WHERE r.id = $1 AND c.request_id = r.id AND c.generation = r.generation
			RETURNING c.request_id, c.expires_at
		)
		UPDATE deadline d SET at = l.expires_at, until = NULL FROM late l WHERE l.request_id = ANY (d.requests)`, request)
}

// Mailed is Requested, then Mail.
func (db *DB) Mailed(t testing.TB, keys *conversion.Keyring, in Invitation) (Request, conversion.Code) {
	t.Helper()
	r := db.Requested(t, keys, in)
	_, code := db.Mail(t, keys, r.ID)
	return r, code
}

// Shift moves the database's clock to d from the real one, for all its
// connections and until the next Shift or Freeze.
func (db *DB) Shift(t testing.TB, d time.Duration) {
	t.Helper()
	db.wind(t)
	db.Exec(t, `SELECT setval('clock_stands', 1, false), setval('clock_ahead', $1)`, d.Microseconds())
}

// Freeze stops the database's clock at an instant, until the next Shift.
func (db *DB) Freeze(t testing.TB, at time.Time) {
	t.Helper()
	db.wind(t)
	db.Exec(t, `SELECT setval('clock_stands', $1)`, at.UnixMicro())
}

// wind makes the clock one that can be moved. To move it costs next to nothing: after
// another body of its function every connection would plan its statements anew.
func (db *DB) wind(t testing.TB) {
	t.Helper()
	db.wound.Do(func() {
		db.Exec(t, `
			CREATE SEQUENCE IF NOT EXISTS clock_stands MINVALUE -9223372036854775808;
			CREATE SEQUENCE IF NOT EXISTS clock_ahead MINVALUE -9223372036854775808;
			GRANT USAGE ON SEQUENCE clock_stands, clock_ahead TO PUBLIC;
			CREATE OR REPLACE FUNCTION bascule_now() RETURNS timestamptz LANGUAGE sql VOLATILE RETURN coalesce(
				timestamptz 'epoch' + pg_sequence_last_value('clock_stands'::regclass) * interval '1 microsecond',
				clock_timestamp() + coalesce(pg_sequence_last_value('clock_ahead'::regclass), 0) * interval '1 microsecond')`)
	})
}

// Deadline is when the code that counts of a request stops working.
func (db *DB) Deadline(t testing.TB, request int64) (at time.Time) {
	t.Helper()
	db.get(t, &at, `SELECT expires_at FROM request_code WHERE id = $1`, request)
	return at
}

// Exec runs one statement.
func (db *DB) Exec(t testing.TB, query string, args ...any) {
	t.Helper()
	_, err := db.Raw.Exec(query, args...)
	must(t, err)
}

// Text is the one value that the query selects.
func (db *DB) Text(t testing.TB, query string, args ...any) string {
	t.Helper()
	var s string
	db.get(t, &s, query, args...)
	return s
}

// Dump is every row of every table, to tell whether anything has changed.
func (db *DB) Dump(t testing.TB) string {
	t.Helper()
	return db.Text(t, `SELECT coalesce(string_agg(table_name || ': ' ||
			query_to_xml(format('SELECT t::text AS r FROM %I AS t ORDER BY r', table_name), true, false, '')::text, E'\n' ORDER BY table_name), '')
		FROM information_schema.tables WHERE table_schema = 'public' AND table_type = 'BASE TABLE'`)
}

func (db *DB) get(t testing.TB, to any, query string, args ...any) {
	t.Helper()
	must(t, db.Raw.QueryRow(query, args...).Scan(to))
}

// Email parses an address that is certainly one.
func Email(t testing.TB, s string) conversion.Email {
	t.Helper()
	return devtest.Email(t, s)
}

// RetryAll plans a bulk retry, of one batch or of all if it is 0, and carries it out.
func (db *DB) RetryAll(ctx context.Context, batch int64, sameAddress bool, keys *conversion.Keyring) (int64, error) {
	return db.retry(ctx, sql.RetryScope{Batch: batch, SameAddress: sameAddress}, keys)
}

// RetryNumber does the same for one number.
func (db *DB) RetryNumber(ctx context.Context, number conversion.SubscriberNumber, keys *conversion.Keyring) (int64, error) {
	return db.retry(ctx, sql.RetryScope{Numbers: []conversion.SubscriberNumber{number}}, keys)
}

func (db *DB) retry(ctx context.Context, scope sql.RetryScope, keys *conversion.Keyring) (int64, error) {
	plan, err := db.PlanRetry(ctx, scope)
	if err != nil {
		return 0, err
	}
	return db.Retry(ctx, plan, keys, "admin")
}

// A LeftOutError says that a command leaves a number alone.
type LeftOutError struct{ Why sql.Obstacle }

func (e *LeftOutError) Error() string { return "left out: " + string(e.Why) }

// CancelNumber plans to cancel the open request of a number, and does it. It
// returns a *LeftOutError if there is none.
func (db *DB) CancelNumber(ctx context.Context, number conversion.SubscriberNumber) error {
	plan, err := db.PlanCancel(ctx, []conversion.SubscriberNumber{number})
	if err != nil {
		return err
	}
	if len(plan.Named) > 0 {
		return &LeftOutError{plan.Named[0].Why}
	}
	_, err = db.Cancel(ctx, plan, "admin")
	return err
}
