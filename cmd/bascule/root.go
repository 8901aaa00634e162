package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"os/user"
	"strconv"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"bascule/internal/conversion"
	"bascule/internal/text"
	"bascule/sql"
)

// The exit codes of the contract.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2
)

// Main runs the command line and returns its exit code. SIGINT, SIGTERM and SIGHUP end
// the context. A second signal ends the process, but for SIGHUP: a terminal that is closed
// sends it twice. Under nohup SIGHUP does nothing.
func Main() int {
	ends := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) {
		ends = append(ends, syscall.SIGHUP)
	}
	ctx, stop := signal.NotifyContext(context.Background(), ends...)
	defer stop()
	context.AfterFunc(ctx, func() {
		signal.Ignore(syscall.SIGHUP)
		stop()
	})
	return run(ctx, os.Args[1:], os.Getenv, os.Stdin, os.Stdout, os.Stderr)
}

// app is what all commands share.
type app struct {
	env    environment
	stdin  io.Reader
	stdout *outlet
	stderr io.Writer
	log    *slog.Logger

	// The flags that several commands have. Each process runs one command.
	json  bool
	yes   bool
	force bool
	file  string // of subscriber numbers; - is stdin
	why   string // the reason of what is done to subscribers, for the log

	roles []sql.Role // that the flags of the command need, beside that of roleOf
}

func run(ctx context.Context, args []string, getenv func(string) string, stdin io.Reader, stdout, stderr io.Writer) int {
	a := &app{env: environment{getenv}, stdin: stdin, stdout: &outlet{Writer: stdout}, stderr: stderr, log: newLogger(stderr)}
	running := false // once a command runs, an error is not about its usage
	root := a.root(func() { running = true })
	root.SetArgs(args)
	root.SetOut(a.stdout)
	root.SetErr(stderr)
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		err = a.stdout.err
	}
	switch {
	case err == nil:
		return exitDone
	case !running && a.stdout.err == nil || errors.Is(err, errUsage):
		fmt.Fprintf(stderr, "bascule: %s; see `%s --help`\n", misuse(err), cmd.CommandPath())
		return exitUsage
	case ctx.Err() != nil && sql.IsCanceled(err) && !errors.Is(err, sql.ErrUnknown):
		// A transaction is complete or absent, and so is a file (I7).
		err = errStopped
	}
	fmt.Fprintln(stderr, "bascule: "+text.OneLine(advise(err)))
	return exitFailed
}

// An outlet is where a command answers. It keeps the first failure: a command that has done
// its work, and could not say so, ends with exit code 1.
type outlet struct {
	io.Writer
	err error
}

func (o *outlet) Write(b []byte) (int, error) {
	n, err := o.Writer.Write(b)
	if err != nil {
		err = fmt.Errorf("what the command did stands, but its answer cannot be written: %w", err)
		o.err = cmp.Or(o.err, err)
	}
	return n, err
}

// errStopped says that a signal stopped the command.
var errStopped = errors.New("stopped; nothing is half done")

// misuse tells in one line why a command line is wrong.
func misuse(err error) string {
	text := text.OneLine(strings.TrimPrefix(err.Error(), errUsage.Error()+": "))
	return strings.Replace(text, " Did you mean this? ", ", did you mean ", 1)
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
		Version:       thisVersion().String(),
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.SetVersionTemplate("{{.Version}}\n")
	root.AddCommand(
		a.demoCommand(), a.migrateCommand(), a.importCommand(), a.serveCommand(), a.workCommand(),
		a.statusCommand(), a.reportCommand(), a.showCommand(), a.resendCommand(), a.cancelCommand(),
		a.retryCommand(), a.correctCommand(), a.campaignCommand(), a.excludeCommand(), a.firmsCommand(), a.personCommand(), a.reissueCommand(), a.templateCommand(), a.versionCommand(),
	)
	root.PersistentPreRunE = func(cmd *cobra.Command, _ []string) error {
		err := cmp.Or(cmd.ValidateRequiredFlags(), cmd.ValidateFlagGroups()) // cobra would do that later
		if err == nil {
			running()
		}
		return err
	}
	return root
}

// oneArg requires the one argument that a command takes.
func oneArg(name string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) != 1 {
			return fmt.Errorf("one argument is needed, %s; there are %d", name, len(args))
		}
		return nil
	}
}

// reading requires the one argument that a command takes, and reads it.
func reading[T any](name string, into *T, read func(string) (T, error)) cobra.PositionalArgs {
	one := oneArg(name)
	return func(cmd *cobra.Command, args []string) (err error) {
		if err = one(cmd, args); err == nil {
			*into, err = read(args[0])
		}
		return err
	}
}

func noArg(_ *cobra.Command, args []string) error {
	if len(args) > 0 {
		return fmt.Errorf("no argument is needed; there is %q", args[0])
	}
	return nil
}

// advise adds the remedy to errors that do not tell it themselves.
func advise(err error) string {
	if errors.Is(err, conversion.ErrNotFound) {
		return err.Error() + ": check the number"
	}
	return cmp.Or(sql.Advice(err), err.Error())
}

// outliveReader lets a service go on without a log if whoever reads it has ended.
func outliveReader() { signal.Ignore(syscall.SIGPIPE) }

// newLogger writes text on a terminal, otherwise JSON.
func newLogger(w io.Writer) *slog.Logger {
	if isTerminal(w) {
		return slog.New(slog.NewTextHandler(w, nil))
	}
	return slog.New(slog.NewJSONHandler(w, nil))
}

// isTerminal tells whether a person reads or types there.
func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// A told value has two forms: its JSON, and what it prints.
type told interface{ Print(io.Writer) }

// tell tells a value in the form that --json names.
func (a *app) tell(v told) error {
	if a.json {
		return a.printJSON(v)
	}
	var b bytes.Buffer // a terminal shows it at once
	v.Print(&b)
	_, err := b.WriteTo(a.stdout)
	return err
}

// answer prints a text or, with --json, a value.
func (a *app) answer(v any, format string, args ...any) error {
	if a.json {
		return a.printJSON(v)
	}
	a.printf(format, args...)
	return nil
}

// printJSON prints one object on one line, as the last line of a command.
func (a *app) printJSON(v any) error { return json.NewEncoder(a.stdout).Encode(v) }

func (a *app) printf(format string, args ...any) { fmt.Fprintf(a.stdout, format, args...) }

// actor is the account that runs the command, for the audit log (D18).
func actor() string { return account(os.Getuid()) }

// account is the name of an account. In a container the machine may have none for it. Then
// it is its number, not what $USER says.
func account(uid int) string {
	id := strconv.Itoa(uid)
	if u, err := user.LookupId(id); err == nil && u.Username != "" {
		return u.Username
	}
	return id
}

// openDB opens the database of DATABASE_URL by sql.Open or one of its sisters. It makes
// sure that the schema is that of this program.
func (a *app) openDB(ctx context.Context, open func(context.Context, string, int) (*sql.DB, error), conns int) (*sql.DB, error) {
	url, err := a.env.databaseURL()
	if err != nil {
		return nil, err
	}
	db, err := open(ctx, url, conns)
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
		db, err := a.openDB(cmd.Context(), sql.Open, commandConns)
		if err != nil {
			return err
		}
		defer db.Close()
		if err := a.mayRun(cmd.Context(), db, cmd); err != nil {
			return err
		}
		return f(cmd.Context(), db, args)
	}
}

// note writes one line on stderr that is no error.
func (a *app) note(s string) { fmt.Fprintln(a.stderr, "bascule: note: "+text.OneLine(s)) }

// warnOwner tells that the role of DATABASE_URL could undo what it writes (R4).
func warnOwner(ctx context.Context, db *sql.DB, warn func(string)) error {
	warning, err := db.OwnerWarning(ctx)
	if warning != "" {
		warn(warning)
	}
	return err
}

// withWriter is withDB for a command that changes something.
func (a *app) withWriter(f func(ctx context.Context, db *sql.DB, args []string) error) func(*cobra.Command, []string) error {
	return a.withDB(func(ctx context.Context, db *sql.DB, args []string) error {
		if err := warnOwner(ctx, db, a.note); err != nil {
			return err
		}
		return f(ctx, db, args)
	})
}

// withKeys runs a short command that opens requests: these need the newest key.
func (a *app) withKeys(f func(ctx context.Context, db *sql.DB, keys *conversion.Keyring, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		keys, err := a.env.keys()
		if err != nil {
			return err
		}
		return a.withWriter(func(ctx context.Context, db *sql.DB, args []string) error { return f(ctx, db, keys, args) })(cmd, args)
	}
}
