package workbook

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// appendCSV adds the cell as a field of a CSV file, in the French notation. A text that
// a spreadsheet program would take for a formula gets an apostrophe in front (I7).
func (c Cell) appendCSV(b []byte) []byte {
	switch c.kind {
	case textCell:
		return appendField(b, c.text)
	case numberCell:
		return strconv.AppendInt(b, c.n, 10)
	case decimalCell:
		text := strconv.FormatFloat(math.Float64frombits(uint64(c.n)), 'f', -1, 64)
		return append(b, strings.Replace(text, ".", ",", 1)...)
	case dayCell:
		return dayZero.AddDate(0, 0, int(c.n)).AppendFormat(b, "02/01/2006")
	case instantCell:
		return dayZero.AddDate(0, 0, int(c.n/daySeconds)).Add(time.Duration(c.n%daySeconds)*time.Second).AppendFormat(b, "02/01/2006 15:04:05")
	}
	return b
}

// appendLine adds a line of a CSV file, with semicolons.
func appendLine(b []byte, cells ...Cell) []byte {
	for i, c := range cells {
		if i > 0 {
			b = append(b, ';')
		}
		b = c.appendCSV(b)
	}
	return append(b, "\r\n"...)
}

// FromCSV is a text as it was before appendCSV put an apostrophe in front.
func FromCSV(text string) string {
	if rest, ok := strings.CutPrefix(text, "'"); ok && needsApostrophe(rest) {
		return rest
	}
	return text
}

// dayZero is the day 0 of spreadsheets.
var dayZero = time.Date(1899, 12, 30, 0, 0, 0, 0, time.UTC)

// appendField quotes a text if it must.
func appendField(b []byte, text string) []byte {
	if needsApostrophe(text) {
		text = "'" + text
	}
	if !strings.ContainsAny(text, ";\"\t\r\n") && strings.TrimSpace(text) == text {
		return append(b, text...)
	}
	b = append(b, '"')
	b = append(b, strings.ReplaceAll(text, `"`, `""`)...)
	return append(b, '"')
}

// needsApostrophe tells whether a text is live, or would lose an apostrophe of its own
// in FromCSV.
func needsApostrophe(text string) bool { return isLive(strings.TrimLeft(text, "'")) }

// isLive tells whether some spreadsheet program computes a text, even after blanks.
func isLive(text string) bool {
	first := strings.TrimLeft(text, " \u00a0\u202f\u3000\v\f")
	for _, live := range []string{"=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠"} {
		if strings.HasPrefix(first, live) {
			return true
		}
	}
	return false
}
