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

// A StateError says that a request is in a state which forbids what was asked.
type StateError struct {
	Number conversion.SubscriberNumber
	State  conversion.State
	Advice string // what can be done instead
}

func (e *StateError) Error() string {
	return fmt.Sprintf("the request of %s is %s: %s", e.Number, e.State, e.Advice)
}

var (
	//go:embed query/lock_latest_request.sql
	lockLatestRequest string
	//go:embed query/latest_request.sql
	latestRequest string
	//go:embed query/resend.sql
	resend string
)

type latest struct {
	ID         int64            `db:"id"`
	State      conversion.State `db:"state"`
	Generation int              `db:"generation"`
	Now        time.Time        `db:"now"`
	Resends    int              `db:"resends"`
	LeftAlone  bool             `db:"left_alone"`
}

// Resend makes one more mail due with the same code and the same deadline, as
// an administrator may ask while the code is good, conversion.MaxResends times
// (D3), unless who gets it is left alone (D17). It returns conversion.ErrNotFound
// or a *StateError.
func (db *DB) Resend(ctx context.Context, number conversion.SubscriberNumber, actor string) error {
	err := db.inTx(ctx, func(tx *sqlx.Tx) error {
		var id int64
		err := tx.GetContext(ctx, &id, lockLatestRequest, number)
		if errors.Is(err, stdsql.ErrNoRows) {
			return conversion.ErrNotFound
		}
		if err != nil {
			return err
		}
		var r latest
		if err := tx.GetContext(ctx, &r, latestRequest, id); err != nil {
			return err
		}
		if err := resendRefusal(number, r.State, r.Resends, r.LeftAlone); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, resend, r.ID, r.Generation, r.Now, actor)
		return err
	})
	if err != nil {
		return fmt.Errorf("resend to %s: %w", number, err)
	}
	return nil
}

// resendRefusal is why a code cannot be sent again, nil if it can (D3, D17).
func resendRefusal(number conversion.SubscriberNumber, state conversion.State, resends int, leftAlone bool) error {
	switch {
	case state == conversion.StateRequested:
		return &StateError{number, state, "its mail has not gone out yet, wait for it"}
	case state != conversion.StateMailed:
		return &StateError{number, state, "there is no code to send again; see `bascule show`"}
	case leftAlone:
		return &StateError{number, state, "it is left alone, see `bascule show`; `bascule exclude --lift` ends that"}
	case resends >= conversion.MaxResends:
		return &StateError{number, state, fmt.Sprintf("its code was sent again %d times already, which is the most", conversion.MaxResends)}
	}
	return nil
}

// A Story is all that is known of one space.
type Story struct {
	Space      conversion.Space
	Companies  Companies
	Email      string    // the identifier of a password space
	SwitchedAt time.Time // zero for a certificate space
	At         time.Time // of the reading
	Siege      Siege     // the zero Siege where nobody guesses
	Requests   []ReportRequest
	Exclusions []HeldExclusion // that hold now
	Audit      []AuditEntry
	Next       Next
}

// Next is what an administrator's commands would do now. They decide by the same
// conditions when they come.
type Next struct {
	Retry       Obstacle `db:"retry"`              // of retry with the number
	RetryAnyway Obstacle `db:"retry_same_address"` // the same with the address that came to nothing
	Chose       bool     `db:"chose"`              // the subscriber gave identifiers: no import replaces the address (D9)
	ChoseOther  bool     `db:"chose_other"`        // with another address than the contact's
	Resends     int      `db:"resends"`
	LeftAlone   bool     `db:"left_alone"` // who gets the code (D17)
	Resend      error    `db:"-"`          // why resend is refused
}

// An AuditEntry is one transition.
type AuditEntry struct {
	At        time.Time `db:"at"`
	RequestID int64     `db:"request_id"`
	Event     string    `db:"event"`
	Actor     string    `db:"actor"`
	Why       string    `db:"why"`
}

var (
	//go:embed query/story_space.sql
	storySpace string
	//go:embed query/story_audit.sql
	storyAudit string
	//go:embed query/story_next.sql
	storyNext string
)

// Story tells the whole story of a subscriber number. It returns
// conversion.ErrNotFound for an unknown one.
func (db *DB) Story(ctx context.Context, number conversion.SubscriberNumber) (Story, error) {
	var row struct {
		ID         int64     `db:"id"`
		SwitchedAt time.Time `db:"switched_at"`
		Email      string    `db:"email"`
		spaceRow
	}
	err := db.x.GetContext(ctx, &row, storySpace, number)
	if errors.Is(err, stdsql.ErrNoRows) {
		return Story{}, fmt.Errorf("subscriber number %s: %w", number, conversion.ErrNotFound)
	}
	if err != nil {
		return Story{}, fmt.Errorf("read space %s: %w", number, err)
	}
	s := Story{Email: row.Email}
	if row.Access == conversion.AccessPassword {
		s.SwitchedAt = row.SwitchedAt
	}
	if s.Space, err = row.space(); err != nil {
		return Story{}, err
	}
	if s.Companies, err = db.CompaniesOf(ctx, row.ID, ""); err != nil {
		return Story{}, err
	}
	if s.At, err = db.Now(ctx); err != nil {
		return Story{}, err
	}
	if s.Siege, err = db.siege(ctx, row.ID); err != nil {
		return Story{}, fmt.Errorf("read the siege of %s: %w", number, err)
	}
	for r, err := range readRequests(ctx, db.x, 0, row.ID, s.At) {
		if err != nil {
			return Story{}, fmt.Errorf("read the requests of %s: %w", number, err)
		}
		s.Requests = append(s.Requests, r)
	}
	if s.Exclusions, err = exclusions(ctx, db.x, row.ID, s.At); err != nil {
		return Story{}, fmt.Errorf("read who leaves %s alone: %w", number, err)
	}
	if err := db.x.SelectContext(ctx, &s.Audit, storyAudit, row.ID); err != nil {
		return Story{}, fmt.Errorf("read the audit log of %s: %w", number, err)
	}
	if err := db.x.GetContext(ctx, &s.Next, storyNext, row.ID, s.At); err != nil {
		return Story{}, fmt.Errorf("read what can be done for %s: %w", number, err)
	}
	if n := len(s.Requests); n > 0 {
		s.Next.Resend = resendRefusal(number, s.Requests[n-1].State, s.Next.Resends, s.Next.LeftAlone)
	}
	return s, nil
}
