package main

import (
	"context"

	"github.com/spf13/cobra"

	"bascule/internal/conversion"
	"bascule/internal/terminal"
	"bascule/sql"
)

func (a *app) cancelCommand() *cobra.Command {
	var numbers []conversion.SubscriberNumber
	cmd := &cobra.Command{
		Use:   "cancel NUMBER…",
		Short: "End open requests; their codes are dead at once",
		Long: `Ends the open requests of these numbers. Their codes are dead at once, those in
mails under way too; the spaces are entered with their certificates as before.
What is switched stays switched.

Above one request it says how many there are and asks; a script answers by --yes.

Environment: DATABASE_URL.`,
		Example: `  bascule cancel 00123456
  bascule cancel --file numbers.csv
  cut -d, -f1 wrong.csv | bascule cancel --file - --yes --json`,
	}
	a.addFileTo(cmd)
	a.addYesTo(cmd)
	addReasonTo(cmd, &a.why, whyTouched)
	a.addJSONTo(cmd, jsonOfBulk)
	cmd.Args = func(_ *cobra.Command, args []string) error {
		if len(args) == 0 && a.file == "" {
			return usagef("a NUMBER is needed, or --file")
		}
		return nil
	}
	cmd.PreRunE = func(cmd *cobra.Command, args []string) (err error) {
		numbers, err = a.numbers(cmd.Context(), args)
		return err
	}
	cmd.RunE = a.withWriter(func(ctx context.Context, db *sql.DB, _ []string) error { return a.cancel(ctx, db, numbers) })
	return cmd
}

func (a *app) cancel(ctx context.Context, db *sql.DB, numbers []conversion.SubscriberNumber) error {
	plan, err := db.PlanCancel(ctx, numbers)
	if err != nil {
		return err
	}
	plan.Why = a.why
	return a.carryOut(ctx, plan, bulk{
		asks: "would be cancelled", words: terminal.CancelWords, named: true,
		do: func() (int64, error) { return db.Cancel(ctx, plan, actor()) },
		result: func(n int64, left terminal.LeftOut) any {
			return struct {
				Cancelled int64 `json:"cancelled"`
				terminal.LeftOut
			}{n, left}
		},
		said: func(n int64) string {
			return terminal.Count(n, "request is", "requests are") + " cancelled. The certificate opens the space as before."
		},
	})
}
