package web

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"path"
	"strconv"
	"strings"
	"time"

	"bascule/internal/conversion"
)

//go:embed page/*.html
var pageFiles embed.FS

// pages holds the parsed templates: layout.html around each of the others.
type pages struct {
	site      site
	templates map[string]*template.Template
}

// site is what all pages know.
type site struct {
	Administration conversion.Administration // zero for none
	Help           string
	Lifetime       string // of a code, "48 heures" (R21)
	Profile        conversion.PasswordProfile
	// Certificates tells whether anybody can enter with a certificate.
	Certificates bool
	static       *static
}

// Asset is the URL of a file under static/, "" if there is none.
func (s site) Asset(name string) string { return s.static.url(name) }

// CNIL tells whether passwords follow the CNIL's rules rather than the sheet's (D6).
func (s site) CNIL() bool { return s.Profile == conversion.ProfileCNIL }

// HelpLines are the lines of the operator's text, cut into links and the texts between
// them (R32).
func (s site) HelpLines() [][]textRun {
	var lines [][]textRun
	for line := range strings.FieldsFuncSeq(s.Help, func(r rune) bool { return r == '\n' || r == '\r' }) {
		lines = append(lines, linkify(line))
	}
	return lines
}

// A view is the data of a template.
type view struct {
	Title    string                      // "" for the template's own title
	Step     int                         // 1 to 4, 0 outside the four steps (R33)
	Own      bool                        // the sheet's steps, from inside the space, instead of the batch's
	Either   bool                        // nobody knows which of the two steps
	Inside   conversion.Access           // the entry of the space that the page is in, "" outside
	Space    conversion.SubscriberNumber // the space that the page's form serves, "" outside
	Signed   conversion.Access           // the browser's entry to a space, on any page; filled in by write
	Problems problems                    // shown on top, and in the title
	Data     any
	Site     site // filled in by write
}

// Steps are the four steps, of the sheet or of a batch (R33).
func (v view) Steps() []step {
	if v.Step == 0 {
		return nil
	}
	steps := make([]step, 0, 4)
	names := [...]string{"Code", "Identifiants et accord", "Activation", "Récapitulatif"}
	switch {
	case v.Own:
		names[0], names[1] = "Accord", "Identifiants"
	case v.Either:
		names[0], names[1] = "Code ou accord", "Identifiants"
	}
	for i, name := range names {
		steps = append(steps, step{Name: name, Current: i+1 == v.Step, Done: i+1 < v.Step})
	}
	return steps
}

type step struct {
	Name          string
	Current, Done bool
}

func newPages(s site) *pages {
	funcs := template.FuncMap{"french": conversion.FrenchTime, "day": conversion.FrenchDate, "machine": machineTime}
	layout := template.Must(template.New("layout.html").Funcs(funcs).ParseFS(pageFiles, "page/layout.html"))
	p := &pages{site: s, templates: make(map[string]*template.Template)}
	files, _ := fs.Glob(pageFiles, "page/*.html") // the pattern is well formed
	for _, file := range files {
		if name := strings.TrimSuffix(path.Base(file), ".html"); name != "layout" {
			p.templates[name] = template.Must(template.Must(layout.Clone()).ParseFS(pageFiles, file))
		}
	}
	return p
}

// write renders the page whole before the first byte leaves.
func (p *pages) write(w http.ResponseWriter, status int, name string, v view) error {
	v.Site = p.site
	var b bytes.Buffer
	if err := p.templates[name].ExecuteTemplate(&b, "layout.html", v); err != nil {
		return fmt.Errorf("render page %s: %w", name, err)
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Length", strconv.Itoa(b.Len()))
	w.WriteHeader(status)
	w.Write(b.Bytes()) // fails if the client has gone, which needs no answer
	return nil
}

// machineTime is the datetime attribute of a <time>, to the minute like the text beside it.
func machineTime(t time.Time) string {
	return t.In(conversion.Paris).Truncate(time.Minute).Format(time.RFC3339)
}

// frenchDuration tells a lifetime in a sentence: "48 heures", or days from three on.
func frenchDuration(d time.Duration) string {
	h, m := int(d/time.Hour), int(d%time.Hour/time.Minute)
	switch {
	case h == 0 && m <= 1:
		return "1\u00a0minute"
	case h == 0:
		return fmt.Sprintf("%d\u00a0minutes", m)
	case m != 0:
		return fmt.Sprintf("%d\u00a0h\u00a0%02d", h, m)
	case h == 1:
		return "1\u00a0heure"
	case h >= 72 && h%24 == 0:
		return fmt.Sprintf("%d\u00a0jours", h/24)
	}
	return fmt.Sprintf("%d\u00a0heures", h)
}

// frenchWait tells how long to wait, rounded up, "" for no time.
func frenchWait(d time.Duration) string {
	switch s := wholeSeconds(d); {
	case d <= 0:
		return ""
	case s == 1:
		return "une seconde"
	case s < 60:
		return fmt.Sprintf("%d\u00a0secondes", s)
	case s == 60:
		return "une minute"
	default:
		return fmt.Sprintf("%d\u00a0minutes", (s+59)/60)
	}
}
