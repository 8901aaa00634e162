package web_test

import (
	"crypto/tls"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	cdpnetwork "github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"bascule/internal/conversion"
	"bascule/internal/devenv/devtest"
	"bascule/internal/web"
	"bascule/sql/sqltest"
)

// A tour stops at every page in every state, and looks at each stop twice: wide
// and light, then on a dark phone.
type tour struct {
	browser
	cert  *certSite
	asked string          // URL of the listener that asks for the certificate
	seen  map[string]bool // paths
}

// TestTour: axe-core finds nothing on any page in any state, light or dark; every
// page fits a phone of 360 pixels; an error is announced and the title begins
// with it; all is reached by the keyboard. The pages are the site's own routes:
// one that the tour does not stop at fails.
func TestTour(t *testing.T) {
	t.Parallel()
	c := newCertSite(t, func(cfg *web.Config) { cfg.CertProxies = prefixes("127.0.0.0/8") })
	c.db.Requested(t, c.keys, sqltest.Invitation{})
	many := []conversion.Company{{SIREN: "987654321", Name: "Garage Duvallon"}}
	for i := range 40 {
		many = append(many, conversion.Company{SIREN: conversion.SIREN(strings.Repeat("1", 7) + string(rune('0'+i/10)) + string(rune('0'+i%10))),
			Name: "Société Duvallon", Services: []string{"TVA", "Paiement"}})
	}
	r, cert := c.holder(sqltest.Invitation{Contact: "contact@a.example", Companies: many})
	c.db.Exec(t, `UPDATE request SET cancelled_at = bascule_now() WHERE id = $1`, r.ID)
	v := &tour{cert: c, asked: c.behindProxies().URL, browser: browser{site: c.site, ctx: devtest.Chromium(t)}, seen: make(map[string]bool)}
	v.present(cert)
	v.fixedPages()
	v.activation()
	v.byCertificate(r)
	v.byPassword()
	for _, path := range c.server.Pages() {
		path = strings.TrimSuffix(path, "{$}")
		if !v.seen[path] && !slices.Contains([]string{"/static/{version}/{file...}", "/healthz", "/readyz"}, path) {
			t.Errorf("the tour never stops at %s", path)
		}
	}
}

// present shows a certificate as a proxy does. The handshake, which TestWalk has,
// needs a browser that takes twice the processor.
func (v *tour) present(cert tls.Certificate) {
	v.t.Helper()
	_, err := chromedp.Call(v.ctx, cdpnetwork.SetExtraHTTPHeaders, cdpnetwork.SetExtraHTTPHeadersParams{
		Headers: cdpnetwork.Headers{"Client-Cert": clientCert(cert)},
	})
	if err != nil {
		v.t.Fatal(err)
	}
}

// stop looks at the page.
func (v *tour) stop(state string) {
	t := v.t
	t.Helper()
	path := js[string](v.browser, `location.pathname`)
	v.seen[path] = true
	for _, look := range []struct {
		name, scheme string
		width        int64
	}{{"light", "light", 1280}, {"phone", "dark", 360}} {
		v.look(look.scheme)
		v.do(chromedp.EmulateViewport(look.width, 900))
		for _, violation := range devtest.Axe(t, v.ctx) {
			t.Errorf("%s, %s, %s: %s", path, state, look.name, violation)
		}
		if wide := js[int64](v.browser, `document.documentElement.scrollWidth`); wide > look.width {
			t.Errorf("%s, %s: %d pixels wide, the screen has %d", path, state, wide, look.width)
		}
		v.picture(strings.ReplaceAll(strings.Trim(path, "/"), "/", "-") + "-" + state + "-" + look.name + ".png")
	}
	if got := js[string](v.browser, outOfReach); got != "" {
		t.Errorf("%s, %s: no key reaches %s", path, state, got)
	}
	if title := js[string](v.browser, `document.title`); strings.HasPrefix(title, "Erreur") != js[bool](v.browser, `!!document.getElementById('erreurs')`) {
		t.Errorf("%s, %s: the title is %q", path, state, title)
	}
}

// outOfReach are the elements to work with that the Tab key passes over.
const outOfReach = `[...document.querySelectorAll('a, button, input, select')]
	.filter(e => e.type != 'hidden' && e.checkVisibility() && (e.tabIndex < 0 || e.disabled || e.localName == 'a' && !e.href))
	.map(e => e.outerHTML).join(' ')`

// tabs presses Tab through the page and wants to come by all its fields in their
// order, with the focus to be seen on each.
func (v *tour) tabs() {
	v.t.Helper()
	want := js[[]string](v.browser, `[...document.querySelectorAll('main input:not([type=hidden]), main select, main button')].map(e => e.id || e.ariaLabel || e.innerText)`)
	js[any](v.browser, `document.activeElement.blur()`)
	var got []string
	for range len(want) + 20 {
		v.do(chromedp.KeyEvent("\t"))
		at := js[string](v.browser, `(() => {
			const e = document.activeElement;
			if (!e.matches('main input, main select, main button')) return '';
			return (e.id || e.ariaLabel || e.innerText) + (getComputedStyle(e).outlineStyle == 'none' ? ' without a mark' : '');
		})()`)
		if at != "" && !slices.Contains(got, at) {
			got = append(got, at)
		}
	}
	if !slices.Equal(got, want) {
		v.t.Errorf("Tab comes by %q, want %q", got, want)
	}
}

func (v *tour) look(scheme string) {
	v.t.Helper()
	_, err := chromedp.Call(v.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
	})
	if err != nil {
		v.t.Fatal(err)
	}
}

// open goes to a page of the public site.
func (v *tour) open(path string) {
	v.t.Helper()
	v.do(chromedp.Navigate("about:blank"), chromedp.Navigate(v.http.URL+path))
}

// submit sends the page's form as it is.
func (v *tour) submit() {
	v.t.Helper()
	v.until("has a form", `document.readyState == 'complete' && (() => { document.documentElement.id = 'left'; document.querySelector('main form .actions button').click(); return true })()`)
	v.until("is left", `document.documentElement.id != 'left' && document.readyState == 'complete'`)
}

func (v *tour) fixedPages() {
	for _, path := range []string{"/", "/sans-certificat", "/adhesion", "/aide", "/accessibilite", "/certificat", "/connexion", "/mot-de-passe-oublie",
		"/nouveau-mot-de-passe", "/activation", "/recapitulatif", "/recapitulatif.pdf"} {
		v.open(path)
		v.stop("vide")
	}
	v.open("/nulle-part")
	v.stop("introuvable")
	for _, path := range []string{"/connexion", "/mot-de-passe-oublie", "/nouveau-mot-de-passe", "/activation"} {
		v.open(path)
		v.submit()
		v.stop("erreur")
	}
}

// activation is the batch's way, with another address first.
func (v *tour) activation() {
	_, proof := v.mailed(sqltest.Invitation{Contact: "lot@a.example"})
	v.do(chromedp.Navigate("about:blank"), chromedp.Navigate(v.link(proof)))
	v.stop("rempli")
	v.submit()
	v.stop("identifiants")
	v.tabs()
	v.submit()
	v.stop("identifiants-erreur")
	v.choose("autre@a.example")
	v.do(chromedp.Click("#consent"))
	v.submit()
	v.stop("courriel")
	v.do(chromedp.Navigate("about:blank"), chromedp.Navigate(v.link(proof)))
	v.submit()
	v.stop("en-attente")
	v.choose("lot@a.example")
	v.do(chromedp.Click("#consent"))
	v.submit()
	v.stop("succes")
	v.open("/recapitulatif")
	v.stop("recapitulatif")
}

func (v *tour) choose(email string) {
	v.write("new_email", email)
	v.write("new_email_confirmation", email)
	v.write("password", password)
	v.write("password_confirmation", password)
	v.do(chromedp.SetValue(chromedp.CSS("#question"), "animal"))
	v.write("answer", answer)
}

// byCertificate is the space entered by certificate, and its refusals.
func (v *tour) byCertificate(r sqltest.Request) {
	t := v.t
	at := func(path string) { v.do(chromedp.Navigate("about:blank"), chromedp.Navigate(v.asked+path)) }
	for _, path := range []string{"/espace", "/espace?recherche=garage", "/espace?recherche=zzz", "/espace/services", "/espace/coordonnees", "/espace/option", "/espace/identifiants"} {
		at(path)
		_, query, _ := strings.Cut(path, "?recherche=")
		v.stop("certificat" + query)
	}
	v.db.Exec(t, `UPDATE space SET companies = '[]' WHERE id = $1`, r.SpaceID)
	at("/espace")
	v.stop("aucun-service")
	v.db.Exec(t, `UPDATE space SET companies = '[{"siren": "123456789", "name": "Boulangerie Duvallon", "services": ["TVA"]}]' WHERE id = $1`, r.SpaceID)
	at("/espace")
	v.stop("une-entreprise")
	at("/espace/identifiants")
	v.submit()
	v.stop("certificat-erreur")
	v.choose("choisie@a.example")
	v.submit()
	v.stop("certificat-courriel")
	v.db.Mail(t, v.keys, v.openRequest(r))
	for _, path := range []string{"/espace", "/espace/option", "/espace/identifiants"} {
		at(path)
		v.stop("en-attente")
	}
	v.choose("choisie@a.example")
	v.submit()
	v.stop("deja-envoye")
	v.cert.publish(t, -time.Minute)
	at("/espace/option")
	v.stop("liste-perimee")
	v.cert.publish(t, time.Hour)
	v.db.Exec(t, `UPDATE space SET serial = '1' WHERE id = $1`, r.SpaceID)
	at("/certificat")
	v.stop("refus")
}

// byPassword is a space after the switch.
func (v *tour) byPassword() {
	v.enter(v.cert, "lot@a.example", password)
	v.stop("mot-de-passe")
	for _, path := range []string{"/espace/services", "/espace/coordonnees", "/espace/mot-de-passe"} {
		v.open(path)
		v.stop("mot-de-passe")
	}
	v.submit()
	v.stop("mot-de-passe-erreur")
	const another = "Zenith47Kolibri"
	v.write("current", password)
	v.write("password", another)
	v.write("password_confirmation", another)
	v.submit()
	v.stop("mot-de-passe-change")
	v.open("/espace/option") // for certificates alone
	v.stop("deja-transforme")
	v.follow("Me déconnecter")
	v.open("/mot-de-passe-oublie")
	v.write("email", "lot@a.example")
	v.do(chromedp.SetValue(chromedp.CSS("#question"), "animal"))
	v.write("answer", answer)
	v.submit()
	v.stop("envoye")
	code := v.cert.resetCode("lot@a.example")
	v.open("/nouveau-mot-de-passe#adresse=lot%40a.example&code=" + code.String())
	v.stop("rempli")
	v.write("password", password)
	v.write("password_confirmation", password)
	v.submit()
	v.stop("choisi")
	v.open("/connexion")
	v.write("email", "lot@a.example")
	v.write("password", another)
	v.submit()
	v.stop("refus")
	if got := v.get("/espace/mot-de-passe"); got.status != http.StatusOK { // followed to the sign-in
		v.t.Errorf("status %d", got.status)
	}
}
