package jobs

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"log/slog"
	"sync"

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
		token := newToken()
		due, err := r.claim(ctx, token)
		if err != nil || len(due) == 0 {
			return err
		}
		if err := r.render(ctx, token, due); err != nil {
			return err
		}
	}
	return nil
}

func (r *Recapper) claim(ctx context.Context, token string) ([]sql.DueRecap, error) {
	ctx, cancel := outlive(ctx)
	defer cancel()
	return r.DB.ClaimRecaps(ctx, recapChunk, token)
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
	s := scribe{turn: new(sync.Mutex), tell: func(err error) { r.Log.Error("cannot record recaps; trying again", "err", err) }}
	s.queue(writeAll(rendered, func(ctx context.Context, some []sql.RenderedRecap) error { return r.DB.FinishRecaps(ctx, token, some) })...)
	return s.finish(ctx)
}

// renderRecap turns a panic of the PDF library into an error, so that it does not hold
// up the other recaps of the claim.
func renderRecap(facts []byte) (_ []byte, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the PDF library panicked (%T)", p)
		}
	}()
	var f recap.Facts
	if err := json.Unmarshal(facts, &f); err != nil {
		return nil, fmt.Errorf("read the facts: %w", err)
	}
	var pdf bytes.Buffer
	if err := recap.Write(&pdf, f); err != nil {
		return nil, err
	}
	return pdf.Bytes(), nil
}
