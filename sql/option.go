package sql

import (
	"cmp"
	"context"
	_ "embed"
	"errors"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"

	"bascule/internal/conversion"
)

// An Option is the form of a certificate holder who opts for the access without
// certificate (R12–R18).
type Option struct {
	Space       int64
	Serial      conversion.SerialNumber // of the certificate that was presented
	ID          string                  // of the form, a UUID: the same form again changes nothing
	Email       conversion.Email
	Credentials func() (Credentials, error) // see Submission
	Keys        *conversion.Keyring
}

//go:embed query/lock_open_request.sql
var lockOpenRequest string

//go:embed query/locked_space.sql
var lockedSpaceQuery string

//go:embed query/opt.sql
var opt string

//go:embed query/opt_standing.sql
var optStanding string

// errMoved says that another request was opened while this one waited.
var errMoved = errors.New("the open request has changed")

// Opt keeps the credentials of a certificate holder until somebody types the code,
// which is mailed to the address chosen. The holder prevails over an open request (D8).
//
// It returns ErrBusy, conversion.ErrAlreadyActivated, conversion.ErrNotFound if the
// certificate is no longer the space's, conversion.ErrAddressTaken, a
// *conversion.ReservedError or conversion.ErrTooManyAddresses; nothing has changed
// then.
func (db *DB) Opt(ctx context.Context, o Option) (Choice, error) {
	var choice Choice
	var err error
	for range txAttempts {
		err = db.inTx(ctx, func(tx *sqlx.Tx) (err error) {
			choice, err = optIn(ctx, tx, o)
			return err
		})
		if !errors.Is(err, errMoved) && !violates(err, "request_open") {
			break
		}
	}
	switch {
	case violates(err, "code_reserved"):
		err = db.reserved(ctx, o.Email)
	case isLost(err):
		// The connection broke, perhaps after the COMMIT. The same form again tells: it
		// changes nothing if it was taken before.
		err = ErrBusy
	}
	return choice, wrap(err, "opt for space %d", o.Space)
}

// optIn locks the request, then the space, in the order of an activation.
func optIn(ctx context.Context, tx *sqlx.Tx, o Option) (Choice, error) {
	if free, err := get[bool](ctx, tx, tryLock, spaceLock(o.Space)); err != nil || !free {
		return Choice{}, cmp.Or(err, ErrBusy)
	}
	credentials, err := o.Credentials()
	if err != nil {
		return Choice{}, err
	}
	locked, err := get[int64](ctx, tx, lockOpenRequest, o.Space)
	if err != nil {
		return Choice{}, err
	}
	s, err := get[lockedSpace](ctx, tx, lockedSpaceQuery, o.Space)
	if err != nil {
		return Choice{}, err
	}
	switch {
	case s.Access != conversion.AccessCertificate:
		return Choice{}, conversion.ErrAlreadyActivated
	case s.Serial != o.Serial:
		return Choice{}, conversion.ErrNotFound
	case s.RequestID != locked:
		return Choice{}, errMoved
	}
	return s.opt(ctx, tx, o, credentials)
}

// spaceLock is the advisory lock of a space.
func spaceLock(space int64) int64 { return spaceLocks - space }

type lockedSpace struct {
	Now        time.Time `db:"now"`
	RequestID  int64     `db:"request_id"` // of the open request, 0 if there is none
	Submission string    `db:"submission"`
	Current    Address   `db:"current_email"` // the address of the code that counts
	Bounced    bool      `db:"bounced"`
	StartedAt  time.Time `db:"started_at"`
	ExpiresAt  time.Time `db:"expires_at"`
	spaceRow
}

func (s lockedSpace) opt(ctx context.Context, tx *sqlx.Tx, o Option, c Credentials) (Choice, error) {
	overdue := !known(s.ExpiresAt).IsZero() && !s.ExpiresAt.After(s.Now)
	if s.RequestID != 0 && overdue {
		if err := run(ctx, tx, do(closeOverdue, pq.Array([]int64{s.RequestID}), "subscriber")); err != nil {
			return Choice{}, err
		}
		s.RequestID = 0
	}
	if s.RequestID != 0 && s.Submission == o.ID {
		return s.standing(), nil
	}
	if err := reserve(ctx, tx, o.Email, s.Now); err != nil {
		return Choice{}, err
	}
	if s.RequestID == 0 {
		return Choice{}, run(ctx, tx, do(opt, o.Space, o.Email.String(), o.Email.Key(), c.Password, c.Question, c.Answer, o.ID, s.Now, o.Keys.Newest()))
	}
	return s.prevail(ctx, tx, o, c)
}

// prevail attaches the credentials to the open request (D8). A mail that was sent
// stands.
func (s lockedSpace) prevail(ctx context.Context, tx *sqlx.Tx, o Option, c Credentials) (Choice, error) {
	same := s.Current.Same(o.Email)
	if same && !s.Bounced && !known(s.StartedAt).IsZero() {
		return s.standing(), run(ctx, tx, do(optStanding, s.RequestID, c.Password, c.Question, c.Answer, o.ID, s.Now))
	}
	other := !same && !s.Contact.Same(o.Email)
	return Choice{}, run(ctx, tx, do(chooseAddress, s.RequestID, o.Email.String(), o.Email.Key(), c.Password, c.Question, c.Answer, o.ID, s.Now,
		other, conversion.MaxOtherAddresses, true).or(conversion.ErrTooManyAddresses))
}

func (s lockedSpace) standing() Choice {
	started := known(s.StartedAt)
	return Choice{Standing: !started.IsZero(), MailedAt: started, ExpiresAt: known(s.ExpiresAt)}
}
