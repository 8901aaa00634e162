package report

import (
	"fmt"
	"io"
	"iter"
	"time"

	"bascule/internal/conversion"
	"bascule/internal/workbook"
)

// summaryName is the first sheet, which charts and names refer to.
const summaryName = "Synthèse"

// A book is the workbook in the making.
type book struct {
	*workbook.Book
	styles       styles
	rowsPerSheet int // with the header
}

func newBook(w io.Writer, rowsPerSheet int) (*book, error) {
	b, err := workbook.New(w, summaryName)
	if err != nil {
		return nil, err
	}
	return &book{Book: b, styles: newStyles(b), rowsPerSheet: rowsPerSheet}, nil
}

// A column of a table of T.
type column[T any] struct {
	title string
	width float64 // in characters
	style int
	value func(*T) workbook.Cell
}

// fill writes one table, over several sheets if one cannot hold it, and tells
// how many rows it has. Each row is seen once.
func fill[T any](b *book, name string, columns []column[T], rows iter.Seq2[T, error], see func(*T)) (count int, err error) {
	s, err := openTable(b, name, columns)
	if err != nil {
		return 0, err
	}
	if rows == nil {
		return 0, s.Close()
	}
	for row, err := range rows {
		if err != nil {
			return count, err
		}
		if s.rows == b.rowsPerSheet {
			if err := s.Close(); err != nil {
				return count, err
			}
			next := fmt.Sprintf("%s (%d)", name, 1+count/(b.rowsPerSheet-1))
			if s, err = openTable(b, next, columns); err != nil {
				return count, err
			}
		}
		see(&row)
		if err := s.add(&row); err != nil {
			return count, err
		}
		count++
	}
	return count, s.Close()
}

// A table is one sheet of a table.
type table[T any] struct {
	*workbook.Sheet
	columns []column[T]
	rows    int
}

// openTable begins a sheet with its header.
func openTable[T any](b *book, name string, columns []column[T]) (*table[T], error) {
	layout := workbook.Layout{Frozen: 1, Header: 1}
	for _, c := range columns {
		layout.Columns = append(layout.Columns, workbook.Column{Width: c.width, Style: c.style})
	}
	s, err := b.Sheet(name, layout)
	if err != nil {
		return nil, err
	}
	err = s.RowOf(1, 22, b.styles.header)
	for i, c := range columns {
		s.Put(i+1, workbook.Text(c.title).In(b.styles.header))
	}
	return &table[T]{s, columns, 1}, err
}

func (t *table[T]) add(row *T) error {
	t.rows++
	err := t.Row(t.rows)
	for i := range t.columns {
		t.Put(i+1, t.columns[i].value(row))
	}
	return err
}

// text is a text cell, or none.
func text(s string) workbook.Cell { return workbook.Text(workbook.Cut(s)) }

func number(n int) workbook.Cell { return workbook.Number(int64(n)) }

// id is the number of a thing, or no cell if there is none.
func id(n int64) workbook.Cell {
	if n == 0 {
		return workbook.Cell{}
	}
	return workbook.Number(n)
}

func yes(b bool) workbook.Cell {
	if !b {
		return workbook.Cell{}
	}
	return text("oui")
}

// instant shows Paris time, whatever the reader's settings.
func instant(t time.Time) workbook.Cell {
	if t.IsZero() {
		return workbook.Cell{}
	}
	return workbook.Instant(t.In(conversion.Paris))
}

// day is a date cell without a time of day.
func day(t time.Time) workbook.Cell {
	if t.IsZero() {
		return workbook.Cell{}
	}
	return workbook.Day(t)
}
