package smtp

import (
	"bytes"
	"fmt"
)

// appendCommand appends a command without quoting: an Email holds no blank, bracket or
// control character. dsn adds the parameters that request DSNs (RFC 3461) of failure
// and of delay: a mail may be of no use before the relay's queue gives up.
func appendCommand(b []byte, stage Stage, e Envelope, dsn bool) []byte {
	switch stage {
	case StageMail:
		b = fmt.Appendf(b, "MAIL FROM:<%s>", e.From.Mailbox())
		if dsn {
			b = appendXtext(append(b, " RET=HDRS ENVID="...), e.EnvelopeID)
		}
	case StageRcpt:
		b = fmt.Appendf(b, "RCPT TO:<%s>", e.To.Mailbox())
		if dsn {
			b = append(b, " NOTIFY=FAILURE,DELAY"...)
		}
	default:
		b = append(b, "DATA"...)
	}
	return append(b, "\r\n"...)
}

// appendXtext appends a text in the form of RFC 3461 §4.
func appendXtext(b []byte, s string) []byte {
	for _, c := range []byte(s) {
		if c <= ' ' || c > '~' || c == '+' || c == '=' {
			b = fmt.Appendf(b, "+%02X", c)
		} else {
			b = append(b, c)
		}
	}
	return b
}

// appendData appends a body in the form of DATA: every line ends in CRLF, a leading dot
// is doubled, the final dot follows. A bare CR or LF becomes CRLF, so that no two
// servers can disagree about the end of the mail.
func appendData(b, body []byte) []byte {
	copied := 0 // body[:copied] is in b
	for at := 0; at < len(body); {
		line, _, _ := bytes.Cut(body[at:], []byte{'\n'})
		next := min(at+len(line)+1, len(body))
		if !canonical(line) || next == len(body) && body[next-1] != '\n' {
			b = append(b, body[copied:at]...)
			b = appendLine(b, bytes.TrimSuffix(line, []byte{'\r'}))
			copied = next
		}
		at = next
	}
	return append(append(b, body[copied:]...), ".\r\n"...)
}

// canonical tells whether a line, without its LF, goes out as it is.
func canonical(line []byte) bool {
	return len(line) > 0 && line[0] != '.' && bytes.IndexByte(line, '\r') == len(line)-1
}

func appendLine(b, line []byte) []byte {
	for {
		part, rest, bare := bytes.Cut(line, []byte{'\r'})
		if len(part) > 0 && part[0] == '.' {
			b = append(b, '.')
		}
		b = append(append(b, part...), "\r\n"...)
		if !bare {
			return b
		}
		line = rest
	}
}
