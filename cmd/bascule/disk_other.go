//go:build !linux

package main

// freeBytes knows nothing on other systems.
func freeBytes(string) (free uint64, known bool) { return 0, false }
