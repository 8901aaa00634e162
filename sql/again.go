package sql

import (
	"context"
	_ "embed"
	"fmt"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"

	"bascule/internal/conversion"
)

//go:embed query/take_reinvitations.sql
var takeReinvitations string

// InviteAgain opens new requests after up to limit expired ones whose time has come, as
// Retry does without names (D16). Their campaigns hold the invitations. While an import
// is at work it does nothing.
func (db *DB) InviteAgain(ctx context.Context, keys *conversion.Keyring, limit int) (l Looked, err error) {
	err = db.inTx(ctx, func(tx *sqlx.Tx) error {
		l = Looked{}
		if free, err := get[bool](ctx, tx, tryLock, importLock); err != nil || !free {
			return err
		}
		var due struct {
			Taken    int           `db:"taken"`
			Requests pq.Int64Array `db:"requests"`
		}
		if err := tx.GetContext(ctx, &due, takeReinvitations, limit); err != nil {
			return err
		}
		if l.Found = due.Taken; len(due.Requests) == 0 {
			return nil
		}
		opened, err := affected(tx.ExecContext(ctx, retry, due.Requests, false, false, keys.Newest(), "worker", "the code expired, the certificate ends soon", 0))
		l.Done = int(opened)
		return err
	})
	if err != nil {
		return Looked{}, fmt.Errorf("invite again: %w", err)
	}
	return l, nil
}
