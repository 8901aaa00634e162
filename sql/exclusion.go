package sql

import (
	"context"
	_ "embed"
	"iter"
	"maps"
	"slices"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"

	"bascule/internal/conversion"
)

// An Exclusion says which person no campaign invites or reminds, and why (D17).
type Exclusion struct {
	conversion.Excluded
	Reason string
	EndsAt time.Time // it holds until this instant; zero: until it is lifted
}

// A SpaceExclusion is an exclusion that leaves a space alone now.
type SpaceExclusion struct {
	Kind   conversion.ExcludedKind `db:"kind" json:"kind"`
	Key    string                  `db:"key" json:"key"`
	Reason string                  `db:"reason" json:"reason"`
	MadeBy string                  `db:"made_by" json:"by"`
	MadeAt time.Time               `db:"made_at" json:"since"`
	EndsAt *time.Time              `db:"ends_at" json:"until,omitempty"` // nil: until it is lifted
}

var (
	//go:embed query/lock_exclusions.sql
	lockExclusions string
	//go:embed query/exclude.sql
	excludeQuery string
	//go:embed query/lift_exclusion.sql
	liftExclusion string
)

// waitForExclusions waits for who makes exclusions: one of the same may come into being,
// and no row of it is there to be locked.
var waitForExclusions = do(lockExclusively, excludeLock)

// A KeptExclusion is an exclusion that holds now.
type KeptExclusion struct {
	SpaceExclusion
	Spaces int `db:"spaces" json:"spaces"` // the spaces that it names
}

// LastDay is the last day in Paris on which an exclusion with an end holds.
func (x KeptExclusion) LastDay() time.Time {
	return x.EndsAt.Add(-time.Second).In(conversion.Paris)
}

//go:embed query/list_exclusions.sql
var listExclusions string

// Exclusions lists all exclusions that hold now, the oldest first.
func (db *DB) Exclusions(ctx context.Context) iter.Seq2[KeptExclusion, error] {
	return readRows[KeptExclusion](ctx, db.x, listExclusions)
}

// An ExclusionCount tells what a list of exclusions changes.
type ExclusionCount struct {
	New     int `json:"new"`
	Changed int `json:"changed"` // another reason or end
	Same    int `json:"same"`
}

//go:embed query/held_exclusions.sql
var heldExclusions string

// ExcludeAll excludes all of a list, or nobody. An exclusion that holds already stays
// as it is. The list has nobody twice with another reason or end. A dry run only counts.
func (db *DB) ExcludeAll(ctx context.Context, list []Exclusion, actor string, dryRun bool) (n ExclusionCount, err error) {
	err = db.inTx(ctx, func(tx *sqlx.Tx) error {
		if !dryRun {
			if err := run(ctx, tx, waitForExclusions); err != nil {
				return err
			}
		}
		held, err := exclusionsHeld(ctx, tx)
		if err != nil {
			return err
		}
		var others []Exclusion
		if others, n = held.others(list); dryRun {
			return nil
		}
		_, err = exclude(ctx, tx, others, actor)
		return err
	})
	return n, wrap(err, "exclude a list")
}

// exclusions are those that hold.
type exclusions map[conversion.Excluded]Exclusion

// others adds those of a list that do not hold already, and returns them.
func (held exclusions) others(list []Exclusion) (others []Exclusion, n ExclusionCount) {
	for _, x := range list {
		before, known := held[x.Excluded]
		switch {
		case known && before.same(x):
			n.Same++
			continue
		case known:
			n.Changed++
		default:
			n.New++
		}
		held[x.Excluded] = x
		others = append(others, x)
	}
	return others, n
}

func (x Exclusion) same(y Exclusion) bool { return x.Reason == y.Reason && x.EndsAt.Equal(y.EndsAt) }

// exclusionsHeld reads and locks the exclusions that hold.
func exclusionsHeld(ctx context.Context, tx *sqlx.Tx) (exclusions, error) {
	held := make(exclusions)
	for x, err := range readRows[SpaceExclusion](ctx, tx, heldExclusions) {
		if err != nil {
			return nil, err
		}
		e := Exclusion{Reason: x.Reason}
		if x.EndsAt != nil {
			e.EndsAt = *x.EndsAt
		}
		held[conversion.Excluded{Kind: x.Kind, Key: x.Key}] = e
	}
	return held, nil
}

//go:embed query/count_named.sql
var countNamed string

// CountNamed tells how many spaces an exclusion would name.
func (db *DB) CountNamed(ctx context.Context, x conversion.Excluded) (n int, err error) {
	err = db.x.GetContext(ctx, &n, countNamed, x.Kind, x.Key)
	return n, wrap(err, "count whom an exclusion names")
}

// Exclude leaves somebody alone from now on: no import leads to an invitation or a
// reminder (D17). It replaces an exclusion of the same that holds already. It returns
// how many spaces the exclusion names.
func (db *DB) Exclude(ctx context.Context, x Exclusion, actor string) (spaces int, err error) {
	err = db.inTx(ctx, func(tx *sqlx.Tx) error {
		spaces, err = excludeOne(ctx, tx, x, actor)
		return err
	})
	return spaces, wrap(err, "exclude")
}

func excludeOne(ctx context.Context, tx *sqlx.Tx, x Exclusion, actor string) (spaces int, err error) {
	if err := run(ctx, tx, waitForExclusions, do(lockExclusions, x.Kind, x.Key)); err != nil {
		return 0, err
	}
	return exclude(ctx, tx, []Exclusion{x}, actor)
}

// exclude makes new exclusions. The caller has locked those that they replace.
func exclude(ctx context.Context, tx *sqlx.Tx, list []Exclusion, actor string) (spaces int, err error) {
	type columns struct{ keys, ends, reasons pq.StringArray }
	byKind := make(map[conversion.ExcludedKind]columns)
	for _, x := range list {
		c := byKind[x.Kind]
		byKind[x.Kind] = columns{append(c.keys, x.Key), append(c.ends, x.ends()), append(c.reasons, x.Reason)}
	}
	for _, kind := range slices.Sorted(maps.Keys(byKind)) {
		c := byKind[kind]
		named, err := get[int](ctx, tx, excludeQuery, kind, c.keys, c.ends, c.reasons, actor)
		if err != nil {
			return 0, err
		}
		spaces += named
	}
	return spaces, nil
}

// ends is the end of an exclusion as PostgreSQL reads it.
func (x Exclusion) ends() string {
	if x.EndsAt.IsZero() {
		return never
	}
	return x.EndsAt.Format(time.RFC3339Nano)
}

// Lift ends an exclusion by Exclude or by a complaint, for a reason. The invitations
// that waited for it are due again. It returns how many spaces the exclusion names, or
// conversion.ErrNotFound if there is no such exclusion.
func (db *DB) Lift(ctx context.Context, x conversion.Excluded, reason, actor string) (spaces int, err error) {
	var row struct {
		Lifted int `db:"lifted"`
		Spaces int `db:"spaces"`
	}
	err = db.inTx(ctx, func(tx *sqlx.Tx) error {
		if err := run(ctx, tx, do(lockExclusions, x.Kind, x.Key)); err != nil {
			return err
		}
		return tx.GetContext(ctx, &row, liftExclusion, x.Kind, x.Key, reason, actor)
	})
	if err == nil && row.Lifted == 0 {
		err = conversion.ErrNotFound
	}
	return row.Spaces, wrap(err, "lift the exclusion of this %s", x.Kind)
}
