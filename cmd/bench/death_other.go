//go:build !linux

package main

import "syscall"

// endsWithUs keeps the terminal's Ctrl-C from a process.
func endsWithUs() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
