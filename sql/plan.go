package sql

import (
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

	byNumber    bool
	sameAddress bool
}

// LeftOut is a number that a command leaves alone, and why.
type LeftOut struct {
	Number conversion.SubscriberNumber `json:"number"`
	Why    Obstacle                    `json:"why"`
}

func newPlan() Plan {
	return Plan{States: make(map[conversion.State]int), LeftOut: make(map[Obstacle]int)}
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

// A RetryScope says which spaces are invited again: those of the numbers, if there are
// any. Otherwise it is the spaces whose latest request is of a batch, or of any batch
// if it is 0.
type RetryScope struct {
	Numbers     []conversion.SubscriberNumber
	Batch       int64
	Campaign    string // the name of a campaign; "": any
	SameAddress bool   // refused and gone addresses too, even if they did not change
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
// an unknown batch, and ErrNoCampaign.
func (db *DB) PlanRetry(ctx context.Context, scope RetryScope) (Plan, error) {
	p := newPlan()
	p.byNumber, p.sameAddress = len(scope.Numbers) > 0, scope.SameAddress
	query, args, err := db.retryQuery(ctx, scope)
	if err != nil {
		return Plan{}, err
	}
	for r, err := range readRows[candidate](ctx, db.x, query, args...) {
		if err != nil {
			return Plan{}, fmt.Errorf("find whom to invite again: %w", err)
		}
		p.add(r, r.Retry)
	}
	return p, nil
}

// retryQuery is the query that finds the candidates of a scope, with its arguments.
func (db *DB) retryQuery(ctx context.Context, scope RetryScope) (query string, args []any, err error) {
	if len(scope.Numbers) > 0 {
		return planNamed, []any{pq.Array(distinct(scope.Numbers)), scope.SameAddress}, nil
	}
	var c Campaign
	if scope.Campaign != "" {
		if c, err = db.Campaign(ctx, scope.Campaign); err != nil {
			return "", nil, err
		}
	}
	return planAll, []any{scope.Batch, scope.SameAddress, c.ID}, db.checkBatch(ctx, scope.Batch)
}

// PlanCancel finds the open requests of these numbers.
func (db *DB) PlanCancel(ctx context.Context, numbers []conversion.SubscriberNumber) (Plan, error) {
	p := newPlan()
	p.byNumber = true
	for r, err := range readRows[candidate](ctx, db.x, planNamed, pq.Array(distinct(numbers)), false) {
		if err != nil {
			return Plan{}, fmt.Errorf("find what to cancel: %w", err)
		}
		switch {
		case r.RequestID == 0:
			p.add(r, r.Retry)
		case r.State.Open():
			p.add(r, "")
		default:
			p.add(r, Obstacle(r.State))
		}
	}
	return p, nil
}

// distinct keeps the first of equal numbers.
func distinct(numbers []conversion.SubscriberNumber) []string {
	seen := make(map[conversion.SubscriberNumber]bool, len(numbers))
	var list []string
	for _, n := range numbers {
		if !seen[n] {
			seen[n] = true
			list = append(list, string(n))
		}
	}
	return list
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
// contact address (D10). It does all or nothing, and nothing the second time. It
// returns how many requests it opened.
func (db *DB) Retry(ctx context.Context, p Plan, keys *conversion.Keyring, actor string) (int64, error) {
	var opened int64
	err := db.inTx(ctx, func(tx *sqlx.Tx) (err error) {
		if err := waitForImports(ctx, tx); err != nil {
			return err
		}
		chosen := pq.Array(p.Requests)
		if _, err := tx.ExecContext(ctx, closeOverdue, chosen, actor); err != nil {
			return err
		}
		opened, err = affected(tx.ExecContext(ctx, retry, chosen, p.sameAddress, p.byNumber, keys.Newest(), actor, "retry"))
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("retry: %w", err)
	}
	return opened, nil
}

// Cancel ends the chosen requests that are still open. Their codes are dead at once; a
// mail under way arrives with a dead code. It does all or nothing. It returns how many
// requests it ended.
func (db *DB) Cancel(ctx context.Context, p Plan, actor string) (int64, error) {
	n, err := db.end(ctx, p.Requests, false, actor)
	if err != nil {
		return 0, fmt.Errorf("cancel: %w", err)
	}
	return n, nil
}

// end cancels the open ones of these requests; if unsent, only those whose code never
// started. It waits for workers that start one of the codes.
func (db *DB) end(ctx context.Context, requests []int64, unsent bool, actor string) (n int64, err error) {
	err = db.inTx(ctx, func(tx *sqlx.Tx) (err error) {
		chosen := pq.Array(requests)
		for _, lock := range []string{lockRequests, lockCodes} {
			if _, err := tx.ExecContext(ctx, lock, chosen); err != nil {
				return err
			}
		}
		n, err = affected(tx.ExecContext(ctx, cancel, chosen, unsent, actor))
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
	p := newPlan()
	for r, err := range readRows[candidate](ctx, db.x, planReissue, key) {
		if err != nil {
			return Plan{}, fmt.Errorf("find the codes of key %s: %w", key, err)
		}
		p.add(r, "")
	}
	if len(p.Requests) > 0 {
		return p, nil
	}
	return p, db.checkUsed(ctx, key)
}

func (db *DB) checkUsed(ctx context.Context, key conversion.KeyID) error {
	var used bool
	if err := db.x.GetContext(ctx, &used, keyUsed, key); err != nil {
		return fmt.Errorf("look for key %s: %w", key, err)
	}
	if used {
		return nil
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
		if err := waitForImports(ctx, tx); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, closeOverdue, nil, actor); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, giveUpKey, leaked); err != nil {
			return err
		}
		return tx.GetContext(ctx, &n, reissue, leaked, keys.Newest(), actor)
	})
	if err != nil {
		return 0, fmt.Errorf("reissue the codes of key %s: %w", leaked, err)
	}
	return n, nil
}
