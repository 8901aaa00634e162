package celltext

import (
	"archive/zip"
	"bytes"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

// I7: each text that a cell may hold is written as the format wants it, in
// whatever pieces it is written.
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
		if got := string(AppendXML([]byte("<t>"), in)); got != "<t>"+strings.ReplaceAll(want, "\r", "&#xD;") {
			t.Errorf("%q is written as %q, want %q", in, got, want)
		}
		for name, from := range map[string]io.Reader{"whole": strings.NewReader(Mark(in)), "byte by byte": iotest.OneByteReader(strings.NewReader(Mark(in)))} {
			var b bytes.Buffer
			if _, err := io.Copy(&unmarker{to: &b}, struct{ io.Reader }{from}); err != nil || b.String() != want {
				t.Errorf("%q %s becomes %q, want %q (%v)", in, name, b.String(), want, err)
			}
		}
	}
}

// I7: no text is an element, and none breaks the part it stands in.
func TestAppendXML(t *testing.T) {
	for in, want := range map[string]string{
		"<f>1&amp;2</f>]]>": "&lt;f&gt;1&amp;amp;2&lt;/f&gt;]]&gt;",
		"a\xffb\xc3":        "a\uFFFDb\uFFFD",
		"\"l'été\" 😀":       "\"l'été\" 😀",
	} {
		if got := string(AppendXML(nil, in)); got != want {
			t.Errorf("%q is written as %q, want %q", in, got, want)
		}
	}
}

// The room of a text is that of its form for excelize, which cuts it there.
func TestUnits(t *testing.T) {
	for in, want := range map[string]int{"": 0, "é": 1, "😀": 2, "a\vb": 3, "\uFFFE": 1, "\uFDD1": 2, "_x000B_": 8, "_x000B_x000C_": 15, "_x00": 4} {
		units := 0
		for _, r := range Mark(in) {
			if units++; r > 0xffff {
				units++
			}
		}
		if Units(in) != want || units != want {
			t.Errorf("%q takes %d, its form %d, want %d", in, Units(in), units, want)
		}
	}
}

// Only the parts that hold texts of cells are changed.
func TestZipChangesTextsAlone(t *testing.T) {
	var b bytes.Buffer
	z := NewZip(&b)
	for _, name := range []string{"xl/worksheets/sheet1.xml", "xl/sharedStrings.xml", "xl/workbook.xml"} {
		w, err := z.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if n, err := io.WriteString(w, "<a>"+Mark("\v")+"</a>"); n != 10 || err != nil {
			t.Errorf("%s: %d bytes written, %v", name, n, err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	r, err := zip.NewReader(bytes.NewReader(b.Bytes()), int64(b.Len()))
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"<a>_x000B_</a>", "<a>_x000B_</a>", "<a>\uFDDB</a>"} {
		f, err := r.File[i].Open()
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(f); string(got) != want || err != nil {
			t.Errorf("%s holds %q, want %q (%v)", r.File[i].Name, got, want, err)
		}
	}
}
