package importer

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"
	"unicode/utf16"

	"github.com/xuri/excelize/v2"

	"bascule/importer/xlsx"
	"bascule/internal/celltext"
	"bascule/sql"
)

// writeVerdicts writes the verdict workbook: what the file's sheet shows, at
// the same addresses, with verdict, reason and cell beside each row. Every cell
// is text, so that nothing is a live formula (I7) and a corrected workbook
// can be imported again.
func (f *File) writeVerdicts(w io.Writer, verdicts iter.Seq2[sql.Verdict, error]) (err error) {
	book, err := newVerdictBook()
	if err != nil {
		return fmt.Errorf("verdict workbook: %w", err)
	}
	defer func() { err = errors.Join(err, book.Close()) }()
	if err := f.fillVerdicts(book, verdicts); err != nil {
		return fmt.Errorf("verdict workbook: %w", err)
	}
	if err := writeBook(contextWriter{f.rows.ctx, w}, book.File); err != nil {
		return fmt.Errorf("verdict workbook: %w", err)
	}
	return nil
}

func (f *File) fillVerdicts(book *verdictBook, verdicts iter.Seq2[sql.Verdict, error]) error {
	name := validSheetName(f.Sheet)
	if err := book.SetSheetName(book.GetSheetName(0), name); err != nil {
		return err
	}
	if f.dossiers != nil {
		if _, err := book.NewSheet("Dossiers"); err != nil {
			return err
		}
	}
	if err := book.writeRows(name, f.rows, verdicts); err != nil {
		return err
	}
	if f.dossiers == nil {
		return nil
	}
	return book.writeDossiers("Dossiers", f.dossiers)
}

// writeBook writes a workbook straight to w; excelize's own way would hold the
// whole file in memory.
func writeBook(w io.Writer, book *excelize.File) error {
	book.SetZipWriter(func(io.Writer) excelize.ZipWriter { return celltext.NewZip(w) })
	return book.Write(io.Discard)
}

// validSheetName makes a name that Excel accepts, of one that another program may
// have written.
func validSheetName(name string) string {
	name = strings.Map(func(r rune) rune {
		if r < ' ' || r == '\uFFFE' || r == '\uFFFF' || strings.ContainsRune(`:\/?*[]`, r) {
			return '_'
		}
		return r
	}, strings.ToValidUTF8(name, "_"))
	if units := utf16.Encode([]rune(name)); len(units) > excelize.MaxSheetNameLength {
		name = strings.TrimSuffix(string(utf16.Decode(units[:excelize.MaxSheetNameLength])), "\uFFFD")
	}
	if name = strings.Trim(name, "'"); name == "" {
		return "Abonnés"
	}
	return name
}

// verdictBook is a workbook under construction with its styles.
type verdictBook struct {
	*excelize.File
	text, header int
	rows         map[string]int // by kind of verdict
	culprit      int            // the cell that a rejection names

	values []any
	cells  []excelize.Cell
}

// textFormat is the built-in number format "@": what is typed stays as typed.
const textFormat = 49

func newVerdictBook() (*verdictBook, error) {
	b := &verdictBook{File: excelize.NewFile(), rows: make(map[string]int)}
	var errs []error
	style := func(fill, font string, bold bool) int {
		s := &excelize.Style{NumFmt: textFormat, Font: &excelize.Font{Bold: bold, Color: font}}
		if fill != "" {
			s.Fill = excelize.Fill{Type: "pattern", Pattern: 1, Color: []string{fill}}
		}
		id, err := b.NewStyle(s)
		errs = append(errs, err)
		return id
	}
	b.text = style("", "", false)
	b.header = style("1F3864", "FFFFFF", true)
	b.rows["accepted"] = style("E2EFDA", "", false)
	b.rows["unchanged"] = style("EDEDED", "", false)
	b.rows["not_due"] = style("FFF2CC", "", false)
	b.rows["excluded"] = style("DDEBF7", "", false)
	b.rows["rejected"] = style("FCE4D6", "", false)
	b.culprit = style("F4B084", "9C0006", true)
	return b, errors.Join(errs...)
}

// writeRows writes the data sheet. The rows come from the spool and their
// verdicts from the database, both in the order of the lines.
func (b *verdictBook) writeRows(name string, s *sheet, verdicts iter.Seq2[sql.Verdict, error]) error {
	out, err := b.openSheet(name, s, len(verdictHeadings))
	if err != nil {
		return err
	}
	next, stop := iter.Pull2(s.all())
	defer stop()
	if err := b.writeHead(out, s, next); err != nil {
		return err
	}
	for v, err := range verdicts {
		if err != nil {
			return err
		}
		r, err, ok := next()
		if err != nil {
			return err
		}
		if !ok || r.line != v.Line {
			return fmt.Errorf("the verdict of row %d has no row", v.Line)
		}
		b.mark(s, r, v)
		if err := out.SetRow(xlsx.CellName(1, r.line), b.values); err != nil {
			return err
		}
	}
	if r, err, ok := next(); ok {
		return errors.Join(err, fmt.Errorf("row %d has no verdict", r.line))
	}
	return out.Flush()
}

// writeHead writes the rows above the header, and the header.
func (b *verdictBook) writeHead(out *excelize.StreamWriter, s *sheet, next func() (row, error, bool)) error {
	for {
		r, err, ok := next()
		if err != nil || !ok {
			return errors.Join(err, errors.New("the rows end before the header"))
		}
		b.fill(s, r, b.text)
		isHeader := r.line == s.layout.line
		if isHeader {
			b.fill(s, r, b.header)
			b.append(s, b.header, verdictHeadings...)
		}
		if err := out.SetRow(xlsx.CellName(1, r.line), b.values); err != nil || isHeader {
			return err
		}
	}
}

// mark prepares a data row with its verdict.
func (b *verdictBook) mark(s *sheet, r row, v sql.Verdict) {
	style := b.rows[v.Kind]
	b.fill(s, r, style)
	b.append(s, style, kindFrench(v.Kind), v.Reason, v.Cell)
	for _, column := range s.layout.used() {
		c := &b.cells[column-1]
		if c.StyleID = style; v.Cell == xlsx.CellName(column, r.line) {
			c.StyleID = b.culprit
		}
		b.values[column-1] = c
	}
}

// fill prepares a row as it stands in the file.
func (b *verdictBook) fill(s *sheet, r row, style int) {
	width := s.right + len(verdictHeadings)
	if cap(b.cells) < width {
		b.cells, b.values = make([]excelize.Cell, width), make([]any, width)
	}
	b.cells, b.values = b.cells[:width], b.values[:width]
	clear(b.cells)
	clear(b.values)
	for _, c := range r.cells {
		b.put(c.column, style, s.carried(r, c))
	}
}

// carried is a cell's text as a workbook of texts keeps it. An identifier that
// was rejected because it was shown as something else must not be taken when it
// comes back as text: it gets the shape that lost digits have.
func (s *sheet) carried(r row, c cell) string {
	f := slices.Index(s.layout.columns, c.column)
	if c.kind != xlsx.ShownOtherwise || r.line <= s.layout.line || f < 0 || !s.headings[f].identifier {
		return c.text
	}
	text, ok := xlsx.Scientific(c.text)
	if !ok {
		return c.text
	}
	return text
}

func (b *verdictBook) put(column, style int, text string) {
	b.cells[column-1] = excelize.Cell{StyleID: style, Value: celltext.Mark(text)}
	b.values[column-1] = &b.cells[column-1]
}

// append puts texts behind the last column of the sheet.
func (b *verdictBook) append(s *sheet, style int, texts ...string) {
	for i, text := range texts {
		b.put(s.right+1+i, style, text)
	}
}

// openSheet starts a streamed sheet: widths, frozen header, filter. All that
// must come before the first row, or excelize drops it.
func (b *verdictBook) openSheet(name string, s *sheet, added int) (*excelize.StreamWriter, error) {
	out, err := openStream(b.File, name)
	if err != nil {
		return nil, err
	}
	last := s.right + added
	if err := setWidths(out, s, added); err != nil {
		return nil, err
	}
	if err := out.SetColStyle(1, last, b.text); err != nil {
		return nil, err
	}
	if line := s.layout.line; line <= maxFrozen {
		err := out.SetPanes(&excelize.Panes{Freeze: true, YSplit: line, TopLeftCell: xlsx.CellName(1, line+1), ActivePane: "bottomLeft"})
		if err != nil {
			return nil, err
		}
	}
	if strings.Contains(name, "'") {
		return out, nil // excelize writes such a name into the filter unquoted, and Excel calls the file damaged
	}
	area := xlsx.CellName(1, s.layout.line) + ":" + xlsx.CellName(last, max(s.last, s.layout.line))
	return out, b.AutoFilter(name, area, nil)
}

// openStream begins a sheet that prints on A4 landscape, as wide as the paper.
func openStream(book *excelize.File, name string) (*excelize.StreamWriter, error) {
	a4, landscape, wide, high, fit := 9, "landscape", 1, 0, true
	if err := errors.Join(
		book.SetSheetProps(name, &excelize.SheetPropsOptions{FitToPage: &fit}),
		book.SetPageLayout(name, &excelize.PageLayoutOptions{Size: &a4, Orientation: &landscape, FitToWidth: &wide, FitToHeight: &high}),
	); err != nil {
		return nil, err
	}
	return book.NewStreamWriter(name)
}

// maxFrozen is how many rows may stay in sight without filling a small screen.
const maxFrozen = 12

// setWidths makes each column about as wide as what usually stands in it.
func setWidths(out *excelize.StreamWriter, s *sheet, added int) error {
	if err := out.SetColWidth(1, s.right, 18); err != nil {
		return err
	}
	for f, column := range s.layout.columns {
		if column == 0 {
			continue
		}
		if err := out.SetColWidth(column, column, float64(columnWidth(s.headings[f].name))); err != nil {
			return err
		}
	}
	for i, width := range []float64{12, 90, 12}[:added] {
		if err := out.SetColWidth(s.right+1+i, s.right+1+i, width); err != nil {
			return err
		}
	}
	return nil
}

// columnWidth is a width for a field, in characters.
func columnWidth(heading string) int {
	switch heading {
	case "titulaire", "raison sociale", "numéro de série":
		return 30
	case "adresse électronique", "émetteur":
		return 36
	}
	return 18
}

// writeDossiers carries the second sheet over.
func (b *verdictBook) writeDossiers(name string, s *sheet) error {
	out, err := b.openSheet(name, s, 0)
	if err != nil {
		return err
	}
	for r, err := range s.all() {
		if err != nil {
			return err
		}
		style := b.text
		if r.line == s.layout.line {
			style = b.header
		}
		b.fill(s, r, style)
		if err := out.SetRow(xlsx.CellName(1, r.line), b.values); err != nil {
			return err
		}
	}
	return out.Flush()
}
