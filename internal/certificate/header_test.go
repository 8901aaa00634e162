package certificate

import (
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"errors"
	"math/big"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

func item(e entity) string { return ":" + base64.StdEncoding.EncodeToString(e.Raw) + ":" }

func escaped(e entity) string { return url.PathEscape(string(pemCA(e))) }

// R7: a certificate in a header is read in the form of RFC 9440 or that of nginx.
// Anything else is refused, as a client may have written it.
func TestFromHeader(t *testing.T) {
	ca := root(t, professionals)
	leaf := ca.client(t)
	own, c := item(leaf), item(ca)
	large := ca.client(t, picture(maxCertificate-2<<10))
	for _, tt := range []struct {
		name   string
		header http.Header
		read   bool
		refuse bool
	}{
		{"nothing", http.Header{}, false, false},
		{"headers of other ways", http.Header{"X-Ssl-Client-Cert": {own}, "X-Forwarded-Client-Cert": {own}, "Ssl-Client-Cert": {own}}, false, false},
		{"with an underscore", http.Header{"Client_cert": {own}, "Client_Cert": {own}}, false, false},
		{"a chain alone", http.Header{"Client-Cert-Chain": {own}}, false, false},
		{"a certificate", http.Header{"Client-Cert": {own}}, true, false},
		{"blanks around", http.Header{"Client-Cert": {" \t" + own + " "}}, true, false},
		{"a chain", http.Header{"Client-Cert": {own}, "Client-Cert-Chain": {c + ", not one"}}, true, false},
		{"as nginx writes it", http.Header{"Client-Cert": {escaped(leaf)}}, true, false},
		{"as nginx writes it, all escaped", http.Header{"Client-Cert": {strings.NewReplacer("+", "%2B", "/", "%2F", "=", "%3D").Replace(escaped(leaf))}}, true, false},
		{"as nginx writes it, without a line's end", http.Header{"Client-Cert": {strings.TrimSuffix(escaped(leaf), "%0A")}}, true, false},

		{"as nginx writes it, unescaped", http.Header{"Client-Cert": {strings.ReplaceAll(string(pemCA(leaf)), "\n", "\t")}}, true, false},
		{"as Apache writes it", http.Header{"Client-Cert": {strings.ReplaceAll(string(pemCA(leaf)), "\n", " ")}}, true, false},
		{"as Apache writes it, without its last blank", http.Header{"Client-Cert": {strings.TrimSpace(strings.ReplaceAll(string(pemCA(leaf)), "\n", " "))}}, true, false},

		{"two certificates", http.Header{"Client-Cert": {own, own}}, false, true},
		{"two certificates in one field", http.Header{"Client-Cert": {own + ", " + c}}, false, true},
		{"an empty one", http.Header{"Client-Cert": {""}}, false, true},
		{"an empty one and one", http.Header{"Client-Cert": {"", own}}, false, true},
		{"an empty byte sequence", http.Header{"Client-Cert": {"::"}}, false, true},
		{"one colon", http.Header{"Client-Cert": {":"}}, false, true},
		{"no colons", http.Header{"Client-Cert": {strings.Trim(own, ":")}}, false, true},
		{"no colon before", http.Header{"Client-Cert": {own[1:]}}, false, true},
		{"no colon behind", http.Header{"Client-Cert": {own[:len(own)-1]}}, false, true},
		{"a parameter", http.Header{"Client-Cert": {own + ";a=1"}}, false, true},
		{"a string", http.Header{"Client-Cert": {`"` + own + `"`}}, false, true},
		{"two escaped", http.Header{"Client-Cert": {escaped(leaf) + escaped(ca)}}, false, true},
		{"escaped, and something behind", http.Header{"Client-Cert": {escaped(leaf) + "x"}}, false, true},
		{"escaped, and two in one", http.Header{"Client-Cert": {escaped(leaf) + ", " + escaped(leaf)}}, false, true},
		{"escaped of another kind", http.Header{"Client-Cert": {strings.ReplaceAll(escaped(leaf), "CERTIFICATE", "X509%20CRL")}}, false, true},
		{"escaped with a header", http.Header{"Client-Cert": {strings.Replace(escaped(leaf), "-----%0A", "-----%0AA:%20b%0A%0A", 1)}}, false, true},
		{"two as Apache writes them", http.Header{"Client-Cert": {strings.ReplaceAll(string(pemCA(leaf, leaf)), "\n", " ")}}, false, true},
		{"Apache without a certificate", http.Header{"Client-Cert": {"(null)"}}, false, true},
		{"escaped in part", http.Header{"Client-Cert": {"-----BEGIN%20CERTIFICATE-----%0A"}}, false, true},
		{"wrongly escaped", http.Header{"Client-Cert": {escaped(leaf) + "%"}}, false, true},
		{"no base64", http.Header{"Client-Cert": {":?:"}}, false, true},
		{"a line break", http.Header{"Client-Cert": {own[:40] + "\r\n" + own[40:]}}, false, true},
		{"no certificate", http.Header{"Client-Cert": {":AAAA:"}}, false, true},
		{"bytes behind the certificate", http.Header{"Client-Cert": {":" + base64.StdEncoding.EncodeToString(append(leaf.Raw[:len(leaf.Raw):len(leaf.Raw)], 0)) + ":"}}, false, true},
		{"as much as there may be", http.Header{"Client-Cert": {own + strings.Repeat(" ", MaxHeader-len(own))}}, true, false},
		{"too much", http.Header{"Client-Cert": {own + strings.Repeat(" ", MaxHeader-len(own)+1)}}, false, true},
	} {
		got, err := FromHeader(tt.header)
		if errors.Is(err, Malformed) != tt.refuse || err != nil && !tt.refuse {
			t.Errorf("%s: error %v", tt.name, err)
		}
		if (got != nil) != tt.read || got != nil && !got.Equal(leaf.Certificate) {
			t.Errorf("%s: another certificate, or none", tt.name)
		}
	}
	for _, value := range []string{item(large), escaped(large)} {
		if got, err := FromHeader(http.Header{"Client-Cert": {value}}); err != nil || !got.Equal(large.Certificate) {
			t.Errorf("a large certificate, as %.15q: %v", value, err)
		}
	}
}

// I6: no refusal repeats what a certificate or a header says of a person.
func TestRefusalsTellNobody(t *testing.T) {
	leaf := root(t, professionals).client(t)
	spoiled := ":" + base64.StdEncoding.EncodeToString(leaf.Raw[:len(leaf.Raw)-1]) + ":"
	telling := ":" + base64.StdEncoding.EncodeToString(unreadable(t)) + ":"
	for _, value := range []string{spoiled, telling, "Camille Durand", ":Camille:"} {
		if _, err := FromHeader(http.Header{"Client-Cert": {value}}); err == nil || strings.Contains(err.Error(), "Camille") {
			t.Errorf("%.40q: %v", value, err)
		}
	}
	_, err := openStore(t, pemCA(root(t, professionals)), nil).Verify(leaf.Certificate, now)
	if err == nil || strings.Contains(err.Error(), "Camille") {
		t.Error(err)
	}
}

// unreadable is a certificate with which x509 finds fault by quoting it.
func unreadable(t *testing.T) []byte {
	t.Helper()
	ca := root(t, professionals)
	names, err := asn1.Marshal([]asn1.RawValue{{Class: asn1.ClassContextSpecific, Tag: 6, Bytes: []byte("http://Camille%zz")}})
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: now, NotAfter: now,
		ExtraExtensions: []pkix.Extension{{Id: []int{2, 5, 29, 17}, Value: names}}}
	der, err := x509.CreateCertificate(rand.Reader, template, ca.Certificate, ca.key.Public(), ca.key)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := x509.ParseCertificate(der); err == nil || !strings.Contains(err.Error(), "Camille") {
		t.Fatalf("x509 says %v, and quotes nothing", err)
	}
	return der
}

// R7, I8: any field is refused or is one certificate. A certificate that was read is
// written back the same.
func FuzzFromHeader(f *testing.F) {
	leaf := root(f, professionals).client(f)
	own := item(leaf)
	for _, s := range []string{"", own, own + ",", "::", ":", ":AA==:, :AA:", "\"a\"", own + ";p", escaped(leaf), escaped(leaf) + "%0A"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, value string) {
		c, err := FromHeader(http.Header{"Client-Cert": {value}})
		if (err == nil) == (c == nil) || err != nil && !errors.Is(err, Malformed) {
			t.Fatalf("%q: %v, %v", value, c, err)
		}
		if c == nil {
			return
		}
		text, _ := url.PathUnescape(value)
		written := strings.Join(strings.Fields(text), "")
		if read := item(entity{Certificate: c}); read != strings.Trim(value, " \t") && !strings.Contains(written, strings.Trim(read, ":")) {
			t.Fatalf("%q reads as %q", value, read)
		}
	})
}
