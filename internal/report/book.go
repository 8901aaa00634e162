package report

import (
	"fmt"
	"io"
	"iter"

	"github.com/xuri/excelize/v2"

	"bascule/internal/celltext"
)

// summaryName is the first sheet, which charts and names refer to.
const summaryName = "Synthèse"

// A book is the workbook in the making.
type book struct {
	file         *excelize.File
	archive      archive
	styles       styles
	rowsPerSheet int // with the header
}

func newBook(w io.Writer, rowsPerSheet int) (*book, error) {
	b := &book{file: excelize.NewFile(), archive: archive{celltext.NewZip(w), make(map[string]bool)}, rowsPerSheet: rowsPerSheet}
	if err := b.file.SetSheetName("Sheet1", summaryName); err != nil {
		return nil, err
	}
	var err error
	b.styles, err = newStyles(b.file)
	return b, err
}

// finish adds all that is not written yet.
func (b *book) finish() error {
	b.file.SetZipWriter(func(io.Writer) excelize.ZipWriter { return b.archive })
	return b.file.Write(io.Discard)
}

// A column of a table of T. A table has 26 at most.
type column[T any] struct {
	title string
	width float64 // in characters
	style int
	value func(*T) cell
}

// fill writes one table, over several sheets if one cannot hold it, and tells
// how many rows it has. Each row is seen once.
func fill[T any](b *book, name string, columns []column[T], rows iter.Seq2[T, error], see func(*T)) (count int, err error) {
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
		see(&row)
		if err := s.add(&row); err != nil {
			return count, err
		}
		count++
	}
	return count, s.close()
}

// printWide makes the summary print as the other sheets do.
func (b *book) printWide() error {
	a4, landscape, wide, high, fit := 9, "landscape", 1, 0, true
	if err := b.file.SetSheetProps(summaryName, &excelize.SheetPropsOptions{FitToPage: &fit}); err != nil {
		return err
	}
	margin := 0.4 // inches
	if err := b.file.SetPageMargins(summaryName, &excelize.PageLayoutMarginsOptions{Left: &margin, Right: &margin, Top: &margin, Bottom: &margin}); err != nil {
		return err
	}
	return b.file.SetPageLayout(summaryName, &excelize.PageLayoutOptions{
		Size: &a4, Orientation: &landscape, FitToWidth: &wide, FitToHeight: &high,
	})
}
