package bounce

import (
	"bytes"
	"cmp"
	_ "embed"
	"io"
	"mime"
	"regexp"
	"sync"

	"bascule/internal/conversion"
	"bascule/internal/refusal"
)

// textual is the class of a mail that is no standard report. It is a failure only if a
// mail system wrote it and it says so: people and their automatic answers get the
// return path too.
func textual(m *entity) conversion.Bounce {
	text := m.text()
	if !bySystem(m, text) {
		return ""
	}
	said := refusal.Plain(quoteless(text))
	all := refusal.Plain(decoded(m.header.get("subject"))) + "\n" + said
	switch {
	case statusLines().MatchString(text): // a report that lost its form
		return reported([]byte(text), text, "")
	case tell("waiting", all):
		return conversion.BounceLate
	case m.header.get("x-failed-recipients") == "" && !tell("failed", all):
		return ""
	case tell("challenge", all) && enhanced(said) == "" && !refusal.HasReply(said):
		return ""
	}
	return failure(cmp.Or(exact(said), enhanced(said)), said)
}

// bySystem tells whether a mail system wrote a mail, and not a person or a mailbox.
func bySystem(m *entity, text string) bool {
	if m.media == "multipart/report" || m.header.get("x-failed-recipients") != "" {
		return true
	}
	from := refusal.Plain(decoded(m.header.get("from")))
	return tell("daemon", from) || m.header.get("return-path") == "<>" && tell("banner", refusal.Plain(text))
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
	switch refusal.Of(said) {
	case refusal.GaveUp, refusal.Now:
		return conversion.BounceLate
	case refusal.Gone:
		return conversion.BounceGone
	case refusal.Nothing:
		return ""
	}
	return conversion.BouncePolicy
}

//go:embed phrases.txt
var phraseList string

// tell says whether a plain text has one of the phrases of a name.
var tell = refusal.Phrases(phraseList)

// atFirstUse compiles a pattern once: no other command waits for it when it starts.
func atFirstUse(pattern string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(pattern) })
}

var (
	statusLines = atFirstUse(`(?im)^[ >]*action:\s*[a-z]+.*(?:\r?\n.*){0,6}^[ >]*status:\s*[245]\.|^[ >]*status:\s*[245]\..*(?:\r?\n.*){0,6}^[ >]*action:\s*[a-z]`)
	original    = atFirstUse(`(?im)^[-=\s]*(?:this is a copy of|below this line is a copy|original message|here is your|message d'origine|en-t[êe]tes (?:du message )?d'origine|copie du message|unsent message|returned (?:message|mail)|included is a copy|below is a copy|(?:the )?headers? of the (?:original|source)|original mail|----- (?:original|message) )`)
)
