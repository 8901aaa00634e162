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

// A Report is everything about its scope at one instant. Its sequences are read once,
// one after the other, while ReadReport runs.
type Report struct {
	At       time.Time
	FileName string // of the batch
	Campaign string // its name as it is stored
	Rows     ReportRows
	Spaces   iter.Seq2[ReportSpaces, error]
	Requests iter.Seq2[ReportRequest, error]
	Rejected iter.Seq2[ReportRejected, error]
}

// ReportRows counts the rows of spreadsheets, each as it was handed in last.
type ReportRows struct {
	Files   int `db:"files"`
	Rows    int `db:"rows"`
	Taken   int `db:"taken"`
	NotDue  int `db:"not_due"`
	Refused int `db:"refused"` // rejected or excluded rows
	// These are the refused rows that no later file has again.
	StillExcluded int `db:"still_excluded"`
	StillRejected int `db:"still_rejected"`
}

// The kinds of ReportSpaces.
const (
	AllSpaces      = ""
	SpacesByMonth  = "month"
	SpacesByDomain = "domain"
	SpacesByIssuer = "issuer"
)

// ReportSpaces counts the spaces of one group, each once. Switched to Cancelled add up
// to Spaces.
type ReportSpaces struct {
	Kind        string    `db:"kind"`
	Month       time.Time `db:"month"` // its first day
	Name        string    `db:"name"`  // of the domain or issuer
	Spaces      int       `db:"spaces"`
	Invited     int       `db:"invited"` // a mail went out, or the space is switched
	Switched    int       `db:"switched"`
	ToInvite    int       `db:"to_invite"`
	Open        int       `db:"open"` // the code is good
	Late        int       `db:"late"` // the code is not good any more
	Unreachable int       `db:"unreachable"`
	Cancelled   int       `db:"cancelled"`
}

// A ReportRequest is one request. Instants that have not come are zero.
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
func (db *DB) ReadReport(ctx context.Context, of Scope, use func(Report) error) error {
	if err := db.checkBatch(ctx, of.Batch); err != nil {
		return err
	}
	var c Campaign
	if of.Campaign != "" {
		var err error
		if c, err = db.Campaign(ctx, of.Campaign); err != nil {
			return err
		}
	}
	tx, err := db.begin(ctx, &stdsql.TxOptions{Isolation: stdsql.LevelRepeatableRead, ReadOnly: true})
	if err != nil {
		return fmt.Errorf("read the report: %w", err)
	}
	defer tx.Rollback()
	r, err := readReport(ctx, tx, of.Batch, c)
	if err != nil {
		return fmt.Errorf("read the report: %w", err)
	}
	return use(r)
}

func readReport(ctx context.Context, tx *sqlx.Tx, batch int64, c Campaign) (Report, error) {
	at, err := now(ctx, tx)
	if err != nil {
		return Report{}, err
	}
	r := Report{At: at, Campaign: c.Name}
	if batch != 0 {
		if err := tx.GetContext(ctx, &r.FileName, batchFile, batch); err != nil {
			return r, err
		}
	}
	if err := tx.GetContext(ctx, &r.Rows, reportRows, batch, c.ID); err != nil {
		return r, err
	}
	r.Spaces = readRows[ReportSpaces](ctx, tx, reportSpaces, batch, c.ID, at)
	r.Rejected = readRows[ReportRejected](ctx, tx, reportRejected, batch, c.ID)
	r.Requests = func(yield func(ReportRequest, error) bool) {
		if _, err := tx.ExecContext(ctx, rowByRow); err != nil {
			yield(ReportRequest{}, err)
			return
		}
		readRequests(ctx, tx, batch, 0, c.ID, at)(yield)
	}
	return r, nil
}

// rowByRow makes the planner go by the indexes, whatever the statistics say. The first
// row comes at once, and each other row while the one before it is used.
const rowByRow = `SET LOCAL jit = off; SET LOCAL enable_sort = off; SET LOCAL enable_hashjoin = off`

// readRequests reads the requests of a batch, a space and a campaign, 0 for any. There
// may be millions of rows, so each is read into the same variables.
func readRequests(ctx context.Context, q sqlx.QueryerContext, batch, space, campaign int64, at time.Time) iter.Seq2[ReportRequest, error] {
	return func(yield func(ReportRequest, error) bool) {
		var r ReportRequest
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
