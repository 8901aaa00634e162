package web

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"bascule/internal/admission"
	"bascule/sql"
)

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

// retryLater is the wait after an overload or a fault, as nobody knows better then.
const retryLater = 5 * time.Second

// fail answers with a page of ours, and logs the failures that concern the operator.
func (s *Server) fail(w http.ResponseWriter, r *http.Request, err error) {
	f, known := errors.AsType[failure](err)
	throttled, tooMany := errors.AsType[*admission.Throttled](err)
	switch {
	case known:
	case tooMany:
		f = failure{status: http.StatusTooManyRequests, wait: throttled.Wait}
	case isBusy(err): // no concern of the operator
		f = failure{status: http.StatusServiceUnavailable, wait: retryLater}
	default:
		// Most likely PostgreSQL failed: it may be back in a moment.
		f = failure{status: http.StatusServiceUnavailable, wait: retryLater, cause: err}
	}
	if f.cause != nil && f.status >= 500 && r.Context().Err() != context.Canceled {
		s.cfg.Log.Error("request failed", "route", r.Pattern, "error", f.cause)
	}
	if f.wait > 0 {
		w.Header().Set("Retry-After", strconv.FormatInt(wholeSeconds(f.wait), 10))
	}
	v := view{Title: cmp.Or(failureTitles[f.status], "Service momentanément indisponible"), Data: failurePage{Status: f.status, Wait: frenchWait(f.wait)}}
	if f.status >= http.StatusInternalServerError { // the page needs no query
		err = s.pages.write(w, f.status, "failure", v)
	} else {
		err = s.write(w, r, f.status, "failure", v)
	}
	if err != nil {
		s.cfg.Log.Error("page not written", "route", r.Pattern, "error", err)
	}
}

// isBusy tells whether others were served in place of somebody, who is to come again.
// Nothing has failed.
func isBusy(err error) bool {
	return errors.Is(err, sql.ErrBusy) || errors.Is(err, admission.ErrOverload)
}

// wholeSeconds rounds up: a client that waits so long comes back late enough.
func wholeSeconds(d time.Duration) int64 { return int64((d + time.Second - 1) / time.Second) }

// failurePage is the data of failure.html.
type failurePage struct {
	Status int
	Wait   string
}

// failureTitles are titles of the page by its status.
var failureTitles = map[int]string{
	http.StatusForbidden: "Formulaire refusé", http.StatusNotFound: "Page introuvable", http.StatusTooManyRequests: "Trop d’essais",
	http.StatusConflict:         "Formulaire d’un autre espace",
	http.StatusMethodNotAllowed: illegible, http.StatusBadRequest: illegible, http.StatusRequestEntityTooLarge: illegible,
}

const illegible = "Formulaire illisible"
