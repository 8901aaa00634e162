package web

import (
	"errors"
	"net/http"

	"bascule/internal/certificate"
	"bascule/internal/conversion"
	"bascule/sql"
)

// An entry is a visitor in a space: by certificate, proven anew with each request, or
// by a session that address and password have opened; never by both (R1).
type entry struct {
	id    int64
	space conversion.Space

	holder certificate.Holder // by certificate
	open   sql.OpenChoice     // the choice that the holder has made already
	lost   conversion.Email   // the address chosen last, if its code did not reach it
	last   bool               // no other address can be chosen (D1)

	session *sql.EnteredSpace // by password; nil by certificate
	token   [32]byte          // the session's
}

// ByCertificate tells how the space is entered.
func (e entry) ByCertificate() bool { return e.session == nil }

// inside makes a page of the space: only visitors in the space reach it. A form names
// the space that it was opened in. Whoever has entered another one since, from another
// tab or with another certificate, must not change that one instead.
func (s *Server) inside(p page) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		e, err := s.enter(r)
		_, refused := errors.AsType[entryRefusal](err)
		switch {
		case refused:
			return s.refuseEntry(w, r, err)
		case errors.Is(err, conversion.ErrNotFound):
			return seeOther(w, r, "/connexion")
		case err != nil:
			return err
		case r.PostForm.Has("space") && r.PostForm.Get("space") != string(e.space.Number):
			return failure{status: http.StatusConflict}
		}
		return p(w, r, e)
	}
}

// withCertificate makes a page of a space entered by certificate. Other visitors learn
// which space they are in, that it is switched already, and the way into another one.
func (s *Server) withCertificate(p page) handler {
	return s.inside(func(w http.ResponseWriter, r *http.Request, e entry) error {
		if !e.ByCertificate() {
			return s.write(w, r, http.StatusForbidden, "activation_already", view{Inside: e.space.Access, Data: e.page()})
		}
		return p(w, r, e)
	})
}

// withPassword makes a page of a space entered by password. A change of the password
// elsewhere may end the session meanwhile. Forms work one after the other: of a double
// click, the second one knows what the first one did.
func (s *Server) withPassword(p page) handler {
	return s.inside(func(w http.ResponseWriter, r *http.Request, e entry) error {
		if e.ByCertificate() {
			return failure{status: http.StatusNotFound}
		}
		err := s.inTurn(r, e, func(e entry) error { return p(w, r, e) })
		if errors.Is(err, conversion.ErrNotFound) {
			return seeOther(w, r, "/connexion")
		}
		return err
	})
}

// inTurn runs f for a visitor in a password space, for a form after those before it. It
// returns conversion.ErrNotFound if one of these has ended the session.
func (s *Server) inTurn(r *http.Request, e entry, f func(entry) error) error {
	if r.Method != http.MethodPost {
		return f(e)
	}
	unlock, _, err := s.turns.Lock(r.Context(), turn{space: e.id})
	if err != nil {
		return err
	}
	defer unlock()
	if e, err = s.bySession(r); err != nil {
		return err
	}
	return f(e)
}

// enter finds the space of a visitor. A session comes first: a visitor who shows a
// certificate leaves it by "Accéder avec mon certificat". It returns an entryRefusal.
// It returns conversion.ErrNotFound without a session, if nobody asks for a certificate
// there.
func (s *Server) enter(r *http.Request) (entry, error) {
	e, err := s.bySession(r)
	if !errors.Is(err, conversion.ErrNotFound) {
		return e, err
	}
	if asksCertificate(r) {
		return s.byCertificate(r)
	}
	return e, err
}

// write renders a page. A visitor in a space finds the way back to it, and out of it,
// on each page; such a page is for one reader.
func (s *Server) write(w http.ResponseWriter, r *http.Request, status int, name string, v view) error {
	if v.Signed = v.Inside; v.Signed == "" {
		v.Signed = s.signed(r)
	}
	if v.Signed != "" {
		w.Header().Set("Cache-Control", "no-store")
	}
	return s.pages.write(w, status, name, v)
}

// signed tells how a browser is in a space; "" if it is in none or nobody can tell. It
// does not count certificates: nothing is opened or written for them here.
func (s *Server) signed(r *http.Request) conversion.Access {
	e, err := s.bySession(r)
	if errors.Is(err, conversion.ErrNotFound) && asksCertificate(r) {
		e, err = s.ofCertificate(r)
	}
	if err != nil {
		return ""
	}
	return e.space.Access
}

func (s *Server) bySession(r *http.Request) (entry, error) {
	token, ok := s.sessionHash(r, spaceCookie)
	if !ok {
		return entry{}, conversion.ErrNotFound
	}
	session, err := s.cfg.DB.SpaceOfSession(r.Context(), token)
	if err != nil {
		return entry{}, err
	}
	return entry{id: session.ID, space: session.Space, session: &session, token: token}, nil
}
