package importer

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/xuri/excelize/v2"

	"bascule/sql"
	"bascule/sql/sqltest"
)

// options imports a file with its verdict workbook beside it.
func options(t testing.TB, path string) Options {
	t.Helper()
	return Options{Path: path, VerdictsPath: filepath.Join(t.TempDir(), "verdicts.xlsx"), Actor: "test", Keys: sqltest.Keys(t)}
}

func run(t testing.TB, db *sqltest.DB, opts Options) sql.ImportResult {
	t.Helper()
	result, err := Run(context.Background(), db.DB, opts)
	if err != nil {
		t.Fatal(err)
	}
	if sum := result.Accepted + result.Unchanged + result.NotDue + result.Rejected; sum != result.Rows {
		t.Errorf("the counts of %+v add up to %d", result, sum)
	}
	return result
}

func samplePath() string { return filepath.Join("testdata", "sample.xlsx") }

// The sample as a batch: every row gets a verdict, in the workbook as in the
// counts, and the same bytes again change nothing (I1, D9).
func TestRunSample(t *testing.T) {
	db := sqltest.Open(t)
	opts := options(t, samplePath())
	// Of the eight last rows six are malformed, one contradicts another row, which falls with it, and one is there twice.
	want := sql.ImportResult{Batch: 1, Rows: 60, Accepted: 51, Unchanged: 1, Rejected: 8}
	if got := run(t, db, opts); got != want {
		t.Errorf("result is %+v, want %+v", got, want)
	}
	counts := countVerdicts(t, opts.VerdictsPath)
	if diff := cmp.Diff(map[string]int{"accepté": 51, "inchangé": 1, "rejeté": 8}, counts); diff != "" {
		t.Error(diff)
	}
	before := db.Text(t, `SELECT count(*)::text FROM request`)
	again := run(t, db, opts)
	if again.Accepted != 0 || again.Unchanged != 52 || again.Batch != 1 || db.Text(t, `SELECT count(*)::text FROM request`) != before {
		t.Errorf("the same file again gives %+v", again)
	}
}

func countVerdicts(t testing.TB, path string) map[string]int {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	counts := make(map[string]int)
	for _, row := range sheetRows(t, content, "Abonnés")[3:] {
		counts[row[6]]++
	}
	return counts
}

// A dry run gives the verdicts of the real run, and stores nothing.
func TestDryRun(t *testing.T) {
	db := sqltest.Open(t)
	opts := options(t, samplePath())
	opts.DryRun = true
	empty := db.Dump(t)
	dry := run(t, db, opts)
	if db.Dump(t) != empty {
		t.Error("a dry run stored something")
	}
	dryVerdicts := countVerdicts(t, opts.VerdictsPath)
	opts.DryRun = false
	real := run(t, db, opts)
	if dry.Batch = real.Batch; dry != real {
		t.Errorf("dry run %+v, real run %+v", dry, real)
	}
	if diff := cmp.Diff(countVerdicts(t, opts.VerdictsPath), dryVerdicts); diff != "" {
		t.Error(diff)
	}
}

// The verdict workbook, corrected and imported again, takes the corrected rows
// and no other (contract, D9).
func TestCorrectedVerdictsAreTaken(t *testing.T) {
	db := sqltest.Open(t)
	opts := options(t, samplePath())
	first := run(t, db, opts)
	book, err := excelize.OpenFile(opts.VerdictsPath)
	if err != nil {
		t.Fatal(err)
	}
	defer book.Close()
	if err := errors.Join(book.SetCellStr("Abonnés", "C56", "corrige@exemple.example"), book.SetCellStr("Abonnés", "B57", "Nom Retrouvé")); err != nil {
		t.Fatal(err)
	}
	corrected := filepath.Join(t.TempDir(), "corrigé.xlsx")
	if err := book.SaveAs(corrected); err != nil {
		t.Fatal(err)
	}
	second := run(t, db, options(t, corrected))
	// The formula came back as its value: that is its correction.
	if second.Accepted != 3 || second.Unchanged != first.Accepted+first.Unchanged || second.Rows != first.Rows {
		t.Errorf("first %+v, then %+v", first, second)
	}
}

// Only certificates that expire within the time asked for are taken.
func TestWithin(t *testing.T) {
	db := sqltest.Open(t)
	db.Freeze(t, time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC))
	opts := options(t, write(t, "a.csv", []byte(csvHeader+goodLine+"00123457;Paul;p@exemple.example;0B;31/05/2027\n")))
	opts.Within = 90 * 24 * time.Hour
	if got := run(t, db, opts); got.Accepted != 1 || got.NotDue != 1 {
		t.Errorf("result is %+v", got)
	}
}

// A file that is refused leaves nothing: no batch, no verdicts, and the
// verdicts of an earlier run untouched (I7).
func TestRefusedFileLeavesNothing(t *testing.T) {
	db := sqltest.Open(t)
	empty := db.Dump(t)
	opts := options(t, write(t, "a.xlsx", goodParts().zip(t)[:300]))
	if err := os.WriteFile(opts.VerdictsPath, []byte("earlier"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := Run(context.Background(), db.DB, opts)
	if _, ok := errors.AsType[*FileError](err); !ok {
		t.Errorf("error is %v", err)
	}
	if content, err := os.ReadFile(opts.VerdictsPath); err != nil || string(content) != "earlier" || db.Dump(t) != empty {
		t.Errorf("something changed (%v)", err)
	}
}

// When verdicts cannot be written, nothing is stored; a verdict workbook never
// takes the place of the file that it judges (I7).
func TestUnwritableVerdicts(t *testing.T) {
	db := sqltest.Open(t)
	empty := db.Dump(t)
	path := write(t, "a.xlsx", goodParts().zip(t))
	for name, verdicts := range map[string]string{
		"folder missing": filepath.Join(t.TempDir(), "no", "v.xlsx"),
		"a folder":       t.TempDir(),
		"the file":       path,
	} {
		opts := options(t, path)
		opts.VerdictsPath = verdicts
		if _, err := Run(context.Background(), db.DB, opts); err == nil || db.Dump(t) != empty {
			t.Errorf("%s: error %v", name, err)
		}
	}
	if content, err := os.ReadFile(path); err != nil || !bytes.Equal(content, goodParts().zip(t)) {
		t.Error("the file was changed")
	}
}

// A hidden row that was accepted says so in its verdict.
func TestVerdictWarnsOfHiddenRow(t *testing.T) {
	db := sqltest.Open(t)
	opts := options(t, write(t, "a.xlsx", goodParts().replace(t, sheetPath, `<row r="3">`, `<row r="3" hidden="1">`).zip(t)))
	run(t, db, opts)
	content, err := os.ReadFile(opts.VerdictsPath)
	if err != nil {
		t.Fatal(err)
	}
	if rows := sheetRows(t, content, "Abonnés"); !strings.Contains(rows[2][6], "masquée") || len(rows[1]) > 6 {
		t.Errorf("rows are %q", rows)
	}
}

// Progress and warnings reach the caller.
func TestRunTellsWhatItDoes(t *testing.T) {
	db := sqltest.Open(t)
	opts := options(t, write(t, "a.xlsx", goodParts().replace(t, sheetPath, "<sheetData>", `<cols><col min="2" max="3" hidden="1"/></cols><sheetData>`).zip(t)))
	var stages []string
	var warnings []string
	opts.Progress = func(stage string, done, total int64) {
		if !slices.Contains(stages, stage) {
			stages = append(stages, stage)
		}
	}
	opts.Warn = func(w Warning) { warnings = append(warnings, w.French) }
	run(t, db, opts)
	if len(stages) < 4 || stages[0] != "checking" || len(warnings) != 2 || !strings.Contains(warnings[0], "colonne B (titulaire)") {
		t.Errorf("stages %q, warnings %q", stages, warnings)
	}
}
