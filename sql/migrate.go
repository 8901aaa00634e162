package sql

import (
	"context"
	stdsql "database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"

	"github.com/lib/pq"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Migrate creates or upgrades the schema. It is safe to run twice, and by two processes
// at once: one waits for the other.
// It refuses a database that cannot keep every name.
func (db *DB) Migrate(ctx context.Context) error {
	if err := db.checkEncoding(ctx); err != nil {
		return err
	}
	if err := db.checkPlace(ctx); err != nil {
		return err
	}
	if err := db.checkRoom(ctx); err != nil {
		return err
	}
	// A process that waits for another's migration looks once a second, for five
	// minutes.
	locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, 300))
	if err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	p, err := db.migrator(goose.WithSessionLocker(locker))
	if err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	_, err = p.Up(ctx)
	return wrap(err, "migrate")
}

// checkEncoding returns an error unless the database keeps all characters. SQL_ASCII does:
// it keeps bytes as they come, and bascule's are UTF-8. An encoding can be chosen only as
// a database is made.
func (db *DB) checkEncoding(ctx context.Context) error {
	encoding, err := get[string](ctx, db.x, `SHOW server_encoding`)
	if err == nil && encoding != "UTF8" && encoding != "SQL_ASCII" {
		err = fmt.Errorf("the database is encoded in %s: make one by CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0", encoding)
	}
	return wrap(err, "migrate")
}

// checkPlace returns an error if another schema comes before the one with the tables. Goose
// looks at the first alone: it would take the tables for missing, and make them once more.
func (db *DB) checkPlace(ctx context.Context) error {
	schema, err := get[string](ctx, db.x, `SELECT coalesce((SELECT nspname FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
		WHERE c.oid = to_regclass('obligation') AND nspname <> current_schema()), '')`)
	if err == nil && schema != "" {
		err = fmt.Errorf("bascule's tables are in the schema %s, and another one comes first in the search_path of this role:"+
			" ALTER ROLE … SET search_path = %[1]s", pq.QuoteIdentifier(schema))
	}
	if err == nil && schema == "" {
		err = db.checkName(ctx)
	}
	return wrap(err, "look for the tables")
}

// checkName returns an error if the schema of the tables was renamed. Its functions keep the
// name that it had, so that no temporary table comes before ours: nothing would be counted,
// and no outcome of a mail recorded.
func (db *DB) checkName(ctx context.Context) error {
	var name struct{ Now, Then string }
	err := db.x.GetContext(ctx, &name, `SELECT quote_ident(current_schema()) AS now, coalesce((SELECT substring(c FROM '^search_path=(.*), pg_temp$')
		FROM pg_proc p, unnest(proconfig) AS c WHERE p.oid = to_regprocedure('analyze_filled()')), '') AS then WHERE current_schema() IS NOT NULL`)
	switch {
	case errors.Is(err, stdsql.ErrNoRows): // no schema at all
		return nil
	case err == nil && name.Then != "" && name.Then != name.Now:
		err = fmt.Errorf("the schema of bascule's tables was renamed, and their functions know its old name: ALTER SCHEMA %s RENAME TO %s", name.Now, name.Then)
	}
	return err
}

// checkRoom returns an error if there are no tables yet, and the role may make none.
func (db *DB) checkRoom(ctx context.Context) error {
	var at struct {
		Role, Schema string
		Room         bool
	}
	err := db.x.GetContext(ctx, &at, `SELECT quote_ident(current_user) AS role, coalesce(quote_ident(current_schema()), '') AS schema,
		to_regclass('goose_db_version') IS NOT NULL OR coalesce(has_schema_privilege(current_schema(), 'CREATE'), false) AS room`)
	switch {
	case err != nil || at.Room:
	case at.Schema == "":
		err = fmt.Errorf("the search_path of the role %s leads to no schema: ALTER ROLE %[1]s SET search_path = public, or CREATE the schema that it names", at.Role)
	default:
		err = fmt.Errorf("the role %s may make no tables in the schema %s: have a superuser say ALTER SCHEMA %[2]s OWNER TO %[1]s", at.Role, at.Schema)
	}
	return wrap(err, "migrate")
}

func (db *DB) migrator(options ...goose.ProviderOption) (*goose.Provider, error) {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, err
	}
	return goose.NewProvider(goose.DialectPostgres, db.x.DB, files, append(options, goose.WithSlog(slog.New(slog.DiscardHandler)))...)
}

// ErrSchema says that the schema of the database is not that of this program.
var ErrSchema = errors.New("the database schema is not up to date: run `bascule migrate`")

var errHidden = errors.New("bascule's tables are in a schema that this role does not see:" +
	" let its search_path name the schema, and run `bascule migrate --grant ROLE` as the owner")

// CheckSchema returns ErrSchema unless the schema is the one of this program.
func (db *DB) CheckSchema(ctx context.Context) error {
	if err := db.checkPlace(ctx); err != nil {
		return err
	}
	p, err := db.migrator()
	if err != nil {
		return fmt.Errorf("check schema: %w", err)
	}
	var seen, exists bool
	if err := db.x.QueryRowxContext(ctx, `SELECT to_regclass('goose_db_version') IS NOT NULL,
		EXISTS (SELECT FROM pg_class WHERE relname = 'goose_db_version')`).Scan(&seen, &exists); err != nil {
		return fmt.Errorf("check schema: %w", err)
	}
	switch {
	case !exists:
		return ErrSchema
	case !seen:
		return errHidden
	}
	pending, err := p.HasPending(ctx)
	if err == nil && pending {
		return ErrSchema
	}
	return wrap(err, "check schema")
}
