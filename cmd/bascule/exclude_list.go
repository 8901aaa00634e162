package main

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"bascule/importer"
	"bascule/internal/atomicfile"
	"bascule/internal/conversion"
	"bascule/internal/terminal"
	"bascule/internal/text"
	"bascule/sql"
)

func (a *app) excludeList() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "list",
		Short: "Tell who is left alone now, since when, until when, by whom and why",
		Long: `Tells who is left alone now: whom, how many spaces that names, until when, since
when, by whom and why.

Environment: DATABASE_URL.`,
		Example: "  bascule exclude list",
		Args:    noArg,
	}
	a.addJSONTo(cmd, "print the list as one JSON object")
	cmd.RunE = a.withDB(func(ctx context.Context, db *sql.DB, _ []string) error {
		list := terminal.Exclusions{Exclusions: []sql.KeptExclusion{}}
		for x, err := range db.Exclusions(ctx) {
			if err != nil {
				return err
			}
			list.Exclusions = append(list.Exclusions, x)
		}
		return a.tell(list)
	})
	return cmd
}

func (a *app) excludeExport() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "export OUT.xlsx|OUT.csv",
		Short: "Write who is left alone now as a workbook or CSV",
		Long: `Writes who is left alone now as a workbook or, if the name ends in .csv, as CSV with
semicolons. ` + "`bascule exclude import`" + ` reads it again.

Environment: DATABASE_URL.`,
		Example: `  bascule exclude export exclusions.xlsx
  bascule exclude export exclusions.csv`,
		Args:              oneArg("OUT.xlsx or OUT.csv"),
		ValidArgsFunction: completeFiles("xlsx", "csv"),
	}
	a.addForceTo(cmd)
	isCSV := func(path string) bool { return strings.EqualFold(filepath.Ext(path), ".csv") }
	cmd.PreRunE = func(_ *cobra.Command, args []string) error {
		return a.checkOutput(args[0], importer.ExclusionsKind, isCSV(args[0]))
	}
	cmd.RunE = a.withDB(func(ctx context.Context, db *sql.DB, args []string) (err error) {
		path := args[0]
		if isCSV(path) {
			err = atomicfile.Write(path, func(w io.Writer) error { return importer.WriteExclusionsCSV(w, db.Exclusions(ctx)) })
		} else {
			err = atomicfile.WriteSealed(path, importer.ExclusionsKind, func(w io.Writer) error { return importer.WriteExclusions(w, db.Exclusions(ctx)) })
		}
		if err == nil {
			a.printf("%s is written.\n", path)
		}
		return err
	})
	return cmd
}

func (a *app) excludeImport() *cobra.Command {
	var dryRun bool
	cmd := &cobra.Command{
		Use:   "import FILE",
		Short: "Leave alone all who stand in a list, or nobody if a line is wrong",
		Long: `Leaves alone all who stand in a list, a workbook or CSV. The columns are qui (whom), or
adresse, domaine, numéro (address, domain, number), one of which is filled in on each
line; motif (reason); and optionally jusqu’au (until). All lines are taken, or none:
those that are wrong are named. Who is excluded already for the same
reason until the same day stays so.

Environment: DATABASE_URL.`,
		Example: `  bascule exclude import exclusions.xlsx --dry-run
  bascule exclude import exclusions.csv`,
		Args:              oneArg("FILE"),
		ValidArgsFunction: completeFiles("xlsx", "csv"),
	}
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "tell what would change, and change nothing")
	a.addYesTo(cmd)
	a.addJSONTo(cmd, jsonOfBulk)
	cmd.RunE = a.withWriter(func(ctx context.Context, db *sql.DB, args []string) error {
		list, err := a.readExclusions(ctx, db, args[0])
		if err != nil {
			return err
		}
		n, err := db.ExcludeAll(ctx, list, actor(), true)
		if err != nil {
			return err
		}
		said := "Dry run, nothing was changed.\n"
		if !dryRun {
			said = ""
			if n.New+n.Changed > 1 {
				err = a.askSomebody(ctx, "%d are left alone from now on, of %d others reason or end change", n.New, n.Changed)
			}
			if err != nil {
				return err
			}
			if n, err = db.ExcludeAll(ctx, list, actor(), false); err != nil {
				return err
			}
		}
		return a.answer(n, "%s%8d  new\n%8d  changed: another reason or end\n%8d  same as before\n", said, n.New, n.Changed, n.Same)
	})
	return cmd
}

// toldLines is how many wrong lines the error names.
const toldLines = 100

// readExclusions reads a list, and names all lines that are wrong.
func (a *app) readExclusions(ctx context.Context, db *sql.DB, path string) (list []sql.Exclusion, err error) {
	rows, err := importer.ReadExclusions(ctx, path)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	now, err := db.Now(ctx)
	if err != nil {
		return nil, err
	}
	seen := make(map[conversion.Excluded]int)
	var cells []string // of the list
	wrong := 0
	for _, r := range rows {
		first, twice := seen[r.Excluded]
		why, wrongReason := parseReason(r.Reason)
		r.Reason = why
		switch {
		case r.Problem != "":
		case wrongReason != nil:
			r.Problem = "the reason: " + wrongReason.Error()
		case !r.EndsAt.IsZero() && !r.EndsAt.After(now):
			r.Problem = "the last day is over already"
		case twice && (list[first].Reason != r.Reason || !list[first].EndsAt.Equal(r.EndsAt)):
			r.Problem = fmt.Sprintf("another reason or end than in %s", cells[first])
		case !twice:
			seen[r.Excluded] = len(list)
		}
		if r.Problem != "" {
			if wrong++; wrong <= toldLines {
				fmt.Fprintf(a.stderr, "bascule: %s: %s: %s\n", path, r.Cell, text.OneLine(r.Problem))
			}
			continue
		}
		list, cells = append(list, r.Exclusion), append(cells, r.Cell)
	}
	if wrong > 0 {
		return nil, fmt.Errorf("%s of %d are wrong: nothing was changed", terminal.Count(wrong, "line", "lines"), len(rows))
	}
	return list, nil
}
