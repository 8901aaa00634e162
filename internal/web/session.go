package web

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"time"

	"bascule/internal/admission"
	"bascule/internal/conversion"
)

// The cookies of sessions. An activation opens the first, for the recap alone. Address
// and password open the second.
const (
	recapCookie = "recap"
	spaceCookie = "espace"
)

// sessionCookies are both of them. A visitor in a space sees its recap.
var sessionCookies = [...]string{spaceCookie, recapCookie}

// browserCookie tells known browsers from strangers. Such a browser has been in a
// space, or has proven its address by a code that was used up. The cookie opens
// nothing.
const (
	browserCookie = "navigateur"
	browserLife   = 180 * 24 * time.Hour // renewed by each entry
)

// cookie holds the secret of a session. Over https the prefix of its name makes
// browsers refuse it from any other host.
func (s *Server) cookie(name, token string, life time.Duration) *http.Cookie {
	return &http.Cookie{
		Name: s.cookieName(name), Value: token, Path: "/", MaxAge: int(life.Seconds()),
		Secure: s.secure, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	}
}

// sessionHash is the hash of a session's cookie, as the database knows it.
func (s *Server) sessionHash(r *http.Request, name string) (hash [32]byte, ok bool) {
	token := s.cookieValue(r, name)
	return sha256.Sum256([]byte(token)), token != ""
}

func (s *Server) cookieName(name string) string {
	if s.secure {
		return "__Host-" + name
	}
	return name
}

// cookieValue is the value of a browser's cookie, "" if it sends none.
func (s *Server) cookieValue(r *http.Request, name string) string {
	cookie, err := r.Cookie(s.cookieName(name))
	if err != nil {
		return ""
	}
	return cookie.Value
}

// newToken is the value of a session's cookie: 256 random bits.
func newToken() string {
	var b [32]byte
	rand.Read(b[:]) // never fails: crypto/rand ends the process instead
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// remember makes the address know browser and network, as its owner is there. The work
// before stands, even if the network cannot be noted.
func (s *Server) remember(w http.ResponseWriter, r *http.Request, email conversion.Email) {
	known := s.limiter.DeviceCookie(s.cookieValue(r, browserCookie), newToken(), email)
	http.SetCookie(w, s.cookie(browserCookie, known, browserLife))
	if err := s.limiter.NoteNetwork(r.Context(), s.client(r), email); err != nil {
		s.cfg.Log.Warn("the network of an entry was not noted", "error", err)
	}
}

// knownBrowser is the name of a browser that the address knows, "" for a stranger.
func (s *Server) knownBrowser(r *http.Request, email conversion.Email) string {
	return s.limiter.Device(s.cookieValue(r, browserCookie), email)
}

// client is who asks. Where the handshake asks for certificates, a proxy can only pass
// connections on unread: the client itself has written X-Forwarded-For.
func (s *Server) client(r *http.Request) admission.Client {
	if asksCertificate(r) && len(s.cfg.CertProxies) == 0 {
		return admission.Proxies{}.Client(r)
	}
	return s.cfg.TrustedProxies.Client(r)
}
