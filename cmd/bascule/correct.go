package main

import (
	"cmp"
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"bascule/internal/conversion"
	"bascule/sql"
)

func (a *app) correctCommand() *cobra.Command {
	c := sql.Correction{Actor: actor()}
	cmd := &cobra.Command{
		Use:   "correct NUMBER --email ADDRESS --reason R",
		Short: "Give one subscriber another contact address, as an import of that row would",
		Long: `Gives one subscriber another contact address: what an import of a spreadsheet with
that single row would do. While a request is open its old code is dead, and its
campaign invites the new address.

Environment: DATABASE_URL, SECRET_KEY.`,
		Example: `  bascule correct 00123456 --email anne@cabinet.example --reason "typing error, call 1234"`,
		Args:    reading("NUMBER", &c.Number, conversion.ParseSubscriberNumber),
	}
	cmd.Flags().Var(parsing(&c.Email, conversion.ParseEmail), "email", "the contact `ADDRESS` from now on")
	addReasonTo(cmd, &c.Reason, "why, for the log; no personal data")
	a.addJSONTo(cmd, "print the verdict as one JSON object")
	cmd.MarkFlagRequired("email")
	cmd.MarkFlagRequired("reason")
	cmd.RunE = a.withKeys(func(ctx context.Context, db *sql.DB, keys *conversion.Keyring, _ []string) error {
		c.Keys = keys
		return a.correct(ctx, db, c)
	})
	return cmd
}

func (a *app) correct(ctx context.Context, db *sql.DB, c sql.Correction) error {
	if err := db.LearnKeys(ctx, c.Keys, sql.KeyUse{}); err != nil {
		return err
	}
	v, result, err := db.Correct(ctx, c)
	if err != nil {
		return err
	}
	said := fmt.Sprintf("Nothing is changed: %s.\n", v.Reason)
	switch {
	case result.Rejected+result.Excluded > 0:
		said = "" // the error says it
		err = fmt.Errorf("%s: %s: %s", c.Number, v.Kind, v.Reason)
	case result.Accepted > 0:
		said = fmt.Sprintf("The contact address of %s is changed.\n", c.Number)
	}
	told := a.answer(struct {
		Verdict  string `json:"verdict"`
		Reason   string `json:"reason"`
		Batch    int64  `json:"batch"`
		Campaign string `json:"campaign"`
	}{v.Kind, v.Reason, result.Batch, result.Campaign}, "%s", said)
	if err != nil || told != nil || a.json || result.Accepted == 0 {
		return cmp.Or(err, told)
	}
	return a.tellNext(ctx, db, c.Number)
}
