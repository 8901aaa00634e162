package workbook

import (
	"cmp"
	"encoding/xml"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/xuri/excelize/v2"
)

// Layout has the properties of a sheet beside its rows.
type Layout struct {
	Columns []Column // all that have cells
	Frozen  int      // how many rows stay in sight above the others
	Side    int      // how many columns stay in sight beside the others
	Header  int      // the line of the header: it has a filter, and printed pages repeat it; 0 is none
	Titles  int      // printed pages repeat the lines from this one to the header; 0 is the header alone
	Wide    int      // it prints on so many pages beside each other; 0 is one
	Total   bool     // the last row adds the others up: there is no filter
	Charts  bool     // excelize adds charts to the sheet: it has no grid, and rows of one height
}

// Column is one column. The first one is A.
type Column struct {
	Width float64 // in characters
	Style Style   // of its cells without a style of their own
	Rule  Rule    // for typing into the cells below the frozen ones
}

// Rule limits what a person types into a cell. It is a text of From to To characters,
// a date within that many days since 30 December 1899, or one of Choices.
type Rule struct {
	Type        string // "textLength", "date" or "list"; "" is anything
	From, To    int
	Title, Text string   // the spreadsheet program's message
	Choices     []string // without commas and double quotes
}

// Sheet is one sheet, written from top to bottom and from left to right.
type Sheet struct {
	book    *Book
	name    string
	layout  Layout
	columns []string // their letters
	styles  []int    // of the columns
	part    io.Writer
	line    int    // of the row, 0 before the first one
	digits  []byte // of the line
	buf     []byte // bytes that are not written yet
}

// bufferSize is how much the compressor takes at once.
const bufferSize = 1 << 16

// Sheet begins a sheet. The one before must have ended.
func (b *Book) Sheet(name string, l Layout) *Sheet {
	index, err := b.Excelize.NewSheet(name) // or a sheet that New named
	b.Keep(err)
	path := fmt.Sprintf("xl/worksheets/sheet%d.xml", index+1)
	b.ours[path] = true
	part, err := b.zip.Create(path)
	b.Keep(err)
	s := &Sheet{book: b, name: name, layout: l, part: part, buf: make([]byte, 0, 2*bufferSize)}
	for i, c := range l.Columns {
		s.columns, s.styles = append(s.columns, letters(i+1)), append(s.styles, b.Style(c.Style))
		if l.Charts { // excelize places charts by the widths
			b.Keep(b.Excelize.SetColWidth(name, s.columns[i], s.columns[i], c.Width))
		}
	}
	s.head()
	return s
}

// head writes all parts before the first row.
func (s *Sheet) head() {
	s.add(`<?xml version="1.0" encoding="UTF-8"?>
<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships">` +
		`<sheetPr><pageSetUpPr fitToPage="1"/></sheetPr><sheetViews><sheetView `)
	if s.layout.Charts {
		s.add(`showGridLines="0" `)
	}
	s.add(`workbookViewId="0">`)
	s.freeze()
	s.add(`</sheetView></sheetViews><sheetFormatPr defaultRowHeight="15"`)
	if s.layout.Charts {
		s.add(` customHeight="1"`)
	}
	s.add(`/><cols>`)
	for i, c := range s.layout.Columns {
		s.buf = fmt.Appendf(s.buf, `<col min="%d" max="%[1]d" width="%v" customWidth="1" style="%d"/>`, i+1, c.Width, s.styles[i])
	}
	s.add(`</cols><sheetData>`)
}

// freeze keeps the first rows and columns in sight.
func (s *Sheet) freeze() {
	rows, columns := s.layout.Frozen, s.layout.Side
	pane, split := "bottomRight", fmt.Sprintf(` xSplit="%d" ySplit="%d"`, columns, rows)
	switch {
	case rows == 0 && columns == 0:
		return
	case rows == 0:
		pane, split = "topRight", fmt.Sprintf(` xSplit="%d"`, columns)
	case columns == 0:
		pane, split = "bottomLeft", fmt.Sprintf(` ySplit="%d"`, rows)
	}
	cell := fmt.Sprintf("%s%d", letters(columns+1), rows+1)
	s.buf = fmt.Appendf(s.buf, `<pane%s topLeftCell="%s" activePane="%s" state="frozen"/><selection pane="%[3]s" activeCell="%[2]s" sqref="%[2]s"/>`, split, cell, pane)
}

func letters(column int) string {
	name, err := excelize.ColumnNumberToName(column)
	if err != nil {
		panic(err) // a layout has no such number
	}
	return name
}

func (s *Sheet) add(xml string) { s.buf = append(s.buf, xml...) }

// Texts writes a row of texts in one style; the zero Style is the columns' styles.
func (s *Sheet) Texts(line int, style Style, texts ...string) {
	s.Row(line, 0)
	n := s.book.Style(style)
	for i, text := range texts {
		s.Put(i+1, Text(text).In(n))
	}
}

// Row begins a row below the earlier ones, with a height in points. 0 is the usual one.
func (s *Sheet) Row(line int, height float64) {
	s.endRow()
	if len(s.buf) >= bufferSize {
		s.flush()
	}
	s.line = line
	s.digits = strconv.AppendInt(s.digits[:0], int64(line), 10)
	s.add(`<row r="`)
	s.buf = append(s.buf, s.digits...)
	if height != 0 {
		s.buf = fmt.Appendf(s.buf, `" ht="%v" customHeight="1`, height)
	}
	s.add(`">`)
}

func (s *Sheet) endRow() {
	if s.line > 0 {
		s.add(`</row>`)
	}
}

// Put writes a cell of the row, or nothing if it is none. The first column is 1.
func (s *Sheet) Put(column int, c Cell) {
	if c.kind == noCell && c.style == 0 {
		return
	}
	b := append(s.buf, `<c r="`...)
	b = append(b, s.columns[column-1]...)
	b = append(b, s.digits...)
	b = append(b, `" s="`...)
	if c.style == 0 {
		c.style = s.styles[column-1]
	}
	b = strconv.AppendInt(b, int64(c.style), 10)
	s.buf = append(c.appendXML(b), `</c>`...)
}

func (s *Sheet) flush() {
	if s.book.err == nil {
		_, s.book.err = s.part.Write(s.buf)
	}
	s.buf = s.buf[:0]
}

// End ends the sheet.
func (s *Sheet) End() {
	s.endRow()
	s.add(`</sheetData>`)
	if s.layout.Header > 0 {
		s.filter()
	}
	s.rules()
	wide, high := max(s.layout.Wide, 1), 0 // any number of pages
	if s.layout.Charts {
		high = 1
	}
	s.buf = fmt.Appendf(s.buf, `<pageMargins left="0.4" right="0.4" top="0.4" bottom="0.6" header="0.2" footer="0.3"/>`+
		`<pageSetup paperSize="9" orientation="landscape" pageOrder="overThenDown" fitToWidth="%d" fitToHeight="%d"/>`+
		`<headerFooter><oddFooter>&amp;L&amp;A&amp;Rpage &amp;P / &amp;N</oddFooter></headerFooter>`, wide, high)
	if s.layout.Charts {
		s.add(`<drawing r:id="rId1"/>`) // excelize uses this name
	}
	s.add(`</worksheet>`)
	s.flush()
}

// filter writes the filter. Excelize writes the part of it that is in the workbook. It
// also writes the names of the header and columns that every printed page repeats.
func (s *Sheet) filter() {
	header := s.layout.Header
	if !s.layout.Total {
		area := fmt.Sprintf("A%d:%s%d", header, s.columns[len(s.columns)-1], s.line)
		s.add(`<autoFilter ref="` + area + `"/>`)
		s.book.Keep(s.book.Excelize.AutoFilter(s.name, area, nil))
	}
	titles := fmt.Sprintf("'%s'!$%d:$%d", s.name, cmp.Or(s.layout.Titles, header), header)
	if s.layout.Wide > 1 && s.layout.Side > 0 {
		titles = fmt.Sprintf("'%s'!$A:$%s,", s.name, s.columns[s.layout.Side-1]) + titles
	}
	s.book.Keep(s.book.Excelize.SetDefinedName(&excelize.DefinedName{Name: "_xlnm.Print_Titles", RefersTo: titles, Scope: s.name}))
}

// rules writes the rules of the columns, in the form of excelize and Excel.
func (s *Sheet) rules() {
	count, text := 0, strings.Builder{}
	for i, c := range s.layout.Columns {
		if r := c.Rule; r.Type != "" {
			count++
			fmt.Fprintf(&text, `<dataValidation type=%q allowBlank="1" showInputMessage="1" showErrorMessage="1" errorTitle="%s" error="%s" promptTitle="%[2]s" prompt="%[3]s" sqref="%[4]s%[5]d:%[4]s%[6]d">`,
				r.Type, attribute(r.Title), attribute(r.Text), s.columns[i], s.layout.Frozen+1, excelize.TotalRows)
			if r.Type == "list" {
				fmt.Fprintf(&text, `<formula1>"%s"</formula1></dataValidation>`, attribute(strings.Join(r.Choices, ",")))
			} else {
				fmt.Fprintf(&text, `<formula1>%d</formula1><formula2>%d</formula2></dataValidation>`, r.From, r.To)
			}
		}
	}
	if count > 0 {
		s.add(fmt.Sprintf(`<dataValidations count="%d">%s</dataValidations>`, count, text.String()))
	}
}

// attribute is the form of a text between quotes.
func attribute(text string) string {
	var b strings.Builder
	xml.EscapeText(&b, []byte(text)) // a Builder takes all
	return b.String()
}
