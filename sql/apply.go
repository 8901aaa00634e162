package sql

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"time"
)

const (
	// maxStores bounds how often an import begins to apply its rows.
	maxStores = 5
	// maxJudgements bounds how often rows that lost a race are judged again
	// while they are applied.
	maxJudgements = 5
)

var (
	//go:embed query/judge_again.sql
	judgeAgain string
	//go:embed query/verdicts_changed.sql
	verdictsChanged string
)

// store tells the verdicts, then applies the rows behind a savepoint, so that
// only the second, shorter part holds locks. If a verdict has changed in between,
// or another transaction is in the way of this one, the locks are given back, and
// all rows are judged and told again. The last time, what has changed is told
// while the locks are held.
func (r *importRun) store(ctx context.Context) (ImportResult, error) {
	for attempt := 1; ; attempt++ {
		if err := r.tell(ctx); err != nil {
			return ImportResult{}, err
		}
		if err := r.steps(ctx, step{`SAVEPOINT apply`, nil}); err != nil {
			return ImportResult{}, err
		}
		r.Stage("storing")
		result, changed, err := r.apply(ctx)
		last := attempt == maxStores
		switch {
		case isVictim(err) && last:
			return ImportResult{}, fmt.Errorf("other transactions keep locking what this one needs, nothing was stored: import the same file again: %w", err)
		case err != nil && !isVictim(err):
			return ImportResult{}, err
		case err == nil && (!changed || r.verdicts == nil):
			return result, nil
		case err == nil && last:
			return result, r.tell(ctx)
		}
		at, err := r.back(ctx)
		if err != nil {
			return ImportResult{}, err
		}
		if err := r.steps(ctx, step{judgeAgain, nil}, r.known(at), step{analyzeStaged, nil}); err != nil {
			return ImportResult{}, err
		}
	}
}

// back undoes what was applied, and gives its locks back.
func (r *importRun) back(ctx context.Context) (time.Time, error) {
	if err := r.steps(ctx, step{`ROLLBACK TO SAVEPOINT apply`, nil}); err != nil {
		return time.Time{}, err
	}
	return now(ctx, r.tx)
}

var (
	//go:embed query/keep_batch.sql
	keepBatch string
	//go:embed query/apply_updates.sql
	applyUpdates string
	//go:embed query/apply_redirects.sql
	applyRedirects string
	//go:embed query/forget_rejected.sql
	forgetRejected string
	//go:embed query/keep_import.sql
	keepImport string
)

// apply does what the accepted rows ask for and keeps the run; changed says that
// a verdict is not the one that was told. A row without a verdict would be a row
// lost: the constraint on the table import refuses it.
func (r *importRun) apply(ctx context.Context) (result ImportResult, changed bool, err error) {
	var batch int64
	if err := r.tx.GetContext(ctx, &batch, keepBatch, r.Hash[:], r.FileName, r.Sheet); err != nil {
		return result, false, err
	}
	if err := r.openRequests(ctx, batch); err != nil {
		return result, false, err
	}
	if err := r.steps(ctx, step{applyUpdates, []any{batch, r.Actor}}); err != nil {
		return result, false, err
	}
	if err := r.fill(ctx, step{applyRedirects, []any{batch, r.Actor}}); err != nil {
		return result, false, err
	}
	if err := r.steps(ctx, step{forgetRejected, []any{batch}}); err != nil {
		return result, false, err
	}
	if result, err = r.count(ctx); err != nil {
		return result, false, err
	}
	result.Batch = batch
	err = r.steps(ctx, step{keepImport, []any{batch, r.Actor, result.Rows, result.Accepted, result.Unchanged, result.NotDue, result.Excluded, result.Rejected}})
	if err != nil {
		return result, false, err
	}
	return result, changed, r.tx.GetContext(ctx, &changed, verdictsChanged)
}

var (
	//go:embed query/apply_spaces.sql
	applySpaces string
	//go:embed query/apply_requests.sql
	applyRequests string
	//go:embed query/lock_staged.sql
	lockStaged string
	//go:embed query/close_overdue_staged.sql
	closeOverdueStaged string
	//go:embed query/staged_moved.sql
	stagedMoved string
)

// analyzeFilled makes the statistics of the tables that an import fills.
const analyzeFilled = `SELECT analyze_filled()`

// fill runs a statement that adds obligations, and makes statistics if they were
// many: when their mails start, at the commit, the planner knows of them.
func (r *importRun) fill(ctx context.Context, s step) error {
	n, err := affected(r.tx.ExecContext(ctx, s.query, s.args...))
	if err == nil && n > manyRows {
		err = r.steps(ctx, step{analyzeFilled, nil})
	}
	return err
}

// openRequests makes the new spaces and the requests. Rows whose space has an open
// request are judged again once it is locked, so that no activation under way is
// overtaken: overdue ones are closed first, and a row whose space got or lost its
// request in the meantime goes round again.
func (r *importRun) openRequests(ctx context.Context, batch int64) error {
	for range maxJudgements {
		err := r.steps(ctx,
			step{applySpaces, nil},
			step{analyzeStaged, nil})
		if err != nil {
			return err
		}
		if err := r.fill(ctx, step{applyRequests, []any{batch, r.Keys.Newest(), r.Actor}}); err != nil {
			return err
		}
		if err := r.steps(ctx, step{lockStaged, nil}); err != nil {
			return err
		}
		at, err := now(ctx, r.tx)
		if err != nil {
			return err
		}
		if err := r.steps(ctx, step{closeOverdueStaged, []any{r.Actor, at}}, r.known(at)); err != nil {
			return err
		}
		var moved bool
		if err := r.tx.GetContext(ctx, &moved, stagedMoved); err != nil || !moved {
			return err
		}
	}
	return errors.New("other requests keep coming in between: try again")
}
