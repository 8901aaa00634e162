package sql

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"
)

// When fewer than releasedFew released mails wait for workers, they are refilled to
// releasedMost. This is a second or two of work. Workers never wait for the next
// release, and a later row of higher priority does not wait long.
const (
	releasedFew  = 10_000
	releasedMost = 2 * releasedFew
)

// Assistance tells how much help there is between two instants (D14). It also tells
// when help answers next, from an instant on; false if never (D16).
type Assistance interface {
	Between(from, to time.Time) time.Duration
	NextOpen(from time.Time) (time.Time, bool)
}

var (
	//go:embed query/running_campaigns.sql
	runningCampaigns string
	//go:embed query/lock_running.sql
	lockRunning string
	//go:embed query/release_room.sql
	releaseRoom string
	//go:embed query/held_priorities.sql
	heldPriorities string
	//go:embed query/release.sql
	release string
	//go:embed query/open_campaign.sql
	openCampaign string
	//go:embed query/wake_held.sql
	wakeHeld string
)

// Release makes the next invitations of the running campaigns due (D12–D14). It
// releases as many as workers are about to start and the campaigns' settings allow. So
// a pause finds little to stop, and held invitations are in nobody's way. Any number of
// processes may call it; one at a time releases for a campaign. lifetime is that of a
// code. It returns how many invitations it released. A campaign whose invitations cannot
// be released holds up no other; the errors are joined.
func (db *DB) Release(ctx context.Context, help Assistance, lifetime time.Duration) (n int, err error) {
	var ids []int64
	if err := db.x.SelectContext(ctx, &ids, runningCampaigns); err != nil {
		return 0, fmt.Errorf("look for running campaigns: %w", err)
	}
	for _, id := range ids {
		var released int
		failed := db.inTx(ctx, func(tx *sqlx.Tx) (err error) {
			r := releasing{tx: tx, help: help, lifetime: lifetime}
			released, err = r.run(ctx, id)
			return err
		})
		if failed != nil {
			err = errors.Join(err, fmt.Errorf("release invitations of campaign %d: %w", id, failed))
			continue
		}
		n += released
	}
	return n, err
}

// A releasing is the transaction that releases invitations of one campaign.
type releasing struct {
	tx       *sqlx.Tx
	help     Assistance
	lifetime time.Duration
}

// room is what the limits of a campaign are compared with.
type room struct {
	Now       time.Time `db:"now"`
	Waiting   int       `db:"waiting"`
	Unstarted int       `db:"unstarted"`
	Busy      bool      `db:"busy"`
	Today     int       `db:"today"`
	Total     int       `db:"total"`
}

func (r *releasing) run(ctx context.Context, id int64) (int, error) {
	c, err := first[campaignRow](ctx, r.tx, lockRunning, id)
	if err != nil || c.ID == 0 { // another process releases, or the campaign was stopped
		return 0, err
	}
	m, err := get[room](ctx, r.tx, releaseRoom, id, releasedFew, c.PerDay > 0 || c.Pilot > 0)
	if err != nil {
		return 0, err
	}
	if c.Pilot > 0 && m.Total+m.Unstarted >= c.Pilot && !m.Busy {
		return 0, endPilot(ctx, r.tx, c.campaign())
	}
	if open, err := r.open(ctx, c, m.Now); err != nil || !open {
		return 0, err
	}
	return r.release(ctx, id, m.free(c))
}

// endPilot pauses a campaign whose pilot is over: it goes on without one, unless it is
// given another.
func endPilot(ctx context.Context, tx *sqlx.Tx, c Campaign) error {
	if err := move(ctx, tx, c, CampaignPaused, "pilot", "worker", CampaignRunning); err != nil {
		return err
	}
	over := c.CampaignSettings
	over.Pilot = 0
	return set(ctx, tx, c, over, "worker")
}

// free is how many invitations the campaign may release; it may be negative.
func (m room) free(c campaignRow) int {
	if m.Waiting >= releasedFew {
		return 0
	}
	n := releasedMost - m.Waiting
	if c.PerDay > 0 {
		n = min(n, c.PerDay-m.Today-m.Unstarted)
	}
	if c.Pilot > 0 {
		n = min(n, c.Pilot-m.Total-m.Unstarted)
	}
	return n
}

// open tells whether an invitation that starts now has enough assistance ahead. It
// tells the workers until when that is so (D14).
func (r *releasing) open(ctx context.Context, c campaignRow, now time.Time) (bool, error) {
	if c.MinHelp == 0 {
		return true, nil
	}
	until := r.enoughUntil(now, time.Duration(c.MinHelp)*time.Minute)
	return until.After(now), run(ctx, r.tx, do(openCampaign, c.ID, until))
}

// ahead is how many minutes enoughUntil looks ahead: releases follow each other closer.
const ahead = 2

// enoughUntil is the instant until which a code that starts has at least that much
// assistance in its lifetime. It is now if the assistance is too little already.
// Assistance begins and ends at whole minutes, so between them its amount in a lifetime
// changes evenly.
func (r *releasing) enoughUntil(now time.Time, least time.Duration) time.Time {
	spare := func(at time.Time) time.Duration { return r.help.Between(at, at.Add(r.lifetime)) - least }
	until, enough := now, spare(now)
	for range ahead {
		if enough < 0 {
			return now
		}
		minute := until.Truncate(time.Minute).Add(time.Minute)
		next := spare(minute)
		if next < 0 {
			return until.Add(enough)
		}
		until, enough = minute, next
	}
	return until
}

// release releases up to n invitations, in the order of D13.
func (r *releasing) release(ctx context.Context, id int64, n int) (released int, err error) {
	if n <= 0 {
		return 0, nil
	}
	if err := run(ctx, r.tx, do(wakeHeld, id, releasedMost)); err != nil {
		return 0, err
	}
	var priorities []int
	if err := r.tx.SelectContext(ctx, &priorities, heldPriorities, id); err != nil {
		return 0, err
	}
	for _, priority := range priorities {
		for _, holds := range []bool{true, false} {
			if released >= n {
				return released, nil
			}
			some, err := get[int](ctx, r.tx, release, id, priority, holds, n-released)
			if err != nil {
				return released, err
			}
			released += some
		}
	}
	return released, nil
}
