package sql

import (
	"cmp"
	"context"
	_ "embed"
	"fmt"
	"slices"
	"strings"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"

	"bascule/internal/conversion"
)

// An Obstacle is the reason why a command leaves a request alone; "" is none.
type Obstacle string

// The reasons why a Plan leaves a number out. For cancel, the state of an ended request
// is the reason.
const (
	ObstacleUnknown      Obstacle = "unknown"       // no space has the number
	ObstacleNeverInvited Obstacle = "never_invited" // its space has no request
	ObstacleSwitched     Obstacle = "switched"      // its space is entered by password (R4)
	ObstacleOpen         Obstacle = "open"          // its request is open
	ObstacleExcluded     Obstacle = "excluded"      // its space is left alone (D17)
	ObstacleCancelled    Obstacle = "cancelled"     // an administrator ended its request
	ObstacleClosed       Obstacle = "closed"        // its campaign is over (D12)
	ObstacleRefused      Obstacle = "refused"       // the relay refused the address, and the space still has it
	ObstacleBounced      Obstacle = "bounced"       // a bounce said that the address is gone, and the space still has it
)

// A Plan is the requests that a command is about to change. Nothing is changed or
// locked yet. The command leaves out requests that change meanwhile.
type Plan struct {
	Requests []int64
	States   map[conversion.State]int // of the requests
	LeftOut  map[Obstacle]int
	Named    []LeftOut // the named numbers that are left out, in their order
	Why      string    // the reason that the command gives, for the audit log; "" for none

	byNumber    bool
	sameAddress bool
	into        string
}

// LeftOut is a number that a command leaves alone, and why.
type LeftOut struct {
	Number conversion.SubscriberNumber `json:"number"`
	Why    Obstacle                    `json:"why"`
}

// plan makes a plan of the requests that a query finds. why tells what keeps the command
// from a request.
func (db *DB) plan(ctx context.Context, byNumber bool, why func(candidate) Obstacle, query string, args ...any) (Plan, error) {
	p := Plan{States: make(map[conversion.State]int), LeftOut: make(map[Obstacle]int), byNumber: byNumber}
	for r, err := range readRows[candidate](ctx, db.x, query, args...) {
		if err != nil {
			return Plan{}, err
		}
		p.add(r, why(r))
	}
	return p, nil
}

func (p *Plan) add(r candidate, why Obstacle) {
	if why == "" {
		p.Requests = append(p.Requests, r.RequestID)
		p.States[r.State]++
		return
	}
	p.LeftOut[why]++
	if p.byNumber {
		p.Named = append(p.Named, LeftOut{r.Number, why})
	}
}

// candidate is a number's latest request.
type candidate struct {
	Number    conversion.SubscriberNumber `db:"number"`
	RequestID int64                       `db:"request_id"`
	State     conversion.State            `db:"state"`
	Retry     Obstacle                    `db:"retry_obstacle"`
}

func (c candidate) retry() Obstacle { return c.Retry }

func (c candidate) cancel() Obstacle {
	switch {
	case c.RequestID == 0:
		return c.Retry
	case c.State.Open():
		return ""
	}
	return Obstacle(c.State)
}

// A RetryScope says which spaces are invited again: those of the numbers, if there are
// any. Otherwise it is the spaces whose latest request is of a batch, or of any batch
// if it is 0.
type RetryScope struct {
	Numbers     []conversion.SubscriberNumber
	Batch       int64
	Campaign    string // the name of a campaign; "": any
	SameAddress bool   // refused and gone addresses too, even if they did not change
	Into        string // the campaign of the new requests, made if there is none; "": that of each request before
}

var (
	//go:embed query/plan_all.sql
	planAll string
	//go:embed query/plan_named.sql
	planNamed string
)

// PlanRetry finds the certificate spaces whose latest request expired or was
// undeliverable (D10). It finds refused addresses and addresses that a bounce calls
// gone only if they changed since. It leaves out spaces that are left alone (D17). It
// finds a cancelled request by its number alone. It returns conversion.ErrNotFound for
// an unknown batch, ErrNoCampaign, and a *CampaignStateError if the campaign that
// the new requests go into is over.
func (db *DB) PlanRetry(ctx context.Context, scope RetryScope) (Plan, error) {
	query, args, err := db.retryQuery(ctx, scope)
	if err == nil && scope.Into != "" {
		_, err = campaignToJoin(ctx, db.x, scope.Into)
	}
	if err != nil {
		return Plan{}, err
	}
	p, err := db.plan(ctx, len(scope.Numbers) > 0, candidate.retry, query, args...)
	p.sameAddress, p.into = scope.SameAddress, scope.Into
	return p, wrap(err, "find whom to invite again")
}

// retryQuery is the query that finds the candidates of a scope, with its arguments.
func (db *DB) retryQuery(ctx context.Context, scope RetryScope) (query string, args []any, err error) {
	if len(scope.Numbers) > 0 {
		return planNamed, []any{pq.Array(scope.Numbers), scope.SameAddress, scope.Into != ""}, nil
	}
	c, err := db.scope(ctx, scope.Batch, scope.Campaign)
	return planAll, []any{scope.Batch, scope.SameAddress, c.ID, scope.Into != ""}, err
}

// PlanCancel finds the open requests of these numbers.
func (db *DB) PlanCancel(ctx context.Context, numbers []conversion.SubscriberNumber) (Plan, error) {
	p, err := db.plan(ctx, true, candidate.cancel, planNamed, pq.Array(numbers), false, false)
	return p, wrap(err, "find what to cancel")
}

var (
	//go:embed query/lock_requests.sql
	lockRequests string
	//go:embed query/close_overdue.sql
	closeOverdue string
	//go:embed query/retry.sql
	retry string
	//go:embed query/lock_codes.sql
	lockCodes string
	//go:embed query/cancel.sql
	cancel string
)

// Retry opens a new request for each one chosen, without credentials, for the present
// contact address (D10), in the campaign that the plan's scope names (D12). It does all
// or nothing, and nothing the second time. It returns how many requests it opened.
func (db *DB) Retry(ctx context.Context, p Plan, keys *conversion.Keyring, actor string) (int64, error) {
	var opened int64
	err := db.inTx(ctx, func(tx *sqlx.Tx) (err error) {
		chosen := pq.Array(p.Requests)
		if err := run(ctx, tx, waitForImports, do(closeOverdue, chosen, actor)); err != nil {
			return err
		}
		into, err := p.campaign(ctx, tx, actor)
		if err != nil {
			return err
		}
		if err := db.checkRetry(ctx, tx, p.Requests, into, actor); err != nil {
			return err
		}
		opened, err = affected(tx.ExecContext(ctx, retry, chosen, p.sameAddress, p.byNumber, keys.Newest(), actor, cmp.Or(p.Why, "retry"), into))
		return err
	})
	return opened, wrap(err, "retry")
}

// campaign is the campaign that the new requests go into, made if there is none; 0 if
// each stays in its own.
func (p Plan) campaign(ctx context.Context, tx *sqlx.Tx, actor string) (id int64, err error) {
	if p.into == "" || len(p.Requests) == 0 {
		return 0, nil
	}
	c, err := campaignToJoin(ctx, tx, p.into)
	if err != nil {
		return 0, err
	}
	return c.make(ctx, tx, actor)
}

// Cancel ends the chosen requests that are still open. Their codes are dead at once; a
// mail under way arrives with a dead code. It does all or nothing. It returns how many
// requests it ended.
func (db *DB) Cancel(ctx context.Context, p Plan, actor string) (int64, error) {
	n, err := db.end(ctx, p.Requests, false, actor, cmp.Or(p.Why, byAdministrator))
	return n, wrap(err, "cancel")
}

// byAdministrator is the reason of a cancel that gives none.
const byAdministrator = "administrator"

// end cancels the open ones of these requests; if unsent, only those whose code never
// started. It waits for workers that start one of the codes.
func (db *DB) end(ctx context.Context, requests []int64, unsent bool, actor, why string) (n int64, err error) {
	err = db.inTx(ctx, func(tx *sqlx.Tx) (err error) {
		chosen := pq.Array(requests)
		if err := run(ctx, tx, do(lockRequests, chosen), do(lockCodes, chosen)); err != nil {
			return err
		}
		n, err = affected(tx.ExecContext(ctx, cancel, chosen, unsent, actor, why))
		return err
	})
	return n, err
}

var (
	//go:embed query/plan_reissue.sql
	planReissue string
	//go:embed query/key_used.sql
	keyUsed string
	//go:embed query/reissue.sql
	reissue string
)

// PlanReissue finds the open requests whose codes a key makes. If the key never made
// any, it returns conversion.ErrKeyUnknown, with the keys in use.
func (db *DB) PlanReissue(ctx context.Context, key conversion.KeyID) (Plan, error) {
	p, err := db.plan(ctx, false, candidate.retry, planReissue, key)
	if err != nil || len(p.Requests) > 0 {
		return p, wrap(err, "find the codes of key %s", key)
	}
	return p, db.checkUsed(ctx, key)
}

func (db *DB) checkUsed(ctx context.Context, key conversion.KeyID) error {
	if used, err := get[bool](ctx, db.x, keyUsed, key); err != nil || used {
		return wrap(err, "look for key %s", key)
	}
	var known pq.StringArray
	if err := db.x.SelectContext(ctx, &known, `SELECT id FROM key`); err != nil {
		return fmt.Errorf("look for key %s: %w", key, err)
	}
	var open []string
	if err := db.x.SelectContext(ctx, &open, openKeys, known); err != nil {
		return fmt.Errorf("look for key %s: %w", key, err)
	}
	if len(open) == 0 {
		return fmt.Errorf("%w: no code was made with %q, and none is open", conversion.ErrKeyUnknown, key)
	}
	slices.Sort(open)
	return fmt.Errorf("%w: no code was made with %q; the open ones were made with %s", conversion.ErrKeyUnknown, key, strings.Join(open, ", "))
}

// Reissue kills the codes made with a key that has leaked. Open requests get new codes,
// made with the newest key. Owners who wanted a new password ask again. The leaked key
// makes no code any more. Overdue requests expire first. It returns how many requests
// it changed.
func (db *DB) Reissue(ctx context.Context, leaked conversion.KeyID, keys *conversion.Keyring, actor string) (int64, error) {
	var n int64
	err := db.inTx(ctx, func(tx *sqlx.Tx) (err error) {
		if err := run(ctx, tx, waitForImports, do(closeOverdue, nil, actor), do(giveUpKey, leaked)); err != nil {
			return err
		}
		return tx.GetContext(ctx, &n, reissue, leaked, keys.Newest(), actor)
	})
	return n, wrap(err, "reissue the codes of key %s", leaked)
}
