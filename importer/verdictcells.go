package importer

import (
	"cmp"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"bascule/importer/xlsx"
	"bascule/internal/text"
	"bascule/internal/workbook"
)

// reasonWidth is the width of the reasons beside the rows, in characters.
const reasonWidth = 56

// heightOf is the height of a row with wrapped text, in points, as some programs do not
// compute it. 0 is one line.
func heightOf(text string, width int) float64 {
	lines := 1 + utf8.RuneCountInString(text)*10/(width*9)
	if lines == 1 {
		return 0
	}
	return min(15*float64(lines), 400)
}

// fill prepares a row of the file. blamed is the column of the cell that a rejection
// names, or 0.
func (b *verdictBook) fill(s *sheet, r row, usual look, blamed int) {
	b.height = 0
	b.cells = slices.Grow(b.cells[:0], s.right+len(verdictHeadings))[:s.right+len(verdictHeadings)]
	clear(b.cells)
	for _, c := range r.cells {
		of := usual
		if c.column == blamed {
			of = b.culprit
		}
		value, code := s.value(r, c)
		if code != "" {
			of.Format = code
			of.number = b.Style(of.Style)
		}
		b.cells[s.verdictColumn(c.column)-1] = value.In(of.number)
	}
}

// value is the value of a cell, with the format of a number or a date. An identifier is
// a text. So is a value that would not come back the same as a number.
func (s *sheet) value(r row, c cell) (v workbook.Cell, code string) {
	asText := workbook.Text(s.carried(r, c))
	f := slices.Index(s.layout.columns, c.column)
	if c.style == 0 || r.line <= s.layout.line || f >= 0 && s.headings[f].identifier {
		return asText, ""
	}
	format := s.format(c.style)
	if format.Date {
		if v, ok := dateCell(c.text); ok {
			return v, cmp.Or(format.Code, "dd/mm/yyyy")
		}
		return asText, ""
	}
	if !plainNumber.MatchString(c.text) || format.Code == "" {
		return asText, ""
	}
	if n, err := strconv.ParseInt(c.text, 10, 64); err == nil {
		return workbook.Number(n), format.Code
	}
	x, err := strconv.ParseFloat(c.text, 64)
	if err != nil {
		return asText, ""
	}
	return workbook.Decimal(x), format.Code
}

// plainNumber is one that a spreadsheet keeps digit by digit.
var plainNumber = regexp.MustCompile(`^-?\d{1,15}(?:\.\d{1,15})?$`)

// dateCell is a date as xlsx tells it. Spreadsheets disagree on what came before March
// 1900.
func dateCell(text string) (workbook.Cell, bool) {
	if t, err := time.Parse("02/01/2006", text); err == nil && t.Year() > 1900 {
		return workbook.Day(t), true
	}
	t, err := time.Parse("02/01/2006 15:04:05", text)
	return workbook.Instant(t), err == nil && t.Year() > 1900
}

// carried is a cell's text in the verdict workbook. What was rejected must not be
// accepted when it comes back as text. So an identifier that was shown as something else
// gets the form of lost digits, and a value that nobody knows becomes an error. The address
// or the date of a row with too many fields, whichever is last, has all that followed it:
// no text is an address or a date then, but any is a holder, and blanks are no part of a
// serial number.
func (s *sheet) carried(r row, c cell) string {
	f := slices.Index(s.layout.columns, c.column)
	switch {
	case r.line <= s.layout.line || f < 0:
	case c.kind == xlsx.Uncomputed || c.merged:
		return unknownValue
	case s.delimiter != 0 && s.isSubscribers() && r.last() > s.layout.width && c.column == max(s.layout.columns[fieldEmail], s.layout.columns[fieldExpiry]):
		return s.rest(r, c.column)
	case c.kind == xlsx.ShownOtherwise && s.headings[f].identifier:
		if text, ok := xlsx.Scientific(c.text); ok {
			return text
		}
	}
	return c.text
}

// maxRest is how many characters of the fields of a row one cell has: enough to see what is
// wrong, and to hold in any cell.
const maxRest = 1000

// rest is the text of a CSV file from a column of a row to its end.
func (s *sheet) rest(r row, column int) string {
	var b strings.Builder
	for _, c := range r.cells {
		if c.column < column || b.Len() > 4*maxRest {
			continue
		}
		for ; column < c.column; column++ {
			b.WriteByte(s.delimiter)
		}
		b.WriteString(c.text)
	}
	return text.Cut(b.String(), maxRest)
}

// unknownValue is the error of spreadsheet programs for a value that is not available.
const unknownValue = "#N/A"

func (b *verdictBook) writeRow(out *workbook.Sheet, line int) {
	out.Row(line, b.height)
	for i, c := range b.cells {
		out.Put(i+1, c)
	}
}
