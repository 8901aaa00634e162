package importer

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"io"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
)

// A decoder turns a text into UTF-8.
type decoder func(io.Reader) io.Reader

func fromUTF8(in io.Reader) io.Reader { return in }

func fromWindows1252(in io.Reader) io.Reader { return charmap.Windows1252.NewDecoder().Reader(in) }

func fromUTF16(order binary.ByteOrder) decoder {
	return func(in io.Reader) io.Reader { return &utf16Reader{in: bufio.NewReaderSize(in, 64<<10), order: order} }
}

// detectEncoding reads the whole text once, and tells where it begins behind its mark. It
// takes a text that is not valid UTF-8 for Windows-1252, unless most of its accents are
// UTF-8. Such a text was damaged, and guessing would garble names.
func detectEncoding(text *source) (d decoder, skip int64, err error) {
	head, err := io.ReadAll(io.LimitReader(text.from(0), 4096))
	if err != nil {
		return nil, 0, err
	}
	switch {
	case bytes.HasPrefix(head, []byte("\xff\xfe")):
		return fromUTF16(binary.LittleEndian), 2, nil
	case bytes.HasPrefix(head, []byte("\xfe\xff")):
		return fromUTF16(binary.BigEndian), 2, nil
	case bytes.HasPrefix(head, []byte("\ufeff")):
		skip = 3
	}
	if d := guessUTF16(head); d != nil {
		return d, 0, nil
	}
	good, bad, undefined, err := countAccents(text.from(skip))
	switch {
	case err != nil:
		return nil, 0, err
	case bad == 0:
		return fromUTF8, skip, nil
	case skip > 0 || good >= bad || undefined:
		return nil, 0, refuse("the text is damaged: its characters are neither UTF-8 nor Windows-1252: save it again as CSV UTF-8",
			"le texte est endommagé : ses caractères ne sont ni en UTF-8 ni en Windows-1252 ; enregistrez-le de nouveau au format CSV UTF-8")
	}
	return fromWindows1252, 0, nil
}

// guessUTF16 recognises UTF-16 without a byte order mark: every other byte of a text in
// a European language is zero. It returns nil for any other text.
func guessUTF16(head []byte) decoder {
	var zeros [2]int
	for i, c := range head {
		if c == 0 {
			zeros[i%2]++
		}
	}
	switch most := len(head) * 2 / 5; {
	case most == 0:
	case zeros[1] >= most && zeros[0] == 0:
		return fromUTF16(binary.LittleEndian)
	case zeros[0] >= most && zeros[1] == 0:
		return fromUTF16(binary.BigEndian)
	}
	return nil
}

// countAccents counts the characters beyond ASCII that are valid UTF-8, and the other
// bytes beyond ASCII. undefined tells of a byte that Windows-1252 does not know.
func countAccents(text io.Reader) (good, bad int, undefined bool, err error) {
	in := bufio.NewReaderSize(text, 64<<10)
	for {
		chunk, err := in.Peek(32 << 10)
		if len(chunk) == 0 {
			if err == io.EOF {
				err = nil
			}
			return good, bad, undefined, err
		}
		n := 0
		for n < len(chunk) && (utf8.FullRune(chunk[n:]) || err == io.EOF) {
			c := chunk[n]
			if c < utf8.RuneSelf {
				n++
				continue
			}
			r, size := utf8.DecodeRune(chunk[n:])
			n += size
			if r == utf8.RuneError && size == 1 {
				bad++
				undefined = undefined || bytes.IndexByte(undefined1252, c) >= 0
				continue
			}
			good++
		}
		in.Discard(n)
	}
}

var undefined1252 = []byte{0x81, 0x8d, 0x8f, 0x90, 0x9d}

// utf16Reader decodes strictly: half a character is an error. The decoder of
// golang.org/x/text would write a replacement character.
type utf16Reader struct {
	in    *bufio.Reader
	order binary.ByteOrder
	out   [utf8.UTFMax]byte
	rest  []byte
	err   error // stays: who only peeks may drop it
}

func (u *utf16Reader) Read(p []byte) (n int, err error) {
	for n < len(p) && u.err == nil {
		if len(u.rest) == 0 {
			u.rest, u.err = u.next()
		}
		c := copy(p[n:], u.rest)
		u.rest = u.rest[c:]
		n += c
	}
	if n > 0 {
		return n, nil
	}
	return 0, u.err
}

func (u *utf16Reader) next() ([]byte, error) {
	r, err := u.unit()
	if err != nil {
		return nil, err
	}
	if utf16.IsSurrogate(r) {
		second, err := u.unit()
		if err != nil && err != io.EOF {
			return nil, err
		}
		if r = utf16.DecodeRune(r, second); r == utf8.RuneError {
			return nil, errHalf
		}
	}
	return utf8.AppendRune(u.out[:0], r), nil
}

func (u *utf16Reader) unit() (rune, error) {
	var b [2]byte
	switch n, err := io.ReadFull(u.in, b[:]); {
	case n == 1:
		return 0, errHalf
	case err != nil:
		return 0, err
	}
	return rune(u.order.Uint16(b[:])), nil
}

var errHalf = refuse("the UTF-16 text is damaged or cut off: save it again as CSV UTF-8",
	"le texte UTF-16 est endommagé ou tronqué : enregistrez-le de nouveau au format CSV UTF-8")
