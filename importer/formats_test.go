package importer

import (
	"bytes"
	"encoding/csv"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/google/go-cmp/cmp"
	"github.com/xuri/excelize/v2"
	"golang.org/x/text/encoding/charmap"

	"bascule/importer/xlsx"
	"bascule/internal/conversion"
	"bascule/internal/text"
	"bascule/sql"
)

var update = flag.Bool("update", false, "write testdata anew")

// list is one content in the words of Windows-1252, so that every format can hold it.
var list = [][]string{
	{"numéro d'abonné", "titulaire", "adresse électronique", "numéro de série", "émetteur", "date d'expiration", "Remarque"},
	{"00123456", "Amélie Cœurdevey", "amelie@exemple.example", "0a:1b:2c", "CN=AC, O=Société « Œil »", "31/12/2026", "à relancer"},
	{"AB12345678", "Jean \"Le Grand\" Müller", "j.muller@exemple.example", "0xFF 01", "", "01/03/2027", "ligne 1\nligne 2"},
	{"123456789012345", "Noël, Paul ; fils", "Paul.Noel@Exemple.example", "10", "CN=AC2", "29/02/2028", ""},
	{"123", "", "pas une adresse", "xyz", "", "hier", "rejetée"},
}

// The same content gives the same rows, from any program and in any format (contract:
// columns by name, dates, encodings). The bug it would catch: any of the readers seeing
// another value than the others.
func TestSameContentInEveryFormat(t *testing.T) {
	want := rowsOf(t, mustOpen(t, "a.xlsx", excelizeList(t, list)))
	if len(want) != 4 || want[0].Reason != "" || want[2].Reason != "" || want[3].Reason == "" {
		t.Fatalf("the list is not read as meant: %+v", want)
	}
	text := csvList(t, list, ';')
	for name, content := range map[string][]byte{
		"raw.xlsx":          goodParts().with(sheetPath, rawList()).zip(t),
		"strict.xlsx":       strictList(t).zip(t),
		"utf8.csv":          text,
		"bom.csv":           append([]byte("\ufeff"), text...),
		"comma.csv":         csvList(t, list, ','),
		"tab.txt":           csvList(t, list, '\t'),
		"hint.csv":          append([]byte("sep=;\r\n"), text...),
		"crlf.csv":          crlf(text),
		"utf16le.csv":       inUTF16(text, false, true),
		"utf16be.csv":       inUTF16(text, true, true),
		"utf16le-plain.csv": inUTF16(text, false, false),
		"utf16be-plain.csv": inUTF16(text, true, false),
		"windows-1252.csv":  inWindows1252(t, text),
		"libreoffice.xlsx":  fixture(t, "libreoffice.xlsx"),
		"libreoffice.csv":   fixture(t, "libreoffice.csv"),
	} {
		t.Run(name, func(t *testing.T) {
			got := rowsOf(t, mustOpen(t, name, content))
			if diff := cmp.Diff(want, got, compareEmails); diff != "" {
				t.Error(diff)
			}
		})
	}
}

var compareEmails = cmp.Comparer(func(a, b conversion.Email) bool { return a == b })

// The order of the columns does not count, nor does what stands above the header.
func TestReorderedColumns(t *testing.T) {
	order := []int{6, 5, 3, 2, 0, 4, 1}
	moved := [][]string{{"Export du 3 mars"}, {}}
	for _, row := range list {
		var r []string
		for _, i := range order {
			r = append(r, row[i])
		}
		moved = append(moved, r)
	}
	want := rowsOf(t, mustOpen(t, "a.xlsx", excelizeList(t, list)))
	got := rowsOf(t, mustOpen(t, "b.xlsx", excelizeList(t, moved)))
	for i := range got {
		if got[i].Line != want[i].Line+2 || got[i].Space.Holder != want[i].Space.Holder || got[i].Space.Certificate != want[i].Space.Certificate {
			t.Errorf("row %+v, want %+v", got[i], want[i])
		}
	}
	if len(got) != len(want) || got[3].Cell != "E7" {
		t.Errorf("%d rows, the last one blamed at %s", len(got), got[3].Cell)
	}
}

// excelizeList writes a list as excelize saves it: shared strings, and real
// dates where the text is a date.
func excelizeList(t testing.TB, rows [][]string) []byte {
	t.Helper()
	book := excelize.NewFile()
	defer book.Close()
	french := "dd/mm/yyyy"
	style, err := book.NewStyle(&excelize.Style{CustomNumFmt: &french})
	if err != nil {
		t.Fatal(err)
	}
	for i, row := range rows {
		for j, text := range row {
			at := xlsx.CellName(j+1, i+1)
			// excelize escapes what looks like an escape in streamed cells only.
			err := book.SetCellStr("Sheet1", at, strings.ReplaceAll(text, "_x000D_", "_x005F_x000D_"))
			if day, bad := time.Parse("02/01/2006", text); bad == nil {
				err = errors.Join(book.SetCellValue("Sheet1", at, day), book.SetCellStyle("Sheet1", at, at, style))
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	var b bytes.Buffer
	if err := book.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func rawList() string {
	var b strings.Builder
	for i, row := range list {
		escaped := make([]string, len(row))
		for j, text := range row {
			escaped[j] = strings.NewReplacer("&", "&amp;", "<", "&lt;", "\n", "&#10;").Replace(text)
		}
		b.WriteString(rowXML(i+1, escaped...))
	}
	return strings.Replace(sheetXML(b.String()), headerXML, "", 1)
}

// strictList is the list in the ISO variant of the format, with ISO dates.
func strictList(t testing.TB) parts {
	t.Helper()
	p := goodParts().with(sheetPath, rawList())
	p.replace(t, sheetPath, `<c r="F2" t="inlineStr"><is><t>31/12/2026</t></is></c>`, `<c r="F2" t="d"><v>2026-12-31T00:00:00</v></c>`)
	for name, content := range p {
		content = strings.ReplaceAll(content, "http://schemas.openxmlformats.org/spreadsheetml/2006/main", "http://purl.oclc.org/ooxml/spreadsheetml/main")
		p[name] = strings.ReplaceAll(content, relURL, "http://purl.oclc.org/ooxml/officeDocument/relationships")
	}
	return p
}

func csvList(t testing.TB, rows [][]string, delimiter rune) []byte {
	t.Helper()
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	w.Comma = delimiter
	if err := w.WriteAll(rows); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func crlf(text []byte) []byte { return bytes.ReplaceAll(text, []byte("\n"), []byte("\r\n")) }

func inUTF16(text []byte, big, mark bool) []byte {
	s := string(text)
	if mark {
		s = "\ufeff" + s
	}
	var b []byte
	for _, u := range utf16.Encode([]rune(s)) {
		if big {
			b = append(b, byte(u>>8), byte(u))
		} else {
			b = append(b, byte(u), byte(u>>8))
		}
	}
	return b
}

func inWindows1252(t testing.TB, text []byte) []byte {
	t.Helper()
	b, err := charmap.Windows1252.NewEncoder().Bytes(text)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// fixture is a file that LibreOffice saved of the list: with -update the list is
// written beside it as excelize-list.xlsx, to be converted by hand with
//
//	soffice --headless --convert-to xlsx:"Calc MS Excel 2007 XML" and --convert-to csv:"Text - txt - csv (StarCalc)":59,34,76
func fixture(t testing.TB, name string) []byte {
	t.Helper()
	if *update {
		if err := os.WriteFile(filepath.Join("testdata", "excelize-list.xlsx"), excelizeList(t, list), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	content, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// Header names are found in French and English, whatever the case, accents,
// apostrophes, blanks and punctuation (contract).
func TestHeaderNames(t *testing.T) {
	for want, names := range map[field][]string{
		fieldNumber:   {"numéro d'abonné", "NUMERO D’ABONNE", " Numéro  d'abonné : ", "N° d'abonné", "nº abonné", "№ d'abonné", "Subscriber number", "subscriber_number", "Nume\u0301ro d\u02bcabonne\u0301"},
		fieldHolder:   {"Titulaire", "HOLDER", "nom du titulaire"},
		fieldEmail:    {"adresse électronique", "E-mail", "Courriel", "Adresse e-mail", "EMAIL", "e‑mail"},
		fieldSerial:   {"numéro de série", "N° de série", "N° série", "№ série", "NUMERO_SERIE", "Serial Number", "serial-number"},
		fieldIssuer:   {"Émetteur", "emetteur", "Issuer"},
		fieldExpiry:   {"date d'expiration", "Date d\u00a0'expiration", "Expiry date", "Date d'expiration du certificat"},
		fieldPriority: {"priorité", "Priority", "PRIORITE"},
	} {
		for _, name := range names {
			l := matchHeader(row{line: 1, cells: []cell{{column: 3, text: name}}}, subscriberHeadings)
			if l.columns[want] != 3 || l.found() != 1 {
				t.Errorf("%q is not %s: %v", name, subscriberHeadings[want].name, l.columns)
			}
		}
	}
	for _, name := range []string{"", "nom", "numéro", "date", "abonné", "série", "adresse", "siren"} {
		if l := matchHeader(row{cells: []cell{{column: 1, text: name}}}, subscriberHeadings); l.found() != 0 {
			t.Errorf("%q is taken for a column", name)
		}
	}
}

// No name means two columns.
func TestHeaderNamesAreUnambiguous(t *testing.T) {
	for _, headings := range [][]heading{subscriberHeadings, dossierHeadings} {
		seen := make(map[string]string)
		for _, h := range headings {
			for _, name := range append([]string{text.Fold(h.name)}, h.names...) {
				if name != text.Fold(name) {
					t.Errorf("%q is not folded", name)
				}
				if seen[name] != "" || slices.Contains(verdictHeadings, name) {
					t.Errorf("%q means %s and %s", name, seen[name], h.name)
				}
				seen[name] = h.name
			}
		}
	}
}

// D9: the columns that a verdict workbook added are verdict, motif and cellule side by
// side, and no more. Other columns are the administrator's own.
func TestAddedColumns(t *testing.T) {
	header := rowXML(1, "numéro d'abonné", "titulaire", "adresse électronique", "numéro de série", "date d'expiration", "verdict", "motif", "cellule", "motif")
	judged := rowXML(2, "00123456", "Anne", "a@b.example", "1A", "31/12/2026", "accepté", "", "", "bon client") +
		`<row r="3"><c r="F3" t="inlineStr"><is><t>rejeté</t></is></c></row>` // all but the verdict was deleted
	f := mustOpen(t, "a.xlsx", goodParts().with(sheetPath, strings.Replace(sheetXML(judged), headerXML, header, 1)).zip(t))
	if rows := rowsOf(t, f); len(rows) != 1 || f.rows.layout.added != 6 {
		t.Errorf("added from column %d on, rows %+v", f.rows.layout.added, rows)
	}
	if got := sheetRows(t, verdictsOf(t, f), "Abonnés")[1]; got[8] != "bon client" {
		t.Errorf("the row comes back as %q", got)
	}
	apart := row{cells: []cell{{column: 1, text: "verdict"}, {column: 3, text: "motif"}, {column: 4, text: "cellule"}}}
	if got := findAdded(apart); got != 0 {
		t.Errorf("columns that stand apart are taken for added ones, from %d on", got)
	}
}

// C1: digits count in numbers by which a subscriber, a certificate or a company
// is known, and in no other column of either sheet.
func TestIdentifiers(t *testing.T) {
	var got []string
	for _, h := range slices.Concat(subscriberHeadings, dossierHeadings) {
		if h.identifier {
			got = append(got, h.name)
		}
	}
	if diff := cmp.Diff([]string{"numéro d'abonné", "numéro de série", "numéro d'abonné", "siren"}, got); diff != "" {
		t.Error(diff)
	}
}

// The sheet is the first visible one that has the header row; a word warns of
// the sheets, rows and columns that people do not see (contract).
func TestSheetChoice(t *testing.T) {
	book := excelize.NewFile()
	defer book.Close()
	put := func(sheet string, rows ...[]string) {
		if _, err := book.NewSheet(sheet); err != nil {
			t.Fatal(err)
		}
		for i, row := range rows {
			if err := book.SetSheetRow(sheet, xlsx.CellName(1, i+1), &row); err != nil {
				t.Fatal(err)
			}
		}
	}
	put("Notes", []string{"Titulaire"}, []string{"rien ici"})
	put("Cachée", list...)
	put("Dossiers", []string{"N° d'abonné", "SIREN", "Raison sociale", "Service"},
		[]string{"00123456", "123 456 789", "Garage", "TVA"}, []string{"AB12345678", "12", "", ""}, []string{"?", "123456789", "X", ""})
	put("Données", list...)
	put("Copie", list...)
	err := errors.Join(book.SetSheetVisible("Cachée", false), book.SetRowVisible("Données", 3, false), book.SetColVisible("Données", "C", false),
		book.SetColVisible("Données", "G", false))
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := book.Write(&b); err != nil {
		t.Fatal(err)
	}
	f := mustOpen(t, "a.xlsx", b.Bytes())
	if rows := rowsOf(t, f); f.Sheet != "Données" || len(rows) != 4 || rows[0].Warning != "" || !strings.Contains(rows[1].Warning, "masquée") {
		t.Errorf("sheet %s, rows %+v", f.Sheet, rows)
	}
	var warnings []string
	for _, w := range f.Warnings {
		warnings = append(warnings, w.English)
	}
	for _, want := range []string{`"Cachée" is hidden`, `column C (adresse électronique)`, `"Copie" has the columns too`, "ignored: 1, the first at Dossiers!A4"} {
		if !strings.Contains(strings.Join(warnings, "\n"), want) {
			t.Errorf("no warning %q in %q", want, warnings)
		}
	}
	if len(warnings) != 4 {
		t.Errorf("warnings: %q", warnings)
	}
	dossiers := dossiersOf(t, f)
	want := []sql.DossierRow{
		{Line: 2, Number: "00123456", SIREN: "123456789", Company: "Garage", Service: "TVA"},
		{Line: 3, Number: "AB12345678", Cell: "Dossiers!B3"},
		{Line: 4, SIREN: "123456789", Company: "X", Cell: "Dossiers!A4"},
	}
	for i := range dossiers {
		if (dossiers[i].Reason == "") != (want[i].Cell == "") {
			t.Errorf("dossier %d has the reason %q", i, dossiers[i].Reason)
		}
		dossiers[i].Reason = ""
	}
	if diff := cmp.Diff(want, dossiers); diff != "" {
		t.Error(diff)
	}
}

// Cells merged downwards stand for each row, unless another value is below them; blank rows
// are no rows (contract).
func TestMergedAndBlankRows(t *testing.T) {
	book := goodParts().with(sheetPath, strings.Replace(sheetXML(
		rowXML(2, "00123456", "Anne", "commun@exemple.example", "1A", "31/12/2026", "2B")+
			rowXML(3, "00123457", "Paul", "", "1B", "31/12/2026")+
			rowXML(4, "", " ", "\u00a0")+
			rowXML(6, "00123458", "Zoé", `<c r="C6" t="inlineStr"><is><t>oubli@exemple.example</t></is></c>`, "1C", "31/12/2026")+
			rowXML(9, "00123459", "Max", "", "1D", "31/12/2026")+ // row 8, where its merged cell begins, is blank
			rowXML(900, "", "")), "</sheetData>", `</sheetData><mergeCells><mergeCell ref="C2:C6"/><mergeCell ref="C8:C9"/><mergeCell ref="F2:H9"/></mergeCells>`, 1))
	rows := rowsOf(t, mustOpen(t, "a.xlsx", book.zip(t)))
	var got []string
	for _, r := range rows {
		got = append(got, fmt.Sprint(r.Line, " ", r.Space.Contact, r.Reason))
	}
	want := []string{"2 commun@exemple.example", "3 commun@exemple.example", "6 cellule fusionnée ou sous un titre fusionné : séparez les cellules, et laissez dans chacune la valeur qui compte", "9 adresse électronique manquante"}
	if !slices.Equal(got, want) {
		t.Errorf("rows %q, want %q", got, want)
	}
}

// A cell means what its spreadsheet program shows.
func TestCellValues(t *testing.T) {
	book := goodParts().with(sheetPath, sheetXML(
		rowXML(2, `<c r="A2"><v>123456</v></c>`, `<c r="B2" t="s"><v>0</v></c>`, " a@b.example\u00a0", `<c r="D2"><v>123456</v></c>`, `<c r="E2" s="1"><v>46387</v></c>`)+
			rowXML(3, `<c r="A3" s="3"><v>12345</v></c>`, `<c r="B3" t="s"><v>1</v></c>`, "a@b.example", "0x00ff", `<c r="E3" s="2"><v>46387.75</v></c>`)+
			rowXML(4, `<c r="A4"><v>123456.0</v></c>`, "A_x000D_\nB", "a@b.example", "1E5", "2026-12-31 00:00:00")+
			rowXML(5, `<c r="A5" t="str"><v>AB1234</v></c>`, "<![CDATA[A & B]]>", "a@b.example", "1:F", "1/3/2027")))
	want := []sql.ImportRow{
		space(2, "123456", "Zoé Partagée", "123456", "2026-12-31"),
		space(3, "00012345", "Jean Riche", "ff", "2026-12-31"),
		space(4, "123456", "A B", "1e5", "2026-12-31"),
		space(5, "AB1234", "A & B", "1f", "2027-03-01"),
	}
	if diff := cmp.Diff(want, rowsOf(t, mustOpen(t, "a.xlsx", book.zip(t))), compareEmails); diff != "" {
		t.Error(diff)
	}
}

func space(line int, number, holder, serial, day string) sql.ImportRow {
	email, _ := conversion.ParseEmail("a@b.example")
	expires, _ := time.Parse(time.DateOnly, day)
	return sql.ImportRow{Line: line, Space: conversion.Space{
		Number: conversion.SubscriberNumber(number), Holder: holder, Contact: email, Access: conversion.AccessCertificate,
		Certificate: conversion.Certificate{Serial: conversion.SerialNumber(serial), Expires: expires},
	}}
}

// 1904 workbooks count days from another day.
func TestDates1904(t *testing.T) {
	book := goodParts().replace(t, mainPart, "<sheets>", `<workbookPr date1904="true"/><sheets>`).
		with(sheetPath, sheetXML(rowXML(2, "00123456", "A", "a@b.example", "1", `<c r="E2" s="2"><v>44925</v></c>`)))
	rows := rowsOf(t, mustOpen(t, "a.xlsx", book.zip(t)))
	if got := rows[0].Space.Certificate.Expires.Format(time.DateOnly); got != "2026-12-31" {
		t.Errorf("the certificate expires %s", got)
	}
}

// Rows of a CSV file that are too short have empty cells; those that are too
// long are rejected, for an unquoted delimiter has shifted their values.
func TestRaggedCSV(t *testing.T) {
	padded := strings.ReplaceAll("\""+strings.ReplaceAll(csvHeader+strings.TrimSpace(goodLine), ";", "\";\"")+"\"", "\n", "\"\n\"")
	for _, end := range []string{"", " ", "  \n", " \r\n", " \n\x1a"} {
		f := mustOpen(t, "a.csv", []byte(strings.ReplaceAll(padded, "\";", "\"  ;")+end))
		if rows := rowsOf(t, f); len(rows) != 1 || rows[0].Reason != "" {
			t.Errorf("blanks behind quotes, %q: %+v", end, rows)
		}
	}
	f := mustOpen(t, "a.csv", []byte("Export;;\n\n"+csvHeader+"00123456;Anne\n\n"+goodLine+"00123457;Anne;Marie;a@b.example;1;31/12/2026\n"+
		"00123458;Anne;a@b.example;1;31/12/2026;;;\n00123459;Anne;a@b.example;1;31/12/2026;;suite\n00123460;Anne;a@b.example;1;31/12/2026;x\n"))
	var got []string
	for _, r := range rowsOf(t, f) {
		got = append(got, fmt.Sprint(r.Line, r.Cell))
	}
	if want := []string{"4C4", "6", "7C7", "8", "9G9", "10F10"}; !slices.Equal(got, want) {
		t.Errorf("rows %q, want %q", got, want)
	}
}
