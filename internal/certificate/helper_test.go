package certificate

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"log/slog"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// now is the instant of these tests; certificates are good from a year before
// it to a year after it, unless they say otherwise.
var now = time.Date(2026, 11, 24, 17, 0, 0, 0, time.UTC)

// An entity is a certificate and its key.
type entity struct {
	*x509.Certificate
	key *ecdsa.PrivateKey
}

// root makes an authority that signed itself.
func root(t testing.TB, name pkix.Name, edits ...func(*x509.Certificate)) entity {
	t.Helper()
	return make509(t, entity{}, name, append([]func(*x509.Certificate){authoritative}, edits...)...)
}

// client makes a subscriber's certificate, good unless edits say otherwise.
func (e entity) client(t testing.TB, edits ...func(*x509.Certificate)) entity {
	t.Helper()
	return make509(t, e, pkix.Name{CommonName: "Camille Durand"}, append([]func(*x509.Certificate){personalUse}, edits...)...)
}

// below makes an authority that this one signed.
func (e entity) below(t testing.TB, name string, edits ...func(*x509.Certificate)) entity {
	t.Helper()
	return make509(t, e, pkix.Name{CommonName: name}, append([]func(*x509.Certificate){authoritative}, edits...)...)
}

// crossed is the certificate of another authority's name and key that this one signed.
func (e entity) crossed(t testing.TB, other entity, serial int64, edits ...func(*x509.Certificate)) entity {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: other.Subject, SubjectKeyId: other.SubjectKeyId,
		NotBefore: now.AddDate(-1, 0, 0), NotAfter: now.AddDate(1, 0, 0),
	}
	for _, edit := range append([]func(*x509.Certificate){authoritative}, edits...) {
		edit(template)
	}
	return entity{sign(t, template, e.Certificate, other.key.Public(), e.key), other.key}
}

func make509(t testing.TB, parent entity, name pkix.Name, edits ...func(*x509.Certificate)) entity {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(0x1a2b), Subject: name,
		NotBefore: now.AddDate(-1, 0, 0), NotAfter: now.AddDate(1, 0, 0),
	}
	for _, edit := range edits {
		edit(template)
	}
	if parent.Certificate == nil {
		parent = entity{template, key}
	}
	var public any = key.Public()
	if template.PublicKey != nil {
		public = template.PublicKey
	}
	return entity{sign(t, template, parent.Certificate, public, parent.key), key}
}

func sign(t testing.TB, template, parent *x509.Certificate, public any, key *ecdsa.PrivateKey) *x509.Certificate {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, parent, public, key)
	if err != nil {
		t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func authoritative(c *x509.Certificate) {
	c.IsCA, c.BasicConstraintsValid = true, true
	c.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
}

func personalUse(c *x509.Certificate) {
	c.KeyUsage, c.ExtKeyUsage = x509.KeyUsageDigitalSignature, []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
}

func serial(n int64) func(*x509.Certificate) {
	return func(c *x509.Certificate) { c.SerialNumber = big.NewInt(n) }
}

func dates(from, until time.Time) func(*x509.Certificate) {
	return func(c *x509.Certificate) { c.NotBefore, c.NotAfter = from, until }
}

func use(usages ...x509.ExtKeyUsage) func(*x509.Certificate) {
	return func(c *x509.Certificate) { c.ExtKeyUsage = usages }
}

// crl is a list in DER that is good for a day.
func (e entity) crl(t testing.TB, serials ...int64) []byte {
	t.Helper()
	return e.crlOf(t, func(l *x509.RevocationList) {}, serials...)
}

func (e entity) crlOf(t testing.TB, edit func(*x509.RevocationList), serials ...int64) []byte {
	t.Helper()
	l := &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: now.Add(-time.Hour), NextUpdate: now.Add(24 * time.Hour)}
	for _, n := range serials {
		l.RevokedCertificateEntries = append(l.RevokedCertificateEntries, x509.RevocationListEntry{SerialNumber: big.NewInt(n), RevocationTime: now})
	}
	edit(l)
	der, err := x509.CreateRevocationList(rand.Reader, l, e.Certificate, e.key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func pemCRL(lists ...[]byte) []byte {
	var b []byte
	for _, der := range lists {
		b = append(b, pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: der})...)
	}
	return b
}

func pemCA(authorities ...entity) []byte {
	var b []byte
	for _, a := range authorities {
		b = append(b, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.Raw})...)
	}
	return b
}

// A folder holds the two files of a store, and the log about them.
type folder struct {
	ca, crl string
	log     bytes.Buffer
	changes int
}

// newFolder writes the files; lists are nil for no file.
func newFolder(t testing.TB, ca, lists []byte) *folder {
	t.Helper()
	dir := t.TempDir()
	f := &folder{ca: filepath.Join(dir, "ca.pem")}
	f.write(t, f.ca, ca)
	if lists != nil {
		f.crl = filepath.Join(dir, "crl.pem")
		f.write(t, f.crl, lists)
	}
	return f
}

// write gives the file a time of its own, as if the last change was long ago.
func (f *folder) write(t testing.TB, path string, content []byte) {
	t.Helper()
	f.changes++
	at := now.Add(time.Duration(f.changes) * time.Minute)
	if err := errors.Join(os.WriteFile(path, content, 0o600), os.Chtimes(path, at, at)); err != nil {
		t.Fatal(err)
	}
}

func (f *folder) open(t testing.TB) *Store {
	t.Helper()
	s, err := Open(f.ca, f.crl, slog.New(slog.NewTextHandler(&f.log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// logged returns the lines logged since its last call.
func (f *folder) logged() string {
	defer f.log.Reset()
	return f.log.String()
}

func openStore(t testing.TB, ca, lists []byte) *Store {
	t.Helper()
	return newFolder(t, ca, lists).open(t)
}
