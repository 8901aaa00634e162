package main

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"bascule/internal/conversion"
	"bascule/sql/sqltest"
)

// I7: a signal is an answer to the question too: it changes nothing.
func TestSignalAtTheQuestion(t *testing.T) {
	t.Parallel()
	db := sqltest.Open(t)
	for _, number := range []conversion.SubscriberNumber{"00123456", "00123457"} {
		db.Mailed(t, sqltest.Keys(t), sqltest.Invitation{Number: number})
	}
	o := newOperator(t, "DATABASE_URL="+sqltest.As(t, db.URL, sqltest.Application), "SECRET_KEY="+storyKey)
	before := db.Dump(t)
	for _, signal := range []os.Signal{os.Interrupt, syscall.SIGTERM} {
		t.Run(signal.String(), func(t *testing.T) {
			said := stopAtQuestion(t, o, signal, "cancel", "00123456", "00123457")
			if want := "Go on? [y/N] \r\nbascule: stopped; nothing is half done\r\n"; !strings.HasSuffix(said, want) {
				t.Errorf("%q does not end in %q", said, want)
			}
		})
	}
	if db.Dump(t) != before {
		t.Error("something was stored")
	}
}

// stopAtQuestion runs a command at a terminal, sends the signal once it asks, wants
// exit status 1, and returns what the terminal showed.
func stopAtQuestion(t *testing.T, o *operator, signal os.Signal, args ...string) string {
	t.Helper()
	person, program := openTerminal(t)
	cmd := o.command(nil, args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = program, program, program
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	program.Close()
	watchdog := time.AfterFunc(patience, func() { cmd.Process.Kill() })
	defer watchdog.Stop()
	var said bytes.Buffer
	for part, asked := make([]byte, 256), false; ; {
		n, err := person.Read(part) // fails once the program has ended
		said.Write(part[:n])
		if !asked && strings.Contains(said.String(), "[y/N]") {
			asked = true
			if err := cmd.Process.Signal(signal); err != nil {
				t.Fatal(err)
			}
		}
		if err != nil {
			break
		}
	}
	cmd.Wait() // the exit status tells how it went
	if code := cmd.ProcessState.ExitCode(); code != exitFailed {
		t.Errorf("exit status %d", code)
	}
	return said.String()
}

// openTerminal opens a terminal: the side of the person, and that of the program.
func openTerminal(t *testing.T) (person, program *os.File) {
	t.Helper()
	person, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { person.Close() })
	if err := unix.IoctlSetPointerInt(int(person.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(person.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	program, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	return person, program
}
