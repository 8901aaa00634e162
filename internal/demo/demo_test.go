package demo

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"bascule/internal/devenv"
)

// The demonstration's key and sample belong to the account alone, whatever the umask.
func TestDemoFilesAreTheOwners(t *testing.T) {
	dir := t.TempDir()
	key, sample := filepath.Join(dir, "secret.key"), filepath.Join(dir, sampleSheet)
	if _, err := ownKey(key); err != nil {
		t.Fatal(err)
	}
	if err := writeSample(sample); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{key, sample} {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if mode := info.Mode().Perm(); mode != 0o600 {
			t.Errorf("%s has %v, want 0600", path, mode)
		}
	}
}

// The environment of a demonstration that was killed, or of one that starts, is none.
func TestDemoEnvironmentIsOfWhoRuns(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, envFile), []byte(processLine(1)+"export X=1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := Environment(dir); err == nil || out != "" || !strings.Contains(err.Error(), "no demonstration runs") {
		t.Errorf("%q, %v", out, err)
	}
	postgres, err := devenv.StartPostgres(t.Context(), filepath.Join(dir, "postgres"), "fsync=off")
	if err != nil {
		t.Fatal(err)
	}
	defer postgres.Stop()
	if out, err := Environment(dir); err == nil || out != "" || !strings.Contains(err.Error(), "still starting") {
		t.Errorf("%q, %v", out, err)
	}
}
