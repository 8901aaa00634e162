package text

import (
	"strings"
	"testing"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// The result of each function for texts of people and programs.
func TestFunctions(t *testing.T) {
	for _, f := range []struct {
		name  string
		of    func(string) string
		wants map[string]string
	}{
		{"Trim", Trim, map[string]string{
			"":                                      "",
			" a b ":                                 "a b",
			"\u00a0\u2007\u202f\u3000a\u2029\u0085": "a",
			"\ufeff\u200b\u200e\u2066a\u2069\u00ad": "a",
			"\x00a":                                 "\x00a",
			"a\u0301":                               "a\u0301",
			"\xff a\xff":                            "\xff a\xff",
		}},
		{"Visible", Visible, map[string]string{
			"a\u200b\x1ab":  "ab",
			" a\u00a0 b\n":  " a\u00a0 b\n",
			"e\u0301":       "é",
			"e\u200d\u0301": "é",
			"a\xff\xfeb":    "a\ufffd\ufffdb",
		}},
		{"Collapse", Collapse, map[string]string{
			"":                     "",
			" \n":                  "",
			"a b":                  "a b",
			"\ta\u00a0\r\n b\x00 ": "a b",
			"a \u200b b":           "a b",
			"\xff":                 "\ufffd",
		}},
		{"Fold", Fold, map[string]string{
			"Numéro d'Abonné":     "numerodabonne",
			"numéro d’abonné":     "numerodabonne",
			"numéro dʼabonné":     "numerodabonne", // U+02BC is a letter to Unicode
			"NUME\u0301RO (1)\n":  "numero1",
			"ŒUVRE Straße ﬁ":      "oeuvrestrassefi",
			"Łódź, Đorđe":         "lodzdorde",
			"ΟΔΟΣ οδος":           "οδοσοδοσ",
			"Yılmaz":              "yilmaz",
			"²٣":                  "2٣",
			"\xe2\x80\xf0É":       "e",
			"\xe2\x80\xf0é1\xf0ſ": "e1s",
			"...":                 "",
		}},
		{"Printable", Printable, map[string]string{
			"liste d'été.csv": "liste d'été.csv",
			"a\nb\u009b\x7f":  "a?b??",
			"a\xff\xfeb":      "a?b",
			"a\u00a0b":        "a\u00a0b",
		}},
		{"OneLine", OneLine, map[string]string{
			"":                        "",
			" a\r\n\tb\u00a0 c ":      "a b c",
			"a\r\nb\x00c\u2028d\xffe": "a b c d?e",
			"a\x1b[2Jb\u200bc":        "a [2Jb c",
			"« déjà »":                "« déjà »",
		}},
		{"Excerpt", Excerpt, map[string]string{
			"a\nb":                  "a?b",
			strings.Repeat("é", 80): strings.Repeat("é", 80),
			strings.Repeat("é", 81): strings.Repeat("é", 79) + "…",
		}},
	} {
		for in, want := range f.wants {
			if got := f.of(in); got != want {
				t.Errorf("%s(%q) = %q, want %q", f.name, in, got, want)
			}
		}
	}
}

// A text is cut behind a whole character, and never for its bytes.
func TestCut(t *testing.T) {
	for _, c := range []struct {
		s    string
		n    int
		want string
	}{{"", 1, ""}, {"abc", 3, "abc"}, {"abcd", 3, "ab…"}, {"ééé", 3, "ééé"}, {"éééé", 3, "éé…"}, {"ab", 1, "…"}} {
		if got := Cut(c.s, c.n); got != c.want {
			t.Errorf("Cut(%q, %d) = %q, want %q", c.s, c.n, got, c.want)
		}
	}
}

// A blank cannot be seen. A control character that is no white space is none.
func TestIsBlank(t *testing.T) {
	for r, want := range map[rune]bool{' ': true, '\n': true, '\u00a0': true, '\u202f': true, '\u00ad': true, '\ufeff': true, 'a': false, 0: false, '\u0301': false} {
		if IsBlank(r) != want {
			t.Errorf("%U: %v", r, !want)
		}
	}
}

func TestIsASCII(t *testing.T) {
	for s, want := range map[string]bool{"": true, "a\x00\x7f": true, "é": false, "\x80": false, "aé": false} {
		if IsASCII(s) != want {
			t.Errorf("%q: %v", s, !want)
		}
	}
}

// A text that takes a shortcut stays the same, whatever character is at its beginning, in
// it, beside a space or at its end.
func TestShortcuts(t *testing.T) {
	collapsed := func(s string) string {
		visible := strings.Map(func(r rune) rune {
			if unicode.Is(unicode.Cf, r) || unicode.IsControl(r) && !unicode.IsSpace(r) {
				return -1
			}
			return r
		}, s)
		return strings.Join(strings.Fields(norm.NFC.String(visible)), " ")
	}
	for r := range rune(0x3100) {
		c := string(r)
		for _, s := range []string{c, c + "a", "a" + c + "b", "a " + c + "b", "a" + c + " b", "a" + c} {
			if got, want := Collapse(s), collapsed(s); got != want {
				t.Errorf("%q is collapsed to %q, want %q", s, got, want)
			}
		}
	}
}

// A text is as long as UTF-16 writes it.
func TestUnits(t *testing.T) {
	for in, want := range map[string]int{"": 0, "é": 1, "😀": 2, "a\vb": 3, "\uFFFE": 1, "_x000B_": 7, "\xff": 1} {
		if got := Units(in); got != want {
			t.Errorf("%q has %d units, want %d", in, got, want)
		}
	}
}
