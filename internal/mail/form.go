package mail

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"html"
	htmltemplate "html/template"
	"io"
	"mime/quotedprintable"
	"strconv"
	"strings"
	texttemplate "text/template"
)

//go:embed template/*
var templateFiles embed.FS

// slot is a value that differs from mail to mail of one kind and variant. It may be
// anywhere in a text template. In an HTML template it may be in text or in a quoted
// attribute; after the "#" of a link only if it is URL-escaped already.
type slot int

const (
	slotNumber      slot = iota // subscriber number
	slotHolder                  // holder of the space
	slotAddress                 // the address written to
	slotFragment                // the same, URL-escaped
	slotCode                    // activation code
	slotDeadline                // until when it is good
	slotCertificate             // day on which the certificate expires
	slotSharing                 // how many spaces share the address
	slotOther                   // the other address, masked
	slotDay                     // when it happened
	slotMessage                 // of a campaign, one line per line
	slotCount
)

// values fill the slots of one mail.
type values [slotCount]string

const (
	slotOpen  = "zqslot"
	slotClose = "qz"
)

// mark takes the place of a value when the templates are executed. It is of letters and
// digits, which no escaping alters, and no French text holds it.
func (s slot) mark() string { return slotOpen + strconv.Itoa(int(s)) + slotClose }

// slotNames are the names that templates use.
var slotNames = map[string]slot{
	"Number": slotNumber, "Holder": slotHolder, "Address": slotAddress, "Fragment": slotFragment,
	"Code": slotCode, "Deadline": slotDeadline, "Certificate": slotCertificate, "Sharing": slotSharing,
	"Other": slotOther, "Day": slotDay, "Message": slotMessage,
}

// form is one variant of one template, executed once. A mail only fills its slots: the
// constant text is escaped and encoded already. So rendering a mail is ten times faster
// than executing its templates.
type form struct {
	pieces []piece
	length int
}

// piece is either whole constant lines, or one line with slots.
type piece struct {
	text    string // decoded, for Part.String
	encoded []byte // quoted-printable
	line    []span // nil for constant lines
}

// span is some text of a line, then a slot (slotCount: none).
type span struct {
	text string
	slot slot
}

// Part is the text or the HTML of one mail.
type Part struct {
	form   *form
	values *values
	escape func(slot, string) string
}

func verbatim(_ slot, s string) string { return s }

// String is the decoded content, lines ending in LF.
func (p Part) String() string {
	var b strings.Builder
	for _, piece := range p.form.pieces {
		b.WriteString(piece.text)
		if piece.line != nil {
			b.Write(p.fill(nil, piece.line))
			b.WriteByte('\n')
		}
	}
	return b.String()
}

// encode writes the content as quoted-printable.
func (p Part) encode(b *bytes.Buffer) {
	w := quotedprintable.NewWriter(b)
	var line []byte
	for _, piece := range p.form.pieces {
		b.Write(piece.encoded)
		if piece.line != nil {
			line = append(p.fill(line[:0], piece.line), '\n')
			w.Write(line) // leaves nothing behind at the end of a line
		}
	}
	w.Close()
}

func (p Part) fill(b []byte, line []span) []byte {
	for _, s := range line {
		b = append(b, s.text...)
		if s.slot != slotCount {
			b = append(b, p.escape(s.slot, p.values[s.slot])...)
		}
	}
	return b
}

func (p Part) size() int { return p.form.length + 256 }

// htmlEscape is right in text and in quoted attributes, where slots may stand. A message,
// which stands in text, has lines.
func htmlEscape(s slot, value string) string {
	value = html.EscapeString(value)
	if s == slotMessage {
		value = strings.ReplaceAll(value, "\n", "<br>\n")
	}
	return value
}

type template interface {
	ExecuteTemplate(w io.Writer, name string, data any) error
}

// parseTemplates reads the embedded templates.
func parseTemplates() (text, html template, err error) {
	t, err := texttemplate.New("").Option("missingkey=error").ParseFS(templateFiles, "template/*.txt")
	if err != nil {
		return nil, nil, err
	}
	h, err := htmltemplate.New("").Option("missingkey=error").ParseFS(templateFiles, "template/*.html")
	return t, h, err
}

// compile executes a template with marks in place of values, and cuts the result at
// them.
func compile(t template, name string, data map[string]any) (*form, error) {
	for name, s := range slotNames {
		data[name] = s.mark()
	}
	var out bytes.Buffer
	if err := t.ExecuteTemplate(&out, name, data); err != nil {
		return nil, fmt.Errorf("template %s: %w", name, err)
	}
	f := &form{}
	for line := range strings.Lines(strings.TrimSpace(out.String()) + "\n") {
		if !strings.Contains(line, slotOpen) {
			f.addConstant(line)
			continue
		}
		spans, err := cutLine(strings.TrimSuffix(line, "\n"))
		if err != nil {
			return nil, fmt.Errorf("template %s: %w", name, err)
		}
		f.pieces = append(f.pieces, piece{line: spans})
		f.length += 2 * len(line)
	}
	f.encode()
	return f, nil
}

// addConstant adds a line without slots to those before it.
func (f *form) addConstant(line string) {
	if n := len(f.pieces); n == 0 || f.pieces[n-1].line != nil {
		f.pieces = append(f.pieces, piece{})
	}
	f.pieces[len(f.pieces)-1].text += line
}

// encode encodes the constant lines.
func (f *form) encode() {
	for i, p := range f.pieces {
		var b bytes.Buffer
		writeQP(&b, p.text)
		f.pieces[i].encoded = b.Bytes()
		f.length += b.Len()
	}
}

// cutLine cuts a line at its marks.
func cutLine(line string) ([]span, error) {
	var spans []span
	for {
		text, rest, found := strings.Cut(line, slotOpen)
		if !found {
			return append(spans, span{text, slotCount}), nil
		}
		number, rest, found := strings.Cut(rest, slotClose)
		n, err := strconv.Atoi(number)
		if !found || err != nil || n < 0 || n >= int(slotCount) {
			return nil, errors.New("line with a broken slot")
		}
		spans = append(spans, span{text, slot(n)})
		line = rest
	}
}
