package sql

import (
	"context"
	_ "embed"
)

// Swept is what one sweep did.
type Swept struct {
	Deadlines int `db:"swept"`   // that have passed
	Expired   int `db:"expired"` // requests that it ended
}

// Looked is what one look at half time did.
type Looked struct {
	Deadlines int `db:"looked"`   // of codes that started together
	Reminded  int `db:"reminded"` // codes whose reminder is due
}

var (
	//go:embed query/sweep.sql
	sweep string
	//go:embed query/remind.sql
	remind string
)

// Remind looks at up to limit deadlines that have reached half time, and makes
// the reminders due (D16).
func (db *DB) Remind(ctx context.Context, limit int) (Looked, error) {
	var l Looked
	err := db.look(ctx, &l, remind, limit)
	return l, wrap(err, "remind")
}

// Sweep looks at up to limit deadlines that have passed, and expires their requests
// (R21). All codes that started together have one deadline. Sweep only brings the
// states up to date: a code is refused at its deadline even if nobody sweeps.
func (db *DB) Sweep(ctx context.Context, limit int) (Swept, error) {
	var s Swept
	err := db.look(ctx, &s, sweep, limit)
	return s, wrap(err, "sweep")
}

func (db *DB) look(ctx context.Context, into any, query string, limit int) error {
	return again(func() error { return db.x.GetContext(ctx, into, query, limit) })
}
