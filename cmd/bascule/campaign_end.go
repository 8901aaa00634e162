package main

import (
	"cmp"
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"bascule/internal/conversion"
	"bascule/internal/report"
	"bascule/internal/terminal"
	"bascule/sql"
)

func (a *app) campaignPause() *cobra.Command {
	var why string
	cmd := a.ofCampaign(&cobra.Command{
		Use:   "pause NAME",
		Short: "Stop what has not left of a running campaign",
		Long: `Stops the invitations of a running campaign that have not left, within two
seconds, whatever the number of workers. A code that was mailed is good until its
deadline.

Environment: DATABASE_URL.`,
		Example: `  bascule campaign pause spring --reason "too many calls"`,
	})
	addReasonTo(cmd, &why, "why, as bascule campaign show tells it")
	a.addStateTo(cmd)
	cmd.RunE = a.withWriter(func(ctx context.Context, db *sql.DB, args []string) error {
		if err := db.PauseCampaign(ctx, args[0], why, actor()); err != nil {
			return err
		}
		return a.tellChanged(ctx, db, args[0], func(now sql.CampaignProgress) string {
			return fmt.Sprintf("The campaign %s is paused: %d have started, %d are held. `bascule campaign resume %s` goes on.\n",
				now.Name, now.Started, now.Held, terminal.ShellWord(now.Name))
		})
	})
	return cmd
}

func (a *app) campaignResume() *cobra.Command {
	cmd := a.ofCampaign(&cobra.Command{
		Use:   "resume NAME",
		Short: "Go on with a paused campaign",
		Long: `Goes on with a paused campaign. Its brakes stay, but for a pilot that is over.

Environment: DATABASE_URL; FOUR_EYES, optional.`,
		Example: "  bascule campaign resume spring",
	})
	a.addStateTo(cmd)
	cmd.RunE = a.withWriter(onCampaign(func(ctx context.Context, db *sql.DB, p sql.CampaignProgress) error {
		if err := db.ResumeCampaign(ctx, p.Name, actor()); err != nil { // workers release what p says is held
			return err
		}
		return a.tellChanged(ctx, db, p.Name, func(now sql.CampaignProgress) string {
			now.Held = p.Held
			return terminal.Leaving(now)
		})
	}))
	return cmd
}

func (a *app) campaignCancel() *cobra.Command {
	return a.campaignEnd(ending{
		verb: "cancel", short: "End a campaign and its open requests; their codes are dead at once",
		long: `Ends a campaign and all its open requests. Their codes are dead at once, those in
mails under way too. What is switched stays switched. It says how many requests
there are, and how many it ended.`,
		end: (*sql.DB).CancelCampaign, becomes: "end for good, and the codes that were mailed are dead at once",
	})
}

// campaignClose makes a command that closes a campaign and may leave its report.
func (a *app) campaignClose() *cobra.Command {
	return a.campaignEnd(ending{
		verb: "close", short: "End a campaign: nothing more is sent",
		long: `Ends a campaign and those of its requests whose mail never left. A code that was
mailed is good until its deadline. With --report it leaves the report of the
campaign, as bascule report --campaign writes it: whose it is says ADMINISTRATION,
which is optional.`,
		end: (*sql.DB).CloseCampaign, becomes: "end for good if their mail has not left; the codes that were mailed stay good",
		reports: true,
	})
}

// An ending is a way to end a campaign for good.
type ending struct {
	verb, short, long string
	end               func(db *sql.DB, ctx context.Context, name, why, actor string) (int64, error)
	becomes           string // of the open requests
	reports           bool   // it may leave a report
}

func (a *app) campaignEnd(e ending) *cobra.Command {
	var path, why string
	var by conversion.Administration
	cmd := a.ofCampaign(&cobra.Command{
		Use:   e.verb + " NAME",
		Short: e.short,
		Long: e.long + `

Environment: DATABASE_URL.`,
		Example: fmt.Sprintf("  bascule campaign %s spring --reason \"the wrong file\"", e.verb),
	})
	a.addYesTo(cmd)
	a.addJSONTo(cmd, jsonOfBulk)
	addReasonTo(cmd, &why, whyTouched)
	if e.reports {
		cmd.Example += "\n  bascule campaign close spring --report spring.xlsx"
		cmd.Flags().Var(parsing(&path, given), "report", "write the report of the campaign to `OUT.xlsx`")
		a.addForceTo(cmd)
	}
	cmd.PreRunE = func(*cobra.Command, []string) (err error) {
		if path == "" {
			return nil
		}
		by, err = a.env.administration()
		return cmp.Or(err, a.checkOutput(path, report.Kind, false))
	}
	cmd.RunE = a.withWriter(onCampaign(func(ctx context.Context, db *sql.DB, p sql.CampaignProgress) error {
		return a.end(ctx, db, p, e, path, by, why)
	}))
	return cmd
}

// end ends a campaign, after a question to somebody at a terminal, and writes its report
// to path unless that is empty.
func (a *app) end(ctx context.Context, db *sql.DB, p sql.CampaignProgress, e ending, path string, by conversion.Administration, why string) error {
	open := terminal.Count(p.Requested+p.Mailed, "open request", "open requests")
	if err := a.askSomebody(ctx, "The campaign %s ends, with %s, %d of them mailed. They %s", p.Name, open, p.Mailed, e.becomes); err != nil {
		return err
	}
	n, err := e.end(db, ctx, p.Name, why, actor())
	if err != nil {
		return err
	}
	next := fmt.Sprintf("`bascule report OUT.xlsx --campaign %s` tells what became of each.", terminal.ShellWord(p.Name))
	if path != "" {
		if err := writeReport(ctx, db, path, by, sql.Scope{Campaign: p.Name}, report.WriteFile); err != nil {
			return fmt.Errorf("the campaign %s is over, but has no report yet: %w", p.Name, err)
		}
		next = path + " is written."
	}
	return a.answer(struct {
		Campaign string `json:"campaign"`
		Ended    int64  `json:"ended"`
		Report   string `json:"report,omitempty"`
	}{p.Name, n, path}, "The campaign %s is over: %s ended, %s switched for good.\n%s\n", p.Name,
		terminal.Count(n, "request", "requests"), terminal.Count(p.Spaces[conversion.AccessPassword], "space is", "spaces are"), next)
}
