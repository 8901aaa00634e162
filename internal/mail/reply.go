package mail

import (
	"bufio"
	"errors"
	"regexp"
	"strings"
	"unicode"

	"bascule/internal/conversion"
)

// reply is one answer of the relay, raw: its text may hold addresses.
type reply struct {
	code     int
	enhanced string
	lines    []string // without codes
}

// Bounds of one answer. RFC 5321 allows lines of 512 bytes; nobody needs a
// hundred of them.
const (
	maxReplyLine  = 4096
	maxReplyLines = 100
)

var (
	errReply     = errors.New("the relay's answer is not SMTP")
	errReplySize = errors.New("the relay's answer is too long")
)

// readReply reads one answer of any number of lines. The reader's buffer of
// maxReplyLine bounds a line; the caller's deadline bounds the time.
func readReply(in *bufio.Reader) (reply, error) {
	var r reply
	for len(r.lines) < maxReplyLines {
		raw, err := in.ReadSlice('\n')
		if errors.Is(err, bufio.ErrBufferFull) {
			return reply{}, errReplySize
		}
		if err != nil {
			return reply{}, err
		}
		code, last, text, ok := parseReplyLine(strings.TrimRight(string(raw), "\r\n"))
		if !ok || r.code != 0 && code != r.code {
			return reply{}, errReply
		}
		r.code = code
		r.enhanced, text = cutEnhanced(r.enhanced, text)
		r.lines = append(r.lines, text)
		if last {
			return r, nil
		}
	}
	return reply{}, errReplySize
}

// parseReplyLine reads "250-text", "250 text" or "250".
func parseReplyLine(s string) (code int, last bool, text string, ok bool) {
	if len(s) < 3 || s[0] < '1' || s[0] > '5' {
		return 0, false, "", false
	}
	for _, c := range []byte(s[:3]) {
		if c < '0' || c > '9' {
			return 0, false, "", false
		}
		code = code*10 + int(c-'0')
	}
	if len(s) == 3 {
		return code, true, "", true
	}
	return code, s[3] == ' ', s[4:], s[3] == ' ' || s[3] == '-'
}

// cutEnhanced takes the status code off the front of a line's text; the first one found counts.
func cutEnhanced(known, text string) (enhanced, rest string) {
	word, rest, _ := strings.Cut(text, " ")
	if !isEnhanced(word) {
		return known, text
	}
	if known == "" {
		known = word
	}
	return known, rest
}

// isEnhanced tells d.d.d with the digits that RFC 3463 allows.
func isEnhanced(s string) bool {
	parts := strings.Split(s, ".")
	if len(parts) != 3 || parts[0] != "2" && parts[0] != "4" && parts[0] != "5" {
		return false
	}
	for _, p := range parts[1:] {
		if p == "" || len(p) > 3 || strings.Trim(p, "0123456789") != "" {
			return false
		}
	}
	return true
}

// outcome judges an answer that ends a message.
func (r reply) outcome(stage Stage, about ...conversion.Email) Outcome {
	o := Outcome{Kind: judge(stage, r.code, r.enhanced), Stage: stage, Code: r.code, Enhanced: r.enhanced}
	if stage != StageAuth { // some servers repeat the line they refuse, and it holds the password
		o.Text = safeText(strings.Join(r.lines, " "), about...)
	}
	return o
}

// maxText bounds what is kept of the relay's words, in characters.
const maxText = 200

// safeText makes the relay's words fit for logs and the database: one line, no
// control characters, and no address or code, whether whole, in a quoted link,
// or as the local part alone (I6).
func safeText(s string, about ...conversion.Email) string {
	s = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
	words := strings.Fields(s)
	for i, w := range words {
		words[i] = maskWord(w, about)
	}
	runes := []rune(strings.Join(words, " "))
	if len(runes) > maxText {
		runes = append(runes[:maxText-1], '…')
	}
	return string(runes)
}

var codeInText = regexp.MustCompile(`(^|[^0-9A-Za-z-])[0-9A-Za-z]{4}-[0-9A-Za-z]{4}-[0-9A-Za-z]{4}($|[^0-9A-Za-z-])`)

func maskWord(w string, about []conversion.Email) string {
	lower := strings.ToLower(w)
	if strings.ContainsAny(w, "@＠") || strings.Contains(lower, "%40") || strings.Contains(lower, "=40") {
		return "[e-mail]"
	}
	if codeInText.MatchString(w) {
		return "[code]"
	}
	bare := strings.Trim(lower, `<>()[]{}"'`+"`,;:.!?")
	for _, a := range about {
		if local, _, ok := strings.Cut(a.Key(), "@"); ok && bare == strings.Trim(local, "'`{}!?") {
			return "[e-mail]"
		}
	}
	return w
}
