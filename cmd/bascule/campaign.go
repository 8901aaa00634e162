package main

import (
	"context"

	"github.com/spf13/cobra"

	"bascule/internal/terminal"
	"bascule/sql"
)

func (a *app) campaignCommand() *cobra.Command {
	var asJSON bool
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
	}
	addJSONTo(cmd, &asJSON, "print one JSON object")
	cmd.RunE = a.withDB(func(ctx context.Context, db *sql.DB, _ []string) error { return a.campaigns(ctx, db, asJSON) })
	cmd.AddCommand(a.campaignShow(), a.campaignPlan(), a.campaignCheck(), a.campaignPreview(), a.campaignStart(), a.campaignSet(), a.campaignPause(), a.campaignResume(),
		a.campaignEnd("cancel", "End a campaign and its open requests; their codes are dead at once",
			`Ends a campaign and all its open requests. Their codes are dead at once, those in
mails under way too. What is switched stays switched. It says how many requests
there are, and how many it ended.`, (*sql.DB).CancelCampaign, "are cancelled; codes that were mailed are dead", new(string)),
		a.campaignClose())
	return cmd
}

func (a *app) campaigns(ctx context.Context, db *sql.DB, asJSON bool) error {
	list, err := db.Campaigns(ctx)
	if err != nil {
		return err
	}
	return a.tell(asJSON, terminal.Campaigns(list))
}

// ofCampaign makes a command about one campaign. A shell completes its name.
func (a *app) ofCampaign(cmd *cobra.Command) *cobra.Command {
	one := oneArg("NAME")
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if err := one(cmd, args); err != nil {
			return err
		}
		return sql.CheckCampaignName(args[0])
	}
	cmd.ValidArgsFunction = a.completeCampaigns
	return cmd
}

// withCampaign runs a command on the campaign that its first argument names.
func (a *app) withCampaign(open opener, f func(context.Context, *sql.DB, sql.CampaignProgress) error) func(*cobra.Command, []string) error {
	return open(func(ctx context.Context, db *sql.DB, args []string) error {
		p, err := db.Progress(ctx, args[0])
		if err != nil {
			return err
		}
		return f(ctx, db, p)
	})
}

func (a *app) campaignShow() *cobra.Command {
	var asJSON bool
	cmd := a.ofCampaign(&cobra.Command{
		Use:   "show NAME",
		Short: "Tell how a campaign stands",
		Long: `Tells a campaign's state and why, its brakes, what it holds, and what became of its
requests. The requests by state add up to all of them. Of a running one it foresees
the last mail, as bascule campaign plan does.

Environment: DATABASE_URL; HELP_HOURS, CODE_LIFETIME and MAIL_RATE, optional, as the
workers have them.`,
		Example: "  bascule campaign show spring --json",
	})
	addJSONTo(cmd, &asJSON, "print one JSON object")
	cmd.RunE = a.withCampaign(a.withDB, func(ctx context.Context, db *sql.DB, p sql.CampaignProgress) error {
		last, err := a.lastMail(ctx, db, p)
		if err != nil {
			return err
		}
		return a.tell(asJSON, terminal.NewCampaign(p, last))
	})
	return cmd
}
