package importer

import (
	"iter"

	"bascule/internal/workbook"
)

// A column of a list that we write.
type column[T any] struct {
	title string
	width float64
	style workbook.Style
	rule  workbook.Rule
	value func(x T) workbook.Cell
}

// The usual styles of a column.
var (
	textStyle   = workbook.Style{Format: "@"}
	dayStyle    = workbook.Style{Format: "dd/mm/yyyy"}
	countStyle  = workbook.Style{Format: "0"}
	titleStyle  = workbook.Style{Bold: true, Size: 14}
	headerStyle = workbook.Style{Format: "@", Bold: true, Ink: "FFFFFF", Paper: "1F3864"}
)

// table is a sheet with a row for each value.
type table[T any] struct {
	*workbook.Sheet
	columns []column[T]
	line    int // of the last row
}

// newTable begins a sheet with a title and more lines above the header, or with the
// header if there are none.
func newTable[T any](book *workbook.Book, name string, columns []column[T], above ...string) *table[T] {
	l := &table[T]{columns: columns, line: 1}
	if len(above) > 0 {
		l.line += len(above) + 1
	}
	layout, titles := workbook.Layout{Frozen: l.line, Header: l.line}, []string{}
	for _, c := range columns {
		layout.Columns = append(layout.Columns, workbook.Column{Width: c.width, Style: book.Style(c.style), Rule: c.rule})
		titles = append(titles, c.title)
	}
	l.Sheet = book.Sheet(name, layout)
	style := titleStyle
	for i, text := range above {
		l.Texts(i+1, book.Style(style), text)
		style = textStyle
	}
	l.Texts(l.line, book.Style(headerStyle), titles...)
	return l
}

// add writes the row of a value.
func (l *table[T]) add(x T) {
	l.line++
	l.Row(l.line, 0)
	for i, c := range l.columns {
		l.Put(i+1, c.value(x))
	}
}

// addAll writes all rows, and ends the sheet.
func (l *table[T]) addAll(all iter.Seq2[T, error]) error {
	for x, err := range all {
		if err != nil {
			return err
		}
		l.add(x)
	}
	l.End()
	return nil
}

// writeExplanation writes a sheet of texts, one or two on a line. One alone is a title.
func writeExplanation(book *workbook.Book, widths [2]float64, style int, lines [][]string) {
	out := book.Sheet(explainedHere, workbook.Layout{Columns: []workbook.Column{{Width: widths[0], Style: style}, {Width: widths[1], Style: style}}})
	title := book.Style(titleStyle)
	for i, texts := range lines {
		style := 0
		if len(texts) == 1 {
			style = title
		}
		out.Texts(i+1, style, texts...)
	}
	out.End()
}
