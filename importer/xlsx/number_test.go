package xlsx

import (
	"fmt"
	"math/big"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// I8: a number too small for a cell keeps its short shape.
func TestTinyNumbers(t *testing.T) {
	for raw, want := range map[string]string{"1E-300": "1E-300", "-12E-99999": "-1.2E-99998", "1E-16": "0.0000000000000001", "1E-17": "1E-17"} {
		if got, _, err := appendNumber(nil, []byte(raw), Format{}, false); string(got) != want || err != nil {
			t.Errorf("%s is written %.40s, %v, want %s", raw, got, err, want)
		}
	}
}

// A decimal is the number that was written, to its last digit.
func TestDecimalIsExact(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		raw := rapid.StringMatching(`-?[0-9]{0,12}\.?[0-9]{1,12}([eE][+-]?[0-9]{1,2})?`).Draw(rt, "raw")
		want, ok := new(big.Rat).SetString(raw)
		d, parsed := parseDecimal(raw)
		if !ok || !parsed {
			rt.Fatalf("%s is no number: %v %v", raw, ok, parsed)
		}
		if got, ok := new(big.Rat).SetString(string(d.appendScientific(nil))); !ok || got.Cmp(want) != 0 {
			rt.Fatalf("%s becomes %s", raw, d.appendScientific(nil))
		}
		if d.whole() != want.IsInt() {
			rt.Fatalf("%s is whole: %v", raw, d.whole())
		}
		if d.whole() && d.all() != want.Num().String() {
			rt.Fatalf("%s is written %s, want %s", raw, d.all(), want.Num())
		}
	})
}

// R7: the whole part of a date is its day, to the last millisecond and beyond.
// The bug it would catch: a certificate that expires on the last day of the year
// and is read as the first of the next.
func TestEndOfDay(t *testing.T) {
	for _, date1904 := range []bool{false, true} {
		day := 46387
		if date1904 {
			day = 44925
		}
		for fraction, clock := range map[string]string{
			"": "", ".0": "", ".25": " 06:00:00", ".604166666664": " 14:30:00", ".99998842592": " 23:59:59", ".99999998843": " 23:59:59",
			".9999999999": " 23:59:59", ".999999999999999999999999": " 23:59:59", ".000000000001": "",
		} {
			for _, raw := range []string{fmt.Sprint(day, fraction), scientific(fmt.Sprint(day), fraction)} {
				got, k, err := appendNumber(nil, []byte(raw), Format{Date: true}, date1904)
				if string(got) != "31/12/2026"+clock || k != Plain || err != nil {
					t.Errorf("%s, 1904 %v: %s, %v", raw, date1904, got, err)
				}
			}
		}
	}
	for _, raw := range []string{"-1", "-0.5", "0", "0.99999", "2958466", "1E9", "1E308"} {
		if got, k, err := appendNumber(nil, []byte(raw), Format{Date: true}, false); k == Plain || err != nil {
			t.Errorf("%s is read as the date %s, %v", raw, got, err)
		}
	}
	if got, k, err := appendNumber(nil, []byte("2958465"), Format{Date: true}, true); k == Plain || err != nil {
		t.Errorf("a day beyond the year 9999 is read as the date %s, %v", got, err)
	}
	for raw, want := range map[string]string{"1": "01/01/1900", "59": "28/02/1900", "60": "28/02/1900", "61": "01/03/1900"} { // 29/02/1900 never was
		if got, _, _ := appendNumber(nil, []byte(raw), Format{Date: true}, false); string(got) != want {
			t.Errorf("day %s is %s, want %s", raw, got, want)
		}
	}
	if got, _, _ := appendNumber(nil, []byte("2958465.9999999999"), Format{Date: true}, false); string(got) != "31/12/9999 23:59:59" {
		t.Errorf("the last day is %s", got)
	}
}

// scientific spells a number of five digits and a fraction as Java does from ten
// million on.
func scientific(whole, fraction string) string {
	return whole[:1] + "." + whole[1:] + strings.TrimPrefix(fraction, ".") + "E" + strconv.Itoa(len(whole)-1)
}
