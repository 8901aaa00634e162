package sql

import (
	"context"
	_ "embed"
	"fmt"
	"iter"

	"bascule/internal/conversion"

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

// ClaimRecaps claims up to limit recaps for Lease.
func (db *DB) ClaimRecaps(ctx context.Context, limit int, token string) ([]DueRecap, error) {
	var recaps []DueRecap
	err := again(func() error {
		recaps = nil
		return db.x.SelectContext(ctx, &recaps, claimRecaps, limit, token, Lease.Seconds())
	})
	if err != nil {
		return nil, fmt.Errorf("claim recaps: %w", err)
	}
	return recaps, nil
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
		c            = Claim{Token: token}
		pdfs, hashes pq.ByteaArray
	)
	for _, r := range done {
		c.IDs = append(c.IDs, r.ObligationID)
		pdfs = append(pdfs, r.PDF)
		hashes = append(hashes, r.SHA256[:])
	}
	return db.finish(ctx, c, "rendered", finishRecaps, token, c.IDs, pdfs, hashes)
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
