package certificate

import (
	"bytes"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"time"

	"bascule/internal/conversion"
)

// above tells what the revocation lists say of the way from a certificate up to a root,
// by its better issuer. The way is sound if neither the certificate nor an authority on
// the way is revoked. It is fresh if each authority on the way has a list in force. The
// way ends at an authority that nobody in the file issued: certificates in the file are
// trusted by themselves.
func (t *trust) above(c *x509.Certificate, issuers []*authority, at time.Time) (sound, fresh bool) {
	w := way{trust: t, at: at, known: make(map[*authority]standing)}
	s := w.standing(c, issuers)
	return s.sound, s.fresh
}

// A way looks at each authority once, even if two vouch for each other.
type way struct {
	*trust
	at    time.Time
	known map[*authority]standing
}

// under is set while its answer is not known yet. Nothing is fresh that is not sound.
type standing struct{ under, sound, fresh bool }

func (w *way) standing(c *x509.Certificate, issuers []*authority) (s standing) {
	if w.revoked(c, w.at) {
		return s
	}
	end := true
	for _, i := range issuers {
		of := w.of(i)
		if of.under { // two authorities vouch for each other
			continue
		}
		end = false
		s.sound = s.sound || of.sound
		s.fresh = s.fresh || of.fresh && w.trust.fresh(i, w.at)
	}
	if end {
		return standing{sound: true, fresh: true}
	}
	return s
}

func (w *way) of(a *authority) standing {
	if s, ok := w.known[a]; ok {
		return s
	}
	w.known[a] = standing{under: true}
	w.known[a] = w.standing(a.certificate, a.issuers)
	return w.known[a]
}

// A list is a certificate revocation list, verified.
type list struct {
	issuer  *authority
	issued  time.Time
	next    time.Time // zero if the list does not tell: it is never up to date then
	revoked map[conversion.SerialNumber]bool
}

// parseLists reads CLIENT_CRL_FILE. unsigned are errors about lists that no authority
// signed.
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

// complete refuses lists that leave out certificates of their authority, or that are
// about another authority's. Critical extensions say so (RFC 5280, 5.2: delta,
// partitioned and indirect lists). A reader that took them for whole would hold the
// certificates left out for not revoked.
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

// begun tells whether the list holds already. The authority has not yet said the
// contents of a list from the future.
func (l list) begun(at time.Time) bool { return !l.issued.After(at.Add(clockSkew)) }

// superseded tells whether a newer list of the same authority and key holds in place of
// this one. A certificate that is missing there was released.
func (t *trust) superseded(l list, at time.Time) bool {
	return slices.ContainsFunc(t.lists, func(newer list) bool {
		return newer.issuer == l.issuer && newer.issued.After(l.issued) && newer.begun(at)
	})
}

// revoked tells whether a list names the certificate, even a list from the future.
// Serial numbers are unique under the name of an issuer, whatever its key.
func (t *trust) revoked(c *x509.Certificate, at time.Time) bool {
	serial := conversion.SerialNumberOf(c.SerialNumber)
	return slices.ContainsFunc(t.lists, func(l list) bool {
		return l.revoked[serial] && bytes.Equal(l.issuer.certificate.RawSubject, c.RawIssuer) && !t.superseded(l, at)
	})
}

// fresh tells whether a list of the authority, by its present key, is in force: it has
// begun, and its next update is ahead.
func (t *trust) fresh(a *authority, at time.Time) bool {
	return slices.ContainsFunc(t.lists, func(l list) bool {
		return l.issuer.is(a.certificate) && l.begun(at) && !at.After(l.next) && !t.superseded(l, at)
	})
}
