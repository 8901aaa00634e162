package bounce

import (
	"bytes"
	"cmp"
	_ "embed"
	"io"
	"mime"
	"regexp"
	"strings"
	"sync"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"bascule/internal/conversion"
)

// textual is the class of a mail that is no standard report. It is a failure only if a
// mail system wrote it and it says so: people and their automatic answers get the
// return path too.
func textual(m *entity) conversion.Bounce {
	text := m.text()
	if !bySystem(m, text) {
		return ""
	}
	said := plain(quoteless(text))
	all := plain(decoded(m.header.get("subject"))) + "\n" + said
	switch {
	case statusLines().MatchString(text): // a report that lost its form
		return reported([]byte(text), text, "")
	case tell("waiting", all):
		return conversion.BounceLate
	case m.header.get("x-failed-recipients") == "" && !tell("failed", all):
		return ""
	case tell("challenge", all) && enhanced(said) == "" && !reply().MatchString(said):
		return ""
	}
	return failure(cmp.Or(exact(said), enhanced(said)), said)
}

// bySystem tells whether a mail system wrote a mail, and not a person or a mailbox.
func bySystem(m *entity, text string) bool {
	if m.header.get("x-failed-recipients") != "" {
		return true
	}
	from := plain(decoded(m.header.get("from")))
	return tell("daemon", from) || m.header.get("return-path") == "<>" && tell("banner", plain(text))
}

var encodedWords = mime.WordDecoder{CharsetReader: func(charset string, in io.Reader) (io.Reader, error) {
	b, err := io.ReadAll(in)
	return bytes.NewReader(utf8Text(b, charset)), err
}}

// decoded is the value of a header without its encoded words.
func decoded(value string) string {
	if text, err := encodedWords.DecodeHeader(value); err == nil {
		return text
	}
	return value
}

// plain is a text as the phrases have it: in lower case, without accents, which many
// systems leave out, with plain apostrophes, and with one blank between its words.
func plain(text string) string {
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

// quoteless is the text before the mail that it returns, or all of it if nothing is
// before. That mail is ours and could say anything.
func quoteless(text string) string {
	if at := original().FindStringIndex(text); at != nil && at[0] > 0 {
		return text[:at[0]]
	}
	return text
}

// spoken is the class that words tell; "" if they tell none.
func spoken(said string) conversion.Bounce {
	said = plain(said)
	switch {
	case tell("full", said):
		return conversion.BouncePolicy
	case tell("gaveUp", said):
		return conversion.BounceLate
	case tell("us", said): // what it calls unknown is our address or host
		return conversion.BouncePolicy
	case reply().MatchString(said) && reply().FindStringSubmatch(said)[1] == "4":
		return conversion.BounceLate
	case tell("gone", said):
		return conversion.BounceGone
	case tell("policy", said):
		return conversion.BouncePolicy
	}
	return ""
}

//go:embed phrases.txt
var phraseList string

// phrases are the phrases of mail systems, by the name of what they tell. They are compiled
// once, at the first use: most commands read no bounce.
var phrases = sync.OnceValue(func() map[string]*regexp.Regexp {
	compiled := make(map[string]*regexp.Regexp)
	for section := range strings.SplitSeq(phraseList, "\n\n[") {
		name, list, _ := strings.Cut(strings.TrimSpace(section), "]\n") // the first one is a comment
		compiled[name] = regexp.MustCompile(`(?:` + strings.ReplaceAll(list, "\n", "|") + `)`)
	}
	return compiled
})

// tell says whether a plain text has one of the phrases of a name.
func tell(name, said string) bool { return phrases()[name].MatchString(said) }

// atFirstUse compiles a pattern once: no other command waits for it when it starts.
func atFirstUse(pattern string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(pattern) })
}

var (
	reply       = atFirstUse(`(?:^|[\s:])([45])\d\d[ -]`)
	statusLines = atFirstUse(`(?im)^[ >]*action:\s*[a-z]+.*(?:\r?\n.*){0,6}^[ >]*status:\s*[245]\.|^[ >]*status:\s*[245]\..*(?:\r?\n.*){0,6}^[ >]*action:\s*[a-z]`)
	original    = atFirstUse(`(?im)^[-=\s]*(?:this is a copy of|below this line is a copy|original message|here is your|message d'origine|unsent message|returned message|included is a copy|----- (?:original|message) )`)
)
