package smtp

import (
	"cmp"
	"regexp"
	"strings"
)

// statusCode is an enhanced status code of RFC 3463. It must not be the beginning of a
// network address, a host name or a version.
const statusCode = `([245]\.[0-9]{1,3}\.[0-9]{1,3})(?:[^0-9A-Za-z._/-]|[.-](?:[^0-9A-Za-z]|$)|$)`

// Relays write the code first, bare or adorned: "5.1.1", "#5.1.0", "5.1.1:", "(5.1.1)".
// Elsewhere in a line the code needs a mark: "unknown (#5.1.1)", "Error: 5.1.1", or a
// reply code of another server before it.
var (
	leadingStatus = regexp.MustCompile(`^[\s\pP\pS]*` + statusCode)
	markedStatus  = regexp.MustCompile(`(?i)(?:[#(\[<{]\s*|\b(?:error|status|code|dsn|[45][0-9]{2})[\s:=#-]+)` + statusCode)
)

// readEnhanced returns the status code of a line, "" if it has none, and the line's
// words without a code in front.
func readEnhanced(line string) (enhanced, text string) {
	if at := leadingStatus.FindStringSubmatchIndex(line); at != nil {
		return line[at[2]:at[3]], strings.TrimLeft(line[at[3]:], " \t.,:;)]>}\"'-")
	}
	if found := markedStatus.FindStringSubmatch(line); found != nil {
		return found[1], line
	}
	return "", line
}

// moreTelling chooses between the codes of two lines of one reply. X.0.0 tells nothing.
// If one names the recipient and the other something else, the other counts: nobody is
// given up because a relay contradicts itself.
func moreTelling(known, found string) string {
	vague := func(code string) bool { return code == "" || strings.HasSuffix(code, ".0.0") }
	switch {
	case vague(found):
		return cmp.Or(known, found)
	case vague(known), aboutRecipient(known) && !aboutRecipient(found):
		return found
	}
	return known
}
