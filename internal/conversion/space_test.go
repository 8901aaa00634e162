package conversion

import (
	"math/big"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"bascule/internal/text"

	"golang.org/x/text/unicode/norm"
	"pgregory.net/rapid"
)

// R5: a subscriber number is 6 to 20 ASCII letters and digits, kept as typed.
func TestParseSubscriberNumber(t *testing.T) {
	tests := []struct {
		name, in string
		want     SubscriberNumber
		err      error
	}{
		{"digits", "123456", "123456", nil},
		{"leading zeros stay", "00012345", "00012345", nil},
		{"case stays", "Ab12cD", "Ab12cD", nil},
		{"20", strings.Repeat("9", 20), SubscriberNumber(strings.Repeat("9", 20)), nil},
		{"blanks around", "\u00a0 123456\t\ufeff", "123456", nil},
		{"empty", "", "", ErrNumberMissing},
		{"blanks alone", "\u00a0\u200b", "", ErrNumberMissing},
		{"5", "12345", "", ErrNumberFormat},
		{"21", strings.Repeat("9", 21), "", ErrNumberFormat},
		{"blank inside", "123 456", "", ErrNumberFormat},
		{"zero width inside", "123\u200b456", "", ErrNumberFormat},
		{"accent", "12345é", "", ErrNumberFormat},
		{"full-width digits", "１２３４５６", "", ErrNumberFormat},
		{"full-width digits of six bytes", "１２", "", ErrNumberFormat},
		{"hyphen", "123-456", "", ErrNumberFormat},
		{"neighbours of letters in ASCII", "@[`{/:", "", ErrNumberFormat},
		{"scientific notation", "1.2E+12", "", ErrNumberFormat},
		{"formula", "=A1234", "", ErrNumberFormat},
		{"NUL", "123456\x00", "", ErrNumberFormat},
	}
	for _, tt := range tests {
		got, err := ParseSubscriberNumber(tt.in)
		wantError(t, tt.name, err, tt.err)
		if got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

// R7: a serial number is compared as a number, however the sheet writes it.
func TestParseSerialNumber(t *testing.T) {
	tests := []struct {
		name, in string
		want     SerialNumber
		err      error
	}{
		{"plain", "1a2b", "1a2b", nil},
		{"colons and capitals", "1A:2B:FF", "1a2bff", nil},
		{"blanks", " 1A 2B\u00a0FF\t", "1a2bff", nil},
		{"zero width", "\u200e1A\u200b2B", "1a2b", nil},
		{"0x", "0x1A2B", "1a2b", nil},
		{"0X", "0X1A2B", "1a2b", nil},
		{"leading zeros", "00:00:1A", "1a", nil},
		{"leading zeros after 0x", "0x001A", "1a", nil},
		{"decimal digits are hexadecimal here", "10", "10", nil},
		{"40 digits", strings.Repeat("f", 40), SerialNumber(strings.Repeat("f", 40)), nil},
		{"40 digits and a sign octet", "00" + strings.Repeat("f", 40), SerialNumber(strings.Repeat("f", 40)), nil},
		{"41 digits", strings.Repeat("f", 41), "", ErrSerialFormat},
		{"empty", "", "", ErrSerialMissing},
		{"colons alone", "::", "", ErrSerialMissing},
		{"0x alone", "0x", "", ErrSerialMissing},
		{"zero", "00:00", "", ErrSerialFormat},
		{"no hexadecimal digit", "1G", "", ErrSerialFormat},
		{"0x inside", "120x3", "", ErrSerialFormat},
		{"negative", "-1A", "", ErrSerialFormat},
		{"scientific notation", "1.2E+30", "", ErrSerialFormat},
		{"full-width digits", "１Ａ", "", ErrSerialFormat},
		{"not UTF-8", "1a\xff", "", ErrSerialFormat},
	}
	for _, tt := range tests {
		got, err := ParseSerialNumber(tt.in)
		wantError(t, tt.name, err, tt.err)
		if got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

// R7: the serial number of the sheet and the one of the certificate shown are equal strings exactly when they are one number.
func TestSerialNumberOf(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := new(big.Int).SetBytes(rapid.SliceOfN(rapid.Byte(), 1, 20).Draw(t, "octets"))
		n.Add(n, big.NewInt(1))
		if n.BitLen() > 160 {
			n.SetInt64(1)
		}
		var written strings.Builder
		for i, r := range rapid.SampledFrom([]string{n.Text(16), "0x0" + n.Text(16), "000" + strings.ToUpper(n.Text(16))}).Draw(t, "written") {
			if i > 2 && i%2 == 1 {
				written.WriteString(rapid.SampledFrom([]string{"", ":", " ", "\u00a0"}).Draw(t, "between"))
			}
			written.WriteRune(r)
		}
		if got, err := ParseSerialNumber(written.String()); err != nil || got != SerialNumberOf(n) {
			t.Fatalf("%q reads as %q, %v; the certificate has %q", written.String(), got, err, SerialNumberOf(n))
		}
	})
}

// R9: a SIREN is nine digits, blanks between them ignored.
func TestGroupedSIREN(t *testing.T) {
	for s, want := range map[SIREN]string{"012345678": "012\u00a0345\u00a0678", "": "", "12": "12"} {
		if got := s.Grouped(); got != want {
			t.Errorf("%q: %q, want %q", s, got, want)
		}
	}
}

func TestParseSIREN(t *testing.T) {
	tests := []struct {
		name, in string
		want     SIREN
		err      error
	}{
		{"plain", "123456789", "123456789", nil},
		{"groups of three", " 123 456\u00a0789\u202f", "123456789", nil},
		{"leading zeros stay", "000 000 001", "000000001", nil},
		{"empty", "", "", ErrSIREN},
		{"8", "12345678", "", ErrSIREN},
		{"10", "1234567890", "", ErrSIREN},
		{"SIRET", "12345678900012", "", ErrSIREN},
		{"letter", "12345678A", "", ErrSIREN},
		{"full stops", "123.456.789", "", ErrSIREN},
		{"Arabic digits", "١٢٣٤٥٦٧٨٩", "", ErrSIREN},
		{"full-width digits", "１２３４５６７８９", "", ErrSIREN},
		{"not UTF-8", "123456789\xff", "", ErrSIREN},
	}
	for _, tt := range tests {
		got, err := ParseSIREN(tt.in)
		wantError(t, tt.name, err, tt.err)
		if got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

// R5, R9: how the names of a sheet are cleaned, which may be missing and how long each may be.
func TestParseNames(t *testing.T) {
	parsers := []struct {
		name          string
		parse         func(string) (string, error)
		limit         int
		missing, long error
	}{
		{"holder", ParseHolder, 200, ErrHolderMissing, ErrHolderLong},
		{"issuer", ParseIssuer, 500, nil, ErrIssuerLong},
		{"company", ParseCompanyName, 200, ErrCompanyName, ErrCompanyName},
		{"service", ParseServiceName, 100, nil, ErrServiceName},
	}
	texts := []struct{ in, want string }{
		{"  Durand\u00a0\u00a0Camille\r\n", "Durand Camille"},
		{"L’Œuvre & Fils (SARL) <Łódź>", "L’Œuvre & Fils (SARL) <Łódź>"},
		{"He\u0301le\u0300ne", "Hélène"},
		{"He\u200b\u0301le\u00ad\u0300ne\ufeff", "Hélène"},
		{"Du\x00ra\x1bnd\u0085SA", "Durand SA"},
		{"Durand\u202eSA", "DurandSA"},
		{"Durand\xffSA", "Durand\ufffdSA"},
		{"=HYPERLINK(1)", "=HYPERLINK(1)"},
		{"a\u2028b\tc\vd", "a b c d"},
		{"吉野家 𠮷 🐈", "吉野家 𠮷 🐈"},
	}
	for _, p := range parsers {
		t.Run(p.name, func(t *testing.T) {
			for _, tt := range texts {
				if got, err := p.parse(tt.in); err != nil || got != tt.want {
					t.Errorf("%q reads as %q, %v; want %q", tt.in, got, err, tt.want)
				}
			}
			for _, in := range []string{"", " \u00a0\t", "\u200b\x00"} {
				got, err := p.parse(in)
				wantError(t, "nothing", err, p.missing)
				if got != "" {
					t.Errorf("%q reads as %q", in, got)
				}
			}
			longest := strings.Repeat("é", p.limit)
			if got, err := p.parse(" " + longest + " "); err != nil || got != longest {
				t.Errorf("%d characters: %v", p.limit, err)
			}
			_, err := p.parse(longest + "é")
			wantError(t, "one more", err, p.long)
		})
	}
}

// checkName asserts what holds for every accepted name: it may be stored, printed on one line and read again.
func checkName(t *testing.T, name string, parse func(string) (string, error)) {
	t.Helper()
	if again, err := parse(name); err != nil || again != name {
		t.Fatalf("%q reads again as %q, %v", name, again, err)
	}
	if !utf8.ValidString(name) || !norm.NFC.IsNormalString(name) || strings.ContainsFunc(name, unicode.IsControl) || strings.Contains(name, "  ") {
		t.Fatalf("%q was accepted", name)
	}
}

// I8: no cell makes a parser panic, and each accepted value reads again as itself, in its one spelling.
func FuzzParseCell(f *testing.F) {
	for _, s := range []string{"", "123456", "00:1A:ff", "0x0x1", "123 456 789", "Hélène\u200b\u0301", "e\u200d\u0301 \x00\xff", "\u1100\u00ad\u1161"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if n, err := ParseSubscriberNumber(s); err == nil {
			if again, err := ParseSubscriberNumber(string(n)); err != nil || again != n || len(n) < 6 || len(n) > 20 {
				t.Fatalf("number %q reads again as %q, %v", n, again, err)
			}
		}
		if n, err := ParseSIREN(s); err == nil {
			if again, err := ParseSIREN(string(n)); err != nil || again != n || len(n) != 9 || !allDigits(string(n)) {
				t.Fatalf("SIREN %q reads again as %q, %v", n, again, err)
			}
		}
		if n, err := ParseSerialNumber(s); err == nil {
			number, ok := new(big.Int).SetString(string(n), 16)
			if again, err := ParseSerialNumber(string(n)); err != nil || again != n || !ok || SerialNumberOf(number) != n {
				t.Fatalf("serial number %q reads again as %q, %v", n, again, err)
			}
		}
		for _, parse := range []func(string) (string, error){ParseHolder, ParseIssuer, ParseCompanyName, ParseServiceName} {
			if name, err := parse(s); err == nil {
				checkName(t, name, parse)
			}
		}
	})
}

// R7: attributes of an issuer that have a line each, or tabs between them, stay
// apart on the one line that is stored; other white space is collapsed.
func TestParseIssuerOnLines(t *testing.T) {
	const want = "CN = AC Essai, O = Essai, C = FR"
	for _, in := range []string{
		want, "CN = AC Essai\r\nO = Essai\r\nC = FR\r\n", "CN = AC Essai\tO = Essai\tC = FR", "CN = AC\nEssai \u00a0\n\n\tO = Essai\vC = FR",
		"\n CN = AC Essai\u2028O = Essai\u0085C = FR\n\n", "CN\t=\u00a0AC Essai\nO\t= Essai\nC\t= FR",
	} {
		if got, err := ParseIssuer(in); got != want || err != nil {
			t.Errorf("%q becomes %q, %v", in, got, err)
		}
	}
	for in, want := range map[string]string{
		"AC\nEssai":               "AC Essai",
		"issuer=\n  2.5.4.3 = AC": "issuer=, 2.5.4.3 = AC",
		"CN=AC Essai,\r\nO=Essai": "CN=AC Essai, O=Essai",
		"CN=Société\nd'Émile = x": "CN=Société d'Émile = x",
	} {
		if got, err := ParseIssuer(in); got != want || err != nil {
			t.Errorf("%q becomes %q, %v; want %q", in, got, err, want)
		}
	}
}

// The shortcut for an issuer without line ends changes no issuer, whatever character is
// between its attributes.
func TestShortcut(t *testing.T) {
	for r := range rune(0x3100) {
		s := "CN=a" + string(r) + "O=b"
		if got, err := ParseIssuer(s); got != text.Collapse(attributeLine.ReplaceAllString(s, ", $1")) || err != nil {
			t.Errorf("the issuer %q is read as %q, %v", s, got, err)
		}
	}
}
