package report

import (
	"fmt"
	"iter"
	"time"

	"bascule/internal/conversion"
	"bascule/internal/workbook"
)

// summaryName is the name of the first sheet; charts and names refer to it.
const summaryName = "Synthèse"

// A book is the workbook under construction.
type book struct {
	*workbook.Book
	styles       styles
	rowsPerSheet int // with the header
}

// A column of a table of T. A column with a group begins it; the next such column
// begins another.
type column[T any] struct {
	group, title string
	width        float64 // in characters
	style        int
	value        func(*T) workbook.Cell
}

// headerRow is the row of the titles, below the groups.
const headerRow = 2

// fill writes one table, over several sheets if one cannot hold it. see gets each row
// once.
func fill[T any](b *book, name string, columns []column[T], rows iter.Seq2[T, error], see func(*T)) error {
	s := openTable(b, name, columns)
	defer func() { s.End() }()
	if rows == nil {
		return nil
	}
	count := 0
	for row, err := range rows {
		if err != nil {
			return err
		}
		if s.rows == b.rowsPerSheet {
			s.End()
			s = openTable(b, fmt.Sprintf("%s (%d)", name, 1+count/(b.rowsPerSheet-headerRow)), columns)
		}
		if see != nil {
			see(&row)
		}
		s.add(&row)
		count++
	}
	return nil
}

// A table is one sheet of a table.
type table[T any] struct {
	*workbook.Sheet
	columns []column[T]
	rows    int
}

// openTable begins a sheet with its header: the groups, then the titles.
func openTable[T any](b *book, name string, columns []column[T]) *table[T] {
	layout := workbook.Layout{Frozen: headerRow, Side: 1, Header: headerRow, Titles: 1}
	width := 0.0
	for _, c := range columns {
		layout.Columns = append(layout.Columns, workbook.Column{Width: c.width, Style: c.style})
		width += c.width
	}
	layout.Wide = int(width/pageWidth) + 1
	s := b.Sheet(name, layout)
	s.Row(1, 20)
	band := 0
	for i, c := range columns {
		if c.group != "" {
			band = 1 - band
		}
		s.Put(i+1, text(c.group).In(b.styles.bands[band]))
	}
	t := &table[T]{s, columns, headerRow}
	t.titles(b)
	return t
}

// titles writes the titles into the last row of the header.
func (t *table[T]) titles(b *book) {
	t.Row(t.rows, 46)
	for i, c := range t.columns {
		t.Put(i+1, text(c.title).In(b.headerOf(c.style)))
	}
}

// pageWidth is how many characters a printed row can have and stay readable.
const pageWidth = 200.0

// headerOf is the style of the title above cells of a style: titles of numbers are on
// the right.
func (b *book) headerOf(style int) int {
	switch style {
	case b.styles.count, b.styles.share:
		return b.styles.numberHeader
	}
	return b.styles.header
}

func (t *table[T]) add(row *T) {
	t.rows++
	t.Row(t.rows, 0)
	for i := range t.columns {
		t.Put(i+1, t.columns[i].value(row))
	}
}

// text is a text cell, or no cell for an empty text.
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

// instant shows Paris time, whatever the settings of the reader's program.
func instant(t time.Time) workbook.Cell { return workbook.Instant(t.In(conversion.Paris)) }

// share is a part of a whole, or no cell if there is none.
func share(n, of int) workbook.Cell {
	if of == 0 {
		return workbook.Cell{}
	}
	return workbook.Decimal(float64(n) / float64(of))
}
