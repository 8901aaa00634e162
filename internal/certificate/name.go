package certificate

import (
	"crypto/x509"
	_ "embed"
	"encoding/asn1"
	"encoding/hex"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"

	"bascule/internal/text"
)

// An attribute is one part of a distinguished name. Its value is normalised.
type attribute struct {
	oid   string // dotted
	value string
}

// subject lists the attributes of a certificate's subject.
func subject(c *x509.Certificate) []attribute {
	var all []attribute
	for _, a := range c.Subject.Names {
		all = append(all, attribute{a.Type.String(), normalize(fmt.Sprint(a.Value))})
	}
	return all
}

// normalize makes texts equal that look equal. It keeps visible characters and single
// spaces alone, in NFC, with one kind of apostrophe (office programs replace it while
// one types).
func normalize(s string) string { return text.Collapse(readable(s)) }

// normalizeLines is normalize for a whole name. White space with a line end or a tab in
// it becomes one line end, as programs show one attribute a line.
func normalizeLines(s string) string {
	lines := strings.FieldsFunc(readable(s), func(r rune) bool { return unicode.IsSpace(r) && !unicode.Is(unicode.Zs, r) })
	for i, line := range lines {
		lines[i] = text.Collapse(line)
	}
	return strings.Join(slices.DeleteFunc(lines, func(line string) bool { return line == "" }), "\n")
}

// readable takes bytes that are not UTF-8 for Latin-1, which older authorities wrote.
func readable(s string) string {
	if !utf8.ValidString(s) {
		s, _ = charmap.ISO8859_1.NewDecoder().String(s) // never fails: each byte is a character
	}
	return strings.ReplaceAll(s, "’", "'")
}

// maxName is more than a sheet's cell may hold (500 characters, of four bytes at most).
// The time to read a name grows with the square of its length (I8).
const maxName = 2000

// parseName reads a distinguished name in the forms of people and programs. These are
// RFC 4514 and its ancestors (commas or semicolons, a plus sign within, quotes,
// escapes) and OpenSSL's one line with slashes. They are also one attribute a line, as
// Windows, certutil and OpenSSL's multiline show it. The order may be either. A text
// without any attribute is a common name. It returns nothing for "" and for a text that
// is too long.
//
// It is tolerant, because a text that is read wrongly matches no authority. A separator
// counts only if the name of an attribute and "=" follow: "O=Dupont, Durand et Cie" is
// one value.
func parseName(text string) []attribute {
	if len(text) > maxName {
		return nil
	}
	var p parser
	p.skip(text[len(title.FindString(text)):])
	var all []attribute
	for p.rest != "" {
		all = append(all, p.attribute())
	}
	return all
}

// title is the word that OpenSSL, certutil and keytool write before an issuer's name.
var title = regexp.MustCompile(`^(?i:issuer|[ée]metteur)\s*[:=]`)

const (
	separators = ",;+/\n"
	blanks     = ",; \n" // characters allowed around a separator, and at both ends
)

// A parser reads attributes from the front of rest. Each call shortens it.
type parser struct{ rest string }

// attribute reads one attribute and the separators behind it.
func (p *parser) attribute() attribute {
	oid := attributeNames["CN"]
	if named, value, ok := cutType(p.rest); ok {
		oid, p.rest = named, strings.TrimLeft(value, " \n")
	}
	if value, ok := p.quoted(); ok {
		return attribute{oid, normalize(value)}
	}
	return attribute{oid, normalize(p.unquoted())}
}

// quoted reads a value between quotes, in which "" or \" is a quote. It fails, and
// reads nothing, if there are no quotes or if more of a value follows.
func (p *parser) quoted() (string, bool) {
	s, ok := strings.CutPrefix(p.rest, `"`)
	if !ok {
		return "", false
	}
	var value strings.Builder
	for s != "" {
		switch {
		case strings.HasPrefix(s, `""`):
			value.WriteByte('"')
			s = s[2:]
		case s[0] != '"':
			s = unescape(&value, s)
		case !ends(strings.TrimLeft(s[1:], " ")):
			return "", false
		default:
			p.skip(s[1:])
			return value.String(), true
		}
	}
	return "", false
}

// unquoted reads a value up to its end.
func (p *parser) unquoted() string {
	var value strings.Builder
	s := p.rest
	for !ends(s) {
		s = unescape(&value, s)
	}
	written := p.rest[:len(p.rest)-len(s)]
	p.skip(s)
	if text, ok := decodeHex(strings.TrimSpace(written)); ok {
		return text
	}
	return value.String()
}

// ends tells whether a value ends before s: only blanks follow, or a separator and
// another attribute.
func ends(s string) bool {
	if strings.TrimLeft(s, blanks) == "" {
		return true
	}
	if strings.IndexByte(separators, s[0]) < 0 {
		return false
	}
	_, _, ok := cutType(strings.TrimLeft(s[1:], blanks))
	return ok
}

// skip skips the separators at the front of s.
func (p *parser) skip(s string) {
	p.rest = strings.TrimLeft(s, blanks)
	if p.rest != "" && ends(p.rest) {
		p.rest = strings.TrimLeft(p.rest[1:], blanks)
	}
}

// unescape copies the first character of s, which may be an escape, and returns the
// rest.
func unescape(value *strings.Builder, s string) string {
	if s[0] != '\\' || len(s) == 1 {
		value.WriteByte(s[0])
		return s[1:]
	}
	for _, prefix := range []string{`\`, `\x`} { // RFC 4514 and OpenSSL's one line
		digits, ok := strings.CutPrefix(s, prefix)
		if ok && len(digits) >= 2 {
			if b, err := hex.DecodeString(digits[:2]); err == nil {
				value.WriteByte(b[0])
				return digits[2:]
			}
		}
	}
	value.WriteByte(s[1])
	return s[2:]
}

// decodeHex reads a value in the form of "#" and its DER in hexadecimal.
func decodeHex(s string) (string, bool) {
	digits, ok := strings.CutPrefix(s, "#")
	if !ok {
		return "", false
	}
	der, errHex := hex.DecodeString(digits)
	var value any
	rest, err := asn1.Unmarshal(der, &value)
	if errHex != nil || err != nil || len(rest) > 0 {
		return "", false
	}
	text, ok := value.(string)
	return text, ok
}

// cutType reads the type of an attribute and "=" from the front of s. It fails for an
// unknown type.
func cutType(s string) (oid, value string, ok bool) {
	end := strings.IndexFunc(s, func(r rune) bool { return r > 0x7f || r != '.' && !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	if end <= 0 {
		return "", "", false
	}
	value, ok = strings.CutPrefix(strings.TrimLeft(s[end:], " \n"), "=")
	if !ok {
		return "", "", false
	}
	name := strings.TrimPrefix(strings.ToUpper(s[:end]), "OID.")
	if oid, ok := attributeNames[name]; ok {
		return oid, value, true
	}
	return name, value, dotted.MatchString(name)
}

// dotted matches a number with dots, as RFC 4514 writes types without a name.
var dotted = regexp.MustCompile(`^[0-9]+(\.[0-9]+)+$`)

// attributeNames are the OIDs of the names of attributes in RFC 4514, OpenSSL, Java and
// Windows, where they mean the same.
var attributeNames = byName(attributeList)

//go:embed attributes.txt
var attributeList string

// byName reads lines of an OID and its names.
func byName(list string) map[string]string {
	oids := make(map[string]string)
	for line := range strings.Lines(list) {
		oid, names, _ := strings.Cut(line, " ")
		for name := range strings.FieldsSeq(names) {
			oids[name] = oid
		}
	}
	return oids
}
