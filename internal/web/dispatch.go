package web

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"bascule/internal/admission"
	"bascule/sql"
)

// A handler answers a request, or returns why it cannot: a [failure], or
// another error for what is no fault of the subscriber's.
type handler func(http.ResponseWriter, *http.Request) error

// A failure is an answer without a page of its own.
type failure struct {
	status int
	wait   time.Duration // told as Retry-After, 0 for none
	cause  error         // logged, if not nil
}

func (f failure) Error() string {
	if f.cause == nil {
		return http.StatusText(f.status)
	}
	return fmt.Sprintf("%s: %v", http.StatusText(f.status), f.cause)
}

func (f failure) Unwrap() error { return f.cause }

const (
	// requestPatience bounds the work for one request: twice the longest wait
	// that any part of it allows itself, and time to spare.
	requestPatience = 15 * time.Second
	// maxBody is several times the longest form that can be valid.
	maxBody = 64 << 10
	// retryLater is when to come back after an overload or a fault, in which
	// case nobody knows better.
	retryLater = 5 * time.Second
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
	var methods []string
	if rt.get != nil {
		methods = append(methods, http.MethodGet, http.MethodHead)
	}
	if rt.post != nil {
		methods = append(methods, http.MethodPost)
	}
	allowed = strings.Join(methods, ", ")
	switch method {
	case http.MethodGet, http.MethodHead:
		return rt.get, allowed
	case http.MethodPost:
		return rt.post, allowed
	}
	return nil, allowed
}

// fail answers with a page of ours, and logs what an operator must know.
func (s *Server) fail(w http.ResponseWriter, r *http.Request, err error) {
	var f failure
	switch {
	case errors.As(err, &f):
	case errors.Is(err, sql.ErrBusy), errors.Is(err, admission.ErrOverload): // of no concern to an operator
		f = failure{status: http.StatusServiceUnavailable, wait: retryLater}
	default:
		// Most likely PostgreSQL: it may be back in a moment.
		f = failure{status: http.StatusServiceUnavailable, wait: retryLater, cause: err}
	}
	if f.cause != nil && f.status >= 500 && r.Context().Err() != context.Canceled {
		s.log.Error("request failed", "route", r.Pattern, "error", f.cause)
	}
	if f.wait > 0 {
		w.Header().Set("Retry-After", strconv.FormatInt(wholeSeconds(f.wait), 10))
	}
	v := view{Title: failureTitle(f.status), Data: failurePage{Status: f.status, Wait: frenchWait(f.wait)}}
	if err := s.pages.write(w, f.status, "failure", v); err != nil {
		s.log.Error("page not written", "route", r.Pattern, "error", err)
	}
}

// wholeSeconds rounds up: who comes back comes back late enough.
func wholeSeconds(d time.Duration) int64 { return int64((d + time.Second - 1) / time.Second) }

// maxRequests is how many requests are answered at once, each with a form of 64
// KiB in memory at the most: many times what the database and the hashing take.
const maxRequests = 512

// admit sends away at once who comes on top of maxRequests, but not those who
// watch whether the process lives: overload is no reason to kill it.
func (s *Server) admit(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if isProbe(r.URL.Path) {
			next.ServeHTTP(w, r)
			return
		}
		release, err := s.requests.Acquire(r.Context())
		if err != nil {
			s.fail(w, r, err)
			return
		}
		defer release()
		next.ServeHTTP(w, r)
	})
}

// secured sets the headers that every answer has.
func (s *Server) secured(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; font-src 'self'; "+
			"form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
		// With no-referrer, browsers without Sec-Fetch-Site post "Origin: null", and
		// could not be told from others' pages.
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

// observe logs and counts each request by its route, never by its URL, and
// answers for a handler that panics. No line tells who asked, or what (I6).
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
			s.log.Log(r.Context(), logLevel(route), "request", "method", method, "route", route, "status", watched.code(), "took", took)
		}()
		next.ServeHTTP(watched, r)
	})
}

// panicked logs where, but not what: the value of a panic may hold anything.
func (s *Server) panicked(w *watcher, r *http.Request, p any) {
	if p == http.ErrAbortHandler {
		panic(p)
	}
	s.log.Error("panic", "route", routeName(r.Pattern), "type", fmt.Sprintf("%T", p), "stack", string(debug.Stack()))
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

// knownMethod keeps what clients invent out of logs and metrics.
func knownMethod(m string) string {
	switch m {
	case http.MethodGet, http.MethodHead, http.MethodPost:
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
	if w.status == 0 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *watcher) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	return w.ResponseWriter.Write(b)
}

// Unwrap is for http.ResponseController.
func (w *watcher) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *watcher) code() int {
	if w.status == 0 {
		return http.StatusOK
	}
	return w.status
}
