package sql

import (
	"context"
	_ "embed"
	"fmt"
	"time"

	"bascule/internal/conversion"
)

// A Status tells how the work stands.
type Status struct {
	Counts
	ToSend   int `db:"to_send"`   // mails due now or later
	Held     int `db:"held"`      // invitations that campaigns hold (D12)
	Leaving  int `db:"leaving"`   // held invitations of running campaigns
	ToRender int `db:"to_render"` // recaps due
	// LastMinute is how many mails the relay took in the last 60 seconds.
	LastMinute int              `db:"last_minute"`
	Breaker    string           `db:"breaker"` // why the relay's breaker is open, "" while mail flows
	Paused     []PausedCampaign // newest first
	Standstill Standstill       // why mails are to be sent and none went out in the last minute
	// WaitsForKeys are keys that mails to send need and that no worker has started
	// with.
	WaitsForKeys []conversion.KeyID
}

var (
	//go:embed query/counts.sql
	counts string
	//go:embed query/mail_pace.sql
	mailPace string
	//go:embed query/standstill.sql
	standstill string
	//go:embed query/batch_exists.sql
	batchExists string
)

// A Standstill is what keeps mails that are to be sent; zero while they go out.
type Standstill struct {
	NoWorker bool          // none is alive
	Trouble  string        // what to do about the Redis of one that is alive; "" while that answers
	Handed   time.Duration // how long the relay has had the mail that it has had for longest
	NextAt   time.Time     // when the first mail is due; zero if that is past
	Refusal  string        // how the relay refused that mail before; "" if it did not
}

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
	c, _, err := db.count(ctx, batch, 0)
	if err != nil {
		return Status{}, err
	}
	s := Status{Counts: c}
	return s, db.readPace(ctx, &s)
}

// Counts are the requests by state, each counted once, and the spaces by access.
type Counts struct {
	Requested     int                       `db:"requested" json:"requested"`
	Mailed        int                       `db:"mailed" json:"mailed"`
	Activated     int                       `db:"activated" json:"activated"`
	Expired       int                       `db:"expired" json:"expired"`
	Undeliverable int                       `db:"undeliverable" json:"undeliverable"`
	Cancelled     int                       `db:"cancelled" json:"cancelled"`
	NotDelivered  int                       `db:"not_delivered" json:"not_delivered"` // expired requests whose code sat in a queue until it was dead (D11)
	Spaces        map[conversion.Access]int `db:"-" json:"spaces"`                    // both accesses
}

// States are the requests by state, with those states that have none.
func (c Counts) States() map[conversion.State]int {
	return map[conversion.State]int{
		conversion.StateRequested: c.Requested, conversion.StateMailed: c.Mailed, conversion.StateActivated: c.Activated,
		conversion.StateExpired: c.Expired, conversion.StateUndeliverable: c.Undeliverable, conversion.StateCancelled: c.Cancelled,
	}
}

// count is what the tally tells of a batch, of a campaign, or of everything.
func (db *DB) count(ctx context.Context, batch, campaign int64) (Counts, CampaignCounts, error) {
	var row struct {
		Counts
		CampaignCounts
		Certificate int `db:"certificate"` // spaces
		Password    int `db:"password"`    // likewise
	}
	at, err := db.Now(ctx)
	if err == nil {
		err = db.x.GetContext(ctx, &row, counts, batch, campaign, at)
	}
	row.Spaces = map[conversion.Access]int{conversion.AccessCertificate: row.Certificate, conversion.AccessPassword: row.Password}
	return row.Counts, row.CampaignCounts, wrap(err, "count requests and spaces")
}

func (db *DB) readPace(ctx context.Context, s *Status) error {
	if err := db.x.GetContext(ctx, s, mailPace); err != nil {
		return fmt.Errorf("read the pace of mail: %w", err)
	}
	if s.ToSend+s.Leaving > 0 && s.LastMinute == 0 {
		if err := db.readStandstill(ctx, &s.Standstill); err != nil {
			return err
		}
	}
	if err := db.x.SelectContext(ctx, &s.Paused, `SELECT name, why FROM campaign WHERE state = 'paused' ORDER BY id DESC`); err != nil {
		return fmt.Errorf("look for paused campaigns: %w", err)
	}
	err := db.x.SelectContext(ctx, &s.WaitsForKeys, keysWaitedFor)
	return wrap(err, "look for keys that mail waits for")
}

// firstMails is how many mails of each lane tell why none goes out.
const firstMails = 50

func (db *DB) readStandstill(ctx context.Context, s *Standstill) error {
	var row struct {
		Workers int       `db:"workers"`
		Trouble string    `db:"trouble"`
		Handed  int       `db:"handed"` // seconds
		NextAt  time.Time `db:"next_at"`
		Refusal string    `db:"refusal"`
	}
	if err := db.x.GetContext(ctx, &row, standstill, WorkerSilence.Seconds(), firstMails); err != nil {
		return fmt.Errorf("look why no mail goes out: %w", err)
	}
	*s = Standstill{row.Workers == 0, row.Trouble, time.Duration(row.Handed) * time.Second, known(row.NextAt), row.Refusal}
	return nil
}

// scope finds the campaign of a name, the zero Campaign if it is "". It returns
// ErrNoCampaign, and conversion.ErrNotFound for an unknown batch other than 0.
func (db *DB) scope(ctx context.Context, batch int64, campaign string) (c Campaign, err error) {
	if err := db.checkBatch(ctx, batch); err != nil || campaign == "" {
		return c, err
	}
	return db.Campaign(ctx, campaign)
}

func (db *DB) checkBatch(ctx context.Context, batch int64) error {
	if batch == 0 {
		return nil
	}
	exists, err := get[bool](ctx, db.x, batchExists, batch)
	if err != nil {
		return fmt.Errorf("look batch %d up: %w", batch, err)
	}
	if !exists {
		return fmt.Errorf("batch %d: %w", batch, conversion.ErrNotFound)
	}
	return nil
}
