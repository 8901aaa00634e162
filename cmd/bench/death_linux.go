package main

import "syscall"

// endsWithUs makes the kernel end a process when the thread that started it dies. It
// keeps the terminal's Ctrl-C from the process: we stop processes in our order.
func endsWithUs() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
}
