package importer

import (
	"strings"
	"unicode"

	"bascule/internal/conversion"
	"bascule/internal/text"
)

// addressWarning warns of a valid address that is hardly the one meant: a spreadsheet's
// mark of a text came along, or a letter only looks like the right one.
func addressWarning(e conversion.Email) string {
	address := e.String()
	switch {
	case strings.HasPrefix(address, "'"):
		return "attention\u00a0: l’adresse commence par une apostrophe"
	case !text.IsASCII(address) && mixesAlphabets(address):
		return "attention\u00a0: l’adresse mêle des lettres latines et des lettres d’un autre alphabet"
	}
	return ""
}

// isLookalike tells whether a letter is of an alphabet that has letters like Latin ones.
func isLookalike(r rune) bool {
	return unicode.In(r, unicode.Cyrillic, unicode.Greek, unicode.Armenian)
}

// mixesAlphabets tells whether one label of the domain has letters of both.
func mixesAlphabets(address string) bool {
	_, domain, _ := strings.Cut(address, "@")
	for label := range strings.SplitSeq(domain, ".") {
		latin := func(r rune) bool { return unicode.Is(unicode.Latin, r) }
		if strings.ContainsFunc(label, isLookalike) && strings.ContainsFunc(label, latin) {
			return true
		}
	}
	return false
}
