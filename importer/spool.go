package importer

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"iter"

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
}

func newSpool() (*spool, error) {
	f, err := spill.New(xlsx.MaxInflated, 0)
	return &spool{File: f}, err
}

// put writes one row: line, hidden, cells (column, kind, style, length), texts.
func (s *spool) put(r *xlsx.Row) error {
	b := binary.AppendUvarint(s.scratch[:0], uint64(r.Line))
	hidden := byte(0)
	if r.Hidden {
		hidden = 1
	}
	b = append(b, hidden)
	b = binary.AppendUvarint(b, uint64(len(r.Cells)))
	for _, c := range r.Cells {
		b = binary.AppendUvarint(b, uint64(c.Column))
		b = append(b, byte(c.Kind))
		b = binary.AppendUvarint(b, uint64(c.Style))
		b = binary.AppendUvarint(b, uint64(len(c.Text)))
	}
	for _, c := range r.Cells {
		b = append(b, c.Text...)
	}
	s.scratch = b
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

// heads reads the part before the texts, and returns the length of all texts.
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
		style, err := binary.ReadUvarint(s.in)
		if err != nil {
			return 0, err
		}
		n, err := binary.ReadUvarint(s.in)
		if err != nil {
			return 0, err
		}
		s.cells = append(s.cells, cell{column: int(column), kind: xlsx.Kind(k), style: int(style)})
		s.sizes = append(s.sizes, int(n))
		total += int(n)
	}
	return total, nil
}
