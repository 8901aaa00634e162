package smtp

import (
	"bufio"
	"errors"
	"strconv"
	"strings"

	"bascule/internal/conversion"
	"bascule/internal/text"
)

// reply is one reply of the relay, raw: its text may hold addresses.
type reply struct {
	code     int
	enhanced string
	lines    []string // without codes
}

// Bounds of one reply. RFC 5321 allows lines of 512 bytes. The part of a line beyond
// maxReplyLine is dropped, not refused: an acceptance counts, however long it is.
const (
	maxReplyLine = 4096
	maxReply     = 16 * maxReplyLine
)

var (
	errReply     = errors.New("the relay's answer is not SMTP")
	errReplySize = errors.New("the relay's answer is too long")
)

// readReply reads one reply of any number of lines, at most maxReply bytes. The
// caller's deadline bounds the time.
func readReply(in *bufio.Reader) (reply, error) {
	var r reply
	for left := maxReply; ; {
		line, err := readReplyLine(in, &left)
		if err != nil {
			return reply{}, err
		}
		code, last, text, ok := parseReplyLine(line)
		if !ok || r.code != 0 && code != r.code {
			return reply{}, errReply
		}
		r.code = code
		if code >= 400 { // nobody asks how it was accepted
			var enhanced string
			enhanced, text = readEnhanced(text)
			r.enhanced = moreTelling(r.enhanced, enhanced)
		}
		r.lines = append(r.lines, text)
		if last {
			return r, nil
		}
	}
}

// readReplyLine reads one line and keeps its beginning. It subtracts its length from
// left, and returns errReplySize when nothing is left.
func readReplyLine(in *bufio.Reader, left *int) (string, error) {
	raw, err := in.ReadSlice('\n')
	line := string(raw)
	for {
		if *left -= len(raw); *left < 0 {
			return "", errReplySize
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return strings.TrimRight(line, "\r\n"), err
		}
		raw, err = in.ReadSlice('\n')
	}
}

// parseReplyLine reads "250-text", "250 text" or "250". Some relays put a tab in the
// place of the blank, or nothing: only a hyphen announces another line.
func parseReplyLine(s string) (code int, last bool, text string, ok bool) {
	if len(s) < 3 {
		return 0, false, "", false
	}
	code, err := strconv.Atoi(s[:3])
	rest := s[3:]
	if err != nil || code < 100 || code > 599 || rest != "" && rest[0] >= '0' && rest[0] <= '9' {
		return 0, false, "", false
	}
	text, more := strings.CutPrefix(rest, "-")
	return code, !more, strings.TrimLeft(text, " \t"), true
}

// outcome is the meaning of a reply that ends a message. Before the first message, m is
// the zero Message.
func (r reply) outcome(stage Stage, m Message) Outcome {
	o := Outcome{Kind: classify(stage, r.code, r.enhanced), Stage: stage, Code: r.code, Enhanced: r.enhanced}
	if o.Kind == Accepted || stage == StageAuth { // some servers repeat the refused line, and it holds the password
		return o
	}
	words := mask(strings.Join(r.lines, " "), m)
	if o.Kind == Person {
		o.Kind = byWords(r.enhanced, words)
	}
	o.Text = text.Cut(words, maxText)
	return o
}

// maxText is how much is kept of the relay's words, in characters.
const maxText = 200

// sanitize makes words of the relay fit for logs, terminals and the database. They
// become one line without control characters. They hold neither an address nor the
// message's secret, whether whole, in a quoted link, or as the local part alone (I6).
func sanitize(s string, m Message) string { return text.Cut(mask(s, m), maxText) }

func mask(s string, m Message) string {
	words := strings.Fields(text.OneLine(s))
	for i, w := range words {
		words[i] = maskWord(w, m)
	}
	return strings.Join(words, " ")
}

func maskWord(w string, m Message) string {
	lower := strings.ToLower(w)
	switch {
	case strings.ContainsAny(w, "@＠") || strings.Contains(lower, "%40") || strings.Contains(lower, "=40"):
		return "[e-mail]"
	case m.Secret != "" && strings.Contains(lower, strings.ToLower(m.Secret)):
		return "[secret]"
	case isLocalPart(lower, m.From) || isLocalPart(lower, m.To):
		return "[e-mail]"
	}
	return w
}

// isLocalPart tells whether a word is the local part of an address, in the quotes of
// relays.
func isLocalPart(lower string, e conversion.Email) bool {
	local, _, ok := strings.Cut(e.Key(), "@")
	return ok && strings.Trim(lower, `<>()[]{}"'`+"`,;:.!?") == strings.Trim(local, "'`{}!?")
}
