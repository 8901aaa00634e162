package main

import (
	"os"
	"path/filepath"
	"testing"
)

// The demonstration's key and sample are the account's alone, those of an older
// run too, whatever the umask.
func TestDemoFilesAreTheOwners(t *testing.T) {
	dir := t.TempDir()
	key, sample := filepath.Join(dir, "secret.key"), filepath.Join(dir, "sample.xlsx")
	for run := range 2 {
		if _, err := demoKey(key); err != nil {
			t.Fatal(err)
		}
		if err := demoSample(sample); err != nil {
			t.Fatal(err)
		}
		for _, path := range []string{key, sample} {
			info, err := os.Stat(path)
			if err != nil {
				t.Fatal(err)
			}
			if info.Mode().Perm() != 0o600 {
				t.Errorf("run %d: %s has %v, want 0600", run, path, info.Mode())
			}
			if err := os.Chmod(path, 0o644); err != nil { // as older releases left them
				t.Fatal(err)
			}
		}
	}
}
