package xlsx

import (
	"bytes"
	"strconv"
	"unicode"

	"bascule/internal/text"
)

// Limits of the format.
const (
	MaxRows     = 1 << 20
	MaxColumns  = 1 << 14
	MaxCellText = 32_767 // UTF-16 code units, as Excel counts
)

// MaxRowText is how many bytes the texts of one row may have.
const MaxRowText = 4 << 20

// Row is one row of a sheet: its cells that are not blank or are formulas, from
// left to right.
type Row struct {
	Line   int // from 1
	Hidden bool
	Cells  []Cell

	text []byte // of the cells, one after the other
}

// Cell is one cell. Its text is what the sheet shows of a text, a date (31/12/2026), a
// boolean (VRAI, FAUX) or an error. For any other number, it is all digits. It is valid
// until the next row.
type Cell struct {
	Column int // from 1
	Kind   Kind
	Style  int // of a number, for [Workbook.Format]; 0 for a text
	Text   []byte
}

// Kind tells the properties of a cell beside its text.
type Kind byte

const (
	Plain          Kind = iota
	LostDigits          // a number whose digits the spreadsheet did not keep as typed
	ShownOtherwise      // a number that its format shows as something else
	Formula             // its text is the value computed last
	Uncomputed          // a formula without a value
	ErrorValue          // its text is an error like #REF!
)

// Reset makes it the blank row of that line.
func (r *Row) Reset(line int) { *r = Row{Line: line, Cells: r.Cells[:0], text: r.text[:0]} }

// Add puts a cell behind the last one. A blank one is dropped, except a formula.
// Add returns an *Error for a text that is too long.
func (r *Row) Add(column int, k Kind, text []byte) error {
	start := len(r.text)
	r.text = append(r.text, text...)
	return r.add(column, k, 0, start)
}

// add adds a cell whose text is r.text[start:].
func (r *Row) add(column int, k Kind, style, start int) error {
	text := r.text[start:len(r.text):len(r.text)]
	switch {
	case len(r.text) > MaxRowText:
		return &Error{LongRow, strconv.Itoa(r.Line), strconv.Itoa(MaxRowText)}
	case isLong(text):
		return &Error{LongCell, CellName(column, r.Line), strconv.Itoa(MaxCellText)}
	case isBlank(text):
		r.text, text = r.text[:start], nil
		if k != Formula && k != Uncomputed {
			return nil
		}
	}
	r.Cells = append(r.Cells, Cell{column, k, style, text})
	return nil
}

// isBlank tells whether a cell shows nothing. A Ctrl-Z is no row.
func isBlank(cell []byte) bool {
	return !bytes.ContainsFunc(cell, func(r rune) bool { return !text.IsBlank(r) && !unicode.IsControl(r) })
}

// isLong tells whether a text is too long for a cell.
func isLong(b []byte) bool { return len(b) > MaxCellText && text.Units(string(b)) > MaxCellText }

// ColumnName writes a column's letters: 1 is A, 28 is AB.
func ColumnName(column int) string {
	var b [3]byte
	i := len(b)
	for ; column > 0; column = (column - 1) / 26 {
		i--
		b[i] = byte('A' + (column-1)%26)
	}
	return string(b[i:])
}

// CellName writes the address of a cell as spreadsheets do: C14.
func CellName(column, line int) string { return ColumnName(column) + strconv.Itoa(line) }

// ParseCell reads the address of a cell; ok tells that it is one within a sheet.
func ParseCell(name string) (column, line int, ok bool) { return parseRef([]byte(name)) }

// parseRef reads an address like C14; ok tells that the address is within a sheet.
func parseRef(ref []byte) (column, line int, ok bool) {
	i := 0
	for ; i < len(ref) && i < 4 && ref[i] >= 'A' && ref[i] <= 'Z'; i++ {
		column = column*26 + int(ref[i]-'A') + 1
	}
	line, ok = parseDigits(ref[i:], MaxRows)
	return column, line, ok && i > 0 && line > 0 && column <= MaxColumns
}

// parseDigits reads a number without sign up to limit.
func parseDigits(b []byte, limit int) (n int, ok bool) {
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		if n = n*10 + int(c-'0'); n > limit {
			return 0, false
		}
	}
	return n, len(b) > 0
}
