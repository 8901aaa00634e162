//go:build !linux

package devenv

import (
	"context"
	"errors"
	"os"
	"syscall"
)

// An identity is the user of a program: ourselves.
type identity struct{}

// attributes gives a program its own process group. Only Linux can stop it when
// we are killed.
func (identity) attributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

func (identity) own(string) error { return nil }

func (identity) explain(err error) error { return err }

func postgresIdentity(context.Context, string) (identity, error) {
	if os.Geteuid() == 0 {
		return identity{}, errors.New("PostgreSQL does not run as root: run as an ordinary user")
	}
	return identity{}, nil
}
