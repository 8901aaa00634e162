package main

import (
	"slices"
	"testing"

	"github.com/spf13/cobra"

	"bascule/internal/conversion"
)

// D17: the subcommands of `exclude` are words without a dot, an "@" or a digit, so none
// is an address or a domain. The help names the one that could be a subscriber number.
func TestExcludeSubcommandsAreNobody(t *testing.T) {
	all := commandsOf(t)
	exclude := all[slices.IndexFunc(all, func(c *cobra.Command) bool { return c.Name() == "exclude" })]
	if len(exclude.Commands()) < 3 {
		t.Fatalf("exclude has %d subcommands", len(exclude.Commands()))
	}
	for _, c := range exclude.Commands() {
		for _, name := range append(c.Aliases, c.Name()) {
			if x, err := conversion.ParseExcluded(name); err == nil && x.Kind != conversion.ExcludedNumber {
				t.Errorf("exclude %s could be meant for the %s", name, x.Kind)
			}
			for _, r := range name {
				if r < 'a' || r > 'z' {
					t.Errorf("exclude %s has %q: it could be meant for somebody", name, r)
				}
			}
		}
	}
}
