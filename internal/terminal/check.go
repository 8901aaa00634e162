package terminal

import (
	"fmt"
	"io"

	"bascule/internal/readiness"
)

// A Check tells whether a campaign may start.
type Check struct {
	Campaign string           `json:"campaign"`
	Ready    bool             `json:"ready"`
	Lines    []readiness.Line `json:"lines"`
	Prepared bool             `json:"-"` // it has not started
}

// Print writes each line with its remedy, and the next step.
func (c Check) Print(w io.Writer) {
	for _, l := range c.Lines {
		fmt.Fprintf(w, "%-6s  %-14s  %s\n", l.State, l.Name, l.What)
		if l.Remedy != "" {
			fmt.Fprintf(w, "%24s  → %s\n", "", l.Remedy)
		}
	}
	if c.Ready && c.Prepared {
		fmt.Fprintf(w, "\nNo line is red: `bascule campaign start %s` sends the invitations.\n", ShellWord(c.Campaign))
	}
}
