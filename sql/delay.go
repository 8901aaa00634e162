package sql

import (
	"context"
	_ "embed"
	"slices"

	"github.com/lib/pq"
)

// never is an instant that does not come: somebody wakes the mail.
const never = "infinity"

// A delay says until when a mail waits, and what for.
type delay struct {
	mail      *Mail
	until     string
	campaign  int64 // that is not running; 0: something else
	exclusion int64 // that leaves its space alone; 0: something else
}

// goesBack tells whether the campaign of the mail holds it again, so that it leaves as
// the brakes allow then (D13). It is an invitation that nobody was sent.
func (d delay) goesBack() bool {
	m := d.mail
	return m.startsCode() && m.CampaignID != 0 && m.Attempts == 0 && m.Interruptions == 0 && d.until != never
}

//go:embed query/lock_reasons.sql
var lockReasons string

// delay delays the mails whose reason to wait still holds; the others stay due. Who ends
// a reason waits from then on for this transaction, and wakes what it put off.
func (w *window) delay(ctx context.Context, f *fates) error {
	var campaigns, exclusions pq.Int64Array
	for _, d := range f.delayed {
		campaigns, exclusions = append(campaigns, d.campaign), append(exclusions, d.exclusion)
	}
	if slices.Max(append(campaigns, 0)) > 0 || slices.Max(append(exclusions, 0)) > 0 {
		if err := w.tx.QueryRowxContext(ctx, lockReasons, campaigns, exclusions).Scan(&campaigns, &exclusions); err != nil {
			return err
		}
	}
	for _, d := range f.delayed {
		switch {
		case d.campaign != 0 && !slices.Contains(campaigns, d.campaign), d.exclusion != 0 && !slices.Contains(exclusions, d.exclusion):
		case d.goesBack():
			f.back, f.backUntil = append(f.back, d.mail.ID), append(f.backUntil, d.until)
		default:
			f.putOff, f.until = append(f.putOff, d.mail.ID), append(f.until, d.until)
		}
	}
	return nil
}
