package sql

import (
	"cmp"
	"context"
	"crypto/sha256"
	stdsql "database/sql"
	_ "embed"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"

	"bascule/internal/conversion"
)

var (
	//go:embed query/make_campaign.sql
	makeCampaign string
	//go:embed query/move_campaign.sql
	moveCampaign string
	//go:embed query/set_campaign.sql
	setCampaign string
	//go:embed query/invite_more.sql
	inviteMore string
	//go:embed query/hold_released.sql
	holdReleased string
	//go:embed query/wake_campaign.sql
	wakeCampaign string
	//go:embed query/note_start_anyway.sql
	noteStartAnyway string
)

// campaignToJoin finds the campaign of that name that requests are added to. The ID of one
// that is still to be made is 0. It returns a *CampaignStateError if the campaign is over.
func campaignToJoin(ctx context.Context, q sqlx.QueryerContext, name string) (Campaign, error) {
	c, err := campaignOf(ctx, q, campaignNamed, name)
	switch {
	case errors.Is(err, ErrNoCampaign):
		return Campaign{Name: name, State: CampaignPrepared}, nil
	case err == nil && c.over():
		return c, &CampaignStateError{c.Name, c.State}
	}
	return c, err
}

// make makes the campaign, unless it has an ID. It returns the ID.
func (c Campaign) make(ctx context.Context, tx *sqlx.Tx, actor string) (int64, error) {
	if c.ID != 0 {
		return c.ID, nil
	}
	err := tx.GetContext(ctx, &c.ID, makeCampaign, c.Name, actor)
	return c.ID, wrap(err, "make campaign %q", c.Name)
}

// StartCampaign lets a prepared campaign send its invitations, with its settings as they
// are after change (D12): somebody else may have set a brake a moment ago. It may not have
// been found ready: the log tells why it starts, unless that is "". It returns ErrNoCampaign
// or a *CampaignStateError.
func (db *DB) StartCampaign(ctx context.Context, name string, change func(*CampaignSettings), why, actor string) error {
	return db.launch(ctx, name, actor, func(tx *sqlx.Tx, c Campaign) error {
		s := c.CampaignSettings
		change(&s)
		if err := set(ctx, tx, c, s, actor); err != nil {
			return err
		}
		if why != "" {
			if err := run(ctx, tx, do(noteStartAnyway, c.ID, actor, why)); err != nil {
				return fmt.Errorf("record why campaign %q starts: %w", c.Name, err)
			}
		}
		return move(ctx, tx, c, CampaignRunning, "", actor, CampaignPrepared)
	})
}

// PauseCampaign stops the invitations of a running campaign that have not started.
// Commands show why. It returns ErrNoCampaign or a *CampaignStateError. What was released
// is held again.
func (db *DB) PauseCampaign(ctx context.Context, name, why, actor string) error {
	var id int64
	err := db.changeCampaign(ctx, name, func(tx *sqlx.Tx, c Campaign) error {
		id = c.ID
		return move(ctx, tx, c, CampaignPaused, why, actor, CampaignRunning)
	})
	if err != nil {
		return err
	}
	return db.takeBack(ctx, id)
}

// takeBack holds again what a stopped campaign has released. It is no part of the stop,
// which so takes effect at once: it lets the numbers of the campaign add up.
func (db *DB) takeBack(ctx context.Context, id int64) error {
	err := db.inTx(ctx, func(tx *sqlx.Tx) error { return run(ctx, tx, do(holdReleased, id)) })
	return wrap(err, "hold what the stopped campaign %d has released", id)
}

// ResumeCampaign lets a paused campaign go on. Its brakes stay. It returns ErrNoCampaign
// or a *CampaignStateError.
func (db *DB) ResumeCampaign(ctx context.Context, name, actor string) error {
	return db.launch(ctx, name, actor, func(tx *sqlx.Tx, c Campaign) error {
		if err := move(ctx, tx, c, CampaignRunning, "", actor, CampaignPaused); err != nil {
			return err
		}
		return run(ctx, tx, do(wakeCampaign, c.ID))
	})
}

// SetCampaign changes the settings of a campaign, even of a running one. It returns
// ErrNoCampaign or a *CampaignStateError.
func (db *DB) SetCampaign(ctx context.Context, name string, change func(*CampaignSettings), actor string) error {
	return db.changeOpen(ctx, name, actor, func(tx *sqlx.Tx, c Campaign) error {
		s := c.CampaignSettings
		change(&s)
		return set(ctx, tx, c, s, actor)
	})
}

//go:embed query/set_message.sql
var setMessage string

// SetMessage gives a campaign another message, which stands in the mails that start from
// then on; "" takes it away. The log has a digest of it. It returns ErrNoCampaign or a
// *CampaignStateError.
func (db *DB) SetMessage(ctx context.Context, name string, m conversion.Message, actor string) error {
	return db.changeOpen(ctx, name, actor, func(tx *sqlx.Tx, c Campaign) error {
		if m == c.Message {
			return nil
		}
		why := "none"
		if m != "" {
			why = fmt.Sprintf("%d characters, sha256 %.8x", len([]rune(m)), sha256.Sum256([]byte(m)))
		}
		return wrap(run(ctx, tx, do(setMessage, c.ID, m, actor, why)), "change the message of campaign %q", c.Name)
	})
}

var lockCampaign = campaignNamed + ` FOR NO KEY UPDATE`

// changeCampaign runs f in a transaction that holds the campaign, after steps.
func (db *DB) changeCampaign(ctx context.Context, name string, f func(*sqlx.Tx, Campaign) error, before ...step) error {
	return db.inTx(ctx, func(tx *sqlx.Tx) error {
		if err := run(ctx, tx, before...); err != nil {
			return err
		}
		c, err := campaignOf(ctx, tx, lockCampaign, name)
		if err != nil {
			return err
		}
		return f(tx, c)
	})
}

// changeOpen is changeCampaign for a campaign that is not over. If it is running, the
// change takes effect at once, so the actor must not have prepared it (D18).
func (db *DB) changeOpen(ctx context.Context, name, actor string, f func(*sqlx.Tx, Campaign) error) error {
	return db.changeCampaign(ctx, name, func(tx *sqlx.Tx, c Campaign) error {
		if c.over() {
			return &CampaignStateError{c.Name, c.State}
		}
		if err := f(tx, c); err != nil || c.State != CampaignRunning {
			return err
		}
		return db.checkLaunch(ctx, tx, c, actor) // who wrote a message has prepared it by now
	})
}

// launch is changeCampaign for what lets mails leave, if the actor may (D18). It waits for
// an import, which may add to the campaign.
func (db *DB) launch(ctx context.Context, name, actor string, f func(*sqlx.Tx, Campaign) error) error {
	var before []step
	if db.fourEyes != nil {
		before = append(before, waitForImports)
	}
	return db.changeCampaign(ctx, name, func(tx *sqlx.Tx, c Campaign) error {
		if err := db.checkLaunch(ctx, tx, c, actor); err != nil {
			return err
		}
		return f(tx, c)
	}, before...)
}

// move brings a campaign to another state, if its state is one of from.
func move(ctx context.Context, tx *sqlx.Tx, c Campaign, to CampaignState, why, actor string, from ...CampaignState) error {
	n, err := get[int](ctx, tx, moveCampaign, c.ID, pq.Array(from), to, why, actor)
	if err != nil {
		return fmt.Errorf("bring campaign %q to %s: %w", c.Name, to, err)
	}
	if n == 0 {
		return &CampaignStateError{c.Name, c.State}
	}
	return nil
}

// set changes settings. What was released under other brakes is held again.
func set(ctx context.Context, tx *sqlx.Tx, c Campaign, s CampaignSettings, actor string) error {
	if s == c.CampaignSettings {
		return nil
	}
	startsAt := stdsql.NullTime{Time: s.StartsAt, Valid: !s.StartsAt.IsZero()}
	positive := func(n int) stdsql.NullInt64 { return stdsql.NullInt64{Int64: int64(n), Valid: n > 0} }
	steps := []step{
		do(setCampaign, c.ID, startsAt, positive(s.Pilot), positive(s.PerDay), positive(int(s.MinHelp/time.Minute)), actor, s.String(), s.Again),
		do(holdReleased, c.ID),
	}
	if s.Again > c.Again {
		steps = append(steps, do(inviteMore, c.ID, s.Again))
	}
	err := run(ctx, tx, steps...)
	return wrap(err, "change the settings of campaign %q", c.Name)
}

// String tells the settings in a line, for the log.
func (s CampaignSettings) String() string {
	from := ""
	if !s.StartsAt.IsZero() {
		from = "from " + s.StartsAt.In(conversion.Paris).Format(time.DateTime) + ", "
	}
	return from + fmt.Sprintf("pilot %d, per day %d, min help %s, again %d", s.Pilot, s.PerDay, s.MinHelp, s.Again)
}

//go:embed query/open_of_campaign.sql
var openOfCampaign string

// CancelCampaign ends a campaign and all its open requests. Their codes are dead;
// switched spaces stay switched. It returns how many requests it ended, and
// ErrNoCampaign or a *CampaignStateError. If a call breaks off, the next one finishes
// its work.
func (db *DB) CancelCampaign(ctx context.Context, name, why, actor string) (n int64, err error) {
	return db.endCampaign(ctx, name, CampaignCancelled, why, actor, CampaignPrepared, CampaignRunning, CampaignPaused)
}

// CloseCampaign ends a campaign, and its invitations whose code never started. It sends
// nothing more. What subscribers chose goes on. A code that was mailed is good until its
// deadline. It returns the same as CancelCampaign.
func (db *DB) CloseCampaign(ctx context.Context, name, why, actor string) (n int64, err error) {
	return db.endCampaign(ctx, name, CampaignClosed, why, actor, CampaignPrepared, CampaignRunning, CampaignPaused, CampaignCancelled)
}

// endChunk is how many requests end in one transaction. It bounds how long imports and
// activations wait for the locks.
const endChunk = 5_000

// endCampaign ends the campaign before its requests, so that nothing starts any more. One
// that has ended so already keeps its reason.
func (db *DB) endCampaign(ctx context.Context, name string, to CampaignState, why, actor string, from ...CampaignState) (n int64, err error) {
	var c Campaign
	err = db.changeCampaign(ctx, name, func(tx *sqlx.Tx, found Campaign) error {
		if c = found; c.State == to {
			return nil
		}
		if err := move(ctx, tx, c, to, why, actor, from...); err != nil {
			return err
		}
		return run(ctx, tx, do(wakeCampaign, c.ID)) // a worker drops what was put off
	})
	if err != nil {
		return 0, err
	}
	for _, before := range [][]step{nil, {waitForImports}} { // an import may have read that the campaign is open
		done, err := db.endOpen(ctx, c.ID, to == CampaignClosed, actor, cmp.Or(why, byAdministrator), before)
		n += done
		if err != nil {
			return n, fmt.Errorf("end requests of campaign %q; the same command goes on: %w", name, err)
		}
	}
	return n, nil
}

// endOpen ends the open requests that a campaign has after steps; if unsent, only those
// whose code never started.
func (db *DB) endOpen(ctx context.Context, campaign int64, unsent bool, actor, why string, before []step) (n int64, err error) {
	var open []int64
	err = db.inTx(ctx, func(tx *sqlx.Tx) error {
		if err := run(ctx, tx, before...); err != nil {
			return err
		}
		open = nil
		return tx.SelectContext(ctx, &open, openOfCampaign, campaign, unsent)
	})
	if err != nil {
		return 0, err
	}
	for chunk := range slices.Chunk(open, endChunk) {
		done, err := db.end(ctx, chunk, unsent, actor, why)
		n += done
		if err != nil {
			return n, err
		}
	}
	return n, nil
}
