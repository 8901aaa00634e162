// Package jobs does what is due: it mails codes, notices and confirmations,
// renders recaps and expires requests. The rows in PostgreSQL say what; a task
// of the queue only says when to look.
//
// What follows what:
//
//	import, retry          ─▶ an invitation, held by its campaign
//	campaign running       ─▶ code mail (bulk), in the order of the campaign
//	another address        ─▶ code mail and notice (interactive)
//	option in the space    ─▶ code mail, and a notice for another address (interactive)
//	resend                 ─▶ code mail again (interactive)
//	code mail started      ─▶ a look at half time, and one at its deadline
//	half time              ─▶ reminder of an invitation (bulk), while assistance answers
//	expiry                 ─▶ mail about the expired code (bulk)
//	30, 15, 7 or 2 days
//	before the certificate
//	of an expired one ends ─▶ an invitation again, held by its campaign
//	activation             ─▶ recap
//	recap rendered         ─▶ confirmation mail (interactive)
//	switch under another
//	address                ─▶ notice to the contact address (interactive)
//	forgotten password     ─▶ mail with a code for a new one (interactive)
//	password changed       ─▶ notice to its owner (interactive)
//	another identifier     ─▶ mail with a code to it (interactive)
//	identifier changed     ─▶ notice to the one before (interactive)
//	strangers guess        ─▶ notice to the owner, once a day (interactive)
package jobs

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"bascule/queue"
	"bascule/sql"
)

// Dispatcher alone enqueues wake-ups. It asks PostgreSQL how much is due and keeps so
// many wake-ups in Redis, within bounds. Any number of dispatchers may run side by
// side.
type Dispatcher struct {
	DB    *sql.DB
	Queue *queue.Client
	Slots queue.Slots
	Log   *slog.Logger

	Help     sql.Assistance // when it answers (D14)
	Lifetime time.Duration  // of an activation code (R21)
	Stopped  func()         // called when a campaign has stopped; may be nil

	released time.Time // the time of the last release
	running  string    // the campaigns that ran at the last look
}

const (
	// period names wake-ups: there is one for each slot and period. It is also the
	// shortest time between two looks.
	period = 100 * time.Millisecond
	// tick is how often Dispatch looks without a notification, in case one was lost.
	tick = 500 * time.Millisecond
	// lookTimeout bounds one look.
	lookTimeout = 10 * time.Second
)

// perWakeUp is the least number of mails or recaps for which there is one wake-up. So
// little work is not scattered, and much work soon wakes all slots. An interactive
// wake-up stands for one mail.
const perWakeUp = 8

// Run dispatches until ctx ends. A failure of PostgreSQL or Redis is logged
// once and tried again at the next tick.
func (d *Dispatcher) Run(ctx context.Context) {
	due := make(chan struct{}, 1)
	var watching sync.WaitGroup
	watching.Go(func() { d.watch(ctx, due) })
	defer watching.Wait()
	failing := false
	for ctx.Err() == nil {
		busy, err := d.Dispatch(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case queue.Told(err): // the log has it already
		case err != nil && !failing:
			d.Log.Error("cannot dispatch work; it stays due", "err", err)
		case err == nil && failing:
			d.Log.Info("dispatching work again")
		}
		failing = err != nil && !queue.Told(err)
		pause(ctx, period, nil)
		if !busy {
			pause(ctx, tick-period, due)
		}
	}
}

// watch begins to listen to PostgreSQL. Without its notifications the tick goes on.
func (d *Dispatcher) watch(ctx context.Context, due chan<- struct{}) {
	if err := d.DB.WatchDue(ctx, d.Log, due); err != nil && ctx.Err() == nil {
		d.Log.Warn("nobody tells of new work; it is looked for", "every", tick, "err", err)
	}
}

// pause waits for d, or until it is woken or ctx ends.
func pause(ctx context.Context, d time.Duration, wake <-chan struct{}) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-wake:
	case <-timer.C:
	}
}

// Dispatch looks once, and enqueues the wake-ups that are missing. It tells whether
// there is work. What is due leaves, even if a campaign cannot release what it holds.
func (d *Dispatcher) Dispatch(ctx context.Context) (busy bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	unreleased := d.release(ctx)
	now, err := d.DB.Now(ctx)
	if err != nil {
		return false, err
	}
	lanes, err := d.DB.Due(ctx, 2*perWakeUp*max(d.Slots.Batch, d.Slots.Interactive)) // a higher limit would wake no more slots
	if err != nil {
		return false, err
	}
	d.compare(lanes)
	for _, lane := range lanes {
		n := d.wanted(lane)
		if n == 0 {
			continue
		}
		busy = true
		wake := queue.WakeUp(lane.Lane)
		pending, err := d.Queue.Pending(ctx, wake)
		if err != nil {
			return busy, err
		}
		if err := d.Queue.Enqueue(ctx, wake, now.UnixMilli()/period.Milliseconds(), n-pending); err != nil {
			return busy, err
		}
	}
	return busy, unreleased
}

// compare tells that a campaign has stopped since the last look. So mails of its windows
// under way leave no more, however slow the relay became. One that begins ends no windows.
func (d *Dispatcher) compare(lanes []sql.Due) {
	before, running := strings.Fields(d.running), strings.Fields(lanes[0].Running)
	d.running = lanes[0].Running
	stopped := slices.ContainsFunc(before, func(id string) bool { return !slices.Contains(running, id) })
	if stopped && d.Stopped != nil {
		d.Stopped()
	}
}

// releaseEvery is the shortest time between two releases of a Dispatcher.
const releaseEvery = 250 * time.Millisecond

// release lets the running campaigns release their next invitations (D12, D13).
func (d *Dispatcher) release(ctx context.Context) error {
	if time.Since(d.released) < releaseEvery {
		return nil
	}
	d.released = time.Now()
	_, err := d.DB.Release(ctx, d.Help, d.Lifetime)
	return err
}

// wanted is how many wake-ups may wait for a lane: at most twice its slots. While the
// relay's breaker is open, mail gets one wake-up, and only when a probe is due.
func (d *Dispatcher) wanted(lane sql.Due) int {
	slots, per := d.Slots.Batch, perWakeUp
	switch lane.Lane {
	case sql.LaneInteractive:
		slots, per = d.Slots.Interactive, 1
	case sql.LaneExpiry:
		return min(lane.Count, 1) // a sweep takes all
	}
	n := min((lane.Count+per-1)/per, 2*slots)
	if lane.BreakerOpen && lane.Lane != sql.LaneRecap {
		if !lane.ProbeDue {
			return 0
		}
		return min(n, 1)
	}
	return n
}
