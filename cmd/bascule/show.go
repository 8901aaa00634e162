package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"

	"github.com/spf13/cobra"

	"bascule/internal/conversion"
	"bascule/internal/text"
	"bascule/sql"
)

func (a *app) showCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "show NUMBER|ADDRESS|SIREN|HOLDER",
		Short: "Find a subscriber; tell the whole story, and what can be done next",
		Long: `Finds spaces by a subscriber number, an e-mail address, the SIREN of a company, or
words of the holder's name, whatever their case and accents. Of one space it tells the
whole story, and what can be done next. Several are listed, 50 at the most.

Nine digits are a subscriber number first, and a SIREN if no space has that number; in
groups of three, "123 456 789", they are a SIREN.

Environment: DATABASE_URL.`,
		Example: `  bascule show 00123456
  bascule show compta@cabinet.example
  bascule show "123 456 789"
  bascule show "anne dupre"`,
		Args: oneArg("NUMBER, ADDRESS, SIREN or HOLDER"),
	}
	addJSONTo(cmd, &asJSON, "print what is found as one JSON object")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		w, err := parseWanted(args[0])
		if err != nil {
			return err
		}
		return a.withDB(func(ctx context.Context, db *sql.DB, _ []string) error {
			found, err := a.find(ctx, db, w)
			if err != nil {
				return err
			}
			if asJSON {
				return a.printJSON(found)
			}
			a.printFound(found)
			return nil
		})(cmd, args)
	}
	return cmd
}

// wanted is the search of the argument: a subscriber number first, then the other ways
// to read it.
type wanted struct {
	typed  string
	number conversion.SubscriberNumber // "" if the argument is none
	search sql.Search
}

func parseWanted(typed string) (w wanted, err error) {
	w.typed = text.Collapse(typed)
	if n, err := conversion.ParseSubscriberNumber(typed); err == nil {
		w.number = n
	}
	siren, notSIREN := conversion.ParseSIREN(typed)
	switch {
	case strings.Contains(typed, "@"):
		if w.search.Email, err = conversion.ParseEmail(typed); err != nil {
			return w, usagef("%w", err)
		}
	case notSIREN == nil:
		w.search.SIREN = siren
	case strings.ContainsFunc(typed, unicode.IsLetter) && (w.number == "" || !strings.ContainsAny(typed, "0123456789")):
		w.search.Holder = w.typed
	case w.number == "":
		return w, usagef("%q is no subscriber number, no address, no SIREN and no name", w.typed)
	}
	return w, nil
}

// shownSpaces is the most spaces in a list.
const shownSpaces = 50

// found is the result: a list, or one space with its story.
type found struct {
	Found  int              `json:"found"`
	Spaces []sql.FoundSpace `json:"spaces,omitempty"`
	Story  *shownStory      `json:"story,omitempty"`
	story  sql.Story
}

func (a *app) find(ctx context.Context, db *sql.DB, w wanted) (f found, err error) {
	if w.number != "" {
		f, err = findStory(ctx, db, w.number)
		if err == nil {
			return f, a.tellSIREN(ctx, db, w)
		}
		if !errors.Is(err, conversion.ErrNotFound) || w.search == (sql.Search{}) {
			return f, err
		}
	}
	f.Spaces, f.Found, err = db.FindSpaces(ctx, w.search, shownSpaces)
	switch {
	case err != nil:
		return f, err
	case f.Found == 0:
		return f, fmt.Errorf("no space is found by %q: check it, or look for less of a name", w.typed)
	case f.Found == 1:
		return findStory(ctx, db, f.Spaces[0].Number)
	}
	return f, nil
}

func findStory(ctx context.Context, db *sql.DB, n conversion.SubscriberNumber) (f found, err error) {
	f.Found = 1
	if f.story, err = db.Story(ctx, n); err != nil {
		return f, err
	}
	f.Story = newShownStory(f.story)
	return f, nil
}

// tellSIREN tells that a subscriber number is also the SIREN of a company.
func (a *app) tellSIREN(ctx context.Context, db *sql.DB, w wanted) error {
	if w.search.SIREN == "" {
		return nil
	}
	_, n, err := db.FindSpaces(ctx, w.search, 1)
	if err == nil && n > 0 {
		s := w.search.SIREN
		a.note(fmt.Sprintf("%s is also the SIREN of a company of %s: `bascule show \"%s %s %s\"`", s, count(n, "space", "spaces"), s[:3], s[3:6], s[6:]))
	}
	return err
}

func (a *app) printFound(f found) {
	if f.Story != nil {
		a.printStory(f.story)
		return
	}
	a.printf("%d spaces\n", f.Found)
	for _, s := range f.Spaces {
		line := fmt.Sprintf("  %-20s  %-30s  %-40s  %-13s  %s", s.Number, text.Cut(s.Holder, 30), s.Email, cmp.Or(string(s.State), "no request"), s.Campaign)
		a.printf("%s\n", strings.TrimRight(line, " "))
	}
	if more := f.Found - len(f.Spaces); more > 0 {
		a.printf("  … and %d more: look for something more precise.\n", more)
	}
	a.printf("\nNext: `bascule show NUMBER` tells the story of one of them.\n")
}

func (a *app) printStory(s sql.Story) {
	a.printf("Space %s\n", s.Space.Number)
	a.printf("  holder       %s\n  contact      %s\n", s.Space.Holder, s.Space.Contact)
	c := s.Space.Certificate
	a.printf("  certificate  serial %s, expires %s%s\n", c.Serial, c.Expires.Format(time.DateOnly), issuedBy(c.Issuer))
	a.printf("  access       %s\n", accessOf(s))
	if g := s.Siege; !g.LastAt.IsZero() {
		a.printf("  besieged     since %s, last at %s: strangers guess and are stopped; the owner was told at %s\n",
			parisTime(g.BeganAt), parisTime(g.LastAt), parisTime(g.ToldAt))
	}
	a.printf("  companies    %d, with %d services\n", len(s.Companies.All), s.Companies.Services)
	for _, company := range s.Companies.All {
		a.printf("    %s %s\n", company.SIREN, company.Name)
	}
	for _, x := range s.Exclusions {
		a.printf("  left alone   %s\n", exclusionOf(x))
	}
	for _, r := range s.Requests {
		a.printRequest(r)
	}
	a.printf("\nLog (Paris time)\n")
	for _, e := range s.Audit {
		line := fmt.Sprintf("  %s  request %-6d %-20s %-14s %s", parisTime(e.At), e.RequestID, e.Event, e.Actor, e.Why)
		a.printf("%s\n", strings.TrimRight(line, " "))
	}
	a.printf("\nNext: %s\n", nextStep(s))
}

func issuedBy(issuer string) string {
	if issuer == "" {
		return ""
	}
	return ", issued by " + issuer
}

func accessOf(s sql.Story) string {
	if s.Space.Access == conversion.AccessPassword {
		return fmt.Sprintf("address %s and password, since %s", s.Email, parisTime(s.SwitchedAt))
	}
	return "certificate"
}

func (a *app) printRequest(r sql.ReportRequest) {
	origin := r.Origin
	if r.Batch != 0 {
		origin = fmt.Sprintf("%s, batch %d", r.Origin, r.Batch)
	}
	a.printf("\nRequest %d (%s): %s\n", r.ID, origin, r.State)
	a.printf("  address      %s\n", r.Email)
	for _, fact := range []struct {
		name string
		at   time.Time
	}{
		{"requested", r.RequestedAt}, {"mail started", r.StartedAt}, {"mailed", r.MailedAt}, {"bounced", r.BouncedAt},
		{"deadline", r.ExpiresAt}, {"activated", r.ActivatedAt}, {"ended", r.EndedAt},
	} {
		if !fact.at.IsZero() {
			a.printf("  %-12s %s\n", fact.name, parisTime(fact.at))
		}
	}
	if r.NotDelivered {
		a.printf("  not delivered: the mail sat in a queue until its code was dead\n")
	} else if r.Bounce != "" {
		a.printf("  came back    %s\n", cameBack(r.Bounce))
	}
	if r.Refusal != "" {
		a.printf("  refused      %s\n", r.Refusal)
	}
	if r.InDoubt {
		a.printf("  in doubt     the relay's answer was lost: the mail went out as far as can be known\n")
	}
}

// cameBack tells what a bounce means.
func cameBack(b conversion.Bounce) string {
	switch b {
	case conversion.BounceLate:
		return "late: the mail is delayed, or was given up in a queue"
	case conversion.BouncePolicy:
		return "full or policy: the mailbox is full, or the other side did not want this mail"
	case conversion.BounceGone:
		return "gone: there is no such mailbox"
	case conversion.BounceComplaint:
		return "complaint: the recipient reported the mail as abuse"
	}
	return string(b)
}

func exclusionOf(x sql.SpaceExclusion) string {
	until := ""
	if x.EndsAt.Valid {
		until = " until " + parisTime(x.EndsAt.Time)
	}
	return fmt.Sprintf("%s %s%s, by %s on %s: %s", x.Kind, x.Key, until, x.MadeBy, parisTime(x.MadeAt), x.Reason)
}

func parisTime(t time.Time) string { return t.In(conversion.Paris).Format("2006-01-02 15:04:05") }

// nextStep is the next step that the administrator can take. It names a command only if
// the command would do it now: sql.Next asks the same conditions.
func nextStep(s sql.Story) string {
	number := s.Space.Number
	if s.Space.Access == conversion.AccessPassword {
		return "nothing; the switch is irrevocable, and the space is entered by address and password."
	}
	if len(s.Requests) == 0 {
		return "import a spreadsheet that holds this space."
	}
	r := s.Requests[len(s.Requests)-1]
	switch {
	case len(s.Exclusions) > 0 && r.State != conversion.StateMailed:
		x := s.Exclusions[len(s.Exclusions)-1]
		return fmt.Sprintf("nothing: the space is left alone (%s); `bascule exclude %s --lift --reason R` ends that.", x.Reason, x.Key)
	case r.State == conversion.StateRequested:
		return "wait: the mail goes out as soon as the workers and the relay allow; see `bascule status`."
	case r.State == conversion.StateMailed:
		return nextMailed(s, r)
	case s.Next.Retry == "":
		return fmt.Sprintf("`bascule retry %s` invites the space again.", number)
	case s.Next.RetryAnyway == "":
		return fmt.Sprintf("the address was refused or the mail came back: import the space with another address, which invites it again;"+
			" if the address is right all the same, `bascule retry %s --same-address`.", number)
	}
	return "nothing: " + retryWords[s.Next.Retry] + "."
}

// nextMailed is the next step while a code is good.
func nextMailed(s sql.Story, r sql.ReportRequest) string {
	until := parisTime(r.ExpiresAt)
	switch {
	case s.Next.LeftAlone:
		return fmt.Sprintf("the code is good until %s; no mail follows: the space is left alone.", until)
	case r.Bounce == conversion.BounceLate:
		return fmt.Sprintf("the mail is delayed on its way: wait; `bascule retry` invites the space again once the code has expired, %s.", until)
	case r.Bounce == conversion.BouncePolicy && s.Next.Resend == nil:
		return fmt.Sprintf("the mailbox is full or refused the mail: once that is mended, `bascule resend %s` sends the same code again, until %s.",
			s.Space.Number, until)
	case !r.BouncedAt.IsZero() && s.Next.ChoseOther:
		return fmt.Sprintf("the mail came back from the address that the subscriber chose: `bascule cancel %[1]s`, then `bascule retry %[1]s` invites"+
			" at the contact address.", s.Space.Number)
	case !r.BouncedAt.IsZero() && s.Next.Chose:
		return fmt.Sprintf("the mail came back: `bascule cancel %s`, then import the space with another address, which invites it again.", s.Space.Number)
	case !r.BouncedAt.IsZero():
		return "the mail came back: import the space with another address, which invites it again."
	case s.Next.Resend != nil:
		return fmt.Sprintf("the subscriber activates before %s; the code was sent again as often as is allowed.", until)
	}
	return fmt.Sprintf("the subscriber activates before %s; `bascule resend %s` sends the same code again.", until, s.Space.Number)
}
