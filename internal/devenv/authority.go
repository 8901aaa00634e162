package devenv

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"

	"software.sslmate.com/src/go-pkcs12"

	"bascule/internal/atomicfile"
)

// An Authority issues certificates for the demonstration and for tests. Nobody
// else must trust it: its key lies beside its certificate, unprotected.
type Authority struct {
	dir         string
	certificate tls.Certificate
}

// The files of an authority's folder.
const (
	authorityFile = "ca.pem"
	authorityKey  = "ca.key"
)

// Authorities and servers' certificates are valid whatever the clock of a test shows.
var (
	authorityFrom  = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
	authorityUntil = time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)
)

// OpenAuthority returns the authority that dir keeps, in ca.pem and ca.key, or makes
// one of that name. It keeps it there, unreadable to other users. The caller must be
// the only user of dir. It fails if dir keeps an authority of another name, as its
// certificates may be in browsers.
func OpenAuthority(dir string, name pkix.Name) (*Authority, error) {
	a, err := loadAuthority(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return createAuthority(dir, name)
	}
	if err != nil {
		return nil, fmt.Errorf("authority: %w", err)
	}
	wanted, err := asn1.Marshal(name.ToRDNSequence())
	if err != nil {
		return nil, fmt.Errorf("authority: %w", err)
	}
	if !bytes.Equal(a.certificate.Leaf.RawSubject, wanted) {
		return nil, fmt.Errorf("authority: %s is that of %s: remove %s and %s, or choose another folder", a.CAFile(), a.certificate.Leaf.Subject, authorityFile, authorityKey)
	}
	return a, nil
}

// loadAuthority returns fs.ErrNotExist if there is no certificate: it is written last.
func loadAuthority(dir string) (*Authority, error) {
	certificate, err := os.ReadFile(filepath.Join(dir, authorityFile))
	if err != nil {
		return nil, err
	}
	key, err := os.ReadFile(filepath.Join(dir, authorityKey))
	if err != nil {
		return nil, fmt.Errorf("the key of %s: %v", authorityFile, err) // no ErrNotExist: a new key would make a new authority
	}
	pair, err := tls.X509KeyPair(certificate, key)
	if err != nil {
		return nil, fmt.Errorf("%s and %s: %w", authorityFile, authorityKey, err)
	}
	return &Authority{dir: dir, certificate: pair}, nil
}

func createAuthority(dir string, name pkix.Name) (*Authority, error) {
	template := &x509.Certificate{
		Subject:   name,
		NotBefore: authorityFrom, NotAfter: authorityUntil,
		IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	c, err := issue(template, nil)
	if err != nil {
		return nil, fmt.Errorf("authority: %w", err)
	}
	a := &Authority{dir: dir, certificate: c}
	if err := a.save(); err != nil {
		return nil, fmt.Errorf("authority: %w", err)
	}
	return a, nil
}

func (a *Authority) save() error {
	certificate, key, err := PEM(a.certificate)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(a.dir, 0o700); err != nil {
		return err
	}
	if err := atomicfile.WriteBytes(filepath.Join(a.dir, authorityKey), key); err != nil {
		return err
	}
	return atomicfile.WriteBytes(a.CAFile(), certificate)
}

// CAFile is the path of the authority's certificate, for CLIENT_CA_FILE.
func (a *Authority) CAFile() string { return filepath.Join(a.dir, authorityFile) }

// Certificate is the authority's own. The caller must not change it.
func (a *Authority) Certificate() *x509.Certificate { return a.certificate.Leaf }

// IssueClient makes a key and a certificate for it, for client authentication unless
// usages say otherwise. Its chain is the certificate alone.
func (a *Authority) IssueClient(name pkix.Name, serial *big.Int, notBefore, notAfter time.Time, usages ...x509.ExtKeyUsage) (tls.Certificate, error) {
	if len(usages) == 0 {
		usages = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	}
	c, err := issue(&x509.Certificate{
		Subject: name, SerialNumber: serial,
		NotBefore: notBefore, NotAfter: notAfter,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: usages,
	}, &a.certificate)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("client certificate: %w", err)
	}
	return c, nil
}

// IssueServer makes a key and a certificate for a TLS server of these names and
// addresses.
func (a *Authority) IssueServer(hosts []string) (tls.Certificate, error) {
	template := &x509.Certificate{
		NotBefore: authorityFrom, NotAfter: authorityUntil,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	for _, h := range hosts {
		if ip := net.ParseIP(h); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, h)
		}
	}
	c, err := issue(template, &a.certificate)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("server certificate: %w", err)
	}
	return c, nil
}

// issue makes a new key and signs the template for it, with the parent's key, or with
// the new one if there is no parent. A template without a serial number gets a random
// one.
func issue(template *x509.Certificate, parent *tls.Certificate) (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	issuer := &tls.Certificate{Leaf: template, PrivateKey: key}
	if parent != nil {
		issuer = parent
	}
	der, err := x509.CreateCertificate(rand.Reader, template, issuer.Leaf, key.Public(), issuer.PrivateKey)
	if err != nil {
		return tls.Certificate{}, err
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return tls.Certificate{}, err
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, nil
}

// WriteCRL writes the list of the serial numbers that are revoked in PEM, for
// CLIENT_CRL_FILE. Its number is the instant of thisUpdate, in seconds.
func (a *Authority) WriteCRL(path string, thisUpdate, nextUpdate time.Time, revoked ...*big.Int) error {
	list := &x509.RevocationList{Number: big.NewInt(thisUpdate.Unix()), ThisUpdate: thisUpdate, NextUpdate: nextUpdate}
	for _, serial := range revoked {
		list.RevokedCertificateEntries = append(list.RevokedCertificateEntries,
			x509.RevocationListEntry{SerialNumber: serial, RevocationTime: thisUpdate})
	}
	key, ok := a.certificate.PrivateKey.(*ecdsa.PrivateKey)
	if !ok {
		return errors.New("revocation list: not an authority of ours: its key is not ECDSA")
	}
	der, err := x509.CreateRevocationList(rand.Reader, list, a.certificate.Leaf, key)
	if err != nil {
		return fmt.Errorf("revocation list: %w", err)
	}
	return atomicfile.WriteBytes(path, pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: der}))
}

// PEM encodes a certificate, with its chain, and its key.
func PEM(c tls.Certificate) (chain, key []byte, err error) {
	for _, der := range c.Certificate {
		chain = append(chain, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...)
	}
	der, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
	if err != nil {
		return nil, nil, err
	}
	return chain, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}

// PKCS12 encodes a certificate and its key as a file that browsers import with that
// password. It uses the old encryption (3DES, SHA-1), as all of them read it: NSS
// (Firefox, Chromium on Linux), Windows, macOS, and OpenSSL 3 without -legacy. It
// protects little, and does not need to protect more.
func PKCS12(c tls.Certificate, password string) ([]byte, error) {
	file, err := pkcs12.LegacyDES.Encode(c.PrivateKey, c.Leaf, nil, password)
	if err != nil {
		return nil, fmt.Errorf("PKCS #12: %w", err)
	}
	return file, nil
}
