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

// Known devices and networks tell an owner from strangers: the space was entered from
// them before. So strangers who guess cannot keep the owner out there. Neither opens
// anything. The device holds a cookie that the field calls a device cookie.

const (
	// maxKnown is how many addresses may know a device: an accountant has several
	// spaces, and browsers accept 4 KiB.
	maxKnown = 8
	// tokenLength is the length of one name with its voucher.
	tokenLength = 43 + 1 + 22
)

// networkKnown keeps the network of an entry for 90 days.
var networkKnown = sql.Limit{Burst: 1, Every: 90 * 24 * time.Hour}

// DeviceCookie is the value of a device cookie that this address knows from now on. Its
// owner is at the device: they have signed in, activated the space, or chosen a new
// password by mail. For each of the latest eight addresses it holds a random name and a
// voucher for it. It names nobody. name is 256 random bits in base 64; before is the
// value that the device had, "" for none.
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

// parseTokens reads the tokens of a device: those of the right form, and no more than
// we gave it.
func parseTokens(cookie string) (tokens []string) {
	for t := range strings.SplitSeq(cookie, ":") {
		if len(t) == tokenLength && len(tokens) < maxKnown {
			tokens = append(tokens, t)
		}
	}
	return tokens
}

// vouched is the name in a token that vouches for this address; "" for any other token.
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

// NoteNetwork makes the address know the network of a client, as its owner is there.
func (l *Limiter) NoteNetwork(ctx context.Context, c Client, email conversion.Email) error {
	return l.db.FillBucket(ctx, l.knownNetwork(c, email))
}

// knownNetwork is the bucket that is full if the space was entered from the network of
// the client.
func (l *Limiter) knownNetwork(c Client, email conversion.Email) sql.Bucket {
	return l.Bucket(networkKnown, "known network", c.network().String(), email.Key())
}
