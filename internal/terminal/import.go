package terminal

import (
	"fmt"
	"io"

	"bascule/sql"
)

// An Import is what an import did.
type Import struct {
	sql.ImportResult
	DryRun   bool   `json:"-"`
	Verdicts string `json:"-"` // the workbook with them, "" for none
}

// remedy tells where rejected rows are corrected. The verdicts of a dry run would be
// imported as a list of their own.
func (r Import) remedy() string {
	switch {
	case r.Rejected == 0:
		return ""
	case r.DryRun:
		return ": correct in your list what is rejected"
	}
	return ": correct there what is rejected, and import it"
}

// Print counts the rows by verdict, and tells the next step.
func (r Import) Print(w io.Writer) {
	if r.DryRun {
		fmt.Fprintf(w, "Dry run, nothing was stored: %d rows for the campaign %s\n", r.Rows, r.Campaign)
	} else {
		fmt.Fprintf(w, "Batch %d of the campaign %s: %d rows\n", r.Batch, r.Campaign, r.Rows)
	}
	if r.MovedFrom != "" {
		fmt.Fprintf(w, "The file moves: it was of the campaign %s, where the requests that it opened stay.\n", r.MovedFrom)
	}
	for _, line := range []struct {
		n      int
		what   string
		always bool
	}{
		{r.Accepted, "accepted", true},
		{r.Unchanged, "unchanged: repeated, or known already (see `bascule retry`)", false},
		{r.NotDue, "not due: they expire after --within", false},
		{r.Excluded, "excluded: to be left alone, see `bascule exclude`", false},
		{r.Rejected, "rejected", true},
	} {
		if line.n > 0 || line.always {
			fmt.Fprintf(w, "%8d  %s\n", line.n, line.what)
		}
	}
	if r.OrphanDossiers > 0 {
		fmt.Fprintf(w, "%8d  not used of the sheet Dossiers: no row of the file has the number\n", r.OrphanDossiers)
	}
	switch {
	case r.Verdicts != "":
		fmt.Fprintf(w, "The verdict for each row is in %s%s.\n", r.Verdicts, r.remedy())
	case r.Rejected+r.Excluded > 0:
		fmt.Fprintf(w, "To see which rows and why, repeat it with --verdicts OUT.xlsx: nothing happens twice.\n")
	}
	if r.Elsewhere > 0 {
		fmt.Fprintf(w, "%d of the accepted rows stay in the campaign of their request, which invites them: see `bascule campaign`.\n", r.Elsewhere)
	}
	if !r.DryRun && (r.Elsewhere == 0 || r.Elsewhere < r.Accepted) {
		fmt.Fprintf(w, "%s\n", AfterInviting(r.Campaign, r.State))
	}
}
