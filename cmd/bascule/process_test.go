package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
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
	dir := filepath.Join(t.TempDir(), "bin")
	if err := installBascule(dir); err != nil {
		t.Fatal(err)
	}
	env = append(env, "PATH="+os.Getenv("PATH"), "HOME="+t.TempDir(), "TMPDIR="+os.TempDir())
	return &operator{t: t, bin: filepath.Join(dir, "bascule"), env: env}
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
