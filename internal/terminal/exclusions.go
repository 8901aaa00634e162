package terminal

import (
	"encoding/json"
	"fmt"
	"io"
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
	fmt.Fprintf(w, "%-40s  %-7s  %6s  %-10s  %-10s  %-14s  %s\n", "who", "kind", "spaces", "until", "since", "by", "why")
	for _, x := range l {
		until := "lifted"
		if x.EndsAt.Valid {
			until = x.LastDay().Format(time.DateOnly)
		}
		fmt.Fprintf(w, "%-40s  %-7s  %6d  %-10s  %-10s  %-14s  %s\n", x.Key, x.Kind, x.Spaces, until,
			x.MadeAt.In(conversion.Paris).Format(time.DateOnly), x.MadeBy, text.OneLine(x.Reason))
	}
}
