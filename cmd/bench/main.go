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
	if isRole(os.Args[1:]) {
		if err := runRole(os.Args[1]); err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
			os.Exit(1)
		}
		return
	}
	o, ok := parseOptions()
	if !ok {
		flag.Usage()
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := measure(ctx, o, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// options are the flags of a run.
type options struct {
	rows       int
	repeat     int
	stages     []string
	json       string
	dir        string
	bascule    string
	smtpSource string
	limit      time.Duration // of one measurement
	slow       time.Duration // how long a slow answer of the sink takes
	verbose    bool
	render     time.Duration // how long each way of rendering renders
	settings   []string      // of PostgreSQL, for tests of the bench that need no durability
}

func parseOptions() (o options, ok bool) {
	var stages string
	flag.IntVar(&o.rows, "rows", 20_000, "rows of the list that is imported, mailed, expired, reported")
	flag.IntVar(&o.repeat, "repeat", 1, "how often product and reference alternate")
	flag.StringVar(&stages, "stage", "", "only these stages, by commas: "+strings.Join(stageNames(), ", "))
	flag.StringVar(&o.json, "json", "", "write everything that was measured to this `file`")
	flag.StringVar(&o.dir, "dir", "", "the `folder` for the databases, which is emptied again (default: a temporary one)")
	flag.StringVar(&o.bascule, "bascule", "bin/bascule", "the `program` that is measured")
	flag.StringVar(&o.smtpSource, "smtp-source", "", "Postfix's smtp-source (default: found, else a sender of our own)")
	flag.DurationVar(&o.limit, "limit", 2*time.Minute, "how long one measurement may take")
	flag.DurationVar(&o.slow, "slow", 50*time.Millisecond, "how long a slow answer of the sink takes")
	flag.DurationVar(&o.render, "render", time.Second, "how long each way of rendering renders")
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
	return o, flag.NArg() == 0 && o.rows >= minRows && o.repeat >= 1
}

// minRows is the shortest list with which the stages mean anything.
const minRows = 100

// A stage measures one part of the data path.
type stage struct {
	name string
	run  func(context.Context, *bench) ([]*line, error)
}

// onSite makes a stage on one site, which keeps as many letters as subscribers activate.
func onSite(run func(context.Context, *site) ([]*line, error)) func(context.Context, *bench) ([]*line, error) {
	return func(ctx context.Context, b *bench) (lines []*line, err error) {
		s, err := b.newSite(ctx, false, faults{Keep: b.activations()})
		if err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, s.end()) }()
		return run(ctx, s)
	}
}

// stages lists the stages in the order of the table.
func stages() []stage {
	return []stage{
		{"import", importStage},
		{"mails", mailsStage},
		{"interactive", interactiveStage},
		{"activation", onSite(activationStage)},
		{"expiry", onSite(expiryStage)},
		{"recaps", recapsStage},
		{"report", onSite(reportStage)},
		{"status", onSite(statusStage)},
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
func measure(ctx context.Context, o options, out io.Writer) (err error) {
	b, err := newBench(ctx, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.close()) }()
	r := newReport(o, b)
	failed := r.run(ctx, b)
	r.print(out, o.verbose)
	if o.json != "" {
		err = r.write(o.json)
	}
	return errors.Join(failed, err, r.unbalanced())
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
