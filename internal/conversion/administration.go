package conversion

import (
	"cmp"
	"errors"
	"strings"
	"unicode"
	"unicode/utf8"

	"bascule/internal/text"
)

// Administration is the administration that mails and pages speak for. Its zero value
// names nobody.
type Administration struct {
	Name  string // in full
	Short string // as a sender's name; Name if there is no other
}

// MaxAdministration bounds the name: it stands in one line of every page and mail.
const MaxAdministration = 120

// ParseAdministration reads "name; short form" or a name alone. An empty text is the
// zero Administration.
func ParseAdministration(s string) (Administration, error) {
	if strings.ContainsFunc(s, unicode.IsControl) || !utf8.ValidString(s) {
		return Administration{}, errors.New("not one line of UTF-8")
	}
	name, short, two := strings.Cut(s, ";")
	name, short = text.Trim(name), text.Trim(short)
	switch {
	case name == "" && !two:
		return Administration{}, nil
	case name == "" || two && short == "" || strings.Contains(short, ";"):
		return Administration{}, errors.New(`not of the form "name; short form"`)
	case utf8.RuneCountInString(name) > MaxAdministration:
		return Administration{}, errors.New("the name is longer than 120 characters: shorten it")
	case utf8.RuneCountInString(short) > MaxAdministration:
		return Administration{}, errors.New("the short form is longer than 120 characters: shorten it")
	}
	return Administration{Name: name, Short: cmp.Or(short, name)}, nil
}

// IsZero tells whether it names nobody.
func (a Administration) IsZero() bool { return a.Name == "" }

// String is the name, with the short form if that is another.
func (a Administration) String() string {
	if a.Short == a.Name {
		return a.Name
	}
	return a.Name + " (" + a.Short + ")"
}
