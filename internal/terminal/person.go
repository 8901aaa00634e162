package terminal

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"bascule/sql"
)

// Persons are who may act (D18).
type Persons struct {
	Persons []sql.Person `json:"persons"`
}

// Print lists them with their roles.
func (p Persons) Print(w io.Writer) {
	if len(p.Persons) == 0 {
		fmt.Fprintln(w, "Nobody is registered: everybody may do everything.")
		return
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "account\tname\troles")
	for _, person := range p.Persons {
		var roles []string
		for _, r := range person.Roles {
			roles = append(roles, string(r))
		}
		fmt.Fprintf(t, "%s\t%s\t%s\n", person.Account, person.Name, strings.Join(roles, ", "))
	}
	t.Flush()
}
