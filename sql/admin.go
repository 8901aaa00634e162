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
	//go:embed query/latest_request.sql
	latestRequest string
	//go:embed query/resend.sql
	resend string
	//go:embed query/cancel.sql
	cancel string
)

type latest struct {
	ID         int64            `db:"id"`
	SpaceID    int64            `db:"space_id"`
	State      conversion.State `db:"state"`
	Generation int              `db:"generation"`
	Now        time.Time        `db:"now"`
}

// Resend makes one more mail due with the same code and the same deadline, as
// an administrator may ask while the code is good, conversion.MaxResends times
// (D3). It returns conversion.ErrNotFound or a *StateError.
func (db *DB) Resend(ctx context.Context, number conversion.SubscriberNumber, actor string) error {
	return db.withLatest(ctx, "resend to", number, func(tx *sqlx.Tx, r latest) error {
		switch {
		case r.State == conversion.StateRequested:
			return &StateError{number, r.State, "its mail has not gone out yet, wait for it"}
		case r.State != conversion.StateMailed:
			return &StateError{number, r.State, "there is no code to send again; see `bascule show`"}
		}
		n, err := affected(tx.ExecContext(ctx, resend, r.ID, r.Generation, r.Now, actor, conversion.MaxResends))
		if err == nil && n == 0 {
			err = &StateError{number, r.State, fmt.Sprintf("its code was sent again %d times already, which is the most", conversion.MaxResends)}
		}
		return err
	})
}

// Cancel ends an open request: its code is dead at once, a mail under way
// arrives with a dead code. It returns conversion.ErrNotFound or a *StateError.
func (db *DB) Cancel(ctx context.Context, number conversion.SubscriberNumber, actor string) error {
	return db.withLatest(ctx, "cancel", number, func(tx *sqlx.Tx, r latest) error {
		if !r.State.Open() {
			return &StateError{number, r.State, "there is nothing to cancel"}
		}
		_, err := tx.ExecContext(ctx, cancel, r.ID, r.Now, actor)
		return err
	})
}

func (db *DB) withLatest(ctx context.Context, what string, number conversion.SubscriberNumber, f func(*sqlx.Tx, latest) error) error {
	err := db.inTx(ctx, func(tx *sqlx.Tx) error {
		var r latest
		err := tx.GetContext(ctx, &r, latestRequest, number)
		if errors.Is(err, stdsql.ErrNoRows) {
			return conversion.ErrNotFound
		}
		if err != nil {
			return err
		}
		return f(tx, r)
	})
	if err != nil {
		return fmt.Errorf("%s %s: %w", what, number, err)
	}
	return nil
}

var (
	//go:embed query/close_overdue.sql
	closeOverdue string
	//go:embed query/retry.sql
	retry string
)

// Retry invites again the certificate spaces whose latest request, of one batch
// or any where batch is 0, expired, was undeliverable or bounced (D10); refused
// and bounced addresses only where they changed, unless sameAddress. Twice is
// once. It returns how many requests it opened, and conversion.ErrNotFound for
// an unknown batch.
func (db *DB) Retry(ctx context.Context, batch int64, sameAddress bool, keys *conversion.Keyring, actor string) (int64, error) {
	if err := db.checkBatch(ctx, batch); err != nil {
		return 0, err
	}
	var opened int64
	err := db.inTx(ctx, func(tx *sqlx.Tx) error {
		if err := waitForImports(ctx, tx); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, closeOverdue, batch, actor); err != nil {
			return err
		}
		var err error
		opened, err = affected(tx.ExecContext(ctx, retry, batch, sameAddress, keys.Newest(), actor))
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("retry: %w", err)
	}
	return opened, nil
}

//go:embed query/reissue.sql
var reissue string

//go:embed query/void_resets.sql
var voidResets string

// Reissue kills the codes made with a key that has leaked. Open requests get new
// ones, made with the newest key; who wants a new password asks again. Overdue
// requests expire first. It returns how many requests it changed.
func (db *DB) Reissue(ctx context.Context, leaked conversion.KeyID, keys *conversion.Keyring, actor string) (int64, error) {
	var n int64
	err := db.inTx(ctx, func(tx *sqlx.Tx) error {
		if err := waitForImports(ctx, tx); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, closeOverdue, 0, actor); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, voidResets, leaked, actor); err != nil {
			return err
		}
		var err error
		n, err = affected(tx.ExecContext(ctx, reissue, leaked, keys.Newest(), actor))
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("reissue the codes of key %s: %w", leaked, err)
	}
	return n, nil
}

//go:embed query/open_keys.sql
var openKeys string

// CheckKeys returns conversion.ErrKeyUnknown if an open request was made with a
// key that is not on the ring: its code could be neither sent nor accepted.
func (db *DB) CheckKeys(ctx context.Context, keys *conversion.Keyring) error {
	var used []conversion.KeyID
	if err := db.x.SelectContext(ctx, &used, openKeys); err != nil {
		return fmt.Errorf("check keys: %w", err)
	}
	held := make(map[conversion.KeyID]bool)
	for _, id := range keys.IDs() {
		held[id] = true
	}
	for _, id := range used {
		if !held[id] {
			return fmt.Errorf("open requests were made with key %s, which is not in SECRET_KEY: %w", id, conversion.ErrKeyUnknown)
		}
	}
	return nil
}

// A Story is all that is known of one space.
type Story struct {
	Space      conversion.Space
	Email      string    // the identifier of a password space
	SwitchedAt time.Time // zero for a certificate space
	At         time.Time // of the reading
	Requests   []ReportRequest
	Audit      []AuditEntry
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
	//go:embed query/story_requests.sql
	storyRequests string
	//go:embed query/story_audit.sql
	storyAudit string
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
	if s.At, err = db.Now(ctx); err != nil {
		return Story{}, err
	}
	for r, err := range readRows[reportRow](ctx, db.x, storyRequests, row.ID, s.At) {
		if err != nil {
			return Story{}, fmt.Errorf("read the requests of %s: %w", number, err)
		}
		s.Requests = append(s.Requests, r.request())
	}
	if err := db.x.SelectContext(ctx, &s.Audit, storyAudit, row.ID); err != nil {
		return Story{}, fmt.Errorf("read the audit log of %s: %w", number, err)
	}
	return s, nil
}
