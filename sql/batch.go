package sql

import (
	"context"
	_ "embed"
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
	err = db.x.SelectContext(ctx, &list, batches, limit)
	return list, wrap(err, "list batches")
}
