package terminal

import (
	"fmt"
	"io"
	"strings"
	"time"

	"bascule/internal/conversion"
	"bascule/sql"
)

// Campaigns are all campaigns.
type Campaigns struct {
	Campaigns []sql.CampaignLine `json:"campaigns"`
}

// Print writes one campaign a line.
func (l Campaigns) Print(w io.Writer) {
	if len(l.Campaigns) == 0 {
		fmt.Fprintf(w, "There is no campaign: `bascule import` makes one.\n")
		return
	}
	fmt.Fprintf(w, "%-10s %10s %10s %10s  %s\n", "state", "requests", "held", "activated", "campaign")
	for _, c := range l.Campaigns {
		fmt.Fprintf(w, "%-10s %10d %10d %10d  %s\n", c.State, c.Requests, c.Held, c.Activated, c.Name+inBrackets(c.Why))
	}
}

// A Campaign is what `campaign show --json` prints.
type Campaign struct {
	Campaign string            `json:"campaign"`
	State    sql.CampaignState `json:"state"`
	Why      string            `json:"why"`
	sql.CampaignCounts
	sql.Counts
	StartsAt *time.Time         `json:"starts_at"`
	Pilot    int                `json:"pilot"`     // invitations; 0: no pilot
	PerDay   int                `json:"per_day"`   // 0: no limit
	MinHelp  float64            `json:"min_help"`  // hours; 0: any
	NextMail *time.Time         `json:"next_mail"` // foreseen, while the campaign runs and a brake holds all
	LastMail *time.Time         `json:"last_mail"` // foreseen, while the campaign runs
	Again    int                `json:"again"`     // times; 0: never
	Message  conversion.Message `json:"message"`   // "": none

	progress sql.CampaignProgress
}

// NewCampaign tells how a campaign stands. next is when its next invitation leaves, zero
// if that is now; last is when the last one leaves. Either is zero if it is not known.
func NewCampaign(p sql.CampaignProgress, next, last time.Time) Campaign {
	l := Campaign{
		progress: p,
		Campaign: p.Name, State: p.State, Why: p.Why, CampaignCounts: p.CampaignCounts, Counts: p.Counts,
		Pilot: p.Pilot, PerDay: p.PerDay, MinHelp: p.MinHelp.Hours(), Again: p.Again, Message: p.Message,
	}
	if !p.StartsAt.IsZero() {
		l.StartsAt = &p.StartsAt
	}
	if !next.IsZero() {
		l.NextMail = new(next.UTC())
	}
	if !last.IsZero() {
		l.LastMail = new(last.UTC())
	}
	return l
}

// Print tells the whole campaign, and what can be done next.
func (l Campaign) Print(w io.Writer) {
	p := l.progress
	fmt.Fprintf(w, "Campaign %s: %s\n", p.Name, string(p.State)+inBrackets(p.Why))
	for _, line := range append(Brakes(p.CampaignSettings), Message(p.Campaign)...) {
		fmt.Fprintf(w, "  %s\n", line)
	}
	fmt.Fprintf(w, "\n%10d  rows handed in, in %s\n\nRequests\n", p.Rows, Count(p.Files, "file", "files"))
	writeStates(w, p.Counts)
	fmt.Fprintf(w, "\nInvitations\n%10d  held\n%10d  started, %d of them today\n%10d  reminders\n%10d  to invite again before their certificate ends\n", p.Held, p.Started, p.StartedToday, p.Reminded, p.ToInvite)
	if l.NextMail != nil {
		fmt.Fprintf(w, "%10s  the next one leaves on %s, Paris time\n", "", ParisTime(*l.NextMail))
	}
	if l.LastMail != nil {
		fmt.Fprintf(w, "%10s  the last one leaves on %s, Paris time, as things go\n", "", ParisTime(*l.LastMail))
	}
	fmt.Fprintf(w, "\nLog (Paris time)\n")
	for _, e := range p.Log {
		fmt.Fprintf(w, "%s\n", strings.TrimRight(fmt.Sprintf("  %s  %-18s %-14s %s", ParisTime(e.At), e.Event, e.Actor, e.Why), " "))
	}
	fmt.Fprintf(w, "\nNext: %s\n", l.next())
}

// Brakes tells each brake of a campaign in a line.
func Brakes(s sql.CampaignSettings) (lines []string) {
	if !s.StartsAt.IsZero() {
		lines = append(lines, "none leaves before "+ParisTime(s.StartsAt))
	}
	if s.Pilot > 0 {
		lines = append(lines, fmt.Sprintf("pauses once %d have started", s.Pilot))
	}
	if s.PerDay > 0 {
		lines = append(lines, fmt.Sprintf("%d a day at the most, in Paris", s.PerDay))
	}
	if s.MinHelp > 0 {
		lines = append(lines, fmt.Sprintf("%s of assistance in the lifetime of each code", ShortDuration(s.MinHelp)))
	}
	if s.Again > 0 {
		lines = append(lines, fmt.Sprintf("invites again whose code expired, %s at the most", Count(s.Again, "time", "times")))
	}
	return lines
}

// Message writes the message of a campaign, one line each; none if it has no message.
func Message(c sql.Campaign) []string {
	if c.Message == "" {
		return nil
	}
	lines := []string{"says in invitations and reminders:"}
	for line := range strings.SplitSeq(string(c.Message), "\n") {
		lines = append(lines, "  | "+line)
	}
	return lines
}

// next is the next step that the administrator can take.
func (l Campaign) next() string {
	p, name := l.progress, ShellWord(l.Campaign)
	switch p.State {
	case sql.CampaignPrepared:
		return fmt.Sprintf("nothing has left; `bascule campaign check %s` tells whether it is ready, `bascule campaign start %s` sends the invitations, `bascule campaign cancel %s` drops them", name, name, name)
	case sql.CampaignPaused:
		return fmt.Sprintf("`bascule campaign resume %s` goes on; `bascule campaign close %s` ends it, and codes that were mailed stay good", name, name)
	case sql.CampaignRunning:
		if l.NextMail != nil {
			return fmt.Sprintf("wait until %s, as its brakes want it; `bascule campaign pause %s` stops the invitations", ParisTime(*l.NextMail), name)
		}
		if p.Held > 0 || p.Requested > 0 {
			return fmt.Sprintf("invitations are leaving; `bascule campaign pause %s` stops them", name)
		}
		return fmt.Sprintf("all have left; `bascule report OUT.xlsx --campaign %s` tells what became of each, `bascule retry --campaign %s` invites again those whose code expired,"+
			" `bascule campaign close %s` ends it", name, name, name)
	}
	return fmt.Sprintf("it is over; `bascule report OUT.xlsx --campaign %s` tells what became of each", name)
}

// Leaving tells how many invitations of a campaign that starts or goes on leave, and its
// brakes.
func Leaving(p sql.CampaignProgress) string {
	leave := Count(p.Held, "invitation leaves", "invitations leave")
	if first := max(p.Pilot-p.Started, 0); p.Pilot > 0 && first < p.Held {
		leave = fmt.Sprintf("%d of %d invitations leave, then it pauses", first, p.Held)
	}
	return fmt.Sprintf("The campaign %s is running: %s.\n%s", p.Name, leave, Indented(Brakes(p.CampaignSettings)))
}

// Indented writes lines below another one.
func Indented(lines []string) (text string) {
	for _, line := range lines {
		text += "  " + line + "\n"
	}
	return text
}

// AfterInviting is the next step of the administrator after an import, or after a retry
// in another campaign.
func AfterInviting(campaign string, state sql.CampaignState) string {
	name := ShellWord(campaign)
	switch state {
	case sql.CampaignPrepared:
		return fmt.Sprintf("Nothing has left: `bascule campaign start %s` sends the invitations.", name)
	case sql.CampaignPaused:
		return fmt.Sprintf("The campaign is paused, nothing leaves: `bascule campaign resume %s` goes on.", name)
	}
	return fmt.Sprintf("The campaign is running, the invitations leave: `bascule campaign pause %s` stops them.", name)
}
