package sql

import (
	"context"
	stdsql "database/sql"
	_ "embed"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"

	"bascule/internal/conversion"
)

// An Exclusion says which person no campaign invites or reminds, and why (D17).
type Exclusion struct {
	conversion.Excluded
	Reason string
	Actor  string
	EndsAt time.Time // it holds until this instant; zero: until it is lifted
}

// A SpaceExclusion is an exclusion that leaves a space alone now.
type SpaceExclusion struct {
	Kind   conversion.ExcludedKind `db:"kind"`
	Key    string                  `db:"key"`
	Reason string                  `db:"reason"`
	MadeAt time.Time               `db:"made_at"`
	MadeBy string                  `db:"made_by"`
	EndsAt stdsql.NullTime         `db:"ends_at"` // null: until it is lifted
}

var (
	//go:embed query/exclude.sql
	excludeQuery string
	//go:embed query/lift_exclusion.sql
	liftExclusion string
	//go:embed query/story_exclusions.sql
	storyExclusions string
)

//go:embed query/count_named.sql
var countNamed string

// CountNamed tells how many spaces an exclusion would name.
func (db *DB) CountNamed(ctx context.Context, x conversion.Excluded) (n int, err error) {
	if err := db.x.GetContext(ctx, &n, countNamed, x.Kind, x.Key); err != nil {
		return 0, fmt.Errorf("count whom an exclusion names: %w", err)
	}
	return n, nil
}

// Exclude leaves somebody alone from now on: no import leads to an invitation or a
// reminder (D17). It replaces an exclusion of the same that holds already. It returns
// how many spaces the exclusion names.
func (db *DB) Exclude(ctx context.Context, x Exclusion) (spaces int, err error) {
	err = db.inTx(ctx, func(tx *sqlx.Tx) error {
		spaces, err = exclude(ctx, tx, x)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("exclude: %w", err)
	}
	return spaces, nil
}

func exclude(ctx context.Context, tx *sqlx.Tx, x Exclusion) (spaces int, err error) {
	var ends any = "infinity"
	if !x.EndsAt.IsZero() {
		ends = x.EndsAt
	}
	err = tx.GetContext(ctx, &spaces, excludeQuery, x.Kind, x.Key, ends, x.Reason, x.Actor)
	return spaces, err
}

// Lift ends an exclusion by Exclude or by a complaint, for a reason. The invitations
// that waited for it are due again. It returns how many spaces the exclusion names, or
// conversion.ErrNotFound if there is no such exclusion.
func (db *DB) Lift(ctx context.Context, x conversion.Excluded, reason, actor string) (spaces int, err error) {
	var row struct {
		Lifted int `db:"lifted"`
		Spaces int `db:"spaces"`
	}
	err = db.x.GetContext(ctx, &row, liftExclusion, x.Kind, x.Key, reason, actor)
	if err == nil && row.Lifted == 0 {
		err = conversion.ErrNotFound
	}
	if err != nil {
		return 0, fmt.Errorf("lift the exclusion of this %s: %w", x.Kind, err)
	}
	return row.Spaces, nil
}

// exclusions are the exclusions that leave a space alone at an instant.
func exclusions(ctx context.Context, q sqlx.QueryerContext, space int64, at time.Time) ([]SpaceExclusion, error) {
	var list []SpaceExclusion
	err := sqlx.SelectContext(ctx, q, &list, storyExclusions, space, at)
	return list, err
}
