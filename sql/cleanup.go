package sql

import (
	"context"
	_ "embed"
)

//go:embed query/clean_up.sql
var cleanUp string

// CleanUp forgets up to limit each of sessions that are over, throttles that are empty,
// and mails that wait without end for nothing (D16, D17). It finds the largest of these
// numbers.
func (db *DB) CleanUp(ctx context.Context, limit int) (Looked, error) {
	return db.look(ctx, "clean up", cleanUp, limit)
}

//go:embed query/fold.sql
var fold string

// Fold shortens the tally, so that reading it stays fast. Its sums do not change.
func (db *DB) Fold(ctx context.Context) error {
	return wrap(db.exec(ctx, fold, foldLock), "fold the tally")
}
