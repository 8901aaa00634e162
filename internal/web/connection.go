package web

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"bascule/internal/conversion"
	"bascule/sql"
)

// connectionPage is the data of connection.html.
type connectionPage struct {
	Email string // as typed; a password is never sent back
}

// showConnection is "Accéder à mon espace" (R27); who is in it already goes on.
func (s *Server) showConnection(w http.ResponseWriter, r *http.Request) error {
	_, err := s.bySession(r)
	if errors.Is(err, conversion.ErrNotFound) {
		return s.pages.write(w, http.StatusOK, "connection", view{Data: connectionPage{}})
	}
	if err != nil {
		return err
	}
	http.Redirect(w, r, "/espace", http.StatusSeeOther)
	return nil
}

// connect opens the space that address and password fit (R3). All that does not
// fit gets one answer after the same work: an address that no space has, one of
// a certificate space, a wrong password.
func (s *Server) connect(w http.ResponseWriter, r *http.Request) error {
	form, err := readForm(r)
	if err != nil {
		return err
	}
	email, wrong := parseConnection(form)
	if len(wrong) > 0 {
		return s.connectAgain(w, form, 0, wrong)
	}
	token := newToken()
	wait, err := s.guess(r.Context(), s.connectionBuckets(r, email), func() error {
		return s.open(r.Context(), email, form.Get("password"), token)
	})
	switch {
	case wait > 0:
		return s.connectAgain(w, form, wait, problems{tooMany("password", wait)})
	case errors.Is(err, errWrong):
		return s.connectAgain(w, form, 0, problems{{"password", connectionRefused}})
	case err != nil:
		return err
	}
	return s.connected(w, r, email, token)
}

const connectionRefused = "Cette adresse et ce mot de passe n'ouvrent aucun espace. Vérifiez-les\u00a0; majuscules et minuscules comptent dans le mot de passe."

func parseConnection(form url.Values) (conversion.Email, problems) {
	var wrong problems
	email, err := conversion.ParseEmail(form.Get("email"))
	wrong.note("email", err)
	if form.Get("password") == "" {
		wrong.add("password", "saisissez votre mot de passe")
	}
	return email, wrong
}

func (s *Server) connectAgain(w http.ResponseWriter, form url.Values, wait time.Duration, wrong problems) error {
	return s.pages.write(w, refusalStatus(w, wait), "connection", view{
		Problems: wrong, Data: connectionPage{Email: form.Get("email")},
	})
}

// refusalStatus is the status of a form that is shown again: to be corrected, or
// to be sent again after a wait.
func refusalStatus(w http.ResponseWriter, wait time.Duration) int {
	if wait == 0 {
		return http.StatusUnprocessableEntity
	}
	w.Header().Set("Retry-After", strconv.FormatInt(wholeSeconds(wait), 10))
	return http.StatusTooManyRequests
}

func tooMany(field string, wait time.Duration) problem {
	return problem{field, "Trop d'essais ont été faits. Pour protéger les espaces, il faut maintenant attendre " + frenchWait(wait) + " avant de réessayer."}
}

// open opens a session with this token. It returns errWrong.
func (s *Server) open(ctx context.Context, email conversion.Email, password, token string) error {
	found, known, err := s.identifier(ctx, email)
	if err != nil {
		return err
	}
	var right bool
	if err := s.hashing(ctx, func() { right = found.Password.MatchesPassword(password) }); err != nil {
		return err
	}
	if !known || !right {
		return errWrong
	}
	err = s.db.EnterSpace(ctx, found, sha256.Sum256([]byte(token)))
	if errors.Is(err, conversion.ErrNotFound) {
		return errWrong // changed a moment ago
	}
	return err
}

// identifier finds the password space of an address or, where there is none,
// what to compare secrets with all the same.
func (s *Server) identifier(ctx context.Context, email conversion.Email) (found sql.Identifier, known bool, err error) {
	blind := decoy() // made for a known address too: the first unknown one must not take longer
	found, err = s.db.FindIdentifier(ctx, email)
	if errors.Is(err, conversion.ErrNotFound) {
		return sql.Identifier{Password: blind, Answer: blind}, false, nil
	}
	return found, err == nil, err
}

// decoy is the hash of a secret that nobody knows, made once in each process:
// comparing with it takes the time of any other.
var decoy = sync.OnceValue(func() conversion.Hash {
	secret, err := conversion.ParseTrustAnswer(newToken())
	if err != nil {
		panic(err) // cannot happen: a token has letters and digits
	}
	return secret.Hash()
})

// hashing runs f in a hashing slot. It returns errOverload, or ctx's error.
func (s *Server) hashing(ctx context.Context, f func()) error {
	leave, err := s.gate.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	defer prometheus.NewTimer(s.metrics.hashing).ObserveDuration()
	f()
	return nil
}

// connected lets the browser into the space, and out of the one it was in.
func (s *Server) connected(w http.ResponseWriter, r *http.Request, email conversion.Email, token string) error {
	if err := s.endSession(r, spaceCookie); err != nil {
		return err
	}
	http.SetCookie(w, s.cookie(spaceCookie, token, sql.SpaceSession))
	s.remember(w, email)
	http.Redirect(w, r, "/espace", http.StatusSeeOther)
	return nil
}

// disconnect ends the sessions of a browser, the recap's too: nothing stays
// open on a computer that others use.
func (s *Server) disconnect(w http.ResponseWriter, r *http.Request) error {
	for _, name := range []string{spaceCookie, recapCookie} {
		if err := s.endSession(r, name); err != nil {
			return err
		}
		http.SetCookie(w, s.cookie(name, "", -time.Second))
	}
	http.Redirect(w, r, "/", http.StatusSeeOther)
	return nil
}

func (s *Server) endSession(r *http.Request, name string) error {
	cookie, err := r.Cookie(s.cookieName(name))
	if err != nil {
		return nil
	}
	return s.db.LeaveSpace(r.Context(), sha256.Sum256([]byte(cookie.Value)))
}

// connectionBuckets bound the search for the password of one address from many
// networks, which the buckets of each network would let through: all strangers
// together have strangersGuess. Guesses beyond it are not tried, so they are
// not counted either, and the wait is never longer than one leak: once an attack
// ends, its victim gets in within minutes. While one from besiegers networks or
// more lasts, it can keep strangers out; so a browser that is known to the address
// (see remember) is no stranger but has buckets of its own, which nobody else can
// fill. And who is at another browser gets one there by a new password: that goes
// by mail and trust answer, not by this form.
func (s *Server) connectionBuckets(r *http.Request, email conversion.Email) []bucket {
	if browser := s.knownBrowser(r, email); browser != "" {
		return []bucket{s.clientBucket("connection", r), {s.keys.Bucket("connection browser", browser), perAddress}}
	}
	return s.strangerBuckets("connection", r, email, strangersGuess)
}

// strangersGuess lets all strangers together try 288 passwords of an address a
// day, after 30 at once, from however many networks: at that rate a search
// through the hundred thousand likeliest ones that the rules allow takes a year.
// One network has 29 of them a day, after 10 at once.
var strangersGuess = sql.Limit{Burst: 30, Every: 5 * time.Minute}

const (
	// browserCookie tells a browser that has been in a space, or has proven its
	// address by a code that was used up, from strangers. It holds a random name
	// and what vouches for it with one address, the latest; it opens nothing and
	// names nobody.
	browserCookie = "navigateur"
	// browserLife is renewed by each entry.
	browserLife = 180 * 24 * time.Hour
)

// remember makes the browser known to the address whose owner is at it: who has
// signed in, activated the space, or chosen a new password by mail.
func (s *Server) remember(w http.ResponseWriter, email conversion.Email) {
	name := newToken()
	http.SetCookie(w, s.cookie(browserCookie, name+"."+s.voucher(name, email), browserLife))
}

// knownBrowser is the name of a browser that is known to the address, "" for a
// stranger. A new secret key makes strangers of all.
func (s *Server) knownBrowser(r *http.Request, email conversion.Email) string {
	cookie, err := r.Cookie(s.cookieName(browserCookie))
	if err != nil {
		return ""
	}
	name, voucher, _ := strings.Cut(cookie.Value, ".")
	if subtle.ConstantTimeCompare([]byte(voucher), []byte(s.voucher(name, email))) != 1 {
		return ""
	}
	return name
}

func (s *Server) voucher(name string, email conversion.Email) string {
	return base64.RawURLEncoding.EncodeToString(s.keys.Bucket("known browser", name, email.Key()))
}
