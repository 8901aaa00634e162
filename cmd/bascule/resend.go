package main

import (
	"context"

	"github.com/spf13/cobra"

	"bascule/internal/conversion"
	"bascule/sql"
)

func (a *app) resendCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "resend NUMBER",
		Short: "Send a subscriber's code once more, with the same deadline",
		Long: `Sends a subscriber's code once more, in a new mail, with the same deadline.

Environment: DATABASE_URL.`,
		Example: "  bascule resend 00123456",
		Args:    oneArg("NUMBER"),
		RunE: a.withSpace(a.withWriter, func(ctx context.Context, db *sql.DB, n conversion.SubscriberNumber) error {
			if err := db.Resend(ctx, n, actor()); err != nil {
				return err
			}
			a.printf("The code of %s goes out again, in a new mail, with the same deadline.\n", n)
			return nil
		}),
	}
}

// withSpace runs a short command about one subscriber number, on a database that with
// opens.
func (a *app) withSpace(with opener, f func(context.Context, *sql.DB, conversion.SubscriberNumber) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		n, err := conversion.ParseSubscriberNumber(args[0])
		if err != nil {
			return usagef("%w", err)
		}
		return with(func(ctx context.Context, db *sql.DB, _ []string) error { return f(ctx, db, n) })(cmd, args)
	}
}

// withNumbers runs a command about the numbers of its arguments or of --file.
func (a *app) withNumbers(f *bulkFlags, run func(*cobra.Command, []conversion.SubscriberNumber) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		numbers, err := a.numbers(cmd.Context(), args, *f)
		if err != nil {
			return err
		}
		return run(cmd, numbers)
	}
}
