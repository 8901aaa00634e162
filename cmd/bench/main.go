// Command bench measures every stage of the data path against its limit,
// alternately, in one run, on fresh databases. See docs/performance.md.
//
//	go run ./cmd/bench -rows 20000 -stage import,mails -json out.json
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"
)

func main() {
	run := runSink
	if !isSink(os.Args) {
		o, ok := parseOptions()
		if !ok {
			flag.Usage()
			os.Exit(2)
		}
		run = func() error { return runStages(o) }
	}
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// runStages measures until a signal comes.
func runStages(o options) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	_, err := measure(ctx, o, os.Stdout)
	return err
}

// options are the flags of a run.
type options struct {
	rows     int
	stages   []string
	dir      string
	bascule  string
	limit    time.Duration // of one measurement
	verbose  bool
	settings []string // of PostgreSQL, for tests of the bench that need no durability
}

func parseOptions() (o options, ok bool) {
	var stages string
	flag.IntVar(&o.rows, "rows", 20_000, "rows of the list that is imported, mailed, expired")
	flag.StringVar(&stages, "stage", "", "only these stages, by commas: "+strings.Join(stageNames(), ", "))
	flag.StringVar(&o.dir, "dir", "", "the `folder` for the databases, which is emptied again (default: a temporary one)")
	flag.StringVar(&o.bascule, "bascule", "bin/bascule", "the `program` that is measured")
	flag.DurationVar(&o.limit, "limit", 2*time.Minute, "how long one measurement may take")
	flag.BoolVar(&o.verbose, "statements", false, "show where PostgreSQL's time goes")
	flag.Usage = func() {
		fmt.Fprintln(flag.CommandLine.Output(), "usage: bench [flags]")
		flag.PrintDefaults()
	}
	flag.Parse()
	if stages != "" {
		o.stages = strings.Split(stages, ",")
	}
	for _, name := range o.stages {
		if !slices.Contains(stageNames(), name) {
			return o, false
		}
	}
	return o, flag.NArg() == 0 && o.rows >= minRows
}

// minRows is the shortest list with which the stages mean anything.
const minRows = 100

// A stage measures one part of the data path.
type stage struct {
	name string
	run  func(context.Context, *bench) ([]*line, error)
}

// stages lists the stages in the order of the table.
func stages() []stage {
	return []stage{
		{"import", importStage},
		{"mails", mailsStage},
		{"interactive", interactiveStage},
		{"activation", activationStage},
		{"expiry", expiryStage},
		{"status", statusStage},
	}
}

func stageNames() (names []string) {
	for _, s := range stages() {
		names = append(names, s.name)
	}
	return names
}

// measure runs the stages and shows their results, even if one stage could not be
// measured. That is an error, and so is a ledger that does not balance.
func measure(ctx context.Context, o options, out io.Writer) (r *report, err error) {
	b, err := newBench(ctx, o)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, b.close()) }()
	r = newReport()
	failed := r.run(ctx, b)
	r.print(out, o.verbose)
	return r, errors.Join(failed, r.unbalanced())
}

// run runs the chosen stages, until one fails.
func (r *report) run(ctx context.Context, b *bench) error {
	for _, s := range stages() {
		if len(b.stages) > 0 && !slices.Contains(b.stages, s.name) {
			continue
		}
		began := time.Now()
		fmt.Fprintf(os.Stderr, "%s …", s.name)
		lines, err := s.run(ctx, b)
		fmt.Fprintf(os.Stderr, " %s\n", time.Since(began).Round(time.Second/10))
		for _, l := range lines {
			l.Stage = s.name
			l.judge()
		}
		r.Lines = append(r.Lines, lines...)
		if err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
	}
	return nil
}

func cores() int { return runtime.GOMAXPROCS(0) }
