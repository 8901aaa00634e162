package bounce

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"html"
	"io"
	"mime"
	"mime/quotedprintable"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"
)

// Bounds of what is taken apart. No real report has more.
const (
	maxDepth   = 8
	maxParts   = 100
	maxHeaders = 1000
)

// fields are the values of headers by their name in lower case, unfolded, in order.
type fields map[string][]string

func (f fields) get(name string) string {
	if len(f[name]) == 0 {
		return ""
	}
	return f[name][0]
}

// entity is a mail, or one part of it.
type entity struct {
	header fields
	media  string // lower case; text/plain without a type
	body   []byte // decoded, UTF-8 where it is text
	parts  []*entity
}

// parseEntity takes an entity apart as far as it can be understood. Mail servers make
// mistakes, and so do servers that pass mails on.
func parseEntity(raw []byte, depth int, left *int) *entity {
	*left--
	e := &entity{}
	var body []byte
	e.header, body = readHeader(raw)
	media, params := contentType(e.header.get("content-type"))
	e.media = media
	if strings.HasPrefix(media, "multipart/") {
		e.body = body
		if depth < maxDepth {
			for _, part := range split(body, params["boundary"]) {
				if *left <= 0 {
					break
				}
				e.parts = append(e.parts, parseEntity(part, depth+1, left))
			}
		}
		return e
	}
	e.body = decode(body, e.header.get("content-transfer-encoding"))
	if strings.HasPrefix(media, "text/") || strings.HasSuffix(media, "-status") || strings.HasSuffix(media, "-report") {
		e.body = utf8Text(e.body, params["charset"])
	}
	return e
}

// readHeader reads header lines, as tolerantly as possible: with a line of mbox before
// them, folded lines, any bytes, CRLF or LF, and no blank line at their end.
func readHeader(raw []byte) (fields, []byte) {
	header := make(fields)
	rest := bytes.TrimLeft(raw, "\r\n")
	last := ""
	for n := 0; len(rest) > 0 && n < maxHeaders; n++ {
		line, after, _ := bytes.Cut(rest, []byte{'\n'})
		text := strings.TrimRight(string(line), "\r")
		name, value, isField := strings.Cut(text, ":")
		name = strings.TrimRight(name, " \t")
		switch {
		case strings.TrimSpace(text) == "":
			return header, after
		case text[0] == ' ' || text[0] == '\t':
			if values := header[last]; len(values) > 0 {
				values[len(values)-1] += " " + strings.TrimSpace(text)
			}
		case isField && isName(name):
			last = strings.ToLower(name)
			header[last] = append(header[last], strings.TrimSpace(value))
		case len(header) > 0 || !strings.HasPrefix(text, "From "):
			return header, rest // the body begins without a blank line
		}
		rest = after
	}
	return header, rest
}

// isName tells whether s is the name of a header: printable, without blanks.
func isName(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r >= 0x7f })
}

// looseBoundary finds a boundary that is not quoted though it should be.
var looseBoundary = atFirstUse(`(?i)boundary\s*=\s*"?([^";\s]+)`)

func contentType(value string) (string, map[string]string) {
	media, params, _ := mime.ParseMediaType(value) // what it understands
	if media == "" {
		media, _, _ = strings.Cut(strings.ToLower(value), ";")
		media = cmp.Or(strings.TrimSpace(media), "text/plain")
	}
	if params == nil {
		params = make(map[string]string)
	}
	if m := looseBoundary().FindStringSubmatch(value); m != nil && params["boundary"] == "" {
		params["boundary"] = m[1]
	}
	return media, params
}

// split cuts the parts of a multipart body. The last may lack its end.
func split(body []byte, boundary string) (parts [][]byte) {
	if boundary == "" {
		return nil
	}
	begin := -1 // of the part under way
	for at := 0; at < len(body); {
		line, _, _ := bytes.Cut(body[at:], []byte{'\n'})
		next := min(at+len(line)+1, len(body))
		if delimiter := strings.TrimRight(string(line), " \t\r"); delimiter == "--"+boundary || delimiter == "--"+boundary+"--" {
			if begin >= 0 {
				parts = append(parts, body[begin:at])
			}
			if begin = next; strings.HasSuffix(delimiter, boundary+"--") {
				return parts
			}
		}
		at = next
	}
	if begin >= 0 {
		parts = append(parts, body[begin:])
	}
	return parts
}

// decode undoes a transfer encoding. A body that is not in it stays as it is.
func decode(body []byte, encoding string) []byte {
	var plain []byte
	var err error
	switch strings.ToLower(strings.TrimSpace(encoding)) {
	case "base64":
		packed := bytes.Map(func(r rune) rune {
			if r <= ' ' || r == '=' {
				return -1
			}
			return r
		}, body)
		plain, err = base64.RawStdEncoding.DecodeString(string(packed))
	case "quoted-printable":
		plain, err = io.ReadAll(quotedprintable.NewReader(bytes.NewReader(body)))
	default:
		return body
	}
	if err != nil && len(plain) == 0 {
		return body
	}
	return plain
}

// utf8Text turns a text into UTF-8. If no charset fits, it takes Windows-1252, in which
// every byte means something.
func utf8Text(b []byte, charset string) []byte {
	charset = strings.ToLower(charset)
	if bytes.HasPrefix(b, []byte{0xff, 0xfe}) || bytes.HasPrefix(b, []byte{0xfe, 0xff}) || strings.HasPrefix(charset, "utf-16") {
		endian := unicode.BigEndian
		if charset == "utf-16le" {
			endian = unicode.LittleEndian
		}
		if text, err := unicode.UTF16(endian, unicode.UseBOM).NewDecoder().Bytes(b); err == nil {
			return text
		}
	}
	b = bytes.TrimPrefix(b, []byte("\xef\xbb\xbf"))
	if utf8.Valid(b) {
		return b
	}
	text, err := charmap.Windows1252.NewDecoder().Bytes(b)
	if err != nil {
		return b
	}
	return text
}

// find returns the first entity of one of the types, from the top down. It does not
// look inside an attached mail: the reporter did not write that.
func (e *entity) find(media ...string) *entity {
	if slices.Contains(media, e.media) {
		return e
	}
	for _, p := range e.parts {
		if found := p.find(media...); found != nil {
			return found
		}
	}
	return nil
}

var tag = atFirstUse(`<[^>]{0,500}>`)

// maxText is how much of a text is looked at: its subject is at the beginning.
const maxText = 64 << 10

// text is the part of a mail for people: its first plain text, otherwise its HTML
// without tags.
func (e *entity) text() string {
	part := e.find("text/plain")
	tagged := part == nil
	if tagged {
		part = e.find("text/html")
	}
	if part == nil {
		return ""
	}
	text := string(part.body[:min(len(part.body), maxText)])
	if tagged {
		text = html.UnescapeString(tag().ReplaceAllString(text, " "))
	}
	return text
}
