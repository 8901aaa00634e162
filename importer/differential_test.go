package importer

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/xuri/excelize/v2"

	"bascule/importer/xlsx"
	"bascule/internal/text"
)

// The reader reads the same from a sound workbook as excelize, cell by cell. The bug it
// would catch: any difference in how texts, numbers or dates are resolved, and any cell
// lost or moved.
func TestReaderAgreesWithExcelize(t *testing.T) {
	for seed := range uint64(40) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			g := generator{rnd: rand.New(rand.NewPCG(seed, 7)), date1904: seed%4 == 3, prefix: []string{"", "x:"}[seed%2]}
			content := g.book().zip(t)
			want := readWithExcelize(t, content, g.date1904)
			got := make(map[string]string)
			for r, err := range mustOpen(t, "a.xlsx", content).rows.all() {
				if err != nil {
					t.Fatal(err)
				}
				for _, c := range r.cells {
					got[xlsx.CellName(c.column, r.line)] = c.text
				}
			}
			if len(got) != len(want) {
				t.Errorf("%d cells, excelize reads %d", len(got), len(want))
			}
			for at, text := range want {
				if got[at] != text {
					t.Errorf("%s is %q, excelize reads %q", at, got[at], text)
				}
			}
		})
	}
}

func readWithExcelize(t *testing.T, content []byte, date1904 bool) map[string]string {
	t.Helper()
	book, err := excelize.OpenReader(bytes.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	defer book.Close()
	rows, err := book.GetRows("Abonnés", excelize.Options{RawCellValue: true})
	if err != nil {
		t.Fatal(err)
	}
	cells := make(map[string]string)
	for i, row := range rows {
		for j, raw := range row {
			at := xlsx.CellName(j+1, i+1)
			if shown := oracle(t, book, at, raw, date1904); text.Trim(shown) != "" {
				cells[at] = shown
			}
		}
	}
	return cells
}

// oracle says in our words what excelize found.
func oracle(t *testing.T, book *excelize.File, at, raw string, date1904 bool) string {
	t.Helper()
	kind, err1 := book.GetCellType("Abonnés", at)
	style, err2 := book.GetCellStyle("Abonnés", at)
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	switch {
	case kind == excelize.CellTypeBool:
		return map[string]string{"1": "VRAI", "0": "FAUX", "TRUE": "VRAI", "FALSE": "FAUX"}[raw]
	case kind != excelize.CellTypeUnset && kind != excelize.CellTypeNumber || raw == "":
		return raw
	}
	value, err := strconv.ParseFloat(raw, 64)
	if err != nil {
		t.Fatal(err)
	}
	switch style {
	case 1, 2:
		day, err := excelize.ExcelDateToTime(value, date1904)
		if err != nil {
			t.Fatal(err)
		}
		if day.Hour()|day.Minute()|day.Second() != 0 {
			return day.Format("02/01/2006 15:04:05")
		}
		return day.Format("02/01/2006")
	case 3:
		shown, err := book.GetCellValue("Abonnés", at)
		if err != nil {
			t.Fatal(err)
		}
		return shown
	}
	return strconv.FormatFloat(value, 'f', -1, 64)
}

// generator makes workbooks with every kind of cell, in random places.
type generator struct {
	rnd      *rand.Rand
	date1904 bool
	prefix   string // of the elements of the sheet
	shared   []string
}

func (g *generator) book() parts {
	var rows strings.Builder
	for line := 2; line < 30; line += 1 + g.rnd.IntN(3) {
		fmt.Fprintf(&rows, `<row r="%d" spans="1:9">`, line)
		for column := 1 + g.rnd.IntN(3); column < 9; column += 1 + g.rnd.IntN(2) {
			rows.WriteString(g.cell(xlsx.CellName(column, line)))
		}
		rows.WriteString("</row>\n")
	}
	sheet := sheetXML(rows.String() + rowXML(40, "00123456", "last"))
	if g.prefix != "" {
		sheet = strings.NewReplacer("</", "</x:", "<?", "<?", "<", "<x:").Replace(sheet)
		sheet = strings.Replace(sheet, "xmlns=", "xmlns:x=", 1)
	}
	p := goodParts().with(sheetPath, sheet)
	var table strings.Builder
	for _, s := range g.shared {
		table.WriteString(s)
	}
	p.with(stringsPart, "<sst "+ns+">"+table.String()+"</sst>")
	if g.date1904 {
		p[mainPart] = strings.Replace(p[mainPart], "<sheets>", `<workbookPr date1904="1"/><sheets>`, 1)
	}
	return p
}

func (g *generator) cell(at string) string {
	switch g.rnd.IntN(10) {
	case 0:
		g.shared = append(g.shared, "<si>"+g.text()+"</si>")
		return fmt.Sprintf(`<c r="%s" t="s"><v>%d</v></c>`, at, g.rnd.IntN(len(g.shared)))
	case 1:
		g.shared = append(g.shared, `<si><r><rPr><b/></rPr>`+g.text()+`</r><r>`+g.text()+`</r><rPh sb="0" eb="1"><t>kana</t></rPh></si>`)
		return fmt.Sprintf(`<c t="s" s="3" r='%s'><v>%d</v></c>`, at, len(g.shared)-1)
	case 2:
		return fmt.Sprintf(`<c r="%s" t="inlineStr"><is>%s</is></c>`, at, g.text())
	case 3:
		return fmt.Sprintf(`<c r="%s" t="str"><f>A1&amp;"x"</f><v>computed %d</v></c>`, at, g.rnd.IntN(100))
	case 4:
		return fmt.Sprintf(`<c r="%s" t="n"><v>%d</v></c>`, at, g.rnd.Int64N(1_000_000_000_000_000))
	case 5:
		return fmt.Sprintf(`<c r="%s"><v>%.4f</v></c>`, at, g.rnd.Float64()*1000)
	case 6:
		return fmt.Sprintf(`<c r="%s" s="%d"><v>%d</v></c>`, at, 1+g.rnd.IntN(2), 61+g.rnd.IntN(60_000))
	case 7:
		return fmt.Sprintf(`<c r="%s" s="1"><v>%d.5</v></c>`, at, 40_000+g.rnd.IntN(10_000))
	case 8:
		return fmt.Sprintf(`<c r="%s" s="3"><v>%d</v></c>`, at, 1+g.rnd.IntN(1_000_000))
	}
	return fmt.Sprintf(`<c r="%s" t="b"><v>%d</v></c>`, at, g.rnd.IntN(2))
}

// text is a <t> with what texts may hold: accents, entities, escapes, blanks.
func (g *generator) text() string {
	pieces := []string{"é", "Ж", "😀", "a", "B", " ", "<", "&", "\"", "'", "_x0041_", "_x005F_x0041_", "_x00", "\n", "]]", "\u00a0", "=1+1"}
	var b strings.Builder
	for range 1 + g.rnd.IntN(6) {
		b.WriteString(pieces[g.rnd.IntN(len(pieces))])
	}
	var escaped bytes.Buffer
	if err := xml.EscapeText(&escaped, []byte(b.String())); err != nil {
		panic(err)
	}
	return `<t xml:space="preserve">` + escaped.String() + "</t>"
}
