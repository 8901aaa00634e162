package importer

import (
	"context"

	"bascule/importer/xlsx"
	"bascule/internal/text"
)

func (f *File) readWorkbook(in *source) error {
	book, err := xlsx.Open(in.ctx, in, in.size)
	if err != nil {
		return recogniseArchive(in, in.size, err)
	}
	defer book.Close()
	pick := picker{ctx: in.ctx, file: f, book: book}
	for _, sheet := range book.Sheets {
		if err := pick.read(sheet); err != nil {
			return err
		}
	}
	if err := book.Verify(); err != nil {
		return err
	}
	if f.rows == nil {
		return pick.complain()
	}
	f.Sheet = f.rows.name
	return f.finish()
}

// picker reads all sheets of a workbook. It keeps the first visible sheet with the
// header row, and the sheet named Dossiers that has its columns.
type picker struct {
	ctx    context.Context
	file   *File
	book   *xlsx.Workbook
	best   *sheet // the sheet with most of a header row, among those without a whole one
	hidden string // a hidden sheet that has the header row
}

func (p *picker) read(from *xlsx.Sheet) error {
	dossier := text.Fold(from.Name) == dossierSheet
	forms := p.file.forms
	if dossier { // the list of subscribers may be called so, too
		forms = append([]form{dossierHeadings}, forms...)
	}
	s, err := newSheet(p.ctx, from.Name, forms, !from.Hidden && (dossier || p.file.rows == nil))
	if err != nil {
		return err
	}
	defer func() {
		if s != p.file.rows && s != p.file.dossiers {
			s.close()
		}
	}()
	if err := from.Rows(s.add); err != nil {
		return err
	}
	s.hidden, s.widths, s.merges.areas = from.HiddenColumns, from.Widths, from.Merged
	s.format = p.book.Format
	return p.keep(s, from.Hidden, s.isDossiers())
}

func (p *picker) keep(s *sheet, hidden, dossier bool) error {
	f := p.file
	switch {
	case hidden && (dossier || s.found):
		if !dossier {
			p.hidden = s.name
		}
		f.warn("the sheet %q is hidden: it was not read", "la feuille « %s » est masquée : elle n’a pas été lue", text.Excerpt(s.name))
	case hidden, dossier && !s.filled:
	case dossier && f.dossiers != nil:
		return refuse("the workbook has two sheets called Dossiers", "le classeur a deux feuilles nommées Dossiers")
	case dossier:
		f.dossiers = s
		return s.complain()
	case !s.found:
		if p.best == nil || s.layout.found() > p.best.layout.found() {
			p.best = s
		}
	case f.rows != nil:
		f.warn("the sheet %q has the columns too: only the first such sheet was read",
			"la feuille « %s » a aussi les colonnes voulues : seule la première de ces feuilles a été lue", text.Excerpt(s.name))
	default:
		f.rows = s
		return s.complain()
	}
	return nil
}

// complain says why it kept no sheet.
func (p *picker) complain() error {
	switch {
	case p.hidden != "":
		return refuse("the sheet %q that has the columns is hidden: unhide it", "la feuille « %s », qui a les colonnes voulues, est masquée : affichez-la", text.Excerpt(p.hidden))
	case p.best != nil:
		if p.best.layout.columns == nil { // an empty sheet
			p.best.layout = matchHeader(row{}, p.file.forms[0])
		}
		return p.best.complain()
	}
	return refuse("the workbook has no visible sheet but Dossiers", "le classeur n’a pas de feuille visible en dehors de Dossiers")
}
