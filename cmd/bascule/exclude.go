package main

import (
	"context"
	"errors"
	"time"

	"github.com/spf13/cobra"

	"bascule/internal/conversion"
	"bascule/internal/terminal"
	"bascule/sql"
)

func (a *app) excludeCommand() *cobra.Command {
	var x sql.Exclusion
	var lift bool
	cmd := &cobra.Command{
		Use:   "exclude ADDRESS|DOMAIN|NUMBER --reason R",
		Short: "Leave somebody alone: no invitation, no reminder, whatever is imported",
		Long: `Leaves an address, all addresses of a domain, or a subscriber number alone: no
import, retry or resend mails them until the exclusion ends or is lifted. Who
reported a mail as abuse is excluded by the workers. A code that was mailed stays
good, and what the subscribers ask for themselves is served as ever. Invitations
that wait to be mailed wait on. Excluding again replaces reason and end. A subscriber
number that is spelt as a subcommand stands behind "--".

Environment: DATABASE_URL.`,
		Example: `  bascule exclude anne@cabinet.example --reason "asked by phone, call 1234"
  bascule exclude cabinet.example --reason "their mail server moves" --until 2026-12-31
  bascule exclude anne@cabinet.example --lift --reason "asked to be invited, call 1240"`,
		Args: reading("ADDRESS, DOMAIN or NUMBER", &x.Excluded, conversion.ParseExcluded),
	}
	addReasonTo(cmd, &x.Reason, "why, for the log and the verdicts; no personal data")
	cmd.Flags().Var(parsing(&x.EndsAt, dayAfter), "until", "the last `DAY` on which it holds, in Paris, such as 2026-12-31 (default: until it is lifted)")
	cmd.Flags().BoolVar(&lift, "lift", false, "end the exclusion")
	cmd.MarkFlagRequired("reason")
	cmd.MarkFlagsMutuallyExclusive("until", "lift")
	cmd.AddCommand(a.excludeList(), a.excludeExport(), a.excludeImport())
	cmd.RunE = a.withWriter(func(ctx context.Context, db *sql.DB, _ []string) error {
		if lift {
			return a.lift(ctx, db, x)
		}
		return a.exclude(ctx, db, x)
	})
	return cmd
}

// dayAfter is the end of a day in Paris.
func dayAfter(day string) (time.Time, error) {
	for _, layout := range []string{time.DateOnly, "02/01/2006"} {
		if t, err := time.ParseInLocation(layout, day, conversion.Paris); err == nil {
			return t.AddDate(0, 0, 1), nil
		}
	}
	return time.Time{}, errors.New("it is no day such as 2026-12-31")
}

func (a *app) exclude(ctx context.Context, db *sql.DB, x sql.Exclusion) error {
	now, err := db.Now(ctx)
	if err != nil {
		return err
	}
	if !x.EndsAt.IsZero() && !x.EndsAt.After(now) {
		return usagef("--until is over already")
	}
	n, err := db.CountNamed(ctx, x.Excluded)
	if err == nil && n > 1 {
		err = a.askSomebody(ctx, "The %s %s names %d spaces. From now on they are left alone", x.Kind, x.Key, n)
	}
	if err != nil {
		return err
	}
	if n, err = db.Exclude(ctx, x, actor()); err != nil {
		return err
	}
	hint := ""
	if n == 0 {
		hint = " Nobody has it so far: check the spelling."
	}
	a.printf("The %s %s is left alone: %s named.%s\n", x.Kind, x.Key, terminal.Count(n, "space is", "spaces are"), hint)
	return nil
}

func (a *app) lift(ctx context.Context, db *sql.DB, x sql.Exclusion) error {
	n, err := db.Lift(ctx, x.Excluded, x.Reason, actor())
	if errors.Is(err, conversion.ErrNotFound) {
		return errors.New("nothing is excluded by that name: see `bascule show NUMBER`")
	}
	if err != nil {
		return err
	}
	a.printf("The exclusion is lifted: %s named. Whoever waited for a mail gets it; `bascule retry` invites the others again.\n",
		terminal.Count(n, "space is", "spaces are"))
	return nil
}
