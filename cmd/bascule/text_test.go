package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// R32: subscribers read an operator's text as it was written, or the start names the
// problem of the file. The three files are as Windows programs save them.
func TestHelpText(t *testing.T) {
	read := func(path string) (string, error) {
		return environment{func(string) string { return path }}.help()
	}
	for name, want := range map[string]string{
		"aide_cp1252.txt": "line 1 of testdata/help/aide_cp1252.txt is not UTF-8 (byte 0xE9; Windows-1252 perhaps): save it as UTF-8",
		"aide_utf16.txt":  "is UTF-16: save it as UTF-8",
		"aide_nul.txt":    "line 1 of testdata/help/aide_nul.txt holds a control character (U+0000): take it out",
		"missing.txt":     "no such file",
	} {
		_, err := read("testdata/help/" + name)
		if err == nil || !strings.HasPrefix(err.Error(), "HELP_TEXT_FILE: ") || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", name, err, want)
		}
	}
	path := filepath.Join(t.TempDir(), "aide.txt")
	for text, want := range map[string]string{
		"\ufeffAppelez le 01.\r\n": "Appelez le 01.",
		"é\tœ\u00a0€\n\nn° 2":      "é\tœ\u00a0€\n\nn° 2",
		strings.Repeat("x", 4096):  strings.Repeat("x", 4096),
		strings.Repeat("x", 4097):  "longer than 4096 bytes",
		"":                         "holds no text",
		"\ufeff":                   "holds no text",
		"a\nb\ufffd":               "line 2",
		"a\nb\n\xff":               "line 3",
		"a\x1b[31m":                "U+001B",
		"a\u0085":                  "U+0085",
		"A\x00p\x00p\x00e\x00":     "UTF-16",
		"\x00A\x00p\x00p\x00e":     "UTF-16",
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := read(path)
		if err != nil {
			got = err.Error()
		}
		if got != want && (err == nil || !strings.Contains(got, want)) {
			t.Errorf("%.20q: %.100q, want %.100q", text, got, want)
		}
	}
}
