package sql

import (
	"context"
	"crypto/sha256"
	_ "embed"
	"fmt"
	"iter"

	"bascule/internal/conversion"

	"github.com/lib/pq"
)

// A Correction is another contact address for one space.
type Correction struct {
	Number conversion.SubscriberNumber
	Email  conversion.Email
	Reason string // kept as the name of the batch; no personal data
	Actor  string
	Keys   *conversion.Keyring
}

// Correct imports one row: what is known of the space once it is its turn, with another
// contact address. The judge and the verdicts are those of a spreadsheet (D9). It returns
// conversion.ErrNotFound for an unknown number.
func (db *DB) Correct(ctx context.Context, c Correction) (v Verdict, result ImportResult, err error) {
	known := func() (numberedSpace, error) {
		row, err := get[numberedSpace](ctx, db.x, numberedSpaces, pq.Array([]conversion.SubscriberNumber{c.Number}))
		return row, wrap(found(err), "subscriber number %s", c.Number)
	}
	if _, err := known(); err != nil {
		return v, result, err
	}
	at, err := db.Now(ctx)
	if err != nil {
		return v, result, err
	}
	in := Import{
		Hash:     sha256.Sum256(fmt.Appendf(nil, "correction %s %s %d", c.Number, c.Email.Key(), at.UnixNano())),
		FileName: "correction " + string(c.Number) + ": " + c.Reason, Sheet: "correction", Actor: c.Actor, Keys: c.Keys,
		Columns: Columns{Number: "A", Email: "C", Serial: "D"}, Expect: 1, named: true,
		Rows: func(yield func(ImportRow, error) bool) {
			row, err := known()
			space := row.space()
			space.Contact = c.Email
			yield(ImportRow{Line: 1, Space: space, Priority: row.Priority}, err)
		},
	}
	result, err = db.Import(ctx, in, func(verdicts iter.Seq2[Verdict, error]) error {
		for told, err := range verdicts {
			if err != nil {
				return err
			}
			v = told
		}
		return nil
	})
	return v, result, err
}
