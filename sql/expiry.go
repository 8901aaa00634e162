package sql

import (
	"context"
	_ "embed"
	"fmt"
)

// Swept is what one sweep did.
type Swept struct {
	Deadlines int `db:"swept"`   // that have passed
	Expired   int `db:"expired"` // requests that it ended
}

//go:embed query/sweep.sql
var sweep string

// Sweep looks at up to limit deadlines that have passed, and expires their requests
// (R21). A deadline is that of all codes that started together. Sweep only brings the
// states up to date: a code is refused at its deadline even if nobody sweeps.
func (db *DB) Sweep(ctx context.Context, limit int) (Swept, error) {
	var s Swept
	err := again(func() error {
		stmt, err := db.prepare(ctx, sweep)
		if err != nil {
			return err
		}
		return stmt.GetContext(ctx, &s, limit)
	})
	if err != nil {
		return Swept{}, fmt.Errorf("sweep: %w", err)
	}
	return s, nil
}
