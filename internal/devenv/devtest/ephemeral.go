package devtest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"bascule/internal/devenv"
)

// OwnPostgres gives the test a cluster of its own.
func OwnPostgres(t testing.TB) *devenv.Postgres {
	t.Helper()
	p, err := startEphemeral(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Stop(); err != nil {
			t.Error(err)
		}
	})
	return p.Postgres
}

// ephemeral is a cluster without durability.
type ephemeral struct {
	*devenv.Postgres
	dir string
}

// startEphemeral starts a new cluster in a folder that Stop removes.
func startEphemeral(ctx context.Context) (*ephemeral, error) {
	base := ephemeralBase()
	sweepEphemeral(base)
	dir, err := os.MkdirTemp(base, ephemeralPrefix)
	if err != nil {
		return nil, err
	}
	p, err := devenv.StartPostgres(ctx, dir, "fsync=off", "synchronous_commit=off", "full_page_writes=off")
	if errors.Is(err, devenv.ErrNoPostgres) {
		err = fmt.Errorf("%w; make test installs it", err)
	}
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return &ephemeral{p, dir}, nil
}

// Stop stops the cluster and removes its folder.
func (e *ephemeral) Stop() error { return errors.Join(e.Postgres.Stop(), os.RemoveAll(e.dir)) }

const ephemeralPrefix = "bascule-postgres-"

// memoryFolder is a folder that Linux keeps in memory. A new database is some 300
// files: they are made ten times faster there than on a journaling disk.
const memoryFolder = "/dev/shm"

// memoryNeeded is enough for the tests of several packages at once; containers often
// have 64 MiB there.
const memoryNeeded = 2 << 30

// ephemeralBase is the folder of ephemeral clusters: TMPDIR if that is set, otherwise
// memory if there is enough of it, otherwise the temporary folder.
func ephemeralBase() string {
	if os.Getenv("TMPDIR") == "" && freeBytes(memoryFolder) >= memoryNeeded {
		return memoryFolder
	}
	return os.TempDir()
}

// freeBytes is how much we may still write to a file system.
func freeBytes(path string) uint64 {
	var fs syscall.Statfs_t
	if err := syscall.Statfs(path, &fs); err != nil {
		return 0
	}
	return fs.Bavail * uint64(fs.Bsize)
}

// sweepAge spares folders that another process is making.
const sweepAge = 10 * time.Minute

// sweepEphemeral removes the folders of ephemeral clusters whose owners were killed.
// The lock of such a folder is free.
func sweepEphemeral(base string) {
	locks, _ := filepath.Glob(filepath.Join(base, ephemeralPrefix+"*", devenv.LockName)) // the pattern is well formed
	for _, path := range locks {
		if info, err := os.Lstat(path); err != nil || time.Since(info.ModTime()) < sweepAge {
			continue
		}
		lock, err := os.OpenFile(path, os.O_RDWR|syscall.O_NOFOLLOW, 0)
		if err != nil {
			continue // another user's
		}
		if syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil {
			// A folder that cannot be removed is in nobody's way.
			_ = os.RemoveAll(filepath.Dir(path))
		}
		lock.Close()
	}
}
