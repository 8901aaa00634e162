package workbook

import (
	"archive/zip"
	"bytes"
	"crypto/rand"
	"fmt"
	"io"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/xuri/excelize/v2"
)

// write writes a book of two sheets. The first has 28 columns; the second has the
// rest that there is.
func write(t *testing.T) []byte {
	t.Helper()
	var out bytes.Buffer
	b := New(&out, "Un")
	text, bold := Style{Format: "@"}, b.Style(Style{Bold: true, Paper: "1F3864", Align: Middle})
	first := Layout{Frozen: 3, Header: 3, Columns: make([]Column, 28)}
	first.Columns[0] = Column{Width: 30, Style: text, Rule: Rule{Type: "textLength", From: 6, To: 20, Title: "numéro", Text: `"6" à 20 <signes>`}}
	first.Columns[1] = Column{Width: 12, Rule: Rule{Type: "list", Title: "réponse", Text: "choisissez", Choices: []string{"a & b", "d’accord"}}}
	first.Columns[27] = Column{Width: 12, Rule: Rule{Type: "date", From: 43_831, To: 2_958_465, Title: "date", Text: "un jour"}}
	s := b.Sheet("Un", first)
	s.Row(1, 28)
	s.Put(1, Text("=1+1"))
	s.Row(3, 0)
	s.Put(1, Text("a").In(bold))
	s.Put(2, Text(""))
	s.Put(3, Text("").In(bold))
	s.Put(28, Number(-42))
	s.Row(5, 0)
	s.Put(1, Decimal(0.25))
	s.Put(2, Decimal(1.5e17))
	s.Put(3, Instant(time.Date(2026, 12, 31, 6, 0, 0, 0, time.UTC)))
	s.Put(4, Day(time.Date(2026, 12, 31, 23, 0, 0, 0, time.UTC)))
	s.Put(5, Formula(`A1&"<"`, "<é>"))
	s.Put(6, Text("a "))
	s.End()
	b.Sheet("Deux", Layout{Charts: true, Columns: []Column{{Width: 40}}}).End()
	must(t, b.Excelize.AddChart("Deux", "A2", &excelize.Chart{Type: excelize.Bar, Series: []excelize.ChartSeries{{Values: "'Un'!$A$1:$A$5"}}}))
	must(t, b.Close())
	return out.Bytes()
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// I7: another reader finds each cell where it was put, and as what it was put.
func TestCells(t *testing.T) {
	f, err := excelize.OpenReader(bytes.NewReader(write(t)))
	must(t, err)
	defer f.Close()
	for cell, want := range map[string]string{"A1": "=1+1", "A3": "a", "B3": "", "C3": "", "AB3": "-42", "A5": "0.25", "B5": "1.5e+17",
		"C5": "46387.2500000000", "D5": "46387", "E5": "<é>", "A2": ""} {
		if got, err := f.GetCellValue("Un", cell, excelize.Options{RawCellValue: true}); got != want || err != nil {
			t.Errorf("%s holds %q, want %q (%v)", cell, got, want, err)
		}
		formula, err := f.GetCellFormula("Un", cell)
		if (formula == `A1&"<"`) != (cell == "E5") || err != nil {
			t.Errorf("%s holds the formula %q (%v)", cell, formula, err)
		}
	}
	if part := unzip(t, write(t))["xl/worksheets/sheet1.xml"]; !strings.Contains(part, `<t xml:space="preserve">a </t>`) {
		t.Error("a blank at the end may get lost")
	}
	column, err1 := f.GetCellStyle("Un", "A5")
	own, err2 := f.GetCellStyle("Un", "A3")
	empty, err3 := f.GetCellStyle("Un", "C3")
	if column == own || own != empty || column == 0 || err1 != nil || err2 != nil || err3 != nil {
		t.Errorf("styles are %d, %d and %d", column, own, empty)
	}
}

// The workbook has the properties of its layout: what is frozen, filtered, repeated on
// each page, and allowed, and how it prints.
func TestLayout(t *testing.T) {
	f, err := excelize.OpenReader(bytes.NewReader(write(t)))
	must(t, err)
	defer f.Close()
	if got := strings.Join(f.GetSheetList(), " "); got != "Un Deux" {
		t.Errorf("the sheets are %s", got)
	}
	if p, err := f.GetPanes("Un"); err != nil || !p.Freeze || p.YSplit != 3 || p.TopLeftCell != "A4" {
		t.Errorf("panes %+v, %v", p, err)
	}
	names := map[string]string{}
	for _, n := range f.GetDefinedName() {
		names[n.Name] = n.RefersTo
	}
	if names["_xlnm.Print_Titles"] != "'Un'!$3:$3" || names["_xlnm._FilterDatabase"] != "'Un'!$A$3:$AB$5" || len(names) != 2 {
		t.Errorf("names %v", names)
	}
	rules, err := f.GetDataValidations("Un")
	must(t, err)
	if len(rules) == 3 {
		if l := rules[1]; l.Type != "list" || l.Formula1 != `"a & b,d’accord"` || l.Sqref != "B4:B1048576" {
			t.Errorf("the list of choices is %+v", l)
		}
		rules = append(rules[:1], rules[2])
	}
	if len(rules) != 2 || rules[0].Sqref != "A4:A1048576" || rules[1].Sqref != "AB4:AB1048576" || *rules[0].Prompt != `"6" à 20 <signes>` ||
		rules[0].Type != "textLength" || rules[1].Formula1 != "43831" || rules[1].Formula2 != "2958465" {
		t.Errorf("rules %+v %+v prompt %q", rules[0], rules[1], *rules[0].Prompt)
	}
	for _, sheet := range f.GetSheetList() {
		if l, err := f.GetPageLayout(sheet); err != nil || *l.Orientation != "landscape" || *l.Size != 9 || *l.FitToWidth != 1 || *l.FitToHeight != map[string]int{"Un": 0, "Deux": 1}[sheet] {
			t.Errorf("%s prints as %+v (%v)", sheet, l, err)
		}
	}
	if width, err := f.GetColWidth("Deux", "A"); width != 40 || err != nil {
		t.Errorf("a column is %v wide (%v)", width, err)
	}
	if height, err := f.GetRowHeight("Un", 1); height != 28 || err != nil {
		t.Errorf("a row is %v high (%v)", height, err)
	}
}

// A sheet names the drawing that holds the charts which excelize has written.
func TestCharts(t *testing.T) {
	parts := unzip(t, write(t))
	id := regexp.MustCompile(`<drawing r:id="(\w+)"/>`).FindStringSubmatch(parts["xl/worksheets/sheet2.xml"])
	if id == nil || !regexp.MustCompile(`Id="`+id[1]+`" Target="../drawings/drawing1.xml" Type="[^"]*/drawing"`).MatchString(parts["xl/worksheets/_rels/sheet2.xml.rels"]) {
		t.Errorf("the drawing %q is none of %s", id, parts["xl/worksheets/_rels/sheet2.xml.rels"])
	}
	if strings.Contains(parts["xl/worksheets/sheet1.xml"], "<drawing") {
		t.Error("a sheet without charts has a drawing")
	}
	// 480 pixels: a column of 40 characters has 285 of them, each of the others 64: it ends in the fourth.
	to := regexp.MustCompile(`<xdr:to><xdr:col>(\d+)</xdr:col>`).FindStringSubmatch(parts["xl/drawings/drawing1.xml"])
	if to == nil || to[1] != "3" {
		t.Errorf("the chart ends in column %q", to)
	}
}

func unzip(t *testing.T, book []byte) map[string]string {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(book), int64(len(book)))
	must(t, err)
	parts := make(map[string]string)
	for _, f := range z.File {
		r, err := f.Open()
		must(t, err)
		content, err := io.ReadAll(r)
		must(t, err)
		if parts[f.Name] != "" {
			t.Errorf("%s stands twice", f.Name)
		}
		parts[f.Name] = string(content)
	}
	return parts
}

// A style is what it says.
func TestStyle(t *testing.T) {
	b := New(io.Discard, "Un")
	s, err := b.Excelize.GetStyle(b.Style(Style{Format: "0.0%", Size: 14, Bold: true, Ink: "112233", Paper: "445566", Align: MiddleRight, Line: "top", LineInk: "778899"}))
	must(t, err)
	if f := s.Font; f.Family != "Calibri" || f.Size != 14 || !f.Bold || f.Color != "112233" {
		t.Errorf("font %+v", f)
	}
	if s.Fill.Color[0] != "445566" || s.Border[0] != (excelize.Border{Type: "top", Color: "778899", Style: 1}) || *s.CustomNumFmt != "0.0%" {
		t.Errorf("fill %+v, border %+v, format %q", s.Fill, s.Border, *s.CustomNumFmt)
	}
	if a := s.Alignment; a.Horizontal != "right" || a.Vertical != "center" || !a.WrapText {
		t.Errorf("alignment %+v", a)
	}
}

// Close returns the error of a style.
func TestWrongStyle(t *testing.T) {
	b := New(io.Discard, "Un")
	b.Style(Style{Size: excelize.MaxFontSize + 1})
	if err := b.Close(); err == nil {
		t.Error("a style that cannot be is taken")
	}
}

// Close returns the first error of the writer, whatever is written after it.
func TestFailingWriter(t *testing.T) {
	w := &broken{}
	b := New(w, "Un")
	for range 2 {
		s := b.Sheet("Un", Layout{Columns: make([]Column, 1)})
		for line := range 20_000 {
			s.Texts(1+line, Style{}, rand.Text())
		}
		s.End()
	}
	if err := b.Close(); err == nil || err.Error() != "broken 1" || w.times != 1 {
		t.Errorf("%d writes, the error is %v", w.times, err)
	}
}

// broken is a writer that fails each time.
type broken struct{ times int }

func (b *broken) Write([]byte) (int, error) {
	b.times++
	return 0, fmt.Errorf("broken %d", b.times)
}
