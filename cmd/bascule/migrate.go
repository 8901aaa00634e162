package main

import (
	"github.com/spf13/cobra"

	"bascule/sql"
)

func (a *app) migrateCommand() *cobra.Command {
	var role string
	cmd := &cobra.Command{
		Use:   "migrate",
		Short: "Create or upgrade the database schema",
		Long: `Creates or upgrades the schema of DATABASE_URL. Safe to run twice, and by two at once.

With SECRET_KEY set, the database knows its keys from now on: a process with
others is refused. Otherwise it knows those of whoever comes first.

With --grant, an existing role gets exactly what the other commands need: it can
neither change the schema nor make bascule forget a switch. Give that role to
serve, work and the administrators, and keep the owner for migrate.

Environment: DATABASE_URL, that of the owner; SECRET_KEY, optional.`,
		Example: `  bascule migrate
  bascule migrate --grant bascule_app`,
		Args: noArg,
		RunE: func(cmd *cobra.Command, _ []string) error {
			url, err := a.env.databaseURL()
			if err != nil {
				return err
			}
			keys, err := a.env.keysIfSet()
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
			if keys != nil {
				if err := db.LearnKeys(cmd.Context(), keys, sql.KeyUse{}); err != nil {
					return err
				}
			}
			if role == "" {
				return nil
			}
			if err := db.Grant(cmd.Context(), role); err != nil {
				return err
			}
			a.printf("The role %s has the rights that bascule needs.\n", role)
			advice, err := db.QuietLog(cmd.Context(), role)
			if advice != "" {
				a.note(advice)
			}
			return err
		},
	}
	cmd.Flags().Var(parsing(&role, given), "grant", "give this role what the other commands need, and no more")
	return cmd
}
