package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"bascule/importer"
	"bascule/internal/conversion"
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
	about := fmt.Sprintf("%d requests (%s) %s", len(plan.Requests), countStates(plan.States), what)
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

// countStates reads "3 expired, 1 undeliverable".
func countStates(states map[conversion.State]int) string {
	var parts []string
	for _, state := range conversion.States() {
		if n := states[state]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, state))
		}
	}
	return strings.Join(parts, ", ")
}

// obstacleChanged stands for requests that were planned and then changed by others.
const obstacleChanged sql.Obstacle = "changed"

// leftOut counts what a command that may change many requests left alone.
type leftOut struct {
	LeftOut map[sql.Obstacle]int `json:"left_out"`          // numbers by reason
	Numbers []sql.LeftOut        `json:"numbers,omitempty"` // the named ones
}

func newLeftOut(plan sql.Plan, done int64) leftOut {
	l := leftOut{maps.Clone(plan.LeftOut), plan.Named}
	if changed := len(plan.Requests) - int(done); changed > 0 {
		l.LeftOut[obstacleChanged] = changed
	}
	return l
}

// reportBulk tells what the command did and left out: named numbers one by one, others
// as a count. It returns an error if numbers were named and nothing was done.
func (a *app) reportBulk(f bulkFlags, named bool, done int64, result any, said string, l leftOut, words map[sql.Obstacle]string) error {
	alone := named && done == 0 && len(l.Numbers) == 1
	switch {
	case f.json:
		if err := a.printJSON(result); err != nil {
			return err
		}
	case !alone:
		a.printf("%s\n", said)
		a.printLeftOut(l, words)
	}
	switch {
	case !named || done > 0:
		return nil
	case alone:
		return fmt.Errorf("%s: %s", l.Numbers[0].Number, words[l.Numbers[0].Why])
	}
	return errors.New("none of the numbers could be taken, nothing was changed: see `bascule show NUMBER`")
}

func (a *app) printLeftOut(l leftOut, words map[sql.Obstacle]string) {
	if len(l.LeftOut) == 0 {
		return
	}
	a.printf("Left out:\n")
	for _, n := range l.Numbers {
		a.printf("  %-20s  %s\n", n.Number, words[n.Why])
	}
	byCount := func(x, y sql.Obstacle) int {
		return cmp.Or(cmp.Compare(l.LeftOut[y], l.LeftOut[x]), cmp.Compare(x, y))
	}
	for _, why := range slices.SortedFunc(maps.Keys(l.LeftOut), byCount) {
		if len(l.Numbers) == 0 || why == obstacleChanged {
			a.printf("%8d  %s\n", l.LeftOut[why], words[why])
		}
	}
}

// count writes "1 mail" and "2 mails".
func count[N int | int64](n N, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
