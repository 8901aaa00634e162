package report

import (
	"fmt"
	"io"
	"strconv"

	"github.com/xuri/excelize/v2"

	"bascule/internal/celltext"
)

// A sheet is one sheet of a table. Excelize knows its name; its part of the
// archive is written here, from top to bottom, as the rows come.
type sheet[T any] struct {
	book    *book
	name    string
	columns []column[T]
	part    io.Writer
	rows    int
	digits  []byte // of the number of the row
	buf     []byte // what is not written yet
}

// bufferSize is what the compressor takes at once.
const bufferSize = 1 << 16

// openSheet begins a part of the archive, which ends when the next one begins.
func openSheet[T any](b *book, name string, columns []column[T]) (*sheet[T], error) {
	index, err := b.file.NewSheet(name)
	if err != nil {
		return nil, err
	}
	part, err := b.archive.begin(fmt.Sprintf("xl/worksheets/sheet%d.xml", index+1))
	if err != nil {
		return nil, err
	}
	s := &sheet[T]{book: b, name: name, columns: columns, part: part, buf: make([]byte, 0, 2*bufferSize)}
	s.head()
	return s, nil
}

// head is all that stands before the first row: the frozen header, the widths.
func (s *sheet[T]) head() {
	s.buf = append(s.buf, `<?xml version="1.0" encoding="UTF-8"?>
<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">`+
		`<sheetPr><pageSetUpPr fitToPage="1"/></sheetPr><sheetViews><sheetView workbookViewId="0">`+
		`<pane activePane="bottomLeft" state="frozen" topLeftCell="A2" ySplit="1"/><selection activeCell="A2" pane="bottomLeft" sqref="A2"/>`+
		`</sheetView></sheetViews><sheetFormatPr defaultRowHeight="15"/><cols>`...)
	for i, c := range s.columns {
		s.buf = fmt.Appendf(s.buf, `<col min="%d" max="%[1]d" width="%v" customWidth="1" style="%d"/>`, i+1, c.width, c.style)
	}
	s.buf = append(s.buf, `</cols><sheetData>`...)
	header := s.book.styles.header
	s.openRow(fmt.Sprintf(`" s="%d" customFormat="1" ht="22" customHeight="1">`, header))
	for i, c := range s.columns {
		s.cell(i, cell{kind: textCell, text: c.title, style: header})
	}
	s.buf = append(s.buf, `</row>`...)
}

func (s *sheet[T]) add(row *T) error {
	s.openRow(`">`)
	for i := range s.columns {
		s.cell(i, s.columns[i].value(row))
	}
	s.buf = append(s.buf, `</row>`...)
	if len(s.buf) < bufferSize {
		return nil
	}
	return s.flush()
}

func (s *sheet[T]) openRow(attributes string) {
	s.rows++
	s.digits = strconv.AppendInt(s.digits[:0], int64(s.rows), 10)
	s.buf = append(s.buf, `<row r="`...)
	s.buf = append(s.buf, s.digits...)
	s.buf = append(s.buf, attributes...)
}

// cell writes a cell of the row, or nothing if it is none.
func (s *sheet[T]) cell(column int, c cell) {
	if c.kind == noCell {
		return
	}
	b := append(s.buf, `<c r="`...)
	b = append(b, 'A'+byte(column))
	b = append(b, s.digits...)
	b = append(b, `" s="`...)
	if c.style == 0 {
		c.style = s.columns[column].style
	}
	b = strconv.AppendInt(b, int64(c.style), 10)
	s.buf = append(c.appendXML(b), `</c>`...)
}

func (s *sheet[T]) flush() error {
	_, err := s.part.Write(s.buf)
	s.buf = s.buf[:0]
	return err
}

// close ends the part: a filter, a page that is A4 landscape and as wide as the
// paper. Excelize writes what the workbook has to say of a sheet: the filter
// again, and the header that every printed page repeats.
func (s *sheet[T]) close() error {
	last, err := excelize.CoordinatesToCellName(len(s.columns), s.rows)
	if err != nil {
		return err
	}
	s.buf = append(s.buf, `</sheetData><autoFilter ref="A1:`+last+`"/>`+
		`<pageMargins left="0.4" right="0.4" top="0.4" bottom="0.4" header="0" footer="0"/>`+
		`<pageSetup paperSize="9" orientation="landscape" fitToWidth="1" fitToHeight="0"/></worksheet>`...)
	if err := s.flush(); err != nil {
		return err
	}
	if err := s.book.file.AutoFilter(s.name, "A1:"+last, nil); err != nil {
		return err
	}
	return s.book.file.SetDefinedName(&excelize.DefinedName{
		Name: "_xlnm.Print_Titles", RefersTo: fmt.Sprintf("'%s'!$1:$1", s.name), Scope: s.name,
	})
}

// An archive is the workbook's. The parts that were begun here are excelize's no
// more: what it writes of them goes nowhere.
type archive struct {
	celltext.Zip
	ours map[string]bool
}

func (a archive) begin(part string) (io.Writer, error) {
	a.ours[part] = true
	return a.Writer.Create(part)
}

// Create implements excelize.ZipWriter.
func (a archive) Create(part string) (io.Writer, error) {
	if a.ours[part] {
		return io.Discard, nil
	}
	return a.Zip.Create(part)
}
