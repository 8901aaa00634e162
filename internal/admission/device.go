package admission

import (
	"context"
	"crypto/subtle"
	"encoding/base64"
	"strings"
	"time"

	"bascule/internal/conversion"
	"bascule/sql"
)

// An owner is told from strangers by the device and by the network from which the
// space was entered before, so that strangers who guess cannot keep the owner out
// there. Neither opens anything. The device carries what the field calls a device
// cookie.

const (
	// maxKnown is to how many addresses a device may be known: an accountant has
	// several spaces, and browsers take 4 KiB.
	maxKnown = 8
	// tokenLength is that of one name and its voucher.
	tokenLength = 43 + 1 + 22
)

// networkKnown keeps the network of an entry for 90 days.
var networkKnown = sql.Limit{Burst: 1, Every: 90 * 24 * time.Hour}

// DeviceCookie is the value of a device cookie that is also known to this address,
// whose owner is at the device: who has signed in, activated the space, or chosen a
// new password by mail. It holds for each of the latest eight addresses a random
// name and what vouches for it with that address, and names nobody. name is 256
// random bits in base 64; before is the value that the device had, "" for none.
func (l *Limiter) DeviceCookie(before, name string, email conversion.Email) string {
	tokens := []string{name + "." + l.voucher(name, email)}
	for _, t := range parseTokens(before) {
		if len(tokens) < maxKnown && l.vouched(t, email) == "" {
			tokens = append(tokens, t)
		}
	}
	return strings.Join(tokens, ":")
}

// Device is the name of a device whose cookie is known to the address, "" for a
// stranger. A new secret key makes strangers of all.
func (l *Limiter) Device(cookie string, email conversion.Email) string {
	for _, t := range parseTokens(cookie) {
		if name := l.vouched(t, email); name != "" {
			return name
		}
	}
	return ""
}

// parseTokens is what a device says of itself: what has the form, and no more than
// we gave it.
func parseTokens(cookie string) (tokens []string) {
	for t := range strings.SplitSeq(cookie, ":") {
		if len(t) == tokenLength && len(tokens) < maxKnown {
			tokens = append(tokens, t)
		}
	}
	return tokens
}

// vouched is the name in a token that vouches for this address, "" in any other.
func (l *Limiter) vouched(token string, email conversion.Email) string {
	name, voucher, _ := strings.Cut(token, ".")
	if subtle.ConstantTimeCompare([]byte(voucher), []byte(l.voucher(name, email))) != 1 {
		return ""
	}
	return name
}

func (l *Limiter) voucher(name string, email conversion.Email) string {
	return base64.RawURLEncoding.EncodeToString(l.keys.Bucket("known browser", name, email.Key()))
}

// NoteNetwork makes the network of a client known to the address, whose owner is
// there.
func (l *Limiter) NoteNetwork(ctx context.Context, c Client, email conversion.Email) error {
	return l.db.FillBucket(ctx, l.knownNetwork(c, email))
}

// knownNetwork is full where the space was entered from the network of the client.
func (l *Limiter) knownNetwork(c Client, email conversion.Email) sql.Bucket {
	return l.Bucket(networkKnown, "known network", c.network().String(), email.Key())
}
