package main

import (
	"cmp"
	"context"

	"github.com/spf13/cobra"

	"bascule/internal/conversion"
	"bascule/internal/terminal"
	"bascule/sql"
)

func (a *app) retryCommand() *cobra.Command {
	var scope sql.RetryScope
	cmd := &cobra.Command{
		Use:   "retry [NUMBER…]",
		Short: "Invite again the spaces whose request expired or was undeliverable",
		Long: `Opens a new request for each certificate space without an open one whose latest
request expired or was undeliverable; refused addresses, and those whose bounce
says that they are gone, only where they changed since; who is left alone (see
bascule exclude) not at all. Without NUMBER or --file, for all such spaces, or those
of --batch or --campaign; cancelled requests stay cancelled then. A number that is named is also
invited again after a cancel.

The new request is of the campaign of the one before. If that campaign is over, --into
names another one, which holds the invitation until it is started.

Above one request it says how many there are and asks; a script answers by --yes.
Running it twice is the same as running it once.

Environment: DATABASE_URL, SECRET_KEY; FOUR_EYES, optional.`,
		Example: `  bascule retry 00123456
  bascule retry --campaign spring
  bascule retry --campaign spring --into autumn
  bascule retry --file numbers.txt --yes --json`,
	}
	a.addBatchTo(cmd, &scope.Batch, "only the spaces of batch `N`")
	a.addCampaignTo(cmd, &scope.Campaign, "only the spaces of the campaign of this `NAME`")
	cmd.Flags().Var(parsing(&scope.Into, sql.ParseCampaignName), "into", "the campaign of the new requests, made if there is none of that `NAME` (default: that of each request before)")
	a.complete(cmd, "into", a.completeCampaign)
	a.addFileTo(cmd)
	cmd.Flags().BoolVar(&scope.SameAddress, "same-address", false, "try refused and gone addresses again although they have not changed")
	a.addYesTo(cmd)
	addReasonTo(cmd, &a.why, whyTouched)
	a.addJSONTo(cmd, jsonOfBulk)
	cmd.MarkFlagsMutuallyExclusive("file", "batch")
	cmd.MarkFlagsMutuallyExclusive("file", "campaign")
	cmd.MarkFlagsMutuallyExclusive("batch", "campaign")
	cmd.Args = func(_ *cobra.Command, args []string) error {
		if len(args) > 0 && (scope.Batch != 0 || scope.Campaign != "") {
			return usagef("give NUMBER, or --batch or --campaign, not both")
		}
		return nil
	}
	cmd.PreRunE = func(cmd *cobra.Command, args []string) (err error) {
		if scope.Numbers, err = a.numbers(cmd.Context(), args); len(scope.Numbers) != 1 {
			a.roles = append(a.roles, sql.RoleLaunch)
		}
		return err
	}
	cmd.RunE = a.withKeys(func(ctx context.Context, db *sql.DB, keys *conversion.Keyring, _ []string) error {
		return a.retry(ctx, db, keys, scope)
	})
	return cmd
}

func (a *app) retry(ctx context.Context, db *sql.DB, keys *conversion.Keyring, scope sql.RetryScope) error {
	if err := db.LearnKeys(ctx, keys, sql.KeyUse{}); err != nil {
		return err
	}
	plan, err := db.PlanRetry(ctx, scope)
	if err != nil {
		return err
	}
	plan.Why = a.why
	err = a.carryOut(ctx, plan, bulk{
		asks: "would each be followed by a new one, and a mail", words: terminal.RetryWords, named: len(scope.Numbers) > 0,
		do: func() (int64, error) { return db.Retry(ctx, plan, keys, actor()) },
		result: func(n int64, left terminal.LeftOut) any {
			return struct {
				Retried int64 `json:"retried"`
				terminal.LeftOut
			}{n, left}
		},
		said: func(n int64) string { return terminal.Count(n, "space is", "spaces are") + " invited again." },
	})
	if err != nil || a.json || len(plan.Requests) == 0 {
		return err
	}
	return a.afterRetry(ctx, db, scope)
}

// afterRetry tells what the mails of a retry wait for.
func (a *app) afterRetry(ctx context.Context, db *sql.DB, scope sql.RetryScope) error {
	if name := cmp.Or(scope.Into, scope.Campaign); name != "" {
		c, err := db.Campaign(ctx, name)
		if err == nil {
			a.printf("%s\n", terminal.AfterInviting(c.Name, c.State))
		}
		return err
	}
	if len(scope.Numbers) == 1 {
		return a.tellNext(ctx, db, scope.Numbers[0])
	}
	a.printf("Their campaigns send the mails: `bascule campaign` tells which are running.\n")
	return nil
}

// tellNext tells the next step for one subscriber.
func (a *app) tellNext(ctx context.Context, db *sql.DB, number conversion.SubscriberNumber) error {
	s, err := db.Story(ctx, number)
	if err == nil {
		a.printf("Next: %s\n", terminal.NextStep(s))
	}
	return err
}
