package web

import (
	"cmp"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"slices"
	"strings"
	"time"
)

// maxRequests is how many requests are answered at once. Each holds at most a form of
// 64 KiB in memory. This is many times what the database and the hashing can serve.
const maxRequests = 512

// admit refuses requests beyond maxRequests at once, and of one client those beyond half
// of them: its forms may arrive slowly, or never. It lets probes of the process pass:
// overload is no reason to kill it.
func (s *Server) admit(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if isProbe(r.URL.Path) {
			next.ServeHTTP(w, r)
			return
		}
		leave, err := s.clients.Enter(s.client(r))
		if err != nil {
			s.fail(w, r, err)
			return
		}
		defer leave()
		release, err := s.requests.Acquire(r.Context())
		if err != nil {
			s.fail(w, r, err)
			return
		}
		defer release()
		next.ServeHTTP(w, r)
	})
}

// secured sets the headers of every answer.
func (s *Server) secured(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; font-src 'self'; "+
			"form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
		// With no-referrer, browsers without Sec-Fetch-Site post "Origin: null". Their
		// forms could not be told from those of other sites.
		h.Set("Referrer-Policy", "same-origin")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Permissions-Policy", "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		if s.secure {
			h.Set("Strict-Transport-Security", "max-age=31536000")
		}
		next.ServeHTTP(w, r)
	})
}

// observe logs and counts each request by its route, never by its URL. It answers for a
// handler that panics. No line tells who asked, or what (I6).
func (s *Server) observe(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		watched := &watcher{ResponseWriter: w}
		defer func() {
			if p := recover(); p != nil {
				s.panicked(watched, r, p)
			}
			took := time.Since(start)
			method, route := knownMethod(r.Method), routeName(r.Pattern)
			s.metrics.request(method, route, watched.code(), took)
			s.cfg.Log.Log(r.Context(), logLevel(route), "request", "method", method, "route", route, "status", watched.code(), "took", took)
		}()
		next.ServeHTTP(watched, r)
	})
}

// panicked logs the place of a panic, but not its value, which may hold anything.
func (s *Server) panicked(w *watcher, r *http.Request, p any) {
	if p == http.ErrAbortHandler {
		panic(p)
	}
	s.cfg.Log.Error("panic", "route", routeName(r.Pattern), "type", fmt.Sprintf("%T", p), "stack", string(debug.Stack()))
	if w.status == 0 {
		s.fail(w, r, failure{status: http.StatusInternalServerError})
	}
}

func logLevel(route string) slog.Level {
	if isProbe(route) || strings.HasPrefix(route, "/static/") {
		return slog.LevelDebug
	}
	return slog.LevelInfo
}

// routeName is the pattern of a route; clients cannot invent others.
func routeName(pattern string) string {
	switch pattern {
	case "", "/":
		return "none"
	case "/{$}":
		return "/"
	}
	return pattern
}

// knownMethod keeps methods that clients invent out of logs and metrics.
func knownMethod(m string) string {
	if slices.Contains([]string{http.MethodGet, http.MethodHead, http.MethodPost}, m) {
		return m
	}
	return "other"
}

// watcher remembers the status of an answer.
type watcher struct {
	http.ResponseWriter
	status int
}

func (w *watcher) WriteHeader(status int) {
	w.status = cmp.Or(w.status, status)
	w.ResponseWriter.WriteHeader(status)
}

func (w *watcher) Write(b []byte) (int, error) {
	w.status = cmp.Or(w.status, http.StatusOK)
	return w.ResponseWriter.Write(b)
}

// Unwrap is for http.ResponseController.
func (w *watcher) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *watcher) code() int { return cmp.Or(w.status, http.StatusOK) }
