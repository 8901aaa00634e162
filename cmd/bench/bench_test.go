package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// The bench starts itself as its sink.
func TestMain(m *testing.M) {
	if isRole(os.Args[1:]) {
		if err := runRole(os.Args[1]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// I1, I5, I9: every stage runs on today's schema, its ledger balances, and what
// it measured is in the file. No time is judged.
func TestStages(t *testing.T) {
	dir := t.TempDir()
	o := options{rows: minRows, repeat: 1, dir: dir, json: filepath.Join(dir, "out.json"), bascule: build(t, dir), limit: time.Minute, slow: time.Millisecond, render: 20 * time.Millisecond,
		settings: []string{"fsync=off", "full_page_writes=off"}}
	var table bytes.Buffer
	if err := measure(t.Context(), o, &table); err != nil {
		t.Fatalf("%v\n%s", err, &table)
	}
	text, err := os.ReadFile(o.json)
	if err != nil {
		t.Fatal(err)
	}
	var r report
	if err := json.Unmarshal(text, &r); err != nil {
		t.Fatal(err)
	}
	seen := make(map[string]bool)
	ledgers := make(map[string]bool)
	for _, l := range r.Lines {
		seen[l.Stage] = true
		if l.Name == "" || l.Unit == "" || l.Against == "" || len(l.Product) == 0 || len(l.Reference) == 0 || l.Ratio <= 0 {
			t.Errorf("a line tells too little: %+v", l)
		}
		if l.Detail != nil {
			ledgers[l.Stage] = ledgers[l.Stage] || len(l.Detail.Ledger) > 0
		}
	}
	for _, name := range stageNames() {
		if !seen[name] {
			t.Errorf("stage %s gives no line", name)
		}
		if !ledgers[name] && !slices.Contains(withoutDatabase, name) {
			t.Errorf("stage %s checks no ledger", name)
		}
	}
	left, err := filepath.Glob(filepath.Join(dir, "bascule-bench-*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
}

// withoutDatabase are stages that only render.
var withoutDatabase = []string{"recaps"}

func build(t *testing.T, dir string) string {
	t.Helper()
	path := filepath.Join(dir, "bascule")
	if out, err := exec.Command("go", "build", "-o", path, "bascule/cmd/bascule").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return path
}

// I1, I5: a ledger whose two counts differ fails the run, an upper bound that holds
// does not.
func TestLedgerFails(t *testing.T) {
	for _, c := range []struct {
		entry entry
		fails bool
	}{
		{entry{What: "the same", Want: 2, Got: 2}, false},
		{entry{What: "one is missing", Want: 2, Got: 1}, true},
		{entry{What: "within the bound", Want: 2, Got: 1, Most: true}, false},
		{entry{What: "beyond the bound", Want: 2, Got: 3, Most: true}, true},
	} {
		r := report{Lines: []*line{{Detail: &detail{Ledger: []entry{c.entry}}}}}
		if err := r.unbalanced(); (err != nil) != c.fails {
			t.Errorf("%s: %v", c.entry, err)
		}
	}
}

// The ratio is better when it is larger, for rates as for limits. A reference that
// spreads is marked.
func TestJudge(t *testing.T) {
	for _, c := range []struct {
		line       line
		ratio      float64
		met, noisy bool
	}{
		{line{Product: []float64{60}, Reference: []float64{100, 90, 110}, Goal: 0.6}, 0.6, true, false},
		{line{Product: []float64{50}, Reference: []float64{100}, Goal: 0.6}, 0.5, false, false},
		{line{Product: []float64{10, 30}, Reference: []float64{40}, Limit: true, Goal: 1}, 2, true, false},
		{line{Product: []float64{80}, Reference: []float64{40}, Limit: true, Goal: 1}, 0.5, false, false},
		{line{Product: []float64{80}, Reference: []float64{80, 160}, Goal: 0.5}, 80.0 / 120, true, true},
		{line{Product: []float64{0}, Reference: []float64{80}, Goal: 0.5}, 0, false, false},
	} {
		l := c.line
		l.judge()
		if l.Ratio != c.ratio || l.Met != c.met || l.Noisy != c.noisy {
			t.Errorf("%+v: ratio %v, met %v, noisy %v", c.line, l.Ratio, l.Met, l.Noisy)
		}
	}
}
