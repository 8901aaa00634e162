package recap

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"bascule/internal/conversion"
	"bascule/internal/text"
)

// replacement takes the place of a character that no font of ours can show; readers
// know it as "missing character".
const replacement = "□"

// printable are facts whose every text can be shown in one typeface.
type printable struct {
	face    *typeface
	facts   Facts
	email   string
	help    []string // lines
	altered bool     // some characters were simplified or replaced
}

func newPrintable(f Facts) *printable {
	p := &printable{face: helvetica(), facts: f, email: f.Email.String()}
	if help := strings.TrimSpace(f.Help); help != "" {
		p.help = strings.Split(help, "\n")
	}
	p.facts.Companies = copyOf(f.Companies)
	p.each(visible)
	p.each(func(s string) string {
		if !inWindows1252(s) {
			p.face = goFont()
		}
		return s
	})
	if p.face == goFont() {
		p.each(p.substitute)
	}
	return p
}

// copyOf copies deeply: Write does not change its caller's values.
func copyOf(companies []conversion.Company) []conversion.Company {
	copied := slices.Clone(companies)
	for i := range copied {
		copied[i].Services = slices.Clone(copied[i].Services)
	}
	return copied
}

// each changes every text that comes from outside.
func (p *printable) each(change func(string) string) {
	p.facts.Number = conversion.SubscriberNumber(change(string(p.facts.Number)))
	p.email = change(p.email)
	for _, s := range []*string{&p.facts.Holder, &p.facts.Question, &p.facts.PublicURL, &p.facts.Administration} {
		*s = change(*s)
	}
	for i, line := range p.help {
		p.help[i] = change(line)
	}
	for i := range p.facts.Companies {
		c := &p.facts.Companies[i]
		c.SIREN = conversion.SIREN(change(string(c.SIREN)))
		c.Name = change(c.Name)
		for j, service := range c.Services {
			c.Services[j] = change(service)
		}
	}
}

// visible leaves one line of visible characters. Control characters would break the
// PDF, and marks of direction would change the order of the text.
func visible(s string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) && r != '\u00A0' { // the operator's help keeps « 8 h 00 » together
			return ' '
		}
		return r
	}, text.Visible(s)))
}

// substitute replaces the characters that Go's font lacks. A letter becomes its base
// letter with the accents that can be shown (a Vietnamese name stays readable).
// Anything else becomes the replacement sign.
func (p *printable) substitute(s string) string {
	var b strings.Builder
	for _, r := range s {
		switch {
		case p.face.shows(r) && r != utf8.RuneError:
			b.WriteRune(r)
			continue
		case unicode.Is(unicode.M, r):
			// An accent alone: its letter comes before it.
		default:
			b.WriteString(p.simplified(r))
		}
		p.altered = true
	}
	return b.String()
}

func (p *printable) simplified(letter rune) string {
	parts := []rune(norm.NFD.String(string(letter)))
	for n := len(parts) - 1; n > 0; n-- {
		shorter := norm.NFC.String(string(parts[:n]))
		if r, size := utf8.DecodeRuneInString(shorter); size == len(shorter) && p.face.shows(r) {
			return shorter
		}
	}
	return replacement
}
