package web

import (
	"context"
	"net/http"
	"time"
)

// isProbe tells the paths by which an operator watches the process.
func isProbe(path string) bool { return path == "/healthz" || path == "/readyz" }

func (s *Server) healthy(w http.ResponseWriter, r *http.Request) error {
	return writeText(w, http.StatusOK, "ok\n")
}

// readyPatience is how long PostgreSQL may take to answer before the server
// calls itself out of service.
const readyPatience = 2 * time.Second

func (s *Server) ready(w http.ResponseWriter, r *http.Request) error {
	ctx, cancel := context.WithTimeout(r.Context(), readyPatience)
	defer cancel()
	if err := s.db.Ready(ctx); err != nil {
		s.log.Warn("not ready", "error", err)
		return writeText(w, http.StatusServiceUnavailable, "PostgreSQL does not answer\n")
	}
	return writeText(w, http.StatusOK, "ok\n")
}

func writeText(w http.ResponseWriter, status int, text string) error {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	w.Write([]byte(text)) // fails when the reader has gone: nobody is left to tell
	return nil
}
