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
	States   map[conversion.State]int
	// NotDelivered counts requests whose code sat in a queue until it was dead (D11); they are expired.
	NotDelivered int
	Spaces       map[conversion.Access]int
	Days         []ReportDay
	Requests     iter.Seq2[ReportRequest, error]
	Rejected     iter.Seq2[ReportRejected, error]
}

// A ReportDay is what happened on one day in Paris.
type ReportDay struct {
	Day           time.Time `db:"day"`
	Requested     int       `db:"requested"`
	Mailed        int       `db:"mailed"`
	Activated     int       `db:"activated"`
	Expired       int       `db:"expired"`
	Undeliverable int       `db:"undeliverable"`
	Cancelled     int       `db:"cancelled"`
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
	//go:embed query/report_days.sql
	reportDays string
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
	if r.States, r.NotDelivered, err = countStatesAt(ctx, tx, batch, at); err != nil {
		return r, err
	}
	if r.Spaces, err = countSpacesOf(ctx, tx, batch); err != nil {
		return r, err
	}
	if err := tx.SelectContext(ctx, &r.Days, reportDays, batch, at); err != nil {
		return r, err
	}
	r.Rejected = readRows[ReportRejected](ctx, tx, reportRejected, batch)
	r.Requests = func(yield func(ReportRequest, error) bool) {
		for row, err := range readRows[reportRow](ctx, tx, reportRequests, batch, at) {
			if !yield(row.request(), err) {
				return
			}
		}
	}
	return r, nil
}

type reportRow struct {
	ID                 int64                       `db:"id"`
	Number             conversion.SubscriberNumber `db:"number"`
	Holder             string                      `db:"holder"`
	Email              string                      `db:"email"`
	Batch              int64                       `db:"batch"`
	State              conversion.State            `db:"state"`
	Origin             string                      `db:"origin"`
	Generation         int                         `db:"generation"`
	InDoubt            bool                        `db:"in_doubt"`
	Refusal            string                      `db:"refusal"`
	CertificateExpires time.Time                   `db:"certificate_expires"`
	RequestedAt        stdsql.NullTime             `db:"requested_at"`
	StartedAt          stdsql.NullTime             `db:"started_at"`
	MailedAt           stdsql.NullTime             `db:"mailed_at"`
	ExpiresAt          stdsql.NullTime             `db:"expires_at"`
	ActivatedAt        stdsql.NullTime             `db:"activated_at"`
	EndedAt            stdsql.NullTime             `db:"ended_at"`
	BouncedAt          stdsql.NullTime             `db:"bounced_at"`
	Bounce             conversion.Bounce           `db:"bounce"`
	NotDelivered       bool                        `db:"not_delivered"`
}

func (r reportRow) request() ReportRequest {
	return ReportRequest{
		ID: r.ID, Number: r.Number, Holder: r.Holder, Email: r.Email, Batch: r.Batch, State: r.State,
		Origin: r.Origin, Generation: r.Generation, InDoubt: r.InDoubt, Refusal: r.Refusal,
		CertificateExpires: r.CertificateExpires, RequestedAt: r.RequestedAt.Time, StartedAt: r.StartedAt.Time,
		MailedAt: r.MailedAt.Time, ExpiresAt: r.ExpiresAt.Time, ActivatedAt: r.ActivatedAt.Time,
		EndedAt: r.EndedAt.Time, BouncedAt: r.BouncedAt.Time, Bounce: r.Bounce, NotDelivered: r.NotDelivered,
	}
}
