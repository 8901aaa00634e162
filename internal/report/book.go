package report

import (
	"fmt"
	"io"
	"iter"
	"strconv"

	"github.com/xuri/excelize/v2"

	"bascule/internal/celltext"
)

// summaryName is the first sheet, which charts and names refer to.
const summaryName = "Synthèse"

// A book is the workbook in the making.
type book struct {
	file         *excelize.File
	styles       styles
	rowsPerSheet int // with the header
}

func newBook(rowsPerSheet int) (*book, error) {
	b := &book{file: excelize.NewFile(), rowsPerSheet: rowsPerSheet}
	if err := b.file.SetSheetName("Sheet1", summaryName); err != nil {
		return nil, err
	}
	var err error
	b.styles, err = newStyles(b.file)
	return b, err
}

// writeTo sends the compressed workbook straight to w; excelize alone would
// gather all of it in memory first.
func (b *book) writeTo(w io.Writer) error {
	b.file.SetZipWriter(func(io.Writer) excelize.ZipWriter { return celltext.NewZip(w) })
	return b.file.Write(io.Discard)
}

// A column of a table of T.
type column[T any] struct {
	title string
	width float64 // in characters
	style int
	value func(*T) any // nil is no cell
}

// fill writes one table, over several sheets if one cannot hold it, and tells
// how many rows it has.
func fill[T any](b *book, name string, columns []column[T], rows iter.Seq2[T, error]) (count int, err error) {
	s, err := openSheet(b, name, columns)
	if err != nil {
		return 0, err
	}
	if rows == nil {
		return 0, s.close()
	}
	for row, err := range rows {
		if err != nil {
			return count, err
		}
		if s.rows == b.rowsPerSheet {
			if err := s.close(); err != nil {
				return count, err
			}
			next := fmt.Sprintf("%s (%d)", name, 1+count/(b.rowsPerSheet-1))
			if s, err = openSheet(b, next, columns); err != nil {
				return count, err
			}
		}
		if err := s.add(&row); err != nil {
			return count, err
		}
		count++
	}
	return count, s.close()
}

// A sheet is one sheet of a table, written from top to bottom.
type sheet[T any] struct {
	book    *book
	name    string
	columns []column[T]
	stream  *excelize.StreamWriter
	rows    int
	values  []any // of one row, used again and again
}

// openSheet writes everything that has to stand before the first row, in the
// order that excelize asks for.
func openSheet[T any](b *book, name string, columns []column[T]) (*sheet[T], error) {
	if _, err := b.file.NewSheet(name); err != nil {
		return nil, err
	}
	if err := b.printWide(name); err != nil {
		return nil, err
	}
	stream, err := b.file.NewStreamWriter(name)
	if err != nil {
		return nil, err
	}
	s := &sheet[T]{book: b, name: name, columns: columns, stream: stream, values: make([]any, len(columns))}
	for i, c := range columns {
		if err := stream.SetColStyle(i+1, i+1, c.style); err != nil {
			return nil, err
		}
		if err := stream.SetColWidth(i+1, i+1, c.width); err != nil {
			return nil, err
		}
	}
	header := &excelize.Panes{Freeze: true, YSplit: 1, TopLeftCell: "A2", ActivePane: "bottomLeft",
		Selection: []excelize.Selection{{SQRef: "A2", ActiveCell: "A2", Pane: "bottomLeft"}}}
	if err := stream.SetPanes(header); err != nil {
		return nil, err
	}
	return s, s.head()
}

func (s *sheet[T]) head() error {
	for i, c := range s.columns {
		s.values[i] = c.title
	}
	s.rows = 1
	return s.stream.SetRow("A1", s.values, excelize.RowOpts{Height: 22, StyleID: s.book.styles.header})
}

func (s *sheet[T]) add(row *T) error {
	for i, c := range s.columns {
		s.values[i] = c.value(row)
	}
	s.rows++
	return s.stream.SetRow("A"+strconv.Itoa(s.rows), s.values)
}

// close adds what excelize loses after Flush: the filter, and the header that
// every printed page repeats.
func (s *sheet[T]) close() error {
	last, err := excelize.CoordinatesToCellName(len(s.columns), s.rows)
	if err != nil {
		return err
	}
	if err := s.book.file.AutoFilter(s.name, "A1:"+last, nil); err != nil {
		return err
	}
	err = s.book.file.SetDefinedName(&excelize.DefinedName{
		Name: "_xlnm.Print_Titles", RefersTo: fmt.Sprintf("'%s'!$1:$1", s.name), Scope: s.name,
	})
	if err != nil {
		return err
	}
	return s.stream.Flush()
}

// printWide makes a sheet print on A4 landscape, as wide as the paper.
func (b *book) printWide(name string) error {
	a4, landscape, wide, high, fit := 9, "landscape", 1, 0, true
	if err := b.file.SetSheetProps(name, &excelize.SheetPropsOptions{FitToPage: &fit}); err != nil {
		return err
	}
	margin := 0.4 // inches
	if err := b.file.SetPageMargins(name, &excelize.PageLayoutMarginsOptions{Left: &margin, Right: &margin, Top: &margin, Bottom: &margin}); err != nil {
		return err
	}
	return b.file.SetPageLayout(name, &excelize.PageLayoutOptions{
		Size: &a4, Orientation: &landscape, FitToWidth: &wide, FitToHeight: &high,
	})
}
