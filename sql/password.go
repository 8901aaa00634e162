package sql

import (
	"context"
	_ "embed"

	"bascule/internal/conversion"
)

// AskReset makes a mail due to the identifier of a space whose trust answer has just
// been matched (R31). Its code opens a new password. It is good for
// conversion.ResetLifetime from the start of its mail; earlier codes are dead. It returns
// conversion.ErrNotFound if the answer or the identifier was changed meanwhile.
func (db *DB) AskReset(ctx context.Context, i Identifier, keys *conversion.Keyring) error {
	// Behind the lock, two visitors who ask at once do not take the same generation, and
	// a change of the answer finds every code that the old one opened.
	err := db.steps(ctx, do(lockSpace, i.RequestID),
		do(askCode, i.RequestID, purposeReset, nil, nil, keys.Newest(), i.Email, i.Answer).or(conversion.ErrNotFound))
	return wrap(err, "ask for a new password of space %d", i.SpaceID)
}

// A Reset is what a right code for a new password opens.
type Reset struct {
	RequestID  int64
	Generation int
	Number     conversion.SubscriberNumber // a password may not contain it
	Password   conversion.Hash             // the new password may not be the same
}

// FindReset looks an address and a code up. It takes one index probe for each key,
// whether the code is known or not. It returns conversion.ErrCodeRefused if the code is
// wrong, used, expired or not the latest; a *LateCode says more.
func (db *DB) FindReset(ctx context.Context, keys *conversion.Keyring, email conversion.Email, code conversion.Code) (Reset, error) {
	row, err := db.findCode(ctx, keys, email, code)
	if err != nil {
		return Reset{}, err
	}
	if row.Purpose == purposeReset && row.Late {
		return Reset{}, row.tooLate()
	}
	if row.Purpose != purposeReset || !row.Live {
		return Reset{}, conversion.ErrCodeRefused
	}
	return Reset{RequestID: row.RequestID, Generation: row.Generation, Number: row.Number, Password: row.Password}, nil
}

//go:embed query/lock_code.sql
var lockCode string

//go:embed query/use_reset.sql
var useReset string

// UseReset gives the space a new password, once, and ends all its sessions (R31). The
// database's clock, read behind the locks, decides whether the code is still good. It
// returns conversion.ErrCodeRefused.
func (db *DB) UseReset(ctx context.Context, r Reset, password conversion.Hash) error {
	err := db.steps(ctx, do(lockSpace, r.RequestID), do(lockCode, r.RequestID, r.Generation),
		do(useReset, r.RequestID, r.Generation, password).or(conversion.ErrCodeRefused))
	return wrap(err, "use the reset of request %d", r.RequestID)
}

//go:embed query/lock_space.sql
var lockSpace string

//go:embed query/change_password.sql
var changePassword string

// ChangePassword replaces the password of the space that a session is in, and ends all
// its other sessions. It returns conversion.ErrNotFound if the password was changed
// meanwhile.
func (db *DB) ChangePassword(ctx context.Context, s EnteredSpace, password conversion.Hash, tokenHash [32]byte) error {
	err := db.steps(ctx, do(lockSpace, s.RequestID),
		do(changePassword, s.ID, s.Password, password, s.RequestID, tokenHash[:]).or(conversion.ErrNotFound))
	return wrap(err, "change the password of space %d", s.ID)
}
