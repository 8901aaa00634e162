package main

import (
	"strings"
	"testing"
	"time"
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

// D13, D16: a brake is what its digits say, not what a program reads in them.
func TestParseCount(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]int{
		"0": 0, "200": 200, "0200": 200, "1000000000": 1_000_000_000,
		"": -1, "-1": -1, "+1": -1, "0x10": -1, "1_000": -1, "5 000": -1, "1.5": -1, "1000000001": -1, "99999999999999999999": -1,
	} {
		n, err := parseCount(s)
		if (err != nil) != (want < 0) || err == nil && n != want || err != nil && strings.Contains(err.Error(), "strconv") {
			t.Errorf("%q: %d, error %v", s, n, err)
		}
	}
}

// D14: a campaign waits for at least as much assistance as was wanted.
func TestParseHelp(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]time.Duration{"0": 0, "20s": time.Minute, "1m": time.Minute, "80s": 2 * time.Minute, "12h": 12 * time.Hour, "1d": 24 * time.Hour} {
		if d, err := parseHelp(s); d != want || err != nil {
			t.Errorf("%q: %s, error %v", s, d, err)
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
