package web

import (
	"context"
	"net/http"

	"bascule/internal/admission"
)

// Pages are the paths that a browser can be sent to and that answer with a page.
func (s *Server) Pages() []string {
	var paths []string
	for _, r := range s.routes() {
		if r.get != nil {
			paths = append(paths, r.path)
		}
	}
	return paths
}

// Ready is the answer to /readyz, whose time only the server itself bounds here.
func (s *Server) Ready(w http.ResponseWriter) error {
	return s.ready(w, new(http.Request))
}

// LockTurn locks a request.
func (s *Server) LockTurn(ctx context.Context, request int64) (end func(), err error) {
	end, _, err = s.turns.Lock(ctx, turn{request: request})
	return end, err
}

// FillDocuments takes all slots in which recaps are made, and lets nobody wait.
func (s *Server) FillDocuments() (release func()) {
	free := s.documents
	s.documents = admission.NewSemaphore(0, 0)
	return func() { s.documents = free }
}
