package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"bascule/internal/terminal"
	"bascule/sql"
)

// brakes are the flags of a campaign's settings. A setting without its flag stays as it
// is.
type brakes struct {
	after   time.Duration
	pilot   int
	perDay  int
	minHelp time.Duration
	again   int
}

func (b *brakes) addTo(cmd *cobra.Command) {
	cmd.Flags().Var(parsing(&b.after, parseWait), "after", "no invitation leaves before this `time` is over, such as 15m")
	cmd.Flags().Var(parsing(&b.pilot, parseCount), "pilot", "pause once `N` more invitations have started")
	cmd.Flags().Var(parsing(&b.perDay, parseCount), "per-day", "at most `N` invitations a day, in Paris; 0: no limit")
	cmd.Flags().Var(parsing(&b.minHelp, parseHelp), "min-help", "only if this `time` of assistance lies in the lifetime of a code, such as 12h; 0: any")
	cmd.Flags().Var(parsing(&b.again, parseAgain), "again", "invite again whose code expired, at most `N` times, before the certificate ends (3 unless set); 0: never")
}

// check refuses brakes with which nothing could ever start (D14).
func (b *brakes) check(env environment) error {
	if b.minHelp == 0 {
		return nil
	}
	var err error
	hours, lifetime := take(&err, env.helpHours), take(&err, env.codeLifetime)
	if err != nil {
		return err
	}
	if _, ok := hours.Next(time.Now(), lifetime, b.minHelp); !ok {
		return usagef("--min-help %s: a code is good for %s, and HELP_HOURS (%s) never have so much in it: nothing could leave",
			terminal.ShortDuration(b.minHelp), terminal.ShortDuration(lifetime), hours)
	}
	return nil
}

// parseAgain reads how often a campaign invites again (D16).
func parseAgain(s string) (int, error) {
	n, err := parseCount(s)
	if err != nil || n > sql.MaxAgain {
		return 0, fmt.Errorf("it is from 0 to %d: there are 30, 15, 7 and 2 days before the certificate ends", sql.MaxAgain)
	}
	return n, nil
}

// apply changes the settings by the flags that were given. started is how many
// invitations have started: a pilot counts from there.
func (b *brakes) apply(cmd *cobra.Command, s *sql.CampaignSettings, now time.Time, started int) {
	var starts time.Time
	if b.after > 0 {
		starts = now.Add(b.after)
	}
	pilot := b.pilot
	if pilot > 0 {
		pilot += started
	}
	setIfGiven(cmd, "after", &s.StartsAt, starts)
	setIfGiven(cmd, "pilot", &s.Pilot, pilot)
	setIfGiven(cmd, "per-day", &s.PerDay, b.perDay)
	setIfGiven(cmd, "min-help", &s.MinHelp, b.minHelp)
	setIfGiven(cmd, "again", &s.Again, b.again)
}

func (a *app) campaignStart() *cobra.Command {
	var b brakes
	var anyway string
	cmd := a.ofCampaign(&cobra.Command{
		Use:   "start NAME",
		Short: "Send the invitations of a prepared campaign",
		Long: `Sends the invitations of a prepared campaign: by priority, then by the expiry of
the certificate, the earliest that is still ahead first. It first looks at all that
bascule campaign check looks at, and refuses if a line is red; --anyway starts all the
same, and the log of the campaign keeps the reason. The brakes can be changed while it
runs, by bascule campaign set.

Environment: that of bascule campaign check.`,
		Example: `  bascule campaign start spring --after 15m --pilot 200
  bascule campaign start spring --per-day 20000 --min-help 12h`,
	})
	b.addTo(cmd)
	a.addStateTo(cmd)
	cmd.Flags().Var(parsing(&anyway, parseReason), "anyway", "start although a line of check is red; the `reason` is for the log")
	a.withBrakes(cmd, &b, func(ctx context.Context, db *sql.DB, p sql.CampaignProgress, at time.Time) error {
		if p.State != sql.CampaignPrepared {
			return &sql.CampaignStateError{Name: p.Name, State: p.State}
		}
		apply := func(s *sql.CampaignSettings) { b.apply(cmd, s, at, p.Started) }
		apply(&p.CampaignSettings)
		why, err := a.mayStart(ctx, db, p, anyway)
		if err != nil {
			return err
		}
		if err := db.StartCampaign(ctx, p.Name, apply, why, actor()); err != nil {
			return err
		}
		return a.tellChanged(ctx, db, p.Name, func(now sql.CampaignProgress) string {
			now.Held = p.Held // workers release it already
			return fmt.Sprintf("%s`bascule campaign pause %s` stops what has not left.\n", terminal.Leaving(now), terminal.ShellWord(p.Name))
		})
	})
	return cmd
}

func (a *app) campaignSet() *cobra.Command {
	var b brakes
	var file string
	cmd := a.ofCampaign(&cobra.Command{
		Use:   "set NAME",
		Short: "Change the brakes or the message of a campaign, which may be running",
		Long: `Changes the brakes of a campaign, also while it runs. 0 takes a brake away. The
message is a paragraph of your own in its invitations and reminders, from the next
mail on: at most 1000 characters in 20 lines of plain text, with links and addresses
on the domains of PUBLIC_URL and MAIL_FROM alone.

Environment: DATABASE_URL; FOUR_EYES, optional; HELP_HOURS and CODE_LIFETIME,
optional, for --min-help; PUBLIC_URL and MAIL_FROM for --message.`,
		Example: `  bascule campaign set spring --per-day 5000
  bascule campaign set spring --per-day 0
  bascule campaign set spring --message message.txt
  bascule campaign set spring --message ''`,
	})
	b.addTo(cmd)
	a.addStateTo(cmd)
	cmd.Flags().StringVar(&file, "message", "", "the `FILE` with the message, UTF-8; '' takes it away")
	cmd.MarkFlagsOneRequired("after", "pilot", "per-day", "min-help", "again", "message")
	a.withBrakes(cmd, &b, func(ctx context.Context, db *sql.DB, p sql.CampaignProgress, at time.Time) error {
		if cmd.Flags().Changed("message") {
			m, err := a.message(file)
			if err != nil {
				return err
			}
			if err := db.SetMessage(ctx, p.Name, m, actor()); err != nil {
				return err
			}
		}
		err := db.SetCampaign(ctx, p.Name, func(s *sql.CampaignSettings) { b.apply(cmd, s, at, p.Started) }, actor())
		if err != nil {
			return err
		}
		return a.tellChanged(ctx, db, p.Name, func(now sql.CampaignProgress) string {
			return fmt.Sprintf("The campaign %s is %s.\n%s", now.Name, now.State,
				terminal.Indented(append(terminal.Brakes(now.CampaignSettings), terminal.Message(now.Campaign)...)))
		})
	})
	return cmd
}

// withBrakes makes cmd run f on the named campaign, once its flags make sense. at is the
// time of the database's clock.
func (a *app) withBrakes(cmd *cobra.Command, b *brakes, f func(ctx context.Context, db *sql.DB, p sql.CampaignProgress, at time.Time) error) {
	cmd.PreRunE = func(*cobra.Command, []string) error { return b.check(a.env) }
	cmd.RunE = a.withWriter(onCampaign(func(ctx context.Context, db *sql.DB, p sql.CampaignProgress) error {
		at, err := db.Now(ctx)
		if err != nil {
			return err
		}
		return f(ctx, db, p, at)
	}))
}
