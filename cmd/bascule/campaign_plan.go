package main

import (
	"context"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"bascule/internal/conversion"
	"bascule/internal/plan"
	"bascule/queue"
	"bascule/sql"
)

func (a *app) campaignPlan() *cobra.Command {
	var asJSON bool
	var perDay int
	var minHelp span
	var rate float64
	cmd := a.ofCampaign(&cobra.Command{
		Use:   "plan NAME",
		Short: "Tell what would leave on which day, until the last mail",
		Long: `Tells how many invitations of a campaign leave on which day, by its order and its
brakes, until the last one; how many certificates will have expired before; how much
assistance the lifetime of the codes holds; which mail domains they go to, and which
addresses have several spaces. What stays behind is told with the reason. Nothing is
changed: the flags try other brakes.

Environment: DATABASE_URL; HELP_HOURS, CODE_LIFETIME and MAIL_RATE, optional, as the
workers have them.`,
		Example: `  bascule campaign plan spring
  bascule campaign plan spring --per-day 20000 --min-help 12h --rate 5`,
	})
	addJSONTo(cmd, &asJSON, "print one JSON object")
	cmd.Flags().IntVar(&perDay, "per-day", 0, "as if at most `N` invitations left a day, in Paris; 0: no limit")
	cmd.Flags().Var(&minHelp, "min-help", "as if so much assistance had to lie in the lifetime of a code, such as 12h")
	cmd.Flags().Float64Var(&rate, "rate", 0, "as if MAIL_RATE were so many `mails` a second; 0: no limit")
	cmd.PreRunE = func(*cobra.Command, []string) error {
		if perDay < 0 || perDay > maxBrake || rate != 0 && !isMailRate(rate) {
			return usagef("a number makes no sense: --per-day is %d at the most, --rate is of %v to %d", maxBrake, minMailRate, maxMailRate)
		}
		return nil
	}
	cmd.RunE = a.withCampaign(a.withDB, func(ctx context.Context, db *sql.DB, p sql.CampaignProgress) error {
		f, err := a.foresight(ctx, db, p, func(b *plan.Brakes) {
			if cmd.Flags().Changed("per-day") {
				b.PerDay = perDay
			}
			if cmd.Flags().Changed("min-help") {
				b.MinHelp = time.Duration(minHelp).Round(time.Minute)
			}
			if cmd.Flags().Changed("rate") {
				b.Rate = queue.BulkRate(rate)
			}
		})
		if err != nil {
			return err
		}
		to, err := db.Recipients(ctx, f.Campaign, topDomains)
		if err != nil {
			return err
		}
		if asJSON {
			return a.printJSON(newPlanLine(f, to))
		}
		return a.printPlan(f, to)
	})
	return cmd
}

// topDomains is how many mail domains the plan lists.
const topDomains = 10

// A foresight is the plan of a campaign, with the brakes that it assumes.
type foresight struct {
	sql.CampaignProgress
	plan.Brakes
	plan.Plan
	Dead int // invitations whose certificate has expired already
}

// foresight plans a campaign from now on. It uses the brakes of the campaign and of the
// environment, which change may replace.
func (a *app) foresight(ctx context.Context, db *sql.DB, p sql.CampaignProgress, change func(*plan.Brakes)) (f foresight, err error) {
	f.CampaignProgress = p
	if f.State == sql.CampaignCancelled || f.State == sql.CampaignClosed {
		return f, &sql.CampaignStateError{Name: f.Name, State: f.State}
	}
	if f.Brakes, err = a.brakesFrom(ctx, db, f.CampaignProgress); err != nil {
		return f, err
	}
	change(&f.Brakes)
	pending, err := db.Pending(ctx, f.Campaign)
	if err != nil {
		return f, err
	}
	now, err := db.Now(ctx)
	if err != nil {
		return f, err
	}
	groups := make([]plan.Group, len(pending))
	for i, g := range pending {
		groups[i] = plan.Group(g)
		if g.Expires.Format(time.DateOnly) < parisDay(now) {
			f.Dead += g.Mails - g.Alone
		}
	}
	f.Plan = plan.Make(groups, f.Brakes)
	return f, nil
}

func (a *app) brakesFrom(ctx context.Context, db *sql.DB, p sql.CampaignProgress) (b plan.Brakes, err error) {
	b.PerDay, b.MinHelp = p.PerDay, p.MinHelp
	b.Help, b.Lifetime = take(&err, a.env.helpHours), take(&err, a.env.codeLifetime)
	b.Rate = queue.BulkRate(take(&err, a.env.mailRate))
	b.From = take(&err, func() (time.Time, error) { return db.Now(ctx) })
	if err != nil {
		return b, err
	}
	today := parisDay(b.From)
	if p.StartsAt.After(b.From) {
		b.From = p.StartsAt
	}
	if parisDay(b.From) == today {
		b.Today = p.StartedToday
	}
	return b, nil
}

func parisDay(t time.Time) string { return t.In(conversion.Paris).Format(time.DateOnly) }

// held is how many invitations the plan counts.
func (f foresight) held() int { return f.Mails + f.Alone + f.Never + f.Beyond }

// A planLine is what `campaign plan --json` prints.
type planLine struct {
	Campaign     string            `json:"campaign"`
	State        sql.CampaignState `json:"state"`
	From         time.Time         `json:"from"`
	PerDay       int               `json:"per_day"`  // 0: no limit
	MinHelp      float64           `json:"min_help"` // hours; 0: any
	Rate         float64           `json:"rate"`     // invitations a second; 0: no limit
	Held         int               `json:"held"`     // mails, left_alone, no_help and too_late add up to it
	Mails        int               `json:"mails"`
	LeftAlone    int               `json:"left_alone"`
	NoHelp       int               `json:"no_help"`
	TooLate      int               `json:"too_late"`
	ExpiredFirst int               `json:"expired_before"` // mails that leave after their certificate has expired
	LastMail     *time.Time        `json:"last_mail"`
	HelpWorst    float64           `json:"help_worst"`  // hours
	HelpMedian   float64           `json:"help_median"` // hours
	Days         []planDay         `json:"days"`
	Domains      []sql.DomainMails `json:"domains"`
	Addresses    int               `json:"addresses"`
	Shared       int               `json:"shared_addresses"`
	Sharing      int               `json:"sharing_spaces"`
	Largest      int               `json:"largest_address"` // spaces
}

type planDay struct {
	Day          string     `json:"day"`
	Mails        int        `json:"mails"`
	ExpiredFirst int        `json:"expired_before"`
	First        time.Time  `json:"first"`
	Last         time.Time  `json:"last"`
	Parts        []planPart `json:"parts"`
}

type planPart struct {
	Priority int    `json:"priority"`
	Expires  string `json:"expires"`
	Mails    int    `json:"mails"`
}

func newPlanLine(f foresight, to sql.Recipients) planLine {
	l := planLine{
		Campaign: f.Name, State: f.State, From: f.From.UTC(), PerDay: f.Brakes.PerDay, MinHelp: f.Brakes.MinHelp.Hours(), Rate: f.Rate,
		Held: f.held(), Mails: f.Mails, LeftAlone: f.Alone, NoHelp: f.Never, TooLate: f.Beyond, ExpiredFirst: f.Late,
		HelpWorst: f.Worst.Hours(), HelpMedian: f.Median.Hours(), Days: []planDay{},
		Domains: append([]sql.DomainMails{}, to.Domains...), Addresses: to.Addresses, Shared: to.Shared, Sharing: to.Sharing, Largest: to.Largest,
	}
	if !f.Last.IsZero() {
		last := f.Last.UTC()
		l.LastMail = &last
	}
	for _, d := range f.Days {
		day := planDay{Day: d.Date.Format(time.DateOnly), Mails: d.Mails, ExpiredFirst: d.Late, First: d.First.UTC(), Last: d.Last.UTC()}
		for _, g := range d.Parts {
			day.Parts = append(day.Parts, planPart{g.Priority, g.Expires.Format(time.DateOnly), g.Mails})
		}
		l.Days = append(l.Days, day)
	}
	return l
}

func (a *app) printPlan(f foresight, to sql.Recipients) error {
	a.printf("Plan of the campaign %s (%s): %s, from %s on, Paris time\n", f.Name, f.State,
		count(f.held(), "invitation", "invitations"), parisTime(f.From))
	for _, brake := range f.brakes() {
		a.printf("  %s\n", brake)
	}
	if len(f.Days) > 0 {
		a.printf("\n")
		if err := writeDays(a.stdout, f.Days); err != nil {
			return err
		}
	}
	a.printf("\n%10d  leave%s\n", f.Mails, f.until())
	for _, l := range []struct {
		n    int
		text string
	}{
		{f.Late, "of them after their certificate has expired"},
		{f.Alone, "stay, for they are left alone (`bascule exclude`)"},
		{f.Never, "stay, for no moment has so much assistance ahead (--min-help, HELP_HOURS)"},
		{f.Beyond, "stay, for they would leave more than ten years later"},
	} {
		if l.n > 0 {
			a.printf("%10d  %s\n", l.n, l.text)
		}
	}
	if f.Mails > 0 {
		a.printf("\nAssistance in the %s of a code: %s at worst, %s for half of them\n",
			shortDuration(f.Lifetime), shortDuration(f.Worst.Round(time.Minute)), shortDuration(f.Median.Round(time.Minute)))
	}
	a.printRecipients(to)
	return nil
}

// brakes tells each brake of the plan in a line.
func (f foresight) brakes() []string {
	lines := brakesOf(sql.CampaignSettings{PerDay: f.Brakes.PerDay, MinHelp: f.Brakes.MinHelp})
	if f.Pilot > f.Started {
		lines = append(lines, fmt.Sprintf("it pauses once %d more have started; the plan goes on at once", f.Pilot-f.Started))
	}
	if f.Rate > 0 {
		return append(lines, fmt.Sprintf("%.3g invitations a second at the most: a fifth of MAIL_RATE is for other mail", f.Rate))
	}
	return append(lines, "as fast as the relay takes them: the plan says at once; --rate tries a limit")
}

func (f foresight) until() string {
	if f.Last.IsZero() {
		return ""
	}
	return ", the last one on " + parisTime(f.Last)
}

// writeDays writes one line for equal days that follow each other.
func writeDays(out io.Writer, days []plan.Day) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "from\tuntil\tdays\tmails a day\texpired before\tpriority\tcertificates that expire\t")
	for len(days) > 0 {
		n := 1
		for n < len(days) && days[n].Mails == days[0].Mails && days[n].Date.Equal(days[0].Date.AddDate(0, 0, n)) {
			n++
		}
		writeRun(w, days[:n])
		days = days[n:]
	}
	return w.Flush()
}

func writeRun(w io.Writer, days []plan.Day) {
	late, low, high := 0, 9, 1
	first, last := days[0].Parts[0].Expires, days[0].Parts[0].Expires
	for _, d := range days {
		late += d.Late
		for _, g := range d.Parts {
			low, high = min(low, g.Priority), max(high, g.Priority)
			if g.Expires.Before(first) {
				first = g.Expires
			}
			if g.Expires.After(last) {
				last = g.Expires
			}
		}
	}
	fmt.Fprintf(w, "%s\t%s\t%d\t%d\t%d\t%s\t%s\t\n", days[0].Date.Format(time.DateOnly), days[len(days)-1].Date.Format(time.DateOnly), len(days),
		days[0].Mails, late, between(fmt.Sprint(low), fmt.Sprint(high), "-"), between(first.Format(time.DateOnly), last.Format(time.DateOnly), " to "))
}

// between tells a range, or one value if both ends are equal.
func between(first, last, to string) string {
	if first == last {
		return first
	}
	return first + to + last
}

func (a *app) printRecipients(to sql.Recipients) {
	if to.Addresses == 0 {
		return
	}
	a.printf("\nRecipients\n%10d  addresses\n", to.Addresses)
	if to.Shared > 0 {
		a.printf("%10d  of them have several spaces: %d spaces all told, up to %d at one address\n", to.Shared, to.Sharing, to.Largest)
	}
	for _, d := range to.Domains {
		a.printf("%10d  mails to %s\n", d.Mails, d.Domain)
	}
}

// lastMail foresees when a running campaign sends its last invitation; zero if that
// cannot be known. Without MAIL_RATE, it assumes the pace of the last minute.
func (a *app) lastMail(ctx context.Context, db *sql.DB, p sql.CampaignProgress) (time.Time, error) {
	if p.State != sql.CampaignRunning {
		return time.Time{}, nil
	}
	status, err := db.Status(ctx, 0)
	if err != nil {
		return time.Time{}, err
	}
	f, err := a.foresight(ctx, db, p, func(b *plan.Brakes) {
		if b.Rate == 0 {
			b.Rate = float64(status.LastMinute) / 60
		}
	})
	if f.Never+f.Beyond > 0 {
		return time.Time{}, err
	}
	return f.Last, err
}
