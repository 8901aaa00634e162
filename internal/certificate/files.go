package certificate

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"time"

	"bascule/internal/conversion"
)

// parseAuthorities reads CLIENT_CA_FILE. What is no authority is refused: as
// everything in the file is trusted by itself, a subscriber's certificate there
// would open its space whatever its issuer thinks of it. A certificate that
// cannot be read is left out, and unreadable says why: one among many must not
// shut out the subscribers of all others.
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

// issuersOf finds who signed an authority's certificate: several, where one of
// them has several certificates; a root itself.
func issuersOf(c *x509.Certificate, all []*authority) (issuers []*authority) {
	for _, a := range all {
		if bytes.Equal(a.certificate.RawSubject, c.RawIssuer) && c.CheckSignatureFrom(a.certificate) == nil {
			issuers = append(issuers, a)
		}
	}
	return issuers
}

// decodePEM returns the contents of the blocks of a file that holds blocks of
// one type only, at least one of them, and text around them. A damaged block is
// an error; pem.Decode alone would pass over it.
func decodePEM(content []byte, kind string) ([][]byte, error) {
	var blocks [][]byte
	begun := bytes.Count(content, []byte("-----BEGIN "))
	for {
		block, rest := pem.Decode(content)
		if block == nil {
			break
		}
		if block.Type != kind {
			return nil, fmt.Errorf("block %d is a %s, only %s is expected", len(blocks)+1, block.Type, kind)
		}
		blocks = append(blocks, block.Bytes)
		content = rest
	}
	switch {
	case begun == 0:
		return nil, fmt.Errorf("no PEM block of type %s", kind)
	case begun != len(blocks):
		return nil, fmt.Errorf("%d of %d PEM blocks are damaged", begun-len(blocks), begun)
	}
	return blocks, nil
}

// A list is a certificate revocation list, verified.
type list struct {
	issuer  *authority
	issued  time.Time
	next    time.Time // zero if it does not tell: it is never up to date then
	revoked map[conversion.SerialNumber]bool
}

// parseLists reads CLIENT_CRL_FILE. unsigned are errors about lists that none of
// the authorities signed.
func parseLists(content []byte, authorities []*authority) (all []list, unsigned []error, err error) {
	blocks := [][]byte{content}
	if bytes.Contains(content, []byte("-----BEGIN ")) {
		if blocks, err = decodePEM(content, "X509 CRL"); err != nil {
			return nil, nil, err
		}
	}
	for i, der := range blocks {
		l, err := parseList(der, authorities)
		switch {
		case errors.Is(err, errUnsigned):
			unsigned = append(unsigned, fmt.Errorf("revocation list %d: %w", i+1, err))
		case err != nil:
			return nil, nil, fmt.Errorf("revocation list %d: %w", i+1, err)
		default:
			all = append(all, l)
		}
	}
	return all, unsigned, nil
}

var errUnsigned = errors.New("no authority of CLIENT_CA_FILE signed it")

// parseList reads one list in DER and finds the authority that signed it.
func parseList(der []byte, authorities []*authority) (list, error) {
	parsed, err := x509.ParseRevocationList(der)
	if err != nil {
		return list{}, err
	}
	if len(parsed.Raw) != len(der) {
		return list{}, errors.New("something follows it: several lists have to be in PEM")
	}
	if err := complete(parsed); err != nil {
		return list{}, err
	}
	i := slices.IndexFunc(authorities, func(a *authority) bool {
		return bytes.Equal(a.certificate.RawSubject, parsed.RawIssuer) && parsed.CheckSignatureFrom(a.certificate) == nil
	})
	if i < 0 {
		return list{}, fmt.Errorf("%w; it names %s", errUnsigned, parsed.Issuer)
	}
	l := list{authorities[i], parsed.ThisUpdate, parsed.NextUpdate, make(map[conversion.SerialNumber]bool, len(parsed.RevokedCertificateEntries))}
	for _, entry := range parsed.RevokedCertificateEntries {
		l.revoked[conversion.SerialNumberOf(entry.SerialNumber)] = true
	}
	return l, nil
}

// complete refuses lists that do not speak of all certificates of their
// authority, or speak of another's: they say so by critical extensions (RFC
// 5280, 5.2: delta, partitioned and indirect lists). Whoever took them for
// whole would hold what they leave out for not revoked.
func complete(parsed *x509.RevocationList) error {
	for _, e := range parsed.Extensions {
		if e.Critical {
			return fmt.Errorf("it has the critical extension %s: only whole lists are understood, not partial or indirect ones", e.Id)
		}
	}
	return nil
}

// clockSkew is how far an authority's clock may be ahead of ours.
const clockSkew = 5 * time.Minute

// begun tells whether the list holds already: one from the future says what its
// authority has not said yet.
func (l list) begun(at time.Time) bool { return !l.issued.After(at.Add(clockSkew)) }

// superseded tells whether a newer list of the same authority and key holds in
// place of this one: who is missing there was released.
func (t *trust) superseded(l list, at time.Time) bool {
	return slices.ContainsFunc(t.lists, func(newer list) bool {
		return newer.issuer == l.issuer && newer.issued.After(l.issued) && newer.begun(at)
	})
}

// revoked tells whether a list names the certificate, were it one from the
// future. Serial numbers are unique under the name of an issuer, whatever its key.
func (t *trust) revoked(c *x509.Certificate, at time.Time) bool {
	serial := conversion.SerialNumberOf(c.SerialNumber)
	return slices.ContainsFunc(t.lists, func(l list) bool {
		return l.revoked[serial] && bytes.Equal(l.issuer.certificate.RawSubject, c.RawIssuer) && !t.superseded(l, at)
	})
}

// fresh tells whether a list of the authority, by its present key, is in force:
// it has begun, and its next update is not past.
func (t *trust) fresh(a *authority, at time.Time) bool {
	return slices.ContainsFunc(t.lists, func(l list) bool {
		return l.issuer.is(a.certificate) && l.begun(at) && !at.After(l.next) && !t.superseded(l, at)
	})
}
