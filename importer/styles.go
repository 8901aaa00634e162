package importer

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// styles tells for each cell style what it makes of a number.
type styles []numberFormat

// numberFormat is what matters of the format of a number: that it shows a
// date, or the least number of digits that it shows (000000 shows 42 as 000042).
type numberFormat struct {
	date   bool
	digits int
}

// maxStyles is the most that Excel allows.
const maxStyles = 65_490

func readStyles(x *xmlReader) (styles, error) {
	if err := openRoot(x, "styleSheet"); err != nil {
		return nil, err
	}
	custom := make(map[string]string)
	var list styles
	for {
		name, err := x.child()
		if err != nil {
			return nil, err
		}
		switch string(name) {
		case "numFmts":
			err = eachChild(x, "numFmt", func() error {
				if len(custom) == maxStyles {
					return xmlError("it has too many formats")
				}
				custom[x.attr("numFmtId")] = x.attr("formatCode")
				return nil
			})
		case "cellXfs":
			err = eachChild(x, "xf", func() error {
				if len(list) == maxStyles {
					return xmlError("it has too many styles")
				}
				list = append(list, formatOf(x.attr("numFmtId"), custom))
				return nil
			})
		default:
			if name == nil {
				return list, x.drain()
			}
			err = x.skip()
		}
		if err != nil {
			return nil, err
		}
	}
}

// eachChild calls visit for every child of that name, whose attributes it may read.
func eachChild(x *xmlReader, wanted string, visit func() error) error {
	for {
		name, err := x.child()
		if err != nil || name == nil {
			return err
		}
		if string(name) == wanted {
			if err := visit(); err != nil {
				return err
			}
		}
		if err := x.skip(); err != nil {
			return err
		}
	}
}

// formatOf judges a number format: those with a code in the file by the code,
// the built-in ones by their number (ECMA-376 part 1, 18.8.30).
func formatOf(id string, custom map[string]string) numberFormat {
	if code, ok := custom[id]; ok {
		return judgeFormat(code)
	}
	n, _ := strconv.Atoi(id)
	return numberFormat{date: n >= 14 && n <= 17 || n == 22 || n >= 27 && n <= 36 || n >= 50 && n <= 58}
}

// maxZeros is the longest run of zeros that is taken for a format of identifiers.
const maxZeros = 40

// judgeFormat reads a format code: a year or a day outside of literal text makes
// a date; nothing but zeros, blanks and literal blanks shows leading zeros.
func judgeFormat(code string) numberFormat {
	code, _, _ = strings.Cut(code, ";") // the section for positive numbers
	var bare strings.Builder
	for i := 0; i < len(code); i++ {
		switch c := code[i]; {
		case c == '"':
			i += skipTo(code[i+1:], '"')
		case c == '[':
			i += skipTo(code[i+1:], ']')
		case c == '\\', c == '_', c == '*':
			i++
		case c == ' ', c >= utf8.RuneSelf: // no-break spaces
		default:
			bare.WriteByte(c | 0x20) // lower case; the digits stay as they are
		}
	}
	s := bare.String()
	if strings.ContainsAny(s, "yd") {
		return numberFormat{date: true}
	}
	if len(s) > 1 && len(s) <= maxZeros && strings.Trim(s, "0") == "" {
		return numberFormat{digits: len(s)}
	}
	return numberFormat{}
}

// skipTo is how far the closing byte is, itself included.
func skipTo(s string, closing byte) int {
	if i := strings.IndexByte(s, closing); i >= 0 {
		return i + 1
	}
	return len(s)
}

func (s styles) at(i int) numberFormat {
	if i < len(s) {
		return s[i]
	}
	return numberFormat{}
}

// maxExactDigits is how many digits a spreadsheet keeps of a number.
const maxExactDigits = 15

// appendNumber writes a number as the sheet means it: a date as dd/mm/yyyy, an
// integer with all its digits, anything else in the shortest form. Where
// digits may have been lost since the number was typed, the text keeps the
// shape that shows it, so that it is rejected again when it comes back as text.
func appendNumber(dst, raw []byte, f numberFormat, date1904 bool) ([]byte, kind, error) {
	if n := len(raw); n > 0 && n <= maxExactDigits && (raw[0] != '0' || n == 1) && allDigits(raw) && !f.date {
		for ; n < f.digits; n++ {
			dst = append(dst, '0')
		}
		return append(dst, raw...), plainCell, nil
	}
	value, err := strconv.ParseFloat(string(raw), 64)
	if err != nil || math.IsInf(value, 0) || math.IsNaN(value) || strings.ContainsAny(string(raw), "xX_pPiInN") {
		return dst, 0, fmt.Errorf("not a number")
	}
	if f.date {
		if t, ok := dateOf(value, date1904); ok {
			return appendDate(dst, t), plainCell, nil
		}
	}
	if digitsLost(raw) {
		return strconv.AppendFloat(dst, value, 'E', -1, 64), lostDigits, nil
	}
	return strconv.AppendFloat(dst, value, 'f', -1, 64), plainCell, nil
}

func allDigits(b []byte) bool {
	for _, c := range b {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}

// digitsLost tells a whole number of which digits may be missing: scientific
// notation, more digits than a spreadsheet keeps, or leading zeros, which a
// number cannot have.
func digitsLost(raw []byte) bool {
	s := strings.TrimLeft(string(raw), "+-")
	if strings.ContainsAny(s, "eE") {
		return true
	}
	whole, fraction, _ := strings.Cut(s, ".")
	if strings.Trim(fraction, "0") != "" {
		return false // no identifier anyway
	}
	return len(whole) > maxExactDigits || len(whole) > 1 && whole[0] == '0'
}

// lastDay is 31 December 9999, the last date of spreadsheets.
const lastDay = 2_958_465

// dateOf turns a spreadsheet's day number into a date. Day 1 is 1 January 1900,
// or day 0 is 1 January 1904; the first calendar has a 29 February 1900 that
// never was.
func dateOf(value float64, date1904 bool) (time.Time, bool) {
	days, part := math.Modf(value)
	seconds := math.Round(part * 86_400)
	epoch := time.Date(1899, 12, 30, 0, 0, 0, 0, time.UTC)
	switch {
	case date1904:
		epoch = time.Date(1904, 1, 1, 0, 0, 0, 0, time.UTC)
	case days < 60:
		days++
	}
	if value < 0 || !date1904 && value < 1 || days > lastDay {
		return time.Time{}, false
	}
	t := epoch.AddDate(0, 0, int(days)).Add(time.Duration(seconds) * time.Second)
	return t, t.Year() <= 9999
}

func appendDate(dst []byte, t time.Time) []byte {
	if t.Hour()|t.Minute()|t.Second() == 0 {
		return t.AppendFormat(dst, "02/01/2006")
	}
	return t.AppendFormat(dst, "02/01/2006 15:04:05")
}
