package sql_test

import (
	stdsql "database/sql"
	"errors"
	"strings"
	"testing"

	"bascule/sql"
	"bascule/sql/sqltest"
)

// R4, I9: with what Grant gives, a role imports, mails, activates, expires and
// reports, and has no way to the tables but that. Every test of the product runs
// as such a role; this one makes a role of its own and looks at its limits.
func TestGrant(t *testing.T) {
	t.Parallel()
	const role = "bascule_granted"
	d := open(t)
	if err := sqltest.CreateRole(d.URL, role); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Exec(t, `DROP OWNED BY `+role); d.Exec(t, `DROP ROLE `+role) })
	d.Exec(t, `GRANT ALL ON ALL TABLES IN SCHEMA public TO `+role) // too much, from before
	d.Exec(t, `GRANT CREATE ON SCHEMA public TO `+role+`, PUBLIC`)
	owner, err := sql.Open(t.Context(), d.URL, 2)
	d.must(err)
	defer owner.Close()
	for range 2 {
		d.must(owner.Grant(t.Context(), role))
	}
	if err := owner.Grant(t.Context(), "bascule"); !errors.Is(err, sql.ErrRoleOwns) {
		t.Errorf("the owner itself: %v, want ErrRoleOwns", err)
	}
	if err := owner.Grant(t.Context(), `nobody"; DROP TABLE audit; --`); err == nil || errors.Is(err, sql.ErrRoleOwns) {
		t.Errorf("an unknown role: %v", err)
	}

	d.DB.DB, err = sql.Open(t.Context(), sqltest.As(t, d.URL, role), 4)
	d.must(err)
	defer d.Close()
	d.must(d.CheckSchema(t.Context()))
	request, p := d.invited("00000A", "a@duvallon.example")
	if _, err := d.choose(p, "other@duvallon.example"); err != nil {
		t.Fatal(err)
	}
	d.must(d.activate(d.mail(request)))
	d.invited("00000B", "b@duvallon.example")
	d.must(d.Resend(t.Context(), "00000B", "admin"))
	d.must(d.Cancel(t.Context(), "00000B", "admin"))
	d.deliver()
	d.sound()
	d.limits(role)
}

// limits are what a role may not do, whatever the rows.
func (d *desk) limits(role string) {
	d.t.Helper()
	conn, err := stdsql.Open("postgres", sqltest.As(d.t, d.URL, role))
	d.must(err)
	defer conn.Close()
	for _, statement := range []string{
		`ALTER TABLE space DISABLE TRIGGER ALL`,
		`ALTER TABLE audit DISABLE TRIGGER audit_is_append_only`,
		`DROP TRIGGER audit_is_append_only ON audit`,
		`SET session_replication_role = replica`,
		`CREATE OR REPLACE FUNCTION bascule_now() RETURNS timestamptz LANGUAGE sql VOLATILE AS 'SELECT timestamptz ''2000-01-01'''`,
		`CREATE OR REPLACE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN OLD; END'`,
		`CREATE FUNCTION request_is_open(space) RETURNS boolean LANGUAGE sql AS 'SELECT true'`,
		`CREATE TABLE mine (id int)`,
		`CREATE TRIGGER t BEFORE INSERT ON audit EXECUTE FUNCTION refuse('x')`,
		`CREATE RULE r AS ON INSERT TO audit DO INSTEAD NOTHING`,
		`DROP TABLE audit`,
		`DELETE FROM audit`,
		`UPDATE audit SET actor = 'nobody'`,
		`TRUNCATE audit`,
		`TRUNCATE obligation`,
		`DELETE FROM space`,
		`DELETE FROM request`,
		`DELETE FROM recap`,
		`DELETE FROM batch`,
		`UPDATE space SET number = number`,
		`UPDATE request SET space_id = space_id`,
		`UPDATE recap SET facts = facts`,
		`UPDATE import SET rows = rows`,
		`UPDATE goose_db_version SET version_id = 0`,
		`SELECT setval('audit_id_seq', 1)`,
	} {
		_, err := conn.ExecContext(d.ctx, statement)
		if err == nil || !strings.Contains(err.Error(), "permission denied") && !strings.Contains(err.Error(), "must be owner") {
			d.t.Errorf("%s: %v, want it forbidden", statement, err)
		}
	}
}
