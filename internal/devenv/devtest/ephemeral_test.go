package devtest

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"bascule/internal/devenv"
)

// Folders of killed test runs go; those in use and those just made stay.
func TestSweepEphemeral(t *testing.T) {
	base := t.TempDir()
	old := time.Now().Add(-2 * sweepAge)
	for _, c := range []struct {
		name  string
		held  bool
		made  time.Time
		stays bool
	}{
		{"abandoned", false, old, false},
		{"held", true, old, true},
		{"fresh", false, time.Now(), true},
	} {
		dir := filepath.Join(base, ephemeralPrefix+c.name)
		path := filepath.Join(dir, devenv.LockName)
		if err := errors.Join(os.Mkdir(dir, 0o700), os.WriteFile(path, nil, 0o600), os.Chtimes(path, c.made, c.made)); err != nil {
			t.Fatal(err)
		}
		if c.held {
			lock, err := os.Open(path)
			if err != nil {
				t.Fatal(err)
			}
			defer lock.Close()
			if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
				t.Fatal(err)
			}
		}
		sweepEphemeral(base)
		if _, err := os.Stat(dir); (err == nil) != c.stays {
			t.Errorf("%s: %v, want it to stay: %v", c.name, err, c.stays)
		}
	}
}
