package web

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"

	"bascule/internal/conversion"
	"bascule/internal/recap"
	"bascule/sql"
)

// sessionCookie is the cookie of the session that an activation opens, good for
// the recap alone. Over https its prefix makes browsers refuse it from anybody
// but this very host.
func (s *Server) sessionCookie(token string) *http.Cookie {
	return &http.Cookie{
		Name: s.sessionName(), Value: token, Path: "/", MaxAge: int(sql.RecapSession.Seconds()),
		Secure: s.secure, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	}
}

func (s *Server) sessionName() string {
	if s.secure {
		return "__Host-recap"
	}
	return "recap"
}

// recap serves the document that the subscriber keeps (R28), to a session only:
// there is nothing in the URL to pass on.
func (s *Server) recap(w http.ResponseWriter, r *http.Request) error {
	cookie, err := r.Cookie(s.sessionName())
	if err != nil {
		return s.noSession(w)
	}
	found, err := s.db.RecapOfSession(r.Context(), sha256.Sum256([]byte(cookie.Value)))
	if errors.Is(err, conversion.ErrNotFound) {
		return s.noSession(w)
	}
	if err != nil {
		return err
	}
	pdf, err := document(found)
	if err != nil {
		return fmt.Errorf("recap of request %d: %w", found.RequestID, err)
	}
	h := w.Header()
	h.Set("Cache-Control", "private, no-store")
	h.Set("Content-Type", "application/pdf")
	h.Set("Content-Disposition", `inline; filename="recapitulatif-`+string(found.Number)+`.pdf"`)
	h.Set("Content-Length", strconv.Itoa(len(pdf)))
	w.Write(pdf) // fails when the reader has gone: nobody is left to tell
	return nil
}

// document is the PDF that the worker stored or, before it came by, the same
// bytes made from the same facts.
func document(r sql.Recap) ([]byte, error) {
	if r.PDF != nil {
		return r.PDF, nil
	}
	var facts recap.Facts
	if err := json.Unmarshal(r.Facts, &facts); err != nil {
		return nil, fmt.Errorf("read the facts: %w", err)
	}
	var b bytes.Buffer
	if err := recap.Write(&b, facts); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

func (s *Server) noSession(w http.ResponseWriter) error {
	return s.pages.write(w, http.StatusForbidden, "nosession", view{})
}
