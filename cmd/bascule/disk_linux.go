package main

import "golang.org/x/sys/unix"

// freeBytes tells how much an ordinary account may still write to the disk of a folder.
func freeBytes(folder string) (free uint64, known bool) {
	var s unix.Statfs_t
	if unix.Statfs(folder, &s) != nil {
		return 0, false
	}
	return s.Bavail * uint64(s.Bsize), true
}
