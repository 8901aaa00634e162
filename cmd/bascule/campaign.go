package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"bascule/internal/conversion"
	"bascule/sql"
)

func (a *app) campaignCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "campaign",
		Short: "List the campaigns; start, pause, resume, cancel or close one",
		Long: `Lists the campaigns. What is imported belongs to one, and is held: its invitations
leave only while the campaign is running. What subscribers ask for themselves is
never held.

Environment: DATABASE_URL.`,
		Example: `  bascule campaign
  bascule campaign show spring
  bascule campaign start spring --pilot 200`,
		Args: noArg,
	}
	addJSONTo(cmd, &asJSON, "print one JSON object")
	cmd.RunE = a.withDB(func(ctx context.Context, db *sql.DB, _ []string) error { return a.campaigns(ctx, db, asJSON) })
	cmd.AddCommand(a.campaignShow(), a.campaignPlan(), a.campaignCheck(), a.campaignPreview(), a.campaignStart(), a.campaignSet(), a.campaignPause(), a.campaignResume(),
		a.campaignEnd("cancel", "End a campaign and its open requests; their codes are dead at once",
			`Ends a campaign and all its open requests. Their codes are dead at once, those in
mails under way too. What is switched stays switched. It says how many requests
there are, and how many it ended.`, (*sql.DB).CancelCampaign, "are cancelled; codes that were mailed are dead", new(string)),
		a.campaignClose())
	return cmd
}

func (a *app) campaigns(ctx context.Context, db *sql.DB, asJSON bool) error {
	list, err := db.Campaigns(ctx)
	if err != nil {
		return err
	}
	if asJSON {
		return a.printJSON(struct {
			Campaigns []sql.CampaignLine `json:"campaigns"`
		}{append([]sql.CampaignLine{}, list...)})
	}
	if len(list) == 0 {
		a.printf("There is no campaign: `bascule import` makes one.\n")
		return nil
	}
	a.printf("%-10s %10s %10s %10s  %s\n", "state", "requests", "held", "activated", "campaign")
	for _, c := range list {
		a.printf("%-10s %10d %10d %10d  %s\n", c.State, c.Requests, c.Held, c.Activated, c.Name+inBrackets(c.Why))
	}
	return nil
}

// ofCampaign makes a command about one campaign. A shell completes its name.
func (a *app) ofCampaign(cmd *cobra.Command) *cobra.Command {
	one := oneArg("NAME")
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if err := one(cmd, args); err != nil {
			return err
		}
		return sql.CheckCampaignName(args[0])
	}
	cmd.ValidArgsFunction = a.completeCampaigns
	return cmd
}

// withCampaign runs a command on the campaign that its first argument names.
func (a *app) withCampaign(open opener, f func(context.Context, *sql.DB, sql.CampaignProgress) error) func(*cobra.Command, []string) error {
	return open(func(ctx context.Context, db *sql.DB, args []string) error {
		p, err := db.Progress(ctx, args[0])
		if err != nil {
			return err
		}
		return f(ctx, db, p)
	})
}

func (a *app) campaignShow() *cobra.Command {
	var asJSON bool
	cmd := a.ofCampaign(&cobra.Command{
		Use:   "show NAME",
		Short: "Tell how a campaign stands",
		Long: `Tells a campaign's state and why, its brakes, what it holds, and what became of its
requests. The requests by state add up to all of them. Of a running one it foresees
the last mail, as bascule campaign plan does.

Environment: DATABASE_URL; HELP_HOURS, CODE_LIFETIME and MAIL_RATE, optional, as the
workers have them.`,
		Example: "  bascule campaign show spring --json",
	})
	addJSONTo(cmd, &asJSON, "print one JSON object")
	cmd.RunE = a.withCampaign(a.withDB, func(ctx context.Context, db *sql.DB, p sql.CampaignProgress) error {
		last, err := a.lastMail(ctx, db, p)
		if err != nil {
			return err
		}
		if asJSON {
			return a.printJSON(newCampaignLine(p, last))
		}
		a.printCampaign(p, last)
		return nil
	})
	return cmd
}

// A campaignLine is what `campaign show --json` prints.
type campaignLine struct {
	Campaign     string            `json:"campaign"`
	State        sql.CampaignState `json:"state"`
	Why          string            `json:"why"`
	Rows         int               `json:"rows"`
	Held         int               `json:"held"`
	Started      int               `json:"started"`       // invitations
	StartedToday int               `json:"started_today"` // invitations, today in Paris
	Reminded     int               `json:"reminded"`      // reminders that went out
	ToInvite     int               `json:"to_invite"`     // subscribers to invite again later
	Counts
	StartsAt *time.Time         `json:"starts_at"`
	Pilot    int                `json:"pilot"`     // invitations; 0: no pilot
	PerDay   int                `json:"per_day"`   // 0: no limit
	MinHelp  float64            `json:"min_help"`  // hours; 0: any
	LastMail *time.Time         `json:"last_mail"` // foreseen, while the campaign runs
	Again    int                `json:"again"`     // times; 0: never
	Message  conversion.Message `json:"message"`   // "": none
}

func newCampaignLine(p sql.CampaignProgress, last time.Time) campaignLine {
	l := campaignLine{
		Campaign: p.Name, State: p.State, Why: p.Why, Rows: p.Rows, Held: p.Held, Started: p.Started, StartedToday: p.StartedToday, Reminded: p.Reminded, ToInvite: p.ToInvite, Again: p.Again, Message: p.Message,
		Counts: newCounts(p.States, p.NotDelivered, p.Spaces), Pilot: p.Pilot, PerDay: p.PerDay, MinHelp: p.MinHelp.Hours(),
	}
	if !p.StartsAt.IsZero() {
		l.StartsAt = &p.StartsAt
	}
	if !last.IsZero() {
		last = last.UTC()
		l.LastMail = &last
	}
	return l
}

func (a *app) printCampaign(p sql.CampaignProgress, last time.Time) {
	a.printf("Campaign %s: %s\n", p.Name, string(p.State)+inBrackets(p.Why))
	for _, line := range append(brakesOf(p.CampaignSettings), messageOf(p.Campaign)...) {
		a.printf("  %s\n", line)
	}
	a.printf("\n%10d  rows handed in\n\nRequests\n", p.Rows)
	writeStates(a.stdout, p.States, p.NotDelivered)
	a.printf("\nInvitations\n%10d  held\n%10d  started, %d of them today\n%10d  reminders\n%10d  to come, again, before the certificate ends\n", p.Held, p.Started, p.StartedToday, p.Reminded, p.ToInvite)
	if !last.IsZero() {
		a.printf("%10s  the last one leaves on %s, Paris time, as things go\n", "", parisTime(last))
	}
	a.printf("\nLog (Paris time)\n")
	for _, e := range p.Log {
		a.printf("%s\n", strings.TrimRight(fmt.Sprintf("  %s  %-18s %-14s %s", parisTime(e.At), e.Event, e.Actor, e.Why), " "))
	}
	a.printf("\nNext: %s\n", nextOfCampaign(p))
}

// brakesOf tells each brake of a campaign in a line.
func brakesOf(s sql.CampaignSettings) (lines []string) {
	if !s.StartsAt.IsZero() {
		lines = append(lines, "none leaves before "+parisTime(s.StartsAt))
	}
	if s.Pilot > 0 {
		lines = append(lines, fmt.Sprintf("pauses once %d have started", s.Pilot))
	}
	if s.PerDay > 0 {
		lines = append(lines, fmt.Sprintf("%d a day at the most, in Paris", s.PerDay))
	}
	if s.MinHelp > 0 {
		lines = append(lines, fmt.Sprintf("%s of assistance in the lifetime of each code", shortDuration(s.MinHelp)))
	}
	if s.Again > 0 {
		lines = append(lines, fmt.Sprintf("invites again whose code expired, %s at the most", count(s.Again, "time", "times")))
	}
	return lines
}

// shortDuration writes 12h for 12h0m0s.
func shortDuration(d time.Duration) string {
	return strings.TrimSuffix(strings.TrimSuffix(d.String(), "0s"), "0m")
}

// nextOfCampaign is the next step that the administrator can take.
func nextOfCampaign(p sql.CampaignProgress) string {
	name := shellWord(p.Name)
	switch p.State {
	case sql.CampaignPrepared:
		return fmt.Sprintf("nothing has left; `bascule campaign start %s` sends the invitations, `bascule campaign cancel %s` drops them", name, name)
	case sql.CampaignPaused:
		return fmt.Sprintf("`bascule campaign resume %s` goes on, `bascule campaign cancel %s` ends it", name, name)
	case sql.CampaignRunning:
		if p.Held > 0 || p.States[conversion.StateRequested] > 0 {
			return fmt.Sprintf("invitations are leaving; `bascule campaign pause %s` stops them", name)
		}
		return fmt.Sprintf("all have left; `bascule retry` invites again those whose code expired, `bascule campaign close %s` ends it", name)
	}
	return fmt.Sprintf("it is over; `bascule report OUT.xlsx --campaign %s` tells what became of each", name)
}

// shellWord quotes a name, so that a shell takes it as one word.
func shellWord(name string) string {
	if name != "" && strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./") == "" {
		return name
	}
	return "'" + strings.ReplaceAll(name, "'", `'\''`) + "'"
}
