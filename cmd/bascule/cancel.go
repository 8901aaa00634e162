package main

import (
	"context"

	"github.com/spf13/cobra"

	"bascule/internal/conversion"
	"bascule/internal/terminal"
	"bascule/sql"
)

func (a *app) cancelCommand() *cobra.Command {
	var f bulkFlags
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
	f.addFileTo(cmd)
	f.addTo(cmd)
	cmd.Args = func(_ *cobra.Command, args []string) error {
		if len(args) == 0 && f.file == "" {
			return usagef("a NUMBER is needed, or --file")
		}
		return nil
	}
	cmd.RunE = a.withNumbers(&f, func(cmd *cobra.Command, numbers []conversion.SubscriberNumber) error {
		return a.withWriter(func(ctx context.Context, db *sql.DB, _ []string) error { return a.cancel(ctx, db, numbers, f) })(cmd, nil)
	})
	return cmd
}

func (a *app) cancel(ctx context.Context, db *sql.DB, numbers []conversion.SubscriberNumber, f bulkFlags) error {
	plan, err := db.PlanCancel(ctx, numbers)
	if err != nil {
		return err
	}
	if err := a.confirm(ctx, f, plan, "are cancelled"); err != nil {
		return err
	}
	n, err := db.Cancel(ctx, plan, actor())
	if err != nil {
		return err
	}
	left := terminal.NewLeftOut(plan, n)
	result := struct {
		Cancelled int64 `json:"cancelled"`
		terminal.LeftOut
	}{n, left}
	said := terminal.Count(n, "request is", "requests are") + " cancelled. The certificate opens the space as before."
	return a.reportBulk(f, true, n, result, said, left, terminal.CancelWords)
}
