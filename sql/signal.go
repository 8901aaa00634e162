package sql

import (
	"context"
	_ "embed"
	"errors"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"
)

// CampaignSignals count what a running campaign did within some hours, since it was
// started or resumed. They decide whether it is stopped (D15).
type CampaignSignals struct {
	ID         int64     `db:"id"`
	Name       string    `db:"name"`
	Since      time.Time `db:"watched_from"` // when it was started or resumed
	Hours      int       `db:"hours"`
	Mails      int       `db:"mails"` // invitations that the relay took, or refused for good
	Complaints int       `db:"complaints"`
	Dead       int       `db:"dead"`     // addresses refused for good, or bounced as gone
	Entries    int       `db:"entries"`  // forms with a right code
	Failures   int       `db:"failures"` // forms that an error of ours failed
}

var (
	//go:embed query/campaign_signals.sql
	campaignSignals string
	//go:embed query/note_entries.sql
	noteEntries string
	//go:embed query/make_alert.sql
	makeAlert string
	//go:embed query/lock_alert.sql
	lockAlert string
)

// Signals counts for each running campaign what it did in the last hour, then in the
// last 24. A campaign that did nothing is missing.
func (db *DB) Signals(ctx context.Context) (list []CampaignSignals, err error) {
	err = db.x.SelectContext(ctx, &list, campaignSignals)
	return list, wrap(err, "read what campaigns do wrong")
}

// Entries counts forms with a right code of one campaign.
type Entries struct{ All, Failed int }

// NoteEntries adds forms with a right code to the numbers of their campaigns.
func (db *DB) NoteEntries(ctx context.Context, byCampaign map[int64]Entries) error {
	var ids, all, failed pq.Int64Array
	for id, e := range byCampaign {
		ids, all, failed = append(ids, id), append(all, int64(e.All)), append(failed, int64(e.Failed))
	}
	return wrap(db.exec(ctx, noteEntries, ids, all, failed), "note entries")
}

// An Alert is a mail to the operator.
type Alert struct {
	ID      int64     `db:"id"`
	MadeAt  time.Time `db:"made_at"`
	Subject string    `db:"subject"` // French
	Text    string    `db:"text"`    // French, one line per line
}

// StopCampaign pauses a campaign for what its signals tell, and has the operator told
// (D15). A campaign that has stopped or was resumed since is left alone. It tells whether
// the campaign is stopped by this call, also if what it has released cannot be held again.
func (db *DB) StopCampaign(ctx context.Context, s CampaignSignals, why string, a Alert) (stopped bool, err error) {
	err = db.inTx(ctx, func(tx *sqlx.Tx) error {
		stopped = false
		same, err := get[bool](ctx, tx, `SELECT watched_from = $2 FROM campaign WHERE id = $1 FOR NO KEY UPDATE`, s.ID, s.Since)
		if err != nil || !same {
			return err
		}
		err = move(ctx, tx, Campaign{ID: s.ID}, CampaignPaused, why, "worker", CampaignRunning)
		stopped = err == nil
		if _, over := errors.AsType[*CampaignStateError](err); over {
			return nil
		}
		if err != nil {
			return err
		}
		return run(ctx, tx, do(makeAlert, a.Subject, a.Text))
	})
	if err != nil || !stopped {
		return false, wrap(err, "stop campaign %d", s.ID)
	}
	return true, db.takeBack(ctx, s.ID)
}

// SendAlert gives the oldest alert to send, and forgets it if that returns nil. It
// tells whether there was an alert. An alert may be sent twice, if the process ends in
// between.
func (db *DB) SendAlert(ctx context.Context, send func(Alert) error) (found bool, err error) {
	err = db.inTx(ctx, func(tx *sqlx.Tx) error {
		a, err := first[Alert](ctx, tx, lockAlert)
		if err != nil || a.ID == 0 {
			return err
		}
		found = true
		if err := send(a); err != nil {
			return err
		}
		return run(ctx, tx, do(`DELETE FROM alert WHERE id = $1`, a.ID))
	})
	return found, wrap(err, "send an alert")
}
