package sql

import (
	"context"
	_ "embed"
	"slices"
	"time"

	"github.com/lib/pq"
)

const (
	never = "infinity"  // an instant that does not come: somebody wakes the mail
	past  = "-infinity" // an instant that has come

	heldFor      = 2 * time.Second // how long a mail waits whose code somebody holds
	unwrittenFor = time.Minute     // how long a mail waits that cannot be written
	shutFor      = time.Minute     // how long a mail waits whose code would have too little assistance (D14)
)

// A delay says how long a mail waits, and what for.
type delay struct {
	mail      *Mail
	wait      time.Duration
	until     string // an instant
	campaign  int64  // that is not running; 0: something else
	exclusion int64  // that leaves its space alone; 0: something else
}

// goesBack tells whether the campaign of the mail holds it again, so that it leaves as
// the brakes allow then (D13). It is an invitation that nobody was sent.
func (d delay) goesBack() bool {
	m := d.mail
	return d.until != past && d.until != never && m.startsCode() && m.CampaignID != 0 && m.Attempts == 0 && m.Interruptions == 0
}

// delays are what several mails wait for.
type delays struct {
	ids   pq.Int64Array
	wait  pq.Float64Array // seconds
	until pq.StringArray
}

func (l *delays) add(d delay) {
	l.ids, l.wait, l.until = append(l.ids, d.mail.ID), append(l.wait, d.wait.Seconds()), append(l.until, d.until)
}

//go:embed query/lock_reasons.sql
var lockReasons string

// waiting leaves out the mails whose reason to wait holds no more: they stay due. Who ends
// a reason waits from then on for this transaction, and wakes what it put off.
func (w *window) waiting(ctx context.Context, all []delay) ([]delay, error) {
	var campaigns, exclusions pq.Int64Array
	for _, d := range all {
		campaigns, exclusions = append(campaigns, d.campaign), append(exclusions, d.exclusion)
	}
	if slices.Max(append(campaigns, 0)) > 0 || slices.Max(append(exclusions, 0)) > 0 {
		if err := w.tx.QueryRowxContext(ctx, lockReasons, campaigns, exclusions).Scan(&campaigns, &exclusions); err != nil {
			return nil, err
		}
	}
	return slices.DeleteFunc(all, func(d delay) bool {
		return d.campaign != 0 && !slices.Contains(campaigns, d.campaign) || d.exclusion != 0 && !slices.Contains(exclusions, d.exclusion)
	}), nil
}
