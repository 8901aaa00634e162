package sql

import (
	"context"
	stdsql "database/sql"
	_ "embed"
	"fmt"
	"iter"
	"time"

	"github.com/jmoiron/sqlx"

	"bascule/internal/conversion"
)

// A Report is everything about one batch, or all, at one instant. Its sequences
// are read once, in any order, while ReadReport runs.
type Report struct {
	At       time.Time
	FileName string // of the batch
	Spaces   map[conversion.Access]int
	Requests iter.Seq2[ReportRequest, error]
	Rejected iter.Seq2[ReportRejected, error]
}

// A ReportRequest is one request; instants that have not come are zero.
type ReportRequest struct {
	ID                 int64
	Number             conversion.SubscriberNumber
	Holder             string
	Email              string
	Batch              int64
	State              conversion.State
	Origin             string
	Generation         int
	InDoubt            bool
	Refusal            string
	CertificateExpires time.Time
	RequestedAt        time.Time
	StartedAt          time.Time
	MailedAt           time.Time
	ExpiresAt          time.Time
	ActivatedAt        time.Time
	EndedAt            time.Time
	BouncedAt          time.Time
	Bounce             conversion.Bounce
	NotDelivered       bool // the code sat in a queue until it was dead (D11)
}

// A ReportRejected is one row of a spreadsheet that was not taken.
type ReportRejected struct {
	Batch    int64  `db:"batch"`
	FileName string `db:"file_name"`
	Line     int    `db:"line"`
	Verdict  string `db:"verdict"` // rejected or excluded
	Cell     string `db:"cell"`
	Reason   string `db:"reason"`
	Number   string `db:"number"`
}

var (
	//go:embed query/report_requests.sql
	reportRequests string
	//go:embed query/report_rejected.sql
	reportRejected string
	//go:embed query/batch_file.sql
	batchFile string
)

// ReadReport calls use with one consistent picture of a batch, or of everything
// where batch is 0: its counts equal its rows, whatever goes on meanwhile. It
// returns conversion.ErrNotFound for an unknown batch.
func (db *DB) ReadReport(ctx context.Context, batch int64, use func(Report) error) error {
	if err := db.checkBatch(ctx, batch); err != nil {
		return err
	}
	tx, err := db.begin(ctx, &stdsql.TxOptions{Isolation: stdsql.LevelRepeatableRead, ReadOnly: true})
	if err != nil {
		return fmt.Errorf("read the report: %w", err)
	}
	defer tx.Rollback()
	r, err := readReport(ctx, tx, batch)
	if err != nil {
		return fmt.Errorf("read the report: %w", err)
	}
	return use(r)
}

func readReport(ctx context.Context, tx *sqlx.Tx, batch int64) (Report, error) {
	at, err := now(ctx, tx)
	if err != nil {
		return Report{}, err
	}
	r := Report{At: at}
	if batch != 0 {
		if err := tx.GetContext(ctx, &r.FileName, batchFile, batch); err != nil {
			return r, err
		}
	}
	c, err := count(ctx, tx, batch, at)
	if err != nil {
		return r, err
	}
	r.Spaces = c.spaces()
	r.Rejected = readRows[ReportRejected](ctx, tx, reportRejected, batch)
	r.Requests = func(yield func(ReportRequest, error) bool) {
		if _, err := tx.ExecContext(ctx, rowByRow); err != nil {
			yield(ReportRequest{}, err)
			return
		}
		readRequests(ctx, tx, batch, 0, at)(yield)
	}
	return r, nil
}

// rowByRow makes the planner go by the indexes, whatever the statistics say: the
// first row comes at once, and each other one while the one before it is used.
const rowByRow = `SET LOCAL jit = off; SET LOCAL enable_sort = off; SET LOCAL enable_hashjoin = off`

// readRequests reads the requests of a batch and of a space, 0 for any. There may
// be millions of rows: each is read into the same places.
func readRequests(ctx context.Context, q sqlx.QueryerContext, batch, space int64, at time.Time) iter.Seq2[ReportRequest, error] {
	return func(yield func(ReportRequest, error) bool) {
		var r ReportRequest
		rows, err := q.QueryContext(ctx, reportRequests, batch, at, space)
		if err != nil {
			yield(r, err)
			return
		}
		defer rows.Close()
		into := []any{
			&r.ID, &r.Number, &r.Holder, &r.Email, &r.Batch, &r.State, &r.Origin, &r.Generation, &r.InDoubt, &r.Refusal, &r.CertificateExpires,
			second{&r.RequestedAt}, second{&r.StartedAt}, second{&r.MailedAt}, second{&r.ExpiresAt}, second{&r.ActivatedAt}, second{&r.EndedAt},
			second{&r.BouncedAt}, &r.Bounce, &r.NotDelivered,
		}
		for rows.Next() {
			if err := rows.Scan(into...); !yield(r, err) || err != nil {
				return
			}
		}
		if err := rows.Err(); err != nil {
			yield(r, err)
		}
	}
}

// A second is where a column goes that tells an instant by its seconds since 1970.
type second struct{ t *time.Time }

// Scan implements sql.Scanner. No instant is the zero time.
func (s second) Scan(value any) error {
	switch v := value.(type) {
	case nil:
		*s.t = time.Time{}
	case int64:
		*s.t = time.Unix(v, 0)
	default:
		return fmt.Errorf("an instant is told by a %T", value)
	}
	return nil
}
