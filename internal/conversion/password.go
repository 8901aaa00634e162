package conversion

import (
	_ "embed"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"bascule/internal/text"
)

// PasswordProfile is a set of password rules (D6).
type PasswordProfile string

// The profiles: the sheet's own rule (R16), and one that meets the CNIL's
// recommendation without leaning on throttling.
const (
	ProfileFiche PasswordProfile = "fiche"
	ProfileCNIL  PasswordProfile = "cnil"
)

// ParsePasswordProfile reads PASSWORD_PROFILE; "" is the default, fiche.
func ParsePasswordProfile(s string) (PasswordProfile, error) {
	switch p := PasswordProfile(s); p {
	case "":
		return ProfileFiche, nil
	case ProfileFiche, ProfileCNIL:
		return p, nil
	}
	return "", fmt.Errorf("password profile %q: use fiche or cnil", s)
}

// Password is a password that its profile accepts. It is never printed (R17).
type Password struct{ secret string }

// ParsePassword checks a password against the profile (R16, D6), the list of
// common passwords and the subscriber number. The error is one of ErrPassword….
func ParsePassword(s string, profile PasswordProfile, number SubscriberNumber) (Password, error) {
	check := checkFiche
	if profile == ProfileCNIL {
		check = checkCNIL
	}
	s = normalPassword(s)
	if s == "" {
		return Password{}, ErrPasswordMissing
	}
	if err := check(s); err != nil {
		return Password{}, err
	}
	if number != "" && strings.Contains(strings.ToLower(s), strings.ToLower(string(number))) {
		return Password{}, ErrPasswordNumber
	}
	if isCommon(s) {
		return Password{}, ErrPasswordCommon
	}
	return Password{s}, nil
}

// normalPassword makes equal what different keyboards type for the same text: accents in
// one piece or two, and a space whichever key is held beside it.
func normalPassword(s string) string { return norm.NFC.String(typedSpaces.Replace(s)) }

// typedSpaces are what keyboards type for a space: macOS and bépo a no-break one with
// Option or Shift, bépo a narrow one, those for Chinese and Japanese a wide one.
var typedSpaces = strings.NewReplacer("\u00a0", " ", "\u202f", " ", "\u3000", " ")

// String hides the password.
func (p Password) String() string { return "[password]" }

// GoString hides the password from %#v.
func (p Password) GoString() string { return "[password]" }

// LogValue keeps passwords out of structured logs (I6).
func (p Password) LogValue() slog.Value { return slog.StringValue("[password]") }

func checkFiche(s string) error {
	var letter, digit bool
	for _, r := range s {
		switch {
		case r >= '0' && r <= '9':
			digit = true
		case r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z':
			letter = true
		default:
			return ErrPasswordSymbols
		}
	}
	switch {
	case len(s) < 8:
		return ErrPasswordShort
	case len(s) > 20:
		return ErrPasswordLong
	case !letter || !digit:
		return ErrPasswordMix
	}
	return nil
}

func checkCNIL(s string) error {
	if !utf8.ValidString(s) || strings.ContainsFunc(s, unicode.IsControl) {
		return ErrPasswordUnreadable
	}
	switch n := utf8.RuneCountInString(s); {
	case n < 12:
		return ErrPasswordShortCNIL
	case n > 64:
		return ErrPasswordLongCNIL
	}
	return nil
}

//go:embed common_passwords.txt
var commonList string

var commonPasswords = parseCommon(commonList)

func parseCommon(list string) map[string]bool {
	set := make(map[string]bool)
	for line := range strings.Lines(list) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			set[line] = true
		}
	}
	return set
}

// isCommon finds a password of one or two words of the list. Case, accents, surrounding
// digits and signs, and the usual substitutions of letters do not count. It also finds
// patterns (see predictable).
func isCommon(s string) bool {
	s = strings.ToLower(s)
	start := strings.TrimRightFunc(s, notLetter)
	core := strings.TrimLeftFunc(start, notLetter)
	if predictable(s) || predictable(core) || repeats(s) {
		return true
	}
	forms := []string{s, unleet.Replace(s), unleet.Replace(start), unleet.Replace(core)}
	return slices.ContainsFunc(forms, func(form string) bool { return listed(text.Fold(form)) })
}

func notLetter(r rune) bool { return !unicode.IsLetter(r) }

// unleet undoes the usual substitutions, so that "P4ssw0rd" is "password".
var unleet = strings.NewReplacer("0", "o", "1", "i", "3", "e", "4", "a", "5", "s", "7", "t", "@", "a", "$", "s")

// listed tells a word of the list, or two of them end to end.
func listed(s string) bool {
	for i := range s {
		if commonPasswords[s[i:]] && (i == 0 || commonPasswords[s[:i]]) {
			return true
		}
	}
	return false
}

// rows are sequences that people type: the alphabet, the digits, the rows of French and
// English keyboards.
const rows = "abcdefghijklmnopqrstuvwxyz\n01234567890\n" +
	"azertyuiop\nqsdfghjklm\nwxcvbn\n&é\"'(-è_çà)=\n" +
	"qwertyuiop\nasdfghjkl\nzxcvbnm\n!@#$%^&*()_+"

// predictable tells "aaaaaaa1", "12345678a", "azertyui" and "1q2w3e4r": at most
// one character in three is new. The others repeat the one that stands one to
// four places before them, or are its neighbour in a row.
func predictable(s string) bool {
	runes := []rune(s)
	for lag := 1; lag <= 4; lag++ {
		fresh := min(lag, len(runes))
		for i := lag; i < len(runes); i++ {
			if !neighbours(runes[i-lag], runes[i]) {
				fresh++
			}
		}
		if fresh <= len(runes)/3 && fresh > 0 {
			return true
		}
	}
	return false
}

func neighbours(a, b rune) bool {
	return a == b || strings.Contains(rows, string([]rune{a, b})) || strings.Contains(rows, string([]rune{b, a}))
}

// repeats tells "ab1ab1ab1": one pattern of at most four bytes, again and again.
func repeats(s string) bool {
	for n := 1; n <= 4; n++ {
		if len(s) >= 2*n && strings.HasPrefix(s, strings.Repeat(s[:n], len(s)/n)) && strings.HasPrefix(s[:n], s[len(s)/n*n:]) {
			return true
		}
	}
	return false
}
