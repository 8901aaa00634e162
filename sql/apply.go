package sql

import (
	"cmp"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/lib/pq"
	"golang.org/x/text/unicode/norm"

	"bascule/internal/text"
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

// store tells the verdicts, then applies the rows behind a savepoint. So only the
// second, shorter part holds locks. A verdict may change in between, or a deadlock may
// end this transaction. Then store gives the locks back, judges all rows again and tells
// the verdicts again. The last time, it tells the changed verdicts while it holds the
// locks.
func (r *importRun) store(ctx context.Context) (ImportResult, error) {
	for attempt := 1; ; attempt++ {
		if err := r.tell(ctx); err != nil {
			return ImportResult{}, err
		}
		if err := run(ctx, r.tx, do(`SAVEPOINT apply`)); err != nil {
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
		if err := run(ctx, r.tx, do(judgeAgain)); err != nil {
			return ImportResult{}, err
		}
		if err := r.known(ctx, 1, at); err != nil {
			return ImportResult{}, err
		}
	}
}

// back undoes all that apply did, and gives the locks back.
func (r *importRun) back(ctx context.Context) (time.Time, error) {
	if err := run(ctx, r.tx, do(`ROLLBACK TO SAVEPOINT apply`)); err != nil {
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
	//go:embed query/replace_rejected.sql
	replaceRejected string
	//go:embed query/keep_import.sql
	keepImport string
)

// apply does what the accepted rows ask for and keeps the run. changed says that a
// verdict is not the one that was told. A constraint of the table import refuses a row
// without a verdict, as that row would be lost.
func (r *importRun) apply(ctx context.Context) (result ImportResult, changed bool, err error) {
	c, err := r.keepCampaign(ctx)
	if err != nil {
		return result, false, err
	}
	before, err := r.before(ctx)
	if err != nil {
		return result, false, err
	}
	batch, err := get[int64](ctx, r.tx, keepBatch, r.Hash[:], r.FileName, r.Sheet, c.ID)
	if err != nil {
		return result, false, err
	}
	if err := r.openRequests(ctx, batch, c.ID); err != nil {
		return result, false, err
	}
	err = run(ctx, r.tx,
		do(applyUpdates, batch, r.Actor),
		do(applyRedirects, batch, r.Actor, r.named),
		do(forgetRejected, batch),
		do(replaceRejected, batch, c.ID))
	if err != nil {
		return result, false, err
	}
	if result, err = r.count(ctx, c.ID); err != nil {
		return result, false, err
	}
	result.Batch, result.Campaign, result.MovedFrom = batch, c.Name, before.unless(c)
	if err := r.checkRows(ctx); err != nil {
		return result, false, err
	}
	err = run(ctx, r.tx, do(keepImport, batch, r.Actor, result.Rows, result.Accepted, result.Unchanged, result.NotDue, result.Excluded, result.Rejected))
	if err != nil {
		return result, false, err
	}
	if result.State, err = r.start(ctx, c); err != nil {
		return result, false, err
	}
	return result, changed, r.tx.GetContext(ctx, &changed, verdictsChanged)
}

var (
	//go:embed query/open_first.sql
	openFirst string
	//go:embed query/open_again.sql
	openAgain string
	//go:embed query/invite_again.sql
	inviteAgain string
	//go:embed query/contest.sql
	contest string
	//go:embed query/lock_contested.sql
	lockContested string
	//go:embed query/close_overdue_contested.sql
	closeOverdueContested string
	//go:embed query/outlived.sql
	outlived string
	//go:embed query/contested_moved.sql
	contestedMoved string
)

// openRequests makes the new spaces and the requests. If a space has an open request,
// its row is judged again once the request is locked, so that no activation under way
// is overtaken. Overdue requests are closed first. A row whose space got or lost its
// request in the meantime goes another round.
func (r *importRun) openRequests(ctx context.Context, batch, campaign int64) error {
	if err := run(ctx, r.tx, do(openFirst, batch, campaign, r.Keys.Newest(), r.Actor)); err != nil {
		return err
	}
	for round := 1; round <= maxJudgements; round++ {
		contested, err := r.openRound(ctx, batch, campaign, round)
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

// openRound opens the requests of one round. It tells whether rows remain whose space
// has an open request already.
func (r *importRun) openRound(ctx context.Context, batch, campaign int64, round int) (contested bool, err error) {
	err = run(ctx, r.tx,
		do(openAgain, batch, round, campaign, r.Campaign != ""),
		do(inviteAgain, round, r.Keys.Newest(), r.Actor, r.named))
	if err != nil {
		return false, err
	}
	n, err := affected(r.tx.ExecContext(ctx, contest, round))
	return n > 0, err
}

// judgeContested locks the open requests of contested rows and judges these rows again.
// It ends those that others of another campaign follow. It tells whether some rows must
// go another round.
func (r *importRun) judgeContested(ctx context.Context, round int) (moved bool, err error) {
	if err := run(ctx, r.tx, do(lockContested), do(closeOverdueContested, r.Actor)); err != nil {
		return false, err
	}
	at, err := now(ctx, r.tx)
	if err != nil {
		return false, err
	}
	if err := r.known(ctx, round, at); err != nil {
		return false, err
	}
	var ended pq.Int64Array
	if err := r.tx.SelectContext(ctx, &ended, outlived, round); err != nil {
		return false, err
	}
	if err := run(ctx, r.tx, do(lockCodes, ended), do(cancel, ended, false, r.Actor, byAdministrator)); err != nil {
		return false, err
	}
	return moved, r.tx.GetContext(ctx, &moved, contestedMoved, round)
}

//go:embed query/campaign_of_file.sql
var campaignOfFile string

// campaign is the campaign of the file (D12). The first choice is the named campaign,
// then the campaign of the file's rows, then a new one named after the file. The ID of
// a new one is 0.
func (r *importRun) campaign(ctx context.Context) (Campaign, error) {
	if r.Campaign != "" {
		return campaignToJoin(ctx, r.tx, r.Campaign)
	}
	found, err := first[campaignRow](ctx, r.tx, campaignOfFile, r.Hash[:])
	if err == nil && found.ID == 0 {
		return r.newCampaign(ctx)
	}
	return found.campaign(), err
}

// newCampaign is a campaign named after the file, with a number if that name is taken.
func (r *importRun) newCampaign(ctx context.Context) (Campaign, error) {
	base := strings.TrimSuffix(r.FileName, filepath.Ext(r.FileName))
	for n := 1; ; n++ {
		name := campaignName(base, n)
		_, err := campaignOf(ctx, r.tx, campaignNamed, name)
		if errors.Is(err, ErrNoCampaign) {
			return Campaign{Name: name, State: CampaignPrepared}, nil
		}
		if err != nil {
			return Campaign{}, err
		}
	}
}

// keepCampaign is campaign, but it makes a new campaign.
func (r *importRun) keepCampaign(ctx context.Context) (Campaign, error) {
	c, err := r.campaign(ctx)
	if err != nil {
		return c, err
	}
	c.ID, err = c.make(ctx, r.tx, r.Actor)
	return c, err
}

// start starts a prepared campaign if the import asks for that, and its actor may launch
// what the campaign holds by now (D18). It returns the state of the campaign, which
// somebody may have changed since the import has read it, and a *CampaignStateError if it
// is over.
func (r *importRun) start(ctx context.Context, c Campaign) (CampaignState, error) {
	if !r.Start || c.State != CampaignPrepared {
		return c.State, nil
	}
	c, err := campaignOf(ctx, r.tx, lockCampaign, c.Name)
	switch {
	case err == nil && c.over():
		return c.State, &CampaignStateError{c.Name, c.State}
	case err != nil || c.State != CampaignPrepared:
		return c.State, err
	}
	if err := move(ctx, r.tx, c, CampaignRunning, "", r.Actor, CampaignPrepared); err != nil {
		return c.State, err
	}
	c.State = CampaignRunning
	return c.State, r.db.checkLaunch(ctx, r.tx, c, r.Actor)
}

// campaignName makes the nth campaign name of a file's name: one that
// ParseCampaignName takes as it is.
func campaignName(base string, n int) string {
	name := []rune(strings.TrimLeft(text.OneLine(norm.NFC.String(base)), "- "))
	suffix := ""
	if n > 1 {
		suffix = " " + strconv.Itoa(n)
	}
	name = name[:min(len(name), MaxCampaignName-len(suffix))]
	return cmp.Or(strings.TrimRight(string(name), " "), "import") + suffix
}
