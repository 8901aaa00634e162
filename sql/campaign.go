package sql

import (
	"context"
	stdsql "database/sql"
	_ "embed"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/jmoiron/sqlx"

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
