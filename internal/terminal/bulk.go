package terminal

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"bascule/internal/conversion"
	"bascule/sql"
)

// CountStates reads "3 expired, 1 undeliverable".
func CountStates(states map[conversion.State]int) string {
	var parts []string
	for _, state := range conversion.States() {
		if n := states[state]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, state))
		}
	}
	return strings.Join(parts, ", ")
}

// ObstacleChanged stands for requests that were planned and then changed by others.
const ObstacleChanged sql.Obstacle = "changed"

// LeftOut counts what a command that may change many requests left alone.
type LeftOut struct {
	Reasons map[sql.Obstacle]int `json:"left_out"`          // numbers by reason
	Numbers []sql.LeftOut        `json:"numbers,omitempty"` // the named ones
}

// NewLeftOut tells what is left out once the command has done so many.
func NewLeftOut(plan sql.Plan, done int64) LeftOut {
	l := LeftOut{maps.Clone(plan.LeftOut), plan.Named}
	if changed := len(plan.Requests) - int(done); changed > 0 {
		l.Reasons[ObstacleChanged] = changed
	}
	return l
}

// Print tells named numbers one by one, others as a count.
func (l LeftOut) Print(w io.Writer, words map[sql.Obstacle]string) {
	if len(l.Reasons) == 0 {
		return
	}
	fmt.Fprintf(w, "Left out:\n")
	for _, n := range l.Numbers {
		fmt.Fprintf(w, "  %-20s  %s\n", n.Number, words[n.Why])
	}
	byCount := func(x, y sql.Obstacle) int {
		return cmp.Or(cmp.Compare(l.Reasons[y], l.Reasons[x]), cmp.Compare(x, y))
	}
	for _, why := range slices.SortedFunc(maps.Keys(l.Reasons), byCount) {
		if len(l.Numbers) == 0 || why == ObstacleChanged {
			fmt.Fprintf(w, "%8d  %s\n", l.Reasons[why], words[why])
		}
	}
}

// RetryWords tell why retry leaves a request alone.
var RetryWords = map[sql.Obstacle]string{
	sql.ObstacleUnknown:      "no space has this number: check the number",
	sql.ObstacleNeverInvited: "never invited: import a spreadsheet with this space",
	sql.ObstacleSwitched:     "switched: entered by address and password, for good",
	sql.ObstacleOpen:         "the request is still open",
	sql.ObstacleCancelled:    "cancelled: invited again only by its number",
	sql.ObstacleExcluded:     "left alone: `bascule exclude --lift` ends that",
	sql.ObstacleClosed:       "its campaign is over: `bascule retry --into NAME` invites in another one",
	sql.ObstacleRefused:      "the address was refused and has not changed: see --same-address",
	sql.ObstacleBounced:      "the address is gone, as a bounce says, and has not changed: see --same-address",
	ObstacleChanged:          "changed meanwhile",
}

// CancelWords tell why cancel leaves a request alone.
var CancelWords = map[sql.Obstacle]string{
	sql.ObstacleUnknown:                         "no space has this number: check the number",
	sql.ObstacleNeverInvited:                    "never invited: there is nothing to cancel",
	sql.Obstacle(conversion.StateActivated):     "activated: the switch is irrevocable",
	sql.Obstacle(conversion.StateExpired):       "the request has expired: there is nothing to cancel",
	sql.Obstacle(conversion.StateUndeliverable): "the request is undeliverable: there is nothing to cancel",
	sql.Obstacle(conversion.StateCancelled):     "the request is cancelled: there is nothing to cancel",
	ObstacleChanged:                             "changed meanwhile",
}
