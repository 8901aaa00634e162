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
	rowsPerSheet int // with the header
}

// field is a column of a table of T.
func field[T any](group, title string, width float64, style workbook.Style, value func(*T) workbook.Cell) workbook.Field[T] {
	return workbook.Field[T]{Group: group, Title: title, Width: width, Style: style, Value: value}
}

// headerRow is the row of the titles, below the groups.
const headerRow = 2

// fill writes one table, over several sheets if one cannot hold it. see gets each row
// once.
func fill[T any](b *book, name string, fields []workbook.Field[T], rows iter.Seq2[T, error], see func(*T)) error {
	s := openTable(b, name, fields)
	defer func() { s.End() }()
	if rows == nil {
		return nil
	}
	line, sheets := headerRow, 1
	for row, err := range rows {
		if err != nil {
			return err
		}
		if line == b.rowsPerSheet {
			s.End()
			line, sheets = headerRow, sheets+1
			s = openTable(b, fmt.Sprintf("%s (%d)", name, sheets), fields)
		}
		if see != nil {
			see(&row)
		}
		line++
		workbook.PutRow(s, line, fields, &row)
	}
	return nil
}

// openTable begins a sheet with its header: the groups, then the titles.
func openTable[T any](b *book, name string, fields []workbook.Field[T]) *workbook.Sheet {
	layout := workbook.Layout{Columns: workbook.Columns(fields), Frozen: headerRow, Side: 1, Header: headerRow, Titles: 1}
	width := 0.0
	for _, f := range fields {
		width += f.Width
	}
	layout.Wide = int(width/pageWidth) + 1
	s := b.Sheet(name, layout)
	s.Row(1, 20)
	band := 0
	for i, f := range fields {
		if f.Group != "" {
			band = 1 - band
		}
		s.Put(i+1, text(f.Group).In(b.Style(bandStyles[band])))
	}
	putTitles(b, s, headerRow, fields)
	return s
}

// putTitles writes the titles; those of numbers are on the right.
func putTitles[T any](b *book, s *workbook.Sheet, line int, fields []workbook.Field[T]) {
	s.Row(line, 46)
	for i, f := range fields {
		style := headerStyle
		if f.Style == countStyle || f.Style == shareStyle {
			style = numberHeaderStyle
		}
		s.Put(i+1, text(f.Title).In(b.Style(style)))
	}
}

// pageWidth is how many characters a printed row can have and stay readable.
const pageWidth = 200.0

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
