package conversion

import (
	"strings"

	"bascule/internal/text"
)

// An Excluded is the address, the domain or the subscriber number that an exclusion
// names (D17).
type Excluded struct {
	Kind ExcludedKind
	Key  string // equal for two that are the same
}

// ExcludedKind says what an exclusion names.
type ExcludedKind string

// The kinds of exclusions. A domain stands for its own addresses. Those of its
// subdomains are not excluded.
const (
	ExcludedAddress ExcludedKind = "address"
	ExcludedDomain  ExcludedKind = "domain"
	ExcludedNumber  ExcludedKind = "number"
)

// ParseExcluded tells an address (with "@"), a domain (with a dot, or behind an
// "@" alone) and a subscriber number apart. It returns ErrExcluded.
func ParseExcluded(s string) (Excluded, error) {
	s = text.Trim(s)
	local, domain, at := strings.Cut(s, "@")
	switch {
	case at && local != "":
		if e, err := ParseEmail(s); err == nil {
			return Excluded{ExcludedAddress, e.Key()}, nil
		}
	case at || strings.Contains(s, "."):
		if !at {
			domain = s
		}
		if e, err := ParseEmail("x@" + domain); err == nil {
			return Excluded{ExcludedDomain, e.Domain()}, nil
		}
	default:
		if n, err := ParseSubscriberNumber(s); err == nil {
			return Excluded{ExcludedNumber, string(n)}, nil
		}
	}
	return Excluded{}, ErrExcluded
}
