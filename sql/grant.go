package sql

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"
)

// grants are what the commands other than migrate do to each table, and no
// more: no TRUNCATE, no trigger, no column that never changes. The application
// deletes what is done with, never what happened (R4, I9).
var grants = [...]struct{ table, rights string }{
	{"goose_db_version", "SELECT"},
	{"batch", "SELECT, INSERT, UPDATE (file_name)"},
	{"import", "SELECT, INSERT"},
	{"rejected", "SELECT, INSERT, UPDATE (number, cell, reason), DELETE"},
	{"space", "SELECT, INSERT, UPDATE (holder, contact_email, contact_key, serial, issuer, certificate_expires, companies, contents," +
		" access, switched_at, email, email_key, password_hash, question, answer_hash)"},
	{"request", "SELECT, INSERT, UPDATE (batch_id, key_id, nonce, generation, contact_email, contact_key, contact_generation," +
		" chosen_email, chosen_key, password_hash, question, answer_hash, other_addresses, submission, in_doubt, refusal," +
		" started_at, expires_at, mailed_at, bounced_at, activated_at, expired_at, undeliverable_at, cancelled_at)"},
	{"code", "SELECT, INSERT, UPDATE (resends), DELETE"},
	{"obligation", "SELECT, INSERT, DELETE," +
		" UPDATE (lane, kind, due_at, claim, claimed_until, started_at, message_date, attempts, interruptions)"},
	{"breaker", "SELECT, UPDATE (opened_at, probe_at, reason, suspects, unclear, blamed)"},
	{"recap", "SELECT, INSERT, UPDATE (pdf, sha256, rendered_at)"},
	{"reset", "SELECT, INSERT, UPDATE (tag, started_at, expires_at, used_at)"},
	{"session", "SELECT, INSERT, DELETE"},
	{"siege", "SELECT, INSERT, UPDATE (began_at, last_at, told_at)"},
	{"throttle", "SELECT, INSERT, UPDATE (empty_at), DELETE"},
	{"audit", "SELECT, INSERT"},
}

// ErrRoleOwns says that a role owns the tables, so that nothing can be kept from it.
var ErrRoleOwns = errors.New("the role owns the tables, or has the rights of who does: name another one")

// Grant gives an existing role exactly what serve, work, import and the
// administrators' commands need, and takes from it what else was granted. The
// role can neither change the schema nor make bascule forget (R4, I9). It is to
// be run again after each Migrate, as the role that migrates. It returns
// ErrRoleOwns for a role that has the rights of the owner.
func (db *DB) Grant(ctx context.Context, role string) error {
	err := db.inTx(ctx, func(tx *sqlx.Tx) error {
		var owns bool
		if err := tx.GetContext(ctx, &owns, `SELECT pg_has_role($1, relowner, 'MEMBER') FROM pg_class WHERE oid = 'space'::regclass`, role); err != nil {
			return err
		}
		if owns {
			return ErrRoleOwns
		}
		script, err := grantScript(ctx, tx, role)
		if err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, script); err != nil {
			return err
		}
		return checkGranted(ctx, tx, role)
	})
	if err != nil {
		return fmt.Errorf("grant to role %q: %w", role, err)
	}
	return nil
}

func grantScript(ctx context.Context, tx *sqlx.Tx, role string) (string, error) {
	var at struct {
		Database string `db:"database"`
		Schema   string `db:"schema"`
	}
	if err := tx.GetContext(ctx, &at, `SELECT current_database() AS database, current_schema() AS schema`); err != nil {
		return "", err
	}
	to, schema := pq.QuoteIdentifier(role), pq.QuoteIdentifier(at.Schema)
	var b strings.Builder
	fmt.Fprintf(&b, "GRANT CONNECT, TEMPORARY ON DATABASE %s TO %s;\n", pq.QuoteIdentifier(at.Database), to)
	fmt.Fprintf(&b, "REVOKE CREATE ON SCHEMA %s FROM PUBLIC, %s;\n", schema, to) // PUBLIC has it before PostgreSQL 15
	fmt.Fprintf(&b, "GRANT USAGE ON SCHEMA %s TO %s;\n", schema, to)
	fmt.Fprintf(&b, "REVOKE ALL ON ALL TABLES IN SCHEMA %s FROM %s;\n", schema, to)
	for _, g := range grants {
		fmt.Fprintf(&b, "GRANT %s ON %s.%s TO %s;\n", g.rights, schema, g.table, to)
	}
	return b.String(), nil
}

// checkGranted catches what PostgreSQL only warns of: rights on the database
// and its schema are given and taken by their own owners.
func checkGranted(ctx context.Context, tx *sqlx.Tx, role string) error {
	var has struct {
		Connect bool `db:"connect"`
		Temp    bool `db:"temp"`
		Usage   bool `db:"usage"`
		Create  bool `db:"create"`
	}
	err := tx.GetContext(ctx, &has, `SELECT has_database_privilege($1, current_database(), 'CONNECT') AS connect,
		has_database_privilege($1, current_database(), 'TEMPORARY') AS temp,
		has_schema_privilege($1, current_schema(), 'USAGE') AS usage,
		has_schema_privilege($1, current_schema(), 'CREATE') AS create`, role)
	switch {
	case err != nil:
		return err
	case !has.Connect, !has.Temp, !has.Usage:
		return errors.New("it also needs CONNECT and TEMPORARY on the database and USAGE on its schema: ask their owner")
	case has.Create:
		return errors.New("it may create objects in the schema: ask its owner to REVOKE CREATE from it and from PUBLIC")
	}
	return nil
}
