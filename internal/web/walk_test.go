package web_test

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	cdpnetwork "github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"bascule/internal/conversion"
	"bascule/internal/devenv/devtest"
	"bascule/sql/sqltest"
)

// newWalk gives a browser that holds the certificate of a space.
func newWalk(t *testing.T, companies ...conversion.Company) (*certSite, browser, sqltest.Request) {
	t.Helper()
	c := newCertSite(t)
	r, cert := c.holder(sqltest.Invitation{Contact: "contact@a.example", Companies: companies})
	c.db.Exec(t, `UPDATE request SET cancelled_at = bascule_now() WHERE id = $1`, r.ID) // nobody was invited
	c.db.Exec(t, `DELETE FROM obligation`)
	return c, browser{site: c.site, ctx: devtest.ChromiumTLS(t, c.authority.Certificate(), cert)}, r
}

// pageTimeout bounds the wait for one page.
const pageTimeout = 20 * time.Second

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

// R7–R30: the sheet's nineteen pages, its three home screens among them, with a
// real certificate in the TLS handshake: from the certificate to the recap, and
// then back into the space by address and password (R3).
func TestWalk(t *testing.T) {
	t.Parallel()
	one := conversion.Company{SIREN: "123456789", Name: "Boulangerie Duvallon", Services: []string{"TVA", "Paiement"}}
	two := conversion.Company{SIREN: "987654321", Name: "Garage Duvallon", Services: []string{"Compte fiscal"}}
	c, b, r := newWalk(t, one, two)
	for _, screen := range []struct {
		companies []conversion.Company
		says      []string
	}{
		{[]conversion.Company{}, []string{"Vous ne disposez d'aucun service"}},
		{[]conversion.Company{one}, []string{"Dossier courant : Boulangerie Duvallon", "TVA"}},
	} {
		c.give(t, r, screen.companies)
		b.do(chromedp.Navigate(c.tls.URL + "/espace"))
		for _, text := range screen.says {
			b.says(text)
		}
	}
	c.give(t, r, []conversion.Company{one, two})
	walk(t, c, b, r, []string{"Garage Duvallon", "Dossier choisi : Boulangerie Duvallon", "Paiement"}, false)
}

// R7–R30, without script: forms and links are enough.
func TestWalkWithoutScript(t *testing.T) {
	t.Parallel()
	c, b, r := newWalk(t, conversion.Company{SIREN: "123456789", Name: "Boulangerie Duvallon", Services: []string{"TVA"}})
	if _, err := chromedp.Call(b.ctx, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true}); err != nil {
		t.Fatal(err)
	}
	walk(t, c, b, r, []string{"Boulangerie Duvallon"}, true)
}

// walk goes through the four steps. later takes the button "OK" and comes back by
// the home page, instead of the link "Activez votre espace" (R20, R24).
func walk(t *testing.T, c *certSite, b browser, r sqltest.Request, home []string, later bool) {
	t.Helper()
	const chosen = "choisie@a.example"
	kept := c.kept(r)
	// Step 1: enter with the certificate, and opt.
	b.do(chromedp.Navigate(c.http.URL + "/"))
	b.follow("Accéder avec mon certificat")
	b.says("magasin de certificats de votre navigateur") // R34
	b.follow("Accéder avec mon certificat")
	for _, text := range append(home, string(r.Number)) {
		b.says(text) // R8, R9, R10
	}
	b.follow("Opter pour l'accès sans certificat") // R11
	b.says("Ce changement est irrévocable")        // R12
	b.follow("Opter pour l'accès sans certificat")
	// Step 2: the identifiers.
	b.says("Étape 2 sur 4") // R33
	if got := js[string](b, `document.getElementById('new_email').value`); got != "contact@a.example" {
		t.Errorf("the address by default is %q", got) // R13
	}
	b.write("new_email", chosen)
	b.write("new_email_confirmation", chosen) // R14
	b.write("password", password)
	b.write("password_confirmation", password)
	b.do(chromedp.SetValue(chromedp.CSS("#question"), "animal"), chromedp.SendKeys(chromedp.CSS("#answer"), answer)) // R18
	b.follow("Valider")
	b.says("un code d'activation vous est envoyé à l'adresse électronique que vous avez choisie") // R19
	b.says("48 h")                                                                                // R21
	c.checkAccess(r, "certificate")
	_, code := c.db.Mail(t, c.keys, c.openRequest(r))
	c.proof(chosen, code)
	// Step 3: activate (R24).
	if later {
		b.follow("OK")
		b.follow("Créer mon espace / adhérer aux services en ligne")
		b.says("2ème étape")
		b.follow("Activer votre espace")
	} else {
		b.follow("Activez votre espace")
	}
	b.says("Il ne s'agit pas ici de votre mot de passe, mais du code reçu") // R25
	b.write("email", chosen)
	b.write("code", code.String())
	b.follow("Valider")
	b.says(success) // R27
	c.checkAccess(r, "password")
	// Step 4: the recap.
	b.says("indispensables") // R30
	b.pdf("Sauvegardez ou imprimez votre formulaire")
	// Afterwards: the certificate opens nothing; address and password do (R3, R5).
	b.do(chromedp.Navigate(c.tls.URL + "/certificat"))
	b.says("Votre espace a déjà été transformé")
	b.enter(c, chosen, password)
	for _, text := range append(home, string(r.Number), r.Holder) {
		b.says(text)
	}
	if got := c.kept(r); got != kept {
		t.Errorf("the space changed from %s to %s", kept, got)
	}
	b.follow("Gérer mes services") // R29
	b.follow("Gérer vos coordonnées")
	b.says(chosen)
	b.pdf("Sauvegardez ou imprimez votre formulaire")
	b.follow("Lire le formulaire dans une page")
	b.says("Réponse de confiance")
	b.do(chromedp.Navigate(c.http.URL + "/espace"))
	b.follow("Me déconnecter")
	b.says("Entrer dans votre espace")
	b.do(chromedp.Navigate(c.http.URL + "/espace"))
	b.says("Mot de passe oublié")
}

// enter signs in.
func (b browser) enter(c *certSite, email, password string) {
	b.t.Helper()
	b.do(chromedp.Navigate(c.http.URL + "/connexion"))
	b.write("email", email)
	b.write("password", password)
	b.do(chromedp.Click("main form p.actions button"))
	b.says("Numéro d'abonné")
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
	path := strings.TrimPrefix(strings.TrimPrefix(href, b.http.URL), "https://")
	if i := strings.Index(path, "/"); i > 0 { // the listener that asks for certificates has the same sessions
		path = path[i:]
	}
	page := b.get(path, "Cookie", strings.Join(header, "; "))
	if page.status != http.StatusOK || page.header.Get("Content-Type") != "application/pdf" {
		b.t.Errorf("%s leads to status %d, %s", href, page.status, page.header.Get("Content-Type"))
	}
}

// R31: a forgotten password, in the browser: address, question and answer lead to
// a mail whose link lets choose another one.
func TestForgottenWalk(t *testing.T) {
	t.Parallel()
	c := newCertSite(t)
	b := browser{site: c.site, ctx: devtest.ChromiumTLS(t, c.authority.Certificate())}
	_, proof := c.mailed(sqltest.Invitation{Contact: "contact@a.example"})
	c.post(full(proof, "contact@a.example")).expect(t, http.StatusOK, success)
	b.do(chromedp.Navigate(c.http.URL + "/connexion"))
	b.follow("Mot de passe oublié")
	b.says("question de confiance")
	b.write("email", "contact@a.example")
	b.do(chromedp.SetValue(chromedp.CSS("#question"), "enfance-rue"), chromedp.SendKeys(chromedp.CSS("#answer"), strings.ToUpper(answer)))
	b.do(chromedp.Click("main form button"))
	b.says("Si ces informations concordent")
	code := c.resetCode("contact@a.example")
	b.do(chromedp.Navigate(c.http.URL + "/nouveau-mot-de-passe#adresse=" + url.QueryEscape("contact@a.example") + "&code=" + code.String()))
	b.do(chromedp.WaitVisible("#rempli"))
	if got := js[string](b, `location.href`); got != c.http.URL+"/nouveau-mot-de-passe" {
		t.Errorf("the address bar holds %s", got)
	}
	const another = "Zenith47Kolibri"
	b.write("password", another)
	b.write("password_confirmation", another)
	b.do(chromedp.Click("main .actions button"))
	b.says("Votre mot de passe est modifié")
	b.enter(c, "contact@a.example", another)
}
