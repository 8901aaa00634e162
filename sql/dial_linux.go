package sql

import "golang.org/x/sys/unix"

// limitSilence limits how long sent bytes may stay unacknowledged.
func limitSilence(fd uintptr) error {
	return unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(silence.Milliseconds()))
}
