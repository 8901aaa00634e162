package xlsx

import (
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Format is how a style shows a number: as a date, as something else than the number, or
// with a least number of digits (000000 shows 42 as 000042).
type Format struct {
	Code string // for a writer of the same cell; "" for one that is not kept
	Date bool

	other  bool
	digits int
}

// maxCodes bounds the format codes that are kept: a list has some ten.
const maxCodes = 200

// safeCode is a format code that every program takes: places, separators, parts of a
// date, texts, a language.
var safeCode = regexp.MustCompile(`^(?i:general|[-dmyhs#0?/., :;@%()€]|\\.|_.|"[^"]*"|\[\$[-a-z0-9€]*\])+$`)

// builtIn are the codes of the built-in formats, as they are in France.
var builtIn = map[int]string{
	0: "General", 1: "0", 2: "0.00", 3: "#,##0", 4: "#,##0.00", 9: "0%", 10: "0.00%", 14: "dd/mm/yyyy", 15: "d-mmm-yy", 16: "d-mmm",
	17: "mmm-yy", 22: "dd/mm/yyyy hh:mm", 37: "#,##0;-#,##0", 38: "#,##0;-#,##0", 39: "#,##0.00;-#,##0.00", 40: "#,##0.00;-#,##0.00",
}

// maxStyles is how many styles Excel allows.
const maxStyles = 65_490

func readStyles(x *xmlReader) (list []Format, err error) {
	custom, kept := make(map[int]Format), 0
	addFormat := func() error {
		if len(custom) == maxStyles {
			return xmlError("it has too many formats")
		}
		if id, err := strconv.Atoi(x.attr("numFmtId")); err == nil {
			code := x.attr("formatCode")
			f := parseFormat(code)
			if len(code) <= 255 && kept < maxCodes && safeCode.MatchString(code) {
				f.Code = code
				kept++
			}
			custom[id] = f
		}
		return nil
	}
	addStyle := func() error {
		if len(list) == maxStyles {
			return xmlError("it has too many styles")
		}
		list = append(list, formatOf(x.attr("numFmtId"), custom))
		return nil
	}
	err = x.document("styleSheet", nsSpreadsheet, map[string]func() error{
		"numFmts": func() error { return x.leaves("numFmt", addFormat) },
		"cellXfs": func() error { return x.leaves("xf", addStyle) },
	})
	return list, err
}

// formatOf reads a number format. Those with a code in the file are read by the code,
// the built-in ones by their number (ECMA-376 part 1, 18.8.30).
func formatOf(id string, custom map[int]Format) Format {
	n, _ := strconv.Atoi(id)
	if f, ok := custom[n]; ok {
		return f
	}
	f := Format{Code: builtIn[n]}
	switch {
	case n >= 14 && n <= 17 || n == 22 || n >= 27 && n <= 36 || n >= 50 && n <= 58:
		f.Date = true
	case n >= 0 && n <= 4 || n >= 37 && n <= 41 || n == 43 || n == 49: // General, whole, decimal, with thousands, text
	default:
		f.other = true // money, percent, fraction, exponent, time, or unknown
	}
	return f
}

// maxFormat is the most bytes of a format code that are read; Excel allows 255
// characters.
const maxFormat = 1024

// maxZeros is the longest run of zeros that is taken for a format of identifiers.
const maxZeros = 40

// parseFormat reads a format code. A year or a day outside of literal text makes a
// date. Placeholders of digits with nothing but blanks around them show the number
// itself, with leading zeros where they are zeros. Any other code shows something else,
// which is not imitated.
func parseFormat(code string) Format {
	if len(code) > maxFormat {
		return Format{other: true}
	}
	bare, literal, rest := bareFormat(code)
	switch {
	case strings.ContainsAny(bare, "ydj"), strings.Contains(bare, "aa"): // jj/mm/aaaa, mm/aaaa and TT.MM.JJJJ are written, too
		return Format{Date: true}
	case literal:
		return Format{other: true}
	case bare == "general" || bare == "@":
		return Format{}
	}
	m := digitsForm.FindStringSubmatch(bare)
	if m == nil {
		return Format{other: true}
	}
	digits := strings.Count(m[1], "0")
	switch {
	case digits <= 1:
		return Format{}
	case digits > maxZeros || strings.Contains(rest, ";"): // zero has a section of its own
		return Format{other: true}
	}
	return Format{digits: digits}
}

// digitsForm matches a code that shows all digits of a whole number and no other:
// optional placeholders, then zeros, thousands and decimals. A comma at the end of the
// whole part would divide by a thousand.
var digitsForm = regexp.MustCompile(`^((?:[#?]+,?)*[#?0](?:0|,0)*)(?:\.[0#?]*)?$`)

// bareFormat strips the first section of a format code, the one for positive numbers,
// of tags that show nothing or a blank. It tells whether there is also a literal text
// or a condition. rest follows the section.
func bareFormat(code string) (bare string, literal bool, rest string) {
	var b strings.Builder
	for rest = code; rest != ""; {
		c, n := utf8.DecodeRuneInString(rest)
		rest = rest[n:]
		var text, tag string
		switch {
		case c == ';':
			return b.String(), literal, rest
		case c == '"':
			text, rest, _ = strings.Cut(rest, `"`)
		case c == '[':
			tag, rest, _ = strings.Cut(rest, "]")
			literal = literal || !silentTag.MatchString(tag)
		case c == '\\', c == '*': // a literal, or a filling character
			_, n = utf8.DecodeRuneInString(rest)
			text, rest = rest[:n], rest[n:]
		case c == '_': // a blank as wide as the next character
			_, n = utf8.DecodeRuneInString(rest)
			rest = rest[n:]
		case !unicode.IsSpace(c): // no-break spaces are blanks too
			b.WriteRune(unicode.ToLower(c))
		}
		literal = literal || !isBlank([]byte(text))
	}
	return b.String(), literal, ""
}

// silentTag is a colour, or a language without currency or digits of its own. It may have a
// calendar, as Reporting Services writes: 1040C.
var silentTag = regexp.MustCompile(`^(?i:black|blue|cyan|green|magenta|red|white|yellow|color *\d+|\$-[0-9a-f]{1,6}|\$-[a-z]{2}-[a-z]{2})$`)
