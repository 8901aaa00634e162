package web

import (
	"context"
	"net/http"
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

// HoldTurn takes the turn on a request.
func (s *Server) HoldTurn(ctx context.Context, request int64) (end func(), err error) {
	end, _, err = s.turns.take(ctx, request)
	return end, err
}

// FillDocuments takes all slots in which recaps are made.
func (s *Server) FillDocuments() (release func()) {
	for range cap(s.documents.slots) {
		s.documents.slots <- struct{}{}
	}
	return func() {
		for range cap(s.documents.slots) {
			<-s.documents.slots
		}
	}
}
