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
	"golang.org/x/text/unicode/norm"

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

// ParseCampaignName reads the name of a campaign, in NFC: files of some systems have
// their accents apart, and keyboards do not.
func ParseCampaignName(s string) (string, error) {
	name := norm.NFC.String(s)
	switch {
	case name == "" || text.Trim(name) != name:
		return "", errors.New("a campaign's name is not empty, and has no blank at an end")
	case name[0] == '-':
		return "", errors.New("a campaign's name does not begin with -, as flags do")
	case len([]rune(name)) > MaxCampaignName:
		return "", fmt.Errorf("a campaign's name has %d characters at the most", MaxCampaignName)
	case !utf8.ValidString(name) || strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }):
		return "", errors.New("a campaign's name has printable characters alone")
	}
	return name, nil
}

// A Campaign stands above batches (D12).
type Campaign struct {
	ID        int64              `db:"id"`
	Name      string             `db:"name"`
	State     CampaignState      `db:"state"`
	Why       string             `db:"why"` // the reason of this state, if somebody gave one
	CreatedAt time.Time          `db:"created_at"`
	Message   conversion.Message `db:"message"` // stands in its invitations and reminders
	Tried     string             `db:"tried"`   // digest of the texts of the latest trial that was sent; "" if none was
	CampaignSettings
}

// over tells whether nothing is added to the campaign, nor sent by it any more.
func (c Campaign) over() bool { return c.State == CampaignCancelled || c.State == CampaignClosed }

// CampaignSettings are the brakes of a campaign. The zero value brakes nothing.
type CampaignSettings struct {
	StartsAt time.Time     `db:"starts_at"` // no invitation starts before this instant; zero: at once
	Pilot    int           `db:"pilot"`     // the campaign pauses once so many invitations have started; 0: it does not
	PerDay   int           `db:"per_day"`   // at most so many invitations start on a day in Paris; 0: no limit (D13)
	MinHelp  time.Duration `db:"-"`         // so much assistance lies in the lifetime of a code; whole minutes (D14)
	Again    int           `db:"again"`     // a subscriber whose code expired is invited again so often, at most MaxAgain times (D16)
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
		CampaignCancelled: "it is over; import into another one, or `bascule retry --into` another one",
		CampaignClosed:    "it is over; import into another one, or `bascule retry --into` another one",
	}[e.State]
	return fmt.Sprintf("the campaign %q is %s: %s", e.Name, e.State, advice)
}

type campaignRow struct {
	Campaign
	MinHelp int `db:"min_help"` // minutes
}

func (r campaignRow) campaign() Campaign {
	c := r.Campaign
	c.StartsAt, c.MinHelp = known(c.StartsAt), time.Duration(r.MinHelp)*time.Minute
	return c
}

//go:embed query/campaign_named.sql
var campaignNamed string

// ErrNoCampaign says that no campaign has the name.
var ErrNoCampaign = errors.New("there is no campaign")

// Campaign finds a campaign by its name, whatever the case. It returns
// ErrNoCampaign.
func (db *DB) Campaign(ctx context.Context, name string) (Campaign, error) {
	return campaignOf(ctx, db.x, campaignNamed, name)
}

func campaignOf(ctx context.Context, q sqlx.QueryerContext, query, name string) (Campaign, error) {
	row, err := get[campaignRow](ctx, q, query, name)
	if errors.Is(err, stdsql.ErrNoRows) {
		return Campaign{}, fmt.Errorf("%w %q: `bascule campaign` lists them", ErrNoCampaign, name)
	}
	return row.campaign(), wrap(err, "read campaign %q", name)
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
	err = db.x.SelectContext(ctx, &list, campaigns)
	return list, wrap(err, "list the campaigns")
}

// CampaignProgress is how far a campaign has come.
type CampaignProgress struct {
	Campaign
	CampaignCounts
	Counts
	Log []CampaignEvent // the latest, oldest first
}

// CampaignCounts count rows, invitations and reminders of a campaign.
type CampaignCounts struct {
	Rows         int `db:"rows" json:"rows"`                   // of its spreadsheets, each as it was handed in last
	Files        int `db:"files" json:"-"`                     // those spreadsheets
	Held         int `db:"held" json:"held"`                   // invitations that it has not released
	Started      int `db:"started" json:"started"`             // invitations whose hand-over began, and did not certainly fail
	StartedToday int `db:"started_today" json:"started_today"` // of them, today in Paris
	Reminded     int `db:"reminded" json:"reminded"`           // reminders that went out (D16)
	ToInvite     int `db:"again" json:"to_invite"`             // subscribers to invite again later, as their code expired (D16), unless they are left alone then
}

// A CampaignEvent is an entry of a campaign's log (I9).
type CampaignEvent struct {
	At    time.Time `db:"at"`
	Event string    `db:"event"`
	Actor string    `db:"actor"`
	Why   string    `db:"why"`
}

//go:embed query/campaign_audit.sql
var campaignAudit string

// campaignLog is how many events Progress returns.
const campaignLog = 20

// Progress tells how far a campaign has come. It returns ErrNoCampaign.
func (db *DB) Progress(ctx context.Context, name string) (p CampaignProgress, err error) {
	if p.Campaign, err = db.Campaign(ctx, name); err != nil {
		return p, err
	}
	if p.Counts, p.CampaignCounts, err = db.count(ctx, 0, p.ID); err != nil {
		return p, err
	}
	if p.over() {
		p.ToInvite = 0
	}
	err = db.x.SelectContext(ctx, &p.Log, campaignAudit, p.ID, campaignLog)
	return p, wrap(err, "read the log of campaign %q", name)
}
