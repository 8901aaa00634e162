// Package terminal writes what an administrator reads on a terminal. Each answer is a
// value: what a program reads is its JSON, what a person reads is what it prints. It
// knows neither flags nor a database.
package terminal

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"bascule/internal/conversion"
)

// Count writes "1 mail" and "2 mails".
func Count[N int | int64](n N, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// ParisTime is a moment to the second, in Paris.
func ParisTime(t time.Time) string { return t.In(conversion.Paris).Format("2006-01-02 15:04:05") }

// ShortDuration writes 12h for 12h0m0s, and 30m for 30m0s.
func ShortDuration(d time.Duration) string {
	s := d.String()
	if d%time.Minute == 0 {
		s = strings.TrimSuffix(s, "0s")
	}
	if d%time.Hour == 0 {
		s = strings.TrimSuffix(s, "0m")
	}
	return cmp.Or(s, "0h")
}

// ShellWord quotes a name, so that a shell takes it as one word.
func ShellWord(name string) string {
	if name != "" && strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./@+") == "" {
		return name
	}
	return "'" + strings.ReplaceAll(name, "'", `'\''`) + "'"
}

// inBrackets writes " (why)"; "" for none.
func inBrackets(why string) string {
	if why == "" {
		return ""
	}
	return " (" + why + ")"
}
