package main

import (
	"runtime/debug"
	"testing"
)

// A fact that a build does not know of itself is "unknown", never left out.
func TestReadVersion(t *testing.T) {
	full := &debug.BuildInfo{GoVersion: "go1.26", Settings: []debug.BuildSetting{
		{Key: "vcs.revision", Value: "c0ffee"}, {Key: "vcs.time", Value: "2026-11-28T00:00:00Z"}, {Key: "vcs.modified", Value: "true"}}}
	for info, want := range map[*debug.BuildInfo]string{
		full:                 "bascule, commit c0ffee and changes, of 2026-11-28T00:00:00Z, go1.26",
		new(debug.BuildInfo): "bascule, commit unknown, of unknown, unknown",
	} {
		if got := readVersion(info).String(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
