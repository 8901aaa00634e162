package web

import (
	"crypto/subtle"
	"encoding/base64"
	"net/http"
	"strings"
	"time"

	"bascule/internal/conversion"
	"bascule/sql"
)

// An owner is told from strangers by the browser and by the network from which
// the space was entered before, so that strangers who guess cannot keep the owner
// out there. Neither opens anything.

const (
	// browserCookie tells a browser that has been in a space, or has proven its
	// address by a code that was used up, from strangers. It holds for each of the
	// latest addresses a random name and what vouches for it with that address, and
	// names nobody.
	browserCookie = "navigateur"
	// browserLife is renewed by each entry.
	browserLife = 180 * 24 * time.Hour
	// maxKnown is to how many addresses a browser may be known: an accountant has
	// several spaces, and browsers take 4 KiB.
	maxKnown = 8
	// tokenLength is that of one name and its voucher.
	tokenLength = 43 + 1 + 22
)

// networkKnown keeps the network of an entry for 90 days.
var networkKnown = sql.Limit{Burst: 1, Every: 90 * 24 * time.Hour}

// remember makes browser and network known to the address whose owner is there:
// who has signed in, activated the space, or chosen a new password by mail. What
// has been done stands whether or not the network can be noted.
func (s *Server) remember(w http.ResponseWriter, r *http.Request, email conversion.Email) {
	name := newToken()
	tokens := []string{name + "." + s.voucher(name, email)}
	for _, t := range s.tokens(r) {
		if len(tokens) < maxKnown && s.vouched(t, email) == "" {
			tokens = append(tokens, t)
		}
	}
	http.SetCookie(w, s.cookie(browserCookie, strings.Join(tokens, ":"), browserLife))
	if err := s.db.FillBucket(r.Context(), s.knownNetwork(r, email)); err != nil {
		s.log.Warn("the network of an entry was not noted", "error", err)
	}
}

// knownBrowser is the name of a browser that is known to the address, "" for a
// stranger. A new secret key makes strangers of all.
func (s *Server) knownBrowser(r *http.Request, email conversion.Email) string {
	for _, t := range s.tokens(r) {
		if name := s.vouched(t, email); name != "" {
			return name
		}
	}
	return ""
}

// tokens are what a browser says of itself: what has the form, and no more than
// we gave it.
func (s *Server) tokens(r *http.Request) []string {
	cookie, err := r.Cookie(s.cookieName(browserCookie))
	if err != nil {
		return nil
	}
	var tokens []string
	for t := range strings.SplitSeq(cookie.Value, ":") {
		if len(t) == tokenLength && len(tokens) < maxKnown {
			tokens = append(tokens, t)
		}
	}
	return tokens
}

// vouched is the name in a token that vouches for this address, "" in any other.
func (s *Server) vouched(token string, email conversion.Email) string {
	name, voucher, _ := strings.Cut(token, ".")
	if subtle.ConstantTimeCompare([]byte(voucher), []byte(s.voucher(name, email))) != 1 {
		return ""
	}
	return name
}

func (s *Server) voucher(name string, email conversion.Email) string {
	return base64.RawURLEncoding.EncodeToString(s.keys.Bucket("known browser", name, email.Key()))
}

// knownNetwork is full where the space was entered from the network of r.
func (s *Server) knownNetwork(r *http.Request, email conversion.Email) bucket {
	return s.bucket(networkKnown, "known network", s.network(r).String(), email.Key())
}
