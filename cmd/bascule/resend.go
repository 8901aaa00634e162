package main

import (
	"context"

	"github.com/spf13/cobra"

	"bascule/internal/conversion"
	"bascule/sql"
)

func (a *app) resendCommand() *cobra.Command {
	var n conversion.SubscriberNumber
	cmd := &cobra.Command{
		Use:   "resend NUMBER",
		Short: "Send a subscriber's code once more, with the same deadline",
		Long: `Sends a subscriber's code once more, in a new mail, with the same deadline.

Environment: DATABASE_URL.`,
		Example: `  bascule resend 00123456
  bascule resend 00123456 --reason "call 12"`,
		Args: reading("NUMBER", &n, conversion.ParseSubscriberNumber),
		RunE: a.withWriter(func(ctx context.Context, db *sql.DB, _ []string) error {
			if err := db.Resend(ctx, n, a.why, actor()); err != nil {
				return err
			}
			a.printf("The code of %s goes out again, in a new mail, with the same deadline.\n", n)
			return nil
		}),
	}
	addReasonTo(cmd, &a.why, whyTouched)
	return cmd
}
