package devenv

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// A folder holds a cluster: data/ is PostgreSQL's own, beside it are the lock, the log
// and the socket. A process that holds the lock holds the folder.
type folder struct {
	dir  string
	lock *os.File
}

func (f *folder) data() string { return filepath.Join(f.dir, "data") }
func (f *folder) log() string  { return filepath.Join(f.dir, "postgres.log") }

// LockName is the file whose lock is held while the folder is in use.
const LockName = "lock"

// openFolder makes the folder if it is missing, and takes its lock before it reads
// anything in it.
func openFolder(ctx context.Context, dir string) (*folder, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	dir, err := realPath(dir)
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(dir, 0o700); err != nil {
		return nil, err
	}
	lock, err := os.OpenFile(filepath.Join(dir, LockName), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := waitLock(ctx, lock); err != nil {
		lock.Close()
		return nil, err
	}
	return &folder{dir, lock}, nil
}

func realPath(dir string) (string, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	return filepath.EvalSymlinks(abs)
}

// ErrFolderInUse says that another process holds the folder.
var ErrFolderInUse = errors.New("another bascule uses this folder: stop it or choose another folder")

// lockWait is how long a server may still need the folder after its owner was killed.
const lockWait = 10 * time.Second

// waitLock takes the lock and writes our process number into it. It refuses the lock of
// a living process at once. It waits for the lock of a server that outlives its owner
// until the server has shut down.
func waitLock(ctx context.Context, lock *os.File) error {
	patience := time.After(lockWait)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := tryLock(lock)
		if err == nil {
			return writeOwner(lock)
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return err
		}
		if pid, ok := owner(lock); ok && alive(pid) {
			return ErrFolderInUse
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-patience:
			return ErrFolderInUse
		case <-tick.C:
		}
	}
}

func writeOwner(lock *os.File) error {
	if err := lock.Truncate(0); err != nil {
		return err
	}
	_, err := lock.WriteAt([]byte(strconv.Itoa(os.Getpid())), 0)
	return err
}

// owner is the process number in a lock.
func owner(lock *os.File) (pid int, ok bool) {
	text := make([]byte, 20)
	n, _ := lock.ReadAt(text, 0) // io.EOF: the file is shorter
	pid, err := strconv.Atoi(string(text[:n]))
	return pid, err == nil
}

// Owner tells which living process runs a cluster in dir, if any does.
func Owner(dir string) (pid int, ok bool) {
	lock, err := os.Open(filepath.Join(dir, LockName))
	if err != nil {
		return 0, false
	}
	defer lock.Close()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_SH|syscall.LOCK_NB); !errors.Is(err, syscall.EWOULDBLOCK) {
		return 0, false // nobody holds it: closing gives it back
	}
	pid, ok = owner(lock)
	return pid, ok && alive(pid)
}

// alive tells whether a process still runs. A process that has ended is not alive, even
// if its parent has not noticed.
func alive(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return syscall.Kill(pid, 0) != syscall.ESRCH
	}
	name := bytes.LastIndexByte(stat, ')') // the state follows the name
	return !bytes.HasPrefix(stat[name+1:], []byte(" Z"))
}

func tryLock(f *os.File) error { return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) }

// majorVersion is the version that made the data; 0 if there are none yet.
func (f *folder) majorVersion() (int, error) {
	if _, err := os.Lstat(f.data()); errors.Is(err, os.ErrNotExist) {
		return 0, nil
	}
	text, err := os.ReadFile(filepath.Join(f.data(), "PG_VERSION"))
	if err != nil {
		return 0, fmt.Errorf("%s is not a PostgreSQL data folder: %w", f.data(), err)
	}
	major, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return 0, fmt.Errorf("%s: unknown version %q", f.data(), strings.TrimSpace(string(text)))
	}
	return major, nil
}

// removeStalePID removes the file of a killed server, if another program has its
// process number now. PostgreSQL would take that program for itself and refuse to
// start. PostgreSQL judges every other case better.
func (f *folder) removeStalePID() error {
	path := filepath.Join(f.data(), "postmaster.pid")
	lines, err := readLines(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	at, err := os.Readlink(filepath.Join("/proc", lines[0], "cwd"))
	switch {
	case err != nil: // there is no such process, or we may not look at it
		return nil
	case at == f.data(): // a server works in its data folder
		return fmt.Errorf("a server that bascule did not start uses these data: stop process %s", lines[0])
	}
	return os.Remove(path)
}

// ready tells whether the server of that process number accepts connections. The eighth
// line of its state file says so.
func (f *folder) ready(pid int) bool {
	lines, err := readLines(filepath.Join(f.data(), "postmaster.pid"))
	return err == nil && len(lines) >= 8 && lines[0] == strconv.Itoa(pid) && strings.TrimSpace(lines[7]) == "ready"
}

func readLines(path string) ([]string, error) {
	text, err := os.ReadFile(path)
	return strings.Split(string(text), "\n"), err
}

// maxSocketDir is the longest name of the socket's folder. The kernel allows 107 bytes,
// with "/.s.PGSQL.5432" and the lock beside it.
const maxSocketDir = 107 - len("/.s.PGSQL.5432.lock")

// makeSocketDir chooses the folder of the socket: the cluster's own, or a
// temporary one if that has too long a name.
func makeSocketDir(dir string, who identity) (string, error) {
	if len(dir) <= maxSocketDir {
		return dir, nil
	}
	base := os.TempDir()
	if len(base) > 60 {
		base = "/tmp"
	}
	short, err := os.MkdirTemp(base, "bascule-socket-")
	if err != nil {
		return "", err
	}
	return short, who.own(short)
}
