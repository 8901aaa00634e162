package sql

import (
	"context"
	_ "embed"
	"time"

	"github.com/lib/pq"

	"bascule/internal/conversion"
)

// RecapSession is how long the session that an activation opens shows the recap.
const RecapSession = 30 * time.Minute

//go:embed query/open_session.sql
var openSession string

// openSession opens another session on the recap of an activated request, while the
// session of the activation lasts. The lock lets a change of the password see it. It
// returns conversion.ErrAlreadyActivated. A session with this token may be open
// already: it belongs to an activation whose COMMIT was not answered, and it stays.
func (db *DB) openSession(ctx context.Context, request int64, tokenHash [32]byte) error {
	err := db.steps(ctx, do(lockSpace, request), do(openSession, request, tokenHash[:]).or(conversion.ErrAlreadyActivated))
	if violates(err, "session_pkey") {
		return nil
	}
	return err
}

//go:embed query/recap_of_session.sql
var recapOfSession string

// RecapOfSession returns the recap that the session with this cookie's SHA-256
// may see. It returns conversion.ErrNotFound if the session is unknown or over.
func (db *DB) RecapOfSession(ctx context.Context, tokenHash [32]byte) (Recap, error) {
	r, err := get[Recap](ctx, db.x, recapOfSession, tokenHash[:])
	return r, wrap(found(err), "read the recap")
}

// SpaceSession is how long a session opened by address and password lasts.
const SpaceSession = time.Hour

// An Identifier is a password space as its address finds it.
type Identifier struct {
	SpaceID   int64                    `db:"space_id"`
	RequestID int64                    `db:"request_id"` // the request that switched it
	Email     string                   `db:"email"`      // as typed
	Password  conversion.Hash          `db:"password_hash"`
	Question  conversion.TrustQuestion `db:"question"`
	Answer    conversion.Hash          `db:"answer_hash"`
}

//go:embed query/find_identifier.sql
var findIdentifier string

// FindIdentifier finds the password space that an address opens. It returns
// conversion.ErrNotFound. A caller that must not tell whether an address is known
// hashes all the same.
func (db *DB) FindIdentifier(ctx context.Context, email conversion.Email) (Identifier, error) {
	i, err := get[Identifier](ctx, db.x, findIdentifier, email.Key())
	return i, wrap(found(err), "find an identifier")
}

//go:embed query/enter_space.sql
var enterSpace string

// EnterSpace opens a session of SpaceSession on a password space whose password has
// just been matched. It returns conversion.ErrNotFound if the password or the identifier
// was changed meanwhile. No session opened with the old one outlives a change.
func (db *DB) EnterSpace(ctx context.Context, i Identifier, tokenHash [32]byte) error {
	err := run(ctx, db.x, do(enterSpace, i.SpaceID, i.Password, tokenHash[:], SpaceSession.Seconds(), i.RequestID, i.Email).or(conversion.ErrNotFound))
	return wrap(busy(err), "enter space %d", i.SpaceID)
}

// An EnteredSpace is the password space that a session is in.
type EnteredSpace struct {
	ID         int64                    `db:"id"`
	RequestID  int64                    `db:"request_id"` // the request that switched it
	Space      conversion.Space         `db:"-"`
	Email      string                   `db:"email"` // the identifier
	Question   conversion.TrustQuestion `db:"question"`
	Password   conversion.Hash          `db:"password_hash"`
	SwitchedAt time.Time                `db:"switched_at"`
	Facts      []byte                   `db:"facts"` // of the recap, JSON
}

//go:embed query/space_of_session.sql
var spaceOfSession string

// SpaceOfSession returns the space that the session with this cookie's SHA-256 is in.
// It returns conversion.ErrNotFound if the session is unknown, is over, or shows a
// recap alone.
func (db *DB) SpaceOfSession(ctx context.Context, tokenHash [32]byte) (EnteredSpace, error) {
	var row struct {
		EnteredSpace
		spaceRow
	}
	err := found(db.x.GetContext(ctx, &row, spaceOfSession, tokenHash[:]))
	row.EnteredSpace.Space = row.space()
	return row.EnteredSpace, wrap(err, "read the space of a session")
}

//go:embed query/leave_space.sql
var leaveSpace string

// LeaveSpace ends a session. An unknown session is over already.
func (db *DB) LeaveSpace(ctx context.Context, tokenHash [32]byte) error {
	return wrap(db.exec(ctx, leaveSpace, tokenHash[:]), "end a session")
}

//go:embed query/sign_out.sql
var signOut string

// SignOut ends the sessions with these hashes, and all sessions that show the recap of
// their spaces. The form that activated opens none afterwards.
func (db *DB) SignOut(ctx context.Context, tokenHashes ...[32]byte) error {
	var hashes pq.ByteaArray
	for _, h := range tokenHashes {
		hashes = append(hashes, h[:])
	}
	return wrap(db.exec(ctx, signOut, hashes), "sign out")
}
