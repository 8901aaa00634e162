package importer

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"

	"bascule/internal/conversion"
	"bascule/internal/text"
)

// accentsWarning warns of a text that somebody read in another encoding than it was
// written in. The row is accepted, but a person should look.
func accentsWarning(what, text string) string {
	found := wrongAccents(text)
	if found == "" {
		return ""
	}
	return "attention\u00a0: " + what + " a sans doute perdu ses accents (" + found + ")\u00a0: vérifiez l’encodage du fichier"
}

// wrongAccents finds the traces of a wrong encoding in a name, for people to read:
// U+FFFD, control characters of Latin-1, UTF-8 read as Windows-1252 or MacRoman,
// MacRoman, DOS or Latin-9 text read as Windows-1252, question marks for letters,
// references of HTML. It is "" for a text without any.
func wrongAccents(s string) string {
	if strings.ContainsAny(s, "?&") {
		if at := lostLetter.FindStringIndex(s); at != nil {
			return "«\u00a0" + wordAt(s, at[0]) + "\u00a0»"
		}
	}
	if text.IsASCII(s) {
		return ""
	}
	before := ' '
	for i, r := range s {
		if r < utf8.RuneSelf {
			before = r
			continue
		}
		after, _ := utf8.DecodeRuneInString(s[i+utf8.RuneLen(r):])
		switch {
		case r == utf8.RuneError || r > 0x7f && r < 0xa0 && r != 0x85:
			return conversion.Character(r)
		case oddAt(before, r, after):
			return "«\u00a0" + wordAt(s, i) + "\u00a0»"
		case r >= 0xc2 && r <= 0xf4 && twiceUTF8(s[i:]):
			return "«\u00a0" + wordAt(s, i) + "\u00a0»"
		}
		before = r
	}
	return ""
}

// lostLetter is a question mark inside a word, or a reference of HTML.
var lostLetter = regexp.MustCompile(`\pL\?\pL|&(?:#x?[[:xdigit:]]+|[[:alpha:]][[:lower:]]+);`)

// oddAt tells whether a character beyond ASCII between these two is in no name, and
// stands for a letter in another encoding. é of MacRoman is Ž of Windows-1252, é of DOS
// its low quote, œ of Latin-9 its ½.
func oddAt(before, r, after rune) bool {
	switch {
	case strings.ContainsRune("ƒˆ‡‰√¼½¾", r):
		return unicode.IsLetter(before) || unicode.IsLetter(after)
	case strings.ContainsRune("‚„†•¬˜", r):
		return unicode.IsLetter(before)
	case strings.ContainsRune("™“”…", r):
		return unicode.IsLetter(before) && unicode.IsLetter(after)
	}
	return unicode.IsUpper(r) && unicode.IsLower(before)
}

// twiceUTF8 tells whether a text begins with a character of UTF-8 whose bytes were read
// as Windows-1252. Two of its bytes alone may be a letter and a sign. So they must
// begin with a character that French hardly has, or two more must follow.
func twiceUTF8(text string) bool {
	r, n := in1252(text)
	switch {
	case n == 0 || r == utf8.RuneError:
		return false
	case r >= 0x800 || strings.HasPrefix(text, "Ã") || strings.HasPrefix(text, "Â") || strings.HasPrefix(text, "Å"):
		return true
	}
	second, _ := in1252(text[n:])
	return second >= utf8.RuneSelf && second != utf8.RuneError
}

// in1252 reads a character of UTF-8 whose bytes the first characters are in
// Windows-1252. It tells how many bytes of the text the character takes.
func in1252(text string) (rune, int) {
	var bytes []byte
	read := 0
	for i, r := range text {
		b, ok := charmap.Windows1252.EncodeRune(r)
		if r >= 0x80 && r < 0xa0 {
			b, ok = byte(r), true
		}
		if !ok || b < utf8.RuneSelf {
			break
		}
		bytes, read = append(bytes, b), i+utf8.RuneLen(r)
		if utf8.FullRune(bytes) {
			break
		}
	}
	if len(bytes) < 2 || !utf8.Valid(bytes) {
		return utf8.RuneError, 0
	}
	r, _ := utf8.DecodeRune(bytes)
	return r, read
}

// wordAt is the word around a place in a text, and not much more of it.
func wordAt(s string, at int) string {
	from := strings.LastIndexFunc(s[:at], unicode.IsSpace) + 1
	word := strings.ToValidUTF8(s[from:], "")
	if end := strings.IndexFunc(word, unicode.IsSpace); end > 0 {
		word = word[:end]
	}
	return text.Cut(word, 40)
}
