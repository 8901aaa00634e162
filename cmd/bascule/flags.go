package main

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"
)

// A span is a flag that holds a time to come, such as 90d.
type span time.Duration

// Set reads the flag's value.
func (s *span) Set(text string) error {
	d, err := parseDuration(text)
	if err != nil || d <= 0 || d > maxDays*24*time.Hour {
		return fmt.Errorf("it is not a time such as 90d or 36h, of %d days at the most", maxDays)
	}
	*s = span(d)
	return nil
}

// String is empty for no time, so that the help shows no default.
func (s *span) String() string {
	if *s == 0 {
		return ""
	}
	return time.Duration(*s).String()
}

// Type is what the flag holds.
func (s *span) Type() string { return "time" }

// A batchNumber is the flag --batch; 0 is all batches.
type batchNumber int64

// addTo adds the flag; a shell completes it from the database.
func (n *batchNumber) addTo(cmd *cobra.Command, a *app, usage string) {
	cmd.Flags().Var(n, "batch", usage)
	if err := cmd.RegisterFlagCompletionFunc("batch", a.completeBatches); err != nil {
		panic(err) // the command has such a flag already
	}
}

// Set reads the flag's value.
func (n *batchNumber) Set(text string) error {
	v, err := strconv.ParseInt(text, 10, 64)
	if err != nil || v < 1 {
		return errors.New("it is not the number of a batch")
	}
	*n = batchNumber(v)
	return nil
}

// String is empty for all batches, so that the help shows no default.
func (n *batchNumber) String() string {
	if *n == 0 {
		return ""
	}
	return strconv.FormatInt(int64(*n), 10)
}

// Type is what the flag holds.
func (n *batchNumber) Type() string { return "N" }
