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
		if err := r.steps(ctx, step{judgeAgain, nil}); err != nil {
			return ImportResult{}, err
		}
		if err := r.known(ctx, 1, at); err != nil {
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
	err = r.steps(ctx,
		step{applyUpdates, []any{batch, r.Actor}},
		step{applyRedirects, []any{batch, r.Actor}},
		step{forgetRejected, []any{batch}})
	if err != nil {
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
	//go:embed query/make_spaces.sql
	makeSpaces string
	//go:embed query/open_first.sql
	openFirst string
	//go:embed query/open_again.sql
	openAgain string
	//go:embed query/contest.sql
	contest string
	//go:embed query/make_codes.sql
	makeCodes string
	//go:embed query/mail_codes.sql
	mailCodes string
	//go:embed query/audit_requests.sql
	auditRequests string
	//go:embed query/lock_contested.sql
	lockContested string
	//go:embed query/close_overdue_contested.sql
	closeOverdueContested string
	//go:embed query/contested_moved.sql
	contestedMoved string
)

// openRequests makes the new spaces and the requests. Rows whose space has an open
// request are judged again once it is locked, so that no activation under way is
// overtaken: overdue ones are closed first, and a row whose space got or lost its
// request in the meantime goes another round.
func (r *importRun) openRequests(ctx context.Context, batch int64) error {
	if err := r.steps(ctx, step{makeSpaces, nil}, step{openFirst, []any{batch}}); err != nil {
		return err
	}
	for round := 1; round <= maxJudgements; round++ {
		contested, err := r.openRound(ctx, batch, round)
		if err != nil || !contested {
			return err
		}
		moved, err := r.judgeContested(ctx, round+1)
		if err != nil || !moved {
			return err
		}
	}
	return errors.New("other requests keep coming in between: try again")
}

// openRound opens the requests of one round, and tells whether rows remain whose
// space has one already.
func (r *importRun) openRound(ctx context.Context, batch int64, round int) (contested bool, err error) {
	if err := r.steps(ctx, step{openAgain, []any{batch, round}}); err != nil {
		return false, err
	}
	n, err := affected(r.tx.ExecContext(ctx, contest, round))
	if err != nil {
		return false, err
	}
	return n > 0, r.steps(ctx,
		step{makeCodes, []any{round, r.Keys.Newest()}},
		step{mailCodes, []any{round}},
		step{auditRequests, []any{round, batch, r.Actor}})
}

// judgeContested locks the open requests of contested rows and judges these rows
// again. It tells whether that was in vain for some of them.
func (r *importRun) judgeContested(ctx context.Context, round int) (moved bool, err error) {
	if err := r.steps(ctx, step{lockContested, nil}); err != nil {
		return false, err
	}
	at, err := now(ctx, r.tx)
	if err != nil {
		return false, err
	}
	if err := r.steps(ctx, step{closeOverdueContested, []any{r.Actor, at}}); err != nil {
		return false, err
	}
	if err := r.known(ctx, round, at); err != nil {
		return false, err
	}
	return moved, r.tx.GetContext(ctx, &moved, contestedMoved, round)
}
