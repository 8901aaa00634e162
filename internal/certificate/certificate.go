// Package certificate decides what a client certificate is worth (R7): whether
// one of the operator's authorities issued it, whether it is valid and not
// revoked, and whether a sheet's text names the authority that issued it. It
// knows nothing of spaces: a certificate is found by its issuer and its serial
// number together, never by a name or an address in it.
package certificate

import (
	"crypto/x509"
	"time"

	"bascule/internal/conversion"
)

// A Holder is what is believed of who showed a good certificate.
type Holder struct {
	Serial  conversion.SerialNumber
	Expires time.Time
	// Issuer is the certificate of CLIENT_CA_FILE that issued this one. It is
	// shared: not to be changed.
	Issuer *x509.Certificate
	// Stale says that revocation lists are configured and that the one of the
	// issuer, or of an authority of CLIENT_CA_FILE above it, is missing, out of
	// date or from the future: the certificate may have been revoked since. Such
	// a holder may look, but must not change anything for good.
	Stale bool
}

// A Refusal is why a certificate is not accepted. It is an error, is compared
// with ==, and says nothing about the holder: it may be logged and counted.
type Refusal string

// The refusals. The first one that applies is given, in this order.
const (
	None        Refusal = "missing"                                  // none was shown
	Malformed   Refusal = "malformed"                                // it cannot be read, is too large, or demands what we do not know
	Untrusted   Refusal = "not issued by a trusted authority"        // whatever its dates and its use
	WrongUsage  Refusal = "not meant for authenticating subscribers" // a server's, an authority's, a signature's
	Revoked     Refusal = "revoked"                                  // it, or an authority between it and ours
	NotYetValid Refusal = "not valid yet"
	Expired     Refusal = "expired"
)

func (r Refusal) Error() string { return "client certificate " + string(r) }
