package sql

import (
	"context"
	_ "embed"

	"github.com/jmoiron/sqlx"

	"bascule/internal/conversion"
)

//go:embed query/ask_code.sql
var askCode string

// AskIdentifier makes a mail due with a code to another address. The owner wants this
// address as the identifier of the space that a session is in. The code is good for
// conversion.ResetLifetime from the start of its mail; earlier ones are dead. It
// returns conversion.ErrAddressTaken (R6), or conversion.ErrNotFound if the password or
// the identifier was changed meanwhile.
func (db *DB) AskIdentifier(ctx context.Context, s EnteredSpace, email conversion.Email, keys *conversion.Keyring) error {
	err := db.inTx(ctx, func(tx *sqlx.Tx) error {
		if err := run(ctx, tx, do(lockSpace, s.RequestID)); err != nil {
			return err
		}
		if err := checkFree(ctx, tx, email); err != nil {
			return err
		}
		return run(ctx, tx, do(askCode, s.RequestID, purposeIdentifier, email.String(), email.Key(), keys.Newest(),
			s.Email, s.Password).or(conversion.ErrNotFound))
	})
	return wrap(err, "ask for another identifier of space %d", s.ID)
}

//go:embed query/pending_identifier.sql
var pendingIdentifier string

// PendingIdentifier is the address that a code has yet to prove. It returns
// conversion.ErrNotFound if there is none.
func (db *DB) PendingIdentifier(ctx context.Context, s EnteredSpace) (conversion.Email, error) {
	a, err := get[Address](ctx, db.x, pendingIdentifier, s.RequestID)
	return a.Email, wrap(found(err), "read the address that space %d awaits", s.ID)
}

//go:embed query/unreached_identifier.sql
var unreachedIdentifier string

// UnreachedIdentifier is the address asked for last, if the relay refused the mail with
// its code. It returns conversion.ErrNotFound if there is none.
func (db *DB) UnreachedIdentifier(ctx context.Context, s EnteredSpace) (conversion.Email, error) {
	a, err := get[Address](ctx, db.x, unreachedIdentifier, s.RequestID)
	return a.Email, wrap(found(err), "read the address that space %d did not get", s.ID)
}

//go:embed query/change_identifier.sql
var changeIdentifier string

// ChangeIdentifier makes the address that a code proves the identifier of the space
// that a session is in. A code does so once. All other sessions of the space end. The
// unique index of addresses decides races (R6, I4). It returns
// conversion.ErrCodeRefused or conversion.ErrAddressTaken.
func (db *DB) ChangeIdentifier(ctx context.Context, s EnteredSpace, keys *conversion.Keyring, email conversion.Email, code conversion.Code, tokenHash [32]byte) error {
	row, err := db.findCode(ctx, keys, email, code)
	if err != nil {
		return err
	}
	if row.Purpose != purposeIdentifier || row.RequestID != s.RequestID || !row.Live {
		return conversion.ErrCodeRefused
	}
	err = db.steps(ctx, do(lockSpace, s.RequestID), do(lockCode, s.RequestID, row.Generation),
		do(changeIdentifier, s.ID, s.RequestID, row.Generation, s.Password, tokenHash[:]).or(conversion.ErrCodeRefused))
	if violates(err, "space_password_email") {
		err = conversion.ErrAddressTaken
	}
	return wrap(err, "change the identifier of space %d", s.ID)
}

//go:embed query/change_question.sql
var changeQuestion string

// ChangeQuestion replaces the trust question and its answer. It returns
// conversion.ErrNotFound if the password was changed meanwhile.
func (db *DB) ChangeQuestion(ctx context.Context, s EnteredSpace, question conversion.TrustQuestion, answer conversion.Hash) error {
	err := db.steps(ctx, do(lockSpace, s.RequestID),
		do(changeQuestion, s.ID, s.Password, question, answer, s.RequestID).or(conversion.ErrNotFound))
	return wrap(err, "change the trust question of space %d", s.ID)
}
