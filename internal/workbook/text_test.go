package workbook

import (
	"strings"
	"testing"
)

// I7: each text that a cell may hold is written as the format wants it.
func TestTextIsEscaped(t *testing.T) {
	for in, want := range map[string]string{
		"":                         "",
		"Société Élan ﬁn \uFFFD":   "Société Élan ﬁn \uFFFD",
		"a\tb\nc\rd":               "a\tb\nc\rd",
		"Societe\vAlpha":           "Societe_x000B_Alpha",
		"\x00\x01\x1f":             "_x0000__x0001__x001F_",
		"\uFFFE\uFFFF":             "_xFFFE__xFFFF_",
		"\uFDD0\uFDD9\uFDEF":       "\uFDD0\uFDD9\uFDEF",
		"_x000B_":                  "_x005F_x000B_",
		"_x000B_x000C_":            "_x005F_x000B_x005F_x000C_", // each underscore may begin an escape
		"_x00e9_ _x00G9_ _x000B -": "_x005F_x00e9_ _x00G9_ _x005F_x000B -",
		"__x005F_":                 "__x005F_x005F_",
		"_x000B\v":                 "_x005F_x000B_x000B_", // the escape of the second would complete the first
		"_":                        "_",
	} {
		if got := string(appendXML([]byte("<t>"), in)); got != "<t>"+strings.ReplaceAll(want, "\r", "&#xD;") {
			t.Errorf("%q is written as %q, want %q", in, got, want)
		}
	}
}

// I7: no text is an element, and none breaks the part it stands in.
func TestTextIsNoElement(t *testing.T) {
	for in, want := range map[string]string{
		"<f>1&amp;2</f>]]>": "&lt;f&gt;1&amp;amp;2&lt;/f&gt;]]&gt;",
		"a\xffb\xc3":        "a\uFFFDb\uFFFD",
		"\"l'été\" 😀":       "\"l'été\" 😀",
	} {
		if got := string(appendXML(nil, in)); got != want {
			t.Errorf("%q is written as %q, want %q", in, got, want)
		}
	}
}
