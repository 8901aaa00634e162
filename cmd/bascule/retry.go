package main

import (
	"context"

	"github.com/spf13/cobra"

	"bascule/internal/conversion"
	"bascule/internal/terminal"
	"bascule/sql"
)

type retryFlags struct {
	bulkFlags
	batch       batchNumber
	campaign    string
	sameAddress bool
}

func (a *app) retryCommand() *cobra.Command {
	var f retryFlags
	cmd := &cobra.Command{
		Use:   "retry [NUMBER…]",
		Short: "Invite again the spaces whose request expired or was undeliverable",
		Long: `Opens a new request for each certificate space without an open one whose latest
request expired or was undeliverable; refused addresses, and those whose bounce
says that they are gone, only where they changed since; who is left alone (see
bascule exclude) not at all. Without NUMBER or --file, for all such spaces, or those
of --batch or --campaign; cancelled requests stay cancelled then. A number that is named is also
invited again after a cancel.

Above one request it says how many there are and asks; a script answers by --yes.
Running it twice is the same as running it once.

Environment: DATABASE_URL, SECRET_KEY.`,
		Example: `  bascule retry 00123456
  bascule retry --campaign spring
  bascule retry --file numbers.txt --yes --json`,
	}
	f.batch.addTo(cmd, a, "only the spaces of this batch")
	a.addCampaignTo(cmd, &f.campaign, "only the spaces of the campaign of this `NAME`")
	f.addFileTo(cmd)
	cmd.Flags().BoolVar(&f.sameAddress, "same-address", false, "try refused and gone addresses again although they have not changed")
	f.bulkFlags.addTo(cmd)
	cmd.MarkFlagsMutuallyExclusive("file", "batch")
	cmd.MarkFlagsMutuallyExclusive("file", "campaign")
	cmd.Args = func(_ *cobra.Command, args []string) error {
		if len(args) > 0 && (f.batch != 0 || f.campaign != "") {
			return usagef("give NUMBER, or --batch or --campaign, not both")
		}
		return nil
	}
	cmd.RunE = a.withNumbers(&f.bulkFlags, func(cmd *cobra.Command, numbers []conversion.SubscriberNumber) error {
		return a.withKeys(func(ctx context.Context, db *sql.DB, keys *conversion.Keyring, _ []string) error {
			return a.retry(ctx, db, keys, numbers, f)
		})(cmd, nil)
	})
	return cmd
}

func (a *app) retry(ctx context.Context, db *sql.DB, keys *conversion.Keyring, numbers []conversion.SubscriberNumber, f retryFlags) error {
	if err := db.LearnKeys(ctx, keys, sql.KeyUse{}); err != nil {
		return err
	}
	plan, err := db.PlanRetry(ctx, sql.RetryScope{Numbers: numbers, Batch: int64(f.batch), Campaign: f.campaign, SameAddress: f.sameAddress})
	if err != nil {
		return err
	}
	if err := a.confirm(ctx, f.bulkFlags, plan, "are followed by a new one, and a mail"); err != nil {
		return err
	}
	n, err := db.Retry(ctx, plan, keys, actor())
	if err != nil {
		return err
	}
	left := terminal.NewLeftOut(plan, n)
	result := struct {
		Retried int64 `json:"retried"`
		terminal.LeftOut
	}{n, left}
	return a.reportBulk(f.bulkFlags, len(numbers) > 0, n, result, terminal.Count(n, "space is", "spaces are")+" invited again.", left, terminal.RetryWords)
}
