package certificate

import (
	"bytes"
	"crypto/x509"
	"errors"
	"slices"
	"strings"
)

// The reasons why a sheet's issuer does not lead to the authority of a certificate.
var (
	ErrNoAuthority        = errors.New("the issuer names no authority of CLIENT_CA_FILE")
	ErrSeveralAuthorities = errors.New("the issuer names several authorities of CLIENT_CA_FILE")
	ErrOtherAuthority     = errors.New("the issuer names another authority than the certificate's")
)

// Match finds the authority that a sheet's issuer names: its subject has every
// attribute of the text, with an equal value. "" names the only authority there is.
// Certificates with one subject are one authority, and Match returns the first of them
// in the file; the caller must not change it. It returns ErrNoAuthority or
// ErrSeveralAuthorities.
func (s *Store) Match(issuer string) (*x509.Certificate, error) { return s.now().match(issuer) }

// Key is the same for texts that name the same authority. It is the key of the
// authority that Match finds, otherwise Key of the package.
func (s *Store) Key(issuer string) string {
	ca, err := s.Match(issuer)
	if err != nil {
		return Key(issuer)
	}
	return keyOf(subject(ca))
}

// Key is the same for texts with the same attributes, however they are written and in
// whatever order.
func Key(issuer string) string { return keyOf(parseName(normalizeLines(issuer))) }

func keyOf(name []attribute) string {
	lines := make([]string, len(name))
	for i, a := range name {
		lines[i] = a.oid + "=" + strings.ToLower(a.value)
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// Issued tells whether a sheet's issuer names the authority that issued the
// holder's certificate: a serial number means nothing without it. It returns
// ErrNoAuthority, ErrSeveralAuthorities or ErrOtherAuthority.
func (s *Store) Issued(issuer string, h Holder) error {
	named, err := s.now().match(issuer)
	if err != nil {
		return err
	}
	if !bytes.Equal(h.Issuer.RawSubject, named.RawSubject) {
		return ErrOtherAuthority
	}
	return nil
}

func (t *trust) match(issuer string) (*x509.Certificate, error) {
	text := normalizeLines(issuer)
	named := parseName(text)
	var found *x509.Certificate
	for _, a := range t.authorities {
		switch {
		case text != "" && !a.bears(named):
		case found == nil:
			found = a.certificate
		case !bytes.Equal(found.RawSubject, a.certificate.RawSubject):
			return nil, ErrSeveralAuthorities
		}
	}
	if found == nil {
		return nil, ErrNoAuthority
	}
	return found, nil
}

// bears tells whether the authority's subject has all the attributes; there must be at
// least one.
func (a *authority) bears(named []attribute) bool {
	missing := func(n attribute) bool {
		return !slices.ContainsFunc(a.name, func(own attribute) bool { return n.oid == own.oid && strings.EqualFold(n.value, own.value) })
	}
	return len(named) > 0 && !slices.ContainsFunc(named, missing)
}
