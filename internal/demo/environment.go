package demo

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"bascule/internal/atomicfile"
	"bascule/internal/devenv"
	"bascule/internal/terminal"
)

// The files of the folder by which other commands find a demonstration that runs.
const (
	envFile = "environment" // lines for a shell; the first one names the process
	binDir  = "bin"         // holds bascule, for a shell that does not know it
)

func processLine(pid int) string { return fmt.Sprintf("# bascule demo, process %d\n", pid) }

// writeEnvironment leaves in the folder what other commands need, for its owner alone.
func (d *demo) writeEnvironment() error {
	key, err := os.ReadFile(filepath.Join(d.Dir, "secret.key"))
	if err != nil {
		return err
	}
	var lines bytes.Buffer
	lines.WriteString(processLine(os.Getpid()))
	for _, v := range [][2]string{
		{"DATABASE_URL", d.database}, {"REDIS_URL", d.redis.URL()}, {"SMTP_URL", d.inbox.URL()},
		{"MAIL_FROM", d.sender}, {"PUBLIC_URL", d.public.String()}, {"SECRET_KEY", strings.TrimSpace(string(key))},
	} {
		fmt.Fprintf(&lines, "export %s=%s\n", v[0], terminal.ShellWord(v[1]))
	}
	for _, v := range d.Read {
		name, value := v[0], v[1]
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
	return atomicfile.WriteBytes(filepath.Join(d.Dir, envFile), lines.Bytes())
}

// linkProgram makes this program known as bascule in the folder.
func (d *demo) linkProgram() error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Join(d.Dir, binDir), 0o700); err != nil {
		return err
	}
	link := filepath.Join(d.Dir, binDir, "bascule")
	if err := os.Remove(link); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return os.Symlink(self, link)
}

func (d *demo) removeEnvironment() { os.Remove(filepath.Join(d.Dir, envFile)) }

// Environment is the environment of the demonstration that runs in dir, as lines for a
// shell.
func Environment(dir string) (string, error) {
	pid, runs := devenv.Owner(filepath.Join(dir, "postgres"))
	if !runs {
		return "", fmt.Errorf("no demonstration runs in %s: start one with `bascule demo --dir %s` in another terminal", dir, terminal.ShellWord(dir))
	}
	lines, err := os.ReadFile(filepath.Join(dir, envFile))
	if errors.Is(err, os.ErrNotExist) || err == nil && !bytes.HasPrefix(lines, []byte(processLine(pid))) {
		return "", fmt.Errorf("the demonstration in %s is still starting: ask again in a moment", dir)
	}
	if err != nil {
		return "", err
	}
	if os.Args[0] == "bascule" { // the shell found it by PATH
		return string(lines), nil
	}
	bin, err := filepath.Abs(filepath.Join(dir, binDir))
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%sexport PATH=%s:\"$PATH\"\n", lines, terminal.ShellWord(bin)), nil
}
