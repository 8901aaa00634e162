package sql

import (
	"context"
	_ "embed"
)

// Looked is what one look at rows whose time has come did.
type Looked struct {
	Found int `db:"found"` // rows: if they are fewer than the limit, there are no more
	Done  int `db:"done"`  // reminders, ended requests or invitations that followed
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
	return db.look(ctx, "remind", remind, limit)
}

// Sweep looks at up to limit deadlines that have passed, and expires their requests
// (R21). Up to 64 codes that started together have one deadline. Sweep only brings the
// states up to date: a code is refused at its deadline even if nobody sweeps.
func (db *DB) Sweep(ctx context.Context, limit int) (Looked, error) {
	return db.look(ctx, "sweep", sweep, limit)
}

func (db *DB) look(ctx context.Context, what, query string, limit int) (l Looked, err error) {
	err = again(func() error { return db.x.GetContext(ctx, &l, query, limit) })
	return l, wrap(err, "%s", what)
}
