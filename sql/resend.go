package sql

import (
	"context"
	_ "embed"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"

	"bascule/internal/conversion"
)

// A StateError says that the state of a request forbids what was asked.
type StateError struct {
	Number conversion.SubscriberNumber
	State  conversion.State
	Advice string // what the administrator can do instead
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

// Resend makes one more mail due with the same code and the same deadline (D3). An
// administrator may ask for conversion.MaxResends of them while the code is good.
// Resend refuses if the recipient is left alone (D17). It returns
// conversion.ErrNotFound or a *StateError. why is for the audit log, and may be "".
func (db *DB) Resend(ctx context.Context, number conversion.SubscriberNumber, why, actor string) error {
	err := db.inTx(ctx, func(tx *sqlx.Tx) error {
		id, err := get[int64](ctx, tx, lockLatestRequest, number)
		if err != nil {
			return found(err)
		}
		r, err := get[latest](ctx, tx, latestRequest, id)
		if err != nil {
			return err
		}
		if err := resendRefusal(number, r.State, r.Resends, r.LeftAlone); err != nil {
			return err
		}
		return run(ctx, tx, do(resend, r.ID, r.Generation, r.Now, actor, why))
	})
	return wrap(err, "resend to %s", number)
}

// resendRefusal is the reason why a code cannot be sent again, nil if it can (D3, D17).
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
