package sql

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Migrate creates or upgrades the schema. It is safe to run twice, and by two processes
// at once: one waits for the other.
func (db *DB) Migrate(ctx context.Context) error {
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

func (db *DB) migrator(options ...goose.ProviderOption) (*goose.Provider, error) {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, err
	}
	return goose.NewProvider(goose.DialectPostgres, db.x.DB, files, append(options, goose.WithSlog(slog.New(slog.DiscardHandler)))...)
}

// ErrSchema says that the schema of the database is not that of this program.
var ErrSchema = errors.New("the database schema is not up to date: run `bascule migrate`")

// CheckSchema returns ErrSchema unless the schema is the one of this program.
func (db *DB) CheckSchema(ctx context.Context) error {
	p, err := db.migrator()
	if err != nil {
		return fmt.Errorf("check schema: %w", err)
	}
	var exists bool
	if err := db.x.GetContext(ctx, &exists, `SELECT to_regclass('goose_db_version') IS NOT NULL`); err != nil {
		return fmt.Errorf("check schema: %w", err)
	}
	if !exists {
		return ErrSchema
	}
	pending, err := p.HasPending(ctx)
	if err == nil && pending {
		return ErrSchema
	}
	return wrap(err, "check schema")
}
