package xlsx

// This file is long because it is one thing: a reader of XML whose tokens are slices of
// one buffer. All functions that read them know how the buffer moves.

import (
	"bytes"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// xmlReader reads one XML part strictly and fast. A part that is not well-formed to its
// last byte is an error. It knows no DOCTYPE, so no entities but XML's own, and no
// encoding but UTF-8. Elements count if they are of the namespace of the root element,
// whatever their prefixes.
//
// Slices that it hands out are valid until the next call.
type xmlReader struct {
	src   io.Reader
	buf   []byte
	pos   int // next byte to read
	end   int // buf[:end] is valid UTF-8
	have  int // buf[:have] was read
	ended bool

	begun    bool   // something came before pos
	rooted   bool   // the root element was opened
	names    []byte // of the open elements, one after the other
	open     []int  // the beginning of each of them
	selfShut bool   // the start tag just read is an end tag too

	scope        scope
	home         namespace // of the root element
	alternatives alternatives

	name    []byte
	space   namespace
	local   []byte // the name without its prefix
	special bool   // some attribute has a prefix or declares a namespace
	attrs   []xmlAttr
	text    []byte
	scratch []byte
}

type xmlAttr struct{ name, value []byte }

type xmlToken int

const (
	xmlStart xmlToken = iota // name and attrs are set
	xmlEnd                   // the innermost open element ended
	xmlText                  // text is set; one text may come in several pieces
	xmlDone
)

const (
	maxTag   = 1 << 20 // bytes of one tag, comment or CDATA section
	maxDepth = 64
	maxAttrs = 256
	maxName  = 1024
)

// xmlError says why a part is not well-formed XML.
type xmlError string

func (e xmlError) Error() string { return string(e) }

const (
	errShort   = xmlError("more bytes are needed") // never leaves next
	errCut     = xmlError("it is cut off")
	errUTF8    = xmlError("it is not valid UTF-8")
	errUTF16   = xmlError("it is not written in UTF-8")
	errDoctype = xmlError("it has a DOCTYPE")
	errTag     = xmlError("a tag is malformed")
	errMatch   = xmlError("an end tag does not match")
	errEntity  = xmlError("an entity is unknown or malformed")
	errChar    = xmlError("it holds a forbidden character")
	errRoot    = xmlError("it has not exactly one root element")
	errPrefix  = xmlError("a prefix stands for no namespace")
	errDeep    = xmlError("its elements are nested too deep")
	errLong    = xmlError("a tag or a text is too long")
)

func newXMLReader(src io.Reader) *xmlReader {
	return &xmlReader{src: src, buf: make([]byte, 128<<10)}
}

// next reads one token.
func (x *xmlReader) next() (xmlToken, error) {
	if x.selfShut {
		x.selfShut = false
		x.pop()
		return xmlEnd, nil
	}
	for {
		if x.pos == x.end {
			if err := x.fill(); err == errCut {
				return xmlDone, x.finish()
			} else if err != nil {
				return 0, err
			}
		}
		tok, skip, err := x.token()
		if err == errShort {
			if err = x.fill(); err == nil {
				continue
			}
		}
		if err != nil {
			return 0, err
		}
		x.begun = true
		if !skip {
			return tok, nil
		}
	}
}

// token reads one token from the bytes at hand, or returns errShort; skip says
// that it is of no concern to the caller.
func (x *xmlReader) token() (tok xmlToken, skip bool, err error) {
	b := x.buf[x.pos:x.end]
	if b[0] != '<' {
		return xmlText, false, x.readText(b)
	}
	if len(b) < 2 {
		return 0, false, errShort
	}
	switch b[1] {
	case '/':
		return xmlEnd, false, x.readEnd(b)
	case '?':
		return 0, true, x.readInstruction(b)
	case '!':
		return x.readBang(b)
	}
	return xmlStart, false, x.readStart(b)
}

func (x *xmlReader) finish() error {
	switch {
	case len(x.open) > 0:
		return errCut
	case !x.rooted:
		return errRoot
	}
	return nil
}

// fill reads more bytes behind those not yet consumed. It keeps two bytes before pos,
// as readText looks back at them. It returns errCut at the end of the part.
func (x *xmlReader) fill() error {
	if x.ended {
		return errCut
	}
	keep := max(x.pos-2, 0)
	x.have = copy(x.buf, x.buf[keep:x.have])
	x.pos, x.end = x.pos-keep, x.end-keep
	if x.have > len(x.buf)/2 {
		if len(x.buf) >= 2*maxTag {
			return errLong
		}
		x.buf = append(x.buf, make([]byte, len(x.buf))...)
	}
	for before := x.end; x.end == before; {
		n, err := x.src.Read(x.buf[x.have:])
		x.have += n
		if err != nil && err != io.EOF {
			return err
		}
		if x.ended = err == io.EOF; x.ended && n == 0 {
			break
		}
		if err := x.validate(); err != nil {
			return err
		}
	}
	if x.ended && x.end < x.have {
		return errUTF8
	}
	if x.pos == x.end {
		return errCut
	}
	return nil
}

// validate moves end over the bytes that are valid UTF-8, and skips a byte order mark.
func (x *xmlReader) validate() error {
	if !x.begun && x.pos == 0 && x.have >= 3 {
		if bytes.HasPrefix(x.buf, []byte("\xfe\xff")) || bytes.HasPrefix(x.buf, []byte("\xff\xfe")) ||
			x.buf[0] == 0 || x.buf[1] == 0 {
			return errUTF16
		}
		if bytes.HasPrefix(x.buf, []byte("\xef\xbb\xbf")) {
			x.have = copy(x.buf, x.buf[3:x.have])
		}
		x.begun = x.have > 0 && x.buf[0] != '<'
	}
	fresh := x.buf[x.end:x.have]
	whole := len(fresh)
	for back := 1; back <= min(3, len(fresh)); back++ {
		if c := fresh[len(fresh)-back]; utf8.RuneStart(c) {
			if !utf8.FullRune(fresh[len(fresh)-back:]) {
				whole -= back
			}
			break
		}
	}
	if !utf8.Valid(fresh[:whole]) {
		return errUTF8
	}
	if bytes.Contains(fresh[:whole], []byte("\uFFFE")) || bytes.Contains(fresh[:whole], []byte("\uFFFF")) {
		return errChar
	}
	x.end += whole
	return nil
}

// verbatim marks the bytes of a text that mean themselves.
var verbatim = func() (t [256]bool) {
	for c := range t {
		t[c] = c >= ' ' || c == '\t' || c == '\n'
	}
	t['<'], t['&'], t['>'] = false, false, false
	return t
}()

func (x *xmlReader) readText(b []byte) error {
	i := 0
	for i < len(b) && verbatim[b[i]] {
		i++
	}
	if i > 0 {
		x.text = b[:i]
		x.pos += i
		return x.checkOutside()
	}
	switch b[0] {
	case '>':
		if x.pos >= 2 && string(x.buf[x.pos-2:x.pos]) == "]]" {
			return errTag
		}
		x.text = b[:1]
	case '&':
		return x.readReference(b)
	case '\r':
		if len(b) < 2 && !x.ended {
			return errShort
		}
		x.text = x.text[:0]
		if len(b) < 2 || b[1] != '\n' { // CR LF is LF, CR alone too
			x.text = append(x.scratch[:0], '\n')
		}
	default:
		return errChar
	}
	x.pos++
	return x.checkOutside()
}

// checkOutside allows nothing but white space outside of the root element.
func (x *xmlReader) checkOutside() error {
	if len(x.open) == 0 && len(bytes.Trim(x.text, " \t\r\n")) > 0 {
		return errRoot
	}
	return nil
}

func (x *xmlReader) readReference(b []byte) error {
	out, n, err := appendReference(x.scratch[:0], b)
	if err == errShort && (x.ended || len(b) >= maxReference) {
		err = errEntity
	}
	if err != nil {
		return err
	}
	if len(x.open) == 0 {
		return errRoot
	}
	x.scratch, x.text = out, out
	x.pos += n
	return nil
}

const maxReference = len("&#x0010FFFF;")

// appendReference appends the character of the reference at the start of b, and returns
// the length of the reference.
func appendReference(dst, b []byte) ([]byte, int, error) {
	semi := bytes.IndexByte(b[:min(len(b), maxReference)], ';')
	if semi < 0 {
		return dst, 0, errShort
	}
	r, err := referred(string(b[1:semi]))
	return utf8.AppendRune(dst, r), semi + 1, err
}

// entities are those that need no DOCTYPE.
var entities = map[string]rune{"lt": '<', "gt": '>', "amp": '&', "quot": '"', "apos": '\''}

// referred is the character that a reference names, between & and semicolon.
func referred(name string) (rune, error) {
	if r := entities[name]; r != 0 {
		return r, nil
	}
	digits, numbered := strings.CutPrefix(name, "#")
	base := 10
	if strings.HasPrefix(digits, "x") {
		digits, base = digits[1:], 16
	}
	code, err := strconv.ParseUint(digits, base, 32)
	switch r := rune(code); {
	case !numbered || err != nil:
		return 0, errEntity
	case xmlChar(r):
		return r, nil
	}
	return 0, errChar
}

// xmlChar tells whether XML 1.0 allows the character.
func xmlChar(r rune) bool {
	return r == '\t' || r == '\n' || r == '\r' || r >= ' ' && r <= 0xd7ff ||
		r >= 0xe000 && r <= 0xfffd || r >= 0x10000 && r <= utf8.MaxRune
}

func (x *xmlReader) readEnd(b []byte) error {
	if len(x.open) == 0 {
		return errMatch
	}
	name := x.names[x.open[len(x.open)-1]:]
	i := skipSpace(b, 2+len(name))
	if i >= len(b) {
		return errShort
	}
	if b[i] != '>' || !bytes.Equal(b[2:2+len(name)], name) {
		return errMatch
	}
	x.pos += i + 1
	x.pop()
	return nil
}

func (x *xmlReader) push() error {
	if len(x.open) == 0 && x.rooted {
		return errRoot
	}
	if len(x.open) == maxDepth {
		return errDeep
	}
	x.open = append(x.open, len(x.names))
	x.names = append(x.names, x.name...)
	if x.special {
		if err := x.scope.declare(x.attrs, len(x.open)); err != nil {
			return err
		}
		if err := x.scope.check(x.attrs); err != nil {
			return err
		}
	}
	if x.space, x.local = x.scope.unnamed, x.name; bytes.IndexByte(x.name, ':') >= 0 {
		var err error
		if x.space, x.local, err = x.scope.resolve(x.name); err != nil {
			return err
		}
	}
	if !x.rooted {
		x.rooted, x.home = true, x.space
	}
	return nil
}

func (x *xmlReader) pop() {
	last := len(x.open) - 1
	x.names = x.names[:x.open[last]]
	x.open = x.open[:last]
	if n := len(x.scope.bindings); n > 0 && x.scope.bindings[n-1].depth > last {
		x.scope.leave(last)
	}
}

// readInstruction skips <?…?> and checks the declaration of the encoding.
func (x *xmlReader) readInstruction(b []byte) error {
	body, _, ok := bytes.Cut(b[2:], []byte("?>"))
	if !ok {
		return errShort
	}
	if n := nameLength(body); n == 0 {
		return errTag
	} else if target := bytes.ToLower(body[:n]); string(target) == "xml" {
		if x.begun || string(body[:n]) != "xml" {
			return errTag
		}
		if !declaresUTF8(body) {
			return errUTF16
		}
	}
	x.pos += len(body) + len("<??>")
	return nil
}

func declaresUTF8(declaration []byte) bool {
	_, value, ok := bytes.Cut(declaration, []byte("encoding"))
	if !ok {
		return true
	}
	value = bytes.TrimLeft(value, " \t\r\n=")
	if len(value) < 2 {
		return false
	}
	name, _, ok := bytes.Cut(value[1:], value[:1])
	upper := string(bytes.ToUpper(name))
	return ok && (upper == "UTF-8" || upper == "UTF8" || upper == "US-ASCII" || upper == "ASCII")
}

// readBang reads markup that begins with "<!": a comment or a CDATA section.
func (x *xmlReader) readBang(b []byte) (xmlToken, bool, error) {
	const cdata = "<![CDATA["
	switch {
	case bytes.HasPrefix(b, []byte("<!--")):
		end := bytes.Index(b[4:], []byte("--"))
		if end < 0 || len(b) < 4+end+3 {
			return 0, false, errShort
		}
		if b[4+end+2] != '>' || !cleanText(b[4:4+end]) {
			return 0, false, errTag
		}
		x.pos += 4 + end + 3
		return 0, true, nil
	case bytes.HasPrefix(b, []byte(cdata)):
		end := bytes.Index(b, []byte("]]>"))
		if end < 0 {
			return 0, false, errShort
		}
		x.text = b[len(cdata):end]
		if len(x.open) == 0 || !cleanText(x.text) {
			return 0, false, errChar
		}
		x.pos += end + 3
		return xmlText, false, nil
	case bytes.HasPrefix(b, []byte("<!DOCTYPE")):
		return 0, false, errDoctype
	case len(b) < len(cdata):
		return 0, false, errShort
	}
	return 0, false, errTag
}

// cleanText tells whether b holds no control characters.
func cleanText(b []byte) bool {
	return !slices.ContainsFunc(b, func(c byte) bool { return c < ' ' && c != '\t' && c != '\n' && c != '\r' })
}

// readStart reads a start tag with its attributes.
func (x *xmlReader) readStart(b []byte) error {
	n := nameLength(b[1:])
	switch {
	case n == 0:
		return errTag
	case n > maxName:
		return errLong
	}
	x.name, x.attrs, x.scratch, x.special = b[1:1+n], x.attrs[:0], x.scratch[:0], false
	for i := 1 + n; ; {
		j := skipSpace(b, i)
		if j+1 >= len(b) && (j >= len(b) || b[j] != '>') {
			return errShort
		}
		switch {
		case b[j] == '>':
			x.pos += j + 1
			return x.push()
		case b[j] == '/' && b[j+1] == '>':
			x.pos += j + 2
			x.selfShut = true
			return x.push()
		case j == i:
			return errTag
		}
		var err error
		if i, err = x.readAttr(b, j); err != nil {
			return err
		}
	}
}

// readAttr reads name="value" at b[i:] and returns its end.
func (x *xmlReader) readAttr(b []byte, i int) (int, error) {
	n := nameLength(b[i:])
	if n == 0 {
		return 0, errTag
	}
	name := b[i : i+n]
	if n > len("r:") && (bytes.IndexByte(name, ':') >= 0 || string(name) == "xmlns") {
		x.special = true
	}
	i = skipSpace(b, i+n)
	if i < len(b) && b[i] != '=' {
		return 0, errTag
	}
	i = skipSpace(b, i+1)
	if i >= len(b) {
		return 0, errShort
	}
	quote := b[i]
	if quote != '"' && quote != '\'' {
		return 0, errTag
	}
	from := i + 1
	for i = from; i < len(b) && verbatim[b[i]] && b[i] != quote; i++ {
	}
	if i == len(b) {
		return 0, errShort
	}
	value := b[from:i]
	if b[i] != quote {
		n := bytes.IndexByte(b[i:], quote)
		if n < 0 {
			return 0, errShort
		}
		var err error
		if value, err = x.attrValue(b[from : i+n]); err != nil {
			return 0, err
		}
		i += n
	}
	for _, a := range x.attrs {
		if bytes.Equal(a.name, name) {
			return 0, errTag
		}
	}
	if len(x.attrs) == maxAttrs || n > maxName {
		return 0, errLong
	}
	x.attrs = append(x.attrs, xmlAttr{name, value})
	return i + 1, nil
}

// attrValue resolves the references in a value.
func (x *xmlReader) attrValue(b []byte) ([]byte, error) {
	from := len(x.scratch)
	for i := 0; i < len(b); {
		switch c := b[i]; {
		case c == '&':
			out, n, err := appendReference(x.scratch, b[i:])
			if err != nil {
				return nil, errEntity
			}
			x.scratch, i = out, i+n
		case c == '<' || c < ' ' && c != '\t' && c != '\n' && c != '\r':
			return nil, errChar
		default:
			x.scratch, i = append(x.scratch, c), i+1
		}
	}
	return x.scratch[from:len(x.scratch):len(x.scratch)], nil
}

func skipSpace(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\n' || b[i] == '\t' || b[i] == '\r') {
		i++
	}
	return i
}

// nameByte marks the bytes of a name. Bytes beyond ASCII pass unchecked.
var nameByte = func() (t [256]bool) {
	for c := range t {
		t[c] = c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' ||
			c == '_' || c == ':' || c == '-' || c == '.' || c >= utf8.RuneSelf
	}
	return t
}()

// nameLength is the length of the name at the start of b, 0 if there is none.
func nameLength(b []byte) int {
	n := 0
	for n < len(b) && nameByte[b[n]] {
		n++
	}
	if n > 0 && (b[0] == '-' || b[0] == '.' || b[0] >= '0' && b[0] <= '9') {
		return 0
	}
	return n
}
