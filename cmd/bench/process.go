package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"bascule/internal/devenv"
)

// A process is a process that the bench started: a command of the product, the sink, or
// a sender. Its usage is read from /proc while it runs.
type process struct {
	name   string
	cmd    *exec.Cmd
	stdout bytes.Buffer
	log    string // the file of its standard error
	done   chan struct{}
	err    error // how it ended; read after done
	peak   atomic.Int64
	took   time.Duration // read after done
}

// usage is what a process has used so far.
type usage struct {
	cpu  time.Duration
	peak int64 // the most bytes of resident memory
}

// start starts a program. It ends with us, however we end.
func start(name string, cmd *exec.Cmd, log string) (*process, error) {
	p := &process{name: name, cmd: cmd, log: log, done: make(chan struct{})}
	stderr, err := os.Create(log)
	if err != nil {
		return nil, err
	}
	defer stderr.Close()
	cmd.Stdout, cmd.Stderr = &p.stdout, stderr
	began := time.Now()
	started, err := devenv.StartProcess(cmd)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	go func() {
		p.err = started.Wait()
		p.took = time.Since(began)
		close(p.done)
	}()
	go p.watch()
	return p, nil
}

// peakPoll is how often the memory is read. A peak in the last moment of a process is
// not seen.
const peakPoll = 20 * time.Millisecond

func (p *process) watch() {
	tick := time.NewTicker(peakPoll)
	defer tick.Stop()
	for {
		p.peak.Store(max(p.peak.Load(), peakMemory(p.cmd.Process.Pid)))
		select {
		case <-p.done:
			return
		case <-tick.C:
		}
	}
}

// wait waits for the end. It kills the process if ctx ends first.
func (p *process) wait(ctx context.Context) error {
	select {
	case <-p.done:
	case <-ctx.Done():
		return errors.Join(ctx.Err(), p.stop())
	}
	if p.err != nil {
		return fmt.Errorf("%s: %w: %s", p.name, p.err, p.lastWords())
	}
	return nil
}

// stopGrace is how long a process may take to end after it was asked to.
const stopGrace = 60 * time.Second

// stop asks a process to end, and kills it if it does not. The caller may call it
// again.
func (p *process) stop() error {
	for _, step := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL} {
		_ = p.cmd.Process.Signal(step) // an error means that it has ended
		select {
		case <-p.done:
			if step == syscall.SIGKILL {
				return fmt.Errorf("%s did not end within %s", p.name, stopGrace)
			}
			return nil
		case <-time.After(stopGrace):
		}
	}
	return fmt.Errorf("%s does not end", p.name)
}

// ready waits until the log has a word.
func (p *process) ready(ctx context.Context, word string) error {
	tick := time.NewTicker(peakPoll)
	defer tick.Stop()
	for {
		text, err := os.ReadFile(p.log)
		if err != nil || strings.Contains(string(text), word) {
			return err
		}
		select {
		case <-p.done:
			return fmt.Errorf("%s ended: %w: %s", p.name, p.err, p.lastWords())
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// lastWords is the end of the log.
func (p *process) lastWords() string {
	text, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	const enough = 400
	return strings.TrimSpace(string(text[max(0, len(text)-enough):]))
}

// now is what a process has used until now, or until its end.
func (p *process) now() usage {
	select {
	case <-p.done:
		s := p.cmd.ProcessState
		return usage{cpu: s.UserTime() + s.SystemTime(), peak: p.peak.Load()}
	default:
		return usage{cpu: cpuOf(p.cmd.Process.Pid), peak: peakMemory(p.cmd.Process.Pid)}
	}
}
