package sql

import (
	"context"
	_ "embed"
	"fmt"
)

//go:embed query/clean_up.sql
var cleanUp string

// CleanUp forgets up to limit each of sessions that are over, throttles that are empty,
// and mails that wait without end for nothing (D16, D17). It returns the largest of these
// numbers.
func (db *DB) CleanUp(ctx context.Context, limit int) (n int, err error) {
	if err := db.x.GetContext(ctx, &n, cleanUp, limit); err != nil {
		return 0, fmt.Errorf("clean up: %w", err)
	}
	return n, nil
}

// foldLock lets one process at a time fold; see importLock.
const foldLock = -4

//go:embed query/fold.sql
var fold string

// Fold shortens the tally, so that reading it stays fast. Its sums do not change.
func (db *DB) Fold(ctx context.Context) error {
	if _, err := db.x.ExecContext(ctx, fold, foldLock); err != nil {
		return fmt.Errorf("fold the tally: %w", err)
	}
	return nil
}
