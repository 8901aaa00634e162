package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"bascule/internal/terminal"
	"bascule/sql"
)

func (a *app) campaignCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "campaign",
		Short: "List the campaigns; start, pause, resume, cancel or close one",
		Long: `Lists the campaigns. What is imported belongs to one, and is held: its invitations
leave only while the campaign is running. What subscribers ask for themselves is
never held.

Environment: DATABASE_URL.`,
		Example: `  bascule campaign
  bascule campaign show spring
  bascule campaign start spring --pilot 200`,
		Args: noArg,
		RunE: a.withDB(func(ctx context.Context, db *sql.DB, _ []string) error {
			list, err := db.Campaigns(ctx)
			if err != nil {
				return err
			}
			return a.tell(terminal.Campaigns{Campaigns: append([]sql.CampaignLine{}, list...)})
		}),
	}
	a.addJSONTo(cmd, "print one JSON object")
	cmd.AddCommand(a.campaignShow(), a.campaignPlan(), a.campaignCheck(), a.campaignPreview(), a.campaignStart(), a.campaignSet(),
		a.campaignPause(), a.campaignResume(), a.campaignCancel(), a.campaignClose())
	return cmd
}

// ofCampaign makes a command about one campaign. A shell completes its name.
func (a *app) ofCampaign(cmd *cobra.Command) *cobra.Command {
	one := oneArg("NAME")
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if err := one(cmd, args); err != nil {
			return err
		}
		return parseCampaign(args)
	}
	cmd.ValidArgsFunction = a.completeCampaigns
	return cmd
}

// parseCampaign reads the first argument, NAME, in its place.
func parseCampaign(args []string) (err error) {
	args[0], err = sql.ParseCampaignName(args[0])
	return err
}

// onCampaign runs f on the campaign that the first argument names.
func onCampaign(f func(context.Context, *sql.DB, sql.CampaignProgress) error) func(context.Context, *sql.DB, []string) error {
	return func(ctx context.Context, db *sql.DB, args []string) error {
		p, err := db.Progress(ctx, args[0])
		if err != nil {
			return err
		}
		return f(ctx, db, p)
	}
}

func (a *app) campaignShow() *cobra.Command {
	cmd := a.ofCampaign(&cobra.Command{
		Use:   "show NAME",
		Short: "Tell how a campaign stands",
		Long: `Tells a campaign's state and why, its brakes, what it holds, and what became of its
requests. The requests by state add up to all of them. Of a running one it foresees
the next mail and the last, as bascule campaign plan does.

Environment: DATABASE_URL; HELP_HOURS, CODE_LIFETIME and MAIL_RATE, optional, as the
workers have them.`,
		Example: "  bascule campaign show spring --json",
	})
	a.addJSONTo(cmd, "print one JSON object")
	cmd.RunE = a.withDB(onCampaign(func(ctx context.Context, db *sql.DB, p sql.CampaignProgress) error {
		next, last, err := a.comingMails(ctx, db, p)
		if err != nil {
			return err
		}
		return a.tell(terminal.NewCampaign(p, next, last))
	}))
	return cmd
}

// addStateTo adds --json to a command that changes a campaign.
func (a *app) addStateTo(cmd *cobra.Command) {
	a.addJSONTo(cmd, "print how the campaign stands then as one JSON object")
}

// tellChanged tells what a command has done to a campaign or, with --json, how it stands
// now: as campaign show does, but for the coming mails. A signal comes too late for what
// is done.
func (a *app) tellChanged(ctx context.Context, db *sql.DB, name string, said func(now sql.CampaignProgress) string) error {
	now, err := db.Progress(context.WithoutCancel(ctx), name)
	if err != nil {
		return fmt.Errorf("it is done, but cannot be told: %w", err)
	}
	return a.answer(terminal.NewCampaign(now, time.Time{}, time.Time{}), "%s", said(now))
}
