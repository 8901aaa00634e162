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
	Space   conversion.Space // valid if Reason is ""; otherwise it has at most its Number
	Cell    string           // the cell of the problem, such as C14
	Reason  string           // French, "" where the row is well formed
	Warning string           // French, shown beside an accepted row
	// IssuerKey is the same for rows whose certificates have the same issuer, however
	// they write it. "" stands for the text itself.
	IssuerKey string
	Priority  int // 1 to 9, 1 leaves first; 0 is 5 (D13)
}

// A DossierRow is one row of the optional Dossiers sheet.
type DossierRow struct {
	Line    int
	Number  conversion.SubscriberNumber // "" if it could not be read
	SIREN   conversion.SIREN
	Company string
	Service string // "" for a company without service
	Cell    string // such as Dossiers!B5
	Reason  string // French, "" if the row is well formed; otherwise the subscriber's row is rejected
}

// Columns are the letters of the columns that a verdict may point at.
type Columns struct {
	Number, Email, Serial string
	SIREN                 string // of the sheet Dossiers; "" if the file has none
}

// An Import is one spreadsheet to judge and to apply.
type Import struct {
	Hash      [sha256.Size]byte // of the file's bytes; it names the batch
	FileName  string
	Sheet     string
	Campaign  string        // the name of its campaign, which is made if there is none; "": the rows find it (D12)
	Start     bool          // a prepared campaign starts with the import
	Corrected bool          // the file is a verdict workbook: its rows keep the lines of the first file
	Within    time.Duration // only certificates that expire within it; 0: all
	DryRun    bool          // the import judges, and stops there
	Actor     string        // for the audit log
	Keys      *conversion.Keyring
	Columns   Columns
	Expect    int // data rows counted by the pre-flight
	Rows      iter.Seq2[ImportRow, error]
	Answers   iter.Seq2[Answer, error]     // of a firm, instead of Rows; nil if there are none
	Dossiers  iter.Seq2[DossierRow, error] // nil if the file has no such sheet
	Stage     func(name string)            // called when a stage begins; may be nil

	named bool // somebody named the number of its row: the invitation waits for no earlier one (D16)
}

// An ImportResult counts verdicts. The kinds always add up to Rows.
type ImportResult struct {
	Batch     int64         `json:"batch" db:"-"` // 0 for a dry run of an unknown file
	Campaign  string        `json:"campaign" db:"-"`
	MovedFrom string        `json:"moved_from,omitempty" db:"-"` // the campaign that the file was of until then; "" if it does not move
	State     CampaignState `json:"state" db:"-"`                // of the campaign
	Rows      int           `json:"rows" db:"rows"`
	Accepted  int           `json:"accepted" db:"accepted"`
	Elsewhere int           `json:"elsewhere" db:"elsewhere"` // of the accepted: their request is of another campaign; 0 for a dry run
	Unchanged int           `json:"unchanged" db:"unchanged"`
	NotDue    int           `json:"not_due" db:"not_due"`
	Excluded  int           `json:"excluded" db:"excluded"` // left alone (D17)
	Rejected  int           `json:"rejected" db:"rejected"`
	// OrphanDossiers counts the rows of the sheet Dossiers whose number is missing, or
	// is on no row of the file. They were not used.
	OrphanDossiers int `json:"orphan_dossiers" db:"-"`
}

// A Verdict is what became of one row.
type Verdict struct {
	Line   int    `db:"line"`
	Kind   string `db:"kind"`   // accepted, unchanged, not_due, excluded or rejected
	Reason string `db:"reason"` // French
	Cell   string `db:"cell"`
}

// waitForImports waits for importLock.
var waitForImports = do(lockExclusively, importLock)

// Import judges one spreadsheet and applies it in one transaction: all of it or nothing
// (D9). Imports wait for each other. They take locks on the rows that subscribers use
// as late as possible.
//
// The same code judges a dry run, which stops there. It waits for nobody and nobody
// waits for it. It writes nothing but temporary tables.
//
// If verdicts is not nil, Import calls it with the verdict of every row in order,
// before the commit. Its error rolls everything back. If verdicts changed while the
// rows were applied, Import calls it again with all of them; the last call has the
// final ones.
//
// Only ErrUnknown leaves open whether everything was stored. The same file again
// settles it.
func (db *DB) Import(ctx context.Context, in Import, verdicts func(iter.Seq2[Verdict, error]) error) (ImportResult, error) {
	if in.Stage == nil {
		in.Stage = func(string) {}
	}
	if in.Answers != nil {
		in.Rows = db.rowsOf(ctx, in.Answers, in.Columns)
	}
	var result ImportResult
	err := db.tryTx(ctx, func(tx *sqlx.Tx) (err error) {
		r := importRun{Import: in, tx: tx, verdicts: verdicts, db: db}
		if in.DryRun {
			result, err = r.dry(ctx)
		} else {
			result, err = r.real(ctx)
		}
		if err == nil {
			in.Stage("committing")
		}
		return err
	})
	if errors.Is(err, ErrUnknown) {
		return ImportResult{}, fmt.Errorf("import the same file again, which settles it: %w", err)
	}
	if err != nil {
		return ImportResult{}, fmt.Errorf("import %s: %w", in.FileName, err)
	}
	return result, nil
}

// An importRun is one import in its transaction.
type importRun struct {
	Import
	tx       *sqlx.Tx
	verdicts func(iter.Seq2[Verdict, error]) error // nil if nobody reads them
	orphans  int                                   // see OrphanDossiers
	db       *DB
}

//go:embed query/known_batch.sql
var knownBatch string

// dry judges in a read-only transaction: PostgreSQL refuses every write.
func (r *importRun) dry(ctx context.Context) (ImportResult, error) {
	if err := r.read(ctx); err != nil {
		return ImportResult{}, err
	}
	if err := run(ctx, r.tx, do(`SET TRANSACTION READ ONLY`)); err != nil {
		return ImportResult{}, err
	}
	if err := r.judge(ctx); err != nil {
		return ImportResult{}, err
	}
	result, err := r.count(ctx, 0)
	if err != nil {
		return result, err
	}
	before, err := r.before(ctx)
	if err != nil {
		return result, err
	}
	c, err := r.campaign(ctx)
	if err != nil {
		return result, err
	}
	result.Batch, result.Campaign, result.State, result.MovedFrom = before.ID, c.Name, c.State, before.unless(c)
	return result, r.tell(ctx)
}

// An earlierBatch is the batch of the same file, and its campaign; zero if it is new.
type earlierBatch struct {
	ID       int64  `db:"id"`
	Campaign string `db:"campaign"`
}

func (r *importRun) before(ctx context.Context) (b earlierBatch, err error) {
	return b, r.tx.GetContext(ctx, &b, knownBatch, r.Hash[:])
}

// unless is the name of its campaign, unless that is c.
func (b earlierBatch) unless(c Campaign) string {
	if b.Campaign == c.Name {
		return ""
	}
	return b.Campaign
}

// real judges and applies.
func (r *importRun) real(ctx context.Context) (ImportResult, error) {
	r.Stage("waiting for other imports")
	if err := run(ctx, r.tx, waitForImports); err != nil {
		return ImportResult{}, err
	}
	if err := r.read(ctx); err != nil {
		return ImportResult{}, err
	}
	if err := r.judge(ctx); err != nil {
		return ImportResult{}, err
	}
	result, err := r.store(ctx)
	if err != nil || result.Accepted < manyRows {
		return result, err
	}
	return result, run(ctx, r.tx, do(`SELECT analyze_filled()`))
}

// manyRows is how many rows make an import analyze the tables that it fills. Queries
// right after the commit do not wait for autovacuum then.
const manyRows = 300

// tell passes the verdicts on.
func (r *importRun) tell(ctx context.Context) error {
	if r.verdicts == nil {
		return nil
	}
	r.Stage("writing verdicts")
	return r.verdicts(readRows[Verdict](ctx, r.tx, verdictsQuery))
}

//go:embed query/stage.sql
var stage string

// read streams the file's rows into temporary tables. It believes nothing before all
// rows have arrived and are counted.
func (r *importRun) read(ctx context.Context) error {
	r.Stage("reading")
	if err := run(ctx, r.tx, do(stage)); err != nil {
		return err
	}
	n, err := copyRows(ctx, r.tx, r.Rows,
		`COPY staged (line, number, holder, email, email_key, serial, issuer, issuer_key, expires, priority, contents, nonce, tag, cell, reason, warning) FROM STDIN`, r.staged)
	if err != nil {
		return err
	}
	if n != r.Expect {
		return fmt.Errorf("the file has %d rows, %d were read: nothing was stored", r.Expect, n)
	}
	if r.Dossiers != nil {
		if _, err := copyRows(ctx, r.tx, r.Dossiers,
			`COPY staged_dossier (line, number, siren, company, service, cell, reason) FROM STDIN`, stagedDossier); err != nil {
			return err
		}
	}
	return run(ctx, r.tx, do(`CREATE UNIQUE INDEX ON staged (line)`))
}

// usualPriority is the priority of a row without one (D13).
const usualPriority = 5

func (run *importRun) staged(r ImportRow) []any {
	if r.Reason != "" {
		// A malformed row differs from every other one.
		return []any{r.Line, string(r.Space.Number), "", "", "", "", "", "", nil, usualPriority, "line " + strconv.Itoa(r.Line), nil, nil, r.Cell, r.Reason, ""}
	}
	s := r.Space
	nonce, tag := run.Keys.FirstCode(s.Contact)
	return []any{r.Line, string(s.Number), s.Holder, s.Contact.String(), s.Contact.Key(), string(s.Certificate.Serial),
		s.Certificate.Issuer, cmp.Or(r.IssuerKey, s.Certificate.Issuer), s.Certificate.Expires.Format(time.DateOnly), cmp.Or(r.Priority, usualPriority), contents(s, r.Priority), nonce[:], tagValue(tag), "", "", r.Warning}
}

func stagedDossier(d DossierRow) []any {
	return []any{d.Line, string(d.Number), string(d.SIREN), d.Company, d.Service, d.Cell, d.Reason}
}

// contents is the digest of a row without its companies. Equal digests mean equal
// contents, whatever program wrote the file (D9).
func contents(s conversion.Space, priority int) string {
	var b []byte
	for _, field := range []string{string(s.Number), s.Holder, s.Contact.String(), string(s.Certificate.Serial),
		s.Certificate.Issuer, s.Certificate.Expires.Format(time.DateOnly), strconv.Itoa(cmp.Or(priority, usualPriority))} {
		b = append(append(strconv.AppendInt(b, int64(len(field)), 10), ':'), field...)
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:16])
}

var (
	//go:embed query/judge_dossiers.sql
	judgeDossiers string
	//go:embed query/judge_file.sql
	judgeFile string
	//go:embed query/rejected_before.sql
	rejectedBefore string
	//go:embed query/judge_known.sql
	judgeKnown string
	//go:embed query/count_orphans.sql
	countOrphans string
	//go:embed query/count_verdicts.sql
	countVerdicts string
	//go:embed query/verdicts.sql
	verdictsQuery string
)

// judge gives every row its verdict, and locks nothing.
func (r *importRun) judge(ctx context.Context) error {
	r.Stage("judging")
	at, err := now(ctx, r.tx)
	if err != nil {
		return err
	}
	err = run(ctx, r.tx,
		do(judgeDossiers, r.Columns.SIREN, conversion.MaxCompanies, conversion.MaxCompanyServices, conversion.MaxSpaceServices),
		do(judgeFile, r.Columns.Number, r.Columns.Serial),
		do(rejectedBefore, r.Corrected, r.Sheet, r.Expect))
	if err != nil {
		return err
	}
	if err := r.tx.GetContext(ctx, &r.orphans, countOrphans); err != nil {
		return err
	}
	if err := run(ctx, r.tx, do(keysOnly)); err != nil {
		return err
	}
	return r.known(ctx, 1, at)
}

// keysOnly makes each later statement look rows up by their keys. The planner does not
// know the rows that this transaction has judged and made. Nor may it keep a small table
// and compare each row of the file with all of it.
const keysOnly = `SET LOCAL enable_nestloop = on; SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off; SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off; SET LOCAL enable_material = off`

// known judges the rows without a verdict by what the database knows at an instant.
func (r *importRun) known(ctx context.Context, round int, at time.Time) error {
	return run(ctx, r.tx, do(judgeKnown, r.Within.Seconds(), r.Columns.Email, at, round, !r.DryRun))
}

func (r *importRun) count(ctx context.Context, campaign int64) (result ImportResult, err error) {
	result.OrphanDossiers = r.orphans
	return result, r.tx.GetContext(ctx, &result, countVerdicts, r.Expect, campaign)
}
