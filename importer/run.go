package importer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"time"

	"bascule/importer/xlsx"
	"bascule/internal/atomicfile"
	"bascule/internal/certificate"
	"bascule/internal/conversion"
	"bascule/internal/text"
	"bascule/sql"
)

// Options say what to import and how.
type Options struct {
	// Path is the spreadsheet: xlsx or CSV, by its content.
	Path string
	// Campaign is the name of the file's campaign; "": see sql.Import.
	Campaign string
	// Start starts the campaign.
	Start bool
	// Within leaves out certificates that expire later than that; 0 takes all.
	Within time.Duration
	// Firm takes only the sheet that a firm has filled in.
	Firm bool
	// DryRun judges every row and stores nothing.
	DryRun bool
	// VerdictsPath is the path of the verdict workbook; "" writes none.
	VerdictsPath string
	// Actor is the person who runs the import, for the audit log.
	Actor string
	// Keys make the codes of the requests.
	Keys *conversion.Keyring
	// Certificates knows the authorities whose certificates open spaces. It is nil if
	// nobody enters with a certificate; issuers are not checked then.
	Certificates *certificate.Store
	// Progress, if not nil, is called with the stage, and while reading with the bytes
	// that are done. total is 0 if there is nothing to count.
	Progress func(stage string, done, total int64)
	// Warn, if not nil, gets the warnings about the file as a whole.
	Warn func(Warning)
}

// Run imports one spreadsheet: it checks it completely, judges it row by row, and
// applies it in one transaction. It returns a *FileError if it refuses the file as a
// whole. Nothing was stored then, nor after any other error but an *UnplacedError;
// sql.DB.Import tells about a commit without answer. A verdict workbook is complete or
// absent, in a dry run too (I7).
func Run(ctx context.Context, db *sql.DB, opts Options) (sql.ImportResult, error) {
	if opts.Progress == nil {
		opts.Progress = func(string, int64, int64) {}
	}
	if err := CheckVerdictsPath(opts.Path, opts.VerdictsPath); err != nil {
		return sql.ImportResult{}, err
	}
	f, err := Open(ctx, opts.Path, func(done, total int64) { opts.Progress("checking", done, total) })
	if err != nil {
		return sql.ImportResult{}, err
	}
	defer f.Close()
	if opts.Firm && !f.rows.isFirm() {
		return sql.ImportResult{}, refuse("the sheet %q is none that was made for a firm: its columns are other ones",
			"la feuille « %s » n’a pas été faite pour un cabinet : elle a d’autres colonnes", text.Excerpt(f.Sheet))
	}
	if opts.Warn != nil {
		for _, w := range f.Warnings {
			opts.Warn(w)
		}
	}
	if opts.VerdictsPath == "" {
		return db.Import(ctx, f.request(opts), nil)
	}
	return f.runWithVerdicts(ctx, db, opts)
}

// VerdictsKind is the seal of a verdict workbook. As long as nobody changes the
// workbook, another one may take its place.
const VerdictsKind = "verdicts"

// runWithVerdicts finishes the workbook before the commit: once the import is stored, a
// full disk can prevent nothing. The name comes last, as a workbook with its name tells
// of an import that is stored.
func (f *File) runWithVerdicts(ctx context.Context, db *sql.DB, opts Options) (sql.ImportResult, error) {
	out, err := atomicfile.Create(opts.VerdictsPath)
	if err != nil {
		return sql.ImportResult{}, err
	}
	stored := false
	defer func() {
		if !stored { // also when something panics
			out.Discard()
		}
	}()
	written := false
	result, err := db.Import(ctx, f.request(opts), func(verdicts iter.Seq2[sql.Verdict, error]) error {
		if written { // verdicts have changed since the first call
			again, err := atomicfile.Create(opts.VerdictsPath)
			if err != nil {
				return err
			}
			out.Discard()
			out = again
		}
		written = true
		err := atomicfile.Seal(out, VerdictsKind, func(w io.Writer) error { return f.writeVerdicts(w, opts.DryRun, verdicts) })
		if err != nil {
			return err
		}
		return out.Finish()
	})
	if err != nil {
		return sql.ImportResult{}, err
	}
	stored = !opts.DryRun
	if err = out.Commit(); err != nil && stored {
		err = unplaced(out.Name(), err)
	}
	return result, err
}

// An UnplacedError says that an import is stored, with the result returned beside it,
// but its verdict workbook did not get its name.
type UnplacedError struct {
	Temporary string // where it is, complete; "" if it is lost
	Err       error  // why
}

func (e *UnplacedError) Error() string {
	if e.Temporary == "" {
		return fmt.Sprintf("the import is stored, but its verdict workbook is lost (%v): import the same file again to get one", e.Err)
	}
	return fmt.Sprintf("the import is stored, but its verdict workbook could not be put in place (%v); it is complete as %s: rename it", e.Err, e.Temporary)
}

func (e *UnplacedError) Unwrap() error { return e.Err }

// unplaced looks whether the workbook is there. If somebody removed its folder, it is
// gone, too.
func unplaced(temporary string, err error) *UnplacedError {
	if _, err := os.Stat(temporary); errors.Is(err, fs.ErrNotExist) {
		temporary = ""
	}
	return &UnplacedError{temporary, err}
}

// CheckVerdictsPath keeps a verdict workbook from replacing the file it judges.
func CheckVerdictsPath(path, verdicts string) error {
	if verdicts == "" {
		return nil
	}
	in, err := os.Stat(path)
	if err != nil {
		return err
	}
	if out, err := os.Stat(verdicts); err == nil && os.SameFile(in, out) {
		return fmt.Errorf("%s is the file to import: give the verdicts another name", verdicts)
	}
	return nil
}

func (f *File) request(opts Options) sql.Import {
	told := &issuers{store: opts.Certificates, known: make(map[string]issuer)}
	in := sql.Import{
		Campaign: opts.Campaign, Start: opts.Start,
		Hash: f.Hash, FileName: f.Name, Sheet: f.Sheet, Corrected: f.rows.layout.added > 0,
		Within: opts.Within, DryRun: opts.DryRun, Actor: opts.Actor, Keys: opts.Keys,
		Columns:  f.columns(),
		Expect:   f.Count(),
		Dossiers: f.Dossiers(),
		Stage:    func(name string) { opts.Progress(name, 0, 0) },
	}
	if f.rows.isFirm() {
		in.Answers, in.Dossiers = f.answers(opts.Keys), nil
	} else {
		in.Rows = told.tell(f.Rows())
	}
	return in
}

// columns are the letters of the fields that a verdict may point at.
func (f *File) columns() sql.Columns {
	number := f.rows.letters(fieldNumber)
	if f.rows.isFirm() {
		return sql.Columns{Number: number, Email: f.rows.letters(fieldNew), Serial: number}
	}
	c := sql.Columns{Number: number, Email: f.rows.letters(fieldEmail), Serial: f.rows.letters(fieldSerial)}
	if f.dossiers != nil {
		c.SIREN = f.dossiers.letters(fieldSIREN)
	}
	return c
}

func (s *sheet) letters(f field) string { return xlsx.ColumnName(s.layout.columns[f]) }
