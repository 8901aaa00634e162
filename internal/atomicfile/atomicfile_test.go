package atomicfile_test

import (
	"errors"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"bascule/internal/atomicfile"
)

func text(s string) func(io.Writer) error {
	return func(w io.Writer) error {
		_, err := io.WriteString(w, s)
		return err
	}
}

// I7: a file is written whole, over an older one too.
func TestWrite(t *testing.T) {
	path := filepath.Join(t.TempDir(), "report.xlsx")
	for _, want := range []string{strings.Repeat("x", 200_000), "second"} {
		if err := atomicfile.Write(path, text(want)); err != nil {
			t.Fatal(err)
		}
		if got := read(t, path); got != want {
			t.Fatalf("file holds %d bytes, want %d", len(got), len(want))
		}
	}
	assertOnly(t, filepath.Dir(path), "report.xlsx")
}

// I7: a failure half-way leaves the older file, or none, and no remains.
func TestWriteFailure(t *testing.T) {
	broken := errors.New("database went away")
	half := func(w io.Writer) error {
		io.WriteString(w, strings.Repeat("half", 100_000))
		return broken
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "report.xlsx")
	if err := atomicfile.Write(path, half); !errors.Is(err, broken) {
		t.Fatalf("error %v, want %v", err, broken)
	}
	assertOnly(t, dir)

	if err := atomicfile.Write(path, text("old")); err != nil {
		t.Fatal(err)
	}
	if err := atomicfile.Write(path, half); !errors.Is(err, broken) {
		t.Fatalf("error %v, want %v", err, broken)
	}
	if got := read(t, path); got != "old" {
		t.Errorf("the older file was touched: %d bytes", len(got))
	}
	assertOnly(t, dir, "report.xlsx")
}

// I7: a name that cannot be taken in the end leaves no remains either.
func TestWriteNameTaken(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "report.xlsx")
	err := atomicfile.Write(path, func(io.Writer) error { return os.Mkdir(path, 0o777) })
	if err == nil {
		t.Error("a folder was replaced by a file")
	}
	assertOnly(t, dir, "report.xlsx")
}

// I7: a panic leaves no remains either.
func TestWritePanic(t *testing.T) {
	dir := t.TempDir()
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic was swallowed")
			}
		}()
		atomicfile.Write(filepath.Join(dir, "a"), func(io.Writer) error { panic("bug") })
	}()
	assertOnly(t, dir)
}

// I7: until the last byte is on disk, readers see the older file.
func TestWriteIsInvisibleUntilDone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a")
	if err := atomicfile.Write(path, text("old")); err != nil {
		t.Fatal(err)
	}
	err := atomicfile.Write(path, func(w io.Writer) error {
		io.WriteString(w, strings.Repeat("new", 100_000))
		if got := read(t, path); got != "old" {
			t.Errorf("a reader saw %d bytes of the new file", len(got))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// The files of bascule name subscribers. Only their owner can read them, whatever the
// umask, and even if others could read the file before.
func TestWritePermissions(t *testing.T) {
	path := filepath.Join(t.TempDir(), "report.xlsx")
	for _, before := range []os.FileMode{0, 0o644, 0o666} {
		if before != 0 {
			if err := os.Chmod(path, before); err != nil {
				t.Fatal(err)
			}
		}
		if err := atomicfile.Write(path, text("x")); err != nil {
			t.Fatal(err)
		}
		if got := mode(t, path); got != 0o600 {
			t.Errorf("where %v was, there is %v, want 0600", before, got)
		}
	}
}

// A link still leads to the file, which has the new contents.
func TestWriteThroughLink(t *testing.T) {
	dir := t.TempDir()
	real, link := filepath.Join(dir, "real"), filepath.Join(dir, "link")
	if err := atomicfile.Write(real, text("old")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(real, link); err != nil {
		t.Fatal(err)
	}
	if err := atomicfile.Write(link, text("new")); err != nil {
		t.Fatal(err)
	}
	if got := read(t, real); got != "new" {
		t.Errorf("the file behind the link holds %q", got)
	}
	if dest, err := os.Readlink(link); err != nil || dest != real {
		t.Errorf("the link became %q, %v", dest, err)
	}
}

// A device, a pipe or a folder is refused and left alone, as is a missing folder.
func TestWriteRefusals(t *testing.T) {
	dir := t.TempDir()
	nowhere := filepath.Join(dir, "link")
	if err := os.Symlink(filepath.Join(dir, "gone"), nowhere); err != nil {
		t.Fatal(err)
	}
	pipe := filepath.Join(dir, "pipe") // not a device of the machine: who fails this test would replace it
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		dir: "it is a folder", pipe: "not a regular file", nowhere: "a link that leads nowhere",
		filepath.Join(dir, "missing", "a"): "the folder " + filepath.Join(dir, "missing") + " does not exist: make it first",
	} {
		called := false
		err := atomicfile.Write(path, func(io.Writer) error { called = true; return nil })
		if err == nil || called {
			t.Errorf("%s: error %v, written %v; want a refusal before the work", path, err, called)
		}
		if err != nil && (!strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), ".bascule-")) {
			t.Errorf("%s: the error is %v, want %q", path, err, want)
		}
	}
	assertOnly(t, dir, "link", "pipe")
}

// The error of a full disk has the requested name, not the temporary one.
func TestWriteToAFullDisk(t *testing.T) {
	path := filepath.Join(t.TempDir(), "report.xlsx")
	var before syscall.Rlimit
	signal.Ignore(syscall.SIGXFSZ)
	defer signal.Reset(syscall.SIGXFSZ)
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &before); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: 1 << 16, Max: before.Max}); err != nil {
		t.Fatal(err)
	}
	defer syscall.Setrlimit(syscall.RLIMIT_FSIZE, &before)
	for _, size := range []int{1 << 17, 1<<17 + 1<<16} {
		err := atomicfile.Write(path, text(strings.Repeat("x", size)))
		if !errors.Is(err, syscall.EFBIG) || !strings.Contains(err.Error(), path) || strings.Contains(err.Error(), ".bascule-") {
			t.Errorf("%d bytes: the error is %v", size, err)
		}
	}
	assertOnly(t, filepath.Dir(path))
}

// I7: a finished file lacks nothing but its name, which it gets with Commit alone.
func TestFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a")
	f, want := begin(t, path), strings.Repeat("x", 100_000)
	if _, err := io.WriteString(f, want); err != nil {
		t.Fatal(err)
	}
	if err := f.Commit(); err == nil {
		t.Error("a file took its name before it was finished")
	}
	if err := f.Finish(); err != nil {
		t.Fatal(err)
	}
	assertOnly(t, dir, filepath.Base(f.Name()))
	if got := read(t, f.Name()); got != want {
		t.Errorf("the finished file holds %d bytes, want %d", len(got), len(want))
	}
	if err := f.Commit(); err != nil {
		t.Fatal(err)
	}
	f.Discard()
	assertOnly(t, dir, "a")
	if got := read(t, path); got != want {
		t.Errorf("the file holds %d bytes, want %d", len(got), len(want))
	}
}

// I7: a finished file whose name was taken meanwhile is kept until it is discarded.
func TestFileNameTaken(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a")
	f := begin(t, path)
	if err := errors.Join(f.Finish(), os.Mkdir(path, 0o777)); err != nil {
		t.Fatal(err)
	}
	err := f.Commit()
	if err == nil || !strings.Contains(err.Error(), path) || strings.Contains(err.Error(), f.Name()) {
		t.Errorf("error %v, want one of %s", err, path)
	}
	assertOnly(t, dir, filepath.Base(f.Name()), "a")
	f.Discard()
	assertOnly(t, dir, "a")
}

// I7: a file is not finished, and gets no name, if it did not reach the disk.
func TestFileNotOnDisk(t *testing.T) {
	dir := t.TempDir()
	f := begin(t, filepath.Join(dir, "a"))
	f.Discard() // closes it, as a broken disk might
	if err := f.Finish(); err == nil {
		t.Error("what could not be written is said to be finished")
	}
	if err := f.Commit(); err == nil {
		t.Error("it got its name all the same")
	}
	assertOnly(t, dir)
}

func begin(t *testing.T, path string) *atomicfile.File {
	t.Helper()
	f, err := atomicfile.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func mode(t *testing.T, path string) os.FileMode {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Mode().Perm()
}

func assertOnly(t *testing.T, dir string, want ...string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		got = append(got, e.Name())
	}
	if strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("folder holds %q, want %q", got, want)
	}
}
