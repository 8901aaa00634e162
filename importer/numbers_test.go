package importer_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"bascule/importer"
)

// C7: a list of numbers is whatever an administrator has at hand: a text, or a CSV
// file as spreadsheets save it. Numbers keep their zeros.
func TestNumbers(t *testing.T) {
	utf16 := "\xff\xfe0\x000\x001\x002\x003\x004\x005\x006\x00\r\x00\n\x00"
	for text, want := range map[string]string{
		"00123456\n00123457\n":      "[00123456 00123457]",
		"00123456\r\n\r\nAB123457":  "[00123456 AB123457]",
		"\ufeff00123456\n":          "[00123456]",
		utf16:                       "[00123456]",
		" 00123456\u00a0\n":         "[00123456]",
		"numéro d'abonné\n123456\n": "[123456]",
		"Numéros\n123456\n":         "[123456]",
		"num\xe9ro d'abonn\xe9;titulaire\n123456;No\xebl\n": "[123456]",
		"titulaire;numéro d'abonné\nNoël 2;123456\n":        "[123456]",
		"holder,subscriber number\n\"A, B\",123456\n":       "[123456]",
		"123456;Noël\n123457;\n":                            "[123456 123457]",
		"123456\n123456\n":                                  "[123456 123456]",
	} {
		got, err := importer.Numbers(t.Context(), strings.NewReader(text))
		if err != nil || fmt.Sprint(got) != want {
			t.Errorf("%q: %v, error %v, want %s", text, got, err, want)
		}
	}
}

// blank is a text without an end.
type blank struct{}

func (blank) Read(p []byte) (int, error) { return len(p), nil }

// A list that is none is refused with its line, or with what it is.
func TestNumbersRefused(t *testing.T) {
	for text, want := range map[string]string{
		"":                                   "empty",
		"\n\n":                               "empty",
		"numéro d'abonné\n":                  "no subscriber number",
		"12345\n":                            "line 1 of the list: subscriber number must be",
		"123456\nabc\n":                      "line 2 of the list: subscriber number must be",
		"123456 123457\n":                    "line 1 of the list",
		"titulaire;numéro d'abonné\nNoël;\n": "line 2 of the list: subscriber number missing",
		"PK\x03\x04":                         "save the sheet with the numbers as CSV",
		"%PDF-1.4":                           "a PDF document",
		"123456\n12\x003456\n":               "NUL",
	} {
		got, err := importer.Numbers(t.Context(), strings.NewReader(text))
		var file *importer.FileError
		if !errors.As(err, &file) || !strings.Contains(file.English, want) || file.French == "" {
			t.Errorf("%q: %v, error %v, want %q", text, got, err, want)
		}
	}
	var file *importer.FileError
	if _, err := importer.Numbers(t.Context(), io.LimitReader(blank{}, 64<<20+1)); !errors.As(err, &file) || !strings.Contains(file.English, "split it") {
		t.Errorf("a list of more than 64 MiB: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := importer.Numbers(ctx, strings.NewReader("123456")); !errors.Is(err, context.Canceled) {
		t.Errorf("stopped: %v", err)
	}
}
