package sql

import (
	"context"
	stdsql "database/sql"
	_ "embed"
	"errors"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"

	"bascule/internal/conversion"
)

// RecapSession is how long the session that an activation opens shows the recap.
const RecapSession = 30 * time.Minute

//go:embed query/open_session.sql
var openSession string

// openSession opens another session on the recap of an activated request, as long
// as the one that the activation opened stands; the lock keeps a change of the
// password from missing it. It returns conversion.ErrAlreadyActivated.
// One that is open already stays: it is that of an activation whose COMMIT was not
// answered.
func (db *DB) openSession(ctx context.Context, request int64, tokenHash [32]byte) error {
	err := db.inTx(ctx, func(tx *sqlx.Tx) error {
		if _, err := tx.ExecContext(ctx, lockSpace, request); err != nil {
			return err
		}
		n, err := affected(tx.ExecContext(ctx, openSession, request, tokenHash[:]))
		if err == nil && n == 0 {
			err = conversion.ErrAlreadyActivated
		}
		return err
	})
	if violates(err, "session_pkey") {
		return nil
	}
	return busy(err)
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
