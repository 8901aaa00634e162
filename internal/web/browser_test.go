package web_test

import (
	"context"
	"crypto/tls"
	"flag"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/chromedp/cdproto/emulation"
	cdpnetwork "github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
)

// A browser shows the pages of a site, for one of three tests: the walk, the walk
// without script, and the tour of all pages in all states.
type browser struct {
	*certSite
	ctx context.Context
}

// pageTimeout bounds the wait for one page.
const pageTimeout = 20 * time.Second

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

// says waits until the page says a text.
func (b browser) says(want string) {
	b.t.Helper()
	b.until("says "+want, `document.readyState == 'complete' && document.body.innerText.replace(/\s+/g, ' ').includes(`+quote(want)+`)`)
}

// until waits until an expression holds in the page. A look that falls between
// two pages fails; the next one sees the new page.
func (b browser) until(what, expression string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, pageTimeout)
	defer cancel()
	again := time.NewTicker(50 * time.Millisecond)
	defer again.Stop()
	for {
		if holds, err := chromedp.Run(ctx, chromedp.Evaluate[bool](expression)); err == nil && holds {
			return
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			b.t.Fatalf("the page never %s; at %s it says\n%s", what, js[string](b, `location.href`), js[string](b, `document.body.innerText`))
		}
	}
}

func quote(s string) string {
	return "`" + strings.NewReplacer("`", "\\`", "$", "\\$").Replace(s) + "`"
}

// follow clicks the link or button that bears a text, once it is there, and
// waits until the page is another one.
func (b browser) follow(text string) {
	b.t.Helper()
	b.until("has a link "+text, `document.readyState == 'complete' && (() => {
		const e = [...document.querySelectorAll('main a, main button, header a, header button')].find(e => e.innerText.replace(/\s+/g, ' ').trim() == `+quote(text)+`);
		if (e) { document.documentElement.id = 'left'; e.click() }
		return !!e
	})()`)
	b.until("is left", `document.documentElement.id != 'left' && document.readyState == 'complete'`)
}

func (b browser) write(field, value string) {
	b.t.Helper()
	js[any](b, `document.getElementById(`+quote(field)+`).value = ''`)
	b.do(chromedp.SendKeys(chromedp.CSS("#"+field), value))
}

// open goes to a page of the public site.
func (b browser) open(path string) {
	b.t.Helper()
	b.do(chromedp.Navigate(b.http.URL + path))
}

// openLink opens the link of a mail, wherever the browser was before: without the
// page between them, another part after "#" would be no navigation.
func (b browser) openLink(path string, proof url.Values) {
	b.t.Helper()
	b.do(chromedp.Navigate("about:blank"), chromedp.Navigate(b.http.URL+path+fragment(proof)))
	b.says("L’adresse et le code du lien ont été recopiés")
}

// fragment is what the link of a mail carries.
func fragment(proof url.Values) string {
	return "#adresse=" + url.QueryEscape(proof.Get("email")) + "&code=" + url.QueryEscape(proof.Get("code"))
}

// present shows a certificate as a proxy does. The handshake, which TestWalk has,
// needs a browser that takes twice the processor.
func (b browser) present(cert tls.Certificate) {
	b.t.Helper()
	_, err := chromedp.Call(b.ctx, cdpnetwork.SetExtraHTTPHeaders, cdpnetwork.SetExtraHTTPHeadersParams{
		Headers: cdpnetwork.Headers{"Client-Cert": clientCert(cert)},
	})
	if err != nil {
		b.t.Fatal(err)
	}
}

// submit sends the page's form as it is, by its first button.
func (b browser) submit() {
	b.t.Helper()
	b.until("has a form", `document.readyState == 'complete' && (() => { document.documentElement.id = 'left'; document.querySelector('main form .actions button').click(); return true })()`)
	b.until("is left", `document.documentElement.id != 'left' && document.readyState == 'complete'`)
}

// choose types the identifiers. The password is the one of the tests.
func (b browser) choose(email, confirmation string) {
	b.t.Helper()
	b.write("new_email", email)
	b.write("new_email_confirmation", confirmation)
	b.write("password", password)
	b.write("password_confirmation", password)
	b.trust()
}

// trust types question and answer.
func (b browser) trust() {
	b.t.Helper()
	b.do(chromedp.SetValue(chromedp.CSS("#question"), "animal"))
	b.write("answer", answer)
}

// enter signs in.
func (b browser) enter(email, password string) {
	b.t.Helper()
	b.open("/connexion")
	b.write("email", email)
	b.write("password", password)
	b.submit()
	b.says("Numéro d’abonné")
}

// pdf wants the link to lead to a document, for this browser's session (R28).
func (b browser) pdf(link string) {
	b.t.Helper()
	href := js[string](b, `[...document.links].find(a => a.innerText == `+quote(link)+`).href`)
	cookies, err := chromedp.Call(b.ctx, cdpnetwork.GetCookies, cdpnetwork.GetCookiesParams{URLs: []string{href}})
	if err != nil {
		b.t.Fatal(err)
	}
	var header []string
	for _, c := range cookies.Cookies {
		header = append(header, c.Name+"="+c.Value)
	}
	to, err := url.Parse(href) // the listener that asks for certificates has the same sessions
	if err != nil {
		b.t.Fatal(err)
	}
	page := b.get(to.Path, "Cookie", strings.Join(header, "; "))
	if page.status != http.StatusOK || page.header.Get("Content-Type") != "application/pdf" {
		b.t.Errorf("%s leads to status %d, %s", href, page.status, page.header.Get("Content-Type"))
	}
}

// look sets what the browser tells a page of its screen.
func (b browser) look(scheme string, width int64) {
	b.t.Helper()
	_, err := chromedp.Call(b.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
	})
	if err != nil {
		b.t.Fatal(err)
	}
	b.do(chromedp.EmulateViewport(width, 900))
}

var (
	screenshots    = flag.String("screenshots", "", "folder for pictures of the pages that the documents show")
	allScreenshots = flag.Bool("screenshots-all", false, "the whole of every page in every look instead, to look at")
)

// shown are the pictures that the documents show, by page, state and look.
var shown = map[string]string{
	"activation-rempli-light.png":        "activation.png",
	"activation-identifiants-light.png":  "identifiants.png",
	"activation-succes-light.png":        "succes.png",
	"connexion-vide-light.png":           "connexion-vide-light.png",
	"espace-option-certificat-light.png": "espace-option-certificat-light.png",
	"espace-une-entreprise-light.png":    "espace-une-entreprise-light.png",
}

// picture takes a picture, if pictures are wanted.
func (b browser) picture(name string) {
	b.t.Helper()
	take := chromedp.CaptureScreenshot() // what a reader of the documents needs: the first screen
	switch {
	case *screenshots == "" || !*allScreenshots && shown[name] == "":
		return
	case *allScreenshots:
		take = chromedp.FullScreenshot(100)
	default:
		name = shown[name]
	}
	picture, err := chromedp.Run(b.ctx, take)
	if err == nil {
		err = os.WriteFile(filepath.Join(*screenshots, name), picture, 0o644)
	}
	if err != nil {
		b.t.Fatal(err)
	}
}
