package web

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"

	"bascule/internal/conversion"
	"bascule/internal/recap"
	"bascule/sql"
)

// recapPDF serves the document that the subscriber keeps (R28), to a session only: the
// URL holds nothing that somebody could pass on.
func (s *Server) recapPDF(w http.ResponseWriter, r *http.Request) error {
	found, pdf, err := s.documentOf(r)
	if err != nil {
		return s.noRecap(w, r, err)
	}
	h := w.Header()
	h.Set("Cache-Control", "private, no-store")
	h.Set("Content-Type", "application/pdf")
	h.Set("Content-Disposition", `inline; filename="recapitulatif-`+string(found.Number)+`.pdf"`)
	h.Set("Content-Length", strconv.Itoa(len(pdf)))
	w.Write(pdf) // fails if the client has gone, which needs no answer
	return nil
}

// documentOf reads the document, or makes it, in one of as many slots as there are
// cores. It returns conversion.ErrNotFound, or admission.ErrOverload. It gives the slot
// back before the document leaves: a slow client keeps nobody waiting.
func (s *Server) documentOf(r *http.Request) (found sql.Recap, pdf []byte, err error) {
	release, err := s.documents.Acquire(r.Context())
	if err != nil {
		return sql.Recap{}, nil, err
	}
	defer release()
	if found, err = s.recapOf(r); err != nil {
		return sql.Recap{}, nil, err
	}
	if pdf = found.PDF; pdf == nil { // the worker has not stored it yet: the same facts give the same bytes
		pdf, err = recap.Render(found.Facts)
	}
	if err != nil {
		return sql.Recap{}, nil, fmt.Errorf("recap of request %d: %w", found.RequestID, err)
	}
	return found, pdf, nil
}

// recapOf is the recap that one of the two sessions may see. It returns
// conversion.ErrNotFound.
func (s *Server) recapOf(r *http.Request) (sql.Recap, error) {
	for _, name := range sessionCookies {
		hash, ok := s.sessionHash(r, name)
		if !ok {
			continue
		}
		found, err := s.cfg.DB.RecapOfSession(r.Context(), hash)
		if !errors.Is(err, conversion.ErrNotFound) {
			return found, err
		}
	}
	return sql.Recap{}, conversion.ErrNotFound
}

// noRecap answers a visitor without a session, or returns any other error.
func (s *Server) noRecap(w http.ResponseWriter, r *http.Request, err error) error {
	if errors.Is(err, conversion.ErrNotFound) {
		return s.write(w, r, http.StatusForbidden, "recap_nosession", view{})
	}
	return err
}

// recapPage shows the content of the PDF as a page, for subscribers who cannot read the
// PDF: its library knows no tags (R28).
func (s *Server) recapPage(w http.ResponseWriter, r *http.Request) error {
	found, err := s.recapOf(r)
	if err != nil {
		return s.noRecap(w, r, err)
	}
	facts, err := recap.Read(found.Facts)
	if err != nil {
		return fmt.Errorf("recap of request %d: %w", found.RequestID, err)
	}
	return s.write(w, r, http.StatusOK, "recap", view{Data: facts})
}
