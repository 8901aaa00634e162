package importer

import (
	"strconv"
)

// sheetReader reads one worksheet in one pass: it checks the XML to its last
// byte and hands every row that is not blank to emit.
type sheetReader struct {
	book *workbook
	x    *xmlReader
	emit func(*record) error

	rec    record
	line   int // of the row read last
	ref    []byte
	hidden []columnRange
	merges merges
}

type columnRange struct{ from, to int }

// sheetExtras is what a worksheet tells besides its rows.
type sheetExtras struct {
	hidden []columnRange
	merges merges
}

func (w *workbook) readSheet(part sheetPart, emit func(*record) error) (sheetExtras, error) {
	s := &sheetReader{book: w, emit: emit}
	err := w.archive.parse(part.entry, func(x *xmlReader) error {
		s.x = x
		if err := openRoot(x, "worksheet"); err != nil {
			return err
		}
		return s.readParts()
	})
	return sheetExtras{s.hidden, s.merges}, err
}

func (s *sheetReader) readParts() error {
	seen := false
	for {
		name, err := s.x.child()
		if err != nil {
			return err
		}
		switch string(name) {
		case "cols":
			err = eachChild(s.x, "col", s.addColumns)
		case "sheetData":
			if seen {
				return xmlError("it has two <sheetData>")
			}
			seen = true
			err = s.readRows()
		case "mergeCells":
			err = eachChild(s.x, "mergeCell", func() error { return s.merges.add(s.x.attr("ref")) })
		default:
			if name == nil {
				return s.finish(seen)
			}
			err = s.x.skip()
		}
		if err != nil {
			return err
		}
	}
}

func (s *sheetReader) finish(seen bool) error {
	if !seen {
		return xmlError("it has no <sheetData>")
	}
	return s.x.drain()
}

func (s *sheetReader) addColumns() error {
	if !isTrue(s.x.attr("hidden")) {
		return nil
	}
	from, ok1 := parseDigits([]byte(s.x.attr("min")), maxColumns)
	to, ok2 := parseDigits([]byte(s.x.attr("max")), maxColumns)
	if !ok1 || !ok2 || len(s.hidden) == maxColumns {
		return xmlError("its columns are malformed")
	}
	s.hidden = append(s.hidden, columnRange{from, to})
	return nil
}

func (s *sheetReader) readRows() error {
	for {
		name, err := s.x.child()
		if err != nil || name == nil {
			return err
		}
		if string(name) != "row" {
			err = s.x.skip()
		} else {
			err = s.readRow()
		}
		if err != nil {
			return err
		}
	}
}

func (s *sheetReader) readRow() error {
	line, hidden := s.line+1, false
	for _, a := range s.x.attrs {
		switch string(a.name) {
		case "r":
			n, ok := parseDigits(a.value, maxRows)
			if !ok || n <= s.line {
				return xmlError("row number " + printable(string(a.value)) + " is out of order, repeated or too high")
			}
			line = n
		case "hidden":
			hidden = isTrue(string(a.value))
		}
	}
	if line > maxRows {
		return xmlError("it has more than 1 048 576 rows")
	}
	s.line = line
	s.rec.reset(line)
	s.rec.hidden = hidden
	if err := s.readCells(); err != nil || len(s.rec.cells) == 0 {
		return err
	}
	return s.emit(&s.rec)
}

func (s *sheetReader) readCells() error {
	for column := 0; ; {
		name, err := s.x.child()
		if err != nil || name == nil {
			return err
		}
		if string(name) != "c" {
			err = s.x.skip()
		} else {
			column, err = s.readCell(column + 1)
		}
		if err != nil {
			return err
		}
	}
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

func parseCellType(b []byte) (cellType, bool) {
	switch string(b) {
	case "n":
		return numberType, true
	case "s":
		return sharedType, true
	case "inlineStr":
		return inlineType, true
	case "str":
		return formulaType, true
	case "b":
		return boolType, true
	case "e":
		return errorType, true
	case "d":
		return dateType, true
	}
	return 0, false
}

// readCell reads one cell and returns its column; next is its column if it does
// not tell.
func (s *sheetReader) readCell(next int) (column int, err error) {
	column, t, style := next, numberType, 0
	for _, a := range s.x.attrs {
		ok := true
		switch string(a.name) {
		case "r":
			var line int
			column, line, ok = parseRef(a.value)
			ok = ok && line == s.line && column >= next
		case "t":
			t, ok = parseCellType(a.value)
		case "s":
			style, ok = parseDigits(a.value, 1<<20)
		}
		if !ok {
			return 0, s.cellFault(next, "is malformed, repeated or out of order")
		}
	}
	if column > maxColumns {
		return 0, s.cellFault(next-1, "is followed by too many cells")
	}
	return column, s.readContent(column, t, style)
}

func (s *sheetReader) cellFault(column int, what string) error {
	return xmlError("cell " + cellName(column, s.line) + " " + what)
}

// readContent reads what is in a <c>: the value <v>, the text <is>, the formula <f>.
func (s *sheetReader) readContent(column int, t cellType, style int) error {
	var formula, value, inline bool
	start := len(s.rec.text)
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
			s.rec.text, err = s.x.appendText(s.rec.text)
		case string(name) == "is" && !value && !inline:
			inline = true
			s.rec.text, err = appendRichText(s.x, s.rec.text)
		case string(name) == "v" || string(name) == "is":
			return s.cellFault(column, "has two values")
		default:
			formula = formula || string(name) == "f"
			err = s.x.skip()
		}
		if err != nil {
			return err
		}
	}
}

// closeCell turns the raw value at the end of rec.text into the cell's text.
func (s *sheetReader) closeCell(column, start int, t cellType, style int, formula, value, inline bool) error {
	k := plainCell
	if raw := s.rec.text[start:]; len(raw) > 0 && !inline {
		var err error
		if k, err = s.resolve(start, t, style); err != nil {
			return s.wrap(column, err)
		}
	}
	switch {
	case !formula || k == errorCell:
	case len(s.rec.text) > start || value && t == formulaType: // a text may have been computed to be empty
		k = formulaCell
	default:
		k = uncomputedCell
	}
	return s.rec.add(column, k)
}

func (s *sheetReader) wrap(column int, err error) error {
	if _, ok := err.(xmlError); ok {
		return s.cellFault(column, err.Error())
	}
	return err
}

// resolve replaces the raw value in rec.text[start:] by the text that it means.
func (s *sheetReader) resolve(start int, t cellType, style int) (kind, error) {
	raw := s.rec.text[start:]
	switch t {
	case sharedType:
		return plainCell, s.resolveShared(start)
	case formulaType, inlineType:
		s.rec.text = unescape(s.rec.text, start)
	case errorType:
		return errorCell, nil
	case boolType:
		return plainCell, s.resolveBool(start)
	case numberType:
		s.ref = append(s.ref[:0], trimSpace(raw)...)
		text, k, err := appendNumber(s.rec.text[:start], s.ref, s.book.styles.at(style), s.book.date1904)
		s.rec.text = text
		if err != nil {
			return 0, xmlError("is said to be a number but is none")
		}
		return k, nil
	}
	return plainCell, nil // dateType is ISO 8601, which needs no resolving
}

func trimSpace(b []byte) []byte {
	for len(b) > 0 && b[0] <= ' ' {
		b = b[1:]
	}
	for len(b) > 0 && b[len(b)-1] <= ' ' {
		b = b[:len(b)-1]
	}
	return b
}

func (s *sheetReader) resolveShared(start int) error {
	table := s.book.strings
	i, ok := parseDigits(trimSpace(s.rec.text[start:]), table.count-1)
	if !ok {
		return xmlError("refers to a shared text that does not exist (there are " + strconv.Itoa(table.count) + ")")
	}
	var err error
	if s.rec.text, err = table.appendTo(s.rec.text[:start], i); err != nil {
		return err
	}
	return s.book.archive.budget.refer(len(s.rec.text) - start)
}

func (s *sheetReader) resolveBool(start int) error {
	switch string(trimSpace(s.rec.text[start:])) {
	case "1", "true":
		s.rec.text = append(s.rec.text[:start], "VRAI"...)
	case "0", "false":
		s.rec.text = append(s.rec.text[:start], "FAUX"...)
	default:
		return xmlError("is said to be true or false but is neither")
	}
	return nil
}
