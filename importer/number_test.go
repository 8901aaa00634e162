package importer

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// C1: a whole number of at most 15 digits is read exactly, however a program wrote it.
// A longer one, or one with a fraction, is rejected. The bug it would catch: refusing
// Java's form, or another subscriber's number.
func TestSpelledNumbers(t *testing.T) {
	for _, test := range []struct {
		raw, format, number, reason string
	}{
		{"1.2345678E7", "0", "12345678", ""}, // Java's Double.toString
		{"1.0E7", "0", "10000000", ""},
		{"2.0E7", "00000000", "20000000", ""},
		{"1.2345678E7", "0000000000", "0012345678", ""},
		{"12345678.0", "0", "12345678", ""},
		{"12345678.000", "0", "12345678", ""},
		{"1.2345678e+07", "0", "12345678", ""}, // Go, C
		{"1.2345678E+007", "0", "12345678", ""},
		{"1.2345678E+07", "0", "12345678", ""}, // .NET
		{"+12345678", "0", "12345678", ""},
		{"12345678.", "0", "12345678", ""},
		{".12345678E8", "0", "12345678", ""},
		{"12345678000E-3", "0", "12345678", ""},
		{"0.12345678E8", "0", "12345678", ""},
		{"1.23456E+11", "0", "123456000000", ""},
		{"9.99999999999999E14", "0", "999999999999999", ""},
		{"1.00000000000000E14", "0", "100000000000000", ""},
		{"999999999999999", "0", "999999999999999", ""},
		{"1.0E15", "0", "", "des chiffres ont été perdus"},
		{"1000000000000000", "0", "", "des chiffres ont été perdus"},
		{"1.234567890123456E15", "0", "", "des chiffres ont été perdus"},
		{"1.23456789012346E+17", "0", "", "des chiffres ont été perdus"},
		{"00123456", "0", "", "des chiffres ont été perdus"},
		{"012345.6E1", "0", "", "des chiffres ont été perdus"},
		{"1.23456785E7", "0", "", "numéro d’abonné invalide"},
		{"12345678.5", "0", "", "numéro d’abonné invalide"},
		{"1.2345678E-7", "0", "", "numéro d’abonné invalide"},
		{"1E-300", "0", "", "numéro d’abonné invalide"},
		{"-1.2345678E7", "0", "", "numéro d’abonné invalide"},
		{"0E7", "0", "", "numéro d’abonné invalide"},
		{"1.2345678E7", "11", "", shownReason}, // shows 1.23E+07
		{"1.2345678E7", `"AB"0`, "", shownReason},
	} {
		book := formatted(t, test.format, rowXML(2, `<c r="A2" s="4"><v>`+test.raw+`</v></c>`, "Anne", "a@b.example", "1A", "31/12/2026"))
		r := rowsOf(t, mustOpen(t, "a.xlsx", book.zip(t)))[0]
		if string(r.Space.Number) != test.number || !strings.Contains(r.Reason, test.reason) || (r.Reason == "") != (test.reason == "") {
			t.Errorf("%s shown as %s: number %q, reason %q", test.raw, test.format, r.Space.Number, r.Reason)
		}
	}
}

// A cell of numbers without a number refuses the file.
func TestNoNumbers(t *testing.T) {
	for _, raw := range []string{"abc", "1E", "E7", ".", "1.2.3", "1e5e5", "0x1F", "1_000", "NaN", "INF", "--1", "+-1", "1E+999", "1 2", "1,5", "1E99999999999999999999"} {
		book := goodParts().with(sheetPath, sheetXML(rowXML(2, `<c r="A2"><v>`+raw+`</v></c>`)))
		if _, err := openBytes(t, "a.xlsx", book.zip(t)); err == nil || !strings.Contains(err.Error(), "A2 is said to be a number") {
			t.Errorf("%s: %v", raw, err)
		}
	}
}

// C1: the same holds for a serial number and a SIREN.
func TestSpelledIdentifiers(t *testing.T) {
	book := goodParts().with(sheetPath, sheetXML(rowXML(2, "00123456", "Anne", "a@b.example", `<c r="D2"><v>1.23456789E8</v></c>`, "31/12/2026"))).
		withDossiers(t, rowXML(1, "numéro d'abonné", "siren", "raison sociale", "service")+
			rowXML(2, "00123456", `<c r="B2"><v>1.2345678E8</v></c>`, "Garage")+rowXML(3, "00123456", `<c r="B3" s="3"><v>1.2E7</v></c>`, "Garage"))
	f := mustOpen(t, "a.xlsx", book.zip(t))
	if r := rowsOf(t, f)[0]; r.Space.Certificate.Serial != "123456789" {
		t.Errorf("the row is %+v", r)
	}
	if d := dossiersOf(t, f); d[0].SIREN != "123456780" || !strings.HasPrefix(d[1].Reason, "SIREN invalide") {
		t.Errorf("the dossiers are %+v", d)
	}
}

// R7: serial numbers without any letter are hardly hexadecimal. A few prove nothing, nor do
// those of a list that has others.
func TestDecimalSerials(t *testing.T) {
	const decimal = "1234567890123456789"
	for name, test := range map[string]struct {
		serials []string
		warned  int
	}{
		"decimal":    {[]string{decimal, decimal, "néant", decimal, decimal, decimal, decimal}, 1},
		"few":        {[]string{decimal, decimal, decimal, decimal, decimal}, 0},
		"one of hex": {[]string{decimal, decimal, decimal, decimal, decimal[1:] + "A", decimal, decimal, decimal}, 0},
	} {
		var rows string
		for i, serial := range test.serials {
			rows += rowXML(i+2, fmt.Sprintf("%08d", i), "Anne", "a@b.example", serial, "31/12/2026")
		}
		f := mustOpen(t, "a.xlsx", goodParts().with(sheetPath, sheetXML(rows)).zip(t))
		if len(f.Warnings) != test.warned || test.warned > 0 && !strings.Contains(f.Warnings[0].English, "column D") {
			t.Errorf("%s: %v", name, f.Warnings)
		}
	}
}

// C1: files of programs that write numbers in scientific notation.
func TestExponentNumberFiles(t *testing.T) {
	for name, want := range map[string][2]string{
		"number.xlsx": {"12345678", "2000000001"},
		"padded.xlsx": {"0020000000", "2000000001"},
		"serial.xlsx": {"F0000001", "123456789"},
	} {
		r := rowsOf(t, mustOpen(t, name, fixture(t, "field/exponent-number/"+name)))[0]
		if got := [2]string{string(r.Space.Number), string(r.Space.Certificate.Serial)}; got != want || r.Reason != "" {
			t.Errorf("%s: %q, reason %q, want %q", name, got, r.Reason, want)
		}
	}
}

// D9: a number of too many digits comes back from the verdict workbook as one
// that is rejected again, with every digit that the file had.
func TestLostDigitsComeBack(t *testing.T) {
	book := goodParts().with(sheetPath, sheetXML(rowXML(2, `<c r="A2"><v>1234567890123456789</v></c>`, "Anne", "a@b.example", "1A", "31/12/2026")))
	verdicts := verdictsOf(t, mustOpen(t, "a.xlsx", book.zip(t)))
	if got := sheetRows(t, verdicts, "Abonnés")[1][3]; got != "1.234567890123456789E+18" {
		t.Errorf("the number comes back as %s", got)
	}
	if r := rowsOf(t, mustOpen(t, "b.xlsx", verdicts))[0]; !strings.Contains(r.Reason, "des chiffres ont été perdus") {
		t.Errorf("the row comes back as %+v", r)
	}
}

// R7: dates at the last millisecond of a day, in both calendars; a text says the
// same day.
func TestLastMillisecondFiles(t *testing.T) {
	want := time.Date(2026, 12, 31, 0, 0, 0, 0, time.UTC)
	for _, name := range []string{"d.xlsx", "d1904.xlsx"} {
		r := rowsOf(t, mustOpen(t, name, fixture(t, "field/last-millisecond/"+name)))[0]
		if r.Space.Certificate.Expires != want || r.Reason != "" {
			t.Errorf("%s: %s, reason %q", name, r.Space.Certificate.Expires, r.Reason)
		}
	}
	for text, good := range map[string]bool{"01/01/1988": true, "31/12/1987": false} { // X.509 begins
		if _, err := parseExpiry(text); (err == nil) != good {
			t.Errorf("%s: %v", text, err)
		}
	}
	for _, text := range []string{"31/12/2026", "31/12/2026 23:59:59.999", "2026-12-31T23:59:59.999Z", "2026-12-31 23:59",
		"31/12/2026 0:00", "2026-12-31T23:59:59+01:00", "2026-12-31 23:59:59.999999+01"} {
		if got, err := parseExpiry(text); got != want || err != nil {
			t.Errorf("%s: %s, %v", text, got, err)
		}
	}
}
