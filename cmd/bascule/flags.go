package main

import (
	"errors"
	"fmt"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"bascule/internal/text"
	"bascule/sql"
)

// A parsed is the value of a flag that is read from a text.
type parsed[T any] struct {
	into *T
	read func(string) (T, error)
	text string
}

// Set reads the flag's value.
func (p *parsed[T]) Set(text string) (err error) {
	*p.into, err = p.read(text)
	p.text = text
	return err
}

// String is the text; it is empty for none, so that the help shows no default.
func (p *parsed[T]) String() string { return p.text }

// Type is what the help calls the value, unless the usage quotes a word for it.
func (p *parsed[T]) Type() string { return "string" }

// parsing is the value of a flag that is read into a variable.
func parsing[T any](into *T, read func(string) (T, error)) *parsed[T] {
	return &parsed[T]{into: into, read: read}
}

// setIfGiven replaces what a flag stands for, if there is the flag.
func setIfGiven[T any](cmd *cobra.Command, flag string, into *T, value T) {
	if cmd.Flags().Changed(flag) {
		*into = value
	}
}

// given takes any text but an empty one: a variable of a script that is not set must
// not count as a flag that is not there, which means all of them.
func given(s string) (string, error) {
	if s == "" {
		return "", errors.New("it is empty")
	}
	return s, nil
}

// parseSpan reads a length of time, such as 90d.
func parseSpan(s string) (time.Duration, error) {
	d, err := parseDuration(s)
	if err != nil || d <= 0 || d > maxDays*24*time.Hour {
		return 0, fmt.Errorf("it is not a time such as 90d or 36h, of %d days at the most", maxDays)
	}
	return d, nil
}

// parseWait is parseSpan, and takes 0.
func parseWait(s string) (time.Duration, error) {
	if d, err := parseDuration(s); err == nil && d == 0 {
		return 0, nil
	}
	return parseSpan(s)
}

// parseHelp reads how much assistance is wanted, in whole minutes: at least so much.
func parseHelp(s string) (time.Duration, error) {
	d, err := parseWait(s)
	return (d + time.Minute - 1).Truncate(time.Minute), err
}

// maxCount is more than the number of subscribers.
const maxCount = 1_000_000_000

// parseCount reads how many, by their decimal digits: 0200 is two hundred.
func parseCount(s string) (int, error) {
	n, err := strconv.ParseUint(s, 10, 32)
	if err != nil || n > maxCount {
		return 0, fmt.Errorf("it is no whole number from 0 to %d", maxCount)
	}
	return int(n), nil
}

// maxReason is the most characters of a reason.
const maxReason = 200

// parseReason reads the reason of a command, for the log (I9): one line of printable
// text.
func parseReason(s string) (string, error) {
	said := text.Collapse(s)
	switch {
	case said == "":
		return "", errors.New("it is empty: say why")
	case utf8.RuneCountInString(said) > maxReason:
		return "", fmt.Errorf("it has more than %d characters", maxReason)
	case !utf8.ValidString(s):
		return "", errors.New("it is not UTF-8")
	}
	return said, nil
}

func addReasonTo(cmd *cobra.Command, why *string, usage string) {
	cmd.Flags().Var(parsing(why, parseReason), "reason", usage)
}

// whyTouched is the usage of the reason of a command that may go without.
const whyTouched = "why, for the log; no personal data; needed once persons are registered"

// addBatchTo adds the flag --batch; 0 is all batches. A shell completes it from the
// database.
func (a *app) addBatchTo(cmd *cobra.Command, batch *int64, usage string) {
	cmd.Flags().Var(parsing(batch, parseBatch), "batch", usage)
	a.complete(cmd, "batch", a.completeBatches)
}

func parseBatch(s string) (int64, error) {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 1 {
		return 0, errors.New("it is not the number of a batch")
	}
	return n, nil
}

// addCampaignTo adds the flag --campaign; a shell completes it from the database.
func (a *app) addCampaignTo(cmd *cobra.Command, name *string, usage string) {
	cmd.Flags().Var(parsing(name, sql.ParseCampaignName), "campaign", usage)
	a.complete(cmd, "campaign", a.completeCampaign)
}

func (a *app) complete(cmd *cobra.Command, flag string, with cobra.CompletionFunc) {
	if err := cmd.RegisterFlagCompletionFunc(flag, with); err != nil {
		panic(err) // the command completes the flag already
	}
}

// addJSONTo adds the flag that prints one JSON object in place of a text.
func (a *app) addJSONTo(cmd *cobra.Command, usage string) {
	cmd.Flags().BoolVar(&a.json, "json", false, usage)
}

// jsonOfBulk is the usage of --json of commands that may change many requests.
const jsonOfBulk = "print what was done as one JSON object"

// addYesTo adds the flag that answers the question of a command.
func (a *app) addYesTo(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&a.yes, "yes", false, "do not ask, as scripts want it")
}
