package certificate

import (
	"bytes"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"strings"
	"testing"
)

var (
	organizationIdentifier = []int{2, 5, 4, 97}
	emailAddress           = []int{1, 2, 840, 113549, 1, 9, 1}
)

// known are the authorities of the tests below, by a short name.
func known(t testing.TB) map[string]entity {
	return map[string]entity{
		"pro":    root(t, professionals),
		"par":    root(t, pkix.Name{CommonName: "AC Exemple Particuliers", Organization: []string{"Autorité de certification d'exemple"}, Country: []string{"FR"}}),
		"quoted": root(t, pkix.Name{CommonName: `"AC" Martin`}),
		"units": root(t, pkix.Name{
			CommonName: "AC Dupont, Durand + Cie; \"S/MIME\"", Organization: []string{"Dupont, Durand et Cie"},
			OrganizationalUnit: []string{"0002 123456789", "Production"}, Locality: []string{"Besançon"}, Province: []string{"Doubs"}, SerialNumber: "42",
			ExtraNames: []pkix.AttributeTypeAndValue{{Type: organizationIdentifier, Value: "NTRFR-123456789"}, {Type: emailAddress, Value: "ac@dupont.example"}},
		}),
	}
}

// R7: a sheet's issuer leads to the one authority whose subject has all that the
// text names, however it is written, and to no other.
func TestMatch(t *testing.T) {
	authorities := known(t)
	store := openStore(t, pemCA(authorities["pro"], authorities["par"], authorities["quoted"], authorities["units"]), nil)
	for _, c := range []struct{ issuer, want string }{
		// as people and programs write it
		{"CN=AC Exemple Professionnels, O=Autorité de certification d'exemple, C=FR", "pro"},
		{"C=FR,O=Autorité de certification d'exemple,CN=AC Exemple Professionnels", "pro"},
		{"C = FR, O = Autorit\\C3\\A9 de certification d'exemple, CN = AC Exemple Professionnels", "pro"},
		{"issuer=C = FR, O = Autorité de certification d'exemple, CN = AC Exemple Professionnels", "pro"},
		{"issuer= /C=FR/O=Autorit\\xC3\\xA9 de certification d'exemple/CN=AC Exemple Professionnels", "pro"},
		{"/O=Autorit\\xE9 de certification d'exemple/CN=AC Exemple Professionnels", "pro"}, // of older authorities
		{"/C=FR/O=Autorité de certification d'exemple/CN=AC Exemple Professionnels", "pro"},
		{"C=FR/O=Autorité de certification d'exemple/CN=AC Exemple Professionnels", "pro"},
		{"cn=ac exemple PROFESSIONNELS ; o=AUTORITÉ DE CERTIFICATION D'EXEMPLE ; c=fr", "pro"},
		{"CN=AC Exemple Professionnels + O=Autorité de certification d'exemple", "pro"},
		{"CN=\"AC Exemple Professionnels\", O=\"Autorité de certification d'exemple\"", "pro"},
		{"2.5.4.3=AC Exemple Professionnels, OID.2.5.4.6=FR", "pro"},
		{"CN=#0c1841432045786d706c652050726f66657373696f6e6e656c73", ""},   // a letter is missing
		{"CN=#0c1a4143204578656d706c652050726f66657373696f6e6e656c73", ""}, // a length too many
		{"CN=#0c194143204578656d706c652050726f66657373696f6e6e656c73", "pro"},
		{"CN=#0c194143204578656d706c652050726f66657373696f6e6e656c7300", ""}, // a byte behind it
		{"CN=AC Exemple Professionnels, O=Autorité de certification d’exemple", "pro"},
		{"CN=AC Exemple Professionnels, O=Autorite\u0301 de certification d'exemple", "pro"},
		{"  CN=AC\u00a0Exemple\tProfessionnels\u200b ,, C=FR ; ", "pro"},
		{"CN=AC\x01 Exemple Professionnels\x00", "pro"},
		{`CN = "AC Exemple Professionnels" , C = FR`, "pro"},
		{`CN=AC Exemple Professionnel\s`, "pro"},
		{"CN=AC Exemple Professionnels C=FR", ""}, // a blank separates nothing
		{"AC Exemple Professionnels", "pro"},
		{"AC Exemple Professionnels, O=Autorité de certification d'exemple", "pro"},
		{"CommonName=AC Exemple Particuliers", "par"},

		// one attribute a line, or between tabs
		{"CN = AC Exemple Professionnels\r\nO = Autorité de certification d'exemple\r\nC = FR", "pro"}, // Windows
		{"CN=AC Exemple Professionnels\nC=FR\n", "pro"},
		{"CN=AC Exemple Professionnels\rC=FR", "pro"},
		{"CN=AC Exemple Professionnels\vC=FR", "pro"},
		{"CN=AC Exemple Professionnels\u2028C=FR\u0085", "pro"},
		{"CN=AC Exemple Professionnels\tO=Autorité de certification d'exemple\tC=FR", "pro"},
		{"CN\t=\tAC Exemple Professionnels\r\nC\t=\tFR", "pro"},
		{"CN=AC Exemple Professionnels,\n  O=Autorité de certification d'exemple,\n  C=FR", "pro"},
		{"issuer=\n    countryName               = FR\n    organizationName          = Autorité de certification d'exemple\n    commonName                = AC Exemple Professionnels\n", "pro"}, // OpenSSL
		{"Issuer:\r\n    CN=AC Exemple Professionnels\r\n    O=Autorité de certification d'exemple\r\n    C=FR\r\n", "pro"},                                                                      // certutil
		{"Émetteur\u00a0: \r\n    CN=AC Exemple Professionnels\r\n    C=FR", "pro"},
		{"Emetteur : CN=AC Exemple Professionnels, C=FR", "pro"}, // keytool
		{"CN = AC Exemple\r\nProfessionnels\r\nC = FR", "pro"},   // a long value that a cell wraps
		{"CN=\"AC Exemple Professionnels\"\nC=FR", "pro"},
		{"CN = AC Dupont, Durand + Cie; \"S/MIME\"\nO = Dupont, Durand et Cie\nOU = 0002 123456789\nOU = Production\nOID.2.5.4.97 = NTRFR-123456789", "units"},
		{"CN = AC Exemple Professionnels\nC = BE", ""},
		{"CN = AC Exemple Professionnels\nXY = FR", ""},
		{"Organisation\nCN = AC Exemple Professionnels", ""}, // a line of its own is a name too

		// values that hold what elsewhere separates
		{`CN=AC Dupont\, Durand \+ Cie\; \"S/MIME\", L=Besançon`, "units"},
		{`CN="AC Dupont, Durand + Cie; ""S/MIME"""; ST=Doubs`, "units"},
		{`CN="AC Dupont, Durand + Cie; \"S/MIME\"" , S=Doubs`, "units"},
		{`CN=AC Dupont, Durand + Cie; "S/MIME", O=Dupont, Durand et Cie`, "units"},
		{`AC Dupont, Durand + Cie; "S/MIME"`, "units"},
		{`O=Dupont, Durand et Cie`, "units"},

		{`CN="AC" Martin`, "quoted"},
		{`"AC" Martin`, "quoted"},
		{`CN="\"AC\" Martin"`, "quoted"},

		// more than one value, and rare attributes
		{"OU=0002 123456789, OU=Production", "units"},
		{"OU=Production", "units"},
		{"OU=Production, OU=Essais", ""},
		{"organizationIdentifier=NTRFR-123456789", "units"},
		{"2.5.4.97=#0c0f4e545246522d313233343536373839", "units"},
		{"E=ac@dupont.example, SERIALNUMBER=42", "units"},
		{"emailAddress=ac@dupont.example/CN=AC Dupont, Durand + Cie; \"S/MIME\"", "units"},

		// nobody, or not only one
		{"", "several"},
		{" \u200b ", "several"},
		{"O=Autorité de certification d'exemple, C=FR", "several"},
		{"C=FR", "several"},
		{"CN=AC Exemple Professionnels, O=Autre", ""},
		{"CN=AC Exemple Professionnels, C=FR, OU=Production", ""},
		{"CN=AC Exemple", ""},
		{"CN=AC Exemple Professionnels 2", ""},
		{"CN=AC Exemple Professionnels, XY=1", ""},
		{"O=AC Exemple Professionnels", ""},
		{"O=Autorite de certification d'exemple, CN=AC Exemple Professionnels", ""}, // an accent is a letter
		{"CN=", ""},
		{"CN=, C=FR", ""},
		{"=", ""},
		{",", ""},
		{"/", ""},
		{long(maxName), "pro"},
		{long(maxName + 1), ""}, // too long to be read
	} {
		got, err := store.Match(c.issuer)
		switch {
		case c.want == "several" && errors.Is(err, ErrSeveralAuthorities):
		case c.want == "" && errors.Is(err, ErrNoAuthority):
		case err == nil && authorities[c.want].Certificate != nil && got.Equal(authorities[c.want].Certificate):
		default:
			t.Errorf("%.99q: %v, want %q", c.issuer, err, c.want)
		}
	}
}

// long is a name of so many bytes.
func long(n int) string {
	const name = "CN=AC Exemple Professionnels"
	return name + strings.Repeat(",", n-len(name))
}

// R7: certificates of one name are one authority: renewed ones, and those of
// several roots.
func TestMatchCountsNames(t *testing.T) {
	ca, other := root(t, professionals), root(t, pkix.Name{CommonName: "AC autre"})
	rolled, crossed := root(t, professionals), other.crossed(t, ca, 7)
	for _, c := range []struct {
		name   string
		file   []entity
		issuer string
		want   error
	}{
		{"alone", []entity{ca}, "", nil},
		{"twice the same", []entity{ca, ca}, "", nil},
		{"cross-signed", []entity{ca, crossed}, "", nil},
		{"with a new key", []entity{ca, rolled}, "", nil},
		{"with a new key, by name", []entity{ca, rolled, other}, "AC Exemple Professionnels", nil},
		{"two", []entity{ca, other}, "", ErrSeveralAuthorities},
	} {
		got, err := openStore(t, pemCA(c.file...), nil).Match(c.issuer)
		if err != c.want || err == nil && !got.Equal(c.file[0].Certificate) {
			t.Errorf("%s: %v, want %v and the first of the file", c.name, err, c.want)
		}
	}
}

// R7: a certificate is tied to a space by the very authority that the sheet
// names, never by its number alone.
func TestIssued(t *testing.T) {
	ca, other := root(t, professionals), root(t, pkix.Name{CommonName: "AC autre", Organization: professionals.Organization})
	middle := ca.below(t, "AC intermédiaire")
	rolled := root(t, professionals)
	store := openStore(t, pemCA(ca, other, rolled, middle), nil)
	holder := func(issuer entity) Holder {
		h, err := store.Verify(issuer.client(t).Certificate, now)
		if err != nil {
			t.Fatal(err)
		}
		return h
	}
	for _, c := range []struct {
		name, issuer string
		holder       Holder
		want         error
	}{
		{"its authority", "CN=AC Exemple Professionnels", holder(ca), nil},
		{"its authority, which has a new key", "CN=AC Exemple Professionnels", holder(rolled), nil},
		{"the same number of another authority", "CN=AC Exemple Professionnels", holder(other), ErrOtherAuthority},
		{"the authority above its own", "CN=AC Exemple Professionnels", holder(middle), ErrOtherAuthority},
		{"the authority below another", "CN=AC intermédiaire", holder(middle), nil},
		{"nobody", "CN=AC oubliée", holder(ca), ErrNoAuthority},
		{"several", "O=Autorité de certification d'exemple", holder(ca), ErrSeveralAuthorities},
		{"not told", "", holder(ca), ErrSeveralAuthorities},
	} {
		if err := store.Issued(c.issuer, c.holder); err != c.want {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
}

// R7: a separator counts only where the type of an attribute follows, by a name
// that is known or as a dotted number.
func TestParseNameCountsTypes(t *testing.T) {
	for text, want := range map[string]int{
		"CN=a, C=b": 2, "CN=a, 2.5.4.6=b": 2, "CN=a, OID.2.5.4.6=b": 2, "CN=a, c =b": 2,
		"CN=a, 5=b": 1, "CN=a, 2..5=b": 1, "CN=a, .5=b": 1, "CN=a, 2.x=b": 1, "CN=a, XY=b": 1, "CN=a, =b": 1, "CN=a, C b": 1,
		"CN=a, \u017f=b": 1, // a long s, whose capital is S
	} {
		if got := parseName(text); len(got) != want {
			t.Errorf("%q reads as %v, want %d attributes", text, got, want)
		}
	}
}

// R7: the forms in which programs write a name read as that name.
func TestParseNameOfPrograms(t *testing.T) {
	for name, e := range known(t) {
		for i, text := range []string{e.Subject.String(), e.Subject.ToRDNSequence().String()} {
			if a := (&authority{certificate: e.Certificate, name: subject(e.Certificate)}); !a.bears(parseName(normalizeLines(text))) {
				t.Errorf("%s, way %d: %q reads as %v", name, i, text, parseName(normalizeLines(text)))
			}
		}
	}
}

// I8: no text makes the reader panic or hold more than the text has. A name that was
// read reads the same once it is written in one form.
func FuzzParseName(f *testing.F) {
	for _, s := range []string{
		"CN=AC Exemple, O=Autorité d'exemple, C=FR", "/C=FR/O=X/CN=Y/", "issuer=CN=\"a\"\"b\\\"\" + OU=c\\,d;E=e", "AC", "CN=#0c0141", "CN=\\", "\"", "=,;+/", "2.5.4.97=x", "CN=a\\xC3\\xA9\\C3", "\xff,CN=\xe9",
		"CN=\"a\" b, C=FR", "+CN=x", "\xb6\xdc\\d0", "/ , /CN=x", "CN=  , ,",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		all := parseName(normalizeLines(s))
		var written []string
		total := 0
		for _, a := range all {
			if a.oid == "" || a.value != normalize(a.value) {
				t.Fatalf("%q reads as %q", s, all)
			}
			total += len(a.value)
			written = append(written, a.oid+"="+quote(a.value))
		}
		if len(all) > len(s) || total > 12*len(s) { // Latin-1 doubles, in the text and in a value, and normalising may triple
			t.Fatalf("%q reads as %d attributes of %d bytes", s, len(all), total)
		}
		text := strings.Join(written, ",")
		if again := parseName(text); len(text) <= maxName && fmt.Sprint(again) != fmt.Sprint(all) {
			t.Fatalf("%q reads as %q, and again as %q", s, all, again)
		}
	})
}

// quote writes a value as RFC 4514 and its ancestors allow it.
func quote(s string) string {
	var b bytes.Buffer
	b.WriteByte('"')
	for _, c := range []byte(s) {
		if c == '"' || c == '\\' {
			b.WriteByte('\\')
		}
		b.WriteByte(c)
	}
	b.WriteByte('"')
	return b.String()
}
