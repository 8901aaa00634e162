package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"bascule/internal/atomicfile"
)

// A report is everything that one run measured.
type report struct {
	At              time.Time
	Commit          string
	Rows, Repeat    int
	Cores           int
	LoadBefore      string // of the machine, as /proc/loadavg has it
	LoadAfter       string
	ReferenceSender string // the reference of the mails
	Lines           []*line
}

// A line is one goal, and how near the product comes to it.
type line struct {
	Stage, Name string
	Rows        int
	Unit        string
	Product     []float64 // one value for each round
	Reference   []float64 // likewise; a limit is the only value
	Against     string    // what the reference is
	Limit       bool      // less is better: the product's value must stay below the reference
	Ratio       float64   // product by reference, or limit by product: 1 and more is good
	Goal        float64   // of the ratio; 0 if there is none
	Met         bool
	Noisy       bool // the reference spreads by more than 1.5: the ratio says little
	Note        string
	Detail      *detail
}

// noise is how far a reference may spread.
const noise = 1.5

// judge computes the ratio from the medians.
func (l *line) judge() {
	product, reference := median(l.Product), median(l.Reference)
	switch {
	case product <= 0 || reference <= 0:
		l.Ratio = 0
	case l.Limit:
		l.Ratio = reference / product
	default:
		l.Ratio = product / reference
	}
	l.Met = l.Ratio >= l.Goal
	l.Noisy = len(l.Reference) > 1 && slices.Max(l.Reference) > noise*slices.Min(l.Reference)
}

func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	return (sorted[(len(sorted)-1)/2] + sorted[len(sorted)/2]) / 2
}

// percentile is the value below which a share of the values lies; 0 without values.
func percentile(values []float64, share float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	return sorted[min(len(sorted)-1, int(share*float64(len(sorted))))]
}

// limit makes a line whose value must stay below most.
func limit(name, unit string, rows int, value, most float64) *line {
	return &line{Name: name, Rows: rows, Unit: unit, Product: []float64{value}, Reference: []float64{most}, Against: "the limit", Limit: true, Goal: 1}
}

// take keeps the cost of the last round. It also keeps the most memory and all
// imbalances of the rounds before.
func (l *line) take(d *detail) {
	if l.Detail != nil {
		for name, most := range l.Detail.Memory {
			d.Memory[name] = max(d.Memory[name], most)
		}
		d.Ledger = append(l.Detail.imbalances(), d.Ledger...)
	}
	l.Detail = d
}

func newReport(o options, b *bench) *report {
	commit, _ := exec.Command("git", "describe", "--always", "--dirty").Output() // "" outside of a checkout
	return &report{At: time.Now().UTC(), Commit: strings.TrimSpace(string(commit)), Rows: o.rows, Repeat: o.repeat, Cores: cores(),
		LoadBefore: load(), ReferenceSender: b.sender().name}
}

func load() string {
	text, _ := os.ReadFile("/proc/loadavg") // "" where there is none
	return strings.TrimSpace(string(text))
}

// print writes the table.
func (r *report) print(w io.Writer, statements bool) {
	r.LoadAfter = load()
	fmt.Fprintf(w, "%s, commit %s, %d cores, load before %s\n\n", r.At.Format("2006-01-02 15:04"), r.Commit, r.Cores, r.LoadBefore)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "stage\twhat\trows\tproduct\treference\tratio\tgoal\t\t")
	for _, l := range r.Lines {
		fmt.Fprintf(t, "%s\t%s\t%d\t%s %s\t%s %s\t%.2f\t%s\t%s\t\n", l.Stage, l.Name, l.Rows, short(median(l.Product)), l.Unit,
			short(median(l.Reference)), l.Against, l.Ratio, goal(l.Goal), l.verdict())
	}
	t.Flush()
	for _, l := range r.Lines {
		if l.Detail != nil {
			l.Detail.print(w, l, statements)
		}
	}
}

func goal(g float64) string {
	if g == 0 {
		return "–"
	}
	return fmt.Sprintf("%.2f", g)
}

func (l *line) verdict() string {
	words := []string{"met"}
	switch {
	case l.Goal == 0:
		words = nil
	case !l.Met:
		words = []string{"NOT MET"}
	}
	if l.Noisy {
		words = append(words, "the reference is noisy")
	}
	if l.Note != "" {
		words = append(words, l.Note)
	}
	if len(l.Detail.imbalances()) > 0 {
		words = append(words, "THE LEDGER DOES NOT BALANCE")
	}
	return strings.Join(words, ", ")
}

// short writes a number with three significant digits.
func short(v float64) string {
	switch {
	case v >= 100:
		return fmt.Sprintf("%.0f", v)
	case v >= 10:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.2f", v)
}

func (r *report) write(path string) error {
	return atomicfile.Write(path, func(w io.Writer) error {
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		return e.Encode(r)
	})
}

// unbalanced returns an error if a ledger does not balance.
func (r *report) unbalanced() error {
	var errs []error
	for _, l := range r.Lines {
		for _, e := range l.Detail.imbalances() {
			errs = append(errs, fmt.Errorf("%s, %s: %s", l.Stage, l.Name, e))
		}
	}
	return errors.Join(errs...)
}

// A detail tells what one measurement cost.
type detail struct {
	Memory     map[string]float64 // MB at most, by process
	CPU        map[string]float64 // µs of processor for each row, by process
	WAL        float64            // bytes for each row
	PerRow     statement          // of all statements together, for each row
	Statements []statement        // the most expensive ones
	Ledger     []entry
}

// imbalances are the entries of the ledger that do not balance. A nil detail has none.
func (d *detail) imbalances() (bad []entry) {
	if d == nil {
		return nil
	}
	for _, e := range d.Ledger {
		if !e.balanced() {
			bad = append(bad, e)
		}
	}
	return bad
}

func (d *detail) print(w io.Writer, l *line, statements bool) {
	fmt.Fprintf(w, "\n%s, %s\n", l.Stage, l.Name)
	fmt.Fprintf(w, "  memory, MB: %s; processor, µs a row: %s\n", pairs(d.Memory), pairs(d.CPU))
	p := d.PerRow
	fmt.Fprintf(w, "  PostgreSQL, a row: %.2f statements, %.0f µs planning, %.0f µs running, %.1f pages, %.1f WAL records, %.0f bytes of WAL (%.0f in all)\n",
		p.Calls, 1000*p.PlanMS, 1000*p.ExecMS, p.Pages, p.WALRecords, p.WALBytes, d.WAL)
	fmt.Fprintf(w, "  ledger: %d entries balance\n", len(d.Ledger)-len(d.imbalances()))
	for _, e := range d.imbalances() {
		fmt.Fprintf(w, "  ledger: %s\n", e)
	}
	if !statements {
		return
	}
	t := tabwriter.NewWriter(w, 2, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "  calls\trows\tplan ms\trun ms\tpages\tWAL records\tWAL kB\t  statement")
	for _, s := range d.Statements {
		fmt.Fprintf(t, "  %.0f\t%.0f\t%.0f\t%.0f\t%.0f\t%.0f\t%.0f\t  %s\n", s.Calls, s.Rows, s.PlanMS, s.ExecMS, s.Pages, s.WALRecords, s.WALBytes/1024, s.Query)
	}
	t.Flush()
}

// pairs writes a map in the order of its values, the largest first.
func pairs(m map[string]float64) string {
	names := slices.SortedFunc(maps.Keys(m), func(a, b string) int { return cmp.Or(cmp.Compare(m[b], m[a]), cmp.Compare(a, b)) })
	for i, name := range names {
		names[i] = fmt.Sprintf("%s %s", name, short(m[name]))
	}
	return strings.Join(names, ", ")
}
