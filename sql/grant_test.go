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
	d.must(d.Resend(t.Context(), "00000B", "", "admin"))
	d.must(d.CancelNumber(t.Context(), "00000B"))
	d.deliver()
	d.sound()
	d.limits(role)
}

// Grant refuses rights that it cannot take away, with a statement that does. Once a
// superuser has run it, the next Grant succeeds. $R is the role, $G another one.
func TestGrantRefusesWhatItCannotTake(t *testing.T) {
	t.Parallel()
	d := open(t)
	owner, err := sql.Open(t.Context(), d.URL, 2)
	d.must(err)
	defer owner.Close()
	const role, group = "bascule_excess", "bascule_excess_group"
	for _, name := range []string{role, group} {
		d.must(sqltest.CreateRole(d.URL, name))
		t.Cleanup(func() { d.Exec(t, `DROP OWNED BY `+name+` CASCADE`); d.Exec(t, `DROP ROLE `+name) })
	}
	d.must(owner.Grant(t.Context(), role))
	names := strings.NewReplacer("$R", role, "$G", group)
	for what, setup := range map[string]string{
		"a group may truncate":                `GRANT $G TO $R; GRANT TRUNCATE ON audit TO $G`,
		"a group that it does not inherit":    `ALTER ROLE $R NOINHERIT; GRANT $G TO $R; GRANT DELETE ON recap TO $G`,
		"a column, through a group":           `GRANT $G TO $R; GRANT UPDATE (why) ON audit TO $G`,
		"a column that is inserted by no one": `GRANT $G TO $R; GRANT INSERT (access) ON space TO $G`,
		"a sequence, through a group":         `GRANT $G TO $R; GRANT UPDATE ON SEQUENCE audit_id_seq TO $G`,
		"triggers, through a group":           `GRANT $G TO $R; GRANT TRIGGER ON audit TO $G`,
		"foreign keys, through a group":       `GRANT $G TO $R; GRANT REFERENCES ON space TO $G`,
		"the schema, through a group":         `GRANT $G TO $R; GRANT CREATE ON SCHEMA public TO $G`,
		"the database, through a group":       `GRANT $G TO $R; DO $$ BEGIN EXECUTE format('GRANT CREATE ON DATABASE %I TO $G', current_database()); END $$`,
		"tables to come, through a group":     `GRANT $G TO $R; ALTER DEFAULT PRIVILEGES GRANT TRUNCATE ON TABLES TO $G`,
		"PUBLIC, by somebody else":            `GRANT TRUNCATE ON audit TO $G WITH GRANT OPTION; SET ROLE $G; GRANT TRUNCATE ON audit TO PUBLIC; RESET ROLE`,
		"itself, by somebody else":            `GRANT DELETE ON audit TO $G WITH GRANT OPTION; SET ROLE $G; GRANT DELETE ON audit TO $R; RESET ROLE`,
		"it makes roles":                      `ALTER ROLE $R CREATEROLE`,
		"it can become who makes roles":       `GRANT $G TO $R; ALTER ROLE $G CREATEROLE`,
		"it replicates":                       `ALTER ROLE $R REPLICATION`,
		"it bypasses row security":            `ALTER ROLE $R BYPASSRLS`,
		"it writes all data":                  `GRANT pg_write_all_data TO $R`,
		"it runs programs":                    `GRANT pg_execute_server_program TO $R`,
		"it owns a function":                  `CREATE FUNCTION helper() RETURNS int LANGUAGE sql AS 'SELECT 1'; ALTER FUNCTION helper() OWNER TO $R`,
		"a group owns the clock":              `GRANT $G TO $R; ALTER FUNCTION bascule_now() OWNER TO $G`,
		"it owns a table":                     `ALTER TABLE throttle OWNER TO $R`,
		"it owns the schema":                  `ALTER SCHEMA public OWNER TO $R`,
		"it owns the database":                `DO $$ BEGIN EXECUTE format('ALTER DATABASE %I OWNER TO $R', current_database()); END $$`,
		"a function runs as the owner":        `CREATE FUNCTION helper() RETURNS int LANGUAGE sql SECURITY DEFINER AS 'SELECT 1'`,
		"a function elsewhere runs as owner":  `CREATE SCHEMA tools; CREATE FUNCTION tools.helper() RETURNS int LANGUAGE sql SECURITY DEFINER AS 'SELECT 1'`,
		"it may switch triggers off":          `GRANT SET ON PARAMETER session_replication_role TO $R`,
		"its sessions start without triggers": `ALTER ROLE $R SET session_replication_role = replica`,
		"and in this database":                `DO $$ BEGIN EXECUTE format('ALTER ROLE $R IN DATABASE %I SET session_replication_role = replica', current_database()); END $$`,
		"all sessions start without triggers": `DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET session_replication_role = replica', current_database()); END $$`,
	} {
		d.Exec(t, names.Replace(setup))
		before := d.Text(t, `SELECT string_agg(relacl::text, ' ' ORDER BY oid) FROM pg_class WHERE relnamespace = 'public'::regnamespace`)
		err := owner.Grant(t.Context(), role)
		if err == nil || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v, want one line that refuses", what, err)
			continue
		}
		if after := d.Text(t, `SELECT string_agg(relacl::text, ' ' ORDER BY oid) FROM pg_class WHERE relnamespace = 'public'::regnamespace`); after != before {
			t.Errorf("%s: a refused Grant has changed rights", what)
		}
		for range 3 { // some have several rights too many
			if err == nil {
				break
			}
			_, remedy, _ := strings.Cut(err.Error(), "superuser say: ")
			d.Exec(t, remedy)
			err = owner.Grant(t.Context(), role)
		}
		if err != nil {
			t.Errorf("%s, after its remedy: %v", what, err)
		}
		d.Exec(t, names.Replace(`DROP FUNCTION IF EXISTS helper(); DROP SCHEMA IF EXISTS tools CASCADE; ALTER FUNCTION bascule_now() OWNER TO bascule;
			ALTER ROLE $R INHERIT; ALTER ROLE $G NOCREATEROLE; REVOKE $G FROM $R; REVOKE ALL ON ALL TABLES IN SCHEMA public FROM $G CASCADE`))
	}
}

// Grant takes away by itself all rights of PUBLIC on bascule's tables, and the default
// rights on new tables.
func TestGrantTakes(t *testing.T) {
	t.Parallel()
	d := open(t)
	owner, err := sql.Open(t.Context(), d.URL, 2)
	d.must(err)
	defer owner.Close()
	const role = "bascule_taken"
	d.must(sqltest.CreateRole(d.URL, role))
	t.Cleanup(func() { d.Exec(t, `DROP OWNED BY `+role); d.Exec(t, `DROP ROLE `+role) })
	d.Exec(t, `GRANT ALL ON ALL TABLES IN SCHEMA public TO PUBLIC, `+role)
	d.Exec(t, `GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO PUBLIC, `+role)
	d.Exec(t, `GRANT ALL (at, why) ON audit TO PUBLIC, `+role)
	d.Exec(t, `GRANT CREATE ON SCHEMA public TO PUBLIC, `+role)
	d.Exec(t, `DO $$ BEGIN EXECUTE format('GRANT ALL ON DATABASE %I TO PUBLIC, `+role+`', current_database()); END $$`)
	d.Exec(t, `ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO PUBLIC, `+role)
	d.Exec(t, `ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT ALL ON SEQUENCES TO PUBLIC, `+role)
	d.Exec(t, `GRANT EXECUTE ON FUNCTION analyze_filled() TO PUBLIC`) // as after pg_restore --no-privileges
	d.must(owner.Grant(t.Context(), role))
	d.Exec(t, `CREATE TABLE next_release (id bigint GENERATED ALWAYS AS IDENTITY)`)
	if got := d.Text(t, `SELECT concat_ws(' ',
		has_table_privilege($1, 'audit', 'UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER'), has_any_column_privilege($1, 'audit', 'UPDATE, REFERENCES'),
		has_sequence_privilege($1, 'audit_id_seq', 'USAGE, UPDATE'), has_schema_privilege($1, 'public', 'CREATE'),
		has_database_privilege($1, current_database(), 'CREATE'),
		has_table_privilege($1, 'next_release', 'SELECT, INSERT'), has_sequence_privilege($1, 'next_release_id_seq', 'USAGE'))`, role); got != "f f f f f f f" {
		t.Errorf("it has kept rights: %s", got)
	}
}

// Grant asks for rights that the owner of the tables cannot give, as the database is
// another role's.
func TestGrantAsksTheOwner(t *testing.T) {
	t.Parallel()
	d := open(t)
	const role, migrator = "bascule_outside", "bascule_migrator"
	for _, name := range []string{role, migrator} {
		d.must(sqltest.CreateRole(d.URL, name))
		t.Cleanup(func() { d.Exec(t, `DROP OWNED BY `+name+` CASCADE`); d.Exec(t, `DROP ROLE `+name) })
	}
	d.Exec(t, `DO $$ DECLARE name text; BEGIN
		EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database());
		EXECUTE format('GRANT CONNECT ON DATABASE %I TO `+migrator+`', current_database());
		FOR name IN SELECT oid::regclass FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'v') LOOP
			EXECUTE format('ALTER TABLE %s OWNER TO `+migrator+`', name);
		END LOOP;
	END $$`)
	d.Exec(t, `ALTER FUNCTION analyze_filled() OWNER TO `+migrator)
	owner, err := sql.Open(t.Context(), sqltest.As(t, d.URL, migrator), 2)
	d.must(err)
	defer owner.Close()
	if err := owner.Grant(t.Context(), role); err == nil || !strings.Contains(err.Error(), "also needs CONNECT and TEMPORARY") {
		t.Error(err)
	}
}

// limits are statements that a role may not run, whatever the rows.
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
