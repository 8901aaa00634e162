package certificate

import (
	"crypto/x509"
	"errors"
	"slices"
	"time"

	"bascule/internal/conversion"
)

// maxCertificate is the most bytes of a certificate in DER (I8). Real ones have 1 to 4
// KiB, those with a picture some more.
const maxCertificate = 16 << 10

// Verify judges the certificate that a client showed, nil for none, at an instant. The
// error is a [Refusal].
//
// Only an authority of CLIENT_CA_FILE that issued it itself can vouch for it, as its
// name must be in the sheet. Verify does not look at other certificates of the client,
// so a made-up chain costs no more than a signature for each authority of one name.
//
// Verify does not check that the client holds the key: TLS or the proxy has proven it.
func (s *Store) Verify(c *x509.Certificate, at time.Time) (Holder, error) {
	switch {
	case c == nil:
		return Holder{}, None
	case c.SerialNumber.Sign() < 0, len(c.Raw) > maxCertificate:
		return Holder{}, Malformed
	}
	return s.now().verify(c, at)
}

func (t *trust) verify(leaf *x509.Certificate, at time.Time) (Holder, error) {
	issuers, err := t.issuers(leaf, at)
	if err != nil {
		return Holder{}, err
	}
	if !personal(leaf) {
		return Holder{}, WrongUsage
	}
	sound, fresh := t.above(leaf, issuers, at)
	switch {
	case !sound:
		return Holder{}, Revoked
	case at.Before(leaf.NotBefore):
		return Holder{}, NotYetValid
	case at.After(leaf.NotAfter):
		return Holder{}, Expired
	}
	return Holder{
		Serial: conversion.SerialNumberOf(leaf.SerialNumber),
		Issuer: issuers[0].certificate, Stale: t.listed && !fresh,
	}, nil
}

// issuers are the authorities of the file that issued the certificate. There are
// several if one has several certificates. A certificate out of its dates is judged at
// both ends of them: its authority may have begun after it or ended before it.
func (t *trust) issuers(leaf *x509.Certificate, at time.Time) ([]*authority, error) {
	instants := []time.Time{at}
	if at.Before(leaf.NotBefore) || at.After(leaf.NotAfter) {
		instants = []time.Time{leaf.NotAfter, leaf.NotBefore}
	}
	options := x509.VerifyOptions{Roots: t.pool, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
	refusal := Untrusted
	for _, options.CurrentTime = range instants {
		chains, err := leaf.Verify(options)
		if err == nil {
			return t.ends(chains), nil
		}
		if refusal = refusalOf(err); refusal != Untrusted {
			break
		}
	}
	return nil, refusal
}

// ends are the authorities at the ends of chains.
func (t *trust) ends(chains [][]*x509.Certificate) (all []*authority) {
	for _, a := range t.authorities {
		if slices.ContainsFunc(chains, func(chain []*x509.Certificate) bool { return a.certificate.Equal(chain[len(chain)-1]) }) {
			all = append(all, a)
		}
	}
	return all
}

func refusalOf(err error) Refusal {
	if _, critical := errors.AsType[x509.UnhandledCriticalExtension](err); critical {
		return Malformed
	}
	if invalid, ok := errors.AsType[x509.CertificateInvalidError](err); ok && invalid.Reason == x509.IncompatibleUsage {
		return WrongUsage
	}
	return Untrusted
}

// personal tells whether subscribers authenticate themselves with the certificate. It
// is not an authority's, nor one for signing documents or for encryption alone. A
// certificate without a usage is fit for all.
func personal(c *x509.Certificate) bool {
	const authentication = x509.KeyUsageDigitalSignature | x509.KeyUsageKeyAgreement // RFC 5280, 4.2.1.12
	return !c.IsCA && (c.KeyUsage == 0 || c.KeyUsage&authentication != 0)
}
