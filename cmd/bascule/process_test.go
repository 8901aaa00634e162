package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/xuri/excelize/v2"

	"bascule/sql/sqltest"
)

// An operator runs bascule as processes of their own, with an environment that
// holds nothing else.
type operator struct {
	t   testing.TB
	bin string
	env []string
}

func newOperator(t testing.TB, env ...string) *operator {
	t.Helper()
	if err := buildBascule(); err != nil {
		t.Fatal(err)
	}
	env = append(env, "PATH="+os.Getenv("PATH"), "HOME="+t.TempDir(), "TMPDIR="+os.TempDir())
	return &operator{t: t, bin: filepath.Join(build.dir, "bascule"), env: env}
}

func (o *operator) command(env []string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(o.t.Context(), o.bin, args...)
	cmd.Args[0] = "bascule"
	cmd.Env = append(append([]string(nil), o.env...), env...)
	return cmd
}

// run runs a command that must succeed without a word on stderr, and returns its
// stdout.
func (o *operator) run(args ...string) string {
	o.t.Helper()
	cmd := o.command(nil, args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil || stderr.Len() > 0 {
		o.t.Fatalf("bascule %q: %v\n%s%s", args, err, out, stderr.Bytes())
	}
	return string(out)
}

// ask runs a command with --json and reads its last line.
func ask[T any](o *operator, args ...string) (answer T) {
	o.t.Helper()
	out := strings.TrimSpace(o.run(append(args, "--json")...))
	if err := json.Unmarshal([]byte(out[strings.LastIndex(out, "\n")+1:]), &answer); err != nil {
		o.t.Fatalf("bascule %q: %v in %q", args, err, out)
	}
	return answer
}

// A service is a bascule that goes on until it is stopped.
type service struct {
	t     testing.TB
	name  string
	cmd   *exec.Cmd
	ended chan struct{} // closed once it has; then err tells how
	err   error

	mu   sync.Mutex
	said bytes.Buffer
}

// start starts a service and waits until it has said something that contains
// ready. The test stops it at the latest.
func (o *operator) start(env []string, ready string, args ...string) *service {
	o.t.Helper()
	s := &service{t: o.t, name: strings.Join(args, " "), cmd: o.command(env, args...), ended: make(chan struct{})}
	self, err := os.Executable()
	if err != nil {
		o.t.Fatal(err)
	}
	s.cmd.Path = self
	s.cmd.Env = append(s.cmd.Env, "GORACE=atexit_sleep_ms=20") // at its end the race detector sleeps for a second
	heard := make(chan struct{})
	pipe, err := s.cmd.StderrPipe()
	if err != nil {
		o.t.Fatal(err)
	}
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		o.t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		o.t.Fatal(err)
	}
	hear := sync.OnceFunc(func() { close(heard) })
	var readers sync.WaitGroup
	for _, r := range []io.Reader{pipe, out} {
		readers.Go(func() { s.listen(r, ready, hear) })
	}
	go func() {
		defer close(s.ended)
		readers.Wait()
		s.err = s.cmd.Wait()
	}()
	o.t.Cleanup(func() { s.cmd.Process.Kill(); <-s.ended })
	select {
	case <-heard:
	case <-s.ended:
		o.t.Fatalf("bascule %s ended at once: %v\n%s", s.name, s.err, s.output())
	case <-time.After(patience):
		o.t.Fatalf("bascule %s never said %q\n%s", s.name, ready, s.output())
	}
	return s
}

func (s *service) listen(r io.Reader, ready string, hear func()) {
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		s.mu.Lock()
		s.said.WriteString(lines.Text() + "\n")
		s.mu.Unlock()
		if strings.Contains(lines.Text(), ready) {
			hear()
		}
	}
}

func (s *service) output() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.said.String()
}

// stopGrace is how long a service may take to stop.
const stopGrace = 15 * time.Second

// stop asks for a clean end and wants one.
func (s *service) stop(signal os.Signal) {
	s.t.Helper()
	if err := s.cmd.Process.Signal(signal); err != nil {
		s.t.Errorf("bascule %s: %v\n%s", s.name, err, s.output())
		return
	}
	select {
	case <-s.ended:
		if s.err != nil {
			s.t.Errorf("bascule %s ended with %v after %v\n%s", s.name, s.err, signal, s.output())
		}
	case <-time.After(stopGrace):
		s.t.Errorf("bascule %s has not stopped %v after %v", s.name, stopGrace, signal)
	}
}

// within bounds what follows by the test's patience.
func within(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// D9, I7: exit status 1 means that nothing was stored. So a verdict workbook whose
// name is taken once it is complete changes nothing for the import: the counts,
// exit status 0, and one line that says where the workbook is.
func TestImportWhoseVerdictsFindNoPlace(t *testing.T) {
	mkdir := func(out string) error { return os.Mkdir(out, 0o700) }
	t.Run("a folder of that name", func(t *testing.T) {
		s := spoilImport(t, mkdir, "--json")
		s.check(exitDone, 1, "bascule: note: the import is stored, but ")
		if err := checkJSON(s.stdout, []string{"batch=1", "rows=20"}); err != nil {
			t.Errorf("%v: %q", err, s.stdout)
		}
		if !strings.Contains(s.stderr, s.temporary) {
			t.Errorf("%q does not name %s", s.stderr, s.temporary)
		}
		book, err := excelize.OpenFile(s.temporary)
		if err != nil {
			t.Fatal(err)
		}
		book.Close()
	})
	t.Run("the same, for people", func(t *testing.T) {
		s := spoilImport(t, mkdir)
		s.check(exitDone, 1, "bascule: note: the import is stored, but ")
		if !strings.Contains(s.stdout, "Batch 1 of the campaign list: 20 rows\n") || !strings.Contains(s.stdout, "The verdict for each row is in "+s.temporary) {
			t.Errorf("stdout is %q", s.stdout)
		}
	})
	t.Run("no folder any more", func(t *testing.T) {
		s := spoilImport(t, func(out string) error { return os.RemoveAll(filepath.Dir(out)) })
		s.check(exitDone, 1, "its verdict workbook is lost")
		if !strings.Contains(s.stdout, "Batch 1 of the campaign list: 20 rows\n") || strings.Contains(s.stdout, "The verdict for each row") {
			t.Errorf("stdout is %q", s.stdout)
		}
	})
	t.Run("a dry run", func(t *testing.T) {
		s := spoilImport(t, mkdir, "--dry-run")
		s.check(exitFailed, 0, "bascule: write ")
		if _, err := os.Stat(s.temporary); !errors.Is(err, os.ErrNotExist) || s.stdout != "" {
			t.Errorf("%s is left (%v), or stdout is %q", s.temporary, err, s.stdout)
		}
	})
}

// A spoiledImport is what became of an import whose verdicts had no good place.
type spoiledImport struct {
	t         testing.TB
	exit      int
	stdout    string
	stderr    string
	temporary string // the name under which the verdicts were written
	batches   int    // that are stored
}

// spoilImport imports a sample with verdicts and calls spoil with the workbook's
// path once it is being written.
func spoilImport(t testing.TB, spoil func(out string) error, args ...string) spoiledImport {
	t.Helper()
	db := sqltest.Open(t)
	o := newOperator(t, "DATABASE_URL="+sqltest.As(t, db.URL, sqltest.Application), "SECRET_KEY="+storyKey)
	list, out := filepath.Join(t.TempDir(), "list.xlsx"), filepath.Join(t.TempDir(), "out", "verdicts.xlsx")
	if err := errors.Join(os.WriteFile(list, sampleBook(20), 0o600), os.Mkdir(filepath.Dir(out), 0o700)); err != nil {
		t.Fatal(err)
	}
	letGo := holdImports(t, db)
	cmd := o.command(nil, append([]string{"import", list, "--verdicts", out}, args...)...)
	var stdout, stderr strings.Builder
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	temporary := awaitTemporary(t, filepath.Dir(out))
	if err := spoil(out); err != nil {
		t.Fatal(err)
	}
	letGo()
	cmd.Wait() // the exit status tells how it went
	s := spoiledImport{t: t, exit: cmd.ProcessState.ExitCode(), stdout: stdout.String(), stderr: stderr.String(), temporary: temporary}
	if err := db.Raw.QueryRow(`SELECT count(*) FROM batch`).Scan(&s.batches); err != nil {
		t.Fatal(err)
	}
	return s
}

// check wants an exit status, that many batches, and one line on stderr that
// contains says.
func (s *spoiledImport) check(exit, batches int, says string) {
	s.t.Helper()
	if s.exit != exit || s.batches != batches || strings.Index(s.stderr, "\n") != len(s.stderr)-1 || !strings.Contains(s.stderr, says) {
		s.t.Errorf("exit status %d, %d batches, stderr %q; want %d, %d and %q", s.exit, s.batches, s.stderr, exit, batches, says)
	}
}

// holdImports lets no import judge until the function it returns is called. A dry run
// waits for no import, but for the table.
func holdImports(t testing.TB, db *sqltest.DB) (letGo func()) {
	t.Helper()
	conn, err := db.Raw.Conn(within(t))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.ExecContext(t.Context(), `BEGIN; SELECT pg_advisory_xact_lock(-1); LOCK TABLE space`); err != nil { // importLock of package sql
		t.Fatal(err)
	}
	return func() {
		if _, err := conn.ExecContext(t.Context(), `ROLLBACK`); err != nil {
			t.Error(err)
		}
		conn.Close()
	}
}

// awaitTemporary waits for the file that is to become the workbook.
func awaitTemporary(t testing.TB, folder string) (path string) {
	t.Helper()
	err := poll(func() error {
		names, err := filepath.Glob(filepath.Join(folder, ".bascule-*.tmp"))
		if err != nil || len(names) != 1 {
			return fmt.Errorf("%q are being written (%v)", names, err)
		}
		path = names[0]
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return path
}
