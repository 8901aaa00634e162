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

// A Choice is how ChooseAddress ended.
type Choice struct {
	// Standing tells that a mail to this address is under way or was sent before. Its
	// code and deadline stand (R22).
	Standing  bool
	MailedAt  time.Time // when the hand-over of that mail began; zero unless Standing, or while it is queued
	ExpiresAt time.Time // its code's deadline; likewise
}

//go:embed query/choose_address.sql
var chooseAddress string

//go:embed query/replace_credentials.sql
var replaceCredentials string

// ChooseAddress points a proven request at another address (D1). A code of its own must
// prove that address before it becomes an identifier. The credentials are kept as
// hashes.
//
// It returns ErrBusy, conversion.ErrCodeRefused, conversion.ErrAlreadyActivated,
// conversion.ErrAddressTaken, a *conversion.ReservedError or
// conversion.ErrTooManyAddresses; nothing has changed then.
func (db *DB) ChooseAddress(ctx context.Context, s Submission) (Choice, error) {
	var choice Choice
	done := func(r lockedRequest) bool { return r.Open && r.chosen(s.Email) }
	err := db.submit(ctx, s, done, func(tx *sqlx.Tx, r lockedRequest, c Credentials) (err error) {
		choice, err = choose(ctx, tx, s, r, c)
		return err
	})
	if errors.Is(err, errRepeated) {
		return Choice{}, nil
	}
	return choice, wrap(err, "choose another address for request %d", s.Request)
}

func choose(ctx context.Context, tx *sqlx.Tx, s Submission, r lockedRequest, c Credentials) (Choice, error) {
	if err := reserve(ctx, tx, s.Email, r.Now); err != nil {
		return Choice{}, err
	}
	if r.chosen(s.Email) && !r.Bounced {
		err := run(ctx, tx, do(replaceCredentials, s.Request, c.Password, c.Question, c.Answer, s.ID))
		return Choice{Standing: true, MailedAt: known(r.StartedAt), ExpiresAt: known(r.ExpiresAt)}, err
	}
	other := !r.Contact.Same(s.Email) // the contact's is chosen with the code of another address
	return Choice{}, run(ctx, tx, do(chooseAddress, s.Request, s.Email.String(), s.Email.Key(), c.Password, c.Question, c.Answer, s.ID, r.Now,
		other, conversion.MaxOtherAddresses, false).or(conversion.ErrTooManyAddresses))
}

//go:embed query/close_overdue_address.sql
var closeOverdueAddress string

//go:embed query/address_taken.sql
var addressTaken string

// reserve checks that the address is not the identifier of another space. It closes
// overdue requests that still reserve the address. The unique indexes decide races.
func reserve(ctx context.Context, tx *sqlx.Tx, e conversion.Email, at time.Time) error {
	if err := run(ctx, tx, do(closeOverdueAddress, e.Key(), at)); err != nil {
		return fmt.Errorf("close overdue requests: %w", err)
	}
	return checkFree(ctx, tx, e)
}

// checkFree returns conversion.ErrAddressTaken if the address is an identifier.
func checkFree(ctx context.Context, tx *sqlx.Tx, e conversion.Email) error {
	taken, err := isTaken(ctx, tx, e)
	if err == nil && taken {
		err = conversion.ErrAddressTaken
	}
	return err
}

// AddressTaken tells whether an address is the identifier of a password space (R6).
// Only a person who has proven the address may learn it.
func (db *DB) AddressTaken(ctx context.Context, e conversion.Email) (bool, error) {
	return isTaken(ctx, db.x, e)
}

func isTaken(ctx context.Context, q sqlx.QueryerContext, e conversion.Email) (taken bool, err error) {
	err = sqlx.GetContext(ctx, q, &taken, addressTaken, e.Key())
	return taken, wrap(err, "look an address up")
}

//go:embed query/reserved_until.sql
var reservedUntil string

// reserved tells until when another request reserves an address (R22).
func (db *DB) reserved(ctx context.Context, e conversion.Email) error {
	until, err := first[stdsql.NullTime](ctx, db.x, reservedUntil, e.Key()) // none: it has just ended
	if err != nil {
		return fmt.Errorf("look a reservation up: %w", err)
	}
	return &conversion.ReservedError{Until: until.Time}
}
