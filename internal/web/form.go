package web

import (
	"cmp"
	"errors"
	"html/template"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"

	"bascule/internal/admission"
	"bascule/internal/conversion"
)

// A page answers a visitor. Outside a space, the entry is the zero entry.
type page func(http.ResponseWriter, *http.Request, entry) error

// anybody makes a page that everybody may see.
func anybody(p page) handler {
	return func(w http.ResponseWriter, r *http.Request) error { return p(w, r, entry{}) }
}

// A formPage is a page with a form.
type formPage struct {
	name   string                                  // of its template
	data   func(*http.Request, entry) (any, error) // what was typed, but never a secret
	submit page                                    // takes the form; a correction shows it again
}

// form is the route of a page with a form, for those whom who lets pass.
func (s *Server) form(path string, who func(page) handler, f formPage) route {
	show := func(w http.ResponseWriter, r *http.Request, e entry, c correction) error {
		data, err := f.data(r, e)
		if err != nil {
			return err
		}
		return s.write(w, r, c.status(w), f.name, view{Inside: e.space.Access, Space: e.space.Number, Problems: c.problems, Data: data})
	}
	return route{
		path: path,
		get:  who(func(w http.ResponseWriter, r *http.Request, e entry) error { return show(w, r, e, correction{}) }),
		post: posted(who(func(w http.ResponseWriter, r *http.Request, e entry) error {
			err := f.submit(w, r, e)
			if c, ok := errors.AsType[correction](err); ok {
				return show(w, r, e, c)
			}
			return err
		})),
	}
}

// posted reads a form of ours into r.PostForm. A form that no browser sends is a 400.
func posted(h handler) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		body, err := io.ReadAll(r.Body)
		if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
			return failure{status: http.StatusRequestEntityTooLarge}
		}
		if r.PostForm = readForm(r.Header.Get("Content-Type"), string(body)); err != nil || len(r.PostForm) == 0 {
			return failure{status: http.StatusBadRequest}
		}
		return h(w, r)
	}
}

// maxFields is several times the fields of the longest form. Each takes some hundred
// bytes of memory, however short it is (I8).
const maxFields = 32

// readForm reads the form in a body; it is empty if it is none of ours.
func readForm(kind, body string) url.Values {
	media, _, _ := mime.ParseMediaType(kind)
	if media != "application/x-www-form-urlencoded" || strings.Count(body, "&") >= maxFields {
		return nil
	}
	form, err := url.ParseQuery(body)
	if err != nil {
		return nil
	}
	return form
}

// A correction shows a form again: it is to be corrected, or to be sent again after a
// wait.
type correction struct {
	problems
	wait time.Duration
}

func (correction) Error() string { return "the form is to be corrected" }

func corrected(field, text string) error { return correction{problems: problems{{field, text}}} }

// delayed is the correction of a field of which too many values were tried; any other
// error as it is.
func delayed(field string, err error) error {
	if t, ok := errors.AsType[*admission.Throttled](err); ok {
		return correction{problems{{field, "Trop d’essais. Attendez " + frenchWait(t.Wait) + " avant de réessayer."}}, t.Wait}
	}
	return err
}

// status is the status of the page, 200 for a form that is shown first.
func (c correction) status(w http.ResponseWriter) int {
	switch {
	case c.wait > 0:
		w.Header().Set("Retry-After", strconv.FormatInt(wholeSeconds(c.wait), 10))
		return http.StatusTooManyRequests
	case len(c.problems) > 0:
		return http.StatusUnprocessableEntity
	}
	return http.StatusOK
}

// newSubmission names a form, so that the same form again changes nothing.
func newSubmission() string { return uuid.NewString() }

// formID names a form with all typed values: a visitor who goes back and types another
// password has not sent the same form again.
func (s *Server) formID(form url.Values) string {
	id := s.cfg.Keys.Bucket("form", cmp.Or(form.Get("submission"), newSubmission()), form.Get("email"), form.Get("code"),
		form.Get("new_email"), form.Get("password"), form.Get("question"), form.Get("answer"))
	return uuid.UUID(id).String()
}

// problems are what is wrong with a form, in the order of its fields.
type problems []problem

type problem struct{ Field, Text string }

func (p *problems) add(field, text string) { *p = append(*p, problem{field, sentence(text)}) }

// Of is the problem of a field, nil if there is none.
func (p problems) Of(field string) *problem {
	if i := slices.IndexFunc(p, func(p problem) bool { return p.Field == field }); i >= 0 {
		return &p[i]
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
	invalid := ""
	if p.Of(field) != nil {
		hints, invalid = append(hints, field+"-erreur"), ` aria-invalid="true"`
	}
	return template.HTMLAttr(`aria-describedby="` + strings.Join(hints, " ") + `"` + invalid)
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

// parse reads a field, and notes in French why it is refused.
func parse[T any](p *problems, form url.Values, field string, read func(string) (T, error)) T {
	value, err := read(form.Get(field))
	if invalid, ok := errors.AsType[*conversion.Invalid](err); ok {
		p.add(field, invalid.French)
	} else if err != nil {
		p.add(field, "valeur refusée")
	}
	return value
}

// require notes an empty field.
func (p *problems) require(form url.Values, field, text string) {
	if form.Get(field) == "" {
		p.add(field, text)
	}
}
