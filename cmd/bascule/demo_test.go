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

// C1, C2, C4, C6, C8: the demonstration plays a batch from its spreadsheet to the
// report: the mails leave, subscribers activate, and each of these gets a recap.
func TestDemoPlaysItself(t *testing.T) {
	t.Parallel()
	o := newOperator(t)
	dir := filepath.Join(t.TempDir(), "demo")
	out := o.run("demo", "--auto", "--dir", dir, "--listen", "127.0.0.1:0")
	left := func(pattern string) int {
		found, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			t.Fatal(err)
		}
		return len(found)
	}
	mails, recaps, reports := left("mails/*.eml"), left("recaps/*.pdf"), left("report.xlsx")
	// Each of 51 spaces gets a code, and whoever activates a recap by mail.
	if recaps < 30 || mails < 51+recaps || reports != 1 {
		t.Errorf("%d mails, %d recaps, %d reports:\n%s", mails, recaps, reports, out)
	}
}
