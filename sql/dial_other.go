//go:build !linux

package sql

// limitSilence leaves the limit to the system.
func limitSilence(uintptr) error { return nil }
