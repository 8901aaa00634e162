package importer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/xuri/excelize/v2"

	"bascule/importer/xlsx"
	"bascule/sql"
)

// judged is a verdict for every row: those with a reason are rejected.
func judged(t testing.TB, f *File) iter.Seq2[sql.Verdict, error] {
	t.Helper()
	return func(yield func(sql.Verdict, error) bool) {
		for r, err := range f.Rows() {
			v := sql.Verdict{Line: r.Line, Kind: "accepted", Reason: r.Reason, Cell: r.Cell}
			if r.Reason != "" {
				v.Kind = "rejected"
			}
			if !yield(v, err) {
				return
			}
		}
	}
}

func verdictsOf(t testing.TB, f *File) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := f.writeVerdicts(&b, false, judged(t, f)); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// sheetRows reads a sheet with excelize, and fails if any cell is a formula.
func sheetRows(t testing.TB, content []byte, sheet string) [][]string {
	t.Helper()
	book, err := excelize.OpenReader(bytes.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	defer book.Close()
	rows, err := book.GetRows(sheet, excelize.Options{RawCellValue: true})
	if err != nil {
		t.Fatal(err)
	}
	for i, row := range rows {
		for j := range row {
			if formula, err := book.GetCellFormula(sheet, xlsx.CellName(j+1, i+1)); err != nil || formula != "" {
				t.Errorf("%s holds the formula %q (%v)", xlsx.CellName(j+1, i+1), formula, err)
			}
		}
	}
	return rows
}

var hostile = [][]string{
	{"=1+1", "un titre"},
	{},
	{"Motif", "numéro d'abonné", "titulaire", "adresse électronique", "numéro de série", "date d'expiration", "Note"},
	{"m", "00123456", "=HYPERLINK(\"http://evil.example\")", "a@b.example", "1A", "31/12/2026", "@SUM(1)"},
	{"", "00123457", "+33 1", "b@b.example", "1B", "2026-12-31", "-2+3\t|cmd"},
	{"", "123", "  deux  blancs ", "pas d'adresse", "1C", "31/12/2026", "_x000D_ & <x> 😀\nfin"},
}

// I7: no cell of a verdict workbook is a live formula. Its sheet, header, columns and
// texts are those of the file, in any format, and the verdict is beside them.
func TestVerdictWorkbook(t *testing.T) {
	for _, test := range []struct {
		name    string
		content []byte
	}{
		{"liste.csv", csvList(t, hostile, ';')},
		{"liste.xlsx", excelizeList(t, hostile)},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := mustOpen(t, test.name, test.content)
			rows := sheetRows(t, verdictsOf(t, f), f.Sheet)
			for i, want := range hostile {
				got := append(slices.Clone(rows[i]), make([]string, 10)...)[3:]
				if got[5] == "46387" { // the workbook has a real date
					got[5] = "31/12/2026"
				}
				if diff := cmp.Diff(want, got[:len(want)]); diff != "" {
					t.Errorf("row %d: %s", i+1, diff)
				}
			}
			if diff := cmp.Diff([]string{"verdict", "motif", "cellule"}, rows[2][:3]); diff != "" {
				t.Error(diff)
			}
			if rows[3][0] != "rejeté" || rows[4][0] != "accepté" || rows[5][0] != "rejeté" || !strings.Contains(rows[5][1], "numéro d’abonné invalide") || rows[5][2] != "E6" {
				t.Errorf("verdicts are %q, %q and %q", rows[3][:3], rows[4][:3], rows[5][:3])
			}
			summary := sheetRows(t, verdictsOf(t, f), "Synthèse")
			if n := summary[len(summary)-1][2]; n != "3" || summary[5][0] != "rejeté" || !strings.Contains(summary[5][1], "invalide") && !strings.Contains(summary[5][1], "formule") {
				t.Errorf("the summary is %q", summary)
			}
		})
	}
}

// The summary counts rows with the same problems together, wherever their cells are, and
// says what to do: after a dry run the list is corrected, and without a rejection nothing.
func TestSummary(t *testing.T) {
	header := []string{"numéro d'abonné", "titulaire", "adresse électronique", "numéro de série", "date d'expiration"}
	good := []string{"00123456", "Anne", "a@b.example", "1A", "31/12/2026"}
	wrong := mustOpen(t, "a.csv", csvList(t, [][]string{header, good, {"Total", "", "", "1B", "31/12/2026"}, {"Notes", "", "", "1C", "31/12/2026"}}, ';'))
	for _, test := range []struct {
		file   *File
		dryRun bool
		advice string
	}{
		{wrong, false, "Corrigez les lignes rejetées dans la feuille suivante, sans ajouter ni supprimer de ligne, puis importez ce classeur."},
		{wrong, true, "Contrôle à blanc, rien n’est enregistré. Corrigez les lignes rejetées dans votre liste, puis contrôlez-la de nouveau."},
		{mustOpen(t, "b.csv", csvList(t, [][]string{header, good}, ';')), false, "Aucune ligne n’est rejetée."},
	} {
		var b bytes.Buffer
		if err := test.file.writeVerdicts(&b, test.dryRun, judged(t, test.file)); err != nil {
			t.Fatal(err)
		}
		summary := sheetRows(t, b.Bytes(), "Synthèse")
		if summary[2][0] != test.advice {
			t.Errorf("dry run %t: the summary advises %q", test.dryRun, summary[2][0])
		}
		if test.file == wrong {
			want := []string{"rejeté", "numéro d’abonné invalide\u00a0: 6 à 20 lettres (sans accent) ou chiffres attendus\u00a0; titulaire manquant\u00a0; adresse électronique manquante", "2"}
			if diff := cmp.Diff(want, summary[5]); diff != "" {
				t.Error(diff)
			}
		}
	}
}

// The settings of an administrator stay: widths of columns, and formats of dates and
// numbers, which are values still. An identifier is a text. An unknown or strange
// format becomes a plain date or a text. All values come back the same.
func TestOwnFormatsStay(t *testing.T) {
	codes := []string{"d\\ mmmm\\ yyyy", `#,##0.00\ &quot;€&quot;`, "0000", "[h]:mm", "[&gt;9]dd/mm/yyyy"}
	var formats, styles strings.Builder
	for i, code := range codes {
		fmt.Fprintf(&formats, `<numFmt numFmtId="%d" formatCode="%s"/>`, 170+i, code)
		fmt.Fprintf(&styles, `<xf numFmtId="%d"/>`, 170+i)
	}
	number := func(cell string, style int, value string) string {
		return fmt.Sprintf(`<c r="%s" s="%d"><v>%s</v></c>`, cell, style, value)
	}
	header := rowXML(1, "numéro d'abonné", "titulaire", "adresse électronique", "numéro de série", "date d'expiration", "montant", "code", "durée", "vu le", "formule", "1890")
	rows := rowXML(2, number("A2", 3, "123456"), "Anne", "a@b.example", "1A", number("E2", 4, "46387"), number("F2", 5, "1234.5"), number("G2", 6, "7"),
		number("H2", 7, "1.5"), number("I2", 8, "46387.75"), `<c r="J2" s="2"><f>TODAY()</f><v>46387</v></c>`, number("K2", 2, "12")) +
		rowXML(3, "x", "Paul", "p@b.example", "1B", number("E3", 4, "46388"))
	book := goodParts().replace(t, stylesPart, "</numFmts>", formats.String()+"</numFmts>").replace(t, stylesPart, "</cellXfs>", styles.String()+"</cellXfs>").
		with(sheetPath, `<worksheet `+ns+`><cols><col min="2" max="2" width="44.5"/><col min="6" max="16384" width="9"/><col min="1" max="1" width="0" hidden="1"/></cols><sheetData>`+header+rows+`</sheetData></worksheet>`)
	first := mustOpen(t, "a.xlsx", book.zip(t))
	verdicts := verdictsOf(t, first)
	if diff := cmp.Diff(cellsOf(t, first), cellsOf(t, mustOpen(t, "b.xlsx", verdicts))); diff != "" {
		t.Error(diff)
	}
	out, err := excelize.OpenReader(bytes.NewReader(verdicts), excelize.Options{RawCellValue: true})
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	for cell, want := range map[string]string{
		"D2": "00123456 inlineStr @", "H2": "46387  " + "d\\ mmmm\\ yyyy", "I2": `1234.5  #,##0.00\ "€"`, "J2": "7  0000", "K2": "1.5 inlineStr @",
		"L2": "46387.7500000000  dd/mm/yyyy", "M2": "46387  dd/mm/yyyy", "N2": "12/01/1900 inlineStr @", "H3": "46388  " + "d\\ mmmm\\ yyyy", "D3": "x inlineStr @",
	} {
		value, err1 := out.GetCellValue("Abonnés", cell)
		kind, err2 := out.GetCellType("Abonnés", cell)
		id, err3 := out.GetCellStyle("Abonnés", cell)
		style, err4 := out.GetStyle(id)
		if err := errors.Join(err1, err2, err3, err4); err != nil {
			t.Fatal(err)
		}
		name := map[excelize.CellType]string{excelize.CellTypeInlineString: "inlineStr"}[kind]
		code := "@"
		if style.CustomNumFmt != nil {
			code = *style.CustomNumFmt
		}
		if got := value + " " + name + " " + code; got != want {
			t.Errorf("%s is %q, want %q", cell, got, want)
		}
	}
	for column, want := range map[string]float64{"A": 11, "D": 18, "E": 44.5, "F": 36, "I": 9, "N": 9} {
		if got, err := out.GetColWidth("Abonnés", column); err != nil || got != want {
			t.Errorf("column %s is %v wide, want %v (%v)", column, got, want, err)
		}
	}
}

// A header that stands far down is not frozen, for it would fill a small screen; a
// sheet whose name Excel would not find in a filter has none.
func TestVerdictsFrozenAndFiltered(t *testing.T) {
	for _, test := range []struct {
		file             string
		above            int
		frozen, filtered bool
	}{{"liste.csv", maxFrozen - 1, true, true}, {"liste.csv", maxFrozen, false, true}, {"liste d'été.csv", 0, true, false}} {
		f := mustOpen(t, test.file, []byte(strings.Repeat("Export\n", test.above)+csvHeader+goodLine))
		f.Sheet = strings.TrimSuffix(test.file, ".csv") // as a workbook may call it
		book, err := excelize.OpenReader(bytes.NewReader(verdictsOf(t, f)))
		if err != nil {
			t.Fatal(err)
		}
		defer book.Close()
		panes, err := book.GetPanes(f.Sheet)
		if filtered := len(book.GetDefinedName()) > 0; err != nil || panes.XSplit != 3 || (panes.YSplit > 0) != test.frozen || filtered != test.filtered {
			t.Errorf("%s below %d rows: frozen %v, filtered %v (%v)", test.file, test.above, panes.Freeze, filtered, err)
		}
	}
}

// A verdict workbook is an import file again: the same rows, the same refusals,
// and its own verdict replaces the one before.
func TestVerdictOfVerdict(t *testing.T) {
	sample, err := os.ReadFile(filepath.Join("testdata", "sample.xlsx"))
	if err != nil {
		t.Fatal(err)
	}
	first := mustOpen(t, "a.xlsx", sample)
	once := verdictsOf(t, first)
	second := mustOpen(t, "b.xlsx", once)
	twice := verdictsOf(t, second)
	for _, sheet := range []string{"Abonnés", "Dossiers"} {
		if diff := cmp.Diff(sheetRows(t, once, sheet), sheetRows(t, twice, sheet)); diff != "" && sheet == "Dossiers" {
			t.Errorf("sheet %s changed: %s", sheet, diff)
		}
	}
	if header := sheetRows(t, twice, "Abonnés")[2]; len(header) != 9 {
		t.Errorf("header is %q", header)
	}
	if diff := cmp.Diff(dossiersOf(t, first), dossiersOf(t, second)); diff != "" {
		t.Error(diff)
	}
	before, after := rowsOf(t, first), rowsOf(t, second)
	if len(before) != len(after) {
		t.Fatalf("%d rows became %d", len(before), len(after))
	}
	for i := range before {
		if strings.HasPrefix(before[i].Reason, "formule") {
			before[i] = after[i] // pasted as values: that is the correction
		}
		if cell := before[i].Cell; cell != "" && !strings.Contains(cell, "!") {
			before[i].Cell = behindVerdicts(t, cell)
		}
		lost := strings.HasPrefix(before[i].Reason, "nombre dont des chiffres")
		if lost && after[i].Reason != "" {
			before[i] = after[i] // rejected all the same
		}
		if diff := cmp.Diff(before[i], after[i], compareEmails); diff != "" {
			t.Errorf("row %d: %s", before[i].Line, diff)
		}
	}
}

// behindVerdicts is where a cell of a file stands in its verdict workbook.
func behindVerdicts(t testing.TB, cell string) string {
	t.Helper()
	column, line, err := excelize.CellNameToCoordinates(cell)
	if err != nil {
		t.Fatal(err)
	}
	return xlsx.CellName(column+3, line)
}

// D9: an administrator's file may have the verdicts of an earlier import behind its
// columns, in front of them or among them: the rows are the same, and their verdicts
// come first.
func TestVerdictsAnywhere(t *testing.T) {
	const row = "00123456;Anne;a@b.example;1A;31/12/2026"
	const header = "numéro d'abonné;titulaire;adresse électronique;numéro de série;date d'expiration"
	for name, list := range map[string]string{
		"none":   header + ";note\n" + row + ";x\n",
		"behind": header + ";note;verdict;motif;cellule\n" + row + ";x;rejeté;non;A2\n",
		"before": "verdict;motif;cellule;" + header + ";note\nrejeté;non;A2;" + row + ";x\n",
		"among":  header + ";verdict;motif;cellule;note\n" + row + ";rejeté;non;A2;x\n",
	} {
		f := mustOpen(t, "a.csv", []byte(list))
		want := [][]string{
			strings.Split("verdict;motif;cellule;"+header+";note", ";"), strings.Split("accepté;;;"+row+";x", ";"),
		}
		once := verdictsOf(t, f)
		if diff := cmp.Diff(want, sheetRows(t, once, f.Sheet)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		if diff := cmp.Diff(want, sheetRows(t, verdictsOf(t, mustOpen(t, "b.xlsx", once)), f.Sheet)); diff != "" {
			t.Errorf("%s, again: %s", name, diff)
		}
	}
}

// The first sheet counts verdicts by reason; a list that is called so itself keeps
// its name. Reasons beyond a thousand are counted together (I8).
func TestVerdictSummary(t *testing.T) {
	f := mustOpen(t, "a.csv", []byte(csvHeader+goodLine))
	f.Sheet = "synthèse"
	book, err := excelize.OpenReader(bytes.NewReader(verdictsOf(t, f)))
	if err != nil {
		t.Fatal(err)
	}
	defer book.Close()
	if got := strings.Join(book.GetSheetList(), ", "); got != "Synthèse des verdicts, synthèse" {
		t.Errorf("the sheets are %s", got)
	}
	c := make(verdictCounts)
	for i := range 2 * maxReasons {
		c.add(sql.Verdict{Kind: "rejected", Reason: strings.Repeat("x", i)})
	}
	c.add(sql.Verdict{Kind: "rejected", Reason: "xx"})
	list := c.largest("rejected")
	if len(list) != maxReasons+1 || list[0].reason != otherReasons || c[list[0]] != maxReasons || list[1].reason != "xx" {
		t.Errorf("%d reasons, the first are %.3v", len(list), list[:2])
	}
}

// I7: when a verdict cannot be had, or does not fit the rows, there is no workbook.
func TestVerdictsMustFitTheRows(t *testing.T) {
	f := mustOpen(t, "a.xlsx", goodParts().zip(t))
	failure := errors.New("the database is gone")
	for name, verdicts := range map[string][]sql.Verdict{
		"one is missing":   {{Line: 2}},
		"none":             {},
		"one too many":     {{Line: 2}, {Line: 3}, {Line: 4}},
		"of another row":   {{Line: 2}, {Line: 4}},
		"out of order":     {{Line: 3}, {Line: 2}},
		"an error instead": {{Line: 2}, {Line: -1}},
	} {
		err := f.writeVerdicts(&bytes.Buffer{}, false, func(yield func(sql.Verdict, error) bool) {
			for _, v := range verdicts {
				if v.Line < 0 {
					yield(v, failure)
					return
				}
				if !yield(v, nil) {
					return
				}
			}
		})
		if err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// Sheet names that another program wrote, and Excel would refuse.
func TestValidSheetName(t *testing.T) {
	for name, want := range map[string]string{
		"Abonnés": "Abonnés", "a/b:c": "a_b_c", "'x'": "x", "": "Abonnés", strings.Repeat("é", 40): strings.Repeat("é", 31),
		strings.Repeat("😀", 20): strings.Repeat("😀", 15), "L'été": "L'été",
	} {
		if got := validSheetName(name); got != want {
			t.Errorf("%q becomes %q, want %q", name, got, want)
		}
	}
}

// The template has every column, and nothing in it is taken for data.
func TestTemplate(t *testing.T) {
	var b bytes.Buffer
	if err := WriteTemplate(&b); err != nil {
		t.Fatal(err)
	}
	_, err := openBytes(t, "modele.xlsx", b.Bytes())
	if refused, ok := errors.AsType[*FileError](err); !ok || !strings.Contains(refused.English, "no data row") {
		t.Errorf("the empty template gives %v", err)
	}
	book, err := excelize.OpenReader(&b)
	if err != nil {
		t.Fatal(err)
	}
	defer book.Close()
	for i, text := range []string{"00123456", "Anne", "anne@exemple.example", "1A", "", "31/12/2026"} {
		if err := book.SetCellStr("Abonnés", xlsx.CellName(i+1, 2), text); err != nil {
			t.Fatal(err)
		}
	}
	if layout, err := book.GetPageLayout("Abonnés"); err != nil || *layout.Orientation != "landscape" || *layout.FitToWidth != 1 {
		t.Errorf("it prints %+v (%v), not as wide as the paper", layout, err)
	}
	validations, err := book.GetDataValidations("Abonnés")
	if err != nil || len(validations) != len(subscriberHeadings) {
		t.Errorf("%d validations (%v)", len(validations), err)
	}
	var filled bytes.Buffer
	if err := book.Write(&filled); err != nil {
		t.Fatal(err)
	}
	f := mustOpen(t, "rempli.xlsx", filled.Bytes())
	if rows := rowsOf(t, f); len(rows) != 1 || rows[0].Reason != "" || len(f.Warnings) != 0 || f.Dossiers() == nil {
		t.Errorf("the filled template gives %+v, warnings %v", rows, f.Warnings)
	}
}

// A context that ends stops the reading.
func TestOpenStopsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Open(ctx, write(t, "a.xlsx", goodParts().zip(t)), nil); !errors.Is(err, context.Canceled) {
		t.Errorf("error is %v", err)
	}
}
