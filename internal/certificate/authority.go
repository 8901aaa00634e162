package certificate

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
)

// parseAuthorities reads CLIENT_CA_FILE. It refuses a certificate that is no
// authority's: each certificate in the file is trusted by itself, so a subscriber's one
// would open its space whatever its issuer says. It leaves out a certificate that
// cannot be read, and unreadable says why. One such certificate must not shut out the
// subscribers of all others.
func parseAuthorities(content []byte) (all []*authority, unreadable []error, err error) {
	blocks, err := decodePEM(content, "CERTIFICATE")
	if err != nil {
		return nil, nil, err
	}
	for i, der := range blocks {
		c, err := x509.ParseCertificate(der)
		if err != nil {
			unreadable = append(unreadable, fmt.Errorf("certificate %d of %d: %w", i+1, len(blocks), err))
			continue
		}
		if !c.IsCA {
			return nil, nil, fmt.Errorf("certificate %d (%s) is not an authority's", i+1, c.Subject)
		}
		all = append(all, &authority{certificate: c, name: subject(c)})
	}
	if len(all) == 0 {
		return nil, nil, errors.Join(unreadable...)
	}
	for _, a := range all {
		a.issuers = issuersOf(a.certificate, all)
	}
	return all, unreadable, nil
}

// issuersOf finds the issuers of an authority's certificate. There are several if one
// of them has several certificates. A root is its own issuer.
func issuersOf(c *x509.Certificate, all []*authority) (issuers []*authority) {
	for _, a := range all {
		if bytes.Equal(a.certificate.RawSubject, c.RawIssuer) && c.CheckSignatureFrom(a.certificate) == nil {
			issuers = append(issuers, a)
		}
	}
	return issuers
}

// decodePEM returns the contents of the blocks of a file. The file has at least one
// block, all of one type, with text around them. A damaged block is an error;
// pem.Decode alone would pass over it.
func decodePEM(content []byte, kind string) ([][]byte, error) {
	var blocks [][]byte
	begun := bytes.Count(content, []byte("-----BEGIN "))
	for block, rest := pem.Decode(content); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != kind {
			return nil, fmt.Errorf("block %d is a %s, only %s is expected", len(blocks)+1, block.Type, kind)
		}
		blocks = append(blocks, block.Bytes)
	}
	switch {
	case begun == 0:
		return nil, fmt.Errorf("no PEM block of type %s", kind)
	case begun != len(blocks):
		return nil, fmt.Errorf("%d of %d PEM blocks are damaged", begun-len(blocks), begun)
	}
	return blocks, nil
}

// An authority is one certificate of CLIENT_CA_FILE.
type authority struct {
	certificate *x509.Certificate
	name        []attribute  // its subject, to compare with a sheet's text
	issuers     []*authority // those of the file that issued the certificate
}

// is tells whether a certificate is of the same authority with the same key, as renewed
// and cross-signed certificates are.
func (a *authority) is(c *x509.Certificate) bool {
	return bytes.Equal(a.certificate.RawSubject, c.RawSubject) &&
		bytes.Equal(a.certificate.RawSubjectPublicKeyInfo, c.RawSubjectPublicKeyInfo)
}
