package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"unicode"

	"github.com/spf13/cobra"

	"bascule/internal/conversion"
	"bascule/internal/terminal"
	"bascule/internal/text"
	"bascule/sql"
)

func (a *app) showCommand() *cobra.Command {
	var w wanted
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
		Args: reading("NUMBER, ADDRESS, SIREN or HOLDER", &w, parseWanted),
	}
	a.addJSONTo(cmd, "print what is found as one JSON object")
	cmd.RunE = a.withDB(func(ctx context.Context, db *sql.DB, _ []string) error {
		found, err := a.find(ctx, db, w)
		if err != nil {
			return err
		}
		return a.tell(found)
	})
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
			return w, err
		}
	case notSIREN == nil:
		w.search.SIREN = siren
	case strings.ContainsFunc(typed, unicode.IsLetter) && (w.number == "" || !strings.ContainsAny(typed, "0123456789")):
		w.search.Holder = w.typed
	case w.number == "":
		return w, fmt.Errorf("%q is no subscriber number, no address, no SIREN and no name", w.typed)
	}
	return w, nil
}

// shownSpaces is the most spaces in a list.
const shownSpaces = 50

func (a *app) find(ctx context.Context, db *sql.DB, w wanted) (f terminal.Found, err error) {
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

func findStory(ctx context.Context, db *sql.DB, n conversion.SubscriberNumber) (f terminal.Found, err error) {
	s, err := db.Story(ctx, n)
	if err != nil {
		return f, err
	}
	return terminal.FoundStory(s), nil
}

// tellSIREN tells that a subscriber number is also the SIREN of a company.
func (a *app) tellSIREN(ctx context.Context, db *sql.DB, w wanted) error {
	if w.search.SIREN == "" {
		return nil
	}
	_, n, err := db.FindSpaces(ctx, w.search, 1)
	if err == nil && n > 0 {
		s := w.search.SIREN
		a.note(fmt.Sprintf("%s is also the SIREN of a company of %s: `bascule show \"%s %s %s\"`", s, terminal.Count(n, "space", "spaces"), s[:3], s[3:6], s[6:]))
	}
	return err
}
