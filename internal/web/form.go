package web

import (
	"errors"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"

	"bascule/internal/conversion"
)

// readForm reads a form of ours. A form that no browser sends is a 400.
func readForm(r *http.Request) (url.Values, error) {
	var tooLarge *http.MaxBytesError
	switch err := r.ParseForm(); {
	case errors.As(err, &tooLarge):
		return nil, failure{status: http.StatusRequestEntityTooLarge}
	case err != nil, len(r.PostForm) == 0:
		return nil, failure{status: http.StatusBadRequest}
	}
	return r.PostForm, nil
}

// newSubmission names a form, so that the same form again changes nothing.
func newSubmission() string { return uuid.NewString() }

// formID names a form with all typed values: a visitor who goes back and types another
// password has not sent the same form again.
func (s *Server) formID(form url.Values) string {
	submission := form.Get("submission")
	if submission == "" {
		submission = newSubmission()
	}
	id := s.keys.Bucket("form", submission, form.Get("email"), form.Get("code"),
		form.Get("new_email"), form.Get("password"), form.Get("question"), form.Get("answer"))
	return uuid.UUID(id).String()
}

// problems are what is wrong with a form, in the order of its fields.
type problems []problem

type problem struct{ Field, Text string }

func (p *problems) add(field, text string) { *p = append(*p, problem{field, sentence(text)}) }

// Of is the problem of a field, nil if there is none.
func (p problems) Of(field string) *problem {
	for i := range p {
		if p[i].Field == field {
			return &p[i]
		}
	}
	return nil
}

// Refused tells whether an address and a code did not belong together: the page then
// tells the remedy.
func (p problems) Refused() bool {
	return slices.ContainsFunc(p, func(p problem) bool { return p.Text == codeRefused || p.Text == resetRefused })
}

// Describe returns the attributes by which assistive software finds the hints and the
// problem of a field. All parts are names of ours.
func (p problems) Describe(field string, hints ...string) template.HTMLAttr {
	if p.Of(field) == nil {
		return template.HTMLAttr(`aria-describedby="` + strings.Join(hints, " ") + `"`)
	}
	hints = append(hints, field+"-erreur")
	return template.HTMLAttr(`aria-describedby="` + strings.Join(hints, " ") + `" aria-invalid="true"`)
}

// sentence makes a sentence of the domain's words.
func sentence(s string) string {
	first, size := utf8.DecodeRuneInString(s)
	s = string(unicode.ToUpper(first)) + s[size:]
	if strings.HasSuffix(s, ".") {
		return s
	}
	return s + "."
}

// note adds a refusal of the domain, in French.
func (p *problems) note(field string, err error) {
	var invalid *conversion.Invalid
	switch {
	case errors.As(err, &invalid):
		p.add(field, invalid.French)
	case err != nil:
		p.add(field, "valeur refusée")
	}
}

// refusalStatus is the status of a form that is shown again, to be corrected or to be
// sent again after a wait.
func refusalStatus(w http.ResponseWriter, wait time.Duration) int {
	if wait == 0 {
		return http.StatusUnprocessableEntity
	}
	w.Header().Set("Retry-After", strconv.FormatInt(wholeSeconds(wait), 10))
	return http.StatusTooManyRequests
}

func tooMany(field string, wait time.Duration) problem {
	return problem{field, "Trop d’essais. Attendez " + frenchWait(wait) + " avant de réessayer."}
}
