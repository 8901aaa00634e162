package sql

import (
	"context"
	_ "embed"
	"fmt"
	"time"

	"bascule/internal/conversion"

	"github.com/lib/pq"
)

// A Story is all that is known of one space.
type Story struct {
	Space      conversion.Space
	Companies  Companies
	Email      string    // the identifier of a password space
	SwitchedAt time.Time // zero for a certificate space
	At         time.Time // of the reading
	Siege      Siege     // the zero Siege if nobody guesses
	Requests   []conversion.ReportRequest
	Exclusions []SpaceExclusion // exclusions that hold now
	Audit      []AuditEntry
	Next       Next
}

// Next is what an administrator's commands would do now. A command decides by the same
// conditions when it runs.
type Next struct {
	Retry       Obstacle `db:"retry"`              // to retry with the number, and with --into if Over
	RetryAnyway Obstacle `db:"retry_same_address"` // the same with --same-address
	Over        bool     `db:"over"`               // the campaign of the latest request is over: retry names another one
	Chose       bool     `db:"chose"`              // the subscriber gave identifiers: no import replaces the address (D9)
	ChoseOther  bool     `db:"chose_other"`        // with another address than the contact's
	Resends     int      `db:"resends"`
	LeftAlone   bool     `db:"left_alone"` // the recipient of the code is (D17)
	Resend      error    `db:"-"`          // why resend is refused

	Campaign      string        `db:"campaign"` // the one that holds the invitation; "" if none does
	CampaignState CampaignState `db:"campaign_state"`
	InvitesAt     time.Time     `db:"invites_at"` // when the campaign of the latest request invites again by itself (D16); zero if it does not
}

// An AuditEntry is one transition.
type AuditEntry struct {
	At        time.Time `db:"at" json:"at"`
	RequestID int64     `db:"request_id" json:"request"`
	Event     string    `db:"event" json:"event"`
	Actor     string    `db:"actor" json:"actor"`
	Why       string    `db:"why" json:"why,omitempty"`
}

var (
	//go:embed query/story_exclusions.sql
	storyExclusions string
	//go:embed query/story_audit.sql
	storyAudit string
	//go:embed query/story_next.sql
	storyNext string
)

// Story tells the whole story of a subscriber number. It returns
// conversion.ErrNotFound for an unknown one.
func (db *DB) Story(ctx context.Context, number conversion.SubscriberNumber) (Story, error) {
	row, err := get[numberedSpace](ctx, db.x, numberedSpaces, pq.Array([]conversion.SubscriberNumber{number}))
	if err != nil {
		return Story{}, wrap(found(err), "subscriber number %s", number)
	}
	s := Story{Space: row.space(), Email: row.Email, SwitchedAt: known(row.SwitchedAt)}
	if s.Companies, err = db.CompaniesOf(ctx, row.ID, ""); err != nil {
		return Story{}, err
	}
	if s.At, err = db.Now(ctx); err != nil {
		return Story{}, err
	}
	if s.Siege, err = first[Siege](ctx, db.x, siegeQuery, row.ID); err != nil {
		return Story{}, fmt.Errorf("read the siege of %s: %w", number, err)
	}
	for r, err := range readRequests(ctx, db.x, 0, row.ID, 0, s.At) {
		if err != nil {
			return Story{}, fmt.Errorf("read the requests of %s: %w", number, err)
		}
		s.Requests = append(s.Requests, r)
	}
	if err := db.x.SelectContext(ctx, &s.Exclusions, storyExclusions, row.ID, s.At); err != nil {
		return Story{}, fmt.Errorf("read who leaves %s alone: %w", number, err)
	}
	if err := db.x.SelectContext(ctx, &s.Audit, storyAudit, row.ID); err != nil {
		return Story{}, fmt.Errorf("read the audit log of %s: %w", number, err)
	}
	err = db.x.GetContext(ctx, &s.Next, storyNext, row.ID, s.At)
	s.Next.InvitesAt = known(s.Next.InvitesAt)
	if n := len(s.Requests); n > 0 {
		s.Next.Resend = resendRefusal(number, s.Requests[n-1].State, s.Next.Resends, s.Next.LeftAlone)
	}
	return s, wrap(err, "read what can be done for %s", number)
}
