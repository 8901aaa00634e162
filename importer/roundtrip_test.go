package importer

import (
	"bytes"
	"encoding/csv"
	"flag"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"bascule/importer/xlsx"
	"bascule/sql/sqltest"
)

// I7, D9: a row with characters that XML cannot hold comes back from its verdict
// workbook as it was: nothing changes. The bug it would catch: U+FFFD in the
// stored name, taken from our own workbook.
func TestControlCharacterFiles(t *testing.T) {
	db := sqltest.Open(t)
	for _, name := range []string{"vt.csv", "vt.xlsx", "issuer.xlsx"} {
		first := options(t, filepath.Join("testdata", "field", "control-character", name))
		run(t, db, first)
		before := db.Text(t, `SELECT string_agg(holder || '|' || issuer, ' ' ORDER BY number) FROM space`)
		if strings.ContainsRune(before, '\uFFFD') {
			t.Errorf("%s: stored as %q", name, before)
		}
		again := run(t, db, options(t, first.VerdictsPath))
		if after := db.Text(t, `SELECT string_agg(holder || '|' || issuer, ' ' ORDER BY number) FROM space`); again.Unchanged != again.Rows || after != before {
			t.Errorf("%s again: %+v, stored %q, before %q", name, again, after, before)
		}
	}
}

// cellText is any text that a cell may hold, most often one that XML or our own
// escapes stumble over.
var cellText = rapid.Custom(func(t *rapid.T) string {
	piece := rapid.OneOf(
		rapid.SampledFrom([]string{"_x000B_", "_x000b_", "_x005F_", "_x00", "_", "x000D", "\v", "\x00", "\x1a", "\x1f", "\x7f", "\u0085", "\r", "\n", "\r\n", "\t",
			"\uFFFE", "\uFFFF", "\uFFFD", "\uFDD0", "\uFDD9", "\uFDEF", "\u2028", "]]>", "&", "<", "é", "😀", "=", "\"", " "}),
		rapid.StringN(0, 8, -1))
	return strings.Join(rapid.SliceOfN(piece, 0, 8).Draw(t, "pieces"), "")
})

// fewChecks makes rapid try a quarter of its usual cases, unless the command line says how
// many. Opening and writing a workbook costs as much as hundreds of its texts: a few
// workbooks that hold much try as much.
func fewChecks(t *testing.T) {
	t.Helper()
	if f := flag.Lookup("rapid.checks"); f.Value.String() == f.DefValue {
		setFlag(t, f, "25")
		t.Cleanup(func() { setFlag(t, f, f.DefValue) })
	}
}

func setFlag(t *testing.T, f *flag.Flag, value string) {
	t.Helper()
	if err := f.Value.Set(value); err != nil {
		t.Fatal(err)
	}
}

// I7, D9: a verdict workbook holds the texts of any workbook, above the header, in each
// column and on the sheet Dossiers, when it is read again.
func TestEveryTextComesBack(t *testing.T) {
	fewChecks(t)
	rapid.Check(t, func(rt *rapid.T) {
		rows := func(name string, first, n, columns int) (xml string) {
			for line := first; line < first+n; line++ {
				xml += escapedRow(line, rapid.SliceOfN(cellText, columns, columns).Draw(rt, name))
			}
			return xml
		}
		book := goodParts().with(sheetPath, strings.Replace(sheetXML(rows("row", 3, 8, 7)), headerXML,
			rows("above", 1, 1, 28)+strings.ReplaceAll(strings.Replace(headerXML, `r="1"`, `r="2"`, 1), `1" t=`, `2" t=`), 1)).
			withDossiers(t, rowXML(1, "numéro d'abonné", "siren", "raison sociale", "service", "note")+rows("dossier", 2, 4, 6))
		first, err := openBytes(t, "a.xlsx", book.zip(t))
		if err != nil {
			return // no data row, or a header row that names columns twice
		}
		second := mustOpen(t, "b.xlsx", verdictsOf(t, first))
		if diff := cmp.Diff(cellsOf(t, first), cellsOf(t, second)); diff != "" {
			rt.Fatal(diff)
		}
	})
}

// I7, D9: and whatever the texts of a CSV file.
func TestEveryTextOfCSVComesBack(t *testing.T) {
	fewChecks(t)
	rapid.Check(t, func(rt *rapid.T) {
		rows := [][]string{{"numéro d'abonné", "titulaire", "adresse électronique", "numéro de série", "émetteur", "date d'expiration", "note", "repère"}}
		for range rapid.IntRange(4, 12).Draw(rt, "rows") {
			row := rapid.SliceOfN(cellText.Filter(func(s string) bool { return !strings.Contains(s, "\x00") }), 7, 7).Draw(rt, "row")
			rows = append(rows, append(row, "x"))
		}
		var b bytes.Buffer
		out := csv.NewWriter(&b)
		out.Comma = ';'
		if err := out.WriteAll(rows); err != nil {
			rt.Fatal(err)
		}
		first := mustOpen(t, "a.csv", b.Bytes())
		second := mustOpen(t, "b.xlsx", verdictsOf(t, first))
		if diff := cmp.Diff(cellsOf(t, first), cellsOf(t, second)); diff != "" {
			rt.Fatal(diff)
		}
	})
}

// escapedRow writes a row of texts as the format escapes them, each character as
// a reference or an escape of its own.
func escapedRow(line int, texts []string) string {
	cells := make([]string, len(texts))
	for i, text := range texts {
		var b strings.Builder
		for _, r := range text {
			switch {
			case r == '_':
				b.WriteString("_x005F_")
			case r == '\t' || r == '\n' || r == '\r' || r >= ' ' && r < '\uFFFE' || r > '\uFFFF': // a character of XML
				fmt.Fprintf(&b, "&#%d;", r)
			default:
				fmt.Fprintf(&b, "_x%04X_", r)
			}
		}
		cells[i] = fmt.Sprintf(`<c r="%s" t="inlineStr"><is><t>%s</t></is></c>`, xlsx.CellName(i+1, line), b.String())
	}
	return rowXML(line, cells...)
}

// cellsOf is the text of every cell of both sheets, by its address.
func cellsOf(t testing.TB, f *File) map[string]string {
	t.Helper()
	cells := make(map[string]string)
	for _, s := range []*sheet{f.rows, f.dossiers} {
		if s == nil {
			continue
		}
		for r, err := range s.all() {
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range r.cells {
				column := c.column
				if s.layout.added == 1 {
					column -= 3 // as the file had it
				}
				if !s.layout.isAdded(c.column) {
					cells[xlsx.CellName(column, r.line)+fmt.Sprint(s == f.dossiers)] = c.text
				}
			}
		}
	}
	return cells
}

// I7: the longest text of a cell comes back whole, with any contents. A text for which
// the verdict workbook has no room is refused with its file.
func TestLongTextsComeBack(t *testing.T) {
	for _, test := range []struct {
		piece string
		fits  bool
	}{{"a", true}, {"\v", true}, {"\uFFFF", true}, {"_x00", true}, {"_x000B_", true}, {"\uFDD0", true}, {"😀", false}} {
		text := strings.Repeat(test.piece, xlsx.MaxCellText/len([]rune(test.piece)))
		f, err := openBytes(t, "a.csv", []byte(csvHeader+"00123456;\""+text+"\";a@b.example;1;31/12/2026\n"))
		if (err == nil) != test.fits {
			t.Errorf("%q many times: %v", test.piece, err)
		}
		if err == nil && cellsOf(t, f)["B2false"] != cellsOf(t, mustOpen(t, "b.xlsx", verdictsOf(t, f)))["B2false"] {
			t.Errorf("%q many times comes back otherwise", test.piece)
		}
	}
}
