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

// textEncoding is how a CSV file writes its characters.
type textEncoding int

const (
	encodingUTF8 textEncoding = iota
	encodingUTF16LE
	encodingUTF16BE
	encodingWindows1252
)

// detectEncoding reads the whole text once. It takes a text that is not valid UTF-8 for
// Windows-1252, unless most of its accents are UTF-8. Such a text was damaged, and
// guessing would garble names.
func detectEncoding(text io.ReaderAt, size int64) (textEncoding, int, error) {
	head, err := io.ReadAll(io.NewSectionReader(text, 0, 4096))
	if err != nil {
		return 0, 0, err
	}
	switch {
	case bytes.HasPrefix(head, []byte("\xff\xfe")):
		return encodingUTF16LE, 2, nil
	case bytes.HasPrefix(head, []byte("\xfe\xff")):
		return encodingUTF16BE, 2, nil
	}
	if e, ok := guessUTF16(head); ok {
		return e, 0, nil
	}
	skip := 0
	if bytes.HasPrefix(head, []byte("\ufeff")) {
		skip = 3
	}
	good, bad, undefined, err := countAccents(io.NewSectionReader(text, int64(skip), size))
	switch {
	case err != nil:
		return 0, 0, err
	case bad == 0:
		return encodingUTF8, skip, nil
	case skip > 0 || good >= bad || undefined:
		return 0, 0, refuse("the text is damaged: its characters are neither UTF-8 nor Windows-1252: save it again as CSV UTF-8",
			"le texte est endommagé : ses caractères ne sont ni en UTF-8 ni en Windows-1252 ; enregistrez-le de nouveau au format CSV UTF-8")
	}
	return encodingWindows1252, 0, nil
}

// guessUTF16 recognises UTF-16 without a byte order mark: every other byte of a text in
// a European language is zero.
func guessUTF16(head []byte) (textEncoding, bool) {
	var zeros [2]int
	for i, c := range head {
		if c == 0 {
			zeros[i%2]++
		}
	}
	switch most := len(head) * 2 / 5; {
	case most == 0:
	case zeros[1] >= most && zeros[0] == 0:
		return encodingUTF16LE, true
	case zeros[0] >= most && zeros[1] == 0:
		return encodingUTF16BE, true
	}
	return 0, false
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

// decode turns a text into UTF-8.
func (e textEncoding) decode(in io.Reader) io.Reader {
	switch e {
	case encodingUTF16LE:
		return &utf16Reader{in: bufio.NewReaderSize(in, 64<<10), order: binary.LittleEndian}
	case encodingUTF16BE:
		return &utf16Reader{in: bufio.NewReaderSize(in, 64<<10), order: binary.BigEndian}
	case encodingWindows1252:
		return charmap.Windows1252.NewDecoder().Reader(in)
	}
	return in
}

// utf16Reader decodes strictly: half a character is an error. The decoder of
// golang.org/x/text would write a replacement character.
type utf16Reader struct {
	in    *bufio.Reader
	order binary.ByteOrder
	out   [utf8.UTFMax]byte
	rest  []byte
}

func (u *utf16Reader) Read(p []byte) (n int, err error) {
	for n < len(p) {
		if len(u.rest) == 0 {
			if u.rest, err = u.next(); err != nil {
				break
			}
		}
		c := copy(p[n:], u.rest)
		u.rest = u.rest[c:]
		n += c
	}
	if n > 0 && err == io.EOF {
		err = nil
	}
	return n, err
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
