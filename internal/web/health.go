package web

import (
	"context"
	"net/http"
	"time"
)

// isProbe tells whether an operator watches the process by this path.
func isProbe(path string) bool { return path == "/healthz" || path == "/readyz" }

// ProofHeader carries the answer to the challenge of /healthz, by which `campaign check`
// knows the pages of this very installation.
const ProofHeader = "Bascule-Proof"

// maxChallenge is more than is needed that no two challenges are the same.
const maxChallenge = 64

func (s *Server) healthy(w http.ResponseWriter, r *http.Request) error {
	if challenge := r.URL.Query().Get("challenge"); challenge != "" && len(challenge) <= maxChallenge {
		w.Header().Set(ProofHeader, s.cfg.Keys.Prove(challenge))
	}
	return writeText(w, http.StatusOK, "ok\n")
}

// readyPatience is how long PostgreSQL may take to answer before the server
// calls itself out of service.
const readyPatience = 2 * time.Second

func (s *Server) ready(w http.ResponseWriter, r *http.Request) error {
	ctx, cancel := context.WithTimeout(r.Context(), readyPatience)
	defer cancel()
	if err := s.cfg.DB.Ready(ctx); err != nil {
		s.cfg.Log.Warn("not ready", "error", err)
		return writeText(w, http.StatusServiceUnavailable, "PostgreSQL does not answer\n")
	}
	return writeText(w, http.StatusOK, "ok\n")
}

func writeText(w http.ResponseWriter, status int, text string) error {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	w.Write([]byte(text)) // fails if the client has gone, which needs no answer
	return nil
}
