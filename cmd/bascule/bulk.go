package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"bascule/importer"
	"bascule/internal/conversion"
	"bascule/internal/terminal"
	"bascule/sql"
)

// bulkFlags are the flags of commands that may change many requests.
type bulkFlags struct {
	file string
	yes  bool
	json bool
}

func (f *bulkFlags) addTo(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&f.yes, "yes", false, "do not ask, as scripts want it")
	addJSONTo(cmd, &f.json, "print what was done as one JSON object")
}

func (f *bulkFlags) addFileTo(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.file, "file", "", "the numbers in `FILE`, one on each line or in a column of a CSV file; - is stdin")
}

// numbers are the subscriber numbers of the command line or of --file; nil if there are
// none.
func (a *app) numbers(ctx context.Context, args []string, f bulkFlags) (list []conversion.SubscriberNumber, err error) {
	switch {
	case f.file != "" && len(args) > 0:
		return nil, usagef("give the numbers as arguments or by --file, not both")
	case f.file == "-":
		list, err = importer.Numbers(ctx, a.stdin)
	case f.file != "":
		list, err = readNumbers(ctx, f.file)
	}
	for _, arg := range args {
		n, err := conversion.ParseSubscriberNumber(arg)
		if err != nil {
			return nil, usagef("%q: %w", arg, err)
		}
		list = append(list, n)
	}
	return list, err
}

func readNumbers(ctx context.Context, path string) ([]conversion.SubscriberNumber, error) {
	in, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	list, err := importer.Numbers(ctx, in)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return list, nil
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

// errDeclined says that the answer was no.
var errDeclined = errors.New("nothing was changed")

// confirm says what the command will do to more than one request, and asks. If there is
// nobody to ask, --yes must be the answer. Administrators are French: an "o" is a yes,
// and the question says so.
func (a *app) confirm(ctx context.Context, f bulkFlags, plan sql.Plan, what string) error {
	if f.yes || len(plan.Requests) <= 1 {
		return nil
	}
	about := fmt.Sprintf("%d requests (%s) %s", len(plan.Requests), terminal.CountStates(plan.States), what)
	if f.file == "-" || !a.somebody() {
		return usagef("%s; nothing was changed: there is no terminal to ask at, so add --yes", about)
	}
	return a.ask(ctx, about)
}

// somebody tells whether there is somebody to ask.
func (a *app) somebody() bool { return isTerminal(a.stdin) && isTerminal(a.stderr) }

// askSomebody is ask, if there is somebody.
func (a *app) askSomebody(ctx context.Context, about string, args ...any) error {
	if !a.somebody() {
		return nil
	}
	return a.ask(ctx, fmt.Sprintf(about, args...))
}

// ask says what the command will do, and waits for a yes.
func (a *app) ask(ctx context.Context, about string) error {
	fmt.Fprintf(a.stderr, "%s. Go on? [y/o/N] ", about)
	answer := make(chan string, 1)
	go func() {
		line, err := bufio.NewReader(a.stdin).ReadString('\n')
		if err != nil { // the end of the input is no answer, whatever comes before it
			fmt.Fprintln(a.stderr)
			line = ""
		}
		answer <- strings.ToLower(strings.TrimSpace(line))
	}()
	select {
	case <-ctx.Done():
		fmt.Fprintln(a.stderr)
		return ctx.Err()
	case got := <-answer:
		if !slices.Contains([]string{"y", "yes", "o", "oui"}, got) {
			return errDeclined
		}
		return nil
	}
}

// reportBulk tells what the command did and left out: named numbers one by one, others
// as a count. It returns an error if numbers were named and nothing was done.
func (a *app) reportBulk(f bulkFlags, named bool, done int64, result any, said string, l terminal.LeftOut, words map[sql.Obstacle]string) error {
	alone := named && done == 0 && len(l.Numbers) == 1
	switch {
	case f.json:
		if err := a.printJSON(result); err != nil {
			return err
		}
	case !alone:
		a.printf("%s\n", said)
		l.Print(a.stdout, words)
	}
	switch {
	case !named || done > 0:
		return nil
	case alone:
		return fmt.Errorf("%s: %s", l.Numbers[0].Number, words[l.Numbers[0].Why])
	}
	return errors.New("none of the numbers could be taken, nothing was changed: see `bascule show NUMBER`")
}
