package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"bascule/internal/atomicfile"
	"bascule/internal/devenv"
	"bascule/internal/terminal"
)

// The files of the folder by which other commands find a demonstration that runs.
const (
	demoEnvFile = "environment" // lines for a shell; the first one names the process
	demoBin     = "bin"         // holds bascule, for a shell that does not know it
)

// demoReads are what a demonstration takes from the environment: the same texts and
// hours are those of all commands.
var demoReads = []string{"ADMINISTRATION", "HELP_TEXT_FILE", "LEGAL_DIR", "HELP_HOURS", "PASSWORD_PROFILE"}

func demoProcess(pid int) string { return fmt.Sprintf("# bascule demo, process %d\n", pid) }

// writeEnvironment leaves in the folder what other commands need, for its owner alone.
func (d *demo) writeEnvironment() error {
	key, err := os.ReadFile(filepath.Join(d.dir, "secret.key"))
	if err != nil {
		return err
	}
	var lines bytes.Buffer
	lines.WriteString(demoProcess(os.Getpid()))
	for _, v := range [][2]string{
		{"DATABASE_URL", d.database}, {"REDIS_URL", d.redis.URL()}, {"SMTP_URL", d.inbox.URL()},
		{"MAIL_FROM", d.sender}, {"PUBLIC_URL", d.public.String()}, {"SECRET_KEY", strings.TrimSpace(string(key))},
	} {
		fmt.Fprintf(&lines, "export %s=%s\n", v[0], terminal.ShellWord(v[1]))
	}
	for _, name := range demoReads {
		value := d.env.getenv(name)
		if _, err := os.Stat(value); err == nil { // the other shell may be in another folder
			value, _ = filepath.Abs(value)
		}
		if value != "" {
			fmt.Fprintf(&lines, "export %s=%s\n", name, terminal.ShellWord(value))
		}
	}
	if err := d.linkProgram(); err != nil {
		return err
	}
	return atomicfile.WriteBytes(filepath.Join(d.dir, demoEnvFile), lines.Bytes())
}

// linkProgram makes this program known as bascule in the folder.
func (d *demo) linkProgram() error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Join(d.dir, demoBin), 0o700); err != nil {
		return err
	}
	link := filepath.Join(d.dir, demoBin, "bascule")
	if err := os.Remove(link); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return os.Symlink(self, link)
}

func (d *demo) removeEnvironment() { os.Remove(filepath.Join(d.dir, demoEnvFile)) }

// demoEnvironment prints the environment of the demonstration that runs in dir.
func (a *app) demoEnvironment(dir string) error {
	pid, runs := devenv.Owner(filepath.Join(dir, "postgres"))
	if !runs {
		return fmt.Errorf("no demonstration runs in %s: start one with `bascule demo --dir %s` in another terminal", dir, terminal.ShellWord(dir))
	}
	lines, err := os.ReadFile(filepath.Join(dir, demoEnvFile))
	if errors.Is(err, os.ErrNotExist) || err == nil && !bytes.HasPrefix(lines, []byte(demoProcess(pid))) {
		return fmt.Errorf("the demonstration in %s is still starting: ask again in a moment", dir)
	}
	if err != nil {
		return err
	}
	a.printf("%s", lines)
	if program() == "bascule" {
		return nil
	}
	bin, err := filepath.Abs(filepath.Join(dir, demoBin))
	if err != nil {
		return err
	}
	a.printf("export PATH=%s:\"$PATH\"\n", terminal.ShellWord(bin))
	return nil
}

// program is how a shell finds this program: by its name where PATH leads to it, or
// else as it was called.
func program() string {
	known, err := exec.LookPath("bascule")
	if err == nil && isSelf(known) {
		return "bascule"
	}
	return terminal.ShellWord(os.Args[0])
}

func isSelf(path string) bool {
	self, err := os.Executable()
	if err != nil {
		return false
	}
	a, errA := os.Stat(self)
	b, errB := os.Stat(path)
	return errA == nil && errB == nil && os.SameFile(a, b)
}
