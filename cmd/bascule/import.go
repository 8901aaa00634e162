package main

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"

	"bascule/importer"
	"bascule/internal/conversion"
	"bascule/internal/terminal"
	"bascule/sql"
)

func (a *app) importCommand() *cobra.Command {
	in := importer.Options{Actor: actor()}
	cmd := &cobra.Command{
		Use:   "import FILE",
		Short: "Check a spreadsheet of expiring certificates and prepare its invitations",
		Long: `Checks a spreadsheet (xlsx or CSV) completely, then stores its rows as one batch
of a campaign. The campaign holds the invitations until it is started. The whole
file or nothing: a file that cannot be trusted is refused, rows that are wrong are
rejected one by one and listed in the verdicts. Importing the same contents again
changes nothing. With CLIENT_CA_FILE, the authorities whose certificates open
spaces, the verdicts warn of issuers that name none or several of them.

The campaign is the one that is named, else the one in which the subscribers of
the file are already, else a new one named after the file. --start sends its
invitations at once, without a look at what bascule campaign check finds.

A workbook of ` + "`bascule firms`" + ` that a firm has filled in gives its spaces new addresses,
and changes nothing else. With --firm no other kind of list is taken: whatever came
from outside could name any space.

Environment: DATABASE_URL, SECRET_KEY; CLIENT_CA_FILE and FOUR_EYES, optional.`,
		Example: `  bascule import list.xlsx --dry-run --verdicts verdicts.xlsx
  bascule import list.xlsx --within 90d --campaign spring
  bascule import list.xlsx --start --json
  bascule import answer.xlsx --firm --campaign spring`,
		Args:              oneArg("FILE"),
		ValidArgsFunction: completeFiles("xlsx", "csv"),
	}
	cmd.Flags().BoolVar(&in.DryRun, "dry-run", false, "judge every row, store nothing")
	a.addCampaignTo(cmd, &in.Campaign, "the campaign that it belongs to, made if there is none of that `NAME`")
	cmd.Flags().BoolVar(&in.Start, "start", false, "start the campaign: the mails leave at once")
	cmd.Flags().BoolVar(&in.Firm, "firm", false, "FILE came back from a firm: take no other kind of list")
	cmd.Flags().Var(parsing(&in.Within, parseSpan), "within", "only certificates that expire within this `time`, such as 90d (default: all)")
	cmd.Flags().Var(parsing(&in.VerdictsPath, given), "verdicts", "write the sheet with a verdict for each row to the new workbook `OUT.xlsx`")
	a.addJSONTo(cmd, "print the counts as one JSON object")
	a.addForceTo(cmd)
	cmd.MarkFlagsMutuallyExclusive("start", "dry-run")
	cmd.PreRunE = func(_ *cobra.Command, args []string) error {
		if in.Start {
			a.roles = append(a.roles, sql.RoleLaunch)
		}
		return a.checkVerdicts(args[0], in.VerdictsPath)
	}
	cmd.RunE = a.withKeys(func(ctx context.Context, db *sql.DB, keys *conversion.Keyring, args []string) error {
		in.Path, in.Keys = args[0], keys
		return a.runImport(ctx, db, in)
	})
	return cmd
}

// checkVerdicts refuses a bad name for the verdicts before the import judges anything.
func (a *app) checkVerdicts(path, verdicts string) error {
	if verdicts == "" {
		return nil
	}
	if err := importer.CheckVerdictsPath(path, verdicts); err != nil {
		return err
	}
	return a.checkOutput(verdicts, importer.VerdictsKind, false)
}

func (a *app) runImport(ctx context.Context, db *sql.DB, in importer.Options) (err error) {
	if in.Certificates, err = a.env.authorities("", a.log); err != nil {
		return err
	}
	if in.DryRun { // a dry run stores nothing
		err = db.CheckKeys(ctx, in.Keys)
	} else {
		err = db.LearnKeys(ctx, in.Keys, sql.KeyUse{})
	}
	if err != nil {
		return err
	}
	progress := &progress{on: isTerminal(a.stderr)}
	defer progress.end()
	in.Progress = progress.show
	in.Warn = func(w importer.Warning) {
		progress.end()
		a.note(w.English)
	}
	result, err := importer.Run(ctx, db, in)
	progress.end()
	if unplaced, ok := errors.AsType[*importer.UnplacedError](err); ok {
		// Exit status 1 would say that nothing was stored.
		a.note(unplaced.Error())
		in.VerdictsPath = unplaced.Temporary
	} else if err != nil {
		return err
	}
	return a.tell(terminal.Import{ImportResult: result, DryRun: in.DryRun, Verdicts: in.VerdictsPath})
}

// progress shows a bar on a terminal, otherwise nothing.
type progress struct {
	on    bool
	stage string
	bar   *progressbar.ProgressBar
}

func (p *progress) show(stage string, done, total int64) {
	if !p.on {
		return
	}
	if p.bar == nil || stage != p.stage {
		p.end()
		p.stage = stage
		p.bar = progressbar.NewOptions64(cmp.Or(total, -1), // -1 is an unknown end
			progressbar.OptionSetDescription(stage), progressbar.OptionClearOnFinish(),
			progressbar.OptionShowBytes(total > 0), progressbar.OptionThrottle(100*time.Millisecond))
	}
	if total > 0 {
		p.bar.Set64(done)
	} else {
		p.bar.Add(1)
	}
}

func (p *progress) end() {
	if p.bar != nil {
		p.bar.Finish()
		p.bar = nil
	}
}
