package web_test

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/textproto"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"bascule/internal/conversion"
	"bascule/internal/devenv"
	"bascule/internal/devenv/devtest"
	"bascule/sql/sqltest"
)

// A tour stops at every page in every state, and looks at each stop twice: wide
// and light, then on a dark phone.
type tour struct {
	browser
	batch sqltest.Request // switched by the link of a mail
	seen  map[string]bool // paths
}

// TestTour: axe-core finds nothing on any page in any state, light or dark; every
// page fits a phone of 360 pixels, whatever names and addresses there are; its style
// sheet is not refused by the policy; an error is announced and the title begins
// with it; all is reached by the keyboard. The pages are the site's own routes: one
// that the tour does not stop at fails.
//
// It also takes the pictures in docs/images:
//
//	go test ./internal/web -run TestTour -screenshots "$PWD/docs/images"
func TestTour(t *testing.T) {
	t.Parallel()
	c := newProxiedSite(t)
	c.db.Requested(t, c.keys, sqltest.Invitation{})
	many := []conversion.Company{{SIREN: "987654321", Name: "Garage Duvallon"}}
	for i := range 40 {
		many = append(many, conversion.Company{SIREN: conversion.SIREN(fmt.Sprintf("1111111%02d", i)),
			Name: "Société Duvallon", Services: []string{"TVA", "Paiement"}})
	}
	r, cert := c.uninvited(sqltest.Invitation{Contact: "contact@a.example", Companies: many})
	v := &tour{browser: browser{certSite: c, ctx: devtest.Chromium(t)}, seen: make(map[string]bool)}
	v.present(cert)
	v.fixedPages()
	v.byLink()
	v.byCertificate(r)
	v.byPassword()
	v.tooLate()
	v.mails()
	v.inbox()
	for _, path := range c.server.Pages() {
		path = strings.TrimSuffix(path, "{$}")
		if !v.seen[path] && !slices.Contains([]string{"/static/{version}/{file...}", "/healthz", "/readyz"}, path) {
			t.Errorf("the tour never stops at %s", path)
		}
	}
}

// stop looks at the page.
func (v *tour) stop(state string) {
	t := v.t
	t.Helper()
	path := js[string](v.browser, `location.pathname`)
	v.seen[path] = true
	v.looks(path, state)
	if broken := v.enlarged(); broken != "" {
		t.Errorf("%s, %s, text at 200 %% on a phone: %s", path, state, broken)
	}
	if got := js[string](v.browser, `getComputedStyle(document.body).display`); got != "flex" {
		t.Errorf("%s, %s: the style sheet is not applied", path, state)
	}
	if got := js[string](v.browser, outOfReach); got != "" {
		t.Errorf("%s, %s: no key reaches %s", path, state, got)
	}
	if title := js[string](v.browser, `document.title`); strings.HasPrefix(title, "Erreur") != js[bool](v.browser, `!!document.getElementById('erreurs')`) {
		t.Errorf("%s, %s: the title is %q", path, state, title)
	}
}

// appearance are the rules of axe whose answer colours or the width change: the style
// sheets of screens show the same elements in every look.
var appearance = []string{"color-contrast", "color-contrast-enhanced", "link-in-text-block", "scrollable-region-focusable", "target-size"}

// looks is axe and the width, on a wide screen and on a phone.
func (v *tour) looks(path, state string) {
	t := v.t
	t.Helper()
	for _, look := range []struct {
		name, scheme string
		width        int64
		rules        []string
	}{{"light", "light", 1280, nil}, {"phone", "dark", 360, appearance}} {
		v.look(look.scheme, look.width)
		for _, violation := range devtest.Axe(t, v.ctx, look.rules...) {
			t.Errorf("%s, %s, %s: %s", path, state, look.name, violation)
		}
		if wide := js[int64](v.browser, `document.documentElement.scrollWidth`); wide > look.width {
			t.Errorf("%s, %s: %d pixels wide, the screen has %d", path, state, wide, look.width)
		}
		v.picture(strings.ReplaceAll(strings.Trim(path, "/"), "/", "-") + "-" + state + "-" + look.name + ".png")
	}
}

// tooLate is a code whose deadline has passed, and a space for which no address is
// left.
func (v *tour) tooLate() {
	r, proof := v.mailed(sqltest.Invitation{Contact: "tard@a.example"})
	v.db.Overdue(v.t, r.ID)
	v.openLink("/activation", proof)
	v.submit()
	v.stop("trop-tard")
	_, proof = v.mailed(sqltest.Invitation{Contact: v.batch.Contact.String()})
	v.db.Exec(v.t, `UPDATE request SET other_addresses = 3 WHERE activated_at IS NULL AND expired_at IS NULL AND cancelled_at IS NULL`)
	v.openLink("/activation", proof)
	v.submit()
	v.says("L’assistance peut corriger vos coordonnées")
	v.stop("sans-issue")
}

// inbox is the demonstration's: it fits a phone, and does not change under the reader.
func (v *tour) inbox() {
	t := v.t
	in, err := devenv.StartInbox(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer in.Stop()
	at := httptest.NewServer(in.Handler(nil))
	defer at.Close()
	v.do(chromedp.Navigate(at.URL + "/inbox"))
	v.looks("inbox", "vide")
	mail, err := os.ReadFile("../mail/testdata/activation_shared.eml")
	if err != nil {
		t.Fatal(err)
	}
	host := strings.TrimPrefix(strings.SplitN(in.URL(), "?", 2)[0], "smtp://")
	to := strings.Repeat("w", 60) + "@" + strings.Repeat("w", 31) + ".example"
	deliver(t, host, to, mail)
	for _, path := range []string{"/inbox", "/inbox/1"} {
		v.do(chromedp.Navigate(at.URL + path))
		v.looks(path, "courriel")
		if js[bool](v.browser, `!!document.querySelector('meta[http-equiv]')`) {
			t.Errorf("%s reloads itself under the reader", path)
		}
	}
}

// deliver hands a mail to the inbox.
func deliver(t testing.TB, host, to string, mail []byte) {
	t.Helper()
	c, err := textproto.Dial("tcp", host)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for _, step := range []struct {
		say    string
		expect int
	}{{"", 220}, {"HELO a.example", 250}, {"MAIL FROM:<assistance@a.example>", 250}, {"RCPT TO:<" + to + ">", 250}, {"DATA", 354}, {string(mail) + "\r\n.", 250}} {
		if step.say != "" {
			if err := c.PrintfLine("%s", step.say); err != nil {
				t.Fatal(err)
			}
		}
		if _, _, err := c.ReadResponse(step.expect); err != nil {
			t.Fatal(err)
		}
	}
}

// mails looks at each kind of mail, as its golden file has it. Deadline, code and
// button of one that holds a code are on the first screen of a phone.
func (v *tour) mails() {
	t := v.t
	files, err := filepath.Glob("../mail/testdata/*.html")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d mails, %v", len(files), err)
	}
	for _, file := range files {
		html, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		name := strings.TrimSuffix(filepath.Base(file), ".html")
		v.do(chromedp.Navigate("data:text/html;base64," + base64.StdEncoding.EncodeToString(html)))
		v.looks("mail", name)
		const first = 640 // pixels
		if bottom := js[int64](v.browser, `Math.ceil(document.querySelector('a[href*="#adresse="]')?.getBoundingClientRect().bottom || 0)`); bottom > first {
			t.Errorf("mail %s: the button ends %d pixels below the top", name, bottom)
		}
	}
}

// enlarged finds faults when the text alone is twice as large: parts wider than the
// screen, fields narrower than half of it, and words that break without a hyphen.
func (v *tour) enlarged() string {
	v.t.Helper()
	js[any](v.browser, `document.documentElement.style.fontSize = '200%'`)
	defer js[any](v.browser, `document.documentElement.style.fontSize = ''`)
	return js[string](v.browser, `(() => {
		const wrong = [];
		if (document.documentElement.scrollWidth > innerWidth) wrong.push(document.documentElement.scrollWidth + ' pixels wide');
		for (const field of document.querySelectorAll('input:not([type=checkbox])'))
			if (field.checkVisibility() && field.offsetWidth < innerWidth / 2) wrong.push('narrow: ' + field.name);
		const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
		for (let n; (n = walk.nextNode());) {
			if (!n.parentElement.checkVisibility() || n.parentElement.closest('dd, strong, .companies, .value')) continue; // numbers, names and addresses break anywhere
			for (const word of n.data.matchAll(/(?<!\p{L})\p{L}{2,25}(?!\p{L})/gu)) {
				const range = document.createRange();
				range.setStart(n, word.index);
				range.setEnd(n, word.index + word[0].length);
				if (new Set([...range.getClientRects()].map(r => Math.round(r.top))).size > 1) wrong.push('broken: ' + word[0]);
			}
		}
		return wrong.join(', ');
	})()`)
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

func (v *tour) fixedPages() {
	for _, path := range []string{"/", "/sans-certificat", "/adhesion", "/aide", "/accessibilite", "/mentions-legales", "/donnees-personnelles", "/certificat", "/connexion", "/deconnexion", "/mot-de-passe-oublie",
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

// byLink is the batch's way, with another address first. Without pictures, number, name
// and address are as long as they can be.
func (v *tour) byLink() {
	long := sqltest.Invitation{Number: "12345678901234567890", Holder: strings.Repeat("W", 200),
		Contact: strings.Repeat("w", 60) + "@" + strings.Repeat("w", 31) + ".example"}
	if *screenshots != "" {
		long = sqltest.Invitation{Contact: "camille@duvallon.example"}
	}
	r, proof := v.mailed(long)
	v.batch = r
	contact := r.Contact.String()
	v.openLink("/activation", proof)
	v.stop("rempli")
	v.submit()
	v.stop("identifiants")
	v.tabs()
	v.submit()
	v.stop("identifiants-erreur")
	v.choose("autre@a.example", "autre@a.example")
	v.do(chromedp.Click("#consent"))
	v.submit()
	v.stop("courriel")
	v.openLink("/activation", proof)
	v.submit()
	v.stop("en-attente")
	v.choose(contact, contact)
	v.submit()
	v.stop("succes")
	v.open("/recapitulatif")
	v.stop("recapitulatif")
}

// byCertificate is the space entered by certificate, and its refusals.
func (v *tour) byCertificate(r sqltest.Request) {
	t := v.t
	at := func(path string) { v.do(chromedp.Navigate(v.entrance + path)) }
	for _, path := range []string{"/espace", "/espace?recherche=garage", "/espace?recherche=zzz", "/espace/services", "/espace/coordonnees", "/espace/option", "/espace/identifiants"} {
		at(path)
		_, query, _ := strings.Cut(path, "?recherche=")
		v.stop("certificat" + query)
	}
	v.give(r)
	at("/espace")
	v.stop("aucun-service")
	v.give(r, conversion.Company{SIREN: "123456789", Name: "Boulangerie Duvallon", Services: []string{"TVA"}})
	at("/espace")
	v.stop("une-entreprise")
	at("/espace/identifiants")
	v.submit()
	v.stop("certificat-erreur")
	v.choose(chosen, chosen)
	v.submit()
	v.stop("certificat-courriel")
	v.db.Mail(t, v.keys, v.openRequest(r))
	for _, path := range []string{"/espace", "/espace/option", "/espace/identifiants"} {
		at(path)
		v.stop("en-attente")
	}
	v.choose(chosen, chosen)
	v.submit()
	v.stop("deja-envoye")
	v.publish(t, -time.Minute)
	at("/espace/option")
	v.stop("liste-perimee")
	v.publish(t, time.Hour)
	v.db.Exec(t, `UPDATE space SET serial = '1' WHERE id = $1`, r.SpaceID)
	at("/certificat")
	v.stop("refus")
}

// byPassword is a space after the switch.
func (v *tour) byPassword() {
	contact := v.batch.Contact.String()
	v.enter(contact, password)
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
	v.open("/espace/question")
	v.stop("vide")
	v.submit()
	v.stop("erreur")
	v.trust()
	v.write("current", another)
	v.submit()
	v.stop("question-changee")
	v.open("/espace/identifiant")
	v.stop("vide")
	v.submit()
	v.stop("erreur")
	v.write("new_email", "nouvelle@a.example")
	v.write("new_email_confirmation", "nouvelle@a.example")
	v.write("current", another)
	v.submit()
	v.says("Confirmer la nouvelle adresse")
	v.stop("code")
	v.open("/espace/option") // for certificates alone
	v.stop("deja-transforme")
	v.follow("Me déconnecter")
	v.open("/mot-de-passe-oublie")
	v.write("email", contact)
	v.trust()
	v.submit()
	v.stop("envoye")
	v.openLink("/nouveau-mot-de-passe", v.mailReset(v.batch))
	v.stop("rempli")
	v.write("password", password)
	v.write("password_confirmation", password)
	v.submit()
	v.stop("choisi")
	v.open("/connexion")
	v.write("email", contact)
	v.write("password", another)
	v.submit()
	v.stop("refus")
	if got := v.get("/espace/mot-de-passe"); got.status != http.StatusOK { // followed to the sign-in
		v.t.Errorf("status %d", got.status)
	}
}
