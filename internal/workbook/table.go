package workbook

import (
	"bufio"
	"io"
	"iter"
)

// A Field is one column of a table that has a row for each T.
type Field[T any] struct {
	Group, Title string // the fields from one with a group to the next such field are one group
	Width        float64
	Style        Style
	Value        func(*T) Cell
}

// Columns are the columns of a table.
func Columns[T any](fields []Field[T]) (columns []Column) {
	for _, f := range fields {
		columns = append(columns, Column{Width: f.Width, Style: f.Style})
	}
	return columns
}

// PutRow writes the row of x.
func PutRow[T any](s *Sheet, line int, fields []Field[T], x *T) {
	s.Row(line, 0)
	for i := range fields {
		s.Put(i+1, fields[i].Value(x))
	}
}

// WriteCSV writes a table in the form of French spreadsheet programs: UTF-8 with its byte
// order mark, semicolons, CRLF. No text is a formula (I7).
func WriteCSV[T any](w io.Writer, fields []Field[T], rows iter.Seq2[T, error]) error {
	out := bufio.NewWriterSize(w, bufferSize)
	cells := make([]Cell, len(fields))
	for i, f := range fields {
		cells[i] = Text(f.Title)
	}
	line := appendLine([]byte("\ufeff"), cells...)
	out.Write(line) // Flush tells
	for x, err := range rows {
		if err != nil {
			return err
		}
		for i := range fields {
			cells[i] = fields[i].Value(&x)
		}
		line = appendLine(line[:0], cells...)
		if _, err := out.Write(line); err != nil {
			return err
		}
	}
	return out.Flush()
}
