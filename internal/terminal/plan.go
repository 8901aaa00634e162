package terminal

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"bascule/internal/plan"
	"bascule/sql"
)

// A Foresight is the plan of a campaign, with the brakes that it assumes.
type Foresight struct {
	sql.CampaignProgress
	plan.Brakes
	plan.Plan
	Dead int // invitations whose certificate has expired already
}

// held is how many invitations the plan counts.
func (f Foresight) held() int { return f.Mails + f.Alone + f.Never + f.Beyond }

// A Plan is what `campaign plan --json` prints.
type Plan struct {
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
	sql.Recipients

	foresight Foresight
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

// NewPlan tells a plan, and to whom it mails.
func NewPlan(f Foresight, to sql.Recipients) Plan {
	to.Domains = append([]sql.DomainMails{}, to.Domains...)
	l := Plan{
		foresight: f, Recipients: to,
		Campaign: f.Name, State: f.State, From: f.From.UTC(), PerDay: f.Brakes.PerDay, MinHelp: f.Brakes.MinHelp.Hours(), Rate: f.Rate,
		Held: f.held(), Mails: f.Mails, LeftAlone: f.Alone, NoHelp: f.Never, TooLate: f.Beyond, ExpiredFirst: f.Late,
		HelpWorst: f.Worst.Hours(), HelpMedian: f.Median.Hours(), Days: []planDay{},
	}
	if !f.Last.IsZero() {
		l.LastMail = new(f.Last.UTC())
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

// Print writes one line for equal days, and what stays behind.
func (l Plan) Print(w io.Writer) {
	f := l.foresight
	fmt.Fprintf(w, "Plan of the campaign %s (%s): %s, from %s on, Paris time\n", f.Name, f.State,
		Count(f.held(), "invitation", "invitations"), ParisTime(f.From))
	for _, brake := range f.brakes() {
		fmt.Fprintf(w, "  %s\n", brake)
	}
	if len(f.Days) > 0 {
		fmt.Fprintf(w, "\n")
		writeDays(w, f.Days)
	}
	fmt.Fprintf(w, "\n%10d  leave%s\n", f.Mails, f.until())
	for _, x := range []struct {
		n    int
		text string
	}{
		{f.Late, "of them after their certificate has expired"},
		{f.Alone, "stay, for they are left alone (`bascule exclude`)"},
		{f.Never, "stay, for no moment has so much assistance ahead (--min-help, HELP_HOURS)"},
		{f.Beyond, "stay, for they would leave more than ten years later"},
	} {
		if x.n > 0 {
			fmt.Fprintf(w, "%10d  %s\n", x.n, x.text)
		}
	}
	if f.Mails > 0 {
		fmt.Fprintf(w, "\nAssistance in the %s of a code: %s at worst, %s for half of them\n",
			ShortDuration(f.Lifetime), ShortDuration(f.Worst.Round(time.Minute)), ShortDuration(f.Median.Round(time.Minute)))
	}
	printRecipients(w, l.Recipients, f.held())
}

// brakes tells each brake of the plan in a line.
func (f Foresight) brakes() []string {
	lines := Brakes(sql.CampaignSettings{PerDay: f.Brakes.PerDay, MinHelp: f.Brakes.MinHelp})
	if f.Pilot > f.Started {
		lines = append(lines, fmt.Sprintf("it pauses once %d more have started; the plan goes on at once", f.Pilot-f.Started))
	}
	if f.Rate > 0 {
		return append(lines, fmt.Sprintf("%.3g invitations a second at the most: a fifth of MAIL_RATE is for other mail", f.Rate))
	}
	return append(lines, "as fast as the relay takes them: the plan says at once; --rate tries a limit")
}

func (f Foresight) until() string {
	if f.Last.IsZero() {
		return ""
	}
	return ", the last one on " + ParisTime(f.Last)
}

// writeDays writes one line for equal days that follow each other. A line fits on 80
// columns.
func writeDays(out io.Writer, days []plan.Day) {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "from\tuntil\tdays\ta day\texpired\tpriority\tcertificates expire\t")
	for len(days) > 0 {
		n := 1
		for n < len(days) && days[n].Mails == days[0].Mails && days[n].Date.Equal(days[0].Date.AddDate(0, 0, n)) {
			n++
		}
		writeRun(w, days[:n])
		days = days[n:]
	}
	w.Flush()
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
		days[0].Mails, late, between(fmt.Sprint(low), fmt.Sprint(high), "-"), between(first.Format(time.DateOnly), last.Format(time.DateOnly), ".."))
}

// between tells a range, or one value if both ends are equal.
func between(first, last, to string) string {
	if first == last {
		return first
	}
	return first + to + last
}

// printRecipients tells to whom so many mails go.
func printRecipients(w io.Writer, to sql.Recipients, mails int) {
	if to.Addresses == 0 {
		return
	}
	fmt.Fprintf(w, "\nRecipients\n%10d  addresses\n", to.Addresses)
	if to.Shared > 0 {
		fmt.Fprintf(w, "%10d  of them with several spaces: %d spaces all told, up to %d at one address\n", to.Shared, to.Sharing, to.Largest)
	}
	for _, d := range to.Domains {
		fmt.Fprintf(w, "%10d  mails to %s\n", d.Mails, d.Domain)
		mails -= d.Mails
	}
	if mails > 0 {
		fmt.Fprintf(w, "%10d  mails to other domains\n", mails)
	}
}
