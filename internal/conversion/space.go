package conversion

import (
	"math/big"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"bascule/internal/text"
)

// Access is the one way by which a space is entered (R1).
type Access string

// The two ways in. A space goes from the first to the second, never back (R4).
const (
	AccessCertificate Access = "certificate"
	AccessPassword    Access = "password"
)

// A Space is a professional subscriber's account. The switch changes its
// access and nothing else (R5).
type Space struct {
	Number      SubscriberNumber
	Holder      string
	Contact     Email // the address in its contact details
	Certificate Certificate
	Access      Access
}

// A Certificate is the certificate that opens a space, as the sheet describes it.
type Certificate struct {
	Serial  SerialNumber
	Issuer  string    // as written in the sheet, "" if it has none
	Expires time.Time // midnight UTC of the day it expires
}

// The bounds of what one space holds. An accountant's space stays below them: its
// companies have ten to twenty services each. A space at the bounds takes a few
// megabytes to read, show and print.
const (
	MaxCompanies       = 500
	MaxCompanyServices = 50    // of one company
	MaxSpaceServices   = 10000 // of all companies of a space
)

// A Company is one company managed in a space, with its services.
type Company struct {
	SIREN    SIREN    `json:"siren"`
	Name     string   `json:"name"`
	Services []string `json:"services"`
}

// SubscriberNumber identifies a space. It never changes (R5) and is kept as
// typed: leading zeros and letter case count.
type SubscriberNumber string

// ParseSubscriberNumber reads 6 to 20 ASCII letters and digits, surrounding
// white space ignored. It returns ErrNumberMissing or ErrNumberFormat.
func ParseSubscriberNumber(s string) (SubscriberNumber, error) {
	s = text.Trim(s)
	if s == "" {
		return "", ErrNumberMissing
	}
	for _, r := range s {
		if !isASCIIAlnum(r) {
			return "", ErrNumberFormat.naming(r)
		}
	}
	if len(s) < 6 || len(s) > 20 {
		return "", ErrNumberFormat
	}
	return SubscriberNumber(s), nil
}

// ParseHolder reads the name of the person who owns a space: 1 to 200 characters, with
// single spaces. It returns ErrHolderMissing or ErrHolderLong.
func ParseHolder(s string) (string, error) {
	return parseName(s, 200, ErrHolderMissing, ErrHolderLong)
}

// SerialNumber is a certificate's serial number: lower-case hexadecimal without
// leading zeros, so that equal numbers are equal strings.
type SerialNumber string

// maxSerialDigits is 20 octets, the longest serial number RFC 5280 allows.
const maxSerialDigits = 40

// ParseSerialNumber reads hexadecimal digits; colons, white space, a leading
// 0x and leading zeros are ignored. It returns ErrSerialMissing or ErrSerialFormat.
func ParseSerialNumber(s string) (SerialNumber, error) {
	digits := strings.TrimPrefix(strings.ToLower(withoutBlanks(strings.ReplaceAll(s, ":", ""))), "0x")
	if digits == "" {
		return "", ErrSerialMissing
	}
	for _, r := range digits {
		if !(r >= '0' && r <= '9' || r >= 'a' && r <= 'f') {
			return "", ErrSerialFormat.naming(r)
		}
	}
	digits = strings.TrimLeft(digits, "0")
	if digits == "" || len(digits) > maxSerialDigits {
		return "", ErrSerialFormat
	}
	return SerialNumber(digits), nil
}

// SerialNumberOf is the serial number of an X.509 certificate.
func SerialNumberOf(n *big.Int) SerialNumber { return SerialNumber(n.Text(16)) }

// attributeLine is a line end or a tab before an attribute of a name, as programs show
// one attribute a line.
var attributeLine = regexp.MustCompile(`[,;]*[\pZ\s\v\x{85}]*[\t\n\v\f\r\x{85}\x{2028}\x{2029}][\pZ\s\v\x{85}]*([0-9A-Za-z.]+[\pZ\s]*=)`)

// ParseIssuer reads the optional issuer of a certificate, at most 500 characters
// on one line: attributes that had a line each are separated by commas. It
// returns ErrIssuerLong.
func ParseIssuer(s string) (string, error) {
	s = text.Trim(s)
	if strings.ContainsFunc(s, endsAttribute) { // few names have one, and the pattern is slow
		s = attributeLine.ReplaceAllString(s, ", $1")
	}
	return parseName(s, 500, nil, ErrIssuerLong)
}

// endsAttribute tells whether r is a line end or a tab: attributeLine matches nothing
// without one.
func endsAttribute(r rune) bool {
	return r >= '\t' && r <= '\r' || r == '\u0085' || r == '\u2028' || r == '\u2029'
}

// SIREN identifies a French company: 9 digits.
type SIREN string

// Grouped is the SIREN as people write it, "123 456 789"; no line break splits it.
func (s SIREN) Grouped() string {
	if len(s) != 9 {
		return string(s)
	}
	return string(s[:3] + "\u00a0" + s[3:6] + "\u00a0" + s[6:])
}

// ParseSIREN reads 9 digits, white space between them ignored. The check digit is not
// verified, as the administration's own files are the reference. It returns ErrSIREN.
func ParseSIREN(s string) (SIREN, error) {
	s = withoutBlanks(s)
	for _, r := range s {
		if r < '0' || r > '9' {
			return "", ErrSIREN.naming(r)
		}
	}
	if len(s) != 9 {
		return "", ErrSIREN
	}
	return SIREN(s), nil
}

func withoutBlanks(s string) string {
	return strings.Map(func(r rune) rune {
		if text.IsBlank(r) {
			return -1
		}
		return r
	}, s)
}

// ParseCompanyName reads a company's name, 1 to 200 characters. It returns
// ErrCompanyName.
func ParseCompanyName(s string) (string, error) {
	return parseName(s, 200, ErrCompanyName, ErrCompanyName)
}

// ParseServiceName reads the optional name of an online service, at most 100
// characters. It returns ErrServiceName.
func ParseServiceName(s string) (string, error) {
	return parseName(s, 100, nil, ErrServiceName)
}

// parseName reads a text of at most limit characters; missing is nil where it may be empty.
func parseName(s string, limit int, missing, long error) (string, error) {
	s = text.Collapse(s)
	if s == "" {
		return "", missing
	}
	if utf8.RuneCountInString(s) > limit {
		return "", long
	}
	return s, nil
}

func isASCIIAlnum(r rune) bool {
	return r >= '0' && r <= '9' || r|0x20 >= 'a' && r|0x20 <= 'z'
}
