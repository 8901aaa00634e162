package conversion

import (
	"log/slog"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/idna"
	"golang.org/x/text/unicode/norm"

	"bascule/internal/text"
)

// Email is a valid address (R15). It keeps the address as typed, and a form for
// comparisons. The zero Email is no address.
type Email struct {
	typed string
	key   string
}

// maxEmail is the sheet's limit, in characters as typed (R15).
const maxEmail = 100

// domains follow IDNA 2008 with UTS 46 mapping; hyphens, lengths and
// directions are checked.
var domains = idna.New(
	idna.MapForLookup(), idna.Transitional(false), idna.BidiRule(),
	idna.StrictDomainName(true), idna.VerifyDNSLength(true), idna.ValidateLabels(true),
)

// ParseEmail reads an address: an ASCII local part of at most 64 characters, an
// "@", a domain of at least two labels, international ones included; 100
// characters at most as typed once surrounding blanks are gone (R15). It
// returns ErrEmailMissing, ErrEmailTooLong or ErrEmailFormat.
func ParseEmail(s string) (Email, error) {
	s = norm.NFC.String(text.Trim(s))
	if s == "" {
		return Email{}, ErrEmailMissing
	}
	if utf8.RuneCountInString(s) > maxEmail {
		return Email{}, ErrEmailTooLong
	}
	local, domain, ok := strings.Cut(s, "@")
	if !ok {
		return Email{}, ErrEmailFormat.adding("the @ is missing", "il manque l’arobase (@)")
	}
	if r, wrong := wrongInEmail(local, domain); wrong {
		refusal := ErrEmailFormat.naming(r)
		if strings.Contains(domain, "@") { // it may be what parts two addresses
			refusal = refusal.adding("one address is expected", "une seule adresse est attendue")
		}
		return Email{}, refusal
	}
	if extraDot(local) || extraDot(domain) {
		return Email{}, ErrEmailFormat.adding("a dot too many", "un point est en trop")
	}
	if len(local) > 64 {
		return Email{}, ErrEmailFormat.adding("64 characters at most before the @", "64 caractères au maximum avant l’arobase")
	}
	ascii, err := domains.ToASCII(domain)
	if err == nil && !strings.Contains(ascii, ".") {
		return Email{}, ErrEmailFormat.adding("the end of the domain is missing", "la fin du domaine manque, par exemple «\u00a0.fr\u00a0»")
	}
	top := ascii[strings.LastIndexByte(ascii, '.')+1:]
	if local == "" || err != nil || len(top) < 2 || allDigits(top) {
		return Email{}, ErrEmailFormat
	}
	return Email{typed: s, key: strings.ToLower(local) + "@" + strings.ToLower(ascii)}, nil
}

// String is the address as typed. Logs never get it: see LogValue.
func (e Email) String() string { return e.typed }

// Key is the same for two addresses that are the same (R6). It is in lower case, with
// the domain in its ASCII form.
func (e Email) Key() string { return e.key }

// Domain is the domain of the key.
func (e Email) Domain() string {
	_, domain, _ := strings.Cut(e.key, "@")
	return domain
}

// Mailbox is the address for an SMTP envelope or header, printable ASCII
// without blanks, angle brackets or quotes: as typed, but an international
// domain in its ASCII form.
func (e Email) Mailbox() string {
	if text.IsASCII(e.typed) {
		return e.typed
	}
	local, _, _ := strings.Cut(e.typed, "@")
	return local + "@" + e.Domain()
}

// IsZero tells whether there is no address.
func (e Email) IsZero() bool { return e.typed == "" }

// Same tells whether both are the same address (R6).
func (e Email) Same(other Email) bool { return e.key == other.key }

// LogValue keeps addresses out of structured logs (I6).
func (e Email) LogValue() slog.Value { return slog.StringValue("[e-mail]") }

// MarshalText gives the address as typed, for the frozen facts of a recap.
func (e Email) MarshalText() ([]byte, error) { return []byte(e.typed), nil }

// UnmarshalText parses an address; an empty text is no address.
func (e *Email) UnmarshalText(b []byte) error {
	if len(b) == 0 {
		*e = Email{}
		return nil
	}
	parsed, err := ParseEmail(string(b))
	if err == nil {
		*e = parsed
	}
	return err
}

// extraDot tells whether a dot of one side of the @ parts nothing.
func extraDot(s string) bool {
	return strings.HasPrefix(s, ".") || strings.HasSuffix(s, ".") || strings.Contains(s, "..")
}

// wrongInEmail finds the first character that no address has in that place.
func wrongInEmail(local, domain string) (rune, bool) {
	for _, r := range local {
		if !isASCIIAlnum(r) && !strings.ContainsRune("!#$%&'*+-/=?^_`{|}~.", r) {
			return r, true
		}
	}
	for _, r := range domain { // IDNA finds what else is wrong
		if r < utf8.RuneSelf && !isASCIIAlnum(r) && r != '.' && r != '-' || r >= utf8.RuneSelf && !inDomain(r) {
			return r, true
		}
	}
	return 0, false
}

// inDomain tells whether an international domain may have a character. UTS 46 takes dashes
// and quotes of books for letters of another domain, and U+FFFD, too. It drops a soft hyphen
// and what is as invisible.
func inDomain(r rune) bool {
	return unicode.IsLetter(r) || unicode.IsMark(r) || unicode.IsNumber(r) || strings.ContainsRune("·・。．｡\u00ad\u200b\u200c\u200d\u2060\ufeff", r)
}

func allDigits(s string) bool { return strings.Trim(s, "0123456789") == "" }
