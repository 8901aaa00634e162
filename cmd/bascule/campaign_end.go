package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"bascule/internal/conversion"
	"bascule/internal/report"
	"bascule/internal/terminal"
	"bascule/sql"
)

func (a *app) campaignPause() *cobra.Command {
	var why reason
	cmd := a.ofCampaign(&cobra.Command{
		Use:   "pause NAME",
		Short: "Stop what has not left of a running campaign",
		Long: `Stops the invitations of a running campaign that have not left, within two
seconds, whatever the number of workers. A code that was mailed is good until its
deadline.

Environment: DATABASE_URL.`,
		Example: `  bascule campaign pause spring --reason "too many calls"`,
	})
	cmd.Flags().Var(&why, "reason", "why, as bascule campaign show tells it")
	cmd.RunE = a.withWriter(func(ctx context.Context, db *sql.DB, args []string) error {
		if err := db.PauseCampaign(ctx, args[0], why.String(), actor()); err != nil {
			return err
		}
		p, err := db.Progress(ctx, args[0])
		if err != nil {
			return err
		}
		a.printf("The campaign %s is paused: %d have started, %d are held. `bascule campaign resume %s` goes on.\n",
			p.Name, p.Started, p.Held, terminal.ShellWord(p.Name))
		return nil
	})
	return cmd
}

func (a *app) campaignResume() *cobra.Command {
	cmd := a.ofCampaign(&cobra.Command{
		Use:   "resume NAME",
		Short: "Go on with a paused campaign",
		Long: `Goes on with a paused campaign; its pilot is over.

Environment: DATABASE_URL.`,
		Example: "  bascule campaign resume spring",
	})
	cmd.RunE = a.withCampaign(a.withWriter, func(ctx context.Context, db *sql.DB, p sql.CampaignProgress) error {
		if err := db.ResumeCampaign(ctx, p.Name, actor()); err != nil { // workers release what p says is held
			return err
		}
		a.printf("The campaign %s is running: %s held leave.\n", p.Name, terminal.Count(p.Held, "invitation", "invitations"))
		return nil
	})
	return cmd
}

// campaignClose makes a command that closes a campaign and may leave its report.
func (a *app) campaignClose() *cobra.Command {
	var path string
	var force bool
	cmd := a.campaignEnd("close", "End a campaign: nothing more is sent",
		`Ends a campaign and those of its requests whose mail never left. A code that was
mailed is good until its deadline. With --report it leaves the report of the
campaign, as bascule report --campaign writes it: whose it is says ADMINISTRATION,
which is optional.`,
		(*sql.DB).CloseCampaign, "end if their mail has not left; codes that were mailed stay good", &path)
	cmd.Example += "\n  bascule campaign close spring --report spring.xlsx"
	cmd.Flags().StringVar(&path, "report", "", "write the report of the campaign to `OUT.xlsx`")
	addForceTo(cmd, &force)
	end := cmd.RunE
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if path != "" {
			if err := checkOutput(path, report.Kind, false, force); err != nil {
				return err
			}
		}
		return end(cmd, args)
	}
	return cmd
}

// campaignEnd makes a command that ends a campaign for good, and writes its report to
// path unless that is empty.
func (a *app) campaignEnd(verb, short, long string, end func(db *sql.DB, ctx context.Context, name, why, actor string) (int64, error), what string, path *string) *cobra.Command {
	var f bulkFlags
	var why reason
	cmd := a.ofCampaign(&cobra.Command{
		Use:   verb + " NAME",
		Short: short,
		Long: long + `

Environment: DATABASE_URL.`,
		Example: fmt.Sprintf("  bascule campaign %s spring --reason \"the wrong file\"", verb),
	})
	f.addTo(cmd)
	cmd.Flags().Var(&why, "reason", "why, as bascule campaign show tells it")
	cmd.RunE = a.withCampaign(a.withWriter, func(ctx context.Context, db *sql.DB, p sql.CampaignProgress) error {
		if mailed := p.States[conversion.StateMailed]; !f.yes {
			open := terminal.Count(p.States[conversion.StateRequested]+mailed, "open request", "open requests")
			if err := a.askSomebody(ctx, "The campaign %s: %s, %d in mails; they %s", p.Name, open, mailed, what); err != nil {
				return err
			}
		}
		by, err := a.env.administration()
		if err != nil {
			return err
		}
		n, err := end(db, ctx, p.Name, why.String(), actor())
		if err != nil {
			return err
		}
		if *path != "" {
			if err := writeReport(ctx, db, *path, by, sql.Scope{Campaign: p.Name}, writeBook); err != nil {
				return fmt.Errorf("the campaign %s is over, but has no report yet: %w", p.Name, err)
			}
		}
		if f.json {
			return a.printJSON(struct {
				Campaign string `json:"campaign"`
				Ended    int64  `json:"ended"`
				Report   string `json:"report,omitempty"`
			}{p.Name, n, *path})
		}
		a.printf("The campaign %s is over: %s ended, %s switched for good.\n", p.Name,
			terminal.Count(n, "request", "requests"), terminal.Count(p.Spaces[conversion.AccessPassword], "space is", "spaces are"))
		if *path != "" {
			a.printf("%s is written.\n", *path)
		} else {
			a.printf("`bascule report OUT.xlsx --campaign %s` tells what became of each.\n", terminal.ShellWord(p.Name))
		}
		return nil
	})
	return cmd
}
