package admission

import (
	"strings"
	"testing"

	"bascule/internal/conversion"
	"bascule/sql/sqltest"
)

// I8: of what a device says of itself, no more is looked at than it was given.
func TestDeviceCookieBounded(t *testing.T) {
	l := NewLimiter(nil, sqltest.Keys(t))
	good := strings.Repeat("A", 43) + "." + strings.Repeat("A", 22)
	for cookie, want := range map[string]int{
		good: 1, good + ":" + good: 2, "": 0, good[1:]: 0, good + "A": 0, "x:" + good: 1,
		strings.Repeat(good+":", 50): maxKnown,
	} {
		if got := parseTokens(cookie); len(got) != want {
			t.Errorf("%d tokens in %.80q, want %d", len(got), cookie, want)
		}
	}
	email := func(i int) conversion.Email { return sqltest.Email(t, strings.Repeat("a", i+1)+"@a.example") }
	one := good[:43]
	if token := one + "." + l.voucher(one, email(0)); l.vouched(token, email(0)) != one || l.vouched(token, email(1)) != "" {
		t.Error("a token vouches for another address, or for none")
	}
}
