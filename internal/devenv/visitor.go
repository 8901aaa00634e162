package devenv

import (
	"context"
	"html"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"bascule/internal/conversion"
)

// A Letter is what a subscriber reads in a mail with a code.
type Letter struct{ Email, Code string }

var codePattern = regexp.MustCompile(`\b[0-9A-HJKMNP-TV-Z]{4}-[0-9A-HJKMNP-TV-Z]{4}-[0-9A-HJKMNP-TV-Z]{4}\b`)

// CodeIn is the first code of a mail, "" if it has none. Quoted-printable does not break
// it: it is short and plain.
func CodeIn(mail []byte) string { return string(codePattern.Find(mail)) }

// ReadLetter reads a mail; false if it carries no code.
func ReadLetter(m Message) (Letter, bool) {
	mail, err := m.Parse()
	if err != nil || len(m.Recipients) != 1 {
		return Letter{}, false
	}
	code := CodeIn([]byte(mail.Text))
	return Letter{m.Recipients[0], code}, code != ""
}

// Form is the form of somebody who types in the code.
func (l Letter) Form() url.Values { return url.Values{"email": {l.Email}, "code": {l.Code}} }

// VisitorPassword meets both profiles. What visitors enter protects nothing.
const VisitorPassword = "Demo9Bascule2Essai"

// Identifiers is the form of somebody who chooses an address, which may be another one.
// submission is a field of the page before.
func (l Letter) Identifiers(submission, chosen string) url.Values {
	return url.Values{
		"email": {l.Email}, "code": {l.Code}, "submission": {submission},
		"new_email": {chosen}, "new_email_confirmation": {chosen},
		"password": {VisitorPassword}, "password_confirmation": {VisitorPassword},
		"question": {string(conversion.TrustQuestions()[0])}, "answer": {"rue des Lilas"}, "consent": {"oui"},
	}
}

// A Visitor is one subscriber's browser, without script.
type Visitor struct {
	HTTP   *http.Client
	Public *url.URL // of the pages
}

// maxPage is more bytes than any of our pages has.
const maxPage = 1 << 20

// Activate sends a form of the activation.
func (v Visitor) Activate(ctx context.Context, form url.Values) (page string, status int, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, v.Public.JoinPath("activation").String(), strings.NewReader(form.Encode()))
	if err != nil {
		return "", 0, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	res, err := v.HTTP.Do(req)
	if err != nil {
		return "", 0, err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(io.LimitReader(res.Body, maxPage))
	return string(b), res.StatusCode, err
}

// Insist is Activate, again each second while the pages are too busy, as they ask for.
func (v Visitor) Insist(ctx context.Context, form url.Values) (page string, status int, err error) {
	for {
		page, status, err = v.Activate(ctx, form)
		if err != nil || status != http.StatusServiceUnavailable {
			return page, status, err
		}
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
			return page, status, ctx.Err()
		}
	}
}

// Field reads the value of an input of a page, "" if there is none.
func Field(page, name string) string {
	tag := regexp.MustCompile(`<input[^>]*\bname="` + regexp.QuoteMeta(name) + `"[^>]*>`).FindString(page)
	if value := regexp.MustCompile(`\bvalue="([^"]*)"`).FindStringSubmatch(tag); value != nil {
		return html.UnescapeString(value[1])
	}
	return ""
}
