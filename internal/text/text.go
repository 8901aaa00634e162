// Package text makes equal what people write differently. It makes texts of people and
// of other programs fit to show.
package text

import (
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// IsBlank tells whether r is white space, a no-break space, or invisible: a zero-width
// character, a mark of direction, a byte order mark.
func IsBlank(r rune) bool { return unicode.IsSpace(r) || isInvisible(r) }

func isInvisible(r rune) bool {
	return r >= '\u00AD' && unicode.Is(unicode.Cf, r) // that is the first
}

// IsASCII tells whether a text has ASCII characters alone.
func IsASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// Trim removes blanks from both ends. Spreadsheets and copy-and-paste leave them
// there.
func Trim(s string) string { return strings.TrimFunc(s, IsBlank) }

// Visible drops invisible and control characters, keeps white space, and normalises
// to NFC. A byte that is not UTF-8 becomes U+FFFD.
func Visible(s string) string {
	return norm.NFC.String(strings.Map(func(r rune) rune {
		if isInvisible(r) || unicode.IsControl(r) && !unicode.IsSpace(r) {
			return -1
		}
		return r
	}, s))
}

// Collapse is Visible with one space for each run of white space, and none at the ends.
func Collapse(s string) string {
	if s = Visible(s); isSpaced(s) {
		return s
	}
	return strings.Join(strings.Fields(s), " ")
}

// isSpaced tells whether a text has at most one space between its words, and none at
// its ends.
func isSpaced(s string) bool {
	before := ' '
	for _, r := range s {
		if unicode.IsSpace(r) && (r != ' ' || before == ' ') {
			return false
		}
		before = r
	}
	return before != ' ' || s == ""
}

// respelt are letters that Unicode does not decompose, with their usual spelling on
// keyboards without them.
var respelt = strings.NewReplacer("œ", "oe", "Œ", "oe", "æ", "ae", "Æ", "ae", "ß", "ss", "ẞ", "ss", "ł", "l", "Ł", "l", "đ", "d", "Đ", "d")

// Fold makes texts equal that people take for the same. It keeps letters and digits
// alone, in lower case and without accents.
func Fold(s string) string {
	s = strings.ToValidUTF8(s, "") // norm leaves letters behind a stray byte as they are
	return strings.Map(func(r rune) rune {
		if (unicode.IsLetter(r) || unicode.IsDigit(r)) && !unicode.Is(unicode.Lm, r) { // Lm: an apostrophe that counts as a letter
			return unicode.ToLower(unicode.ToUpper(r)) // by way of the capital: a Greek final sigma too
		}
		return -1
	}, respelt.Replace(norm.NFKD.String(s)))
}

// Printable puts "?" in the place of control characters and of bytes that are not
// UTF-8. A terminal obeys the former, a database refuses the latter.
func Printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return '?'
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
}

// OneLine is a text on one line of printable characters, with one space between its
// words.
func OneLine(s string) string {
	return strings.Join(strings.FieldsFunc(strings.ToValidUTF8(s, "?"), func(r rune) bool { return !unicode.IsPrint(r) || r == ' ' }), " ")
}

// Units is the length of a text in UTF-16, as spreadsheets count it.
func Units(s string) (n int) {
	for _, r := range s {
		n += utf16.RuneLen(r)
	}
	return n
}

// Cut is a text of at most n characters. A longer text is cut and ends with "…".
func Cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	if r := []rune(s); len(r) > n {
		return string(r[:n-1]) + "…"
	}
	return s
}

// Excerpt is the part of a text that one message shows.
func Excerpt(s string) string { return Cut(Printable(s), 80) }
