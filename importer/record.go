package importer

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"iter"
	"strings"
	"unicode"
	"unicode/utf8"

	"bascule/internal/celltext"
	"bascule/internal/conversion"
)

// Limits of the format, which CSV is held to as well: a verdict workbook must
// be able to show every file.
const (
	maxRows     = 1 << 20
	maxColumns  = 1 << 14
	maxCellText = 32_767  // UTF-16 code units, as Excel counts
	maxRecord   = 4 << 20 // bytes of one row
)

// kind says what must be known of a cell besides its text.
type kind byte

const (
	plainCell      kind = iota
	lostDigits          // a number whose digits the spreadsheet did not keep as typed
	shownOtherwise      // a number that its format shows as something else
	formulaCell         // its text is the value computed last
	uncomputedCell      // a formula without a value
	errorCell           // its text is an error like #REF!
	mergedCell          // it is covered by a merged cell that begins in another column
)

func (k kind) isFormula() bool { return k == formulaCell || k == uncomputedCell }

// record is a row while it is being read: its cells that are not blank or are
// formulas, and their texts one after the other.
type record struct {
	line   int
	hidden bool
	text   []byte
	cells  []span

	blankFormulas bool // some cells are formulas that show nothing
}

type span struct {
	column int // from 1
	kind   kind
	end    int // in text; it begins where the one before ends
}

func (r *record) reset(line int) {
	*r = record{line: line, text: r.text[:0], cells: r.cells[:0]}
}

// add closes the cell whose text was appended to r.text since the last one. A
// blank one is dropped, except a formula.
func (r *record) add(column int, k kind) error {
	start := r.start()
	text := r.text[start:]
	switch {
	case len(r.text) > maxRecord:
		return refuse("row %d is longer than %d bytes: the file is not a list of subscribers",
			"la ligne %d dépasse %d octets : le fichier n'est pas une liste d'abonnés", r.line, maxRecord)
	case isLong(text):
		return refuse("cell %s is longer than %d characters", "la cellule %s dépasse %d caractères",
			cellName(column, r.line), maxCellText)
	case isBlank(text):
		r.text = r.text[:start]
		if !k.isFormula() {
			return nil
		}
		r.blankFormulas = true
	}
	r.cells = append(r.cells, span{column, k, len(r.text)})
	return nil
}

// filter drops the cells for which keep is false.
func (r *record) filter(keep func(column int, k kind, blank bool) bool) {
	text, cells, from := r.text[:0], r.cells[:0], 0
	for _, s := range r.cells {
		piece := r.text[from:s.end]
		from = s.end
		if keep(s.column, s.kind, len(piece) == 0) {
			text = append(text, piece...)
			cells = append(cells, span{s.column, s.kind, len(text)})
		}
	}
	r.text, r.cells = text, cells
}

func (r *record) start() int {
	if len(r.cells) == 0 {
		return 0
	}
	return r.cells[len(r.cells)-1].end
}

func isBlank(text []byte) bool {
	for _, c := range text {
		if c > ' ' && c < utf8.RuneSelf {
			return false
		}
	}
	return strings.TrimLeftFunc(conversion.Trim(string(text)), unicode.IsControl) == "" // a Ctrl-Z is no row
}

// isLong tells a text that no cell can hold, of the workbook read or of the one
// that shows its verdicts.
func isLong(text []byte) bool {
	return len(text) > maxCellText/2 && celltext.Units(string(text)) > maxCellText
}

// row is a record read back: its texts are strings that may be kept.
type row struct {
	line   int
	hidden bool
	cells  []cell
}

type cell struct {
	column int
	kind   kind
	text   string
}

// size is how many bytes of text the row has.
func (r *row) size() int {
	n := 0
	for _, c := range r.cells {
		n += len(c.text)
	}
	return n
}

// at is the cell of a column; a blank one if there is none.
func (r *row) at(column int) cell {
	for _, c := range r.cells {
		if c.column == column {
			return c
		}
	}
	return cell{column: column}
}

func (r *record) row() row {
	text, from := string(r.text), 0
	out := row{line: r.line, hidden: r.hidden, cells: make([]cell, len(r.cells))}
	for i, c := range r.cells {
		out.cells[i] = cell{c.column, c.kind, text[from:c.end]}
		from = c.end
	}
	return out
}

// spool keeps the rows of one sheet in a temporary file. They are written
// while the file is checked and read back as often as needed: the file itself
// is parsed once.
type spool struct {
	*spill
	scratch []byte
}

func newSpool() (*spool, error) {
	s, err := newSpill(0)
	return &spool{spill: s}, err
}

// put writes one record: line, hidden, cells (column, kind, length), texts.
func (s *spool) put(r *record) error {
	b := binary.AppendUvarint(s.scratch[:0], uint64(r.line))
	hidden := byte(0)
	if r.hidden {
		hidden = 1
	}
	b = append(b, hidden)
	b = binary.AppendUvarint(b, uint64(len(r.cells)))
	from := 0
	for _, c := range r.cells {
		b = binary.AppendUvarint(b, uint64(c.column))
		b = append(b, byte(c.kind))
		b = binary.AppendUvarint(b, uint64(c.end-from))
		from = c.end
	}
	s.scratch = append(b, r.text...)
	return s.write(s.scratch)
}

// rows yields what was put, in order. The cells of a row are good until the
// next one; their texts may be kept.
func (s *spool) rows() iter.Seq2[row, error] {
	return func(yield func(row, error) bool) {
		in := spoolReader{in: s.reader()}
		for {
			r, err := in.next()
			if err == io.EOF {
				return
			}
			if err != nil {
				yield(row{}, fmt.Errorf("temporary file of the import: %w", err))
				return
			}
			if !yield(r, nil) {
				return
			}
		}
	}
}

type spoolReader struct {
	in    *bufio.Reader
	cells []cell
	sizes []int
	text  []byte
}

func (s *spoolReader) next() (row, error) {
	if _, err := s.in.Peek(1); err != nil {
		return row{}, err
	}
	line, err1 := binary.ReadUvarint(s.in)
	hidden, err2 := s.in.ReadByte()
	count, err3 := binary.ReadUvarint(s.in)
	if err1 != nil || err2 != nil || err3 != nil {
		return row{}, io.ErrUnexpectedEOF
	}
	total, err := s.heads(int(count))
	if err != nil {
		return row{}, io.ErrUnexpectedEOF
	}
	if cap(s.text) < total {
		s.text = make([]byte, total)
	}
	if _, err := io.ReadFull(s.in, s.text[:total]); err != nil {
		return row{}, io.ErrUnexpectedEOF
	}
	text, from := string(s.text[:total]), 0
	for i, n := range s.sizes {
		s.cells[i].text = text[from : from+n]
		from += n
	}
	return row{line: int(line), hidden: hidden == 1, cells: s.cells}, nil
}

// heads reads what stands before the texts and returns the length of all texts.
func (s *spoolReader) heads(count int) (total int, err error) {
	s.cells, s.sizes = s.cells[:0], s.sizes[:0]
	for range count {
		column, err := binary.ReadUvarint(s.in)
		if err != nil {
			return 0, err
		}
		k, err := s.in.ReadByte()
		if err != nil {
			return 0, err
		}
		n, err := binary.ReadUvarint(s.in)
		if err != nil {
			return 0, err
		}
		s.cells = append(s.cells, cell{column: int(column), kind: kind(k)})
		s.sizes = append(s.sizes, int(n))
		total += int(n)
	}
	return total, nil
}

// columnName writes a column's letters: 1 is A, 28 is AB.
func columnName(column int) string {
	var b [3]byte
	i := len(b)
	for ; column > 0; column = (column - 1) / 26 {
		i--
		b[i] = byte('A' + (column-1)%26)
	}
	return string(b[i:])
}

// cellName writes the address of a cell as spreadsheets do: C14.
func cellName(column, line int) string { return fmt.Sprint(columnName(column), line) }

// parseRef reads an address like C14; ok tells that it lies within a sheet.
func parseRef(ref []byte) (column, line int, ok bool) {
	i := 0
	for ; i < len(ref) && i < 4 && ref[i] >= 'A' && ref[i] <= 'Z'; i++ {
		column = column*26 + int(ref[i]-'A') + 1
	}
	line, ok = parseDigits(ref[i:], maxRows)
	return column, line, ok && i > 0 && line > 0 && column <= maxColumns
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
