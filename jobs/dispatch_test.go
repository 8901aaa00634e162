package jobs

import (
	"testing"

	"bascule/queue"
	"bascule/sql"
)

// D11: a wake-up stands for some mails or recaps, for one interactive mail, for a
// whole sweep; twice the slots may wait. An open breaker lets mail have one, when
// its probe is due, and leaves recaps and expiry alone.
func TestWanted(t *testing.T) {
	d := &Dispatcher{Slots: queue.Slots{Interactive: 2, Batch: 3}}
	for _, c := range []struct {
		due         sql.Lane
		count       int
		open, probe bool
		want        int
	}{
		{due: sql.LaneInteractive, count: 0, want: 0},
		{due: sql.LaneInteractive, count: 3, want: 3},
		{due: sql.LaneInteractive, count: 100, want: 4},
		{due: sql.LaneBulk, count: 0, want: 0},
		{due: sql.LaneBulk, count: 1, want: 1},
		{due: sql.LaneBulk, count: perWakeUp, want: 1},
		{due: sql.LaneBulk, count: perWakeUp + 1, want: 2},
		{due: sql.LaneBulk, count: 1000, want: 6},
		{due: sql.LaneRecap, count: perWakeUp + 1, want: 2},
		{due: sql.LaneRecap, count: 1000, want: 6},
		{due: sql.LaneExpiry, count: 0, want: 0},
		{due: sql.LaneExpiry, count: 1000, want: 1},
		{due: sql.LaneInteractive, count: 3, open: true, want: 0},
		{due: sql.LaneBulk, count: 1000, open: true, want: 0},
		{due: sql.LaneInteractive, count: 3, open: true, probe: true, want: 1},
		{due: sql.LaneBulk, count: 1000, open: true, probe: true, want: 1},
		{due: sql.LaneBulk, count: 0, open: true, probe: true, want: 0},
		{due: sql.LaneRecap, count: 1000, open: true, want: 6},
		{due: sql.LaneExpiry, count: 1000, open: true, want: 1},
	} {
		due := sql.Due{Lane: c.due, Count: c.count, BreakerOpen: c.open, ProbeDue: c.probe}
		if got := d.wanted(due); got != c.want {
			t.Errorf("%+v wants %d wake-ups, not %d", due, got, c.want)
		}
	}
}
