package xlsx

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// Which number formats show a date, which show leading zeros, and which show
// something else than the number.
func TestNumberFormats(t *testing.T) {
	for code, want := range map[string]Format{
		"General": {}, "0": {}, "0.00": {}, "#,##0": {}, "@": {}, "[Red]0": {}, "#\u202f##0": {}, "[$-40C]#,##0.00;-#,##0.00": {}, "??0": {}, "#.##": {},
		`_-* #,##0_-;\-* #,##0_-;_-* "-"_-;_-@_-`: {}, "0;;;@": {},
		"dd/mm/yyyy": {Date: true}, "yyyy-mm-dd": {Date: true}, "[$-40C]d mmmm yyyy;@": {Date: true}, `d\ mmm\ yy`: {Date: true}, "DD/MM/YYYY HH:MM": {Date: true}, "jj/mm/aaaa": {Date: true}, "mm/aaaa": {Date: true}, `aaaa\-mm\-jj`: {Date: true}, "TT.MM.JJJJ": {Date: true}, `\j0`: {other: true},
		"00000000": {digits: 8}, `000" "000" "000`: {digits: 9}, `000\ 000\ 000`: {digits: 9}, "000\u00a0000": {digits: 6}, "000,000.00": {digits: 6}, "[$-fr-FR]0000;-0000": {digits: 4}, "[$-1040C]0;(0)": {}, "[$-D000000]0": {other: true},
		"0.00E+00": {other: true}, "##0.0E+0": {other: true}, `# ##0 "jours"`: {other: true}, "mm:ss": {other: true}, "[h]:mm": {other: true}, `"ref "0000`: {other: true},
		`"AB"000000`: {other: true}, `\A00000000`: {other: true}, `00000000"X"`: {other: true}, "00-00-00-00": {other: true}, "00.00.00.00": {other: true},
		"*-0": {other: true}, "№0": {other: true}, `0" ;x"`: {other: true}, "#,##0,": {other: true}, "0%": {other: true}, "# ?/?": {other: true}, "[$€-40C]0": {other: true}, "$0": {other: true},
		"[>9]000000": {other: true}, "[DBNum1]0": {other: true}, "0#": {other: true}, ".00": {other: true}, ";;;": {other: true}, `"X"`: {other: true}, `General"X"`: {other: true}, "": {other: true},
		"000000;;;@": {other: true}, strings.Repeat("0", 41): {other: true},
	} {
		if got := parseFormat(code); got != want {
			t.Errorf("%s: %+v, want %+v", code, got, want)
		}
	}
}

// The built-in number formats (ECMA-376): which of them show a date, and which the number itself.
func TestBuiltInFormats(t *testing.T) {
	dates, plain := [...][2]int{{14, 17}, {22, 22}, {27, 36}, {50, 58}}, [...][2]int{{0, 4}, {37, 41}, {43, 43}, {49, 49}}
	for id := -1; id < 100; id++ {
		within := func(r [2]int) bool { return r[0] <= id && id <= r[1] }
		date, number := slices.ContainsFunc(dates[:], within), slices.ContainsFunc(plain[:], within)
		if got, want := formatOf(strconv.Itoa(id), nil), (Format{Code: builtIn[id], Date: date, other: !date && !number}); got != want {
			t.Errorf("format %d: %+v, want %+v", id, got, want)
		}
	}
}

// I8: a format code that is long, strange, or one of too many is not kept; its style
// still tells a date.
func TestKeptFormats(t *testing.T) {
	var formats, list strings.Builder
	codes := append(slices.Repeat([]string{"0.0"}, maxCodes-1), "dd/mm/yyyy", "0.00", "[Red]0", strings.Repeat("0", 256), "yyyy<")
	for i, code := range slices.Concat(codes[maxCodes+1:], codes[:maxCodes+1]) {
		fmt.Fprintf(&formats, `<numFmt numFmtId="%d" formatCode="%s"/>`, 200+i, strings.ReplaceAll(code, "<", "&lt;"))
		fmt.Fprintf(&list, `<xf numFmtId="%d"/>`, 200+i)
	}
	got, err := readStyles(newXMLReader(strings.NewReader(`<styleSheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><numFmts>` + formats.String() + "</numFmts><cellXfs>" + list.String() + `<xf numFmtId="14"/></cellXfs></styleSheet>`)))
	if err != nil {
		t.Fatal(err)
	}
	last := len(got) - 1
	for i, want := range map[int]Format{0: {}, 1: {}, 2: {Date: true}, 3: {Code: "0.0"}, last - 2: {Code: "dd/mm/yyyy", Date: true}, last - 1: {}, last: {Code: "dd/mm/yyyy", Date: true}} {
		if got := (Format{Code: got[i].Code, Date: got[i].Date}); got != want {
			t.Errorf("style %d: %+v, want %+v", i, got, want)
		}
	}
	if f := (&Workbook{formats: got}).Format(len(got) + 1); f != (Format{}) {
		t.Errorf("a style that is not there: %+v", f)
	}
}
