package terminal

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"bascule/internal/conversion"
	"bascule/internal/text"
	"bascule/sql"
)

// Found is the result of a search: a list, or one space with its story.
type Found struct {
	Found  int              `json:"found"`
	Spaces []sql.FoundSpace `json:"spaces,omitempty"`
	Story  *Story           `json:"story,omitempty"`
	story  sql.Story
}

// FoundStory is one space that is found.
func FoundStory(s sql.Story) Found { return Found{Found: 1, Story: newStory(s), story: s} }

// Print lists the spaces, or tells the story of the one.
func (f Found) Print(w io.Writer) {
	if f.Story != nil {
		printStory(w, f.story)
		return
	}
	fmt.Fprintf(w, "%d spaces\n", f.Found)
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, s := range f.Spaces {
		line := fmt.Sprintf("  %s\t%s\t%s\t%s\t%s", s.Number, text.Cut(s.Holder, 30), s.Email, cmp.Or(string(s.State), "no request"), s.Campaign)
		fmt.Fprintf(table, "%s\n", strings.TrimRight(line, "\t"))
	}
	table.Flush()
	if more := f.Found - len(f.Spaces); more > 0 {
		fmt.Fprintf(w, "  … and %d more: look for something more precise.\n", more)
	}
	fmt.Fprintf(w, "\nNext: `bascule show NUMBER` tells the story of one of them.\n")
}

// toldCompanies is how many companies leave the rest of a story on a screen; a space has
// up to 500.
const toldCompanies = 10

func printStory(w io.Writer, s sql.Story) {
	fmt.Fprintf(w, "Space %s\n", s.Space.Number)
	fmt.Fprintf(w, "  holder       %s\n  contact      %s\n", s.Space.Holder, s.Space.Contact)
	c := s.Space.Certificate
	fmt.Fprintf(w, "  certificate  serial %s, expires %s%s\n", c.Serial, c.Expires.Format(time.DateOnly), issuedBy(c.Issuer))
	fmt.Fprintf(w, "  access       %s\n", accessOf(s))
	if g := s.Siege; !g.LastAt.IsZero() {
		fmt.Fprintf(w, "  besieged     since %s, last at %s: strangers guess and are stopped; the owner was told at %s\n",
			ParisTime(g.BeganAt), ParisTime(g.LastAt), ParisTime(g.ToldAt))
	}
	fmt.Fprintf(w, "  companies    %d, with %d services\n", len(s.Companies.All), s.Companies.Services)
	for _, company := range s.Companies.All[:min(len(s.Companies.All), toldCompanies)] {
		fmt.Fprintf(w, "    %s %s\n", company.SIREN, company.Name)
	}
	if more := len(s.Companies.All) - toldCompanies; more > 0 {
		fmt.Fprintf(w, "    … and %d more: --json has them all\n", more)
	}
	for _, x := range s.Exclusions {
		fmt.Fprintf(w, "  left alone   %s\n", exclusionOf(x))
	}
	for _, r := range s.Requests {
		printRequest(w, r)
	}
	fmt.Fprintf(w, "\nLog (Paris time)\n")
	for _, e := range s.Audit {
		line := fmt.Sprintf("  %s  request %-6d %-20s %-14s %s", ParisTime(e.At), e.RequestID, e.Event, e.Actor, e.Why)
		fmt.Fprintf(w, "%s\n", strings.TrimRight(line, " "))
	}
	fmt.Fprintf(w, "\nNext: %s\n", NextStep(s))
}

func issuedBy(issuer string) string {
	if issuer == "" {
		return ""
	}
	return ", issued by " + issuer
}

func accessOf(s sql.Story) string {
	if s.Space.Access == conversion.AccessPassword {
		return fmt.Sprintf("address %s and password, since %s", s.Email, ParisTime(s.SwitchedAt))
	}
	return "certificate"
}

func printRequest(w io.Writer, r conversion.ReportRequest) {
	origin := r.Origin
	if r.Batch != 0 {
		origin = fmt.Sprintf("%s, batch %d", r.Origin, r.Batch)
	}
	fmt.Fprintf(w, "\nRequest %d (%s): %s\n", r.ID, origin, r.State)
	fmt.Fprintf(w, "  address      %s\n", r.Email)
	for _, fact := range []struct {
		name string
		at   time.Time
	}{
		{"requested", r.RequestedAt}, {"mail started", r.StartedAt}, {"mailed", r.MailedAt}, {"bounced", r.BouncedAt},
		{"deadline", r.ExpiresAt}, {"activated", r.ActivatedAt}, {"ended", r.EndedAt},
	} {
		if !fact.at.IsZero() {
			fmt.Fprintf(w, "  %-12s %s\n", fact.name, ParisTime(fact.at))
		}
	}
	if r.NotDelivered {
		fmt.Fprintf(w, "  not delivered: the mail sat in a queue until its code was dead\n")
	} else if r.Bounce != "" {
		fmt.Fprintf(w, "  came back    %s\n", cmp.Or(cameBack[r.Bounce], string(r.Bounce)))
	}
	if r.Refusal != "" {
		fmt.Fprintf(w, "  refused      %s\n", r.Refusal)
	}
	if r.InDoubt {
		fmt.Fprintf(w, "  in doubt     the relay's answer was lost: the mail went out as far as can be known\n")
	}
}

// cameBack tells what a bounce means.
var cameBack = map[conversion.Bounce]string{
	conversion.BounceLate:      "late: the mail is delayed, or was given up in a queue",
	conversion.BouncePolicy:    "full or policy: the mailbox is full, or the other side did not want this mail",
	conversion.BounceGone:      "gone: there is no such mailbox",
	conversion.BounceComplaint: "complaint: the recipient reported the mail as abuse",
}

func exclusionOf(x sql.SpaceExclusion) string {
	until := ""
	if x.EndsAt != nil {
		until = " until " + ParisTime(*x.EndsAt)
	}
	return fmt.Sprintf("%s %s%s, by %s on %s: %s", x.Kind, x.Key, until, x.MadeBy, ParisTime(x.MadeAt), x.Reason)
}
