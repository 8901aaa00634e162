package main

import (
	"errors"
	"fmt"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"bascule/internal/text"
)

// A span is a flag with a length of time, such as 90d.
type span time.Duration

// Set reads the flag's value.
func (s *span) Set(value string) error {
	d, err := parseDuration(value)
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

// maxReason is the most characters of a reason.
const maxReason = 200

// A reason is a flag with the reason of a command, for the log (I9). It is one line of
// printable text.
type reason string

// Set reads the flag's value.
func (r *reason) Set(value string) error {
	said := text.Collapse(value)
	switch {
	case said == "":
		return errors.New("it is empty: say why")
	case utf8.RuneCountInString(said) > maxReason:
		return fmt.Errorf("it has more than %d characters", maxReason)
	case !utf8.ValidString(value):
		return errors.New("it is not UTF-8")
	}
	*r = reason(said)
	return nil
}

// String is the reason.
func (r *reason) String() string { return string(*r) }

// Type is what the flag holds.
func (r *reason) Type() string { return "string" }

// addCampaignTo adds the flag --campaign; a shell completes it from the database.
func (a *app) addCampaignTo(cmd *cobra.Command, name *string, usage string) {
	cmd.Flags().StringVar(name, "campaign", "", usage)
	a.complete(cmd, "campaign", func(cmd *cobra.Command, _ []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
		return a.completeCampaigns(cmd, nil, typed) // whatever arguments come before it
	})
}

func (a *app) complete(cmd *cobra.Command, flag string, with cobra.CompletionFunc) {
	if err := cmd.RegisterFlagCompletionFunc(flag, with); err != nil {
		panic(err) // the command completes the flag already
	}
}

// addJSONTo adds the flag that prints one JSON object in place of a text.
func addJSONTo(cmd *cobra.Command, asJSON *bool, usage string) {
	cmd.Flags().BoolVar(asJSON, "json", false, usage)
}

// A batchNumber is the flag --batch; 0 is all batches.
type batchNumber int64

// addTo adds the flag; a shell completes it from the database.
func (n *batchNumber) addTo(cmd *cobra.Command, a *app, usage string) {
	cmd.Flags().Var(n, "batch", usage)
	a.complete(cmd, "batch", a.completeBatches)
}

// Set reads the flag's value.
func (n *batchNumber) Set(value string) error {
	v, err := strconv.ParseInt(value, 10, 64)
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
