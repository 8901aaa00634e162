// Package importer reads one spreadsheet of expiring certificates, checks it
// completely, and hands its rows to the database as one batch (C1).
//
// A file is parsed once. The pass that checks it (archive, XML, limits) spools its rows
// to a temporary file, and all later passes read the spool. So nothing of a damaged
// file is believed, and memory does not grow with the file. xlsx and CSV differ only up
// to the spool.
package importer

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"bascule/importer/spill"
	"bascule/importer/xlsx"
	"bascule/internal/conversion"
	"bascule/internal/text"
	"bascule/sql"
)

// File is a spreadsheet that was read and found sound; its rows may still be wrong. The
// caller closes it.
type File struct {
	// Name is the file's base name, for people to read. Characters that are no text are
	// replaced.
	Name string
	// Hash is the SHA-256 of the file's bytes.
	Hash [sha256.Size]byte
	// Sheet is the name of the sheet with the rows. The sheet of a CSV file is named
	// after the file.
	Sheet string
	// Warnings are about the file as a whole. An administrator should read them.
	Warnings []Warning

	forms    []form // what is looked for
	rows     *sheet
	dossiers *sheet // nil if the file has none
}

// sheet is a sheet whose rows are spooled.
type sheet struct {
	ctx  context.Context // of the reading of the file, and of its rows
	name string
	collector
	hidden []xlsx.Columns
	widths []xlsx.Width
	merges merges
	format func(style int) xlsx.Format // of the file's numbers
}

// Open reads and checks a whole spreadsheet, xlsx or CSV by its content. It returns a
// *FileError if it refuses the file. progress, which may be nil, is called with the
// number of bytes that are checked.
func Open(ctx context.Context, path string, progress func(done, total int64)) (*File, error) {
	return openList(ctx, path, subscriberForms, progress)
}

// openList is Open for a list of one of these forms.
func openList(ctx context.Context, path string, forms []form, progress func(done, total int64)) (*File, error) {
	if err := checkRegular(path); err != nil {
		return nil, err
	}
	in, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	before, err := in.Stat()
	if err != nil {
		return nil, err
	}
	f := &File{Name: text.Printable(filepath.Base(path)), forms: forms}
	if err := f.read(&source{ReaderAt: in, ctx: ctx, size: before.Size(), progress: progress}); err != nil {
		f.Close()
		return nil, err
	}
	after, err := in.Stat()
	if err == nil && (after.Size() != before.Size() || !after.ModTime().Equal(before.ModTime())) {
		err = refuse("the file changed while it was read: try again when it is complete", "le fichier a changé pendant sa lecture : recommencez quand il est complet")
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// checkRegular refuses a folder, a pipe and a device. To open a pipe into which nobody
// writes would take for ever. Why there is no such file, os.Open tells.
func checkRegular(path string) error {
	info, err := os.Stat(path)
	switch {
	case err != nil || info.Mode().IsRegular():
		return nil
	case info.IsDir():
		return fmt.Errorf("%s is a folder: name a file in it", path)
	}
	return fmt.Errorf("%s is a pipe or a device: save what it gives to a file, and name that", path)
}

// Close deletes the temporary files.
func (f *File) Close() error { return errors.Join(f.rows.close(), f.dossiers.close()) }

func (s *sheet) close() error {
	if s == nil || s.spool == nil {
		return nil
	}
	return s.spool.Close()
}

// Count is how many data rows the file has. It is never zero.
func (f *File) Count() int { return f.rows.count }

// Rows yields every data row in the order of the sheet, malformed ones too.
func (f *File) Rows() iter.Seq2[sql.ImportRow, error] { return rowsAs(f.rows, f.rows.subscriber) }

// Dossiers yields the rows of the sheet Dossiers. It is nil if the file has none.
func (f *File) Dossiers() iter.Seq2[sql.DossierRow, error] {
	if f.dossiers == nil {
		return nil
	}
	return rowsAs(f.dossiers, f.dossiers.dossier)
}

// rowsAs yields the data rows of a sheet, as read parses them.
func rowsAs[T any](s *sheet, read func(row) T) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for r, err := range s.data() {
			var of T
			if err == nil {
				of = read(r)
			}
			if !yield(of, err) {
				return
			}
		}
	}
}

// read checks the whole file and returns a *FileError if it is refused.
func (f *File) read(in *source) error {
	head, err := io.ReadAll(io.NewSectionReader(in.ReaderAt, 0, 512))
	if err != nil {
		return err
	}
	in.times = 3 // for the hash, the encoding and the rows
	isArchive := isZip(head)
	if isArchive {
		in.times = 2
	}
	hash := sha256.New()
	if _, err := io.Copy(hash, in.from(0)); err != nil {
		return err
	}
	hash.Sum(f.Hash[:0])
	if isArchive {
		return refusal(f.readWorkbook(in))
	}
	if err := recognise(in, in.size, head); err != nil {
		return err
	}
	return refusal(f.readText(in))
}

func (f *File) readText(in *source) error {
	f.Sheet = sheetNameOf(f.Name)
	s, err := newSheet(in.ctx, f.Sheet, f.forms, true)
	if err != nil {
		return err
	}
	f.rows = s
	if s.delimiter, err = readCSV(in, f.forms, s.add); err != nil {
		return err
	}
	if err := s.complain(); err != nil {
		return err
	}
	return f.finish()
}

// newSheet makes a sheet that looks for its header row and, if keep, spools its rows.
func newSheet(ctx context.Context, name string, forms []form, keep bool) (*sheet, error) {
	s := &sheet{ctx: ctx, name: name, collector: collector{forms: forms, headings: forms[0]}}
	if !keep {
		return s, nil
	}
	f, err := spill.New(xlsx.MaxInflated, 0)
	s.spool = &spool{File: f}
	return s, err
}

func (s *sheet) complain() error { return s.layout.complain(s.name) }

// sheetNameOf makes the name of a sheet from the name of a file, as Excel does for CSV.
func sheetNameOf(file string) string {
	name := validSheetName(strings.TrimSuffix(file, filepath.Ext(file)))
	if text.Fold(name) == dossierSheet || strings.EqualFold(name, "history") {
		return defaultSheetName
	}
	return name
}

func (f *File) warn(english, french string, args ...any) {
	f.Warnings = append(f.Warnings, Warning{fmt.Sprintf(english, args...), fmt.Sprintf(french, args...)})
}

// maxWidth is how many columns a list may have. A verdict workbook costs its
// width times its rows, however small the file is.
const maxWidth = 512

// maxKept is how many rows a list may have that is kept in memory, as those of exclusions
// and of firms are in part.
const maxKept = 100_000

func (s *sheet) isSubscribers() bool { return &s.headings[0] == &subscriberHeadings[0] }

// finish makes the checks that need the whole file.
func (f *File) finish() error {
	if f.rows.count > maxKept && !f.rows.isSubscribers() {
		return refuse("the list has more than %d rows: split it into several files", "la liste compte plus de %d lignes : répartissez-la en plusieurs fichiers", maxKept)
	}
	if f.rows.count == 0 {
		return refuse("the sheet %q has a header row but no data row", "la feuille « %s » a une ligne d’en-tête mais aucune ligne de données", text.Excerpt(f.Sheet))
	}
	for _, s := range []*sheet{f.rows, f.dossiers} {
		if s == nil {
			continue
		}
		if s.right > maxWidth {
			return refuse("the sheet %q has cells beyond column %s: delete what is not part of the list",
				"la feuille « %s » a des cellules au-delà de la colonne %s : supprimez ce qui ne fait pas partie de la liste", text.Excerpt(s.name), xlsx.ColumnName(maxWidth))
		}
		if err := s.spool.Flush(); err != nil {
			return err
		}
		if err := s.merges.settle(s.layout.line, s.layout.used()); err != nil {
			return err
		}
		f.warnHidden(s)
	}
	if f.rows.isSubscribers() {
		if err := cmp.Or(f.warnAddresses(), f.warnDecimal(), f.warnDates()); err != nil {
			return err
		}
	}
	if f.dossiers == nil {
		return nil
	}
	return f.warnDossiers()
}

// surelyDecimal is how many digits without a letter make serial numbers decimal: so many
// hexadecimal ones have none in one of 10^20 lists.
const surelyDecimal = 100

// warnDecimal warns of a list whose first serial numbers seem to be decimal. Read as
// hexadecimal, they are those of no certificate.
func (f *File) warnDecimal() error {
	digits, looked := 0, 0
	for r, err := range f.rows.data() {
		if err != nil {
			return err
		}
		if looked++; looked > surelyDecimal { // rows may be large, and all without a serial number
			break
		}
		serial, err := conversion.ParseSerialNumber(f.rows.text(r, fieldSerial))
		if err == nil && strings.ContainsAny(string(serial), "abcdef") {
			return nil
		}
		if digits += len(serial); digits >= surelyDecimal {
			break
		}
	}
	if digits >= surelyDecimal {
		f.warn("the serial numbers in column %s have no letter from A to F: if they are decimal, write them in hexadecimal",
			"les numéros de série de la colonne %s n’ont aucune lettre de A à F\u00a0: s’ils sont en décimal, écrivez-les en hexadécimal", f.rows.letters(fieldSerial))
	}
	return nil
}

// warnDossiers warns of rows of the sheet Dossiers that belong to no subscriber, and of
// names that lost their accents.
func (f *File) warnDossiers() error {
	var orphans, damaged finding
	for r, err := range f.dossiers.data() {
		if err != nil {
			return err
		}
		p := fieldParser{sheet: f.dossiers, row: r, prefix: "Dossiers!"}
		if parse(&p, fieldNumber, conversion.ParseSubscriberNumber); p.reason != "" {
			orphans.add(p.cell)
		}
		for _, field := range []field{fieldCompany, fieldService} {
			if wrongAccents(f.dossiers.text(r, field)) != "" {
				damaged.add("Dossiers!" + xlsx.CellName(f.dossiers.layout.columns[field], r.line))
			}
		}
	}
	if orphans.count > 0 {
		f.warn("rows of the sheet Dossiers without a valid subscriber number are ignored: %d, the first at %s",
			"des lignes de la feuille Dossiers sans numéro d’abonné valide sont ignorées\u00a0: %d, la première en %s", orphans.count, orphans.first)
	}
	if damaged.count > 0 {
		f.warn("names of the sheet Dossiers look as if read in a wrong encoding: %d, the first at %s",
			"des noms de la feuille Dossiers ont sans doute perdu leurs accents\u00a0: %d, le premier en %s", damaged.count, damaged.first)
	}
	return nil
}

// finding counts cells and remembers the first.
type finding struct {
	count int
	first string
}

func (f *finding) add(cell string) {
	if f.count++; f.count == 1 {
		f.first = cell
	}
}

// warnHidden warns of columns that were read and that nobody sees.
func (f *File) warnHidden(s *sheet) {
	for field, column := range s.layout.columns {
		if column > 0 && slices.ContainsFunc(s.hidden, func(h xlsx.Columns) bool { return h.First <= column && column <= h.Last }) {
			name := s.headings[field].name
			f.warn("column %s (%s) of sheet %q is hidden: it was read all the same", "la colonne %s (%s) de la feuille « %s » est masquée : elle a été lue quand même",
				xlsx.ColumnName(column), name, text.Excerpt(s.name))
		}
	}
}

// data yields the data rows, merged cells resolved.
func (s *sheet) data() iter.Seq2[row, error] {
	return func(yield func(row, error) bool) {
		for r, err := range s.all() {
			if err == nil && r.line <= s.layout.line {
				continue
			}
			if !yield(r, err) || err != nil {
				return
			}
		}
	}
}

// all yields the rows above the header, the header and the data rows, while the
// context of the file lasts. A merged cell repeats its text on many rows: each pass has
// a bound.
func (s *sheet) all() iter.Seq2[row, error] {
	return func(yield func(row, error) bool) {
		spent := 0
		merged := newUnmerger(s.merges)
		for r, err := range s.spool.rows() {
			if err == nil && r.line > s.layout.line {
				merged.resolve(&r, s.layout.line)
			}
			if err == nil {
				err = s.ctx.Err()
			}
			if spent += r.size(); err == nil && spent > xlsx.MaxInflated {
				err = tooLarge()
			}
			if !yield(r, err) || err != nil {
				return
			}
		}
	}
}
