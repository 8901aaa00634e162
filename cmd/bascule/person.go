package main

import (
	"context"
	"errors"
	"fmt"
	"os/user"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"bascule/internal/terminal"
	"bascule/internal/text"
	"bascule/sql"
)

// roleOf is the role that each command on the database of an administration needs (D18).
// Whoever is registered may pull the brake.
var roleOf = map[string]sql.Role{
	"status": sql.RoleRead, "report": sql.RoleRead, "show": sql.RoleRead, "campaign": sql.RoleRead, "campaign show": sql.RoleRead,
	"campaign plan": sql.RoleRead, "campaign check": sql.RoleRead, "campaign pause": sql.RoleRead,
	"exclude list": sql.RoleRead, "exclude export": sql.RoleRead,

	"resend": sql.RoleAssist, "cancel": sql.RoleAssist, "retry": sql.RoleAssist, "correct": sql.RoleAssist, "exclude": sql.RoleAssist,

	"import": sql.RolePrepare, "firms": sql.RolePrepare, "campaign set": sql.RolePrepare, "campaign preview": sql.RolePrepare,
	"exclude import": sql.RolePrepare,

	"campaign start": sql.RoleLaunch, "campaign resume": sql.RoleLaunch, "campaign cancel": sql.RoleLaunch, "campaign close": sql.RoleLaunch,
	"reissue": sql.RoleLaunch, "person add": sql.RoleLaunch, "person role": sql.RoleLaunch, "person remove": sql.RoleLaunch,
}

// mayRun returns an error unless whoever runs the command has its roles. If somebody is
// registered, a command that touches subscribers gives a reason. A command without a role
// is for everybody: who may act can always be looked up.
func (a *app) mayRun(ctx context.Context, db *sql.DB, cmd *cobra.Command) error {
	name := nameOf(cmd)
	role := roleOf[name]
	if role == "" {
		return nil
	}
	registered, err := db.CheckRoles(ctx, actor(), append(a.roles, role))
	if err != nil {
		return err
	}
	if f := cmd.Flags().Lookup("reason"); registered && role != sql.RoleRead && f != nil && !f.Changed {
		return usagef("--reason is needed, as persons are registered (bascule person): say why, for the log")
	}
	if !launches[name] {
		return nil
	}
	above, err := a.env.fourEyes()
	if above > 0 {
		db.RequireFourEyes(above)
	}
	return err
}

// launches are the commands that read FOUR_EYES.
var launches = map[string]bool{"import": true, "retry": true, "campaign check": true, "campaign set": true, "campaign start": true, "campaign resume": true}

// nameOf is the name of a command without that of the program.
func nameOf(cmd *cobra.Command) string {
	_, name, _ := strings.Cut(cmd.CommandPath(), " ")
	return name
}

func (a *app) personCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "person",
		Short: "Say who may act, and what each may do",
		Long: `Registers the persons who may act, by their account on this machine; the log of
what is done names the account. As long as nobody is registered, everybody may do
everything. The roles:

  lecture      look at everything, and pause a campaign
  assistance   help a subscriber: resend, cancel, retry of one, correct, exclude
  preparation  import, exclude import, firms, a campaign's message and brakes, its preview
  lancement    start, resume, cancel and close a campaign; import --start, retry of more
               than one, reissue; say who may act

Commands that touch subscribers need --reason then. With FOUR_EYES, whoever prepared a
campaign does not launch more than so many mails of it. Whoever has DATABASE_URL
can also use psql: roles keep from mistakes.

Environment: DATABASE_URL.`,
		Example: `  bascule person add "$(id -un)" --name "Paul Noël" --role lancement
  bascule person add adurand --name "Anne Durand" --role lecture,assistance
  bascule person role adurand assistance preparation`,
		Args: noArg,
		RunE: func(*cobra.Command, []string) error { return usagef("give add, list, role or remove") },
	}
	cmd.AddCommand(a.personAdd(), a.personList(), a.personRole(), a.personRemove())
	return cmd
}

func (a *app) personAdd() *cobra.Command {
	var p sql.Person
	cmd := &cobra.Command{
		Use:   "add ACCOUNT --name NAME --role ROLE[,ROLE…]",
		Short: "Register a person",
		Long: `Registers a person. The first one is your own account, with the role lancement.

Environment: DATABASE_URL.`,
		Example: `  bascule person add "$(id -un)" --name "Paul Noël" --role lancement
  bascule person add adurand --name "Anne Durand" --role lecture,assistance`,
		Args: oneArg("ACCOUNT"),
	}
	cmd.Flags().Var(parsing(&p.Name, parseName), "name", "the person's `NAME` (default: as the machine knows it)")
	cmd.Flags().Var(parsing(&p.Roles, parseRoles), "role", "what the person may do: `ROLES` by commas")
	cmd.MarkFlagRequired("role")
	return a.changing(cmd, func(ctx context.Context, db *sql.DB, args []string) (err error) {
		if p.Account, err = parseAccount(args[0]); err != nil {
			return err
		}
		if known, err := user.Lookup(p.Account); err == nil && p.Name == "" {
			name, _, _ := strings.Cut(known.Name, ",") // what follows is an office and a telephone
			p.Name = text.Collapse(name)
		}
		if p.Name == "" {
			return usagef("the machine knows no name of %s: give --name", p.Account)
		}
		return db.AddPerson(ctx, p, actor())
	})
}

func (a *app) personRole() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "role ACCOUNT ROLE…",
		Short:   "Give a person other roles in place of the present ones",
		Long:    "Gives a person other roles in place of the present ones.\n\nEnvironment: DATABASE_URL.",
		Example: "  bascule person role adurand assistance preparation",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) < 2 {
				return fmt.Errorf("ACCOUNT and at least one ROLE are needed; there are %d arguments", len(args))
			}
			return nil
		},
	}
	return a.changing(cmd, func(ctx context.Context, db *sql.DB, args []string) error {
		roles, err := parseRoles(strings.Join(args[1:], ","))
		if err != nil {
			return usagef("%w", err)
		}
		return db.SetRoles(ctx, args[0], roles, actor())
	})
}

func (a *app) personRemove() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "remove ACCOUNT",
		Short:   "Take all roles from a person",
		Long:    "Takes all roles from a person. What the person did stays in the log.\n\nEnvironment: DATABASE_URL.",
		Example: "  bascule person remove adurand",
		Args:    oneArg("ACCOUNT"),
	}
	return a.changing(cmd, func(ctx context.Context, db *sql.DB, args []string) error {
		return db.SetRoles(ctx, args[0], nil, actor())
	})
}

func (a *app) personList() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List who may act",
		Long:    "Lists the persons with their roles.\n\nEnvironment: DATABASE_URL.",
		Example: "  bascule person list --json",
		Args:    noArg,
		RunE:    a.withDB(func(ctx context.Context, db *sql.DB, _ []string) error { return a.tellPersons(ctx, db) }),
	}
	a.addJSONTo(cmd, "print the persons as one JSON object")
	return cmd
}

// changing is a command that changes who may act, and then lists them.
func (a *app) changing(cmd *cobra.Command, change func(context.Context, *sql.DB, []string) error) *cobra.Command {
	a.addJSONTo(cmd, "print the persons as one JSON object")
	cmd.RunE = a.withWriter(func(ctx context.Context, db *sql.DB, args []string) error {
		if err := change(ctx, db, args); err != nil {
			return err
		}
		return a.tellPersons(ctx, db)
	})
	return cmd
}

func (a *app) tellPersons(ctx context.Context, db *sql.DB) error {
	list, err := db.Persons(ctx)
	if err != nil {
		return err
	}
	return a.tell(terminal.Persons{Persons: append([]sql.Person{}, list...)})
}

func parseName(s string) (string, error) {
	name := text.Collapse(s)
	if name == "" || !utf8.ValidString(s) {
		return "", errors.New("it is no name")
	}
	return name, nil
}

func parseRoles(s string) ([]sql.Role, error) { return sql.ParseRoles(strings.Split(s, ",")...) }

// parseAccount reads the name of an account, which need not exist on this machine.
func parseAccount(s string) (string, error) {
	if text.Trim(s) != s || s == "" || len(s) > 256 || !utf8.ValidString(s) || strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return "", usagef("%q is no account of a machine", s)
	}
	return s, nil
}
