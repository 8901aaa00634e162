// Package jobs does what is due: it mails codes, notices and confirmations,
// renders recaps and expires requests. The rows in PostgreSQL say what; a task
// of the queue only says when to look.
//
// What follows what:
//
//	import, retry          ─▶ code mail (bulk)
//	another address        ─▶ code mail and notice (interactive)
//	resend                 ─▶ code mail again (interactive)
//	code mail accepted     ─▶ expiry at its deadline
//	activation             ─▶ recap
//	recap rendered         ─▶ confirmation mail (interactive)
package jobs

import (
	"context"
	"log/slog"
	"time"

	"bascule/queue"
	"bascule/sql"
)

// Dispatcher is the only enqueuer: it asks PostgreSQL how much is due and keeps
// that many wake-ups, bounded, in Redis. Any number may run side by side.
type Dispatcher struct {
	DB    *sql.DB
	Queue *queue.Client
	Slots queue.Slots
	Log   *slog.Logger
}

// tick is how often Dispatch looks when nobody wakes it. Notifications come
// first; the tick is the net.
const tick = 500 * time.Millisecond

// perWakeUp is how much work one wake-up stands for at the least: few wake-ups
// for little work, so that it is not scattered, and enough for all slots soon.
var perWakeUp = map[sql.Lane]int{
	sql.LaneInteractive: 1,
	sql.LaneBulk:        8,
	sql.LaneRecap:       8,
	sql.LaneExpiry:      1000,
}

// dueLimit bounds the counting of what is due: more would not wake more workers.
const dueLimit = 2000

// Run dispatches until ctx ends. A failure of PostgreSQL or Redis is logged
// once and tried again at the next tick.
func (d *Dispatcher) Run(ctx context.Context) error {
	due, err := d.DB.WatchDue(ctx, d.Log)
	if err != nil {
		return err
	}
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	failing := false
	for {
		err := d.Dispatch(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil && !failing:
			d.Log.Error("cannot dispatch work; it stays due", "err", err)
		case err == nil && failing:
			d.Log.Info("dispatching work again")
		}
		failing = err != nil
		select {
		case <-ctx.Done():
			return nil
		case <-due:
		case <-ticker.C:
		}
	}
}

// Dispatch looks once, and enqueues what is missing.
func (d *Dispatcher) Dispatch(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	now, err := d.DB.Now(ctx)
	if err != nil {
		return err
	}
	lanes, err := d.DB.Due(ctx, dueLimit)
	if err != nil {
		return err
	}
	for _, lane := range lanes {
		wake := queue.WakeUp(lane.Lane)
		n := d.wanted(lane)
		if n > 0 {
			n -= d.Queue.Pending(wake)
		}
		if n <= 0 {
			continue
		}
		if err := d.Queue.Enqueue(ctx, wake, now.UnixMilli()/tick.Milliseconds(), n); err != nil {
			return err
		}
	}
	return nil
}

// wanted is how many wake-ups a lane deserves: at most twice its slots. While
// the relay's breaker is open, mail gets one, and only when a probe is due.
func (d *Dispatcher) wanted(lane sql.Due) int {
	slots := d.Slots.Batch
	switch lane.Lane {
	case sql.LaneInteractive:
		slots = d.Slots.Interactive
	case sql.LaneExpiry:
		slots = 1
	}
	per := perWakeUp[lane.Lane]
	n := min((lane.Count+per-1)/per, 2*slots)
	if lane.BreakerOpen && (lane.Lane == sql.LaneInteractive || lane.Lane == sql.LaneBulk) {
		if !lane.ProbeDue {
			return 0
		}
		return min(n, 1)
	}
	return n
}
