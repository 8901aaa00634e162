package sql

import (
	"cmp"
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"
	"iter"
	"strconv"
	"time"

	"github.com/jmoiron/sqlx"

	"bascule/internal/conversion"
)

// An ImportRow is one data row of a spreadsheet, parsed.
type ImportRow struct {
	Line    int              // 1-based row of the sheet; of a CSV file, its record
	Space   conversion.Space // valid where Reason is ""; otherwise its Number if that could be read. Companies are not used
	Cell    string           // where the problem is, such as C14
	Reason  string           // French, "" where the row is well formed
	Warning string           // French, shown beside an accepted row
	// IssuerKey is the same for rows whose certificates have the same issuer,
	// however they write it; "" is the text itself.
	IssuerKey string
}

// A DossierRow is one row of the optional Dossiers sheet.
type DossierRow struct {
	Line    int
	Number  conversion.SubscriberNumber // "" if it could not be read
	SIREN   conversion.SIREN
	Company string
	Service string // "" for a company without service
	Cell    string // such as Dossiers!B5
	Reason  string // French, "" where the row is well formed; the subscriber's row is rejected for it
}

// Columns are the letters of the columns that a verdict may point at.
type Columns struct {
	Number, Email, Serial string
	SIREN                 string // of the sheet Dossiers; "" if the file has none
}

// An Import is one spreadsheet to judge and to apply.
type Import struct {
	Hash     [sha256.Size]byte // of the file's bytes: names the batch
	FileName string
	Sheet    string
	Within   time.Duration // only certificates that expire within it; 0: all
	DryRun   bool          // judge, apply, and roll back
	Actor    string        // for the audit log
	Keys     *conversion.Keyring
	Columns  Columns
	Expect   int // data rows counted by the pre-flight
	Rows     iter.Seq2[ImportRow, error]
	Dossiers iter.Seq2[DossierRow, error] // nil if the file has no such sheet
	Stage    func(name string)            // told what is going on; may be nil
}

// An ImportResult counts verdicts. They always add up to Rows.
type ImportResult struct {
	Batch     int64 `json:"batch" db:"-"` // 0 for a dry run of an unknown file
	Rows      int   `json:"rows" db:"rows"`
	Accepted  int   `json:"accepted" db:"accepted"`
	Unchanged int   `json:"unchanged" db:"unchanged"`
	NotDue    int   `json:"not_due" db:"not_due"`
	Rejected  int   `json:"rejected" db:"rejected"`
}

// A Verdict is what became of one row.
type Verdict struct {
	Line   int    `db:"line"`
	Kind   string `db:"kind"`   // accepted, unchanged, not_due or rejected
	Reason string `db:"reason"` // French
	Cell   string `db:"cell"`
}

// importLock makes imports, and what else opens or changes many requests, run
// one at a time. Requests' own locks are their ids, which are positive.
const importLock = -1

func waitForImports(ctx context.Context, tx *sqlx.Tx) error {
	_, err := tx.ExecContext(ctx, `SELECT pg_advisory_xact_lock($1)`, importLock)
	return err
}

// manyRows is where joining row by row stops being bearable when the planner is
// wrong, which it is while one transaction fills tables that were empty. (A
// forbidden join that is needed all the same looks costly enough to be compiled,
// which takes longer than to run it.)
const manyRows = 300

// maxJudgements bounds how often rows that lost a race are judged again.
const maxJudgements = 5

// Import judges and applies one spreadsheet in one transaction: all of it or
// nothing (D9). A dry run is the same code, rolled back. verdicts, if not nil, is
// called with the verdict of every row in order, last before the commit: its error
// rolls everything back. Only when the connection breaks during the commit does an
// error leave open whether all was stored: the same file again settles it. Imports
// wait for each other.
func (db *DB) Import(ctx context.Context, in Import, verdicts func(iter.Seq2[Verdict, error]) error) (ImportResult, error) {
	var result ImportResult
	err := db.tryTx(ctx, func(tx *sqlx.Tx) (err error) {
		result, err = runImport(ctx, tx, in, verdicts)
		if err == nil && in.DryRun {
			return errDryRun
		}
		return err
	})
	if err != nil && !errors.Is(err, errDryRun) {
		return ImportResult{}, fmt.Errorf("import %s: %w", in.FileName, err)
	}
	return result, nil
}

var errDryRun = errors.New("dry run")

func runImport(ctx context.Context, tx *sqlx.Tx, in Import, verdicts func(iter.Seq2[Verdict, error]) error) (ImportResult, error) {
	if in.Stage == nil {
		in.Stage = func(string) {}
	}
	in.Stage("waiting for other imports")
	if err := waitForImports(ctx, tx); err != nil {
		return ImportResult{}, err
	}
	in.Stage("reading")
	if err := stageRows(ctx, tx, in); err != nil {
		return ImportResult{}, err
	}
	batch, isNew, err := keepBatch(ctx, tx, in)
	if err != nil {
		return ImportResult{}, err
	}
	if in.Expect > manyRows {
		if _, err := tx.ExecContext(ctx, `SET LOCAL enable_nestloop = off; SET LOCAL jit = off`); err != nil {
			return ImportResult{}, err
		}
	}
	in.Stage("judging")
	if err := judgeAndApply(ctx, tx, in, batch); err != nil {
		return ImportResult{}, err
	}
	result, err := record(ctx, tx, in, batch)
	if err != nil {
		return ImportResult{}, err
	}
	if in.DryRun && isNew {
		result.Batch = 0
	}
	if verdicts != nil {
		in.Stage("writing verdicts")
		if err := verdicts(readVerdicts(ctx, tx)); err != nil {
			return ImportResult{}, err
		}
	}
	in.Stage("committing")
	return result, nil
}

//go:embed query/stage.sql
var stage string

// stageRows streams the file's rows into temporary tables. Nothing is believed
// before all of them, counted, have arrived.
func stageRows(ctx context.Context, tx *sqlx.Tx, in Import) error {
	if _, err := tx.ExecContext(ctx, stage); err != nil {
		return err
	}
	n, err := copyRows(ctx, tx, in.Rows,
		`COPY staged (line, number, holder, email, email_key, serial, issuer, issuer_key, expires, contents, cell, reason, warning) FROM STDIN`, stagedRow)
	if err != nil {
		return err
	}
	if n != in.Expect {
		return fmt.Errorf("the file has %d rows, %d were read: nothing was stored", in.Expect, n)
	}
	if in.Dossiers != nil {
		if _, err := copyRows(ctx, tx, in.Dossiers,
			`COPY staged_dossier (line, number, siren, company, service, cell, reason) FROM STDIN`, stagedDossier); err != nil {
			return err
		}
	}
	_, err = tx.ExecContext(ctx, `CREATE UNIQUE INDEX ON staged (line); CREATE INDEX ON staged (number); ANALYZE staged; ANALYZE staged_dossier`)
	return err
}

func copyRows[T any](ctx context.Context, tx *sqlx.Tx, rows iter.Seq2[T, error], query string, values func(T) []any) (n int, err error) {
	stmt, err := tx.PrepareContext(ctx, query)
	if err != nil {
		return 0, err
	}
	defer stmt.Close()
	for row, err := range rows {
		if err != nil {
			return n, err
		}
		if _, err := stmt.ExecContext(ctx, values(row)...); err != nil {
			return n, err
		}
		n++
	}
	if _, err := stmt.ExecContext(ctx); err != nil {
		return n, err
	}
	return n, nil
}

func stagedRow(r ImportRow) []any {
	if r.Reason != "" {
		// A malformed row differs from every other one.
		return []any{r.Line, string(r.Space.Number), "", "", "", "", "", "", nil, "line " + strconv.Itoa(r.Line), r.Cell, r.Reason, ""}
	}
	s := r.Space
	return []any{r.Line, string(s.Number), s.Holder, s.Contact.String(), s.Contact.Key(), string(s.Certificate.Serial),
		s.Certificate.Issuer, cmp.Or(r.IssuerKey, s.Certificate.Issuer), s.Certificate.Expires.Format(time.DateOnly), contents(s), "", "", r.Warning}
}

func stagedDossier(d DossierRow) []any {
	return []any{d.Line, string(d.Number), string(d.SIREN), d.Company, d.Service, d.Cell, d.Reason}
}

// contents digests a row, companies apart: equal contents are held already,
// whatever program wrote the file (D9).
func contents(s conversion.Space) string {
	h := sha256.New()
	for _, field := range []string{string(s.Number), s.Holder, s.Contact.String(), string(s.Certificate.Serial),
		s.Certificate.Issuer, s.Certificate.Expires.Format(time.DateOnly)} {
		fmt.Fprintf(h, "%d:%s", len(field), field)
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

//go:embed query/keep_batch.sql
var keepBatchQuery string

func keepBatch(ctx context.Context, tx *sqlx.Tx, in Import) (id int64, isNew bool, err error) {
	var row struct {
		ID    int64 `db:"id"`
		IsNew bool  `db:"is_new"`
	}
	if err := tx.GetContext(ctx, &row, keepBatchQuery, in.Hash[:], in.FileName, in.Sheet); err != nil {
		return 0, false, err
	}
	return row.ID, row.IsNew, nil
}

var (
	//go:embed query/judge_dossiers.sql
	judgeDossiers string
	//go:embed query/judge_file.sql
	judgeFile string
	//go:embed query/judge_known.sql
	judgeKnown string
	//go:embed query/close_overdue_staged.sql
	closeOverdueStaged string
	//go:embed query/lock_staged.sql
	lockStaged string
	//go:embed query/apply_spaces.sql
	applySpaces string
	//go:embed query/apply_updates.sql
	applyUpdates string
	//go:embed query/apply_redirects.sql
	applyRedirects string
	//go:embed query/apply_requests.sql
	applyRequests string
	//go:embed query/unjudge_losers.sql
	unjudgeLosers string
)

// analyzeStaged tells the planner what judging has changed: without it, it
// expects one accepted row and joins a million of them one by one.
const analyzeStaged = `ANALYZE staged`

// judgeAndApply gives every row its verdict and does what the accepted ones ask
// for. A request that a row would change is locked and judged again, so that no
// activation under way is overtaken.
func judgeAndApply(ctx context.Context, tx *sqlx.Tx, in Import, batch int64) error {
	judge := step{judgeKnown, []any{in.Within.Seconds(), in.Columns.Email}}
	err := runSteps(ctx, tx, []step{
		{judgeDossiers, []any{in.Columns.SIREN}},
		{judgeFile, []any{in.Columns.Number, in.Columns.Serial}},
		{closeOverdueStaged, []any{in.Actor}},
		judge, {lockStaged, nil}, judge,
		{analyzeStaged, nil},
	})
	if err != nil {
		return err
	}
	in.Stage("storing")
	if err := openRequests(ctx, tx, in, batch, judge); err != nil {
		return err
	}
	return runSteps(ctx, tx, []step{
		{applyUpdates, []any{batch, in.Actor}},
		{applyRedirects, []any{batch, in.Actor}},
	})
}

// openRequests makes the new spaces and the requests. A space that got a
// request from elsewhere in the meantime is judged again.
func openRequests(ctx context.Context, tx *sqlx.Tx, in Import, batch int64, judge step) error {
	for range maxJudgements {
		err := runSteps(ctx, tx, []step{
			{applySpaces, nil},
			{analyzeStaged, nil},
			{applyRequests, []any{batch, in.Keys.Newest(), in.Actor}},
		})
		if err != nil {
			return err
		}
		losers, err := affected(tx.ExecContext(ctx, unjudgeLosers))
		if err != nil || losers == 0 {
			return err
		}
		if err := runSteps(ctx, tx, []step{judge, {lockStaged, nil}, judge}); err != nil {
			return err
		}
	}
	return errors.New("other requests keep coming in between: try again")
}

type step struct {
	query string
	args  []any
}

func runSteps(ctx context.Context, tx *sqlx.Tx, steps []step) error {
	for _, s := range steps {
		if _, err := tx.ExecContext(ctx, s.query, s.args...); err != nil {
			return err
		}
	}
	return nil
}

var (
	//go:embed query/count_verdicts.sql
	countVerdicts string
	//go:embed query/keep_import.sql
	keepImport string
	//go:embed query/forget_rejected.sql
	forgetRejected string
	//go:embed query/verdicts.sql
	verdictsQuery string
)

// record counts the verdicts and keeps the run. A row without a verdict would
// be a row lost: the constraint on the table import refuses it.
func record(ctx context.Context, tx *sqlx.Tx, in Import, batch int64) (ImportResult, error) {
	var r ImportResult
	if err := tx.GetContext(ctx, &r, countVerdicts); err != nil {
		return r, err
	}
	r.Batch = batch
	return r, runSteps(ctx, tx, []step{
		{forgetRejected, []any{batch}},
		{keepImport, []any{batch, in.Actor, r.Rows, r.Accepted, r.Unchanged, r.NotDue, r.Rejected}},
	})
}

func readVerdicts(ctx context.Context, tx *sqlx.Tx) iter.Seq2[Verdict, error] {
	return readRows[Verdict](ctx, tx, verdictsQuery)
}

// readRows streams the rows of a query. The rows are closed when the loop ends.
func readRows[T any](ctx context.Context, q sqlx.QueryerContext, query string, args ...any) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var row T
		rows, err := q.QueryxContext(ctx, query, args...)
		if err != nil {
			yield(row, err)
			return
		}
		defer rows.Close()
		for rows.Next() {
			var row T
			if err := rows.StructScan(&row); err != nil {
				yield(row, err)
				return
			}
			if !yield(row, nil) {
				return
			}
		}
		if err := rows.Err(); err != nil {
			yield(row, err)
		}
	}
}
