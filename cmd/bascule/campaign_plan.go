package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"bascule/internal/assistance"
	"bascule/internal/conversion"
	"bascule/internal/plan"
	"bascule/internal/terminal"
	"bascule/queue"
	"bascule/sql"
)

func (a *app) campaignPlan() *cobra.Command {
	var perDay int
	var minHelp time.Duration
	var rate float64
	cmd := a.ofCampaign(&cobra.Command{
		Use:   "plan NAME",
		Short: "Tell what would leave on which day, until the last mail",
		Long: `Tells how many invitations of a campaign leave on which day, by its order and its
brakes, until the last one; how many certificates will have expired before; how much
assistance the lifetime of the codes holds; which mail domains they go to, and which
addresses have several spaces. What stays behind is told with the reason. Nothing is
changed: the flags try other brakes.

Environment: DATABASE_URL; HELP_HOURS, CODE_LIFETIME and MAIL_RATE, optional, as the
workers have them.`,
		Example: `  bascule campaign plan spring
  bascule campaign plan spring --per-day 20000 --min-help 12h --rate 5`,
	})
	a.addJSONTo(cmd, "print one JSON object")
	cmd.Flags().Var(parsing(&perDay, parseCount), "per-day", "as if at most `N` invitations left a day, in Paris; 0: no limit")
	cmd.Flags().Var(parsing(&minHelp, parseHelp), "min-help", "as if this `time` of assistance had to lie in the lifetime of a code, such as 12h; 0: any")
	cmd.Flags().Var(parsing(&rate, parseRate), "rate", "as if MAIL_RATE were so many `mails` a second; 0: no limit")
	cmd.RunE = a.withDB(onCampaign(func(ctx context.Context, db *sql.DB, p sql.CampaignProgress) error {
		f, err := a.foresight(ctx, db, p, func(b *plan.Brakes) {
			setIfGiven(cmd, "per-day", &b.PerDay, perDay)
			setIfGiven(cmd, "min-help", &b.MinHelp, minHelp)
			setIfGiven(cmd, "rate", &b.Rate, queue.BulkRate(rate))
		})
		if err != nil {
			return err
		}
		to, err := db.Recipients(ctx, f.Campaign, topDomains)
		if err != nil {
			return err
		}
		return a.tell(terminal.NewPlan(f, to))
	}))
	return cmd
}

// parseRate is parseMailRate, and takes 0 for no limit.
func parseRate(s string) (float64, error) {
	if s == "0" {
		return 0, nil
	}
	return parseMailRate(s)
}

// topDomains is how many mail domains the plan lists.
const topDomains = 10

// foresight plans a campaign from now on. It uses the brakes of the campaign and of the
// environment, which change may replace.
func (a *app) foresight(ctx context.Context, db *sql.DB, p sql.CampaignProgress, change func(*plan.Brakes)) (f terminal.Foresight, err error) {
	f.CampaignProgress = p
	if f.State == sql.CampaignCancelled || f.State == sql.CampaignClosed {
		return f, &sql.CampaignStateError{Name: f.Name, State: f.State}
	}
	now, err := db.Now(ctx)
	if err != nil {
		return f, err
	}
	if f.Brakes, err = a.brakesAt(now, p); err != nil {
		return f, err
	}
	change(&f.Brakes)
	pending, err := db.Pending(ctx, f.Campaign)
	if err != nil {
		return f, err
	}
	for _, g := range pending {
		if g.Expires.Format(time.DateOnly) < parisDay(now) {
			f.Dead += g.Mails - g.Alone
		}
	}
	f.Plan = plan.Make(pending, f.Brakes)
	return f, nil
}

func (a *app) brakesAt(now time.Time, p sql.CampaignProgress) (b plan.Brakes, err error) {
	b.PerDay, b.MinHelp = p.PerDay, p.MinHelp
	b.Help, b.Lifetime = take(&err, a.env.helpHours), take(&err, a.env.codeLifetime)
	b.Rate = queue.BulkRate(take(&err, a.env.mailRate))
	b.From = assistance.Later(now, p.StartsAt)
	if parisDay(b.From) == parisDay(now) {
		b.Today = p.StartedToday
	}
	return b, err
}

func parisDay(t time.Time) string { return t.In(conversion.Paris).Format(time.DateOnly) }

// comingMails foresees when a running campaign sends its next invitation, zero if that is
// at once, and its last one. Each is zero if it cannot be known. Without MAIL_RATE, it
// assumes the pace of the last minute.
func (a *app) comingMails(ctx context.Context, db *sql.DB, p sql.CampaignProgress) (next, last time.Time, err error) {
	if p.State != sql.CampaignRunning {
		return next, last, nil
	}
	status, err := db.Status(ctx, 0)
	if err != nil {
		return next, last, err
	}
	f, err := a.foresight(ctx, db, p, func(b *plan.Brakes) {
		if b.Rate == 0 {
			b.Rate = float64(status.LastMinute) / 60
		}
	})
	if len(f.Days) > 0 && (f.Days[0].First.After(f.From) || f.From.Equal(p.StartsAt)) {
		next = f.Days[0].First
	}
	if f.Never+f.Beyond == 0 {
		last = f.Last
	}
	return next, last, err
}
