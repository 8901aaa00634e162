package main

import (
	"os"
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
	cmd := o.command([]string{"USER=camille"}, "exclude", "00123456", "--reason", "R")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWUSER,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 4004004, HostID: os.Getuid(), Size: 1}}}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if list := o.run("exclude", "list"); !strings.Contains(list, " 4004004 ") {
		t.Error(list)
	}
}
