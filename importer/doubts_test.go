package importer

import (
	"fmt"
	"strings"
	"testing"
)

// C1: whoever imports a list with several addresses knows which of them is mailed.
func TestOtherAddresses(t *testing.T) {
	for header, want := range map[string]string{
		"note":                            "",
		"Nouvelle adresse électronique":   "column F (Nouvelle adresse électronique) is not read: addresses are taken from column C",
		"Adresse électronique (ancienne)": "column F (Adresse électronique (ancienne)) is not read",
		"E-mail 2":                        "column F (E-mail 2) is not read",
		"Adresse postale":                 "",
	} {
		f := mustOpen(t, "a.csv", []byte(strings.TrimSuffix(csvHeader, "\n")+";"+header+"\n00123456;Anne;a@b.example;1A;31/12/2026;x\n"))
		if (len(f.Warnings) == 1) != (want != "") || want != "" && !strings.Contains(f.Warnings[0].English, want) {
			t.Errorf("%s: %v", header, f.Warnings)
		}
	}
}

// C1: a list whose dates a program of another language exchanged, or left as they were.
func TestExchangedDates(t *testing.T) {
	const number = `<c r="E%d" s="1"><v>%d</v></c>`
	typed := func(dates ...string) []string { return dates }
	several := func(n int, date string, serial int) (dates []string) {
		for range n {
			dates = append(dates, date, fmt.Sprintf(number, 2+len(dates)+1, serial)) // 46481 is 04/04/2027, 46479 02/04/2027
		}
		return dates
	}
	for name, test := range map[string]struct {
		dates []string
		at    string
	}{
		"American":                {typed("12/31/2026", "01/15/2027 00:00", "02/03/2027"), "E4"},
		"American, left as texts": {typed("12/31/2026", fmt.Sprintf(number, 3, 46479)), "E3"},
		"American, of both kinds": {typed("12/31/2026", fmt.Sprintf(number, 3, 46479), "02/03/2027"), "E3"},
		"exchanged":               {several(5, "31/12/2026", 46479), "E3"},
		"few exchanged":           {several(4, "31/12/2026", 46479), ""},
		"day and month alike":     {several(5, "31/12/2026", 46481), ""},
		"French, one mistyped":    {typed("12/31/2026", "31/12/2026", "02/03/2027"), ""},
		"ISO":                     {typed("12/31/2026", "2027-03-02"), ""},
		"numbers":                 {typed(fmt.Sprintf(number, 2, 46479), fmt.Sprintf(number, 3, 46387)), ""},
	} {
		var rows string
		for i, date := range test.dates {
			rows += rowXML(i+2, fmt.Sprintf("%08d", i), "Anne", "a@b.example", fmt.Sprintf("%dA", i), date)
		}
		f := mustOpen(t, "a.xlsx", goodParts().with(sheetPath, sheetXML(rows)).zip(t))
		if (len(f.Warnings) == 1) != (test.at != "") || test.at != "" && !strings.Contains(f.Warnings[0].English, "the first at "+test.at+":") {
			t.Errorf("%s: %v", name, f.Warnings)
		}
	}
}

// C1: a serial number of bytes without their leading zeros is another number.
func TestSerialWarnings(t *testing.T) {
	for serial, warns := range map[string]bool{
		"4a:1:fe": true, "4A 1 FE": true, "a:b:1": true,
		"4a:01:fe": false, "1:fe:02": false, "4A01 FE0": false, "4a01fe": false, "": false, "a": false, "1:f": false, "4a01:1:2": false,
	} {
		if got := serialWarning(serial); (got != "") != warns {
			t.Errorf("%s: %q", serial, got)
		}
	}
}
