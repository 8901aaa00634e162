package main

import (
	"cmp"
	"fmt"
	"io"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// A version is what a build knows of itself. Facts that a build outside the repository
// does not know are "unknown".
type version struct {
	Commit   string `json:"commit"`
	Date     string `json:"date"`     // of the commit, RFC 3339
	Modified bool   `json:"modified"` // the tree had changes that are not in the commit
	Go       string `json:"go"`
}

// readVersion reads what the compiler recorded.
func readVersion(info *debug.BuildInfo) version {
	var v version
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			v.Commit = s.Value
		case "vcs.time":
			v.Date = s.Value
		case "vcs.modified":
			v.Modified = s.Value == "true"
		}
	}
	const unknown = "unknown"
	v.Commit, v.Date, v.Go = cmp.Or(v.Commit, unknown), cmp.Or(v.Date, unknown), cmp.Or(info.GoVersion, unknown)
	return v
}

// String tells the version in one line.
func (v version) String() string {
	commit := v.Commit
	if v.Modified {
		commit += " and changes"
	}
	return "bascule, commit " + commit + ", of " + v.Date + ", " + v.Go
}

// Print is String, in a line of its own.
func (v version) Print(w io.Writer) { fmt.Fprintln(w, v) }

func (a *app) versionCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "version",
		Short:   "Tell which commit this program was built from, its date, and by which Go",
		Example: "  bascule version --json",
		Args:    noArg,
		RunE: func(*cobra.Command, []string) error {
			return a.tell(thisVersion())
		},
	}
	a.addJSONTo(cmd, "print one JSON object")
	return cmd
}

func thisVersion() version {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		info = new(debug.BuildInfo)
	}
	return readVersion(info)
}
