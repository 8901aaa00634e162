package jobs

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"

	"bascule/internal/recap"
	"bascule/sql"
)

// Recapper renders the recaps of activated spaces (R28, C4).
type Recapper struct {
	DB  *sql.DB
	Log *slog.Logger
}

// recapChunk is how many recaps are claimed and kept in one transaction.
const recapChunk = 32

// Run renders until nothing is due or ctx ends.
func (r *Recapper) Run(ctx context.Context) error {
	for ctx.Err() == nil {
		token, due, err := r.claim(ctx)
		if err != nil || len(due) == 0 {
			return err
		}
		if err := r.render(ctx, token, due); err != nil {
			return err
		}
	}
	return nil
}

func (r *Recapper) claim(ctx context.Context) (token string, due []sql.DueRecap, err error) {
	ctx, cancel := outlive(ctx)
	defer cancel()
	return r.DB.ClaimRecaps(ctx, recapChunk)
}

// render keeps the recaps that it could render. A recap that cannot be rendered stays
// due until its lease ends, and holds up no other.
func (r *Recapper) render(ctx context.Context, token string, due []sql.DueRecap) error {
	rendered := make([]sql.RenderedRecap, 0, len(due))
	for _, d := range due {
		pdf, err := renderRecap(d.Facts)
		if err != nil {
			r.Log.Error("cannot render a recap; it stays due", "request", d.RequestID, "err", err)
			continue
		}
		rendered = append(rendered, sql.RenderedRecap{ObligationID: d.ObligationID, PDF: pdf, SHA256: sha256.Sum256(pdf)})
	}
	ctx, cancel := recording(ctx)
	defer cancel()
	err := r.DB.FinishRecaps(ctx, token, rendered)
	if !sql.IsPermanent(err) {
		return err
	}
	err = nil
	for i := range rendered { // perhaps one of them alone can never be recorded
		err = errors.Join(err, r.DB.FinishRecaps(ctx, token, rendered[i:i+1]))
	}
	return err
}

// renderRecap turns a panic of the PDF library into an error, so that it does not hold
// up the other recaps of the claim.
func renderRecap(facts []byte) (_ []byte, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the PDF library panicked (%T)", p)
		}
	}()
	return recap.Render(facts)
}
