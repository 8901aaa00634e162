package importer

import (
	"fmt"
	"strings"
	"testing"
)

// D9: what was rejected and not corrected is rejected again when the verdict workbook
// comes back, whatever was wrong with it. The bug it would catch: a mail to "#REF!".
func TestRejectedAgain(t *testing.T) {
	header := rowXML(1, "numéro d'abonné", "titulaire", "adresse électronique", "numéro de série", "date d'expiration", "émetteur", "priorité")
	for _, test := range []struct{ name, holder, issuer, priority, merged, cell string }{
		{"an error", `<c r="B2" t="e"><v>#REF!</v></c>`, "", "", "", "B2"},
		{"an error as a text", "#NOM?", "", "", "", "B2"},
		{"an error of LibreOffice", "#VALEUR\u00a0!", "", "", "", "B2"},
		{"an error without a name", "Err:502", "", "", "", "B2"},
		{"an error in an optional column", "Anne", "#N/A", "", "", "F2"},
		{"a formula as a text", "=A1&amp;B1", "", "", "", "B2"},
		{"a formula without a value", `<c r="B2"><f>A1</f></c>`, "", "", "", "B2"},
		{"a formula without a value in an optional column", "Anne", `<c r="F2"><f>A1</f></c>`, "", "", "F2"},
		{"a formula without a value for the priority", "Anne", "", `<c r="G2"><f>1</f></c>`, "", "G2"},
		{"merged cells", "Anne", "", "", "E2:F2", "F2"},
		{"merged cells of the header", "Anne", "CN=AC", "", "F1:F2", "F2"},
	} {
		t.Run(test.name, func(t *testing.T) {
			book := goodParts().with(sheetPath, strings.Replace(sheetXML(rowXML(2, "00123456", test.holder, "a@b.example", "1A", "31/12/2026", test.issuer, test.priority)), headerXML, header, 1))
			if test.merged != "" {
				book.replace(t, sheetPath, "</sheetData>", `</sheetData><mergeCells><mergeCell ref="`+test.merged+`"/></mergeCells>`)
			}
			first := mustOpen(t, "a.xlsx", book.zip(t))
			if got := rowsOf(t, first)[0]; got.Cell != test.cell {
				t.Fatalf("the row is %+v", got)
			}
			again := rowsOf(t, mustOpen(t, "b.xlsx", verdictsOf(t, first)))
			if moved := fmt.Sprintf("%c2", test.cell[0]+3); len(again) != 1 || again[0].Cell != moved {
				t.Errorf("it comes back as %+v, want it rejected at %s", again, moved)
			}
		})
	}
}

// D9: a row of a CSV file with too many fields is not accepted when it comes back: its last
// address or date has all that followed. The bug it would catch: a mail to the first of two
// addresses.
func TestTooManyFieldsAgain(t *testing.T) {
	const (
		header = "numéro d'abonné,titulaire,numéro de série,date d'expiration,adresse électronique"
		loose  = "numéro d'abonné,date d'expiration,adresse électronique,titulaire"
	)
	for name, test := range map[string]struct{ header, row, cell, text string }{
		"two addresses":      {header, "00123456,Anne,1A,31/12/2026,a@b.example,c@d.example", "H2", "a@b.example,c@d.example"},
		"with a blank field": {header, "00123456,Anne,1A,31/12/2026,a@b.example,,x", "H2", "a@b.example,,x"},
		"behind a remark":    {header + ",remarque", "00123456,Anne,1A,31/12/2026,a@b.example,c@d.example,x", "H2", "a@b.example,c@d.example,x"},
		"before a holder":    {loose + ",numéro de série", "00123456,31/12/2026,a@b.example,c@d.example,Anne,1A", "F2", "a@b.example,c@d.example,Anne,1A"},
		"before an issuer":   {header + ",émetteur", "00123456,Anne,1A,31/12/2026,a@b.example,CN=AC,O=AC", "H2", "a@b.example,CN=AC,O=AC"},
		"no priority":        {header + ",priorité", "00123456,Anne,1A,31/12/2026,a@b.example,,x", "H2", "a@b.example,,x"},
	} {
		first := mustOpen(t, "a.csv", []byte(test.header+"\n"+test.row+"\n"))
		if got := rowsOf(t, first)[0]; got.Reason == "" {
			t.Fatalf("%s: the row is %+v", name, got)
		}
		book := verdictsOf(t, first)
		if got := sheetRows(t, book, first.Sheet)[1][test.cell[0]-'A']; got != test.text {
			t.Errorf("%s: the last value is %q, want %q", name, got, test.text)
		}
		if again := rowsOf(t, mustOpen(t, "b.xlsx", book)); len(again) != 1 || again[0].Cell != test.cell {
			t.Errorf("%s: it comes back as %+v, want it rejected at %s", name, again, test.cell)
		}
	}
}

// Names that begin with a sign are no errors.
func TestNoErrors(t *testing.T) {
	for _, name := range []string{"#", "#1", "# Société", "#Team", "Err", "A: B", "N/A", "Société #1 !"} {
		if isError(name) {
			t.Errorf("%q is taken for an error", name)
		}
	}
}

// Contract: a verdict names cells as they are called in its own workbook, those behind
// the header's last column too.
func TestCellsOfVerdicts(t *testing.T) {
	f := mustOpen(t, "a.csv", []byte(csvHeader+"00123456;Anne;a@b.example;1;31/12/2026;x\n00123457;Anne;a@b.example;;;x\n"))
	rows := sheetRows(t, verdictsOf(t, f), f.Sheet)
	if rows[1][2] != "I2" || rows[2][2] != "G3" || !strings.Contains(rows[2][1], "\u00a0; H3\u00a0: ") || !strings.Contains(rows[2][1], "\u00a0; I3\u00a0: ") {
		t.Errorf("the verdicts are %q and %q", rows[1][:3], rows[2][:3])
	}
}
