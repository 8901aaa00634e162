package importer

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
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
	if sum := result.Accepted + result.Unchanged + result.NotDue + result.Excluded + result.Rejected; sum != result.Rows {
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
	want := sql.ImportResult{Batch: 1, Campaign: "sample", State: sql.CampaignPrepared, Rows: 60, Accepted: 51, Unchanged: 1, Rejected: 8}
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
		counts[row[0]]++
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
	if err := errors.Join(book.SetCellStr("Abonnés", "F56", "corrige@exemple.example"), book.SetCellStr("Abonnés", "E57", "Nom Retrouvé")); err != nil {
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

// A disk on which the verdict workbook has no room lets nothing be stored (D9, I7).
func TestFullDisk(t *testing.T) {
	const alone = "BASCULE_TEST_ALONE"
	if os.Getenv(alone) == "" { // the limit is one of the whole process, which also writes a log of its tests
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestFullDisk$")
		cmd.Env = append(os.Environ(), alone+"=yes")
		if out, err := cmd.CombinedOutput(); err != nil || !strings.HasPrefix(string(out), "PASS") {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	db := sqltest.Open(t)
	empty := db.Dump(t)
	opts := options(t, samplePath())
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		t.Fatal(err)
	}
	defer syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit)
	opts.Progress = func(stage string, _, _ int64) {
		if stage == "writing verdicts" {
			if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: 1000, Max: limit.Max}); err != nil {
				t.Error(err)
			}
		}
	}
	if _, err := Run(context.Background(), db.DB, opts); !errors.Is(err, syscall.EFBIG) || db.Dump(t) != empty {
		t.Errorf("error %v; or something was stored", err)
	}
	if names := namesIn(t, filepath.Dir(opts.VerdictsPath)); len(names) != 0 {
		t.Errorf("%q was left behind", names)
	}
}

// I7: when the commit comes, the verdict workbook lacks nothing but its name; if
// there is no commit after all, there is no workbook.
func TestVerdictsAreCompleteBeforeTheCommit(t *testing.T) {
	db := sqltest.Open(t)
	empty := db.Dump(t)
	opts := options(t, samplePath())
	folder := filepath.Dir(opts.VerdictsPath)
	ctx, cancel := context.WithCancel(context.Background())
	opts.Progress = func(stage string, _, _ int64) {
		if stage != "committing" {
			return
		}
		if names := namesIn(t, folder); len(names) != 1 {
			t.Errorf("the folder holds %q", names)
		} else if counts := countVerdicts(t, filepath.Join(folder, names[0])); counts["accepté"] != 51 {
			t.Errorf("the workbook has %v", counts)
		}
		cancel()
	}
	if _, err := Run(ctx, db.DB, opts); err == nil || db.Dump(t) != empty {
		t.Errorf("error %v; or something was stored", err)
	}
	if names := namesIn(t, folder); len(names) != 0 {
		t.Errorf("%q was left behind", names)
	}
}

func namesIn(t testing.TB, folder string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// D9, I7: a name that the verdict workbook cannot take in the end does not hide
// that the import is stored; the workbook keeps the name it was written under.
func TestUnplacedVerdicts(t *testing.T) {
	db := sqltest.Open(t)
	opts := options(t, samplePath())
	opts.Progress = takeName(t, opts.VerdictsPath)
	result, err := Run(context.Background(), db.DB, opts)
	unplaced, ok := errors.AsType[*UnplacedError](err)
	if !ok || result.Accepted != 51 || db.Text(t, `SELECT count(*)::text FROM request`) != "51" {
		t.Fatalf("result %+v, error %v", result, err)
	}
	if counts := countVerdicts(t, unplaced.Temporary); counts["accepté"] != 51 {
		t.Errorf("the workbook has %v", counts)
	}
	if text := err.Error(); !strings.Contains(text, unplaced.Temporary) || !strings.Contains(text, opts.VerdictsPath) {
		t.Errorf("the error is %v", err)
	}
}

// D9, I7: a folder that goes away takes the workbook with it, and not the import.
func TestLostVerdicts(t *testing.T) {
	db := sqltest.Open(t)
	opts := options(t, samplePath())
	opts.Progress = func(stage string, _, _ int64) {
		if stage == "committing" {
			os.RemoveAll(filepath.Dir(opts.VerdictsPath))
		}
	}
	result, err := Run(context.Background(), db.DB, opts)
	if unplaced, ok := errors.AsType[*UnplacedError](err); !ok || unplaced.Temporary != "" || result.Accepted != 51 {
		t.Errorf("result %+v, error %v", result, err)
	}
	if db.Text(t, `SELECT count(*)::text FROM request`) != "51" {
		t.Error("the import is not stored")
	}
}

// I7: a dry run has stored nothing, so a name that cannot be taken is its failure.
func TestUnplacedVerdictsOfDryRun(t *testing.T) {
	db := sqltest.Open(t)
	opts := options(t, samplePath())
	opts.DryRun = true
	opts.Progress = takeName(t, opts.VerdictsPath)
	_, err := Run(context.Background(), db.DB, opts)
	if _, ok := errors.AsType[*UnplacedError](err); ok || err == nil {
		t.Errorf("error is %v", err)
	}
	if names := namesIn(t, filepath.Dir(opts.VerdictsPath)); len(names) != 1 {
		t.Errorf("the folder holds %q", names)
	}
}

// takeName makes a folder of that name just before the commit.
func takeName(t testing.TB, path string) func(string, int64, int64) {
	return func(stage string, _, _ int64) {
		if stage == "committing" {
			if err := os.Mkdir(path, 0o700); err != nil {
				t.Error(err)
			}
		}
	}
}

// A file whose name is no text, as out of an old archive, is a file like any other.
func TestFileNameThatIsNoText(t *testing.T) {
	db := sqltest.Open(t)
	for name, want := range map[string]string{
		"abonn\xe9s\xff.csv":         "abonn?s?.csv",
		"a\nb\x1b[31m\x7f\u009b.csv": "a?b?[31m??.csv",
		"abonnés 2026\u00a0.csv":     "abonnés 2026\u00a0.csv",
	} {
		opts := options(t, write(t, name, []byte(csvHeader+goodLine)))
		if got := run(t, db, opts); got.Rows != 1 {
			t.Errorf("%q: result is %+v", name, got)
		}
		if got := db.Text(t, `SELECT file_name FROM batch`); got != want {
			t.Errorf("%q is kept as %q, want %q", name, got, want)
		}
	}
}

// R8: the cell of a SIREN with two names is where this sheet has its SIRENs.
func TestCellOfSIREN(t *testing.T) {
	db := sqltest.Open(t)
	book := goodParts().withDossiers(t, rowXML(1, "service", "raison sociale", "note", "SIREN", "numéro d'abonné")+
		rowXML(2, "", "Garage", "", "987654321", "00123457")+
		rowXML(3, "", "Boulangerie", "", "123456789", "00123456")+
		rowXML(4, "", "Pâtisserie", "", "123456789", "00123456"))
	opts := options(t, write(t, "a.xlsx", book.zip(t)))
	run(t, db, opts)
	content, err := os.ReadFile(opts.VerdictsPath)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"rejeté", "feuille Dossiers\u00a0: le SIREN 123456789 y porte deux raisons sociales", "Dossiers!D3"}
	if rows := sheetRows(t, content, "Abonnés"); !slices.Equal(rows[1][:3], want) || rows[2][0] != "accepté" {
		t.Errorf("the verdicts are %q and %q", rows[1][:3], rows[2][:3])
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
	if rows := sheetRows(t, content, "Abonnés"); !strings.Contains(rows[2][1], "masquée") || rows[1][1] != "" {
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

// D9, I7: the workbook tells the verdicts that are stored, also where one changed
// after it was first written: here a subscriber's space is switched meanwhile.
func TestVerdictsThatChange(t *testing.T) {
	db := sqltest.Open(t)
	opts := options(t, write(t, "a.xlsx", goodParts().zip(t)))
	db.Mailed(t, sqltest.Keys(t), sqltest.Invitation{Number: "00123456"})
	once := sync.OnceFunc(func() {
		db.Exec(t, `UPDATE request SET activated_at = bascule_now();
			UPDATE space SET access = 'password', switched_at = r.activated_at, email = 'x@duvallon.example', email_key = 'x@duvallon.example',
				password_hash = 'x', question = 'x', answer_hash = 'x' FROM request r WHERE space.id = r.space_id`)
	})
	opts.Progress = func(stage string, _, _ int64) {
		if stage == "storing" {
			once()
		}
	}
	if got := run(t, db, opts); got.Unchanged != 1 {
		t.Errorf("the result is %+v", got)
	}
	content, err := os.ReadFile(opts.VerdictsPath)
	if err != nil {
		t.Fatal(err)
	}
	if rows := sheetRows(t, content, "Abonnés"); rows[1][0] != "inchangé" || rows[2][0] != "accepté" {
		t.Errorf("the workbook says %q", rows)
	}
	if names := namesIn(t, filepath.Dir(opts.VerdictsPath)); len(names) != 1 {
		t.Errorf("the folder holds %q", names)
	}
}
