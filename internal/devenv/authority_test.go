package devenv

import (
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"software.sslmate.com/src/go-pkcs12"
)

var (
	authorityName = pkix.Name{CommonName: "AC Exemple Professionnels", Organization: []string{"Autorité de certification d'exemple"}, Country: []string{"FR"}}
	clientName    = pkix.Name{CommonName: "Camille Durand"}
	issuedFrom    = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	issuedUntil   = time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
)

func openAuthority(t *testing.T, dir string) *Authority {
	t.Helper()
	a, err := OpenAuthority(dir, authorityName)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func issueClient(t *testing.T, a *Authority, serial int64, usages ...x509.ExtKeyUsage) tls.Certificate {
	t.Helper()
	c, err := a.IssueClient(clientName, big.NewInt(serial), issuedFrom, issuedUntil, usages...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// A second run has the same authority, so that certificates in browsers stay
// good, and other users of the machine cannot read its key.
func TestAuthorityIsKept(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "authority")
	first, second := openAuthority(t, dir), openAuthority(t, dir)
	if !first.Certificate().Equal(second.Certificate()) {
		t.Error("the second run has another certificate")
	}
	c := issueClient(t, second, 1)
	if err := c.Leaf.CheckSignatureFrom(first.Certificate()); err != nil {
		t.Errorf("the second run has another key: %v", err)
	}
	for _, name := range []string{authorityFile, authorityKey} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s has %v, want 0600", name, info.Mode())
		}
	}
	if got := first.CAFile(); got != filepath.Join(dir, authorityFile) {
		t.Errorf("CAFile %s", got)
	}
}

// A run that ended while it made the authority is in nobody's way; an authority
// that lost its key, or has another name, is not replaced by a new one.
func TestAuthorityRemains(t *testing.T) {
	path := func(dir, name string) string { return filepath.Join(dir, name) }
	for _, c := range []struct {
		name  string
		spoil func(dir string) error
		want  string
	}{
		{"key alone", func(dir string) error { return os.Remove(path(dir, authorityFile)) }, ""},
		{"empty certificate", func(dir string) error { return os.Truncate(path(dir, authorityFile), 0) }, "ca.pem and ca.key"},
		{"no key", func(dir string) error { return os.Remove(path(dir, authorityKey)) }, "the key of ca.pem"},
		{"empty key", func(dir string) error { return os.Truncate(path(dir, authorityKey), 0) }, "ca.pem and ca.key"},
		{"another's key", func(dir string) error {
			other := filepath.Join(dir, "other")
			_, err := OpenAuthority(other, authorityName)
			return errors.Join(err, os.Rename(path(other, authorityKey), path(dir, authorityKey)))
		}, "ca.pem and ca.key"},
		{"another name", func(dir string) error {
			other := filepath.Join(dir, "other")
			_, err := OpenAuthority(other, clientName)
			return errors.Join(err, os.Rename(path(other, authorityKey), path(dir, authorityKey)), os.Rename(path(other, authorityFile), path(dir, authorityFile)))
		}, "Camille Durand"},
	} {
		dir := t.TempDir()
		openAuthority(t, dir)
		if err := c.spoil(dir); err != nil {
			t.Fatal(err)
		}
		_, err := OpenAuthority(dir, authorityName)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", c.name, err, c.want)
		}
	}
}

// Certificates say what they are for, and are for authentication by default.
func TestAuthorityIssuesClients(t *testing.T) {
	a := openAuthority(t, t.TempDir())
	roots := x509.NewCertPool()
	roots.AddCert(a.Certificate())
	for _, usage := range []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageEmailProtection} {
		var usages []x509.ExtKeyUsage
		if usage != x509.ExtKeyUsageClientAuth {
			usages = append(usages, usage)
		}
		leaf := issueClient(t, a, 0x1a2b, usages...).Leaf
		_, err := leaf.Verify(x509.VerifyOptions{Roots: roots, CurrentTime: issuedFrom, KeyUsages: []x509.ExtKeyUsage{usage}})
		if err != nil || len(leaf.ExtKeyUsage) != 1 {
			t.Errorf("usage %v: %v, %v", usage, leaf.ExtKeyUsage, err)
		}
		if leaf.SerialNumber.Int64() != 0x1a2b || leaf.Subject.CommonName != clientName.CommonName || !leaf.NotBefore.Equal(issuedFrom) || !leaf.NotAfter.Equal(issuedUntil) || leaf.IsCA {
			t.Errorf("usage %v: serial %x, %s, %v to %v, authority %v", usage, leaf.SerialNumber, leaf.Subject, leaf.NotBefore, leaf.NotAfter, leaf.IsCA)
		}
	}
}

// A browser that trusts the authority accepts the server under each of its
// names, and shows it the certificate of a client.
func TestAuthorityIssuesServers(t *testing.T) {
	a := openAuthority(t, t.TempDir())
	server, err := a.IssueServer([]string{"127.0.0.1", "localhost"})
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(a.Certificate())
	site := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if len(r.TLS.PeerCertificates) != 1 || r.TLS.PeerCertificates[0].SerialNumber.Int64() != 7 {
			http.Error(w, "no certificate", http.StatusForbidden)
		}
	}))
	site.TLS = &tls.Config{Certificates: []tls.Certificate{server}, ClientAuth: tls.RequestClientCert, ClientCAs: roots}
	site.StartTLS()
	defer site.Close()
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{issueClient(t, a, 7)}}}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport}
	for _, address := range []string{site.URL, strings.Replace(site.URL, "127.0.0.1", "localhost", 1)} {
		response, err := client.Get(address)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != http.StatusOK {
			t.Errorf("%s: %s", address, response.Status)
		}
	}
}

// The list holds the revoked numbers and its dates.
func TestAuthorityRevokes(t *testing.T) {
	a := openAuthority(t, t.TempDir())
	path := filepath.Join(t.TempDir(), "crl.pem")
	for n, revoked := range [][]*big.Int{nil, {big.NewInt(1)}, {big.NewInt(1), big.NewInt(2)}} {
		if err := a.WriteCRL(path, issuedFrom, issuedUntil, revoked...); err != nil {
			t.Fatal(err)
		}
		list := readList(t, path)
		if err := list.CheckSignatureFrom(a.Certificate()); err != nil {
			t.Error(err)
		}
		if len(list.RevokedCertificateEntries) != n || n > 0 && list.RevokedCertificateEntries[n-1].SerialNumber.Int64() != int64(n) {
			t.Errorf("revoked %v, want the first %d", list.RevokedCertificateEntries, n)
		}
		if !list.ThisUpdate.Equal(issuedFrom) || !list.NextUpdate.Equal(issuedUntil) {
			t.Errorf("from %v to %v", list.ThisUpdate, list.NextUpdate)
		}
	}
}

func readList(t *testing.T, path string) *x509.RevocationList {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	block, rest := pem.Decode(content)
	if block == nil || len(rest) > 0 {
		t.Fatalf("not one PEM block:\n%s", content)
	}
	list, err := x509.ParseRevocationList(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// The file for browsers holds the certificate and its key, and not the
// authority: nobody is to be asked to trust it.
func TestPKCS12(t *testing.T) {
	c := issueClient(t, openAuthority(t, t.TempDir()), 7)
	file, err := PKCS12(c, "démo")
	if err != nil {
		t.Fatal(err)
	}
	key, certificate, others, err := pkcs12.DecodeChain(file, "démo")
	if err != nil {
		t.Fatal(err)
	}
	if !certificate.Equal(c.Leaf) || len(others) > 0 {
		t.Errorf("another certificate, or %d more", len(others))
	}
	if _, err := tls.X509KeyPair(pairOf(t, certificate, key)); err != nil {
		t.Errorf("another key: %v", err)
	}
	if _, _, err := pkcs12.Decode(file, "demo"); err == nil {
		t.Error("another password opens it")
	}
}

func pairOf(t *testing.T, certificate *x509.Certificate, key any) (chain, private []byte) {
	t.Helper()
	chain, private, err := PEM(tls.Certificate{Certificate: [][]byte{certificate.Raw}, PrivateKey: key})
	if err != nil {
		t.Fatal(err)
	}
	return chain, private
}
