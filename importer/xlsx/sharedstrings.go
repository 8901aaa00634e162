package xlsx

import (
	"bytes"
	"encoding/binary"
	"errors"
	"strconv"
	"unicode/utf8"

	"bascule/importer/spill"
)

// sharedStrings is the table of texts that cells refer to by number. It may be
// as large as the sheet, so texts and their offsets are spilled.
type sharedStrings struct {
	texts, ends *spill.File // nil before open
	count       int
	scratch     []byte
}

// The most that is kept in memory of the texts and of their ends.
const (
	textCache = 16 << 20
	endCache  = 4 << 20
	endSize   = 8
)

func (s *sharedStrings) open() (err error) {
	if s.texts, err = spill.New(MaxInflated, textCache); err == nil {
		s.ends, err = spill.New(MaxInflated, endCache)
	}
	return err
}

// read adds all strings of the part.
func (s *sharedStrings) read(x *xmlReader) error {
	var text []byte
	err := x.document("sst", nsSpreadsheet, map[string]func() error{"si": func() (err error) {
		if text, err = appendRichText(x, text[:0]); err != nil {
			return err
		}
		return s.add(text)
	}})
	return errors.Join(err, s.texts.Flush(), s.ends.Flush())
}

func (s *sharedStrings) add(text []byte) error {
	if isLong(text) {
		return xmlError("a text is longer than " + strconv.Itoa(MaxCellText) + " characters")
	}
	if _, err := s.texts.Write(text); err != nil {
		return err
	}
	s.count++
	s.scratch = binary.LittleEndian.AppendUint64(s.scratch[:0], uint64(s.texts.Size))
	_, err := s.ends.Write(s.scratch)
	return err
}

// appendTo appends string number i, which must be below count.
func (s *sharedStrings) appendTo(dst []byte, i int) ([]byte, error) {
	var err error
	from := int64(0)
	first := max(i-1, 0)
	if s.scratch, err = s.ends.AppendAt(s.scratch[:0], int64(first)*endSize, (i-first+1)*endSize); err != nil {
		return dst, err
	}
	if i > 0 {
		from = int64(binary.LittleEndian.Uint64(s.scratch))
	}
	to := int64(binary.LittleEndian.Uint64(s.scratch[len(s.scratch)-endSize:]))
	return s.texts.AppendAt(dst, from, int(to-from))
}

func (s *sharedStrings) close() error { return errors.Join(s.texts.Close(), s.ends.Close()) }

// appendRichText appends the text of an <si> or <is>: its <t>, or those of its runs. It
// leaves phonetic hints out.
func appendRichText(x *xmlReader, dst []byte) ([]byte, error) {
	from := len(dst)
	dst, err := appendRuns(x, dst)
	return unescape(dst, from), err
}

func appendRuns(x *xmlReader, dst []byte) ([]byte, error) {
	for {
		name, err := x.child()
		if err != nil || name == nil {
			return dst, err
		}
		switch string(name) {
		case "t":
			dst, err = x.appendText(dst)
		case "r":
			dst, err = appendRuns(x, dst)
		default:
			err = x.skip()
		}
		if err != nil {
			return dst, err
		}
	}
}

// unescape replaces _xHHHH_ in b[from:] by the character that it stands for, in place.
// The format writes characters that XML cannot hold in this form. It writes "_x005F_"
// for a plain underscore before something that looks like an escape.
func unescape(b []byte, from int) []byte {
	if !bytes.Contains(b[from:], []byte("_x")) {
		return b
	}
	out := b[:from]
	for i := from; i < len(b); {
		if r, ok := escapeAt(b[i:]); ok {
			out = utf8.AppendRune(out, r) // at most 3 bytes in the place of 7
			i += 7
			continue
		}
		out = append(out, b[i])
		i++
	}
	return out
}

func escapeAt(b []byte) (rune, bool) {
	if len(b) < 7 || b[0] != '_' || b[1] != 'x' || b[6] != '_' {
		return 0, false
	}
	code, err := strconv.ParseUint(string(b[2:6]), 16, 16)
	return rune(code), err == nil && utf8.ValidRune(rune(code))
}
