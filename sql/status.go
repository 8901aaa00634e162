package sql

import (
	"context"
	_ "embed"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"

	"bascule/internal/conversion"
)

// A Status is how things stand.
type Status struct {
	States map[conversion.State]int // every state, each request counted once
	// NotDelivered counts requests whose code sat in a queue until it was dead (D11); they are expired.
	NotDelivered int
	Spaces       map[conversion.Access]int // both accesses
	ToSend       int                       // mails due now or later
	ToRender     int                       // recaps due
	// LastMinute is how many mails the relay took in the last 60 seconds.
	LastMinute int
	Breaker    string // why the relay's breaker is open, "" while mail flows
	// WaitsForKeys are keys that mails to send need and no worker has started with.
	WaitsForKeys []conversion.KeyID
}

var (
	//go:embed query/count_states.sql
	countStates string
	//go:embed query/count_spaces.sql
	countSpaces string
	//go:embed query/mail_pace.sql
	mailPace string
	//go:embed query/batch_exists.sql
	batchExists string
)

// Status counts requests and spaces of one batch, or all where batch is 0. It
// returns conversion.ErrNotFound for an unknown batch.
func (db *DB) Status(ctx context.Context, batch int64) (Status, error) {
	if err := db.checkBatch(ctx, batch); err != nil {
		return Status{}, err
	}
	at, err := db.Now(ctx)
	if err != nil {
		return Status{}, err
	}
	var s Status
	if s.States, s.NotDelivered, err = countStatesAt(ctx, db.x, batch, at); err != nil {
		return Status{}, err
	}
	if s.Spaces, err = countSpacesOf(ctx, db.x, batch); err != nil {
		return Status{}, err
	}
	return s, db.readPace(ctx, &s)
}

func countStatesAt(ctx context.Context, q sqlx.QueryerContext, batch int64, at time.Time) (counts map[conversion.State]int, notDelivered int, err error) {
	counts = make(map[conversion.State]int)
	for _, state := range conversion.States() {
		counts[state] = 0
	}
	type row struct {
		State        conversion.State `db:"state"`
		Count        int              `db:"count"`
		NotDelivered int              `db:"not_delivered"`
	}
	for r, err := range readRows[row](ctx, q, countStates, batch, at) {
		if err != nil {
			return nil, 0, fmt.Errorf("count requests: %w", err)
		}
		counts[r.State] = r.Count
		notDelivered += r.NotDelivered
	}
	return counts, notDelivered, nil
}

func countSpacesOf(ctx context.Context, q sqlx.QueryerContext, batch int64) (map[conversion.Access]int, error) {
	counts := map[conversion.Access]int{conversion.AccessCertificate: 0, conversion.AccessPassword: 0}
	type row struct {
		Access conversion.Access `db:"access"`
		Count  int               `db:"count"`
	}
	for r, err := range readRows[row](ctx, q, countSpaces, batch) {
		if err != nil {
			return nil, fmt.Errorf("count spaces: %w", err)
		}
		counts[r.Access] = r.Count
	}
	return counts, nil
}

func (db *DB) readPace(ctx context.Context, s *Status) error {
	var pace struct {
		LastMinute int    `db:"last_minute"`
		ToSend     int    `db:"to_send"`
		ToRender   int    `db:"to_render"`
		Breaker    string `db:"breaker"`
	}
	if err := db.x.GetContext(ctx, &pace, mailPace); err != nil {
		return fmt.Errorf("read the pace of mail: %w", err)
	}
	s.LastMinute, s.ToSend, s.ToRender, s.Breaker = pace.LastMinute, pace.ToSend, pace.ToRender, pace.Breaker
	if err := db.x.SelectContext(ctx, &s.WaitsForKeys, keysWaitedFor); err != nil {
		return fmt.Errorf("look for keys that mail waits for: %w", err)
	}
	return nil
}

func (db *DB) checkBatch(ctx context.Context, batch int64) error {
	if batch == 0 {
		return nil
	}
	var exists bool
	if err := db.x.GetContext(ctx, &exists, batchExists, batch); err != nil {
		return fmt.Errorf("look batch %d up: %w", batch, err)
	}
	if !exists {
		return fmt.Errorf("batch %d: %w", batch, conversion.ErrNotFound)
	}
	return nil
}
