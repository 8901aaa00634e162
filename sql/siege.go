package sql

import (
	"context"
	_ "embed"
	"time"

	"bascule/internal/conversion"
)

//go:embed query/note_siege.sql
var noteSiege string

// NoteSiege records that strangers guess at an address, and are stopped. A mail tells
// the owner, once a day. If no password space has the address, nothing is recorded.
func (db *DB) NoteSiege(ctx context.Context, email conversion.Email) error {
	return wrap(db.exec(ctx, noteSiege, email.Key()), "note a siege")
}

//go:embed query/besieged.sql
var besieged string

// Besieged counts the password spaces at which strangers were stopped within the last
// hour.
func (db *DB) Besieged(ctx context.Context) (n int, err error) {
	err = db.x.GetContext(ctx, &n, besieged)
	return n, wrap(err, "count besieged spaces")
}

// A Siege tells since when strangers guess at a space, when they were last stopped, and
// when the owner was last told.
type Siege struct {
	BeganAt time.Time `db:"began_at"`
	LastAt  time.Time `db:"last_at"`
	ToldAt  time.Time `db:"told_at"`
}

//go:embed query/siege.sql
var siegeQuery string

//go:embed query/note_refused.sql
var noteRefused string

// A Refusal is what an entry of the audit log tells of a wrong secret.
type Refusal struct {
	Event, Why string
}

// The refusals that NoteRefused records.
var (
	RefusedSignIn = Refusal{"sign-in failed", "wrong password"}
	RefusedReset  = Refusal{"new password refused", "wrong trust answer"}
	RefusedChange = Refusal{"password change failed", "wrong current password"}
	RefusedOwner  = Refusal{"change of identifier or question failed", "wrong current password"}
)

// NoteRefused leaves an entry in the audit log of the password space that an address
// opens. The bucket limits the entries, so that nobody fills the log by guessing. It
// also counts an address of no space: the time that a refusal takes must not tell known
// addresses from others.
func (db *DB) NoteRefused(ctx context.Context, email conversion.Email, r Refusal, b Bucket) error {
	return wrap(db.exec(ctx, noteRefused, b.Name, b.Every.Seconds(), b.Burst, email.Key(), r.Event, r.Why), "note a refusal")
}
