// Package mail writes bascule's mails. It is pure: values in, bytes out, always
// the same.
package mail

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/quotedprintable"
	netmail "net/mail"
	"strings"
	"time"
	"unicode/utf8"

	"bascule/internal/conversion"
	"bascule/internal/text"
)

// Message is a mail before it is bytes. The same Message gives the same bytes.
type Message struct {
	Head
	From       Sender
	Subject    string
	Text, HTML Part
	Attachment *Attachment // nil for none
}

// Head is what the caller decides about a mail, whatever its content. A repetition
// after doubt has the same Head.
type Head struct {
	ID   string    // Message-ID without angle brackets, see MessageID
	Date time.Time // to the second
	To   conversion.Email
}

// Sender is the author of every mail: MAIL_FROM.
type Sender struct {
	Name    string
	Address conversion.Email
}

// Attachment is a PDF sent along.
type Attachment struct {
	Name  string // file name
	Bytes []byte
}

// ParseSender reads "Name <address>" or an address alone.
func ParseSender(s string) (Sender, error) {
	a, err := netmail.ParseAddress(s)
	if err != nil {
		return Sender{}, errors.New(`not a sender: write an address, or "Name <address>"`)
	}
	address, err := conversion.ParseEmail(a.Address)
	if err != nil {
		return Sender{}, err
	}
	return Sender{Name: a.Name, Address: address}, nil
}

// MessageID names one mail: the kind of mail, the request, its generation and the copy
// (an administrator's resend is a new one, D3). domain is ours. Request numbers start
// again in a new database: kind or copy must tell databases apart, or mailboxes may drop
// the later mail as a duplicate.
func MessageID(kind string, request int64, generation, copy int, domain string) string {
	return fmt.Sprintf("%s.%d.%d.%d@%s", kind, request, generation, copy, domain)
}

// Bytes renders the message: CRLF lines of at most 998 characters of 7 bits.
func (m Message) Bytes() []byte {
	var b bytes.Buffer
	b.Grow(m.size())
	m.writeHead(&b)
	m.writeContent(&b, atomText(m.ID))
	return b.Bytes()
}

func (m Message) writeHead(b *bytes.Buffer) {
	writeHeader(b, "From", (&netmail.Address{Name: text.Printable(m.From.Name), Address: m.From.Address.Mailbox()}).String())
	writeHeader(b, "To", m.To.Mailbox())
	writeHeader(b, "Subject", encodeSubject(text.Printable(m.Subject)))
	writeHeader(b, "Date", m.Date.In(conversion.Paris).Format(time.RFC1123Z))
	writeHeader(b, "Message-ID", "<"+atomText(m.ID)+">")
	writeHeader(b, "MIME-Version", "1.0")
	writeHeader(b, "Auto-Submitted", "auto-generated")    // RFC 3834: no automatic answers
	writeHeader(b, "X-Auto-Response-Suppress", "OOF, DR") // the same for Exchange
	writeHeader(b, "Content-Language", "fr")
}

// size is enough for most messages, so that the buffer grows once.
func (m Message) size() int {
	n := 1024 + m.Text.size() + m.HTML.size()
	if m.Attachment != nil {
		n += base64.StdEncoding.EncodedLen(len(m.Attachment.Bytes))*80/78 + 512
	}
	return n
}

// writeContent writes the parts, after the last header field.
func (m Message) writeContent(b *bytes.Buffer, id string) {
	if m.Attachment == nil {
		m.writeAlternatives(b, id)
		return
	}
	mixed := openMultipart(b, id, "mixed")
	mixed.next(b)
	m.writeAlternatives(b, id)
	mixed.next(b)
	writeHeader(b, "Content-Type", "application/pdf")
	writeHeader(b, "Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": text.Printable(m.Attachment.Name)}))
	writeHeader(b, "Content-Transfer-Encoding", "base64")
	b.WriteString("\r\n")
	writeBase64(b, m.Attachment.Bytes)
	mixed.close(b)
}

// writeAlternatives writes the text, then the HTML: mail programs show the last that
// they can.
func (m Message) writeAlternatives(b *bytes.Buffer, id string) {
	alternative := openMultipart(b, id, "alternative")
	for _, p := range []struct {
		kind string
		part Part
	}{{"text/plain; charset=utf-8", m.Text}, {"text/html; charset=utf-8", m.HTML}} {
		alternative.next(b)
		writeType(b, p.kind)
		p.part.encode(b)
	}
	alternative.close(b)
}

// boundary separates the parts of a multipart. (mime/multipart sorts and copies header
// maps and draws a random boundary first: a fifth of a mail's time.)
type boundary string

// openMultipart writes the Content-Type and the end of the header, and derives the
// boundary from the Message-ID. Neither quoted-printable nor base64 can hold "=_". So
// no content can hold a boundary, not even one written on purpose.
func openMultipart(b *bytes.Buffer, id, subtype string) boundary {
	sum := sha256.Sum256([]byte(subtype + " " + id))
	at := "=_" + hex.EncodeToString(sum[:16])
	writeHeader(b, "Content-Type", "multipart/"+subtype+";\r\n boundary=\""+at+"\"")
	return boundary(at)
}

func (at boundary) next(b *bytes.Buffer) { b.WriteString("\r\n--" + string(at) + "\r\n") }

func (at boundary) close(b *bytes.Buffer) { b.WriteString("\r\n--" + string(at) + "--\r\n") }

// maxEncodedLine bounds a line that has an encoded word (RFC 2047 §2). Such a word has no
// space, and 75 characters at the most.
const maxEncodedLine = 76

// encodeSubject encodes a printable subject, as a whole if it is not plain. Its first word
// leaves room for the name of the field, which the library does not know of: a value that
// begins on the second line is shown with a space before it by some programs.
func encodeSubject(s string) string {
	if !strings.ContainsFunc(s, func(r rune) bool { return r > '~' }) {
		return s
	}
	const begin, end, digits = "=?utf-8?q?", "?=", "0123456789ABCDEF"
	var b strings.Builder
	b.WriteString(begin)
	room := maxEncodedLine - len("Subject: ") - len(begin+end)
	for _, r := range s {
		n := encodedLen(r)
		if n > room {
			b.WriteString(end + " " + begin)
			room = maxEncodedLine - len(" ") - len(begin+end)
		}
		switch room -= n; {
		case r == ' ':
			b.WriteByte('_')
		case n == 1:
			b.WriteRune(r)
		default:
			for _, c := range []byte(string(r)) {
				b.Write([]byte{'=', digits[c>>4], digits[c&15]})
			}
		}
	}
	return b.String() + end
}

// encodedLen is how many characters of an encoded word r takes.
func encodedLen(r rune) int {
	if ' ' <= r && r <= '~' && !strings.ContainsRune("=?_", r) {
		return 1
	}
	return len("=XX") * utf8.RuneLen(r)
}

// writeHeader writes one field. Its value is ours, or was made harmless before. If it has
// encoded words, it is folded where a line would be too long.
func writeHeader(b *bytes.Buffer, name, value string) {
	b.WriteString(name + ":")
	length := len(name) + 1
	for word := range strings.SplitSeq(value, " ") {
		if length += 1 + len(word); length > maxEncodedLine && strings.Contains(value, "=?") {
			b.WriteString("\r\n")
			length = 1 + len(word)
		}
		b.WriteByte(' ')
		b.WriteString(word)
	}
	b.WriteString("\r\n")
}

// writeType writes the end of a header before a text in quoted-printable.
func writeType(b *bytes.Buffer, media string) {
	writeHeader(b, "Content-Type", media)
	writeHeader(b, "Content-Transfer-Encoding", "quoted-printable")
	b.WriteString("\r\n")
}

// atomText keeps the characters of a Message-ID that are allowed in one.
func atomText(s string) string {
	return strings.Map(func(r rune) rune {
		if r <= ' ' || r > '~' || strings.ContainsRune(`<>()[]\",:;`, r) {
			return -1
		}
		return r
	}, s)
}

// base64Line is the longest line that RFC 2045 allows, in bytes before encoding.
const base64Line = 57

func writeBase64(b *bytes.Buffer, data []byte) {
	var line [76]byte
	for len(data) > 0 {
		n := min(len(data), base64Line)
		base64.StdEncoding.Encode(line[:], data[:n])
		b.Write(line[:base64.StdEncoding.EncodedLen(n)])
		b.WriteString("\r\n")
		data = data[n:]
	}
}

// writeQP writes a text as quoted-printable, its lines ending in CRLF.
func writeQP(b *bytes.Buffer, text string) {
	w := quotedprintable.NewWriter(b)
	io.WriteString(w, text) // a buffer takes all
	w.Close()
}
