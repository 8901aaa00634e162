package main

import (
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"bascule/sql/sqltest"
)

// D18: an account that the machine has no name for is its number, so that two of them are
// two persons. What $USER says is no account.
func TestAccountWithoutName(t *testing.T) {
	t.Parallel()
	db := sqltest.Open(t)
	db.Mailed(t, sqltest.Keys(t), sqltest.Invitation{Number: "00123456"})
	o := newOperator(t, "DATABASE_URL="+sqltest.As(t, db.URL, sqltest.Application))
	if out, err := withoutName(t, o.command([]string{"USER=camille"}, "exclude", "00123456", "--reason", "R")).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if list := o.run("exclude", "list"); !strings.Contains(list, " 4004004 ") {
		t.Error(list)
	}
}

// A malformed DATABASE_URL is at fault, not a variable of PostgreSQL's, where the machine has
// no name for the account.
func TestURLOfAccountWithoutName(t *testing.T) {
	t.Parallel()
	for _, url := range []string{"postgres://u:p:5432:77/bascule", "postgres://localhost/bascule"} {
		out, err := withoutName(t, newOperator(t, "DATABASE_URL="+url).command([]string{"USER="}, "status")).CombinedOutput()
		if err == nil || !strings.Contains(string(out), "is not of the form postgres://user") {
			t.Errorf("%s: %v: %s", url, err, out)
		}
	}
}

// withoutName lets a command run under an account that the machine has no name for. It skips
// the test where the kernel gives nobody but root a user namespace.
func withoutName(t *testing.T, cmd *exec.Cmd) *exec.Cmd {
	t.Helper()
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWUSER,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 4004004, HostID: os.Getuid(), Size: 1}}}
	try := exec.Command("true")
	try.SysProcAttr = cmd.SysProcAttr
	if err := try.Run(); err != nil && os.Getuid() != 0 {
		t.Skipf("no user namespace: %v", err)
	}
	return cmd
}
