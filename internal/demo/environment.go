package demo

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
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

func (d *demo) getenv(name string) string { return d.env[name] }

// read are what a demonstration takes from the environment of its command: the same texts
// and hours are those of all commands.
var read = []string{"ADMINISTRATION", "HELP_TEXT_FILE", "LEGAL_DIR", "HELP_HOURS", "PASSWORD_PROFILE"}

// ofPostgres matches PostgreSQL's own variables. They count beside any DATABASE_URL: a port or
// an address among them leads to another server than the demonstration's.
var ofPostgres = regexp.MustCompile(`^PG([A-Z]+|CONNECT_TIMEOUT)$`)

// postgresVariables are those of them that this process has.
func postgresVariables() (names []string) {
	for _, v := range os.Environ() {
		if name, _, _ := strings.Cut(v, "="); ofPostgres.MatchString(name) {
			names = append(names, name)
		}
	}
	return names
}

// writeEnvironment leaves in the folder what other commands need, for its owner alone.
func (d *demo) writeEnvironment() error {
	var lines bytes.Buffer
	lines.WriteString(processLine(os.Getpid()))
	for _, name := range slices.Sorted(maps.Keys(d.env)) {
		value := d.env[name]
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

// Environment is the environment of the demonstration that runs in dir, as lines for the
// shell that this process was started by.
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
	if names := postgresVariables(); len(names) > 0 {
		lines = fmt.Appendf(lines, "unset %s\n", strings.Join(names, " "))
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
