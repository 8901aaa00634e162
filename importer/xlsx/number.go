package xlsx

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// maxExactDigits is how many digits a spreadsheet keeps of a number.
const maxExactDigits = 15

// errNotNumber says that a cell of numbers holds something else.
var errNotNumber = errors.New("not a number")

// appendNumber writes a number as the sheet means it. A date is dd/mm/yyyy. An integer
// has all its digits, however it is written (1.2345678E7 is Java's form of 12345678).
// Anything else has the shortest form. If digits may have been lost since somebody
// typed the number, the text keeps the form that shows it: when it comes back as text,
// it is rejected again.
func appendNumber(dst, raw []byte, f Format, date1904 bool) ([]byte, Kind, error) {
	if n := len(raw); n > 0 && n <= maxExactDigits && (raw[0] != '0' || n == 1) && allDigits(raw) && !f.Date {
		return f.append(dst, raw), f.kind(), nil
	}
	d, ok := parseDecimal(string(raw))
	if !ok {
		return dst, 0, errNotNumber
	}
	if f.Date {
		if t, ok := d.date(date1904); ok {
			return appendDate(dst, t), Plain, nil
		}
		f = Format{other: true} // ########
	}
	switch {
	case d.point < -maxExactDigits: // hundreds of zeros would follow
		return d.appendScientific(dst), f.kind(), nil
	case !d.whole():
		value, err := strconv.ParseFloat(string(raw), 64)
		if err != nil {
			return dst, 0, errNotNumber
		}
		return strconv.AppendFloat(dst, value, 'f', -1, 64), f.kind(), nil
	case d.point > maxExactDigits || d.padded:
		return d.appendScientific(dst), LostDigits, nil
	}
	return f.append(dst, []byte(d.all())), f.kind(), nil
}

// append writes a number with the leading zeros that are shown.
func (f Format) append(dst, number []byte) []byte {
	if allDigits(number) {
		for n := len(number); n < f.digits; n++ {
			dst = append(dst, '0')
		}
	}
	return append(dst, number...)
}

func (f Format) kind() Kind {
	if f.other {
		return ShownOtherwise
	}
	return Plain
}

func allDigits(b []byte) bool {
	for _, c := range b {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}

// Scientific writes a number in a form that no identifier has: 1.2345E+16. It returns
// false if the text is no number.
func Scientific(text string) (string, bool) {
	d, ok := parseDecimal(text)
	if !ok {
		return "", false
	}
	return string(d.appendScientific(nil)), true
}

// decimal is a number exactly as it is written, which a float64 may not hold: 0.digits
// times ten to the power of point.
type decimal struct {
	negative bool
	digits   string // without zeros at either end; "" is zero
	point    int    // for a whole number, how many digits it has
	padded   bool   // written with leading zeros, which a number cannot have
}

// maxPoint is beyond the largest number of a spreadsheet.
const maxPoint = 309

// parseDecimal reads a double of XML Schema, without its names for infinity and for not
// a number.
func parseDecimal(s string) (decimal, bool) {
	var d decimal
	s, d.negative = strings.CutPrefix(s, "-")
	if !d.negative {
		s = strings.TrimPrefix(s, "+")
	}
	exponent := 0
	if i := strings.IndexAny(s, "eE"); i >= 0 {
		var err error
		if exponent, err = strconv.Atoi(s[i+1:]); err != nil {
			return d, false
		}
		s = s[:i]
	}
	whole, fraction, _ := strings.Cut(s, ".")
	if whole+fraction == "" || !allDigits([]byte(whole)) || !allDigits([]byte(fraction)) {
		return d, false
	}
	d.padded = len(whole) > 1 && whole[0] == '0'
	written := whole + fraction
	significant := strings.TrimLeft(written, "0")
	if d.digits = strings.TrimRight(significant, "0"); d.digits != "" {
		d.point = len(whole) - (len(written) - len(significant)) + exponent
	}
	return d, d.point <= maxPoint
}

func (d decimal) whole() bool { return len(d.digits) <= d.point }

// all is a whole number with all its digits.
func (d decimal) all() string {
	if d.digits == "" {
		return "0"
	}
	digits := d.digits + strings.Repeat("0", d.point-len(d.digits))
	if d.negative {
		return "-" + digits
	}
	return digits
}

// appendScientific writes a number in a form that no identifier has: 1.2345E+16.
func (d decimal) appendScientific(dst []byte) []byte {
	if d.digits == "" {
		return append(dst, "0E+00"...)
	}
	if d.negative {
		dst = append(dst, '-')
	}
	dst = append(dst, d.digits[0])
	if len(d.digits) > 1 {
		dst = append(append(dst, '.'), d.digits[1:]...)
	}
	return fmt.Appendf(dst, "E%+03d", d.point-1)
}

// date turns a spreadsheet's day number into a date. Day 1 is 1 January 1900, or day 0
// is 1 January 1904. The first calendar has a 29 February 1900 that never was. The
// whole part is the day, however near its end the rest is: programs write 23:59:59.999
// for the end of a day.
func (d decimal) date(date1904 bool) (time.Time, bool) {
	if d.negative && d.digits != "" || d.point > len("2958465") {
		return time.Time{}, false
	}
	days, part := d.split()
	seconds := min(time.Duration(part*86_400+0.5), 86_399)
	epoch := time.Date(1899, 12, 30, 0, 0, 0, 0, time.UTC)
	switch {
	case days < 1 && !date1904:
		return time.Time{}, false
	case date1904:
		epoch = time.Date(1904, 1, 1, 0, 0, 0, 0, time.UTC)
	case days < 60:
		days++
	}
	t := epoch.AddDate(0, 0, days).Add(seconds * time.Second)
	return t, t.Year() <= 9999
}

// split returns the whole part of a number below 10^18 that is not negative, and the
// rest, which is below 1.
func (d decimal) split() (whole int, part float64) {
	at := min(max(d.point, 0), len(d.digits))
	whole, _ = strconv.Atoi(d.digits[:at] + strings.Repeat("0", max(d.point, 0)-at))
	part, _ = strconv.ParseFloat("0."+strings.Repeat("0", min(max(-d.point, 0), maxPoint))+d.digits[at:], 64)
	return whole, part
}

func appendDate(dst []byte, t time.Time) []byte {
	if t.Hour()|t.Minute()|t.Second() == 0 {
		return t.AppendFormat(dst, "02/01/2006")
	}
	return t.AppendFormat(dst, "02/01/2006 15:04:05")
}
