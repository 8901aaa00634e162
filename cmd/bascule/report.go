package main

import (
	"context"
	"io"

	"github.com/spf13/cobra"

	"bascule/internal/atomicfile"
	"bascule/internal/conversion"
	"bascule/internal/report"
	"bascule/sql"
)

func (a *app) reportCommand() *cobra.Command {
	var scope sql.Scope
	var asCSV bool
	cmd := &cobra.Command{
		Use:   "report OUT.xlsx",
		Short: "Write the workbook that tells what became of every row",
		Long: `Writes the workbook that tells what became of every row. It names subscribers: its
owner alone may read it (0600). A file of that name is replaced only if it is a
report that nobody changed since, or with --force. With --csv it writes the
requests alone, with semicolons, and replaces a file only with --force.

Environment, needed:
  DATABASE_URL    the PostgreSQL database

Environment, optional:
  ADMINISTRATION  whose report it is, "name; short form" (nobody's)`,
		Example: `  bascule report report.xlsx
  bascule report spring.xlsx --campaign spring
  bascule report lot3.xlsx --batch 3
  bascule report requests.csv --csv`,
		Args:              oneArg("OUT.xlsx"),
		ValidArgsFunction: completeFiles("xlsx", "csv"),
	}
	a.addBatchTo(cmd, &scope.Batch, "only batch `N`")
	a.addCampaignTo(cmd, &scope.Campaign, "only the campaign of this `NAME`")
	cmd.MarkFlagsMutuallyExclusive("batch", "campaign")
	cmd.Flags().BoolVar(&asCSV, "csv", false, "write the requests as CSV to OUT.csv")
	a.addForceTo(cmd)
	cmd.PreRunE = func(_ *cobra.Command, args []string) error { return a.checkOutput(args[0], report.Kind, asCSV) }
	cmd.RunE = a.withDB(func(ctx context.Context, db *sql.DB, args []string) error {
		form := report.WriteFile
		if asCSV {
			form = writeRequests
		}
		by, err := a.env.administration()
		if err != nil {
			return err
		}
		if err := writeReport(ctx, db, args[0], by, scope, form); err != nil {
			return err
		}
		a.printf("%s is written.\n", args[0])
		return nil
	})
	return cmd
}

// writeReport writes one consistent picture to a file in one form. The file is complete
// or absent (I7).
func writeReport(ctx context.Context, db *sql.DB, path string, by conversion.Administration, of sql.Scope, form func(string, conversion.Report) error) error {
	return db.ReadReport(ctx, of, func(r conversion.Report) error {
		r.Administration = by.String()
		return form(path, r)
	})
}

// writeRequests is the form of --csv.
func writeRequests(path string, r conversion.Report) error {
	return atomicfile.Write(path, func(w io.Writer) error { return report.WriteCSV(w, r.Requests) })
}
