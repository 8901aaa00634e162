package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"bascule/importer"
	"bascule/internal/conversion"
	"bascule/internal/terminal"
	"bascule/sql"
)

// addFileTo adds the flag that names many subscribers.
func (a *app) addFileTo(cmd *cobra.Command) {
	cmd.Flags().Var(parsing(&a.file, given), "file", "the numbers in `FILE`, one on each line or in a column of a CSV file; - is stdin")
}

// numbers are the subscriber numbers of the command line or of --file; nil if there are
// none.
func (a *app) numbers(ctx context.Context, args []string) ([]conversion.SubscriberNumber, error) {
	switch {
	case a.file == "":
		return parseNumbers(args)
	case len(args) > 0:
		return nil, usagef("give the numbers as arguments or by --file, not both")
	case a.file == "-":
		return importer.Numbers(ctx, interruptible(ctx, a.stdin))
	}
	in, err := os.Open(a.file)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	list, err := importer.Numbers(ctx, in)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", a.file, err)
	}
	return list, nil
}

// interruptible reads in until ctx ends, even while in has nothing to read.
func interruptible(ctx context.Context, in io.Reader) io.Reader {
	r, w := io.Pipe()
	go func() {
		_, err := io.Copy(w, in)
		w.CloseWithError(err)
	}()
	context.AfterFunc(ctx, func() { w.CloseWithError(ctx.Err()) })
	return r
}

func parseNumbers(args []string) (list []conversion.SubscriberNumber, err error) {
	for _, arg := range args {
		n, err := conversion.ParseSubscriberNumber(arg)
		if err != nil {
			return nil, usagef("%q: %w", arg, err)
		}
		if !slices.Contains(list, n) {
			list = append(list, n)
		}
	}
	return list, nil
}

// errDeclined says that the answer was no.
var errDeclined = errors.New("nothing was changed")

// confirm says what the command will do to more than one request, and asks. If there is
// nobody to ask, --yes must be the answer. Administrators are French: an "o" is a yes,
// and the question says so.
func (a *app) confirm(ctx context.Context, plan sql.Plan, what string) error {
	if a.yes || len(plan.Requests) <= 1 {
		return nil
	}
	about := fmt.Sprintf("%d requests (%s) %s", len(plan.Requests), terminal.CountStates(plan.States), what)
	if a.file == "-" || !a.somebody() {
		return usagef("%s; nothing was changed: there is no terminal to ask at, so add --yes", about)
	}
	return a.ask(ctx, about)
}

// somebody tells whether there is somebody to ask.
func (a *app) somebody() bool { return isTerminal(a.stdin) && isTerminal(a.stderr) }

// askSomebody is ask, if there is somebody and --yes has not answered.
func (a *app) askSomebody(ctx context.Context, about string, args ...any) error {
	if a.yes || !a.somebody() {
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

// A bulk is what a command does to all requests of its plan, and the words for it.
type bulk struct {
	asks   string // what becomes of the requests
	do     func() (int64, error)
	result func(int64, terminal.LeftOut) any // for --json
	said   func(int64) string
	words  map[sql.Obstacle]string // why others are left out
	named  bool                    // the requests of numbers that somebody named
}

// carryOut asks, does it, and tells what was left out: named numbers one by one, others
// as a count. It returns an error if numbers were named and nothing was done.
func (a *app) carryOut(ctx context.Context, plan sql.Plan, b bulk) error {
	if err := a.confirm(ctx, plan, b.asks); err != nil {
		return err
	}
	done, err := b.do()
	if err != nil {
		return err
	}
	l := terminal.NewLeftOut(plan, done)
	inVain := b.named && done == 0
	alone := inVain && len(l.Numbers) == 1
	switch {
	case a.json:
		err = a.printJSON(b.result(done, l))
	case !alone:
		a.printf("%s\n", b.said(done))
		l.Print(a.stdout, b.words)
	}
	switch {
	case err != nil || !inVain:
		return err
	case alone:
		return fmt.Errorf("%s: %s", l.Numbers[0].Number, b.words[l.Numbers[0].Why])
	}
	return errors.New("none of the numbers could be taken, nothing was changed: see `bascule show NUMBER`")
}
