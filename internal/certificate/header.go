package certificate

import (
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// MaxHeader is the most bytes of the header field with a certificate (I8): the largest
// certificate that [Store.Verify] accepts, as a proxy writes it.
const MaxHeader = 2 * maxCertificate

// FromHeader reads the certificate that a proxy passes on in Client-Cert. It is a byte
// sequence of its DER (RFC 9440), or PEM, percent-encoded (nginx) or with blanks for its
// line ends (Apache). It returns nil without an error if there is none, and an error that
// wraps [Malformed] for anything else. It verifies nothing. Only a proxy that removes the
// field from its clients' requests may be believed.
//
// Client-Cert-Chain is not read: see [Store.Verify].
func FromHeader(h http.Header) (*x509.Certificate, error) {
	values := h.Values("Client-Cert")
	switch {
	case len(values) == 0:
		return nil, nil
	case len(values) > 1:
		return nil, malformed("%d values of Client-Cert, one is expected", len(values))
	case len(values[0]) > MaxHeader:
		return nil, malformed("Client-Cert is longer than %d bytes", MaxHeader)
	}
	der, err := decodeItem(values[0])
	if err != nil {
		return nil, malformed("Client-Cert: %v", err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil { // the error may repeat what the certificate says of its holder
		return nil, malformed("the certificate in Client-Cert cannot be read")
	}
	return c, nil
}

// decodeItem reads a byte sequence of RFC 8941 (base64 between colons) without
// parameters, or PEM.
func decodeItem(item string) ([]byte, error) {
	item = strings.Trim(item, " \t")
	if strings.HasPrefix(item, "-----BEGIN") {
		return decodeLines(item)
	}
	text, opened := strings.CutPrefix(item, ":")
	text, closed := strings.CutSuffix(text, ":")
	if !opened || !closed || strings.ContainsAny(text, "\r\n") { // base64 would skip line ends
		return nil, errors.New("neither a byte sequence, base64 between colons, nor PEM")
	}
	return base64.StdEncoding.DecodeString(text)
}

// decodeLines reads one certificate in PEM and nothing around it. Its lines end with
// blanks, or it is percent-encoded.
func decodeLines(item string) ([]byte, error) {
	text, err := url.PathUnescape(item)
	if err != nil {
		return nil, errors.New("wrong percent-encoding")
	}
	text, begun := strings.CutPrefix(text, "-----BEGIN CERTIFICATE-----")
	text, ended := strings.CutSuffix(strings.TrimSpace(text), "-----END CERTIFICATE-----")
	if !begun || !ended {
		return nil, errors.New("not one certificate in PEM")
	}
	return base64.StdEncoding.DecodeString(strings.Join(strings.Fields(text), ""))
}

func malformed(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{Malformed}, args...)...)
}
