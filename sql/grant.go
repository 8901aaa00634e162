package sql

import (
	"context"
	stdsql "database/sql"
	_ "embed"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"
)

// grants are the rights that the commands other than migrate need on each table, and
// nothing else: no TRUNCATE, no trigger, no column that never changes. The application
// deletes rows that it no longer needs, never history (R4, I9).
var grants = [...]struct{ table, rights string }{
	{"goose_db_version", "SELECT"},
	{"campaign", "SELECT, INSERT (name, created_at), UPDATE (state, why, starts_at, pilot, per_day, min_help, again, open_until, watched_from, message, tried)"},
	{"person", "SELECT, INSERT (at, account, name, roles, actor)"},
	{"alert", "SELECT, INSERT (made_at, subject, text), UPDATE (subject), DELETE"},
	{"worker", "SELECT, INSERT, UPDATE (seen_at, trouble), DELETE"},
	{"campaign_audit", "SELECT, INSERT (at, campaign_id, event, actor, why)"},
	{"batch", "SELECT, INSERT, UPDATE (file_name, campaign_id)"},
	{"import", "SELECT, INSERT (batch_id, at, actor, rows, accepted, unchanged, not_due, excluded, rejected)"},
	{"rejected", "SELECT, INSERT, UPDATE (number, verdict, cell, reason), DELETE"},
	{"space", "SELECT, INSERT (id, number, holder, contact_email, contact_key, serial, issuer, certificate_expires, priority, companies, contents)," +
		" UPDATE (holder, contact_email, contact_key, serial, issuer, certificate_expires, priority, companies, contents," +
		" access, switched_at, email, email_key, password_hash, question, answer_hash)"},
	{"request", "SELECT, INSERT (id, space_id, batch_id, campaign_id, origin, password_hash, question, answer_hash, submission, requested_at)," +
		" UPDATE (batch_id, generation, other_addresses, password_hash, question, answer_hash, submission," +
		" activated_at, expired_at, undeliverable_at, cancelled_at)"},
	{"space_id_seq", "USAGE"},
	{"request_id_seq", "USAGE"},
	{"code", "SELECT, INSERT (request_id, generation, purpose, email, email_key, key_id, nonce, tag, bounce, bounced_at)," +
		" UPDATE (purpose, tag, resends, doubts, in_doubt, refusal, bounce, bounced_at, started_at, expires_at, mailed_at, void_at," +
		" typed_at, reminded_at)"},
	{"request_code", "SELECT"},
	{"deadline", "SELECT, INSERT (at, until, requests), UPDATE (at, until), DELETE"},
	{"exclusion", "SELECT, INSERT (kind, key, reason, made_at, made_by, ends_at), UPDATE (ends_at, lifted_by, lift_reason)"},
	{"space_exclusion", "SELECT"},
	{"obligation", "SELECT, INSERT (lane, kind, space_id, request_id, generation, campaign_id, copy, due_at, happened_at), DELETE," +
		" UPDATE (campaign_id, due_at, claim, claimed_until, started_at, message_date, attempts, interruptions, blame)"},
	{"held", "SELECT, INSERT, UPDATE (generation, priority, expires, not_before), DELETE"},
	{"allowance", "SELECT, INSERT, UPDATE (mails, granted), DELETE"},
	{"reinvitation", "SELECT, INSERT, UPDATE (at), DELETE"},
	{"breaker", "SELECT, UPDATE (opened_at, probe_at, reason)"},
	{"recap", "SELECT, INSERT (request_id, facts), UPDATE (pdf, sha256, rendered_at)"},
	{"session", "SELECT, INSERT, DELETE"},
	{"siege", "SELECT, INSERT, UPDATE (began_at, last_at, told_at)"},
	{"throttle", "SELECT, INSERT, UPDATE (empty_at), DELETE"},
	{"key", "SELECT, INSERT (id, check_value, known_at, worker_at), UPDATE (worker_at, given_up_at)"},
	{"tally", "SELECT, INSERT, DELETE"},
	{"audit", "SELECT, INSERT (at, space_id, request_id, event, actor, why)"},
}

// ErrRoleOwns says that a role owns the tables. No right can be taken from such a role.
var ErrRoleOwns = errors.New("the role owns the tables, or has the rights of who does: name another one")

// Grant gives an existing role exactly the rights that serve, work, import and the
// administrators' commands need. It takes all other rights from the role and from
// PUBLIC. The role can neither change the schema nor make bascule forget (R4, I9). Run
// it again after each Migrate, as the role that migrates.
//
// It returns ErrRoleOwns for a role that has the rights of the owner. Grant cannot take
// away rights that the role has through other roles or as an owner. The error then says
// what the operator can do, and nothing has changed.
func (db *DB) Grant(ctx context.Context, role string) error {
	err := db.inTx(ctx, func(tx *sqlx.Tx) error {
		if err := checkGrantee(ctx, tx, role); err != nil {
			return err
		}
		script, err := grantScript(ctx, tx, role)
		if err != nil {
			return err
		}
		if err := run(ctx, tx, do(script)); err != nil {
			return err
		}
		if err := checkGranted(ctx, tx, role); err != nil {
			return err
		}
		return checkExcess(ctx, tx, role)
	})
	return wrap(err, "grant to role %q", role)
}

func checkGrantee(ctx context.Context, tx *sqlx.Tx, role string) error {
	owns, err := get[stdsql.NullBool](ctx, tx, `SELECT (SELECT pg_has_role(r.oid, c.relowner, 'MEMBER') FROM pg_roles r WHERE r.rolname = $1)
		FROM pg_class c WHERE c.oid = 'space'::regclass`, role)
	switch {
	case err != nil:
		return err
	case !owns.Valid:
		return errors.New("there is no such role: make it first, with CREATE ROLE and LOGIN")
	case owns.Bool:
		return ErrRoleOwns
	}
	return nil
}

// OwnerWarning says in one line that the pool's role has the rights of the tables'
// owner and could delete history (R4). It is "" if the role has not.
func (db *DB) OwnerWarning(ctx context.Context) (string, error) {
	var r struct {
		Name string `db:"name"`
		Owns bool   `db:"owns"`
	}
	err := db.x.GetContext(ctx, &r, `SELECT current_user AS name, pg_has_role(relowner, 'MEMBER') AS owns FROM pg_class WHERE oid = 'space'::regclass`)
	if err != nil || !r.Owns {
		return "", wrap(err, "look at the role")
	}
	return fmt.Sprintf("the role %s owns the tables, or is a superuser: nothing keeps switched spaces and the audit log from it;"+
		" give DATABASE_URL a role of its own and run `bascule migrate --grant ROLE`", r.Name), nil
}

// quietSettings keep addresses out of PostgreSQL's own log (I6). Without them the log
// shows the values that break a constraint, the row that COPY was at, and the
// parameters of statements.
var quietSettings = [...]string{
	"log_error_verbosity = terse", "log_min_error_statement = panic", "log_parameter_max_length = 0", "log_parameter_max_length_on_error = 0",
}

// QuietLog keeps the values of the role's statements in this database out of
// PostgreSQL's own log. Only a superuser may set that. For other roles it returns in
// one line the statements that a superuser has to run; "" if they were run already.
func (db *DB) QuietLog(ctx context.Context, role string) (string, error) {
	var database string
	err := db.inTx(ctx, func(tx *sqlx.Tx) (err error) {
		if database, err = get[string](ctx, tx, `SELECT current_database()`); err != nil {
			return err
		}
		settings := make(pq.StringArray, len(quietSettings))
		for i, s := range quietSettings {
			settings[i] = strings.ReplaceAll(s, " ", "")
		}
		isSet, err := get[bool](ctx, tx, `SELECT coalesce((SELECT setconfig @> $2::text[] FROM pg_db_role_setting
			WHERE setrole = (SELECT oid FROM pg_roles WHERE rolname = $1) AND setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())), false)`,
			role, settings)
		if err != nil || isSet {
			return err
		}
		return run(ctx, tx, do(lockExclusively, grantLock), do(quiet(role, database)))
	})
	if sqlState(err) == "42501" {
		return "PostgreSQL's own log may show addresses; have a superuser say: " + quiet(role, database), nil
	}
	return "", wrap(err, "quiet the log of role %q", role)
}

func quiet(role, database string) string {
	var b strings.Builder
	for _, s := range quietSettings {
		fmt.Fprintf(&b, "ALTER ROLE %s IN DATABASE %s SET %s; ", pq.QuoteIdentifier(role), pq.QuoteIdentifier(database), s)
	}
	return strings.TrimSpace(b.String())
}

//go:embed query/owned_relations.sql
var ownedRelations string

// grantScript takes all rights away and gives the needed ones.
func grantScript(ctx context.Context, tx *sqlx.Tx, role string) (string, error) {
	var at struct {
		Database string `db:"database"`
		Schema   string `db:"schema"`
		Owner    string `db:"owner"`
	}
	err := tx.GetContext(ctx, &at, `SELECT current_database() AS database, current_schema() AS schema, relowner::regrole AS owner
		FROM pg_class WHERE oid = 'space'::regclass`)
	if err != nil {
		return "", err
	}
	var relations []struct {
		Name     string `db:"name"`
		Sequence bool   `db:"sequence"`
	}
	if err := tx.SelectContext(ctx, &relations, ownedRelations); err != nil {
		return "", err
	}
	to, schema, database := pq.QuoteIdentifier(role), pq.QuoteIdentifier(at.Schema), pq.QuoteIdentifier(at.Database)
	var b strings.Builder
	fmt.Fprintf(&b, "REVOKE CREATE ON DATABASE %s FROM PUBLIC, %s;\n", database, to)
	fmt.Fprintf(&b, "GRANT CONNECT, TEMPORARY ON DATABASE %s TO %s;\n", database, to)
	fmt.Fprintf(&b, "REVOKE CREATE ON SCHEMA %s FROM PUBLIC, %s;\n", schema, to) // PUBLIC has it before PostgreSQL 15
	fmt.Fprintf(&b, "GRANT USAGE ON SCHEMA %s TO %s;\n", schema, to)
	for _, in := range []string{"", " IN SCHEMA " + schema} {
		for _, kind := range []string{"TABLES", "SEQUENCES"} {
			fmt.Fprintf(&b, "ALTER DEFAULT PRIVILEGES FOR ROLE %s%s REVOKE ALL ON %s FROM PUBLIC, %s;\n", at.Owner, in, kind, to)
		}
	}
	for _, r := range relations {
		kind := "TABLE"
		if r.Sequence {
			kind = "SEQUENCE"
		}
		fmt.Fprintf(&b, "REVOKE ALL ON %s %s.%s FROM PUBLIC, %s;\n", kind, schema, r.Name, to)
	}
	for _, g := range grants {
		fmt.Fprintf(&b, "GRANT %s ON %s.%s TO %s;\n", g.rights, schema, g.table, to)
	}
	fmt.Fprintf(&b, "REVOKE ALL ON FUNCTION %s.analyze_filled() FROM PUBLIC;\n", schema) // a dump restored without rights gives it to all
	fmt.Fprintf(&b, "GRANT EXECUTE ON FUNCTION %s.analyze_filled() TO %s;\n", schema, to)
	return b.String(), nil
}

// checkGranted finds failures that PostgreSQL only warns of. Only the owners of the
// database and of the schema can grant rights on them.
func checkGranted(ctx context.Context, tx *sqlx.Tx, role string) error {
	enough, err := get[bool](ctx, tx, `SELECT has_database_privilege($1, current_database(), 'CONNECT')
		AND has_database_privilege($1, current_database(), 'TEMPORARY') AND has_schema_privilege($1, current_schema(), 'USAGE')`, role)
	if err == nil && !enough {
		err = errors.New("it also needs CONNECT and TEMPORARY on the database and USAGE on its schema: ask their owner")
	}
	return err
}

var (
	//go:embed query/excess_rights.sql
	excessRights string
	//go:embed query/excess_parameter.sql
	excessParameter string
)

// checkExcess returns an error that names the first right in excess, and the statement
// that takes it away. A right may be the role's own, PUBLIC's, or that of a role of
// which it is a member. Inheritance does not matter, as a member can become the other
// role.
func checkExcess(ctx context.Context, tx *sqlx.Tx, role string) error {
	tables, rights, columns := wanted()
	var excess []struct {
		What   string `db:"what"`
		Remedy string `db:"remedy"`
	}
	if err := tx.SelectContext(ctx, &excess, excessRights, role, tables, rights, columns); err != nil {
		return fmt.Errorf("look at its rights: %w", err)
	}
	if n := len(excess); n > 0 {
		return fmt.Errorf("%s (rights too many: %d): have its owner or a superuser say: %s", excess[0].What, n, excess[0].Remedy)
	}
	if version, err := get[int](ctx, tx, `SELECT current_setting('server_version_num')::int`); err != nil || version < 150000 {
		return err // before PostgreSQL 15, only a superuser may set it
	}
	off, err := get[bool](ctx, tx, excessParameter, role)
	if err == nil && off {
		err = fmt.Errorf("it may switch triggers off: have a superuser say: REVOKE SET ON PARAMETER session_replication_role FROM %s", pq.QuoteIdentifier(role))
	}
	return err
}

// wanted lists the grants one by one: a table, a right and a column. The column is ""
// for the whole table.
func wanted() (tables, rights, columns pq.StringArray) {
	for _, g := range grants {
		for _, m := range eachRight.FindAllStringSubmatch(g.rights, -1) {
			for column := range strings.SplitSeq(m[2], ", ") {
				tables, rights, columns = append(tables, g.table), append(rights, m[1]), append(columns, column)
			}
		}
	}
	return tables, rights, columns
}

// eachRight matches a right and the columns behind it.
var eachRight = regexp.MustCompile(`([A-Z]+)(?: \(([^)]*)\))?`)
