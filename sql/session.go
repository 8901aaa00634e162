package sql

import (
	"context"
	stdsql "database/sql"
	_ "embed"
	"errors"
	"fmt"
	"time"

	"bascule/internal/conversion"
)

// RecapSession is how long the session that an activation opens shows the recap.
const RecapSession = 30 * time.Minute

//go:embed query/open_session.sql
var openSession string

// openSession opens a session on an activated request, and on no other.
func (db *DB) openSession(ctx context.Context, request int64, tokenHash [32]byte) error {
	n, err := affected(db.x.ExecContext(ctx, openSession, request, tokenHash[:], RecapSession.Seconds()))
	if err == nil && n == 0 {
		err = errors.New("the request is not activated")
	}
	if err != nil {
		return fmt.Errorf("open a session: %w", busy(err))
	}
	return nil
}

// A Recap is a document that a subscriber keeps.
type Recap struct {
	RequestID int64                       `db:"request_id"`
	Number    conversion.SubscriberNumber `db:"number"`
	Facts     []byte                      `db:"facts"` // JSON, as frozen by the activation
	PDF       []byte                      `db:"pdf"`   // nil until rendered
}

//go:embed query/recap_of_session.sql
var recapOfSession string

// RecapOfSession returns the recap that the session with this cookie's SHA-256
// may see. It returns conversion.ErrNotFound if the session is unknown or over.
func (db *DB) RecapOfSession(ctx context.Context, tokenHash [32]byte) (Recap, error) {
	var r Recap
	err := db.x.GetContext(ctx, &r, recapOfSession, tokenHash[:])
	if errors.Is(err, stdsql.ErrNoRows) {
		return Recap{}, conversion.ErrNotFound
	}
	if err != nil {
		return Recap{}, fmt.Errorf("read the recap: %w", err)
	}
	return r, nil
}
