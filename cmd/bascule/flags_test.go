package main

import (
	"strings"
	"testing"
)

// I9: a reason that is logged is one line of text that a terminal can show.
func TestReason(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ value, want, err string }{
		{" call 1234 ", "call 1234", ""},
		{"trop\u00a0d’appels\r\nhier", "trop d’appels hier", ""},
		{"\x1b[31mred", "[31mred", ""},
		{strings.Repeat("é", maxReason), strings.Repeat("é", maxReason), ""},
		{strings.Repeat("é", maxReason+1), "", "more than"},
		{"\u200b\n", "", "empty"},
		{"a\xff", "", "UTF-8"},
	} {
		r, err := parseReason(c.value)
		if r != c.want || (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%q: got %q, %v", c.value, r, err)
		}
	}
}

// D18: the database and the log take every account that may be registered.
func TestParseAccount(t *testing.T) {
	t.Parallel()
	for account, want := range map[string]bool{
		"adurand": true, `IMPOTS\Anne Durand`: true, "anne@office.example": true,
		"": false, " adurand": false, "a\u0085b": false, "a\xffb": false, "a\tb": false, strings.Repeat("a", 257): false,
	} {
		if got, err := parseAccount(account); (err == nil) != want || want && got != account {
			t.Errorf("%q: %q, error %v", account, got, err)
		}
	}
}
