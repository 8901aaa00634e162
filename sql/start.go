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

// A Started mail may be handed to the relay: its start is committed.
type Started struct {
	ID        int64     `db:"id"`
	Date      time.Time `db:"message_date"` // of the message; the same for every copy of it
	ExpiresAt time.Time `db:"expires_at"`   // the deadline of the code, of the contact's code in a notice; the epoch if there is none
}

var (
	//go:embed query/judge_mail.sql
	judgeMail string
	//go:embed query/start_codes.sql
	startCodes string
	//go:embed query/start_others.sql
	startOthers string
	//go:embed query/give_in_to_doubt.sql
	giveInToDoubt string
	//go:embed query/put_off_mail.sql
	putOffMail string
	//go:embed query/hold_off_mail.sql
	holdOffMail string
	//go:embed query/drop_mail.sql
	dropMail string
)

// judged is what may become of a claimed mail.
type judged struct {
	ID        int64     `db:"id"`
	First     bool      `db:"first"` // it carries a code, and is no repetition
	ExpiresAt time.Time `db:"expires_at"`
	Until     string    `db:"until"` // an instant, or infinity; "" but for left alone
	Verdict   string    `db:"verdict"`
}

// StartMail starts the hand-over of claimed mails; tags are those of their
// codes, zero for other mails. The deadline of a code counts from now (D4).
// Mails that are not returned must not be sent: they were claimed by somebody
// else, have become void, or the breaker is open and this is not its probe.
func (db *DB) StartMail(ctx context.Context, c Claim, tags []conversion.Tag, lifetime time.Duration, probe bool) ([]Started, error) {
	values := make(map[int64]int64, len(tags))
	for i, tag := range tags {
		values[c.IDs[i]] = tagValue(tag)
	}
	started, err := db.startMail(ctx, c, values, lifetime, probe)
	if err != nil {
		return nil, fmt.Errorf("start %d mails: %w", len(c.IDs), err)
	}
	return started, nil
}

func (db *DB) startMail(ctx context.Context, c Claim, tags map[int64]int64, lifetime time.Duration, probe bool) (started []Started, err error) {
	judge, err := db.prepare(ctx, judgeMail)
	if err != nil {
		return nil, err
	}
	start, err := db.prepare(ctx, startCodes)
	if err != nil {
		return nil, err
	}
	err = db.inTx(ctx, func(tx *sqlx.Tx) error {
		var mails []judged
		if err := tx.StmtxContext(ctx, judge).SelectContext(ctx, &mails, c.Token, c.IDs, probe); err != nil {
			return err
		}
		s := &window{tx: tx, startCodes: tx.StmtxContext(ctx, start)}
		for _, m := range mails {
			s.sort(m, tags[m.ID])
		}
		started, err = s.run(ctx, lifetime)
		return err
	})
	return started, err
}

// A window is one transaction that starts mails, and settles those that may not.
type window struct {
	tx                *sqlx.Tx
	startCodes        *sqlx.Stmt
	codes, tags       pq.Int64Array
	others            []judged
	void, doubt, held pq.Int64Array
	leftAlone         pq.Int64Array
	until             pq.StringArray
}

func (s *window) sort(m judged, tag int64) {
	switch {
	case m.Verdict == "start" && m.First:
		s.codes, s.tags = append(s.codes, m.ID), append(s.tags, tag)
	case m.Verdict == "start":
		s.others = append(s.others, m)
	case m.Verdict == "void":
		s.void = append(s.void, m.ID)
	case m.Verdict == "doubt":
		s.doubt = append(s.doubt, m.ID)
	case m.Verdict == "later":
		s.held = append(s.held, m.ID)
	case m.Verdict == "left alone":
		s.leftAlone, s.until = append(s.leftAlone, m.ID), append(s.until, m.Until)
	}
}

func (s *window) run(ctx context.Context, lifetime time.Duration) (started []Started, err error) {
	for _, rest := range []struct {
		ids   pq.Int64Array
		query string
		args  []any
	}{
		{s.void, dropMail, nil},
		{s.doubt, giveInToDoubt, nil},
		{s.held, holdOffMail, nil},
		{s.leftAlone, putOffMail, []any{s.until}},
	} {
		if len(rest.ids) == 0 {
			continue
		}
		if _, err := s.tx.ExecContext(ctx, rest.query, append([]any{rest.ids}, rest.args...)...); err != nil {
			return nil, err
		}
	}
	if len(s.codes) > 0 {
		err := s.startCodes.SelectContext(ctx, &started, s.codes, s.tags, lifetime.Seconds(), conversion.ResetLifetime.Seconds())
		if err != nil {
			return nil, err
		}
	}
	others, err := s.startOthers(ctx)
	return append(started, others...), err
}

func (s *window) startOthers(ctx context.Context) ([]Started, error) {
	if len(s.others) == 0 {
		return nil, nil
	}
	deadlines := make(map[int64]time.Time, len(s.others))
	var ids pq.Int64Array
	for _, m := range s.others {
		ids = append(ids, m.ID)
		deadlines[m.ID] = m.ExpiresAt
	}
	var started []Started
	if err := s.tx.SelectContext(ctx, &started, startOthers, ids); err != nil {
		return nil, err
	}
	for i := range started {
		started[i].ExpiresAt = deadlines[started[i].ID]
	}
	return started, nil
}
