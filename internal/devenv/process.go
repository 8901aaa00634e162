package devenv

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// A Process is a server that runs beside us and ends with us.
type Process struct {
	cmd  *exec.Cmd
	done chan struct{} // closed once it has ended
	err  error         // how it ended; read after done
}

// StartProcess starts a server. The kernel ties the death signal to the thread that
// forked, not to the process. So one thread starts it, waits for it and does nothing
// else. Without attributes of its own, the server has those of a program of the machine.
func StartProcess(cmd *exec.Cmd) (*Process, error) {
	p := &Process{cmd: cmd, done: make(chan struct{})}
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = identity{}.attributes()
	}
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			p.err = cmd.Wait()
			close(p.done)
		}
	}()
	return p, <-started
}

// Done is closed once the process has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Wait waits for the end of the process, and tells how it ended.
func (p *Process) Wait() error {
	<-p.done
	return p.err
}

// readyPoll is how often a server that starts is looked at.
const readyPoll = 4 * time.Millisecond

// errEnded says that a server ended before it was ready.
var errEnded = errors.New("it has ended")

// waitReady looks until the server is ready, until that cannot be told, or until it or
// ctx ends.
func (p *Process) waitReady(ctx context.Context, ready func() (bool, error)) error {
	tick := time.NewTicker(readyPoll)
	defer tick.Stop()
	for {
		if ok, err := ready(); ok || err != nil {
			return err
		}
		select {
		case <-p.done:
			return errEnded
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// Kill ends the process at once. The caller may call it again.
func (p *Process) Kill() error { return p.stop() }

// A stopStep asks a process to end, and says how long it may take.
type stopStep struct {
	signal syscall.Signal
	grace  time.Duration
}

// killGrace is how long the kernel may take to end a killed process. A process that
// hangs in the disk may take for ever.
const killGrace = 5 * time.Second

// stop goes through the steps until the process has ended, and kills it after the last
// one. The caller may call it again.
func (p *Process) stop(steps ...stopStep) error {
	for _, step := range append(steps, stopStep{syscall.SIGKILL, killGrace}) {
		// An error means that it has ended already.
		_ = p.cmd.Process.Signal(step.signal)
		select {
		case <-p.done:
			return nil
		case <-time.After(step.grace):
		}
	}
	return fmt.Errorf("process %d does not end", p.cmd.Process.Pid)
}

// run runs a program to its end. The error holds the last words of the program.
func run(cmd *exec.Cmd) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w%s", cmd.Args[0], err, lastWords(said.Bytes()))
	}
	return nil
}

// lastWords is the line of a program's output that tells most about its end, in the
// form of the end of an error.
func lastWords(output []byte) string {
	lines := strings.Split(strings.TrimSpace(string(output)), "\n")
	last := lines[len(lines)-1]
	for _, line := range lines {
		if strings.Contains(line, "FATAL:") || strings.Contains(line, "error:") || strings.Contains(line, "ERROR:") {
			last = line
			break
		}
	}
	if last == "" {
		return ""
	}
	return ": " + last
}

// command prepares a program of the machine. No variable of the caller's environment
// changes what it does.
func command(ctx context.Context, who identity, dir, path string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Dir = dir
	cmd.Env = neutralEnvironment()
	cmd.SysProcAttr = who.attributes()
	return cmd
}

// neutralEnvironment is ours without PostgreSQL's own variables (PGDATA, PGHOST,
// PGOPTIONS …), in UTC and with English messages. Memory comes in pages of 2 MiB where
// the system has the GNU library: a session of PostgreSQL takes a thousand small ones
// otherwise, and a fifth more of the processor on a virtual machine.
func neutralEnvironment() []string {
	var env []string
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "PG") && !strings.HasPrefix(v, "LC_") && !strings.HasPrefix(v, "LANG") && !strings.HasPrefix(v, "TZ=") {
			env = append(env, v)
		}
	}
	return append(env, "LC_ALL=C", "TZ=UTC", "GLIBC_TUNABLES=glibc.malloc.hugetlb=1:glibc.malloc.top_pad=8388608")
}
