package importer

import (
	"iter"

	"bascule/internal/workbook"
)

// The usual styles of a column.
var (
	textStyle   = workbook.Style{Format: "@"}
	dayStyle    = workbook.Style{Format: "dd/mm/yyyy"}
	countStyle  = workbook.Style{Format: "0"}
	titleStyle  = workbook.Style{Bold: true, Size: 14}
	headerStyle = workbook.Style{Format: "@", Bold: true, Ink: "FFFFFF", Paper: "1F3864"}
)

// writeTable writes a sheet with a row for each value, below a title and more lines if there
// are any. rules are by the titles of columns. The book keeps an error of all.
func writeTable[T any](book *workbook.Book, name string, fields []workbook.Field[T], all iter.Seq2[T, error], rules map[string]workbook.Rule, above ...string) {
	line := 1
	if len(above) > 0 {
		line += len(above) + 1
	}
	layout, titles := workbook.Layout{Frozen: line, Header: line, Columns: workbook.Columns(fields)}, []string{}
	for i, f := range fields {
		layout.Columns[i].Rule = rules[f.Title]
		titles = append(titles, f.Title)
	}
	out := book.Sheet(name, layout)
	style := titleStyle
	for i, text := range above {
		out.Texts(i+1, style, text)
		style = textStyle
	}
	out.Texts(line, headerStyle, titles...)
	for x, err := range all {
		if err != nil {
			book.Keep(err)
			return
		}
		line++
		workbook.PutRow(out, line, fields, &x)
	}
	out.End()
}

// writeExplanation writes a sheet of texts, one or two on a line. One alone is a title.
func writeExplanation(book *workbook.Book, widths [2]float64, style workbook.Style, lines [][]string) {
	out := book.Sheet(explainedHere, workbook.Layout{Columns: []workbook.Column{{Width: widths[0], Style: style}, {Width: widths[1], Style: style}}})
	for i, texts := range lines {
		var style workbook.Style
		if len(texts) == 1 {
			style = titleStyle
		}
		out.Texts(i+1, style, texts...)
	}
	out.End()
}
