package certificate

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"time"

	"bascule/internal/conversion"
)

// parseAuthorities reads CLIENT_CA_FILE. What is no authority is refused: as
// everything in the file is trusted by itself, a subscriber's certificate there
// would open its space whatever its issuer thinks of it.
func parseAuthorities(content []byte) ([]*authority, error) {
	blocks, err := decodePEM(content, "CERTIFICATE")
	if err != nil {
		return nil, err
	}
	var all []*authority
	for i, der := range blocks {
		c, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, fmt.Errorf("certificate %d: %w", i+1, err)
		}
		if !c.IsCA {
			return nil, fmt.Errorf("certificate %d (%s) is not an authority's", i+1, c.Subject)
		}
		all = append(all, &authority{certificate: c, name: subject(c)})
	}
	return all, nil
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

// parseLists reads CLIENT_CRL_FILE. Of several lists of one authority and key
// the newest holds.
func parseLists(content []byte, authorities []*authority) ([]list, error) {
	blocks := [][]byte{content}
	if bytes.Contains(content, []byte("-----BEGIN ")) {
		var err error
		if blocks, err = decodePEM(content, "X509 CRL"); err != nil {
			return nil, err
		}
	}
	var all []list
	for i, der := range blocks {
		l, err := parseList(der, authorities)
		if err != nil {
			return nil, fmt.Errorf("revocation list %d: %w", i+1, err)
		}
		all = insert(all, l)
	}
	return all, nil
}

func insert(all []list, l list) []list {
	i := slices.IndexFunc(all, func(other list) bool { return other.issuer.is(l.issuer.certificate) })
	switch {
	case i < 0:
		return append(all, l)
	case all[i].issued.Before(l.issued):
		all[i] = l
	}
	return all
}

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
		return list{}, fmt.Errorf("no authority of CLIENT_CA_FILE signed it; it names %s", parsed.Issuer)
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

// revoked tells whether a list names the certificate. Serial numbers are unique
// under the name of an issuer, whatever its key.
func (t *trust) revoked(c *x509.Certificate) bool {
	return slices.ContainsFunc(t.lists, func(l list) bool {
		return bytes.Equal(l.issuer.certificate.RawSubject, c.RawIssuer) && l.names(c.SerialNumber)
	})
}

func (l list) names(n *big.Int) bool { return l.revoked[conversion.SerialNumberOf(n)] }

// stale tells whether revocations by the issuer may be unknown: lists are
// configured, and none by its present key is up to date.
func (t *trust) stale(issuer *x509.Certificate, at time.Time) bool {
	return t.listed && !slices.ContainsFunc(t.lists, func(l list) bool {
		return l.issuer.is(issuer) && !at.After(l.next)
	})
}
