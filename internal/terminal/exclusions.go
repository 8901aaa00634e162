package terminal

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"bascule/internal/conversion"
	"bascule/internal/text"
	"bascule/sql"
)

// Exclusions are all whom nobody mails now.
type Exclusions struct {
	Exclusions []sql.KeptExclusion `json:"exclusions"`
}

// Print writes one exclusion a line.
func (l Exclusions) Print(w io.Writer) {
	if len(l.Exclusions) == 0 {
		fmt.Fprintf(w, "Nobody is excluded.\n")
		return
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	defer table.Flush()
	fmt.Fprintf(table, "who\tkind\tspaces\tuntil\tsince\tby\twhy\n")
	for _, x := range l.Exclusions {
		until := "no end"
		if x.EndsAt != nil {
			until = x.LastDay().Format(time.DateOnly)
		}
		fmt.Fprintf(table, "%s\t%s\t%d\t%s\t%s\t%s\t%s\n", x.Key, x.Kind, x.Spaces, until,
			x.MadeAt.In(conversion.Paris).Format(time.DateOnly), x.MadeBy, text.OneLine(x.Reason))
	}
}
