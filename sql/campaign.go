package sql

import (
	"context"
	"crypto/sha256"
	stdsql "database/sql"
	_ "embed"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"

	"bascule/internal/conversion"
	"bascule/internal/text"
)

// A CampaignState says what a campaign may do (D12).
type CampaignState string

// The states of a campaign. Only the invitations of a running campaign start. Nothing
// is added to a cancelled or closed one.
const (
	CampaignPrepared  CampaignState = "prepared"
	CampaignRunning   CampaignState = "running"
	CampaignPaused    CampaignState = "paused"
	CampaignCancelled CampaignState = "cancelled"
	CampaignClosed    CampaignState = "closed"
)

// MaxCampaignName is how many characters the name of a campaign has at the most.
const MaxCampaignName = 100

// CheckCampaignName returns an error if a campaign may not have this name.
func CheckCampaignName(name string) error {
	switch {
	case name == "" || text.Trim(name) != name:
		return errors.New("a campaign's name is not empty, and has no blank at an end")
	case len([]rune(name)) > MaxCampaignName:
		return fmt.Errorf("a campaign's name has %d characters at the most", MaxCampaignName)
	case !utf8.ValidString(name) || strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }):
		return errors.New("a campaign's name has printable characters alone")
	}
	return nil
}

// A Campaign stands above batches (D12).
type Campaign struct {
	ID        int64
	Name      string
	State     CampaignState
	Why       string // the reason of this state, if somebody gave one
	CreatedAt time.Time
	Message   conversion.Message // stands in its invitations and reminders
	Tried     string             // digest of the texts of the latest trial that was sent; "" if none was
	CampaignSettings
}

// CampaignSettings are the brakes of a campaign. The zero value brakes nothing.
type CampaignSettings struct {
	StartsAt time.Time     // no invitation starts before this instant; zero: at once
	Pilot    int           // the campaign pauses once so many invitations have started; 0: it does not
	PerDay   int           // at most so many invitations start on a day in Paris; 0: no limit (D13)
	MinHelp  time.Duration // so much assistance lies in the lifetime of a code; whole minutes (D14)
	Again    int           // a subscriber whose code expired is invited again so often, at most MaxAgain times (D16)
}

// MaxAgain is how often a campaign invites again at the most: on 30, 15, 7 and 2 days
// before the certificate ends (D16).
const MaxAgain = 4

// A CampaignStateError says that the state of a campaign forbids a command.
type CampaignStateError struct {
	Name  string
	State CampaignState
}

// Error tells the state, and what the administrator can do.
func (e *CampaignStateError) Error() string {
	advice := map[CampaignState]string{
		CampaignPrepared:  "start it first: `bascule campaign start`",
		CampaignRunning:   "nothing is to be done; `bascule campaign pause` stops it",
		CampaignPaused:    "`bascule campaign resume` goes on",
		CampaignCancelled: "it is over; import the subscribers into another one",
		CampaignClosed:    "it is over; import the subscribers into another one",
	}[e.State]
	return fmt.Sprintf("the campaign %q is %s: %s", e.Name, e.State, advice)
}

type campaignRow struct {
	ID        int64              `db:"id"`
	Name      string             `db:"name"`
	State     CampaignState      `db:"state"`
	Why       string             `db:"why"`
	CreatedAt time.Time          `db:"created_at"`
	StartsAt  time.Time          `db:"starts_at"`
	Pilot     int                `db:"pilot"`
	PerDay    int                `db:"per_day"`
	MinHelp   int                `db:"min_help"` // minutes
	Again     int                `db:"again"`
	Tried     string             `db:"tried"`
	Message   conversion.Message `db:"message"`
}

func (r campaignRow) campaign() Campaign {
	return Campaign{ID: r.ID, Name: r.Name, State: r.State, Why: r.Why, CreatedAt: r.CreatedAt, Message: r.Message, Tried: r.Tried, CampaignSettings: CampaignSettings{
		StartsAt: known(r.StartsAt), Pilot: r.Pilot, PerDay: r.PerDay, MinHelp: time.Duration(r.MinHelp) * time.Minute, Again: r.Again,
	}}
}

//go:embed query/campaign_named.sql
var campaignNamed string

// ErrNoCampaign says that no campaign has the name.
var ErrNoCampaign = errors.New("there is no campaign")

// Campaign finds a campaign by its name, whatever the case. It returns
// ErrNoCampaign.
func (db *DB) Campaign(ctx context.Context, name string) (Campaign, error) {
	return campaignOf(ctx, db.x, name)
}

func campaignOf(ctx context.Context, q sqlx.QueryerContext, name string) (Campaign, error) {
	var row campaignRow
	err := sqlx.GetContext(ctx, q, &row, campaignNamed, name)
	if errors.Is(err, stdsql.ErrNoRows) {
		return Campaign{}, fmt.Errorf("%w %q: `bascule campaign` lists them", ErrNoCampaign, name)
	}
	if err != nil {
		return Campaign{}, fmt.Errorf("read campaign %q: %w", name, err)
	}
	return row.campaign(), nil
}

// A CampaignLine is a campaign in a list of campaigns.
type CampaignLine struct {
	ID        int64         `db:"id" json:"-"`
	Name      string        `db:"name" json:"campaign"`
	State     CampaignState `db:"state" json:"state"`
	Why       string        `db:"why" json:"why"`
	CreatedAt time.Time     `db:"created_at" json:"created_at"`
	Requests  int           `db:"requests" json:"requests"`
	Held      int           `db:"held" json:"held"`
	Activated int           `db:"activated" json:"activated"`
}

//go:embed query/campaigns.sql
var campaigns string

// Campaigns lists all campaigns, newest first.
func (db *DB) Campaigns(ctx context.Context) (list []CampaignLine, err error) {
	if err := db.x.SelectContext(ctx, &list, campaigns); err != nil {
		return nil, fmt.Errorf("list the campaigns: %w", err)
	}
	return list, nil
}

// CampaignProgress is how far a campaign has come.
type CampaignProgress struct {
	Campaign
	Rows         int // of its spreadsheets, each as it was handed in last
	Held         int // invitations that it has not released
	Started      int // invitations whose hand-over began, and did not certainly fail
	StartedToday int // of them, today in Paris
	Reminded     int // reminders that went out (D16)
	ToInvite     int // subscribers to invite again later, as their code expired (D16), unless they are left alone then
	States       map[conversion.State]int
	NotDelivered int // of the expired (D11)
	Spaces       map[conversion.Access]int
	Log          []CampaignEvent // the latest, oldest first
}

// A CampaignEvent is an entry of a campaign's log (I9).
type CampaignEvent struct {
	At    time.Time `db:"at"`
	Event string    `db:"event"`
	Actor string    `db:"actor"`
	Why   string    `db:"why"`
}

var (
	//go:embed query/campaign_counts.sql
	campaignCounts string
	//go:embed query/campaign_audit.sql
	campaignAudit string
)

// campaignLog is how many events Progress returns.
const campaignLog = 20

// Progress tells how far a campaign has come. It returns ErrNoCampaign.
func (db *DB) Progress(ctx context.Context, name string) (p CampaignProgress, err error) {
	if p.Campaign, err = db.Campaign(ctx, name); err != nil {
		return p, err
	}
	at, err := db.Now(ctx)
	if err != nil {
		return p, err
	}
	var c struct {
		counted
		Rows         int `db:"rows"`
		Held         int `db:"held"`
		Started      int `db:"started"`
		StartedToday int `db:"started_today"`
		Reminded     int `db:"reminded"`
		ToInvite     int `db:"again"`
	}
	if err := db.x.GetContext(ctx, &c, campaignCounts, p.ID, at); err != nil {
		return p, fmt.Errorf("count campaign %q: %w", name, err)
	}
	p.Rows, p.Held, p.Started, p.StartedToday, p.Reminded = c.Rows, c.Held, c.Started, c.StartedToday, c.Reminded
	if p.State != CampaignCancelled && p.State != CampaignClosed {
		p.ToInvite = c.ToInvite
	}
	p.States, p.NotDelivered, p.Spaces = c.states(), c.NotDelivered, c.spaces()
	if err := db.x.SelectContext(ctx, &p.Log, campaignAudit, p.ID, campaignLog); err != nil {
		return p, fmt.Errorf("read the log of campaign %q: %w", name, err)
	}
	return p, nil
}

var (
	//go:embed query/make_campaign.sql
	makeCampaign string
	//go:embed query/move_campaign.sql
	moveCampaign string
	//go:embed query/set_campaign.sql
	setCampaign string
	//go:embed query/wake_campaign.sql
	wakeCampaign string
	//go:embed query/note_start_anyway.sql
	noteStartAnyway string
)

// StartCampaign lets a prepared campaign send its invitations, with these settings
// (D12). It returns ErrNoCampaign or a *CampaignStateError.
func (db *DB) StartCampaign(ctx context.Context, name string, s CampaignSettings, actor string) error {
	return db.StartAnyway(ctx, name, s, "", actor)
}

// StartAnyway is StartCampaign for a campaign that was not found ready; the log tells
// why, unless that is "".
func (db *DB) StartAnyway(ctx context.Context, name string, s CampaignSettings, why, actor string) error {
	return db.changeCampaign(ctx, name, func(tx *sqlx.Tx, c Campaign) error {
		if err := set(ctx, tx, c, s, actor); err != nil {
			return err
		}
		if why != "" {
			if _, err := tx.ExecContext(ctx, noteStartAnyway, c.ID, actor, why); err != nil {
				return fmt.Errorf("record why campaign %q starts: %w", c.Name, err)
			}
		}
		return move(ctx, tx, c, CampaignRunning, "", actor, CampaignPrepared)
	})
}

// PauseCampaign stops the invitations of a running campaign that have not started.
// Commands show why. It returns ErrNoCampaign or a *CampaignStateError.
func (db *DB) PauseCampaign(ctx context.Context, name, why, actor string) error {
	return db.changeCampaign(ctx, name, func(tx *sqlx.Tx, c Campaign) error {
		return move(ctx, tx, c, CampaignPaused, why, actor, CampaignRunning)
	})
}

// ResumeCampaign lets a paused campaign go on. Its pilot is over. It returns
// ErrNoCampaign or a *CampaignStateError.
func (db *DB) ResumeCampaign(ctx context.Context, name, actor string) error {
	return db.changeCampaign(ctx, name, func(tx *sqlx.Tx, c Campaign) error {
		if err := move(ctx, tx, c, CampaignRunning, "", actor, CampaignPaused); err != nil {
			return err
		}
		if s := c.CampaignSettings; s.Pilot > 0 {
			s.Pilot = 0
			if err := set(ctx, tx, c, s, actor); err != nil {
				return err
			}
		}
		_, err := tx.ExecContext(ctx, wakeCampaign, c.ID)
		return err
	})
}

// SetCampaign changes the settings of a campaign, even of a running one. It returns
// ErrNoCampaign or a *CampaignStateError.
func (db *DB) SetCampaign(ctx context.Context, name string, change func(*CampaignSettings), actor string) error {
	return db.changeCampaign(ctx, name, func(tx *sqlx.Tx, c Campaign) error {
		if c.State == CampaignCancelled || c.State == CampaignClosed {
			return &CampaignStateError{c.Name, c.State}
		}
		s := c.CampaignSettings
		change(&s)
		return set(ctx, tx, c, s, actor)
	})
}

//go:embed query/set_message.sql
var setMessage string

// SetMessage gives a campaign another message, which stands in the mails that start from
// then on; "" takes it away. The log has a digest of it. It returns ErrNoCampaign or a
// *CampaignStateError.
func (db *DB) SetMessage(ctx context.Context, name string, m conversion.Message, actor string) error {
	return db.changeCampaign(ctx, name, func(tx *sqlx.Tx, c Campaign) error {
		if c.State == CampaignCancelled || c.State == CampaignClosed {
			return &CampaignStateError{c.Name, c.State}
		}
		if m == c.Message {
			return nil
		}
		why := "none"
		if m != "" {
			why = fmt.Sprintf("%d characters, sha256 %.8x", len([]rune(m)), sha256.Sum256([]byte(m)))
		}
		if _, err := tx.ExecContext(ctx, setMessage, c.ID, m, actor, why); err != nil {
			return fmt.Errorf("change the message of campaign %q: %w", c.Name, err)
		}
		return nil
	})
}

// changeCampaign runs f in a transaction that holds the campaign.
func (db *DB) changeCampaign(ctx context.Context, name string, f func(*sqlx.Tx, Campaign) error) error {
	return db.inTx(ctx, func(tx *sqlx.Tx) error {
		c, err := campaignOf(ctx, tx, name)
		if err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `SELECT FROM campaign WHERE id = $1 FOR NO KEY UPDATE`, c.ID); err != nil {
			return fmt.Errorf("lock campaign %q: %w", name, err)
		}
		if c, err = campaignOf(ctx, tx, name); err != nil { // as it is now that it is locked
			return err
		}
		return f(tx, c)
	})
}

// move brings a campaign to another state, if its state is one of from.
func move(ctx context.Context, tx *sqlx.Tx, c Campaign, to CampaignState, why, actor string, from ...CampaignState) error {
	var n int
	if err := tx.GetContext(ctx, &n, moveCampaign, c.ID, pq.Array(from), to, why, actor); err != nil {
		return fmt.Errorf("bring campaign %q to %s: %w", c.Name, to, err)
	}
	if n == 0 {
		return &CampaignStateError{c.Name, c.State}
	}
	return nil
}

func set(ctx context.Context, tx *sqlx.Tx, c Campaign, s CampaignSettings, actor string) error {
	if s == c.CampaignSettings {
		return nil
	}
	startsAt := stdsql.NullTime{Time: s.StartsAt, Valid: !s.StartsAt.IsZero()}
	positive := func(n int) stdsql.NullInt64 { return stdsql.NullInt64{Int64: int64(n), Valid: n > 0} }
	_, err := tx.ExecContext(ctx, setCampaign, c.ID, startsAt, positive(s.Pilot), positive(s.PerDay), positive(int(s.MinHelp/time.Minute)), actor, s.String(), s.Again)
	if err != nil {
		return fmt.Errorf("change the settings of campaign %q: %w", c.Name, err)
	}
	return nil
}

// String tells the settings in a line, for the log.
func (s CampaignSettings) String() string {
	return fmt.Sprintf("pilot %d, per day %d, min help %s, again %d", s.Pilot, s.PerDay, s.MinHelp, s.Again)
}

//go:embed query/open_of_campaign.sql
var openOfCampaign string

// CancelCampaign ends a campaign and all its open requests. Their codes are dead;
// switched spaces stay switched. It returns how many requests it ended, and
// ErrNoCampaign or a *CampaignStateError. If a call breaks off, the next one finishes
// its work.
func (db *DB) CancelCampaign(ctx context.Context, name, why, actor string) (n int64, err error) {
	return db.endCampaign(ctx, name, CampaignCancelled, why, actor, CampaignPrepared, CampaignRunning, CampaignPaused, CampaignCancelled)
}

// CloseCampaign ends a campaign, and its open requests whose code never started. It
// sends nothing more. A code that was mailed is good until its deadline. It returns the
// same as CancelCampaign.
func (db *DB) CloseCampaign(ctx context.Context, name, why, actor string) (n int64, err error) {
	return db.endCampaign(ctx, name, CampaignClosed, why, actor, CampaignPrepared, CampaignRunning, CampaignPaused, CampaignCancelled)
}

// endChunk is how many requests end in one transaction. It bounds how long imports and
// activations wait for the locks.
const endChunk = 5_000

// endCampaign ends the campaign before its requests, so that nothing starts any more.
func (db *DB) endCampaign(ctx context.Context, name string, to CampaignState, why, actor string, from ...CampaignState) (n int64, err error) {
	var c Campaign
	err = db.changeCampaign(ctx, name, func(tx *sqlx.Tx, found Campaign) error {
		c = found
		return move(ctx, tx, c, to, why, actor, from...)
	})
	if err != nil {
		return 0, err
	}
	var open []int64
	if err := db.x.SelectContext(ctx, &open, openOfCampaign, c.ID, to == CampaignClosed); err != nil {
		return 0, fmt.Errorf("list the open requests of campaign %q: %w", name, err)
	}
	for len(open) > 0 {
		chunk := open[:min(endChunk, len(open))]
		open = open[len(chunk):]
		done, err := db.end(ctx, chunk, to == CampaignClosed, actor)
		n += done
		if err != nil {
			return n, fmt.Errorf("cancel requests of campaign %q; the same command goes on: %w", name, err)
		}
	}
	return n, nil
}
