package importer

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"iter"
	"slices"

	"bascule/importer/spill"
	"bascule/importer/xlsx"
)

// row is a row of which the caller may keep the texts.
type row struct {
	line   int
	hidden bool
	cells  []cell
}

type cell struct {
	column int
	kind   xlsx.Kind
	merged bool // it is covered by a merged cell that begins in another column
	style  int  // of a number, see xlsx.Cell
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

// last is the last column that has a cell, 0 in a blank row.
func (r *row) last() int {
	if len(r.cells) == 0 {
		return 0
	}
	return r.cells[len(r.cells)-1].column
}

// keep copies a row of the reader.
func keep(r *xlsx.Row) row {
	out := row{line: r.Line, hidden: r.Hidden, cells: make([]cell, len(r.Cells))}
	for i, c := range r.Cells {
		out.cells[i] = cell{column: c.Column, kind: c.Kind, style: c.Style, text: string(c.Text)}
	}
	return out
}

// spool keeps the rows of one sheet in a temporary file. They are written while the
// file is checked, and read again as often as needed. The file itself is parsed once.
type spool struct {
	*spill.File
	scratch []byte
	length  [binary.MaxVarintLen64]byte // of a row
}

// put writes one row: its length, then line, hidden, and the cells with their texts.
func (s *spool) put(r *xlsx.Row) error {
	hidden := uint64(0)
	if r.Hidden {
		hidden = 1
	}
	b := s.scratch[:0]
	for _, n := range []uint64{uint64(r.Line), hidden, uint64(len(r.Cells))} {
		b = binary.AppendUvarint(b, n)
	}
	for _, c := range r.Cells {
		for _, n := range []int{c.Column, int(c.Kind), c.Style, len(c.Text)} {
			b = binary.AppendUvarint(b, uint64(n))
		}
		b = append(b, c.Text...)
	}
	s.scratch = b
	if _, err := s.Write(binary.AppendUvarint(s.length[:0], uint64(len(b)))); err != nil {
		return err
	}
	_, err := s.Write(b)
	return err
}

// rows yields the rows in the order of put. The cells of a row are valid until the next
// row; the caller may keep their texts.
func (s *spool) rows() iter.Seq2[row, error] {
	return func(yield func(row, error) bool) {
		in := spoolReader{in: s.Reader()}
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
	row   []byte
	rest  []byte // of the row
	cells []cell
}

// next reads a row, or returns io.EOF behind the last one.
func (s *spoolReader) next() (row, error) {
	size, err := binary.ReadUvarint(s.in)
	if err != nil {
		return row{}, err
	}
	s.row = slices.Grow(s.row[:0], int(size))[:size]
	if n, err := io.ReadFull(s.in, s.row); err != nil {
		return row{}, fmt.Errorf("a row has %d bytes of %d: %w", n, size, io.ErrUnexpectedEOF)
	}
	texts := string(s.row)
	s.rest = s.row
	out := row{line: s.number(), hidden: s.number() == 1}
	s.cells = s.cells[:0]
	for range s.number() {
		c := cell{column: s.number(), kind: xlsx.Kind(s.number()), style: s.number()}
		size := s.number()
		from := len(texts) - len(s.rest)
		c.text, s.rest = texts[from:from+size], s.rest[size:]
		s.cells = append(s.cells, c)
	}
	out.cells = s.cells
	return out, nil
}

func (s *spoolReader) number() int {
	value, size := binary.Uvarint(s.rest)
	s.rest = s.rest[size:]
	return int(value)
}
