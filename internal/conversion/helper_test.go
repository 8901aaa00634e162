package conversion

import (
	"encoding/base64"
	"errors"
	"testing"
)

// mustEmail is for addresses that a test knows to be valid.
func mustEmail(t testing.TB, s string) Email {
	t.Helper()
	e, err := ParseEmail(s)
	if err != nil {
		t.Fatalf("ParseEmail(%q): %v", s, err)
	}
	return e
}

// wantError fails the test unless err is want.
func wantError(t testing.TB, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: error %v, want %v", what, err, want)
	}
}

// secretKey is one SECRET_KEY of n bytes, counted up from first.
func secretKey(first byte, n int) string {
	raw := make([]byte, n)
	for i := range raw {
		raw[i] = first + byte(i)
	}
	return base64.StdEncoding.EncodeToString(raw)
}

func mustKeyring(t testing.TB, s string) *Keyring {
	t.Helper()
	ring, err := ParseKeyring(s)
	if err != nil {
		t.Fatalf("ParseKeyring: %v", err)
	}
	return ring
}
