package main

import (
	"bytes"
	"context"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"bascule/internal/devenv/devtest"
	"bascule/sql/sqltest"
)

// A stopper is the stderr of a service, which ends once it says that it is ready.
type stopper struct {
	bytes.Buffer
	stop context.CancelFunc
}

func (s *stopper) Write(line []byte) (int, error) {
	if bytes.Contains(line, []byte(`"msg":"listening"`)) || bytes.Contains(line, []byte(`"msg":"working"`)) {
		s.stop()
	}
	return s.Buffer.Write(line)
}

// The help of each command has an example, and names the variables that the command
// reads and no other of bascule's.
func TestHelpNamesWhatIsRead(t *testing.T) {
	t.Parallel()
	reads := readVariables(t)
	all := map[string]bool{}
	for _, names := range reads {
		maps.Copy(all, names)
	}
	variable := regexp.MustCompile(`\b[A-Z_]{2,}\b`)
	for _, cmd := range commandsOf(t) {
		if cmd.Example == "" {
			t.Errorf("the help of %s has no example", cmd.Name())
		}
		read, ok := reads[cmd.Name()]
		if !ok {
			continue
		}
		named := map[string]bool{}
		for _, word := range variable.FindAllString(cmd.Long, -1) {
			if all[word] {
				named[word] = true
			}
		}
		if !maps.Equal(named, read) {
			t.Errorf("the help of %s names %q; it reads %q", cmd.Name(), slices.Sorted(maps.Keys(named)), slices.Sorted(maps.Keys(read)))
		}
	}
}

// commandsOf are all commands.
func commandsOf(t *testing.T) []*cobra.Command {
	t.Helper()
	return (&app{}).root(func() {}).Commands()
}

// readVariables runs all commands but demo, which brings its own services, and
// returns the variables that each asks for.
func readVariables(t *testing.T) map[string]map[string]bool {
	t.Helper()
	db, folder := sqltest.Open(t), t.TempDir()
	list := filepath.Join(folder, "list.xlsx")
	if err := os.WriteFile(list, sampleBook(20), 0o600); err != nil {
		t.Fatal(err)
	}
	env := map[string]string{
		"DATABASE_URL": sqltest.As(t, db.URL, sqltest.Application), "REDIS_URL": devtest.Redis(t).URL(), "SMTP_URL": devtest.Inbox(t).URL(), "MAIL_FROM": "a@bascule.example",
		"PUBLIC_URL": "http://localhost", "SECRET_KEY": storyKey, "LISTEN_ADDR": "127.0.0.1:0",
	}
	reads := map[string]map[string]bool{}
	for _, line := range []string{
		"migrate", "import " + list, "serve", "work", "status", "report " + folder + "/report.xlsx", "show 00123456", "resend 00123456",
		"cancel 00123456", "retry", "exclude 00123456 --reason R", "reissue --key 24372fa5", "template " + folder + "/new.xlsx", "version",
	} {
		args, read := strings.Fields(line), map[string]bool{}
		reads[args[0]] = read
		ctx, stop := context.WithCancel(within(t))
		stderr := &stopper{stop: stop}
		getenv := func(name string) string { read[name] = true; return env[name] }
		if code := run(ctx, args, getenv, strings.NewReader(""), new(bytes.Buffer), stderr); code != exitDone && slices.Contains([]string{"serve", "work", "import", "status"}, args[0]) {
			t.Errorf("bascule %s: %s", line, stderr)
		}
		stop()
	}
	return reads
}

// D18: every command on the database of an administration has its role. The others are
// for whoever runs the processes, or need no database.
func TestCommandsHaveRoles(t *testing.T) {
	t.Parallel()
	free := []string{"demo", "migrate", "serve", "work", "template", "version", "person", "person list"}
	left := maps.Clone(roleOf)
	var look func(cmd *cobra.Command)
	look = func(cmd *cobra.Command) {
		name := nameOf(cmd)
		delete(left, name)
		if roleOf[name] == "" != slices.Contains(free, name) {
			t.Errorf("the role of %s is %q", name, roleOf[name])
		}
		for _, sub := range cmd.Commands() {
			look(sub)
		}
	}
	for _, cmd := range commandsOf(t) {
		look(cmd)
	}
	if len(left) > 0 {
		t.Errorf("no such commands: %v", left)
	}
}
