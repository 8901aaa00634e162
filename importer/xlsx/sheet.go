package xlsx

import (
	"bytes"
	"slices"
	"strconv"
	"strings"

	"bascule/internal/text"
)

// Sheet is one worksheet.
type Sheet struct {
	Name   string
	Hidden bool

	// These are known once Rows has returned.
	HiddenColumns []Columns
	Widths        []Width
	Merged        []Area

	book *Workbook
	part *entry
}

// Columns are neighbours, the last included.
type Columns struct{ First, Last int }

// Width is that of columns, in characters.
type Width struct {
	Columns
	Characters float64
}

// Area is a block of merged cells: its columns and its lines, the last included.
type Area struct{ Left, Right, Top, Bottom int32 }

// maxMerged bounds the memory for merged cells; a sheet of forms has some thousands.
const maxMerged = 1 << 20

// Rows reads the sheet and passes every row that is not blank to emit, in order. A row
// is valid until emit returns. An error of emit ends the reading and is returned. Rows
// is called once.
func (s *Sheet) Rows(emit func(*Row) error) error {
	return s.book.archive.parse(s.part, func(x *xmlReader) error {
		r := &sheetReader{Sheet: s, x: x, emit: emit}
		return r.read()
	})
}

// sheetReader reads one worksheet in one pass.
type sheetReader struct {
	*Sheet
	x    *xmlReader
	emit func(*Row) error

	row    Row
	line   int // of the row read last
	column int // of the cell read last
	number []byte
	style  int // of the number read last, from 1; 0 for any other cell

	formulas []Area // those of several cells that reach the row read last
}

func (s *sheetReader) read() error {
	cells := map[string]func() error{"c": s.readCell}
	rows := map[string]func() error{"row": func() error { return s.readRow(cells) }}
	found := false
	err := s.x.document("worksheet", nsSpreadsheet, map[string]func() error{
		"cols":       func() error { return s.x.leaves("col", s.addColumns) },
		"mergeCells": func() error { return s.x.leaves("mergeCell", s.addMerged) },
		"sheetData": func() error {
			if found {
				return xmlError("it has two <sheetData>")
			}
			found = true
			return s.x.children(rows)
		},
	})
	if err == nil && !found {
		err = xmlError("it has no <sheetData>")
	}
	return err
}

// maxWidth is the width that a column can have.
const maxWidth = 255

func (s *sheetReader) addColumns() error {
	hidden := isTrue(s.x.attr("hidden")) || isZero(s.x.attr("width"))
	width, _ := strconv.ParseFloat(s.x.attr("width"), 64)
	known := width > 0 && width <= maxWidth
	if !hidden && !known {
		return nil
	}
	from, ok1 := parseDigits([]byte(s.x.attr("min")), MaxColumns)
	to, ok2 := parseDigits([]byte(s.x.attr("max")), MaxColumns)
	switch {
	case hidden && (!ok1 || !ok2 || len(s.HiddenColumns) == MaxColumns):
		return xmlError("its columns are malformed")
	case hidden:
		s.HiddenColumns = append(s.HiddenColumns, Columns{from, to})
	case ok1 && ok2 && len(s.Widths) < MaxColumns:
		s.Widths = append(s.Widths, Width{Columns{from, to}, width})
	}
	return nil
}

// isZero tells whether a size leaves nothing to see.
func isZero(size string) bool { return size != "" && strings.Trim(size, "0.") == "" }

func (s *sheetReader) addMerged() error {
	area, several, ok := parseArea(s.x.attr("ref"))
	if !ok {
		return xmlError("the merged cells " + text.Excerpt(s.x.attr("ref")) + " are malformed")
	}
	if !several {
		return nil // one cell alone is not merged
	}
	if len(s.Merged) == maxMerged {
		return xmlError("it has too many merged cells")
	}
	s.Merged = append(s.Merged, area)
	return nil
}

// parseArea reads B2:C9. several is false for one cell alone.
func parseArea(ref string) (area Area, several, ok bool) {
	first, last, several := strings.Cut(ref, ":")
	if !several {
		return Area{}, false, true
	}
	left, top, ok1 := parseRef([]byte(first))
	right, bottom, ok2 := parseRef([]byte(last))
	area = Area{int32(left), int32(right), int32(top), int32(bottom)}
	return area, left < right || top < bottom, ok1 && ok2 && left <= right && top <= bottom
}

// maxFormulas bounds how long a cell is looked for among the formulas of several cells.
const maxFormulas = 1000

// addFormula notes the other cells that a formula fills. In the file they have a value alone.
func (s *sheetReader) addFormula() error {
	if t := s.x.attr("t"); t != "array" && t != "dataTable" {
		return nil
	}
	area, several, ok := parseArea(s.x.attr("ref"))
	switch {
	case !ok:
		return xmlError("the cells of a formula " + text.Excerpt(s.x.attr("ref")) + " are malformed")
	case !several:
		return nil
	case len(s.formulas) == maxFormulas:
		return xmlError("it has too many formulas of several cells in one row")
	}
	s.formulas = append(s.formulas, area)
	return nil
}

// isFilled tells whether a formula of other cells fills a cell of the row.
func (s *sheetReader) isFilled(column int) bool {
	return slices.ContainsFunc(s.formulas, func(a Area) bool { return int(a.Left) <= column && column <= int(a.Right) })
}

func (s *sheetReader) readRow(cells map[string]func() error) error {
	if err := s.beginRow(); err != nil {
		return err
	}
	if err := s.x.children(cells); err != nil || len(s.row.Cells) == 0 {
		return err
	}
	return s.emit(&s.row)
}

func (s *sheetReader) beginRow() error {
	line, hidden := s.line+1, false
	for _, a := range s.x.attrs {
		switch string(a.name) {
		case "r":
			n, ok := parseDigits(a.value, MaxRows)
			if !ok || n <= s.line {
				return xmlError("row number " + text.Excerpt(string(a.value)) + " is out of order, repeated or too high")
			}
			line = n
		case "hidden":
			hidden = hidden || isTrue(string(a.value))
		case "ht":
			hidden = hidden || isZero(string(a.value))
		}
	}
	if line > MaxRows {
		return xmlError("it has more than 1 048 576 rows")
	}
	s.line, s.column = line, 0
	s.formulas = slices.DeleteFunc(s.formulas, func(a Area) bool { return int(a.Bottom) < line })
	s.row.Reset(line)
	s.row.Hidden = hidden
	return nil
}

// cellType is the t attribute of a cell.
type cellType byte

const (
	numberType  cellType = 'n'
	sharedType  cellType = 's'
	inlineType  cellType = 'i'
	formulaType cellType = 'f' // a text computed by a formula
	boolType    cellType = 'b'
	errorType   cellType = 'e'
	dateType    cellType = 'd'
)

var cellTypes = map[string]cellType{
	"n": numberType, "s": sharedType, "inlineStr": inlineType, "str": formulaType, "b": boolType, "e": errorType, "d": dateType,
}

// readCell reads one cell. A cell without an address follows the one before.
func (s *sheetReader) readCell() error {
	next := s.column + 1
	column, t, style := next, numberType, 0
	for _, a := range s.x.attrs {
		ok := true
		switch string(a.name) {
		case "r":
			var line int
			column, line, ok = parseRef(a.value)
			ok = ok && line == s.line && column >= next
		case "t":
			t, ok = cellTypes[string(a.value)]
		case "s":
			style, ok = parseDigits(a.value, 1<<20)
		}
		if !ok {
			return s.cellFault(next, "is malformed, repeated or out of order")
		}
	}
	if column > MaxColumns {
		return s.cellFault(next-1, "is followed by too many cells")
	}
	s.column = column
	return s.readContent(column, t, style)
}

func (s *sheetReader) cellFault(column int, what string) error {
	return xmlError("cell " + CellName(column, s.line) + " " + what)
}

// readContent reads the children of a <c>: the value <v>, the text <is>, the formula
// <f>.
func (s *sheetReader) readContent(column int, t cellType, style int) error {
	var formula, value, inline bool
	start := len(s.row.text)
	for {
		name, err := s.x.child()
		if err != nil {
			return err
		}
		switch {
		case name == nil:
			return s.closeCell(column, start, t, style, formula, value, inline)
		case string(name) == "v" && !inline && !value:
			value = true
			s.row.text, err = s.x.appendText(s.row.text)
		case string(name) == "is" && !value && !inline:
			inline = true
			s.row.text, err = appendRichText(s.x, s.row.text)
		case string(name) == "v" || string(name) == "is":
			return s.cellFault(column, "has two values")
		default:
			if string(name) == "f" {
				formula = true
				if err = s.addFormula(); err != nil {
					return err
				}
			}
			err = s.x.skip()
		}
		if err != nil {
			return err
		}
	}
}

// closeCell turns the raw value at the end of row.text into the cell's text.
func (s *sheetReader) closeCell(column, start int, t cellType, style int, formula, value, inline bool) error {
	k := Plain
	formula = formula || (value || inline) && s.isFilled(column)
	s.style = 0
	if raw := s.row.text[start:]; len(raw) > 0 && !inline {
		var err error
		if k, err = s.resolve(start, t, style); err != nil {
			return s.wrap(column, err)
		}
	}
	switch {
	case !formula || k == ErrorValue:
	case len(s.row.text) > start || value && t == formulaType: // a text may have been computed to be empty
		k = Formula
	default:
		k = Uncomputed
	}
	return s.row.add(column, k, s.style, start)
}

func (s *sheetReader) wrap(column int, err error) error {
	if _, ok := err.(xmlError); ok {
		return s.cellFault(column, err.Error())
	}
	return err
}

// resolve replaces the raw value in row.text[start:] by the text that it means.
func (s *sheetReader) resolve(start int, t cellType, style int) (Kind, error) {
	raw := s.row.text[start:]
	switch t {
	case sharedType:
		return Plain, s.resolveShared(start)
	case formulaType, inlineType:
		s.row.text = unescape(s.row.text, start)
	case errorType:
		return ErrorValue, nil
	case boolType:
		return Plain, s.resolveBool(start)
	case numberType:
		s.number, s.style = append(s.number[:0], trimSpace(raw)...), 1+style
		text, k, err := appendNumber(s.row.text[:start], s.number, s.book.Format(s.style), s.book.date1904)
		s.row.text = text
		if err != nil {
			return 0, xmlError("is said to be a number but is none")
		}
		return k, nil
	}
	return Plain, nil // dateType is ISO 8601, which needs no resolving
}

func trimSpace(b []byte) []byte { return bytes.Trim(b, " \t\r\n") }

func (s *sheetReader) resolveShared(start int) error {
	table := &s.book.strings
	i, ok := parseDigits(trimSpace(s.row.text[start:]), table.count-1)
	if !ok {
		return xmlError("refers to a shared text that does not exist (there are " + strconv.Itoa(table.count) + ")")
	}
	var err error
	if s.row.text, err = table.appendTo(s.row.text[:start], i); err != nil {
		return err
	}
	return s.book.archive.budget.refer(len(s.row.text) - start)
}

func (s *sheetReader) resolveBool(start int) error {
	switch string(trimSpace(s.row.text[start:])) {
	case "1", "true":
		s.row.text = append(s.row.text[:start], "VRAI"...)
	case "0", "false":
		s.row.text = append(s.row.text[:start], "FAUX"...)
	default:
		return xmlError("is said to be true or false but is neither")
	}
	return nil
}
