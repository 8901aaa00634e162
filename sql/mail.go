package sql

import (
	"context"
	_ "embed"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"

	"bascule/internal/conversion"
)

// A Lane says which workers take what is due.
type Lane string

// The lanes. Somebody looks at the screen while LaneInteractive has work.
const (
	LaneInteractive Lane = "interactive"
	LaneBulk        Lane = "bulk"
	LaneRecap       Lane = "recap"
	LaneExpiry      Lane = "expiry" // deadlines that have passed
)

// MailKind is what a mail is about.
type MailKind string

// The mails.
const (
	MailCode         MailKind = "code"              // the activation code (R19)
	MailReminder     MailKind = "reminder"          // the same code once more, at half time (D16)
	MailNotice       MailKind = "notice"            // tells the contact of another address that was chosen (D1)
	MailSwitched     MailKind = "switch-notice"     // tells the contact of the switch under another address
	MailConfirmation MailKind = "confirmation"      // the switch is done, the recap attached
	MailExpired      MailKind = "expired"           // the code was not used in time (R21)
	MailReset        MailKind = "reset"             // the code for a new password (R31)
	MailPassword     MailKind = "password-notice"   // the password was changed
	MailIdentifier   MailKind = "identifier"        // the code that proves another identifier
	MailMoved        MailKind = "identifier-notice" // tells the old address that the identifier was changed
	MailSiege        MailKind = "siege-notice"      // strangers guess at the space
)

// Lease is how long a claim lasts unless its holder renews it.
const Lease = 60 * time.Second

// A Mail is a mail that is due, with the facts to write it.
type Mail struct {
	Token string // of the claim, a UUID: with another token nobody changes what is due
	obligation
	about
	contact
	To        conversion.Email
	Code      conversion.Code    // zero unless the mail carries a code
	Message   conversion.Message // of its campaign, in an invitation, its repetition and its reminder
	LeftUntil string             // an instant, or infinity, while its space is left alone (D17); "" if it is not
	LeftBy    int64              // the exclusion that lasts so long
	Date      time.Time          // of the message; the same for every copy of it
	ExpiresAt time.Time          `db:"expires_at"` // the code's deadline, in a notice that of the contact's code; the epoch if there is none
}

// obligation is a task that is due, and how often it was tried.
type obligation struct {
	Place         string        `db:"place"` // of its row
	ID            int64         `db:"id"`
	Kind          MailKind      `db:"kind"`
	SpaceID       int64         `db:"space_id"`
	RequestID     int64         `db:"request_id"`
	Generation    int           `db:"generation"`
	Copy          int           `db:"copy"`          // 1 to 3 for an administrator's repetition (D3)
	Attempts      int           `db:"attempts"`      // refusals that count, so far
	OwnFault      bool          `db:"own_fault"`     // the recipient is to blame for the refusals, not the relay (D11)
	Interruptions int           `db:"interruptions"` // doubts about copies that may have gone out (I5)
	HappenedAt    time.Time     `db:"happened_at"`   // what a notice tells; the epoch for other mails
	Recent        bool          `db:"recent"`        // HappenedAt is less than a day ago
	DueAt         time.Time     `db:"due_at"`
	CampaignID    int64         `db:"campaign_id"` // 0: no campaign holds the mail back
	Campaign      CampaignState `db:"campaign"`    // running also without a campaign; or campaignShut
}

// campaignShut is a running campaign whose codes would have too little assistance ahead
// now (D14).
const campaignShut CampaignState = "shut"

// invites tells whether the mail is one of those by which the administration addresses
// the contact of a space, or repeats that.
func (o obligation) invites() bool {
	return o.Kind == MailCode || o.Kind == MailReminder || o.Kind == MailExpired
}

// startsCode tells whether the start of the mail starts its code.
func (o obligation) startsCode() bool {
	return (o.Kind == MailCode || o.Kind == MailReset || o.Kind == MailIdentifier) && o.Copy == 0
}

// about is what a mail tells, read once its code is locked.
type about struct {
	CodePlace  string           `db:"code_place"` // of the code's row
	KeyID      conversion.KeyID `db:"key_id"`
	Nonce      []byte           `db:"nonce"`
	Tag        *int64           `db:"tag"`
	IsChosen   bool             `db:"is_chosen"` // the subscriber chose this address: the code activates
	Recipient  string           `db:"recipient"`
	CodeEmail  string           `db:"code_email"` // of a mail that starts no code: the address that its code proves
	SwitchedAt time.Time        `db:"switched_at"`
	EmailKey   string           `db:"email_key"`
	ContactKey string           `db:"contact_key"`
	PDF        []byte           `db:"pdf"`
	Started    bool             `db:"started"`     // the code has started: this is a repetition after doubt
	Good       bool             `db:"good"`        // nothing has made the mail void
	OfCampaign int64            `db:"of_campaign"` // of a repetition that nobody holds back: whose invitation it repeats
	Now        time.Time        `db:"now"`         // when a mail that starts no code was read

	Number  conversion.SubscriberNumber `db:"number"`
	Holder  string                      `db:"holder"`
	Expires time.Time                   `db:"certificate_expires"`
}

//go:embed query/finish_accepted.sql
var finishAccepted string

// A LockedError says that somebody holds the codes or requests of some mails, whose ids
// it names. The others are finished. The caller calls again for those that remain.
type LockedError struct{ IDs []int64 }

func (e *LockedError) Error() string {
	return fmt.Sprintf("somebody holds the codes or requests of %d mails", len(e.IDs))
}

// FinishAccepted records mails that the relay accepted. It leaves out mails that their
// tokens do not hold any more (I5). It returns a *LockedError if some mails have to wait.
func (db *DB) FinishAccepted(ctx context.Context, mails []*Mail) error {
	var requests, generations pq.Int64Array
	for _, m := range mails {
		requests, generations = append(requests, m.RequestID), append(generations, int64(m.Generation))
	}
	return db.finish(ctx, mails, "accepted", finishAccepted, requests, generations)
}

// A Failure is a mail that certainly did not go out.
type Failure struct {
	*Mail
	Delay   time.Duration // until it is due again
	Counts  bool          // towards giving up (D11)
	Refusal string        // the relay's words, addresses masked
	Reply   string        // its reply code, for the audit log
}

func mailsOf(failures []Failure) []*Mail {
	mails := make([]*Mail, len(failures))
	for i, f := range failures {
		mails[i] = f.Mail
	}
	return mails
}

//go:embed query/finish_failed.sql
var finishFailed string

// FinishFailed records certain failures. The deadline is taken back, and the next
// attempt gets a full one (D4). It returns a *LockedError if some mails have to wait.
func (db *DB) FinishFailed(ctx context.Context, failures []Failure) error {
	var (
		delays   pq.Float64Array
		attempts pq.Int64Array
		words    pq.StringArray
	)
	for _, f := range failures {
		n := int64(0)
		if f.Counts {
			n = 1
		}
		delays, attempts, words = append(delays, f.Delay.Seconds()), append(attempts, n), append(words, f.Refusal)
	}
	return db.finish(ctx, mailsOf(failures), "failed", finishFailed, delays, attempts, words)
}

//go:embed query/finish_in_doubt.sql
var finishInDoubt string

// FinishInDoubt records mails whose outcome is unknown, one interruption each (I5). The
// same message goes out again after delay. After the third interruption the code counts
// as mailed instead.
func (db *DB) FinishInDoubt(ctx context.Context, mails []*Mail, delay time.Duration) error {
	return db.finish(ctx, mails, "in doubt", finishInDoubt, delay.Seconds())
}

//go:embed query/finish_refused.sql
var finishRefused string

// FinishRefused records addresses that were refused for good (D11). The request ends as
// undeliverable, or drops the chosen address and falls back to the contact code (D1).
// It returns a *LockedError if some mails have to wait.
func (db *DB) FinishRefused(ctx context.Context, failures []Failure) error {
	var words, replies pq.StringArray
	for _, f := range failures {
		words, replies = append(words, f.Refusal), append(replies, f.Reply)
	}
	return db.finish(ctx, mailsOf(failures), "refused", finishRefused, words, replies)
}

// finish records outcomes. The query lists the mails that it leaves out because somebody
// holds their codes or requests.
func (db *DB) finish(ctx context.Context, mails []*Mail, how, query string, args ...any) error {
	if len(mails) == 0 {
		return nil
	}
	tokens, ids := claims(mails)
	var left []int64
	record := func(x sqlx.QueryerContext) error {
		left = nil
		return sqlx.SelectContext(ctx, x, &left, query, append([]any{tokens, ids}, args...)...)
	}
	var err error
	if len(mails) > fewMails {
		err = db.inTurn(ctx, finishLock, func(tx *sqlx.Tx) error { return record(tx) })
	} else {
		err = again(func() error { return record(db.x) })
	}
	if err == nil && len(left) > 0 {
		err = &LockedError{left}
	}
	if err != nil {
		return fmt.Errorf("finish %d mails as %s: %w", len(mails), how, err)
	}
	return nil
}

// claims are the tokens that hold mails, and the ids of their obligations.
func claims(mails []*Mail) (tokens pq.StringArray, ids pq.Int64Array) {
	for _, m := range mails {
		tokens, ids = append(tokens, m.Token), append(ids, m.ID)
	}
	return tokens, ids
}

//go:embed query/renew_claim.sql
var renewClaim string

// RenewClaim keeps mails for another Lease, as far as their tokens still hold them.
func (db *DB) RenewClaim(ctx context.Context, mails []*Mail) error {
	tokens, ids := claims(mails)
	return wrap(db.exec(ctx, renewClaim, tokens, ids, Lease.Seconds()), "renew a claim")
}
