package web

import (
	"context"
	"crypto/sha256"
	"errors"
	"net/http"
	"time"

	"bascule/internal/admission"
	"bascule/internal/conversion"
	"bascule/sql"
)

// connection is "Accéder à mon espace" (R27). It shows the address as typed; a password is
// never sent back.
func (s *Server) connection() formPage {
	return formPage{"connection", func(r *http.Request, _ entry) (any, error) { return r.PostForm.Get("email"), nil }, s.connect}
}

// outside makes a page for visitors who are in no password space. Others go on to
// theirs.
func (s *Server) outside(h handler) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		_, err := s.bySession(r)
		switch {
		case errors.Is(err, conversion.ErrNotFound):
			return h(w, r)
		case err != nil:
			return err
		}
		return seeOther(w, r, "/espace")
	}
}

// connect opens the space that address and password fit (R3). An unknown address, the
// address of a certificate space and a wrong password get one answer, after the same
// work.
func (s *Server) connect(w http.ResponseWriter, r *http.Request, _ entry) error {
	start := time.Now()
	var wrong problems
	email := parse(&wrong, r.PostForm, "email", conversion.ParseEmail)
	wrong.require(r.PostForm, "password", "saisissez votre mot de passe")
	if len(wrong) > 0 {
		return correction{problems: wrong}
	}
	token := newToken()
	err := s.limiter.Guess(r.Context(), s.connectionGuard(r, email), func() error {
		return s.open(r.Context(), email, r.PostForm.Get("password"), token)
	})
	if errors.Is(err, admission.ErrWrong) {
		if err := s.noteRefused(r.Context(), email, sql.RefusedSignIn); err != nil {
			return err
		}
		onTheBeat(r.Context(), start) // a write for a known address takes longer
		return corrected("password", connectionRefused)
	}
	if err != nil {
		return delayed("password", err)
	}
	return s.connected(w, r, email, token)
}

const connectionRefused = "Cette adresse et ce mot de passe n’ouvrent aucun espace. Vérifiez-les\u00a0; majuscules et minuscules comptent dans le mot de passe."

// open opens a session with this token. It returns admission.ErrWrong.
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
		return admission.ErrWrong
	}
	err = s.cfg.DB.EnterSpace(ctx, found, sha256.Sum256([]byte(token)))
	if errors.Is(err, conversion.ErrNotFound) {
		return admission.ErrWrong // the password or the identifier was changed a moment ago
	}
	return err
}

// connected lets the browser into the space, and out of the one where it was.
func (s *Server) connected(w http.ResponseWriter, r *http.Request, email conversion.Email, token string) error {
	if err := s.leave(r, ""); err != nil {
		return err
	}
	http.SetCookie(w, s.cookie(spaceCookie, token, sql.SpaceSession))
	s.remember(w, r, email)
	return seeOther(w, r, "/espace")
}

// leave ends the session of a browser, unless it is in the space of that number: a
// browser is in one space at a time.
func (s *Server) leave(r *http.Request, unless conversion.SubscriberNumber) error {
	e, err := s.bySession(r)
	switch {
	case errors.Is(err, conversion.ErrNotFound):
		return nil
	case err != nil, e.space.Number == unless:
		return err
	}
	return s.cfg.DB.LeaveSpace(r.Context(), e.token)
}

// disconnect ends the sessions of a browser, and all sessions on the recap of its
// space. So nothing stays open on a computer that others use, and nobody can send the
// form that activated again there.
func (s *Server) disconnect(w http.ResponseWriter, r *http.Request) error {
	var hashes [][32]byte
	for _, name := range sessionCookies {
		if hash, ok := s.sessionHash(r, name); ok {
			hashes = append(hashes, hash)
		}
	}
	if err := s.cfg.DB.SignOut(r.Context(), hashes...); err != nil {
		return err
	}
	for _, name := range sessionCookies {
		http.SetCookie(w, s.cookie(name, "", -time.Second))
	}
	return seeOther(w, r, "/deconnexion")
}

// showDisconnected says that nothing is open any more.
func (s *Server) showDisconnected(w http.ResponseWriter, r *http.Request) error {
	return s.write(w, r, http.StatusOK, "connection_closed", view{})
}

// connectionGuard bounds the search for the password of an address. A browser that the
// address knows has a bucket of its own alone, which nobody else can fill: not even
// neighbours on its line.
func (s *Server) connectionGuard(r *http.Request, email conversion.Email) admission.Guard {
	if browser := s.knownBrowser(r, email); browser != "" {
		return admission.Own(s.limiter.Bucket(admission.PerAddress, "connection browser", browser))
	}
	return s.limiter.Stranger("connection", s.client(r), email, admission.StrangersPasswords)
}
