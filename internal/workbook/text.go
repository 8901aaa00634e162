package workbook

import (
	"fmt"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/xuri/excelize/v2"

	"bascule/internal/text"
)

// MaxText is the longest text of a cell, in units of UTF-16, which the format counts.
const MaxText = excelize.TotalCellChars

// cutMark ends a text that was cut.
const cutMark = " […] (texte coupé)"

// Cut is the part of a text that a cell can hold. It says so if that is not all.
func Cut(s string) string {
	if len(s) <= MaxText || text.Units(s) <= MaxText {
		return s
	}
	room := MaxText - text.Units(cutMark)
	for i, r := range s {
		if room -= utf16.RuneLen(r); room < 0 {
			return s[:i] + cutMark
		}
	}
	return s
}

// appendXML adds a text to an element of a sheet so that it is read back as it was. The
// format writes a character that XML cannot hold as _xHHHH_. It writes an underscore as
// _x005F_ if a plain text looks like that. Invalid UTF-8 is not kept.
func appendXML(b []byte, s string) []byte {
	s = strings.ToValidUTF8(s, "\uFFFD")
	rest := 0
	for i, r := range s {
		if e := escape(s[i:], r); e != "" {
			b = append(append(b, s[rest:i]...), e...)
			rest = i + utf8.RuneLen(r)
		}
	}
	return append(b, s[rest:]...)
}

// escape is the escape of r, the first character of s; "" if r needs none.
func escape(s string, r rune) string {
	switch {
	case r > '_' && r < '\uFFFE' || r > '\uFFFF' || r == '\t' || r == '\n':
		return ""
	case r == '&':
		return "&amp;"
	case r == '<':
		return "&lt;"
	case r == '>':
		return "&gt;"
	case r == '\r':
		return "&#xD;" // a reader of XML makes a plain one a line feed
	case r == '_' && isEscape(s):
		return "_x005F_"
	case r < ' ' || r >= '\uFFFE':
		return fmt.Sprintf("_x%04X_", r)
	}
	return ""
}

// isEscape tells whether a text begins with _xHHHH. The underscore that completes the
// escape may be the next character, or begin the escape of that character.
func isEscape(s string) bool {
	return len(s) >= 6 && s[1] == 'x' && strings.Trim(s[2:6], "0123456789abcdefABCDEF") == ""
}
