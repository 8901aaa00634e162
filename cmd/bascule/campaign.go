package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"bascule/internal/conversion"
	"bascule/internal/report"
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
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
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
		a.printf("%-10s %10d %10d %10d  %s\n", c.State, c.Requests, c.Held, c.Activated, withWhy(c.Name, c.Why))
	}
	return nil
}

func withWhy(name, why string) string { return name + inBrackets(why) }

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
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	cmd.RunE = a.withDB(func(ctx context.Context, db *sql.DB, args []string) error {
		p, err := db.Progress(ctx, args[0])
		if err != nil {
			return err
		}
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
	Campaign      string                    `json:"campaign"`
	State         sql.CampaignState         `json:"state"`
	Why           string                    `json:"why"`
	Rows          int                       `json:"rows"`
	Held          int                       `json:"held"`
	Started       int                       `json:"started"`       // invitations
	StartedToday  int                       `json:"started_today"` // invitations, today in Paris
	Reminded      int                       `json:"reminded"`      // reminders that went out
	ToInvite      int                       `json:"to_invite"`     // subscribers to invite again later
	Requested     int                       `json:"requested"`
	Mailed        int                       `json:"mailed"`
	Activated     int                       `json:"activated"`
	Expired       int                       `json:"expired"`
	Undeliverable int                       `json:"undeliverable"`
	Cancelled     int                       `json:"cancelled"`
	NotDelivered  int                       `json:"not_delivered"`
	Spaces        map[conversion.Access]int `json:"spaces"`
	StartsAt      *time.Time                `json:"starts_at"`
	Pilot         int                       `json:"pilot"`     // invitations; 0: no pilot
	PerDay        int                       `json:"per_day"`   // 0: no limit
	MinHelp       float64                   `json:"min_help"`  // hours; 0: any
	LastMail      *time.Time                `json:"last_mail"` // foreseen, while the campaign runs
	Again         int                       `json:"again"`     // times; 0: never
	Message       conversion.Message        `json:"message"`   // "": none
}

func newCampaignLine(p sql.CampaignProgress, last time.Time) campaignLine {
	l := campaignLine{
		Campaign: p.Name, State: p.State, Why: p.Why, Rows: p.Rows, Held: p.Held, Started: p.Started, StartedToday: p.StartedToday, Reminded: p.Reminded, ToInvite: p.ToInvite, Again: p.Again, Message: p.Message,
		Requested: p.States[conversion.StateRequested], Mailed: p.States[conversion.StateMailed],
		Activated: p.States[conversion.StateActivated], Expired: p.States[conversion.StateExpired],
		Undeliverable: p.States[conversion.StateUndeliverable], Cancelled: p.States[conversion.StateCancelled],
		NotDelivered: p.NotDelivered, Spaces: p.Spaces, Pilot: p.Pilot, PerDay: p.PerDay, MinHelp: p.MinHelp.Hours(),
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
	a.printf("Campaign %s: %s\n", p.Name, withWhy(string(p.State), p.Why))
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
		lines = append(lines, fmt.Sprintf("invites again whose code expired, %s at the most", count(int64(s.Again), "time", "times")))
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

// brakes are the flags of a campaign's settings. A setting without its flag stays as it
// is.
type brakes struct {
	after   time.Duration
	pilot   int
	perDay  int
	minHelp span
	again   int
}

func (b *brakes) addTo(cmd *cobra.Command) {
	cmd.Flags().DurationVar(&b.after, "after", 0, "no invitation leaves before this `time` is over, such as 15m")
	cmd.Flags().IntVar(&b.pilot, "pilot", 0, "pause once `N` more invitations have started")
	cmd.Flags().IntVar(&b.perDay, "per-day", 0, "at most `N` invitations a day, in Paris; 0: no limit")
	cmd.Flags().Var(&b.minHelp, "min-help", "only if so much assistance lies in the lifetime of a code, such as 12h")
	cmd.Flags().IntVar(&b.again, "again", 0, "invite again whose code expired, at most `N` times, before the certificate ends (3 unless set); 0: never")
}

// check refuses values that make no sense, and values with which nothing could ever
// start (D14).
func (b *brakes) check(a *app) error {
	if b.after < 0 || b.pilot < 0 || b.perDay < 0 {
		return usagef("a number or time is below 0")
	}
	if b.pilot > maxBrake || b.perDay > maxBrake {
		return usagef("a number is above %d", maxBrake)
	}
	if b.again < 0 || b.again > sql.MaxAgain {
		return usagef("--again is from 0 to %d: there are 30, 15, 7 and 2 days before the certificate ends", sql.MaxAgain)
	}
	if b.minHelp == 0 {
		return nil
	}
	least := time.Duration(b.minHelp).Round(time.Minute)
	hours, err := a.env.helpHours()
	if err != nil {
		return err
	}
	lifetime, err := a.env.codeLifetime()
	if err != nil {
		return err
	}
	if _, ok := hours.Next(time.Now(), lifetime, least); !ok {
		return usagef("--min-help %s: a code is good for %s, and HELP_HOURS (%s) never have so much in it: nothing could leave",
			shortDuration(least), shortDuration(lifetime), hours)
	}
	return nil
}

// maxBrake is more than the number of subscribers.
const maxBrake = 1_000_000_000

// apply changes the settings by the flags that were given. started is how many
// invitations have started: a pilot counts from there.
func (b *brakes) apply(cmd *cobra.Command, s *sql.CampaignSettings, now time.Time, started int) {
	if cmd.Flags().Changed("after") {
		s.StartsAt = now.Add(b.after)
	}
	if cmd.Flags().Changed("pilot") {
		s.Pilot = 0
		if b.pilot > 0 {
			s.Pilot = started + b.pilot
		}
	}
	if cmd.Flags().Changed("per-day") {
		s.PerDay = b.perDay
	}
	if cmd.Flags().Changed("min-help") {
		s.MinHelp = time.Duration(b.minHelp).Round(time.Minute)
	}
	if cmd.Flags().Changed("again") {
		s.Again = b.again
	}
}

func (a *app) campaignStart() *cobra.Command {
	var b brakes
	var anyway reason
	cmd := a.ofCampaign(&cobra.Command{
		Use:   "start NAME",
		Short: "Send the invitations of a prepared campaign",
		Long: `Sends the invitations of a prepared campaign: by priority, then by the expiry of
the certificate, the earliest that is still ahead first. It first looks at all that
bascule campaign check looks at, and refuses if a line is red; --anyway starts all the
same, and the log of the campaign keeps the reason. The brakes can be changed while it
runs, by bascule campaign set.

Environment: that of bascule campaign check.`,
		Example: `  bascule campaign start spring --after 15m --pilot 200
  bascule campaign start spring --per-day 20000 --min-help 12h`,
	})
	b.addTo(cmd)
	cmd.Flags().Var(&anyway, "anyway", "start although a line of check is red; the `reason` is for the log")
	cmd.RunE = a.withBrakes(&b, func(ctx context.Context, db *sql.DB, p sql.CampaignProgress, at time.Time) error {
		if p.State != sql.CampaignPrepared {
			return &sql.CampaignStateError{Name: p.Name, State: p.State}
		}
		s := p.CampaignSettings
		b.apply(cmd, &s, at, p.Started)
		why, err := a.mayStart(ctx, db, p, s, anyway.String())
		if err != nil {
			return err
		}
		if err := db.StartAnyway(ctx, p.Name, s, why, actor()); err != nil {
			return err
		}
		a.printf("The campaign %s is running: %s.\n", p.Name, count(int64(p.Held), "invitation leaves", "invitations leave"))
		for _, brake := range brakesOf(s) {
			a.printf("  %s\n", brake)
		}
		a.printf("`bascule campaign pause %s` stops what has not left.\n", shellWord(p.Name))
		return nil
	})
	return cmd
}

func (a *app) campaignSet() *cobra.Command {
	var b brakes
	var file string
	cmd := a.ofCampaign(&cobra.Command{
		Use:   "set NAME",
		Short: "Change the brakes or the message of a campaign, which may be running",
		Long: `Changes the brakes of a campaign, also while it runs. 0 takes a brake away. The
message is a paragraph of your own in its invitations and reminders, from the next
mail on: at most 1000 characters in 20 lines of plain text, with links and addresses
on the domains of PUBLIC_URL and MAIL_FROM alone.

Environment: DATABASE_URL; HELP_HOURS and CODE_LIFETIME, optional, for --min-help;
PUBLIC_URL and MAIL_FROM for --message.`,
		Example: `  bascule campaign set spring --per-day 5000
  bascule campaign set spring --per-day 0
  bascule campaign set spring --message message.txt
  bascule campaign set spring --message ''`,
	})
	b.addTo(cmd)
	cmd.Flags().StringVar(&file, "message", "", "the `FILE` with the message, UTF-8; '' takes it away")
	cmd.MarkFlagsOneRequired("after", "pilot", "per-day", "min-help", "again", "message")
	cmd.RunE = a.withBrakes(&b, func(ctx context.Context, db *sql.DB, p sql.CampaignProgress, at time.Time) error {
		if cmd.Flags().Changed("message") {
			m, err := a.message(file)
			if err != nil {
				return err
			}
			if err := db.SetMessage(ctx, p.Name, m, actor()); err != nil {
				return err
			}
			p.Message = m
		}
		var now sql.CampaignSettings
		err := db.SetCampaign(ctx, p.Name, func(s *sql.CampaignSettings) {
			b.apply(cmd, s, at, p.Started)
			now = *s
		}, actor())
		if err != nil {
			return err
		}
		a.printf("The campaign %s is %s.\n", p.Name, p.State)
		for _, line := range append(brakesOf(now), messageOf(p.Campaign)...) {
			a.printf("  %s\n", line)
		}
		return nil
	})
	return cmd
}

// withBrakes runs f on the named campaign, once its flags make sense. at is the time of
// the database's clock.
func (a *app) withBrakes(b *brakes, f func(ctx context.Context, db *sql.DB, p sql.CampaignProgress, at time.Time) error) func(*cobra.Command, []string) error {
	run := a.withWriter(func(ctx context.Context, db *sql.DB, args []string) error {
		p, err := db.Progress(ctx, args[0])
		if err != nil {
			return err
		}
		at, err := db.Now(ctx)
		if err != nil {
			return err
		}
		return f(ctx, db, p, at)
	})
	return func(cmd *cobra.Command, args []string) error {
		if err := b.check(a); err != nil {
			return err
		}
		return run(cmd, args)
	}
}

func (a *app) campaignPause() *cobra.Command {
	var why reason
	cmd := a.ofCampaign(&cobra.Command{
		Use:   "pause NAME",
		Short: "Stop what has not left of a running campaign",
		Long: `Stops the invitations of a running campaign that have not left, within two
seconds, whatever the number of workers. A code that was mailed is good until its
deadline.

Environment: DATABASE_URL.`,
		Example: `  bascule campaign pause spring --reason "too many calls"`,
	})
	cmd.Flags().Var(&why, "reason", "why, as bascule campaign show tells it")
	cmd.RunE = a.withWriter(func(ctx context.Context, db *sql.DB, args []string) error {
		if err := db.PauseCampaign(ctx, args[0], why.String(), actor()); err != nil {
			return err
		}
		p, err := db.Progress(ctx, args[0])
		if err != nil {
			return err
		}
		a.printf("The campaign %s is paused: %d have started, %d are held. `bascule campaign resume %s` goes on.\n",
			p.Name, p.Started, p.Held, shellWord(p.Name))
		return nil
	})
	return cmd
}

func (a *app) campaignResume() *cobra.Command {
	cmd := a.ofCampaign(&cobra.Command{
		Use:   "resume NAME",
		Short: "Go on with a paused campaign",
		Long: `Goes on with a paused campaign; its pilot is over.

Environment: DATABASE_URL.`,
		Example: "  bascule campaign resume spring",
	})
	cmd.RunE = a.withWriter(func(ctx context.Context, db *sql.DB, args []string) error {
		p, err := db.Progress(ctx, args[0]) // before workers release what is held
		if err != nil {
			return err
		}
		if err := db.ResumeCampaign(ctx, args[0], actor()); err != nil {
			return err
		}
		a.printf("The campaign %s is running: %s held leave.\n", p.Name, count(int64(p.Held), "invitation", "invitations"))
		return nil
	})
	return cmd
}

// campaignClose makes a command that closes a campaign and may leave its report.
func (a *app) campaignClose() *cobra.Command {
	var path string
	var force bool
	cmd := a.campaignEnd("close", "End a campaign: nothing more is sent",
		`Ends a campaign and those of its requests whose mail never left. A code that was
mailed is good until its deadline. With --report it leaves the report of the
campaign, as bascule report --campaign writes it: whose it is says ADMINISTRATION,
which is optional.`,
		(*sql.DB).CloseCampaign, "end if their mail has not left; codes that were mailed stay good", &path)
	cmd.Example += "\n  bascule campaign close spring --report spring.xlsx"
	cmd.Flags().StringVar(&path, "report", "", "write the report of the campaign to `OUT.xlsx`")
	addForceTo(cmd, &force)
	end := cmd.RunE
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if path != "" {
			if err := checkOutput(path, report.Kind, force); err != nil {
				return err
			}
		}
		return end(cmd, args)
	}
	return cmd
}

// campaignEnd makes a command that ends a campaign for good, and writes its report to
// path unless that is empty.
func (a *app) campaignEnd(verb, short, long string, end func(db *sql.DB, ctx context.Context, name, why, actor string) (int64, error), what string, path *string) *cobra.Command {
	var f bulkFlags
	var why reason
	cmd := a.ofCampaign(&cobra.Command{
		Use:   verb + " NAME",
		Short: short,
		Long: long + `

Environment: DATABASE_URL.`,
		Example: fmt.Sprintf("  bascule campaign %s spring --reason \"the wrong file\"", verb),
	})
	f.addTo(cmd)
	cmd.Flags().Var(&why, "reason", "why, as bascule campaign show tells it")
	cmd.RunE = a.withWriter(func(ctx context.Context, db *sql.DB, args []string) error {
		p, err := db.Progress(ctx, args[0])
		if err != nil {
			return err
		}
		if open := p.States[conversion.StateRequested] + p.States[conversion.StateMailed]; !f.yes && isTerminal(a.stdin) && isTerminal(a.stderr) {
			about := fmt.Sprintf("The campaign %s: %s, %d in mails; they %s", p.Name, count(int64(open), "open request", "open requests"),
				p.States[conversion.StateMailed], what)
			if err := a.ask(ctx, about); err != nil {
				return err
			}
		}
		by, err := a.env.administration()
		if err != nil {
			return err
		}
		n, err := end(db, ctx, args[0], why.String(), actor())
		if err != nil {
			return err
		}
		if *path != "" {
			if err := writeReport(ctx, db, *path, by, sql.Scope{Campaign: p.Name}, writeBook); err != nil {
				return fmt.Errorf("the campaign %s is over, but has no report yet: %w", p.Name, err)
			}
		}
		if f.json {
			return a.printJSON(struct {
				Campaign string `json:"campaign"`
				Ended    int64  `json:"ended"`
				Report   string `json:"report,omitempty"`
			}{p.Name, n, *path})
		}
		a.printf("The campaign %s is over: %s ended, %s switched for good.\n", p.Name,
			count(n, "request", "requests"), count(int64(p.Spaces[conversion.AccessPassword]), "space is", "spaces are"))
		if *path != "" {
			a.printf("%s is written.\n", *path)
		} else {
			a.printf("`bascule report OUT.xlsx --campaign %s` tells what became of each.\n", shellWord(p.Name))
		}
		return nil
	})
	return cmd
}
