package recap

import (
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/jung-kurt/gofpdf"
	"golang.org/x/image/font/gofont/gobold"
	"golang.org/x/image/font/gofont/goregular"
	"golang.org/x/image/font/sfnt"
	"golang.org/x/text/encoding/charmap"

	"bascule/internal/text"
)

// A typeface is the font of one whole document, in two weights.
type typeface struct {
	family  string
	install func(*gofpdf.Fpdf)
	encode  func(string) string // from UTF-8 to the encoding of gofpdf
	wide    bool                // encoded text is UTF-8; else one byte a character
	widths  [2][]uint16         // by encoded character: regular and bold, in thousandths of the size
}

// helvetica is the font that every PDF reader has: Windows-1252 only, nothing to embed,
// many times faster than goFont.
var helvetica = sync.OnceValue(func() *typeface {
	chars := make([]rune, 256)
	for i := range chars {
		chars[i] = rune(i)
	}
	asByte := func(r rune) string { return string([]byte{byte(r)}) }
	return &typeface{
		family: "helvetica",
		// Readers have the widths, and this package measures them once. Reading them from
		// JSON for every document would take a third of the time.
		install: func(pdf *gofpdf.Fpdf) {
			pdf.AddFontFromBytes("helvetica", "", []byte(`{"Tp":"Core","Name":"Helvetica"}`), nil)
			pdf.AddFontFromBytes("helvetica", "B", []byte(`{"Tp":"Core","Name":"Helvetica-Bold"}`), nil)
		},
		encode: toWindows1252,
		widths: measure("helvetica", func(*gofpdf.Fpdf) {}, chars, asByte),
	}
})

// goFont is Go's own font: Latin, Greek and Cyrillic, embedded.
var goFont = sync.OnceValue(func() *typeface {
	install := func(pdf *gofpdf.Fpdf) { // with its own copy of the bytes: gofpdf writes into them
		pdf.AddUTF8FontFromBytes("go", "", slices.Clone(goregular.TTF))
		pdf.AddUTF8FontFromBytes("go", "B", slices.Clone(gobold.TTF))
	}
	return &typeface{
		family:  "go",
		install: install,
		encode:  func(s string) string { return s },
		wide:    true,
		widths:  measure("go", install, glyphs(goregular.TTF), func(r rune) string { return string(r) }),
	}
})

func measure(family string, install func(*gofpdf.Fpdf), chars []rune, text func(rune) string) (widths [2][]uint16) {
	pdf := gofpdf.New("P", "mm", "A4", "")
	install(pdf)
	for i, weight := range []string{"", "B"} {
		widths[i] = make([]uint16, 1+slices.Max(chars))
		pdf.SetFont(family, weight, 10)
		for _, r := range chars {
			widths[i][r] = uint16(pdf.GetStringSymbolWidth(text(r)))
		}
	}
	return widths
}

// glyphs are the characters that a font can show and gofpdf can write. Go's regular and
// bold have the same ones.
func glyphs(ttf []byte) []rune {
	font, err := sfnt.Parse(ttf)
	if err != nil {
		panic(err) // cannot happen: the font is compiled in
	}
	var found []rune
	var b sfnt.Buffer
	for r := ' '; r <= 0xFFFD; r++ {
		if i, err := font.GlyphIndex(&b, r); err == nil && i != 0 {
			found = append(found, r)
		}
	}
	return found
}

// shows tells whether the typeface has a glyph for an encoded character.
func (t *typeface) shows(r rune) bool { return t.advance(0, r) > 0 }

func (t *typeface) advance(weight int, r rune) int {
	if int(r) >= len(t.widths[weight]) {
		return 0
	}
	return int(t.widths[weight][r])
}

// width is the width of encoded text in thousandths of its size.
func (t *typeface) width(encoded string, bold bool) int {
	weight := 0
	if bold {
		weight = 1
	}
	total := 0
	if t.wide {
		for _, r := range encoded {
			total += t.advance(weight, r)
		}
		return total
	}
	for i := range len(encoded) {
		total += t.advance(weight, rune(encoded[i]))
	}
	return total
}

// first is the length in bytes of the first character of encoded text.
func (t *typeface) first(encoded string) int {
	if !t.wide {
		return 1
	}
	_, n := utf8.DecodeRuneInString(encoded)
	return n
}

// toWindows1252 encodes text that inWindows1252 has accepted.
func toWindows1252(s string) string {
	if text.IsASCII(s) {
		return s
	}
	b := make([]byte, 0, len(s))
	for _, r := range s {
		c, _ := charmap.Windows1252.EncodeRune(r)
		b = append(b, c)
	}
	return string(b)
}

func inWindows1252(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool {
		_, ok := charmap.Windows1252.EncodeRune(r)
		return !ok
	})
}
