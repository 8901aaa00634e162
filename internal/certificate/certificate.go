// Package certificate judges a client certificate (R7): whether one of the operator's
// authorities issued it, whether it is valid and not revoked, and whether a sheet's
// text names its issuer. It knows nothing of spaces. A certificate is found by its
// issuer and its serial number together, never by a name or an address in it.
package certificate

import (
	"crypto/x509"

	"bascule/internal/conversion"
)

// A Holder is what is known of a client with a good certificate.
type Holder struct {
	Serial conversion.SerialNumber
	// Issuer is the certificate of CLIENT_CA_FILE that issued this one. It is shared,
	// and must not be changed.
	Issuer *x509.Certificate
	// Stale says that revocation lists are configured, but one of them is missing, out
	// of date or from the future. It is the list of the issuer, or of an authority of
	// CLIENT_CA_FILE above it. So the certificate may be revoked. Such a holder may
	// look, but must not change anything for good.
	Stale bool
}

// A Refusal is the reason why a certificate is not accepted. It is an error, compared
// with ==. It says nothing about the holder, so it may be logged and counted.
type Refusal string

// The refusals. The first one that applies is given, in this order.
const (
	None        Refusal = "missing"                                  // the client showed none
	Malformed   Refusal = "malformed"                                // it cannot be read, is too large, or has an unknown critical extension
	Untrusted   Refusal = "not issued by a trusted authority"        // whatever its dates and its use
	WrongUsage  Refusal = "not meant for authenticating subscribers" // a server's, an authority's, a signature's
	Revoked     Refusal = "revoked"                                  // the certificate, or an authority between it and ours
	NotYetValid Refusal = "not valid yet"
	Expired     Refusal = "expired"
)

func (r Refusal) Error() string { return "client certificate " + string(r) }
