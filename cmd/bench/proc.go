package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// tick is the unit of processor time in /proc: 1/100 s on every Linux.
const tick = 10 * time.Millisecond

// cpuOf is the processor time of one process; 0 if it is gone.
func cpuOf(pid int) time.Duration {
	f := statFields(pid)
	if f == nil {
		return 0
	}
	return ticks(f[statUser]) + ticks(f[statSystem])
}

// cpuOfTree is the processor time of a server and of all its children, past and
// present.
func cpuOfTree(pid int) time.Duration {
	f := statFields(pid)
	if f == nil {
		return 0
	}
	sum := ticks(f[statUser]) + ticks(f[statSystem]) + ticks(f[statEndedUser]) + ticks(f[statEndedSystem])
	for _, child := range children(pid) {
		sum += cpuOf(child)
	}
	return sum
}

// children are the living children of a process.
func children(pid int) (list []int) {
	folders, _ := filepath.Glob("/proc/[0-9]*") // the pattern is well formed
	for _, folder := range folders {
		child, err := strconv.Atoi(filepath.Base(folder))
		if err == nil && parentOf(child) == pid {
			list = append(list, child)
		}
	}
	return list
}

// Fields of /proc/PID/stat, counted from the one behind the name (proc(5)).
const (
	statParent      = 1
	statUser        = 11
	statSystem      = 12
	statEndedUser   = 13
	statEndedSystem = 14
)

// statFields are the fields behind the name; nil if the process is gone.
func statFields(pid int) []string {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return nil
	}
	f := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	if len(f) <= statEndedSystem {
		return nil
	}
	return f
}

func ticks(s string) time.Duration {
	n, _ := strconv.ParseInt(s, 10, 64) // the kernel writes digits
	return time.Duration(n) * tick
}

// peakMemory is VmHWM in bytes; 0 if the process is gone.
func peakMemory(pid int) int64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kb, _ := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 10, 64)
			return kb << 10
		}
	}
	return 0
}

// parentOf is the process that started another one.
func parentOf(pid int) int {
	f := statFields(pid)
	if f == nil {
		return 0
	}
	n, _ := strconv.Atoi(f[statParent])
	return n
}
