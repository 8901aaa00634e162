package importer

import (
	"context"
	"fmt"
	"io"
	"iter"
	"os"
	"time"

	"bascule/internal/atomicfile"
	"bascule/internal/certificate"
	"bascule/internal/conversion"
	"bascule/sql"
)

// Options say what to import and how.
type Options struct {
	// Path is the spreadsheet: xlsx or CSV, by its content.
	Path string
	// Within takes only certificates that expire within it; 0 takes all.
	Within time.Duration
	// DryRun judges every row and stores nothing.
	DryRun bool
	// VerdictsPath is where the verdict workbook goes; "" writes none.
	VerdictsPath string
	// Actor is who runs the import, for the audit log.
	Actor string
	// Keys make the codes of the requests.
	Keys *conversion.Keyring
	// Certificates knows the authorities by which spaces are entered; nil if
	// nobody enters with a certificate, and issuers are not looked at.
	Certificates *certificate.Store
	// Progress, if not nil, is told what is going on, and of reading how many
	// bytes are done; total is 0 where there is nothing to count.
	Progress func(stage string, done, total int64)
	// Warn, if not nil, gets what an administrator should know of the file as a whole.
	Warn func(Warning)
}

// Run imports one spreadsheet: checked completely, judged row by row, applied in
// one transaction. It returns a *FileError if the file as a whole is refused;
// then, as after any other error, nothing was stored. A verdict workbook
// is complete or absent, in a dry run too (I7).
func Run(ctx context.Context, db *sql.DB, opts Options) (sql.ImportResult, error) {
	if opts.Progress == nil {
		opts.Progress = func(string, int64, int64) {}
	}
	if err := checkTarget(opts.Path, opts.VerdictsPath); err != nil {
		return sql.ImportResult{}, err
	}
	f, err := Open(ctx, opts.Path, func(done, total int64) { opts.Progress("checking", done, total) })
	if err != nil {
		return sql.ImportResult{}, err
	}
	defer f.Close()
	if opts.Warn != nil {
		for _, w := range f.Warnings {
			opts.Warn(w)
		}
	}
	if opts.VerdictsPath == "" {
		return db.Import(ctx, f.request(opts), nil)
	}
	var result sql.ImportResult
	err = atomicfile.Write(opts.VerdictsPath, func(w io.Writer) (err error) {
		result, err = db.Import(ctx, f.request(opts), func(verdicts iter.Seq2[sql.Verdict, error]) error {
			return f.writeVerdicts(w, verdicts)
		})
		return err
	})
	return result, err
}

// checkTarget keeps a verdict workbook from replacing the file it judges.
func checkTarget(path, verdicts string) error {
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
	at := func(x field) string { return columnName(f.rows.layout.columns[x]) }
	return sql.Import{
		Hash: f.Hash, FileName: f.Name, Sheet: f.Sheet,
		Within: opts.Within, DryRun: opts.DryRun, Actor: opts.Actor, Keys: opts.Keys,
		Columns:  sql.Columns{Number: at(fieldNumber), Email: at(fieldEmail), Serial: at(fieldSerial)},
		Expect:   f.Count(),
		Rows:     told.tell(f.Rows()),
		Dossiers: f.Dossiers(),
		Stage:    func(name string) { opts.Progress(name, 0, 0) },
	}
}
