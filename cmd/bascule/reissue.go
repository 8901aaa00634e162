package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"bascule/internal/conversion"
	"bascule/internal/terminal"
	"bascule/sql"
)

func (a *app) reissueCommand() *cobra.Command {
	var key string
	cmd := &cobra.Command{
		Use:   "reissue --key ID",
		Short: "Replace the codes made with a key that has leaked or is lost",
		Long: `Kills every open code made with the key ID and sends a new one, made with the
newest key of SECRET_KEY, with a full deadline. Codes for a new password die
without another: who wants one asks again. Put a new key first in SECRET_KEY
and restart the workers before; take the old one out afterwards.

Above one request it says how many there are and asks; a script answers by --yes.

Environment: DATABASE_URL, SECRET_KEY.`,
		Example: `  bascule reissue --key 24372fa5`,
		Args:    noArg,
	}
	cmd.Flags().Var(parsing(&key, given), "key", "the `ID` of the key, as a worker names it when it starts")
	cmd.MarkFlagRequired("key")
	a.addYesTo(cmd)
	a.addJSONTo(cmd, jsonOfBulk)
	cmd.RunE = a.withKeys(func(ctx context.Context, db *sql.DB, keys *conversion.Keyring, _ []string) error {
		return a.reissue(ctx, db, conversion.KeyID(key), keys)
	})
	return cmd
}

func (a *app) reissue(ctx context.Context, db *sql.DB, key conversion.KeyID, keys *conversion.Keyring) error {
	if key == keys.Newest() {
		return usagef("%s is the newest key: put a new one before it in SECRET_KEY first", key)
	}
	plan, err := db.PlanReissue(ctx, key)
	if errors.Is(err, conversion.ErrKeyUnknown) {
		return usagef("%w", err)
	}
	if err != nil {
		return err
	}
	if err := a.confirm(ctx, plan, "would get a new code, and a mail; those of key "+string(key)+" would be dead"); err != nil {
		return err
	}
	if err := db.LearnKeys(ctx, keys, sql.KeyUse{Lost: key}); err != nil {
		return err
	}
	n, err := db.Reissue(ctx, key, keys, actor())
	if err != nil {
		return err
	}
	return a.answer(map[string]int64{"reissued": n}, "%s dead that key %s made; new ones go out.\n", terminal.Count(n, "code is", "codes are"), key)
}
