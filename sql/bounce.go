package sql

import (
	"context"
	_ "embed"
	"fmt"
)

//go:embed query/bounced.sql
var bounced string

// Bounced records that the mail with the code of one generation came back
// (D11), and tells whether that was news: a repetition, an older generation and
// an activated request change nothing.
func (db *DB) Bounced(ctx context.Context, request int64, generation int) (bool, error) {
	n, err := affected(db.x.ExecContext(ctx, bounced, request, generation))
	if err != nil {
		return false, fmt.Errorf("record the bounce of request %d: %w", request, err)
	}
	return n == 1, nil
}
