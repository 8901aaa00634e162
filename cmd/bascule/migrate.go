package main

import (
	"github.com/spf13/cobra"

	"bascule/sql"
)

func (a *app) migrateCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "migrate",
		Short: "Create or upgrade the database schema",
		Long:  "Creates or upgrades the schema of DATABASE_URL. Safe to run twice, and by two at once.",
		Args:  noArg,
		RunE: func(cmd *cobra.Command, _ []string) error {
			url, err := a.env.databaseURL()
			if err != nil {
				return err
			}
			db, err := sql.Open(cmd.Context(), url, commandConns)
			if err != nil {
				return err
			}
			defer db.Close()
			if err := db.Migrate(cmd.Context()); err != nil {
				return err
			}
			a.printf("The schema is up to date.\n")
			return nil
		},
	}
}
