package sql

import (
	"context"
	_ "embed"
	"fmt"
)

// A Batch is one spreadsheet that was handed in.
type Batch struct {
	ID       int64  `db:"id"`
	FileName string `db:"file_name"`
}

//go:embed query/batches.sql
var batches string

// Batches returns the latest batches, newest first, limit at the most.
func (db *DB) Batches(ctx context.Context, limit int) (list []Batch, err error) {
	if err := db.x.SelectContext(ctx, &list, batches, limit); err != nil {
		return nil, fmt.Errorf("list batches: %w", err)
	}
	return list, nil
}
