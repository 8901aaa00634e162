package sql_test

import (
	"context"
	stdsql "database/sql"
	"errors"
	"strings"
	"sync"
	"testing"

	"bascule/internal/conversion"
	"bascule/internal/devenv/devtest"
	"bascule/sql"
	"bascule/sql/sqltest"
)

// C9: `migrate` is safe to run twice and by many at once; nothing else starts on
// a database that it has not seen.
func TestMigrate(t *testing.T) {
	t.Parallel()
	url, ctx := devtest.Postgres(t), context.Background()
	db, err := sql.Open(ctx, url, 2)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.CheckSchema(ctx); !errors.Is(err, sql.ErrSchema) {
		t.Errorf("an empty database: %v, want ErrSchema", err)
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			db, err := sql.Open(ctx, url, 2)
			if err != nil {
				t.Error(err)
				return
			}
			defer db.Close()
			if err := db.Migrate(ctx); err != nil {
				t.Errorf("one of eight at once: %v", err)
			}
		})
	}
	wg.Wait()
	if err := db.CheckSchema(ctx); err != nil {
		t.Errorf("a migrated database: %v", err)
	}
	raw, err := stdsql.Open("postgres", url)
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	var versions int
	if err := raw.QueryRow(`SELECT count(*) FROM goose_db_version WHERE version_id = 1`).Scan(&versions); err != nil || versions != 1 {
		t.Errorf("version 1 was applied %d times, error %v", versions, err)
	}
}

// takeBacks are the statements of somebody who wants a switched space back, or
// forgotten. The switched number is $1.
var takeBacks = []string{
	// Back to the certificate.
	`UPDATE space SET access = 'certificate' WHERE number = $1`,
	`UPDATE space SET access = 'certificate', switched_at = NULL, email = NULL, email_key = NULL, password_hash = NULL, question = NULL, answer_hash = NULL WHERE number = $1`,
	`UPDATE space SET access = DEFAULT, switched_at = NULL, email = NULL, email_key = NULL, password_hash = NULL, question = NULL, answer_hash = NULL WHERE number = $1`,
	`WITH back AS (UPDATE space SET access = 'certificate', switched_at = NULL, email = NULL, email_key = NULL, password_hash = NULL, question = NULL, answer_hash = NULL WHERE number = $1 RETURNING id) SELECT * FROM back`,
	`INSERT INTO space (number, holder, contact_email, contact_key, serial, issuer, certificate_expires, contents)
		SELECT number, holder, contact_email, contact_key, serial, issuer, certificate_expires, contents FROM space WHERE number = $1
		ON CONFLICT (number) DO UPDATE SET access = 'certificate', switched_at = NULL, email = NULL, email_key = NULL, password_hash = NULL, question = NULL, answer_hash = NULL`,
	// Half a password space.
	`UPDATE space SET switched_at = NULL WHERE number = $1`,
	`UPDATE space SET switched_at = switched_at + interval '1 second' WHERE number = $1`,
	`UPDATE space SET email = NULL WHERE number = $1`,
	`UPDATE space SET email_key = NULL WHERE number = $1`,
	`UPDATE space SET email = NULL, email_key = NULL WHERE number = $1`,
	`UPDATE space SET password_hash = NULL WHERE number = $1`,
	`UPDATE space SET question = NULL, answer_hash = NULL WHERE number = $1`,
	// Another number, so that the sheet's is unknown.
	`UPDATE space SET number = number || '9' WHERE number = $1`,
	`UPDATE space SET number = lower(number) || 'x' WHERE number = $1`,
	`UPDATE space SET id = DEFAULT WHERE number = $1`,
	`UPDATE space SET number = number || '9'`,
	// Gone.
	`DELETE FROM space WHERE number = $1`,
	`DELETE FROM space`,
	`TRUNCATE space`,
	`TRUNCATE space CASCADE`,
	`TRUNCATE batch CASCADE`,
	`TRUNCATE import, batch, rejected, request, space, recap, session`,
	// The request that did it, its proof and its document.
	`DELETE FROM request WHERE activated_at IS NOT NULL`,
	`DELETE FROM request`,
	`TRUNCATE request CASCADE`,
	`UPDATE request SET activated_at = NULL`,
	`UPDATE request SET activated_at = NULL, expired_at = bascule_now()`,
	`UPDATE request SET activated_at = activated_at - interval '1 day'`,
	`UPDATE code SET expires_at = NULL, started_at = NULL, mailed_at = NULL WHERE request_id IN (SELECT id FROM request WHERE activated_at IS NOT NULL)`,
	`UPDATE code SET expires_at = r.activated_at FROM request r WHERE r.id = code.request_id AND r.activated_at IS NOT NULL`,
	`UPDATE request SET space_id = (SELECT min(id) FROM space WHERE number <> $1) WHERE activated_at IS NOT NULL`,
	`UPDATE request SET id = DEFAULT WHERE activated_at IS NOT NULL`,
	`DELETE FROM recap`,
	`TRUNCATE recap`,
	`UPDATE recap SET facts = '{"number": "other"}'`,
	`UPDATE recap SET request_id = (SELECT min(id) FROM request WHERE activated_at IS NULL)`,
	// The audit log.
	`UPDATE audit SET event = 'expired' WHERE event = 'activated'`,
	`DELETE FROM audit`,
	`TRUNCATE audit`,
	// The triggers that guard all this.
	`SET session_replication_role = replica; DELETE FROM audit`,
	`SET session_replication_role = replica; UPDATE space SET access = 'certificate', switched_at = NULL, email = NULL, email_key = NULL, password_hash = NULL, question = NULL, answer_hash = NULL`,
}

// kept is what must not be lost of the switched number.
const kept = `SELECT row(s.id, s.number, s.access, s.switched_at, s.email, s.password_hash, s.answer_hash, r, p, a)::text
	FROM space s JOIN request_code r ON r.space_id = s.id AND r.activated_at IS NOT NULL JOIN recap p ON p.request_id = r.id,
	LATERAL (SELECT string_agg(audit::text, ',' ORDER BY id) FROM audit) AS a
	WHERE s.number = '00000A'`

// R4, I2, I9: no statement takes a switched space back or makes it forgotten, of the
// application's role or of the owner of the tables. This holds even if references are
// not looked at, as in a session that replicates.
func TestSwitchIsIrrevocable(t *testing.T) {
	t.Parallel()
	d := open(t)
	d.switched("00000A", "a@duvallon.example")
	d.invited("00000B", "b@duvallon.example")
	before := d.Text(t, kept)
	app, err := stdsql.Open("postgres", sqltest.As(t, d.URL, sqltest.Application))
	if err != nil {
		t.Fatal(err)
	}
	defer app.Close()
	replica, err := stdsql.Open("postgres", d.URL+"&options=-c%20session_replication_role%3Dreplica")
	if err != nil {
		t.Fatal(err)
	}
	defer replica.Close()
	for _, statement := range takeBacks {
		for who, db := range map[string]*stdsql.DB{"owner": d.Raw, "application": app, "replicating owner": replica} {
			_, err := db.Exec(strings.ReplaceAll(statement, "$1", "'00000A'"))
			if after := d.Text(t, kept); after != before {
				t.Fatalf("%s, by the %s, error %v:\nbefore %s\nafter  %s", statement, who, err, before, after)
			}
			if err == nil {
				t.Errorf("%s, by the %s, is not refused", statement, who)
			}
		}
	}
}

// R4, I3: a trigger that names columns names each of which its condition compares the
// old value with the new one. It would not notice another one.
func TestTriggersNameTheirColumns(t *testing.T) {
	t.Parallel()
	d := open(t)
	const named = `SELECT count(*) FROM pg_trigger t WHERE t.tgattr::text <> '' AND NOT t.tgisinternal`
	if d.count(named) == 0 {
		t.Error("no trigger names columns")
	}
	if missing := d.Text(t, `SELECT coalesce(string_agg(t.tgname || ' ' || a.attname, ', '), '')
		FROM pg_trigger t JOIN pg_attribute a ON a.attrelid = t.tgrelid, pg_get_triggerdef(t.oid) AS def
		WHERE t.tgattr::text <> '' AND NOT t.tgisinternal AND NOT a.attnum = ANY (t.tgattr)
		  AND def ~ ('\mnew\.' || a.attname || '\M') AND def ~ ('\mold\.' || a.attname || '\M')`); missing != "" {
		t.Errorf("not named: %s", missing)
	}
}

// R4, R6: nothing that the product does takes a switched space back either.
func TestNothingTouchesASwitchedSpace(t *testing.T) {
	t.Parallel()
	d := open(t)
	request := d.switched("00000A", "a@duvallon.example")
	before := d.Text(t, kept)
	var state *sql.StateError
	var left *sqltest.LeftOutError
	for what, do := range map[string]func() error{
		"the same row":        func() error { return wantKinds("unchanged", d.kinds(row("00000A", "a@duvallon.example"))) },
		"another row":         func() error { return wantKinds("unchanged", d.kinds(row("00000A", "z@duvallon.example", holder("Z")))) },
		"the number in lower": func() error { return wantKinds("rejected", d.kinds(row("00000a", "a@duvallon.example"))) },
		"retry":               func() error { return wantNone(d.RetryAll(d.ctx, 0, true, d.keys)) },
		"reissue":             func() error { return wantNone(d.Reissue(d.ctx, d.keys.Newest(), d.keys, "admin")) },
		"cancel":              func() error { return wantAs(d.CancelNumber(d.ctx, "00000A"), &left) },
		"resend":              func() error { return wantAs(d.Resend(d.ctx, "00000A", "", "admin"), &state) },
		"bounce":              func() error { _, err := d.Bounced(d.ctx, request, 1, conversion.BounceGone); return err },
		"sweep":               func() error { d.Shift(t, 100*24*3600e9); _, err := d.Sweep(d.ctx, 100); d.Shift(t, 0); return err },
		"clean up":            func() error { _, err := d.CleanUp(d.ctx, 10); return err },
		"migrate":             func() error { return migrateAgain(d) },
	} {
		if err := do(); err != nil {
			t.Errorf("%s: %v", what, err)
		}
		if after := d.Text(t, kept); after != before {
			t.Errorf("%s:\nbefore %s\nafter  %s", what, before, after)
		}
	}
}

func migrateAgain(d *desk) error {
	owner, err := sql.Open(d.ctx, d.URL, 2)
	if err != nil {
		return err
	}
	defer owner.Close()
	return owner.Migrate(d.ctx)
}

func wantKinds(want, got string) error {
	if got != want {
		return errors.New("the verdict is " + got + ", want " + want)
	}
	return nil
}

func wantNone(n int64, err error) error {
	if n != 0 {
		return errors.New("it opened or changed a request")
	}
	return err
}

func wantAs[E error](err error, target *E) error {
	if !errors.As(err, target) {
		return errors.New("it is not refused")
	}
	return nil
}
