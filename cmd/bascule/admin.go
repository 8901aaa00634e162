package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"bascule/internal/conversion"
	"bascule/sql"
)

func (a *app) resendCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "resend NUMBER",
		Short: "Send a subscriber's code once more, with the same deadline",
		Args:  oneArg("NUMBER"),
		RunE: a.withSpace(func(ctx context.Context, db *sql.DB, n conversion.SubscriberNumber) error {
			if err := db.Resend(ctx, n, actor()); err != nil {
				return err
			}
			a.printf("The code of %s goes out again, in a new mail, with the same deadline.\n", n)
			return nil
		}),
	}
}

func (a *app) cancelCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "cancel NUMBER",
		Short: "End a subscriber's open request; its code is dead at once",
		Args:  oneArg("NUMBER"),
		RunE: a.withSpace(func(ctx context.Context, db *sql.DB, n conversion.SubscriberNumber) error {
			if err := db.Cancel(ctx, n, actor()); err != nil {
				return err
			}
			a.printf("The request of %s is cancelled. The space is entered with its certificate as before.\n", n)
			return nil
		}),
	}
}

func (a *app) withSpace(f func(context.Context, *sql.DB, conversion.SubscriberNumber) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		n, err := conversion.ParseSubscriberNumber(args[0])
		if err != nil {
			return usagef("%w", err)
		}
		return a.withDB(func(ctx context.Context, db *sql.DB, _ []string) error { return f(ctx, db, n) })(cmd, args)
	}
}

func (a *app) retryCommand() *cobra.Command {
	var batch batchNumber
	var sameAddress bool
	cmd := &cobra.Command{
		Use:   "retry",
		Short: "Invite again the spaces whose request expired, was undeliverable or bounced",
		Long: `Opens a new request for each certificate space without an open one whose latest
request expired, was undeliverable or bounced; refused and bounced addresses only
where they changed since. Cancelled requests stay cancelled. Running it twice is
the same as running it once.`,
		Args: noArg,
	}
	batch.addTo(cmd, "only the spaces of this batch")
	cmd.Flags().BoolVar(&sameAddress, "same-address", false, "try refused and bounced addresses again although they have not changed")
	cmd.RunE = a.withKeys(func(ctx context.Context, db *sql.DB, keys *conversion.Keyring, _ []string) error {
		if err := db.CheckKeys(ctx, keys); err != nil {
			return err
		}
		n, err := db.Retry(ctx, int64(batch), sameAddress, keys, actor())
		if err != nil {
			return err
		}
		a.printf("%s invited again.\n", count(n, "space is", "spaces are"))
		return nil
	})
	return cmd
}

func (a *app) reissueCommand() *cobra.Command {
	var key string
	cmd := &cobra.Command{
		Use:   "reissue --key ID",
		Short: "Replace the codes made with a key that has leaked",
		Long: `Kills every open code made with the key ID and sends a new one, made with the
newest key of SECRET_KEY, with a full deadline. Codes for a new password die
without another: who wants one asks again. Put a new key first in SECRET_KEY
and restart the workers before; take the old one out afterwards.`,
		Args: noArg,
	}
	cmd.Flags().StringVar(&key, "key", "", "the `ID` of the key, as a worker names it when it starts")
	cmd.MarkFlagRequired("key")
	cmd.RunE = a.withKeys(func(ctx context.Context, db *sql.DB, keys *conversion.Keyring, _ []string) error {
		if conversion.KeyID(key) == keys.Newest() {
			return usagef("%s is the newest key: put a new one before it in SECRET_KEY first", key)
		}
		n, err := db.Reissue(ctx, conversion.KeyID(key), keys, actor())
		if err != nil {
			return err
		}
		a.printf("%s dead that key %s made; new ones go out.\n", count(n, "code is", "codes are"), key)
		return nil
	})
	return cmd
}

func count(n int64, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
