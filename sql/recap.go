package sql

import (
	"context"
	_ "embed"
	"iter"

	"bascule/internal/conversion"

	"github.com/google/uuid"
	"github.com/lib/pq"
)

// A DueRecap is a recap to render.
type DueRecap struct {
	ObligationID int64  `db:"obligation_id"`
	RequestID    int64  `db:"request_id"`
	Facts        []byte `db:"facts"`
}

//go:embed query/claim_recaps.sql
var claimRecaps string

// ClaimRecaps claims up to limit recaps for Lease. Who has the token may keep them.
func (db *DB) ClaimRecaps(ctx context.Context, limit int) (token string, recaps []DueRecap, err error) {
	token = uuid.NewString()
	err = again(func() error {
		recaps = nil
		return db.x.SelectContext(ctx, &recaps, claimRecaps, limit, token, Lease.Seconds())
	})
	return token, recaps, wrap(err, "claim recaps")
}

// A RenderedRecap is a finished document.
type RenderedRecap struct {
	ObligationID int64
	PDF          []byte
	SHA256       [32]byte
}

//go:embed query/finish_recaps.sql
var finishRecaps string

// FinishRecaps keeps rendered documents, and makes due the mails that carry them.
func (db *DB) FinishRecaps(ctx context.Context, token string, done []RenderedRecap) error {
	var (
		ids          pq.Int64Array
		pdfs, hashes pq.ByteaArray
	)
	for _, r := range done {
		ids, pdfs, hashes = append(ids, r.ObligationID), append(pdfs, r.PDF), append(hashes, r.SHA256[:])
	}
	err := again(func() error { return db.exec(ctx, finishRecaps, token, ids, pdfs, hashes) })
	return wrap(err, "keep %d recaps", len(done))
}

//go:embed query/recaps.sql
var recaps string

// Recaps reads every rendered recap.
func (db *DB) Recaps(ctx context.Context) iter.Seq2[Recap, error] {
	return readRows[Recap](ctx, db.x, recaps)
}

// A Recap is a document that a subscriber keeps.
type Recap struct {
	RequestID int64                       `db:"request_id"`
	Number    conversion.SubscriberNumber `db:"number"`
	Facts     []byte                      `db:"facts"` // JSON, as frozen by the activation
	PDF       []byte                      `db:"pdf"`   // nil until rendered
}
