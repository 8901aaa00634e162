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

// A Scope is the subject of a report: a batch, a campaign, or everything if both are
// zero.
type Scope struct {
	Batch    int64
	Campaign string // its name
}

var (
	//go:embed query/report_requests.sql
	reportRequests string
	//go:embed query/report_spaces.sql
	reportSpaces string
	//go:embed query/report_rows.sql
	reportRows string
	//go:embed query/report_rejected.sql
	reportRejected string
	//go:embed query/batch_file.sql
	batchFile string
)

// ReadReport calls use with one consistent picture of a scope: its counts equal its
// rows, whatever goes on meanwhile. It returns conversion.ErrNotFound for an unknown
// batch, and ErrNoCampaign.
func (db *DB) ReadReport(ctx context.Context, of Scope, use func(conversion.Report) error) error {
	c, err := db.scope(ctx, of.Batch, of.Campaign)
	if err != nil {
		return err
	}
	tx, err := db.begin(ctx, &stdsql.TxOptions{Isolation: stdsql.LevelRepeatableRead, ReadOnly: true})
	if err != nil {
		return wrap(err, "read the report")
	}
	defer tx.Rollback()
	r, err := readReport(ctx, tx, of.Batch, c)
	if err != nil {
		return wrap(err, "read the report")
	}
	return marked(use(r))
}

func readReport(ctx context.Context, tx *sqlx.Tx, batch int64, c Campaign) (conversion.Report, error) {
	if _, err := tx.ExecContext(ctx, inMemory); err != nil {
		return conversion.Report{}, err
	}
	at, err := now(ctx, tx)
	if err != nil {
		return conversion.Report{}, err
	}
	r := conversion.Report{At: at, Batch: batch, Campaign: c.Name}
	if batch != 0 {
		if err := tx.GetContext(ctx, &r.FileName, batchFile, batch); err != nil {
			return r, err
		}
	}
	if err := tx.GetContext(ctx, &r.Rows, reportRows, batch, c.ID); err != nil {
		return r, err
	}
	r.Spaces = readRows[conversion.ReportSpaces](ctx, tx, reportSpaces, batch, c.ID, at)
	r.Rejected = readRows[conversion.ReportRejected](ctx, tx, reportRejected, batch, c.ID)
	r.Requests = func(yield func(conversion.ReportRequest, error) bool) {
		if _, err := tx.ExecContext(ctx, rowByRow); err != nil {
			yield(conversion.ReportRequest{}, err)
			return
		}
		readRequests(ctx, tx, batch, 0, c.ID, at)(yield)
	}
	return r, nil
}

// inMemory lets PostgreSQL join and sort the spaces of a large report without temporary
// files.
const inMemory = `SET LOCAL work_mem = '64MB'`

// rowByRow makes the planner go by the indexes, whatever the statistics say. The first
// row comes at once, and each other row while the one before it is used.
const rowByRow = `SET LOCAL enable_sort = off; SET LOCAL enable_hashjoin = off; SET LOCAL max_parallel_workers_per_gather = 0`

// readRequests reads the requests of a batch, a space and a campaign, 0 for any. There
// may be millions of rows, so each is read into the same variables.
func readRequests(ctx context.Context, q sqlx.QueryerContext, batch, space, campaign int64, at time.Time) iter.Seq2[conversion.ReportRequest, error] {
	return func(yield func(conversion.ReportRequest, error) bool) {
		var r conversion.ReportRequest
		rows, err := q.QueryContext(ctx, reportRequests, batch, at, space, campaign)
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

// A second scans a column that has an instant as seconds since 1970.
type second struct{ t *time.Time }

// Scan implements sql.Scanner. A null column is the zero time.
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
