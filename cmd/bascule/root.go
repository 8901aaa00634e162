package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"os/user"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"bascule/importer"
	"bascule/internal/conversion"
	"bascule/sql"
)

// The exit codes of the contract.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2
)

// Main runs the command line and returns its exit code. SIGINT and SIGTERM end
// the context; a second one ends the process.
func Main() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	return run(ctx, os.Args[1:], os.Getenv, os.Stdout, os.Stderr)
}

// app is what every command shares.
type app struct {
	env    environment
	stdout io.Writer
	stderr io.Writer
	log    *slog.Logger
}

func run(ctx context.Context, args []string, getenv func(string) string, stdout, stderr io.Writer) int {
	a := &app{env: environment{getenv}, stdout: stdout, stderr: stderr, log: newLogger(stderr)}
	running := false // once a command runs, what goes wrong is not its usage
	root := a.root(func() { running = true })
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitDone
	}
	fmt.Fprintln(stderr, "bascule: "+oneLine(advise(err)))
	if !running || errors.Is(err, errUsage) {
		return exitUsage
	}
	return exitFailed
}

// errUsage marks a value of a flag or argument that makes no sense.
var errUsage = errors.New("wrong usage")

func usagef(format string, args ...any) error {
	return fmt.Errorf("%w: %w", errUsage, fmt.Errorf(format, args...))
}

func (a *app) root(running func()) *cobra.Command {
	root := &cobra.Command{
		Use:   "bascule",
		Short: "Move subscriber spaces from client certificates to e-mail address and password",
		Long: `bascule moves professional subscriber spaces from client-certificate login to
e-mail address and password: an administrator's spreadsheet of expiring
certificates becomes mails with activation codes, the subscribers activate on a
web page, and a report tells what became of each.

Start with "bascule demo": it needs no configuration.`,
		SilenceUsage:     true,
		SilenceErrors:    true,
		PersistentPreRun: func(*cobra.Command, []string) { running() },
	}
	root.AddCommand(
		a.demoCommand(), a.migrateCommand(), a.importCommand(), a.serveCommand(), a.workCommand(),
		a.statusCommand(), a.reportCommand(), a.showCommand(), a.resendCommand(), a.cancelCommand(),
		a.retryCommand(), a.reissueCommand(), a.templateCommand(),
	)
	return root
}

// advise adds what can be done to errors that do not say it themselves.
func advise(err error) string {
	var file *importer.FileError
	var state *sql.StateError
	switch {
	case errors.As(err, &file), errors.As(err, &state):
		return err.Error()
	case errors.Is(err, conversion.ErrNotFound):
		return err.Error() + ": check the number"
	case errors.Is(err, context.Canceled):
		return "stopped; nothing is half done"
	}
	return strings.TrimPrefix(err.Error(), errUsage.Error()+": ")
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// newLogger writes for people on a terminal, JSON elsewhere.
func newLogger(w io.Writer) *slog.Logger {
	if isTerminal(w) {
		return slog.New(slog.NewTextHandler(w, nil))
	}
	return slog.New(slog.NewJSONHandler(w, nil))
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// printJSON prints one object on one line, as the last line of a command.
func (a *app) printJSON(v any) error { return json.NewEncoder(a.stdout).Encode(v) }

func (a *app) printf(format string, args ...any) { fmt.Fprintf(a.stdout, format, args...) }

// actor is who runs the command, for the audit log.
func actor() string {
	if u, err := user.Current(); err == nil && u.Username != "" {
		return u.Username
	}
	return "administrator"
}

// openDB opens the database of DATABASE_URL and makes sure that it has today's schema.
func (a *app) openDB(ctx context.Context, conns int) (*sql.DB, error) {
	url, err := a.env.databaseURL()
	if err != nil {
		return nil, err
	}
	db, err := sql.Open(ctx, url, conns)
	if err != nil {
		return nil, err
	}
	if err := db.CheckSchema(ctx); err != nil {
		db.Close()
		return nil, err
	}
	return db, nil
}

// commandConns is enough for a command that does one thing.
const commandConns = 4

// withDB runs a short command on the database.
func (a *app) withDB(f func(ctx context.Context, db *sql.DB, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		db, err := a.openDB(cmd.Context(), commandConns)
		if err != nil {
			return err
		}
		defer db.Close()
		return f(cmd.Context(), db, args)
	}
}
