package certificate

import (
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"slices"
	"time"

	"bascule/internal/conversion"
)

const (
	// maxIntermediates is how many certificates of authorities are read beside
	// the holder's; real chains have one or two.
	maxIntermediates = 10
	// maxRSABits is what crypto/tls accepts: a larger key takes seconds to
	// compute with (I8). A proxy may let it pass.
	maxRSABits = 8192
)

// Verify judges the certificates that a client showed, its own first and those
// of intermediate authorities after it, at an instant. The error is a [Refusal].
//
// That the client holds the key is not ours to know: TLS or the proxy proved it.
func (s *Store) Verify(chain []*x509.Certificate, at time.Time) (Holder, error) {
	if len(chain) == 0 {
		return Holder{}, None
	}
	if len(chain) > 1+maxIntermediates || slices.ContainsFunc(chain, costly) {
		return Holder{}, Malformed
	}
	return s.now().verify(chain[0], chain[1:], at)
}

func costly(c *x509.Certificate) bool {
	key, ok := c.PublicKey.(*rsa.PublicKey)
	return ok && key.N.BitLen() > maxRSABits
}

func (t *trust) verify(leaf *x509.Certificate, others []*x509.Certificate, at time.Time) (Holder, error) {
	paths, err := t.paths(leaf, others, at)
	if err != nil {
		return Holder{}, err
	}
	if !personal(leaf) {
		return Holder{}, WrongUsage
	}
	paths = slices.DeleteFunc(paths, func(path []*x509.Certificate) bool { return slices.ContainsFunc(path, t.revoked) })
	switch {
	case len(paths) == 0:
		return Holder{}, Revoked
	case at.Before(leaf.NotBefore):
		return Holder{}, NotYetValid
	case at.After(leaf.NotAfter):
		return Holder{}, Expired
	}
	return t.holder(leaf, paths[0][1], at), nil
}

// paths are the ways from the certificate up to authorities of the file; each
// has two certificates or more, unless the leaf is itself in the file. A
// certificate out of its dates is judged at both ends of them: its authority
// may have begun after it or ended before it.
func (t *trust) paths(leaf *x509.Certificate, others []*x509.Certificate, at time.Time) ([][]*x509.Certificate, error) {
	instants := []time.Time{at}
	if at.Before(leaf.NotBefore) || at.After(leaf.NotAfter) {
		instants = []time.Time{leaf.NotAfter, leaf.NotBefore}
	}
	options := x509.VerifyOptions{Roots: t.pool, Intermediates: x509.NewCertPool(), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
	for _, c := range others {
		options.Intermediates.AddCert(c)
	}
	refusal := Untrusted
	for _, options.CurrentTime = range instants {
		paths, err := leaf.Verify(options)
		if err == nil {
			return paths, nil
		}
		if refusal = refusalOf(err); refusal != Untrusted {
			break
		}
	}
	return nil, refusal
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

// personal tells the certificates that subscribers authenticate themselves
// with: not an authority's, nor one for signing documents or for encryption
// alone. A certificate that does not tell its use is fit for all.
func personal(c *x509.Certificate) bool {
	const authentication = x509.KeyUsageDigitalSignature | x509.KeyUsageKeyAgreement // RFC 5280, 4.2.1.12
	return !c.IsCA && (c.KeyUsage == 0 || c.KeyUsage&authentication != 0)
}

func (t *trust) holder(leaf, issuer *x509.Certificate, at time.Time) Holder {
	h := Holder{Serial: conversion.SerialNumberOf(leaf.SerialNumber), Expires: leaf.NotAfter, Stale: t.stale(issuer, at)}
	if a := t.find(issuer); a != nil {
		h.Issuer = a.certificate
	}
	return h
}
