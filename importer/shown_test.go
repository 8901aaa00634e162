package importer

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"
)

const (
	shownReason    = "nombre affiché avec un format particulier"
	formulaMessage = "formule\u00a0: remplacez-la par sa valeur"
)

// formatted is a workbook whose style 4 has that number format: a code, or the
// number of a built-in one.
func formatted(t testing.TB, format string, rows string) parts {
	t.Helper()
	p := goodParts().with(sheetPath, sheetXML(rows))
	id := format
	if strings.Trim(format, "0123456789") != "" || len(format) > 2 {
		id = "166"
		code := strings.NewReplacer("&", "&amp;", `"`, "&quot;", "<", "&lt;").Replace(format)
		p.replace(t, stylesPart, "</numFmts>", `<numFmt numFmtId="166" formatCode="`+code+`"/></numFmts>`)
	}
	return p.replace(t, stylesPart, "</cellXfs>", `<xf numFmtId="`+id+`"/></cellXfs>`)
}

// C1: the import takes a number in a column of identifiers as it is shown. A number
// shown as something else is rejected. The bug it would catch: another subscriber than
// the one that the administrator sees.
func TestShownIsTaken(t *testing.T) {
	for _, test := range []struct{ format, raw, want string }{
		{"0", "123456", "123456"},
		{"1", "123456", "123456"},
		{"3", "123456", "123456"},
		{"4", "123456", "123456"},
		{"38", "123456", "123456"},
		{"43", "123456", "123456"},
		{"49", "123456", "123456"},
		{"#,##0", "1234567", "1234567"},
		{"# ##0.00", "1234567", "1234567"},
		{"00000000", "123456", "00123456"},
		{"00000000", "123456.0", "00123456"},
		{"00000000.00", "123456", "00123456"},
		{"00,000,000", "123456", "00123456"},
		{`00" "00" "00" "00`, "123456", "00123456"},
		{`"AB"000000`, "123456", ""},
		{`\A00000000`, "123456", ""},
		{`00000000"X"`, "123456", ""},
		{"00-00-00-00", "123456", ""},
		{"00.00.00.00", "123456", ""},
		{"#,##0,", "123456789", ""},
		{"0%", "123456", ""},
		{";;;", "123456", ""},
		{"9", "123456", ""},
		{"11", "123456", ""},
		{"12", "123456", ""},
		{"44", "123456", ""},
		{"46", "123456", ""},
		{"23", "123456", ""},
		{"14", "123456789", ""}, // no date: ########
	} {
		number := fmt.Sprintf(`<c r="A2" s="4"><v>%s</v></c>`, test.raw)
		serial := fmt.Sprintf(`<c r="D3" s="4"><v>%s</v></c>`, test.raw)
		rows := rowsOf(t, mustOpen(t, "a.xlsx", formatted(t, test.format,
			rowXML(2, number, "Anne", "a@b.example", "1A", "31/12/2026")+rowXML(3, "00123457", "Paul", "p@b.example", serial, "31/12/2026")).zip(t)))
		for i, column := range []string{"A2", "D3"} {
			rejected := strings.HasPrefix(rows[i].Reason, shownReason) && rows[i].Cell == column
			if rejected != (test.want == "") || !rejected && rows[i].Reason != "" {
				t.Errorf("%s of %s at %s: rejected at %q, reason %q", test.format, test.raw, column, rows[i].Cell, rows[i].Reason)
			}
		}
		if got := string(rows[0].Space.Number); got != test.want {
			t.Errorf("%s of %s: the number is %q, want %q", test.format, test.raw, got, test.want)
		}
		if got, want := string(rows[1].Space.Certificate.Serial), strings.TrimLeft(test.want, "0"); got != want {
			t.Errorf("%s of %s: the serial number is %q, want %q", test.format, test.raw, got, want)
		}
	}
}

// C1, R8: a SIREN counts as an identifier too.
func TestShownSIREN(t *testing.T) {
	book := formatted(t, `"A"000000000`, goodRows)
	book.withDossiers(t, rowXML(1, "numéro d'abonné", "siren", "raison sociale", "service")+
		rowXML(2, "00123456", `<c r="B2" s="4"><v>123456789</v></c>`, `<c r="C2" s="4"><v>42</v></c>`)+
		rowXML(3, "00123457", "123456789", "Garage", `<c r="D3"><f>A1</f><v/></c>`))
	rows := dossiersOf(t, mustOpen(t, "a.xlsx", book.zip(t)))
	if got := rows[0]; got.Cell != "Dossiers!B2" || !strings.HasPrefix(got.Reason, shownReason) || got.Company != "42" {
		t.Errorf("the dossier is %+v", got)
	}
	if got := rows[1]; got.Cell != "Dossiers!D3" || got.Reason != formulaMessage {
		t.Errorf("the dossier is %+v", got)
	}
}

// D9, I7: a number that was rejected for what it shows is not taken when it
// comes back uncorrected in the verdict workbook; other columns keep their texts.
func TestShownOtherwiseComesBack(t *testing.T) {
	book := formatted(t, `"AB"000000`, "")
	book.with(sheetPath, "<worksheet "+ns+"><sheetData>"+rowXML(1, `<c r="A1" s="4"><v>2026</v></c>`)+
		rowXML(2, "numéro d'abonné", "titulaire", "adresse électronique", "numéro de série", "date d'expiration")+
		rowXML(3, `<c r="A3" s="4"><v>123456</v></c>`, `<c r="B3" s="4"><v>42</v></c>`, "a@b.example",
			`<c r="D3" s="4"><v>100000</v></c>`, "31/12/2026", `<c r="F3" s="4"><v>7</v></c>`)+"</sheetData></worksheet>")
	verdicts := verdictsOf(t, mustOpen(t, "a.xlsx", book.zip(t)))
	if got := sheetRows(t, verdicts, "Abonnés"); got[0][3] != "2026" || got[2][4] != "42" || got[2][8] != "7" || got[2][2] != "D3" || !strings.Contains(got[2][1], "; G3\u00a0:") {
		t.Errorf("the rows come back as %q", got)
	}
	rows := rowsOf(t, mustOpen(t, "b.xlsx", verdicts))
	if len(rows) != 1 || strings.Count(rows[0].Reason, "des chiffres ont été perdus") != 2 {
		t.Errorf("the rows come back as %+v", rows)
	}
}

// C1: a formula in a required column is named as a formula, whatever its value. A
// formula without a value is named in an optional column, too: its value would be lost.
func TestFormulas(t *testing.T) {
	book := goodParts().replace(t, sheetPath, headerXML, rowXML(1, "numéro d'abonné", "titulaire", "adresse électronique", "numéro de série", "date d'expiration", "émetteur", "note"))
	sound := []string{"00123458", "Zoé", "zoe@exemple.example", "1D", "31/12/2026", "CN=AC", "x"}
	for _, test := range []struct{ at, content, reason string }{
		{"A4", `<f>B4</f><v></v>`, formulaMessage},
		{"A4", `<f>B4</f><v/>`, formulaMessage},
		{"A4", `<f>B4</f>`, formulaMessage},
		{"B4", `<f>B4</f><v></v>`, formulaMessage},
		{"C4", `<f t="shared" si="0"/><v></v>`, formulaMessage},
		{"E4", `<f>B4</f><v></v>`, formulaMessage},
		{"E4", `<f>B4</f><v>46387</v>`, formulaMessage},
		{"F4", `<f>B4</f><v></v>`, formulaMessage},
		{"F4", `<f>B4</f>`, formulaMessage},
		{"F4", `<f>B4</f><v>12</v>`, ""},
		{"G4", `<f>B4</f><v></v>`, ""},
		{"G4", `<f>B4</f>`, ""},
		{"B4 str", `<f>B4</f><v></v>`, formulaMessage},
		{"F4 str", `<f>B4</f><v>CN=AC</v>`, ""},
		{"F4 str", `<f>IF(A1="","","x")</f><v></v>`, ""}, // computed: an empty text
		{"F4 str", `<f>B4</f>`, formulaMessage},
		{"F4", `<v></v>`, ""},
	} {
		at, kind, typed := strings.Cut(test.at, " ")
		cells := slices.Clone(sound)
		cells[at[0]-'A'] = `<c r="` + at + `">` + test.content + `</c>`
		if typed {
			cells[at[0]-'A'] = `<c r="` + at + `" t="` + kind + `">` + test.content + `</c>`
		}
		sheet := strings.Replace(book[sheetPath], "</sheetData>", rowXML(4, cells...)+"</sheetData>", 1)
		rows := rowsOf(t, mustOpen(t, "a.xlsx", maps.Clone(book).with(sheetPath, sheet).zip(t)))
		want := at
		if test.reason == "" {
			want = ""
		}
		if last := rows[2]; last.Cell != want || last.Reason != test.reason {
			t.Errorf("%s %s: rejected at %q, reason %q, want %q", test.at, test.content, last.Cell, last.Reason, test.reason)
		}
	}
}

// C1: a row in which formulas were dragged down and show nothing is blank, and
// widens nothing; one that was never computed is no blank row.
func TestRowsOfFormulas(t *testing.T) {
	empty := func(at string) string { return `<c r="` + at + `" t="str"><f>IF(1,"")</f><v></v></c>` }
	never := func(at string) string { return `<c r="` + at + `"><f>Z1</f><v></v></c>` }
	f := mustOpen(t, "a.xlsx", goodParts().with(sheetPath, sheetXML(goodRows+rowXML(4, empty("A4"), empty("B4"))+rowXML(5, empty("A5"), "", "", "", "", empty("F5"))+
		rowXML(6, never("G6"))+rowXML(7, empty("A7"), never("B7"), never("H7"))+rowXML(8, "", "", "", "", "", never("F8")))).zip(t))
	rows := rowsOf(t, f)
	if len(rows) != 3 || rows[2].Line != 7 || !strings.HasPrefix(rows[2].Reason, formulaMessage) {
		t.Errorf("rows are %+v", rows)
	}
	if f.rows.right != 5 {
		t.Errorf("the sheet is %d columns wide, want 5", f.rows.right)
	}
}

// C1: in CSV a required cell that begins as a formula is one; other columns
// keep their text.
func TestFormulasInCSV(t *testing.T) {
	header := strings.Replace(csvHeader, "\n", ";émetteur;=note\n", 1)
	for _, test := range []struct{ line, cell string }{
		{"00123456;Anne;a@b.example;0A;31/12/2026;=CN;=1+1", ""},
		{"00123456;=1+1;a@b.example;0A;31/12/2026;;", "B2"},
		{"00123456;\"=\"\"Anne\"\"\";a@b.example;0A;31/12/2026;;", "B2"},
		{"00123456; \u00a0=Anne;a@b.example;0A;31/12/2026;;", "B2"},
		{"00123456;Anne = Zoé;a@b.example;0A;31/12/2026;;", ""},
		{"=\"00123456\";Anne;a@b.example;0A;31/12/2026;;", "A2"},
		{"00123456;Anne;=a@b.example;0A;31/12/2026;;", "C2"},
		{"00123456;Anne;a@b.example;=0A;31/12/2026;;", "D2"},
		{"00123456;Anne;a@b.example;0A;=31/12/2026;;", "E2"},
	} {
		f := mustOpen(t, "a.csv", []byte(header+test.line+"\n"))
		r := rowsOf(t, f)[0]
		if r.Cell != test.cell || (r.Reason == formulaMessage) != (test.cell != "") {
			t.Errorf("%s: rejected at %q, reason %q", test.line, r.Cell, r.Reason)
		}
		if test.cell == "" && (sheetRows(t, verdictsOf(t, f), "a")[0][9] != "=note" || r.Space.Holder == "") {
			t.Errorf("%s: read as %+v", test.line, r)
		}
	}
}

// C1: any number of rows above the header is skipped, in any format and with any
// delimiter. The verdict workbook shows them.
func TestHeaderFarDown(t *testing.T) {
	const above = 4_000 // beyond a megabyte of text
	var text, sheet strings.Builder
	long := mixed(250)
	for i := range above {
		fmt.Fprintf(&text, "Export du 3 mars ; service des abonnés ; %250d\n", i)
		sheet.WriteString(rowXML(i+1, "Export "+long[:200+i%50], "page"))
	}
	lines := text.String() + csvHeader + goodLine
	commas := text.String() + strings.ReplaceAll(csvHeader+goodLine, ";", ",")
	sheet.WriteString(rowXML(above+1, "numéro d'abonné", "titulaire", "adresse électronique", "numéro de série", "date d'expiration"))
	sheet.WriteString(rowXML(above+2, "00123456", "Anne", "anne@exemple.example", "0A", "31/12/2026"))
	book := mustOpen(t, "a.xlsx", goodParts().with(sheetPath, strings.Replace(sheetXML(sheet.String()), headerXML, "", 1)).zip(t))
	for name, f := range map[string]*File{
		"a.csv":  mustOpen(t, "a.csv", []byte(lines)),
		"b.csv":  mustOpen(t, "b.csv", []byte(commas)),
		"c.csv":  mustOpen(t, "c.csv", inUTF16([]byte(commas), false, true)),
		"a.xlsx": book,
	} {
		rows := rowsOf(t, f)
		if len(rows) != 1 || rows[0].Line != above+2 || rows[0].Reason != "" || rows[0].Space.Certificate.Expires.Format(time.DateOnly) != "2026-12-31" {
			t.Errorf("%s: rows are %+v", name, rows)
		}
	}
	verdicts := sheetRows(t, verdictsOf(t, book), "Abonnés")
	if len(verdicts) != above+2 || verdicts[0][4] != "page" || verdicts[above+1][0] != "accepté" {
		t.Errorf("%d rows in the verdict workbook", len(verdicts))
	}
}
