package certificate

import (
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// maxHeader bounds what both header fields may hold together (I8): a chain of
// real certificates takes some 10 KiB.
const maxHeader = 64 << 10

// FromHeader reads the certificates that a proxy hands on by RFC 9440: the
// holder's in Client-Cert, those of intermediate authorities in
// Client-Cert-Chain. It returns nil without an error if there is neither, and
// an error that wraps [Malformed] for anything but the one form that the RFC
// has. Nothing is verified yet, and only a trusted proxy may be believed at all.
func FromHeader(h http.Header) ([]*x509.Certificate, error) {
	own, chain := h.Values("Client-Cert"), h.Values("Client-Cert-Chain")
	if len(own) == 0 && len(chain) == 0 {
		return nil, nil
	}
	if len(own) != 1 {
		return nil, malformed("%d values of Client-Cert, one is expected", len(own))
	}
	if size(own)+size(chain) > maxHeader {
		return nil, malformed("Client-Cert and Client-Cert-Chain are longer than %d bytes", maxHeader)
	}
	items := own
	if list := strings.Join(chain, ","); list != "" { // several fields are one list
		items = slices.Concat(own, strings.Split(list, ","))
	}
	if len(items) > 1+maxIntermediates {
		return nil, malformed("more than %d certificates in Client-Cert-Chain", maxIntermediates)
	}
	return parseItems(items)
}

func size(values []string) (sum int) {
	for _, v := range values {
		sum += len(v)
	}
	return sum
}

func parseItems(items []string) ([]*x509.Certificate, error) {
	var all []*x509.Certificate
	for i, item := range items {
		der, err := decodeItem(item)
		if err != nil {
			return nil, malformed("certificate %d: %v", i+1, err)
		}
		c, err := x509.ParseCertificate(der)
		if err != nil { // which may repeat what the certificate says of its holder
			return nil, malformed("certificate %d cannot be read", i+1)
		}
		all = append(all, c)
	}
	return all, nil
}

// decodeItem reads a byte sequence of RFC 8941: base64 between colons, without
// parameters.
func decodeItem(item string) ([]byte, error) {
	text, opened := strings.CutPrefix(strings.Trim(item, " \t"), ":")
	text, closed := strings.CutSuffix(text, ":")
	if !opened || !closed || strings.ContainsAny(text, "\r\n") { // which base64 would pass over
		return nil, errors.New("not a byte sequence")
	}
	return base64.StdEncoding.DecodeString(text)
}

func malformed(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{Malformed}, args...)...)
}
