package main

import "syscall"

// endsWithUs has the kernel end a process when the thread that started it dies,
// and keeps the terminal's Ctrl-C from it: we stop it in our order.
func endsWithUs() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
}
