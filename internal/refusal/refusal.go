// Package refusal knows the words in which mail servers refuse a mail, in a reply or in a
// report. They count beside the codes: servers give the code of an unknown address to a
// full mailbox, to a mail that looks like spam, and to a sender whom they do not like.
package refusal

import (
	_ "embed"
	"regexp"
	"strings"
	"sync"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// Reason is what the words of a refusal tell.
type Reason int

// The reasons. Nothing is the reason of words that tell none.
const (
	Nothing Reason = iota
	Full           // the mailbox takes no mail now
	GaveUp         // nobody took the mail for days
	Us             // the sender, its host or its domain
	Now            // a refusal for now
	Gone           // nobody has that address, or no longer
	Content        // the mail itself: spam, virus, policy
	Policy         // refused, and that is all
)

// Of is the reason that words tell. What they call unknown may be our address or host, so
// the words about us count first.
func Of(words string) Reason {
	said := Plain(words)
	switch {
	case tell("full", said):
		return Full
	case tell("gaveUp", said):
		return GaveUp
	case tell("us", said):
		return Us
	case HasReply(said) && reply().FindStringSubmatch(said)[1] == "4":
		return Now
	case tell("gone", said):
		return Gone
	case tell("content", said):
		return Content
	case tell("policy", said):
		return Policy
	}
	return Nothing
}

// HasReply tells whether a plain text quotes a reply of an SMTP server that refuses.
func HasReply(said string) bool { return reply().MatchString(said) }

var reply = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`(?:^|[\s:])([45])\d\d[ -]`) })

// Plain is a text as phrases have it: in lower case, without accents, which many systems
// leave out, with plain apostrophes, and with one blank between its words.
func Plain(text string) string {
	text = strings.Map(func(r rune) rune {
		switch {
		case r == '’':
			return '\''
		case unicode.Is(unicode.Mn, r):
			return -1
		}
		return unicode.ToLower(r)
	}, norm.NFD.String(text))
	return strings.Join(strings.Fields(text), " ")
}

//go:embed phrases.txt
var phraseList string

var tell = Phrases(phraseList)

// Phrases returns what says whether a plain text has one of the phrases of a name. A list is
// a comment, then for each name a paragraph: [name], and one regular expression a line. They
// are compiled once, at the first use: most commands need none.
func Phrases(list string) func(name, said string) bool {
	compiled := sync.OnceValue(func() map[string]*regexp.Regexp {
		m := make(map[string]*regexp.Regexp)
		for section := range strings.SplitSeq(list, "\n\n[") {
			name, phrases, _ := strings.Cut(strings.TrimSpace(section), "]\n") // the first one is a comment
			m[name] = regexp.MustCompile(`(?:` + strings.ReplaceAll(phrases, "\n", "|") + `)`)
		}
		return m
	})
	return func(name, said string) bool { return compiled()[name].MatchString(said) }
}
