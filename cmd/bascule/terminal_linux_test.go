package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
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
			said, exit := answerQuestion(t, o, func(cmd *exec.Cmd, _ *os.File) error { return cmd.Process.Signal(signal) }, "cancel", "00123456", "00123457")
			if exit != exitFailed {
				t.Errorf("exit status %d", exit)
			}
			if want := "Go on? [y/o/N] \r\nbascule: stopped; nothing is half done\r\n"; !strings.HasSuffix(said, want) {
				t.Errorf("%q does not end in %q", said, want)
			}
		})
	}
	if db.Dump(t) != before {
		t.Error("something was stored")
	}
}

// I7, D7: only a yes that was sent, in English or French, goes on; the end of the
// input is none, and what follows stands on a line of its own.
func TestAnswersToTheQuestion(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		typed string
		shown string // of it
		yes   bool
	}{
		{"y\n", "y\r\n", true}, {"YES\n", "YES\r\n", true}, {"o\n", "o\r\n", true}, {" Oui \n", " Oui \r\n", true},
		{"\n", "\r\n", false}, {"n\n", "n\r\n", false}, {"non\n", "non\r\n", false}, {"oy\n", "oy\r\n", false},
		{"\x04", "\r\n", false}, {"y\x04\x04", "y\r\n", false}, // ctrl-D
	} {
		t.Run(fmt.Sprintf("%q", test.typed), func(t *testing.T) {
			db := sqltest.Open(t)
			for _, number := range []conversion.SubscriberNumber{"00123456", "00123457"} {
				db.Mailed(t, sqltest.Keys(t), sqltest.Invitation{Number: number})
			}
			o := newOperator(t, "DATABASE_URL="+sqltest.As(t, db.URL, sqltest.Application), "SECRET_KEY="+storyKey)
			said, exit := answerQuestion(t, o, func(_ *exec.Cmd, person *os.File) error {
				_, err := person.WriteString(test.typed)
				return err
			}, "cancel", "00123456", "00123457")
			want, code, cancelled := test.shown+"bascule: nothing was changed\r\n", exitFailed, "0"
			if test.yes {
				want, code, cancelled = test.shown, exitDone, "2"
			}
			if _, after, _ := strings.Cut(said, "Go on? [y/o/N] "); exit != code || test.yes && !strings.HasPrefix(after, want) || !test.yes && after != want {
				t.Errorf("exit status %d after %q, want %d and %q", exit, after, code, want)
			}
			if n := db.Text(t, `SELECT count(*)::text FROM request WHERE cancelled_at IS NOT NULL`); n != cancelled {
				t.Errorf("%s requests are cancelled, want %s", n, cancelled)
			}
		})
	}
}

// D17: the exclusion of a domain tells how many spaces it names before it excludes
// them.
func TestExclusionAsks(t *testing.T) {
	t.Parallel()
	db := sqltest.Open(t)
	for i := range 2 {
		db.Mailed(t, sqltest.Keys(t), sqltest.Invitation{Contact: fmt.Sprintf("a%d@duvallon.example", i)})
	}
	o := newOperator(t, "DATABASE_URL="+sqltest.As(t, db.URL, sqltest.Application))
	said, exit := answerQuestion(t, o, func(_ *exec.Cmd, person *os.File) error {
		_, err := person.WriteString("n\n")
		return err
	}, "exclude", "duvallon.example", "--reason", "asked")
	if exit != exitFailed || !strings.Contains(said, "The domain duvallon.example names 2 spaces. From now on they are left alone. Go on?") {
		t.Errorf("exit status %d after %q", exit, said)
	}
	if n := db.Text(t, `SELECT count(*)::text FROM exclusion`); n != "0" {
		t.Errorf("%s exclusions were made", n)
	}
}

// answerQuestion runs a command at a terminal, calls answer once it asks, and returns
// what the terminal showed and the exit status.
func answerQuestion(t *testing.T, o *operator, answer func(cmd *exec.Cmd, person *os.File) error, args ...string) (string, int) {
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
		if !asked && strings.Contains(said.String(), "[y/o/N]") {
			asked = true
			if err := answer(cmd, person); err != nil {
				t.Fatal(err)
			}
		}
		if err != nil {
			break
		}
	}
	cmd.Wait() // the exit status tells how it went
	return said.String(), cmd.ProcessState.ExitCode()
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
