package web

import (
	"context"
	"net/http"
	"time"
)

// A handler answers a request, or returns why it cannot: a [failure], or another error
// if the subscriber is not to blame.
type handler func(http.ResponseWriter, *http.Request) error

const (
	// requestPatience is how long the work for one request may take: more than its waits
	// together, of two seconds each.
	requestPatience = 15 * time.Second
	// maxBody is several times the longest valid form.
	maxBody = 64 << 10
)

// dispatch picks the handler of the method and turns its error into a page.
func (s *Server) dispatch(rt route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), requestPatience)
		defer cancel()
		r = r.WithContext(ctx)
		if err := s.answer(rt, w, r); err != nil {
			s.fail(w, r, err)
		}
	})
}

func (s *Server) answer(rt route, w http.ResponseWriter, r *http.Request) error {
	h, allowed := rt.handler(r.Method)
	if h == nil {
		w.Header().Set("Allow", allowed)
		return failure{status: http.StatusMethodNotAllowed}
	}
	if err := s.crossOrigin.Check(r); err != nil {
		return failure{status: http.StatusForbidden, cause: err}
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	return h(w, r)
}

func (rt route) handler(method string) (h handler, allowed string) {
	allowed = "GET, HEAD"
	if rt.post != nil {
		allowed += ", POST"
	}
	switch method {
	case http.MethodGet, http.MethodHead:
		return rt.get, allowed
	case http.MethodPost:
		return rt.post, allowed
	}
	return nil, allowed
}

// seeOther leads a browser to another page.
func seeOther(w http.ResponseWriter, r *http.Request, path string) error {
	http.Redirect(w, r, path, http.StatusSeeOther)
	return nil
}
