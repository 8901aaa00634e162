package web_test

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/chromedp/chromedp"

	"bascule/internal/devenv/devtest"
	"bascule/internal/web"
	"bascule/sql/sqltest"
)

// A browser that shows the pages of a site.
type browser struct {
	*site
	ctx   context.Context
	posts *atomic.Int32 // forms that reached the server
}

func newBrowser(t *testing.T, change ...func(*web.Config)) browser {
	t.Helper()
	s := newSite(t, change...)
	var posts atomic.Int32
	handler := s.http.Config.Handler
	s.http.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			posts.Add(1)
		}
		handler.ServeHTTP(w, r)
	})
	return browser{s, devtest.Chromium(t), &posts}
}

func (b browser) do(actions ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	if err := chromedp.Do(b.ctx, actions...); err != nil {
		b.t.Fatal(err)
	}
}

// js is the value of an expression in the page.
func js[T any](b browser, expression string) T {
	b.t.Helper()
	v, err := chromedp.Run(b.ctx, chromedp.Evaluate[T](expression))
	if err != nil {
		b.t.Fatalf("%s: %v", expression, err)
	}
	return v
}

// link is the link of a mail.
func (b browser) link(proof url.Values) string {
	return b.http.URL + "/activation#adresse=" + url.QueryEscape(proof.Get("email")) + "&code=" + url.QueryEscape(proof.Get("code"))
}

// fill types the identifiers, but not the confirmation of the address.
func (b browser) fill(confirmation string) {
	b.t.Helper()
	b.do(
		chromedp.SendKeys(chromedp.CSS("#new_email_confirmation"), confirmation),
		chromedp.SendKeys(chromedp.CSS("#password"), password),
		chromedp.SendKeys(chromedp.CSS("#password_confirmation"), password),
		chromedp.SetValue(chromedp.CSS("#question"), "animal"),
		chromedp.SendKeys(chromedp.CSS("#answer"), answer),
		chromedp.Click(chromedp.CSS("#consent")),
	)
}

// C6: the way of a subscriber with the link of a mail, up to the PDF (R24–R28).
// D5: the link fills the form in, leaves the address bar and the history, and
// sends nothing by itself.
func TestBrowserWalk(t *testing.T) {
	t.Parallel()
	b := newBrowser(t)
	r, proof := b.mailed(sqltest.Invitation{Contact: "helene+fisc@a.example"})
	b.do(chromedp.Navigate(b.link(proof)), chromedp.WaitVisible("#rempli"))
	if got := js[string](b, `email.value + ' ' + code.value`); got != proof.Get("email")+" "+proof.Get("code") {
		t.Errorf("filled in: %q", got)
	}
	if got := js[string](b, `location.href`); got != b.http.URL+"/activation" {
		t.Errorf("the address bar holds %s", got)
	}
	if n := b.posts.Load(); n != 0 {
		t.Fatalf("%d forms were sent by opening the link", n)
	}

	b.do(chromedp.Click("main button"), chromedp.WaitVisible("#new_email"))
	b.fill(proof.Get("email"))
	b.do(chromedp.Click("main .actions button"), chromedp.WaitVisible(".success"))
	if said := js[string](b, `document.querySelector('.success').innerText`); !strings.Contains(said, success) {
		t.Errorf("the page says %q", said)
	}
	b.checkAccess(r, "password")
	if cookie := js[string](b, `document.cookie`); cookie != "" {
		t.Errorf("a script can read the cookie: %q", cookie)
	}
	b.pdf("Sauvegardez ou imprimez votre formulaire")
}

// D5: a link opened while the page is open fills it in too; half a link, or one
// whose "+" was not escaped, does its best; what is no link of ours is left alone.
func TestBrowserFragment(t *testing.T) {
	t.Parallel()
	b := newBrowser(t)
	b.do(chromedp.Navigate(b.http.URL + "/activation"))
	for _, test := range []struct{ fragment, email, code, left string }{
		{"adresse=a%2Bb%40a.example&code=AAAA-BBBB-CCCC", "a+b@a.example", "AAAA-BBBB-CCCC", ""},
		{"adresse=c+d@a.example", "c+d@a.example", "AAAA-BBBB-CCCC", ""},
		{"contenu", "c+d@a.example", "AAAA-BBBB-CCCC", "#contenu"},
	} {
		js[any](b, `location.hash = "`+test.fragment+`"`)
		if _, err := chromedp.Run(b.ctx, chromedp.Poll[bool](`email.value == "`+test.email+`" && location.hash == "`+test.left+`"`)); err != nil {
			t.Fatal(err)
		}
		if got := js[string](b, `code.value`); got != test.code {
			t.Errorf("#%s: code %q, want %q", test.fragment, got, test.code)
		}
	}
	if n := b.posts.Load(); n != 0 {
		t.Errorf("%d forms were sent", n)
	}
}

// D5: a link pasted over the answer to a form, whose address is the same up to
// the "#", opens the form all the same.
func TestBrowserFragmentOverAnswer(t *testing.T) {
	t.Parallel()
	b := newBrowser(t)
	_, proof := b.mailed(sqltest.Invitation{Contact: "contact@a.example"})
	b.do(chromedp.Navigate(b.link(proof)), chromedp.Click("main button"), chromedp.WaitVisible(chromedp.CSS("#new_email")))
	js[any](b, `location.hash = "adresse=late%40a.example&code=AAAA-BBBB-CCCC"`)
	b.do(chromedp.WaitVisible("#rempli"))
	if got := js[string](b, `email.value + ' ' + code.value + ' ' + location.href`); got != "late@a.example AAAA-BBBB-CCCC "+b.http.URL+"/activation" {
		t.Errorf("the page shows %q", got)
	}
}

// The summary of what is wrong takes the focus, and its links lead to the
// fields; a password can be shown and is hidden again before it is sent.
func TestBrowserProblemsAndReveal(t *testing.T) {
	t.Parallel()
	b := newBrowser(t)
	_, proof := b.mailed(sqltest.Invitation{Contact: "contact@a.example"})
	b.do(chromedp.Navigate(b.link(proof)), chromedp.Click("main button"), chromedp.WaitVisible("#new_email"))
	b.fill("other@a.example")
	b.do(chromedp.Click("main .actions button"), chromedp.WaitVisible("#erreurs"))
	if got := js[string](b, `document.activeElement.id`); got != "erreurs" {
		t.Errorf("the focus is on %q, want the summary", got)
	}
	if got := js[string](b, `document.title`); !strings.HasPrefix(got, "Erreur") {
		t.Errorf("title %q", got)
	}
	b.do(chromedp.Click("#erreurs a"))
	if got := js[string](b, `document.activeElement.id`); got != "new_email_confirmation" {
		t.Errorf("the link of the summary leads to %q", got)
	}
	described := js[string](b, `document.getElementById(document.activeElement.getAttribute('aria-describedby')).innerText`)
	if !strings.Contains(described, "ne sont pas identiques") {
		t.Errorf("the field is described by %q", described)
	}

	b.do(chromedp.SendKeys("#password", "visible"), chromedp.Click(".reveal"))
	if got := js[string](b, `password.type + ' ' + document.querySelector('.reveal').innerText`); got != "text Masquer" {
		t.Errorf("after a click: %s", got)
	}
	js[any](b, `password.form.dispatchEvent(new Event('submit'))`)
	if got := js[string](b, `password.type`); got != "password" {
		t.Errorf("the password is sent as %s", got)
	}
	if got := js[string](b, `password.getAttribute('passwordrules')`); !strings.Contains(got, "maxlength: 20") {
		t.Errorf("password managers are told %q (R16)", got)
	}
}
