package devenv

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
)

// programs is one installation of PostgreSQL: a folder with postgres, initdb
// and psql in it.
type programs struct {
	dir   string
	major int
}

func (p programs) path(name string) string { return filepath.Join(p.dir, name) }

// minMajor is the oldest PostgreSQL that bascule's schema works on.
const minMajor = 14

// ErrNoPostgres says that the machine has no PostgreSQL programs.
var ErrNoPostgres = errors.New("no PostgreSQL 14 or newer on this machine: install its programs (Debian, Ubuntu: apt-get install postgresql); no server needs to run")

// findPrograms chooses among installations, oldest first: the newest or, if major is not
// 0, one of that major version. It returns ErrNoPostgres if there is none at all.
func findPrograms(all []programs, major int) (programs, error) {
	if len(all) == 0 {
		return programs{}, ErrNoPostgres
	}
	if major == 0 {
		return all[len(all)-1], nil
	}
	var majors []int
	for _, p := range all {
		if p.major == major {
			return p, nil
		}
		majors = append(majors, p.major)
	}
	return programs{}, fmt.Errorf("the data are of PostgreSQL %d, this machine has %v: install postgresql-%d or choose another folder", major, majors, major)
}

// installations lists the usable installations, oldest first.
func installations(ctx context.Context) []programs {
	var found []programs
	for _, dir := range programFolders() {
		major := majorVersion(ctx, filepath.Join(dir, "postgres"))
		if major >= minMajor && isProgram(dir, "initdb") && isProgram(dir, "psql") {
			found = append(found, programs{dir, major})
		}
	}
	slices.SortStableFunc(found, func(a, b programs) int { return a.major - b.major })
	return found
}

// programFolders lists where PostgreSQL may be, each folder once: the PATH, and the
// places of Debian, Red Hat and Homebrew.
func programFolders() []string {
	var folders []string
	add := func(postgres string) {
		real, err := filepath.EvalSymlinks(postgres)
		if err == nil && !slices.Contains(folders, filepath.Dir(real)) {
			folders = append(folders, filepath.Dir(real))
		}
	}
	if path, err := exec.LookPath("postgres"); err == nil {
		add(path)
	}
	for _, pattern := range []string{
		"/usr/lib/postgresql/*/bin/postgres", "/usr/pgsql-*/bin/postgres",
		"/opt/homebrew/opt/postgresql@*/bin/postgres", "/usr/local/opt/postgresql@*/bin/postgres",
	} {
		matches, _ := filepath.Glob(pattern) // the patterns are well formed
		for _, m := range matches {
			add(m)
		}
	}
	return folders
}

func isProgram(dir, name string) bool {
	info, err := os.Stat(filepath.Join(dir, name))
	return err == nil && info.Mode().IsRegular()
}

var versionLine = regexp.MustCompile(`\(PostgreSQL\) (\d+)`)

// majorVersion asks a postgres program for its version; 0 if it does not answer.
func majorVersion(ctx context.Context, postgres string) int {
	out, err := exec.CommandContext(ctx, postgres, "--version").Output()
	if err != nil {
		return 0
	}
	m := versionLine.FindSubmatch(out)
	if m == nil {
		return 0
	}
	major, _ := strconv.Atoi(string(m[1])) // digits only
	return major
}
