package sql

import (
	"context"
	_ "embed"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"

	"bascule/internal/conversion"
)

// A Status tells how the work stands.
type Status struct {
	States map[conversion.State]int // every state, each request counted once
	// NotDelivered counts requests whose code sat in a queue until it was dead (D11).
	// They are expired.
	NotDelivered int
	Spaces       map[conversion.Access]int // both accesses
	ToSend       int                       // mails due now or later
	Held         int                       // invitations that campaigns hold (D12)
	Leaving      int                       // held invitations of running campaigns
	ToRender     int                       // recaps due
	// LastMinute is how many mails the relay took in the last 60 seconds.
	LastMinute int
	Breaker    string           // why the relay's breaker is open, "" while mail flows
	Paused     []PausedCampaign // newest first
	// WaitsForKeys are keys that mails to send need and that no worker has started
	// with.
	WaitsForKeys []conversion.KeyID
}

var (
	//go:embed query/count.sql
	countQuery string
	//go:embed query/mail_pace.sql
	mailPace string
	//go:embed query/batch_exists.sql
	batchExists string
)

// A PausedCampaign is a campaign that waits for somebody to resume it.
type PausedCampaign struct {
	Name string `db:"name" json:"campaign"`
	Why  string `db:"why" json:"why"`
}

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
	c, err := count(ctx, db.x, batch, at)
	if err != nil {
		return Status{}, err
	}
	s := Status{States: c.states(), NotDelivered: c.NotDelivered, Spaces: c.spaces()}
	return s, db.readPace(ctx, &s)
}

// counted is what the tally tells of a batch, or of everything, at one instant.
type counted struct {
	Requested     int `db:"requested"`
	Mailed        int `db:"mailed"`
	Activated     int `db:"activated"`
	Expired       int `db:"expired"`
	Undeliverable int `db:"undeliverable"`
	Cancelled     int `db:"cancelled"`
	NotDelivered  int `db:"not_delivered"` // of the expired
	Certificate   int `db:"certificate"`   // spaces
	Password      int `db:"password"`      // likewise
}

func count(ctx context.Context, q sqlx.QueryerContext, batch int64, at time.Time) (c counted, err error) {
	if err := sqlx.GetContext(ctx, q, &c, countQuery, batch, at); err != nil {
		return c, fmt.Errorf("count requests and spaces: %w", err)
	}
	return c, nil
}

func (c counted) states() map[conversion.State]int {
	return map[conversion.State]int{
		conversion.StateRequested: c.Requested, conversion.StateMailed: c.Mailed, conversion.StateActivated: c.Activated,
		conversion.StateExpired: c.Expired, conversion.StateUndeliverable: c.Undeliverable, conversion.StateCancelled: c.Cancelled,
	}
}

func (c counted) spaces() map[conversion.Access]int {
	return map[conversion.Access]int{conversion.AccessCertificate: c.Certificate, conversion.AccessPassword: c.Password}
}

func (db *DB) readPace(ctx context.Context, s *Status) error {
	var pace struct {
		LastMinute int    `db:"last_minute"`
		ToSend     int    `db:"to_send"`
		ToRender   int    `db:"to_render"`
		Held       int    `db:"held"`
		Leaving    int    `db:"leaving"`
		Breaker    string `db:"breaker"`
	}
	if err := db.x.GetContext(ctx, &pace, mailPace); err != nil {
		return fmt.Errorf("read the pace of mail: %w", err)
	}
	s.LastMinute, s.ToSend, s.ToRender, s.Breaker = pace.LastMinute, pace.ToSend, pace.ToRender, pace.Breaker
	s.Held, s.Leaving = pace.Held, pace.Leaving
	if err := db.x.SelectContext(ctx, &s.Paused, `SELECT name, why FROM campaign WHERE state = 'paused' ORDER BY id DESC`); err != nil {
		return fmt.Errorf("look for paused campaigns: %w", err)
	}
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
