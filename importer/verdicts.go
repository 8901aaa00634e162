package importer

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"iter"
	"regexp"
	"strings"
	"unicode/utf16"

	"bascule/importer/xlsx"
	"bascule/internal/text"
	"bascule/internal/workbook"
	"bascule/sql"
)

// writeVerdicts writes the verdict workbook. Its first sheet counts the rows of each
// verdict. Then it has the cells of the file's sheet, on the same lines and in the same
// order. Verdict, reason and cell are in front of each row. Every cell is a value,
// never a live formula (I7): a text, or a date or number in the file's own format. An
// identifier is always a text. A corrected workbook can be imported again.
func (f *File) writeVerdicts(w io.Writer, dryRun bool, verdicts iter.Seq2[sql.Verdict, error]) error {
	name := validSheetName(f.Sheet)
	if f.dossiers != nil && strings.EqualFold(name, companySheet) {
		name = defaultSheetName
	}
	book := newVerdictBook(w, name)
	err := book.writeRows(name, f.rows, verdicts)
	if err == nil && f.dossiers != nil {
		err = book.writeDossiers(f.dossiers)
	}
	if err == nil {
		book.writeSummary(f.Name, dryRun)
		book.Keep(f.rows.ctx.Err())
		err = book.Close()
	}
	if err != nil {
		return fmt.Errorf("verdict workbook: %w", err)
	}
	return nil
}

// maxSheetName is the longest name of a sheet, in UTF-16.
const maxSheetName = 31

const defaultSheetName = "Abonnés"

// validSheetName makes a name that Excel accepts from one that another program may have
// written.
func validSheetName(name string) string {
	name = strings.Map(func(r rune) rune {
		if strings.ContainsRune(`:\/?*[]`+"\uFFFE\uFFFF", r) {
			return '_'
		}
		return r
	}, text.Printable(name))
	if units := utf16.Encode([]rune(name)); len(units) > maxSheetName {
		name = strings.TrimSuffix(string(utf16.Decode(units[:maxSheetName])), "\uFFFD")
	}
	return cmp.Or(strings.Trim(name, "'"), defaultSheetName)
}

// verdictBook is a workbook under construction with its styles.
type verdictBook struct {
	*workbook.Book
	summary      string // the name of the first sheet
	text, header look
	looks        map[string]look // by kind of verdict
	culprit      look            // of the cell that a rejection names

	cells  []workbook.Cell // of the row that is prepared
	height float64         // of that row, 0 for one line
	counts verdictCounts
}

// verdictKinds are in the order in which an administrator looks at them.
var verdictKinds = []struct{ kind, french, paper string }{
	{"rejected", "rejeté", "FCE4D6"}, {"excluded", "exclu", "DDEBF7"}, {"accepted", "accepté", "E2EFDA"},
	{"unchanged", "inchangé", "EDEDED"}, {"not_due", "pas encore", "FFF2CC"},
}

// look is the style of the cells of a row. A number comes in that style with the format
// of its own.
type look struct {
	workbook.Style
	number int    // of the style
	reason int    // of the style of the reason, which has several lines
	french string // the verdict
}

func newVerdictBook(w io.Writer, name string) *verdictBook {
	summary := "Synthèse"
	if strings.EqualFold(name, summary) {
		summary = "Synthèse des verdicts"
	}
	b := &verdictBook{Book: workbook.New(w, summary, name), summary: summary, looks: make(map[string]look), counts: make(verdictCounts)}
	b.text, b.header = b.look(textStyle), b.look(headerStyle)
	for _, v := range verdictKinds {
		l := b.look(workbook.Style{Format: "@", Paper: v.paper, Align: workbook.Middle})
		wrapped := l.Style
		wrapped.Wrap = true
		l.reason, l.french = b.Style(wrapped), v.french
		b.looks[v.kind] = l
	}
	b.culprit = b.look(workbook.Style{Format: "@", Bold: true, Ink: "9C0006", Paper: "F4B084", Align: workbook.Middle})
	return b
}

func (b *verdictBook) look(s workbook.Style) look { return look{Style: s, number: b.Style(s)} }

// writeRows writes the data sheet. The rows come from the spool and their
// verdicts from the database, both in the order of the lines.
func (b *verdictBook) writeRows(name string, s *sheet, verdicts iter.Seq2[sql.Verdict, error]) error {
	out := b.openSheet(name, s, 11, reasonWidth, 10)
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
		b.writeRow(out, r.line)
	}
	if r, err, ok := next(); ok {
		return errors.Join(err, fmt.Errorf("row %d has no verdict", r.line))
	}
	out.End()
	return nil
}

// writeHead writes the rows above the header, and the header.
func (b *verdictBook) writeHead(out *workbook.Sheet, s *sheet, next func() (row, error, bool)) error {
	for {
		r, err, ok := next()
		if err != nil || !ok {
			return errors.Join(err, errors.New("the rows end before the header"))
		}
		b.fill(s, r, b.text, 0)
		isHeader := r.line == s.layout.line
		if isHeader {
			b.fill(s, r, b.header, 0)
			for i, heading := range verdictHeadings {
				b.cells[i] = workbook.Text(heading).In(b.header.number)
			}
		}
		b.writeRow(out, r.line)
		if isHeader {
			return nil
		}
	}
}

// mark prepares a data row with its verdict.
func (b *verdictBook) mark(s *sheet, r row, v sql.Verdict) {
	look := b.looks[v.Kind]
	b.counts.add(v)
	cell, blamed := s.verdictCell(v.Cell)
	b.fill(s, r, look, blamed)
	for _, column := range s.layout.used() {
		if c := &b.cells[s.verdictColumn(column)-1]; *c == (workbook.Cell{}) && column == blamed {
			*c = c.In(b.culprit.number)
		} else if *c == (workbook.Cell{}) {
			*c = c.In(look.number)
		}
	}
	b.cells[0] = workbook.Text(look.french).In(look.number)
	reason := s.readdressed(v.Reason)
	b.cells[1] = workbook.Text(reason).In(look.reason)
	b.height = heightOf(reason, reasonWidth)
	b.cells[2] = workbook.Text(cell).In(look.number)
}

// verdictCell is the name that a cell of the file has in the verdict workbook, and the
// cell's column in the file. That is 0 for a cell of another sheet.
func (s *sheet) verdictCell(name string) (string, int) {
	column, line, ok := xlsx.ParseCell(name)
	if !ok {
		return name, 0
	}
	return xlsx.CellName(s.verdictColumn(column), line), column
}

// readdressed is a reason with its further cells renamed to those of the verdict
// workbook.
func (s *sheet) readdressed(reason string) string {
	if !strings.Contains(reason, further) {
		return reason
	}
	return furtherCell.ReplaceAllStringFunc(reason, func(of string) string {
		cell, _ := s.verdictCell(strings.TrimSuffix(strings.TrimPrefix(of, further), "\u00a0:"))
		return further + cell + "\u00a0:"
	})
}

// furtherCell is the cell of a further problem in a reason.
var furtherCell = regexp.MustCompile(further + `(?:Dossiers!)?[A-Z]+\d+\x{a0}:`)

// isDossiers tells whether this is the sheet whose rows have no verdict.
func (s *sheet) isDossiers() bool { return &s.headings[0] == &dossierHeadings[0] }

// verdictColumn is the place of a column of the file, behind the verdicts, which come
// first. Columns of an earlier verdict workbook are gone.
func (s *sheet) verdictColumn(column int) int {
	if s.isDossiers() {
		return column
	}
	if s.layout.added == 0 || column < s.layout.added {
		return column + len(verdictHeadings)
	}
	return column
}

// maxFrozen is how many rows can stay in sight without filling a small screen.
const maxFrozen = 12

// openSheet begins a sheet of the same columns, behind added columns of these widths.
func (b *verdictBook) openSheet(name string, s *sheet, added ...float64) *workbook.Sheet {
	layout := workbook.Layout{Columns: make([]workbook.Column, s.right+len(verdictHeadings)), Header: s.layout.line, Side: len(added)}
	for i := range layout.Columns {
		layout.Columns[i] = workbook.Column{Width: 18, Style: textStyle}
	}
	for f, column := range s.layout.columns {
		if column > 0 {
			layout.Columns[s.verdictColumn(column)-1].Width = columnWidth(s.headings[f].name)
		}
	}
	for _, w := range s.widths { // the file's own
		for column := w.First; column <= min(w.Last, s.right); column++ {
			if column > 0 && !s.layout.isAdded(column) {
				layout.Columns[s.verdictColumn(column)-1].Width = w.Characters
			}
		}
	}
	for i, width := range added {
		layout.Columns[i].Width = width
	}
	if s.layout.line <= maxFrozen {
		layout.Frozen = s.layout.line
	}
	if strings.Contains(name, "'") {
		layout.Header = 0 // excelize writes such a name into the filter unquoted, and Excel calls the file damaged
	}
	return b.Sheet(name, layout)
}

// columnWidth is the width of a field, in characters.
func columnWidth(heading string) float64 {
	switch heading {
	case "titulaire", "raison sociale", "numéro de série":
		return 30
	case "adresse électronique", "émetteur":
		return 36
	}
	return 18
}

// writeDossiers copies the second sheet.
func (b *verdictBook) writeDossiers(s *sheet) error {
	out := b.openSheet(companySheet, s)
	for r, err := range s.all() {
		if err != nil {
			return err
		}
		style := b.text
		if r.line == s.layout.line {
			style = b.header
		}
		b.fill(s, r, style, 0)
		b.writeRow(out, r.line)
	}
	out.End()
	return nil
}
