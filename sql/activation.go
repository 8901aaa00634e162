package sql

import (
	"cmp"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"

	"bascule/internal/conversion"
)

// A ProvenCode is what a right code opens: a request, and the address that the
// code proves.
type ProvenCode struct {
	RequestID  int64
	Generation int              // of the code
	Proven     conversion.Email // where the code was mailed
	ExpiresAt  time.Time
	Space      conversion.Space
	// Activates tells that the code alone activates: the request carries the
	// credentials chosen for this address (D1).
	Activates bool
	// ContactStands tells that the contact's code opens the identifiers, or did until
	// the activation. It stops when the certificate holder chooses (D8).
	ContactStands bool
	// Pending is another address whose own code is on its way, zero if none.
	Pending conversion.Email
	// Unreached is another address that the mail with its code did not reach, zero if none.
	Unreached conversion.Email
	// NoOther tells that as many other addresses were chosen as can be (D1).
	NoOther bool
	// Activated tells that the request has switched its space. Only the form named by
	// Submission may learn more than "refused".
	Activated  bool
	CampaignID int64  // 0: of none
	Submission string // the form that the request took last, "" if none
}

// FindCode looks an address and a code up. It takes one index probe for each key,
// whether the code is known or not. A right code of a started mail is accepted, whatever
// became of the mail. FindCode then marks the mail as mailed, which stops repetitions. It
// returns conversion.ErrCodeRefused if the code is wrong, expired or void, and ErrBusy if
// somebody else holds the code. For a right code typed too late it returns a *LateCode.
func (db *DB) FindCode(ctx context.Context, keys *conversion.Keyring, email conversion.Email, code conversion.Code) (ProvenCode, error) {
	row, err := db.findCode(ctx, keys, email, code)
	switch {
	case err != nil:
		return ProvenCode{}, err
	case row.activating() && row.Late && row.Access == conversion.AccessCertificate:
		return ProvenCode{}, row.tooLate()
	case !row.activating() || !row.Activated && !(row.Live && row.Open):
		return ProvenCode{}, conversion.ErrCodeRefused
	}
	proven := ProvenCode{RequestID: row.RequestID, Generation: row.Generation, Proven: row.Email.Email, ExpiresAt: row.ExpiresAt, Space: row.space(),
		Activates: row.Purpose == purposeActivate, Activated: row.Activated, Submission: row.Submission, CampaignID: row.CampaignID, ContactStands: row.ContactStands,
		NoOther: row.Others >= conversion.MaxOtherAddresses}
	if !proven.Activates {
		proven.Pending, proven.Unreached = row.Pending.Email, row.Unreached.Email
	}
	return proven, db.markTyped(ctx, row)
}

// A LateCode is a conversion.ErrCodeRefused: the code was right, and its deadline has
// passed. Only a person who has received the code may be told (R21).
type LateCode struct {
	ExpiresAt   time.Time
	Number      conversion.SubscriberNumber
	Certificate time.Time        // its last day
	Renewed     bool             // another code was made for the same address
	Pending     conversion.Email // another address, whose own code is still good; zero if none
}

func (l *LateCode) Error() string { return "its deadline has passed" }

// Unwrap makes it a refused code to callers that do not tell more.
func (l *LateCode) Unwrap() error { return conversion.ErrCodeRefused }

// activating tells whether the code leads to the switch. Codes of a switched space do
// not.
func (r codeRow) activating() bool {
	return r.Purpose == purposeIdentify || r.Purpose == purposeActivate
}

func (r codeRow) tooLate() error {
	late := &LateCode{ExpiresAt: r.ExpiresAt, Number: r.Number, Certificate: r.Expires, Renewed: r.Renewed}
	if r.Open && r.PendingStands && r.Purpose == purposeIdentify {
		late.Pending = r.Pending.Email
	}
	return late
}

var (
	//go:embed query/mark_typed.sql
	markTyped string
	//go:embed query/note_typed.sql
	noteTyped string
)

// markTyped sets mailed_at: a code that somebody types has arrived (I5), and needs no
// reminder (D16).
func (db *DB) markTyped(ctx context.Context, row codeRow) error {
	query := markTyped
	switch {
	case row.Activated || row.Typed:
		return nil
	case row.Mailed:
		query = noteTyped
	}
	return wrap(db.exec(ctx, query, row.RequestID, row.Generation), "mark a code of request %d as typed", row.RequestID)
}

// Credentials are what a subscriber chose, already hashed.
type Credentials struct {
	Password conversion.Hash
	Question conversion.TrustQuestion
	Answer   conversion.Hash
}

// A Submission is a form with an address and the code that proves it.
type Submission struct {
	Request    int64
	Generation int              // of the code that proves the address
	ID         string           // of the form, a UUID: the same form again changes nothing
	Email      conversion.Email // the identifier chosen
	// Credentials hashes the password and the answer that were typed. It is called
	// inside the transaction, when nobody else works on this request. It is nil if the
	// request carries the credentials.
	Credentials func() (Credentials, error)
}

// An Activation is a submission that switches the space.
type Activation struct {
	Submission
	// Facts freezes what the recap will show: the space, its trust question
	// and the instant of the switch. The statement that switches adds the
	// companies.
	Facts func(conversion.Space, conversion.TrustQuestion, time.Time) ([]byte, error)
	// SessionHash is the SHA-256 of the cookie of the session to open.
	SessionHash [32]byte
}

// Activate switches the space of a request. No other transaction does (R3, R4, I3). The
// database's clock alone decides whether the code is still good (R21). It is read under
// the lock on the request.
//
// It returns ErrBusy, conversion.ErrCodeRefused, conversion.ErrAlreadyActivated or
// conversion.ErrAddressTaken; nothing has changed then. The form that activated gets
// nil again, and another session that ends with its first one. When that session is
// over (by its time, by signing out or by another password), the form gets
// conversion.ErrAlreadyActivated like any other form.
func (db *DB) Activate(ctx context.Context, a Activation) error {
	done := func(r lockedRequest) bool { return r.Activated }
	err := db.submit(ctx, a.Submission, done, func(tx *sqlx.Tx, r lockedRequest, c Credentials) error {
		return activate(ctx, tx, a, r, c)
	})
	if errors.Is(err, errRepeated) {
		err = db.openSession(ctx, a.Request, a.SessionHash)
	}
	return wrap(err, "activate request %d", a.Request)
}

//go:embed query/switch_request.sql
var switchRequest string

//go:embed query/switch_space.sql
var switchSpace string

// activate switches the space. Each statement checks once more, so that no mistake in
// our code activates late, twice or without a code.
func activate(ctx context.Context, tx *sqlx.Tx, a Activation, r lockedRequest, c Credentials) error {
	facts, err := a.Facts(r.space(), c.Question, r.Now)
	if err != nil {
		return fmt.Errorf("freeze the recap: %w", err)
	}
	n, err := get[int](ctx, tx, switchRequest, a.Request, a.Generation, r.Now, a.ID, a.Email.Key())
	if err != nil || n != 1 {
		return cmp.Or(err, conversion.ErrCodeRefused)
	}
	return run(ctx, tx, do(switchSpace, a.Request, r.Now, a.Email.String(), a.Email.Key(),
		c.Password, c.Question, c.Answer, facts, a.SessionHash[:], RecapSession.Seconds()).or(conversion.ErrAlreadyActivated))
}

// errRepeated says that the same form was submitted before.
var errRepeated = errors.New("form submitted before")

// submit runs f in the transaction of one submission: one at a time for a request,
// under its lock, with a good code. It returns errRepeated if the request names this
// form and done finds its effect.
func (db *DB) submit(ctx context.Context, s Submission, done func(lockedRequest) bool, f func(*sqlx.Tx, lockedRequest, Credentials) error) error {
	err := db.inTx(ctx, func(tx *sqlx.Tx) error {
		r, creds, err := lockSubmission(ctx, tx, s, done)
		if err != nil {
			return err
		}
		return f(tx, r, creds)
	})
	switch {
	case violates(err, "space_password_email"):
		return conversion.ErrAddressTaken
	case violates(err, "code_reserved"):
		return db.reserved(ctx, s.Email)
	case isLost(err):
		// The connection broke, perhaps after the COMMIT. The row tells, even if ctx
		// has no time left.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), rereading)
		defer cancel()
		if named, readErr := get[bool](ctx, db.x, hasSubmission, s.Request, s.ID); readErr == nil && named {
			return errRepeated
		}
	}
	return err
}

//go:embed query/seize_request.sql
var seizeRequest string

//go:embed query/locked_request.sql
var lockedRequestQuery string

// lockSubmission locks the request, then reads it and the clock. The costly hashes are
// made before the row is locked, and after no other process makes them for the same
// request. It does not wait for a row that somebody holds, perhaps an import, as a
// waiting transaction keeps its connection.
func lockSubmission(ctx context.Context, tx *sqlx.Tx, s Submission, done func(lockedRequest) bool) (r lockedRequest, c Credentials, err error) {
	if free, err := get[bool](ctx, tx, tryLock, s.Request); err != nil || !free {
		return r, c, cmp.Or(err, ErrBusy)
	}
	if s.Credentials != nil {
		if c, err = s.Credentials(); err != nil {
			return r, c, err
		}
	}
	if err := run(ctx, tx, do(seizeRequest, s.Request)); err != nil {
		return r, c, err
	}
	if err := tx.GetContext(ctx, &r, lockedRequestQuery, s.Request, s.Generation); err != nil {
		return r, c, err
	}
	if s.Credentials == nil {
		c = Credentials{Password: r.Password, Question: r.Question, Answer: r.Answer}
	}
	if err := r.check(s, done); err != nil || r.Mailed {
		return r, c, err
	}
	// The mail was started anew after its code was typed. The request becomes mailed
	// before anything else.
	return r, c, run(ctx, tx, do(markTyped, s.Request, s.Generation))
}

// check tells whether the locked request may take the form.
func (r lockedRequest) check(s Submission, done func(lockedRequest) bool) error {
	switch {
	case r.Submission == s.ID && done(r):
		return errRepeated
	case r.Activated:
		return conversion.ErrAlreadyActivated
	case !r.Valid:
		return conversion.ErrCodeRefused
	case s.Credentials == nil && r.Password == "":
		return conversion.ErrCodeRefused // the credentials were erased while the form was under way
	}
	return nil
}

type lockedRequest struct {
	Now        time.Time                `db:"now"`
	Open       bool                     `db:"open"`
	Activated  bool                     `db:"activated"`
	Valid      bool                     `db:"valid"`
	Mailed     bool                     `db:"mailed"` // the code is
	Submission string                   `db:"submission"`
	Chosen     Address                  `db:"chosen_email"`
	Password   conversion.Hash          `db:"password_hash"`
	Question   conversion.TrustQuestion `db:"question"`
	Answer     conversion.Hash          `db:"answer_hash"`
	Bounced    bool                     `db:"bounced"`
	StartedAt  time.Time                `db:"chosen_started_at"` // of the mail to the chosen address
	ExpiresAt  time.Time                `db:"chosen_expires_at"`
	spaceRow
}

// chosen tells whether e is the other address that the request waits for.
func (r lockedRequest) chosen(e conversion.Email) bool { return r.Chosen.Same(e) }

// rereading is how long it may take to find out a lost answer.
const rereading = 5 * time.Second

//go:embed query/has_submission.sql
var hasSubmission string
