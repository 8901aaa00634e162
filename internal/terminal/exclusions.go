package terminal

import (
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"bascule/internal/conversion"
	"bascule/internal/text"
	"bascule/sql"
)

// Exclusions are all whom nobody mails now.
type Exclusions []sql.KeptExclusion

// MarshalJSON writes them as an object.
func (l Exclusions) MarshalJSON() ([]byte, error) {
	type kept struct {
		Exclusion
		Spaces int `json:"spaces"`
	}
	all := []kept{}
	for _, x := range l {
		all = append(all, kept{newExclusion(x.SpaceExclusion), x.Spaces})
	}
	return json.Marshal(map[string]any{"exclusions": all})
}

// Print writes one exclusion a line.
func (l Exclusions) Print(w io.Writer) {
	if len(l) == 0 {
		fmt.Fprintf(w, "Nobody is excluded.\n")
		return
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	defer table.Flush()
	fmt.Fprintf(table, "who\tkind\tspaces\tuntil\tsince\tby\twhy\n")
	for _, x := range l {
		until := "no end"
		if x.EndsAt.Valid {
			until = x.LastDay().Format(time.DateOnly)
		}
		fmt.Fprintf(table, "%s\t%s\t%d\t%s\t%s\t%s\t%s\n", x.Key, x.Kind, x.Spaces, until,
			x.MadeAt.In(conversion.Paris).Format(time.DateOnly), x.MadeBy, text.OneLine(x.Reason))
	}
}
