package devenv

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"strconv"
	"syscall"
)

// An identity is the user of a program. PostgreSQL refuses to run as root.
type identity struct {
	namespace  bool                // in a user namespace where root is an ordinary user
	credential *syscall.Credential // as another user; nil: as ourselves
}

// namespaceUser is the number of root inside the namespace: any but 0.
const namespaceUser = 1000

// attributes gives a program its own process group. So the terminal's Ctrl-C reaches us
// alone, and we stop the program in our order. The kernel stops it when the thread that
// started it dies.
func (id identity) attributes() *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGINT, Credential: id.credential}
	if id.namespace {
		attr.Cloneflags = syscall.CLONE_NEWUSER
		attr.UidMappings = []syscall.SysProcIDMap{{ContainerID: namespaceUser, HostID: 0, Size: 1}}
		attr.GidMappings = []syscall.SysProcIDMap{{ContainerID: namespaceUser, HostID: 0, Size: 1}}
	}
	return attr
}

// own gives a file that we made to the identity.
func (id identity) own(path string) error {
	if id.credential == nil {
		return nil
	}
	return os.Chown(path, int(id.credential.Uid), int(id.credential.Gid))
}

// explain adds the remedy to an error whose reason is the identity.
func (id identity) explain(err error) error {
	if id.credential != nil && errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("%w: run as an ordinary user, or choose a folder that user postgres can enter", err)
	}
	return err
}

var errRoot = errors.New("PostgreSQL does not run as root, this machine forbids user namespaces and has no user postgres: run as an ordinary user")

// postgresIdentity finds the identity for PostgreSQL. Root enters a user namespace,
// where its own folders stay its own. If the machine forbids that, it becomes the user
// postgres.
func postgresIdentity(ctx context.Context, postgres string) (identity, error) {
	if os.Geteuid() != 0 {
		return identity{}, nil
	}
	inside := identity{namespace: true}
	if run(command(ctx, inside, "/", postgres, "--version")) == nil {
		return inside, nil
	}
	account, err := user.Lookup("postgres")
	if err != nil {
		return identity{}, errRoot
	}
	uid, errUID := strconv.ParseUint(account.Uid, 10, 32)
	gid, errGID := strconv.ParseUint(account.Gid, 10, 32)
	if errUID != nil || errGID != nil {
		return identity{}, errRoot
	}
	return identity{credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}, nil
}
