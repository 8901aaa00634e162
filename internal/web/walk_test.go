package web_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"bascule/internal/conversion"
	"bascule/internal/devenv/devtest"
	"bascule/sql/sqltest"
)

// Three tests need a browser; all faults of a handler alone are tested without one.
// TestWalk catches a page whose script, cookies or certificate do not work in a real
// browser. TestWalkWithoutScript catches a page that works by its script alone.
// TestTour, in its own file, catches a page that some people cannot read or use.

// C6, R7–R31: with a real certificate in the TLS handshake, the link of a mail, the
// sheet's nineteen pages, and a forgotten password.
func TestWalk(t *testing.T) {
	t.Parallel()
	c := newCertSite(t)
	r, cert := c.uninvited(sqltest.Invitation{Contact: "contact@a.example"})
	b := browser{certSite: c, ctx: devtest.ChromiumTLS(t, c.authority.Certificate(), cert)}
	b.byLink()
	one := conversion.Company{SIREN: "123456789", Name: "Boulangerie Duvallon", Services: []string{"TVA", "Paiement"}}
	two := conversion.Company{SIREN: "987654321", Name: "Garage Duvallon", Services: []string{"Compte fiscal"}}
	c.give(r)
	b.do(chromedp.Navigate(c.entrance + "/espace"))
	b.says("Vous ne disposez d’aucun service") // R8
	c.give(r, one)
	b.do(chromedp.Navigate(c.entrance + "/espace"))
	b.says("Entreprise : Boulangerie Duvallon") // R9
	b.says("TVA")
	c.give(r, one, two)
	b.byCertificate(r, []string{"Garage Duvallon", "Entreprise choisie : Boulangerie Duvallon", "Paiement"}, false) // R10
	b.forget(r)
}

// R7–R30, without script: forms and links are enough.
func TestWalkWithoutScript(t *testing.T) {
	t.Parallel()
	c := newProxiedSite(t)
	r, cert := c.uninvited(sqltest.Invitation{Contact: "contact@a.example",
		Companies: []conversion.Company{{SIREN: "123456789", Name: "Boulangerie Duvallon", Services: []string{"TVA"}}}})
	b := browser{certSite: c, ctx: devtest.Chromium(t)}
	b.present(cert)
	if _, err := chromedp.Call(b.ctx, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true}); err != nil {
		t.Fatal(err)
	}
	b.byCertificate(r, []string{"Boulangerie Duvallon"}, true)
}

// byLink is the way of a subscriber with the link of a mail, up to the PDF
// (R24–R28).
func (b browser) byLink() {
	t := b.t
	r, proof := b.mailed(sqltest.Invitation{Contact: "helene+fisc@a.example"})
	b.filledIn("/activation", proof)
	b.otherFragments()
	b.do(chromedp.Navigate("about:blank"), chromedp.Navigate(b.http.URL+"/activation?etape=3%23"+fragment(proof)[1:]))
	b.until("is filled in by a link whose # was encoded", `email.value == `+quote(proof.Get("email"))+` && code.value == `+quote(proof.Get("code"))+` && location.href.endsWith('/activation?etape=3')`)
	b.openLink("/activation", proof)
	b.follow("Valider")
	b.pasted("/activation")
	b.openLink("/activation", proof)
	b.follow("Valider")
	b.choose(proof.Get("email"), "other@a.example")
	b.do(chromedp.Click("#consent"))
	b.submit()
	b.problems()
	b.reveal()
	b.choose(proof.Get("email"), proof.Get("email"))
	b.submit()
	b.says(success)
	b.checkAccess(r, "password")
	if cookie := js[string](b, `document.cookie`); cookie != "" {
		t.Errorf("a script can read the cookie: %q", cookie)
	}
	b.pdf("Sauvegardez ou imprimez votre formulaire")
}

// filledIn is D5: the link fills the form in, leaves the address bar and the
// history, and sends nothing by itself.
func (b browser) filledIn(path string, proof url.Values) {
	b.t.Helper()
	before := b.posts()
	b.openLink(path, proof)
	want := proof.Get("email") + " " + proof.Get("code") + " " + b.http.URL + path
	if got := js[string](b, `email.value + ' ' + code.value + ' ' + location.href`); got != want {
		b.t.Errorf("filled in: %q, want %q", got, want)
	}
	if after := b.posts(); !slices.Equal(after, before) {
		b.t.Errorf("forms were sent by opening the link: %q, then %q", before, after)
	}
}

// posts are the counts of forms that were sent so far.
func (b browser) posts() (lines []string) {
	w := httptest.NewRecorder()
	b.server.Metrics().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	for line := range strings.Lines(w.Body.String()) {
		if strings.HasPrefix(line, `bascule_http_requests_total{method="POST"`) {
			lines = append(lines, line)
		}
	}
	return lines
}

// otherFragments is D5: a link opened while the page is open fills it in, too. Half a
// link, or one whose "+" was not escaped, does its best. A link that is not ours is
// left alone.
func (b browser) otherFragments() {
	b.t.Helper()
	for _, test := range []struct{ fragment, email, code, left string }{
		{"adresse=a%2Bb%40a.example&code=AAAA-BBBB-CCCC", "a+b@a.example", "AAAA-BBBB-CCCC", ""},
		{"adresse=c+d@a.example", "c+d@a.example", "AAAA-BBBB-CCCC", ""},
		{"adresse=e%40a.example&amp;code=AAAA-BBBB-DDDD", "e@a.example", "AAAA-BBBB-DDDD", ""},
		{"adresse=f%40a.example&code=AAAA-BBBB-EEEE.", "f@a.example", "AAAA-BBBB-EEEE", ""},
		{"adresse=g%40a.example&code=AAAA-BBBB-FFFF%3E", "g@a.example", "AAAA-BBBB-FFFF", ""},
		{"adresse=g%40a.example&code=AAAA-BBBB-GGGG>).", "g@a.example", "AAAA-BBBB-GGGG", ""},
		{"adresse=h%40a.example&code=AAAA-BBBB-HHHH&amp;", "h@a.example", "AAAA-BBBB-HHHH", ""},
		{"adresse=c+d@a.example&code=AAAA-BBBB-CCCC", "c+d@a.example", "AAAA-BBBB-CCCC", ""},
		{"contenu", "c+d@a.example", "AAAA-BBBB-CCCC", "#contenu"},
	} {
		js[any](b, `location.hash = `+quote(test.fragment))
		b.until("is filled in by #"+test.fragment, `email.value == `+quote(test.email)+` && code.value == `+quote(test.code)+` && location.hash == `+quote(test.left))
	}
}

// pasted is D5: a link pasted over the answer to a form, whose address is the same
// up to the "#", opens the form all the same.
func (b browser) pasted(path string) {
	b.t.Helper()
	js[any](b, `location.hash = "adresse=late%40a.example&code=AAAA-BBBB-CCCC"`)
	b.says("L’adresse et le code du lien ont été recopiés")
	if got := js[string](b, `email.value + ' ' + code.value + ' ' + location.href`); got != "late@a.example AAAA-BBBB-CCCC "+b.http.URL+path {
		b.t.Errorf("the page shows %q", got)
	}
}

// problems: the summary of the errors takes the focus, and its links lead to the
// fields. Each field is described by its error.
func (b browser) problems() {
	b.t.Helper()
	b.until("gives the summary the focus", `document.activeElement.id === 'erreurs'`) // with its next frame
	b.do(chromedp.Click("#erreurs a"))
	if got := js[string](b, `document.activeElement.id`); got != "new_email_confirmation" {
		b.t.Errorf("the link of the summary leads to %q", got)
	}
	described := js[string](b, `document.getElementById(document.activeElement.getAttribute('aria-describedby')).innerText`)
	if !strings.Contains(described, "ne sont pas identiques") {
		b.t.Errorf("the field is described by %q", described)
	}
}

// reveal: a password can be shown and is hidden again before it is sent. Password
// managers find its rules (R16).
func (b browser) reveal() {
	b.t.Helper()
	b.do(chromedp.SendKeys("#password", "visible"), chromedp.Click(".reveal"))
	if got := js[string](b, `password.type + ' ' + document.querySelector('.reveal').innerText`); got != "text Masquer" {
		b.t.Errorf("after a click: %s", got)
	}
	js[any](b, `password.form.dispatchEvent(new Event('submit'))`)
	if got := js[string](b, `password.type`); got != "password" {
		b.t.Errorf("the password is sent as %s", got)
	}
	if got := js[string](b, `password.getAttribute('passwordrules')`); !strings.Contains(got, "maxlength: 20") {
		b.t.Errorf("password managers are told %q", got)
	}
}

// chosen is the identifier that the walk by certificate ends with.
const chosen = "choisie@a.example"

// byCertificate goes through the four steps, from the certificate to the recap, and
// then back into the space by address and password (R3). home is what the home
// screen says. later takes the button "OK" and comes back by the home page, instead
// of the link "Activez votre espace" (R20, R24).
func (b browser) byCertificate(r sqltest.Request, home []string, later bool) {
	kept := b.kept(r)
	b.opt(r, append(home, string(r.Number)))
	b.checkAccess(r, "certificate")
	_, code := b.db.Mail(b.t, b.keys, b.openRequest(r))
	b.proof(chosen, code)
	if later {
		b.follow("OK")
		b.follow("Créer mon espace / adhérer aux services en ligne")
		b.says("2ème étape")
		b.follow("Activer votre espace")
	} else {
		b.follow("Activez votre espace")
	}
	b.says("Il ne s’agit pas ici de votre mot de passe, mais du code reçu") // R25
	b.write("email", chosen)
	b.write("code", code.String())
	b.follow("Valider")
	b.says(success) // R27
	b.checkAccess(r, "password")
	b.says("indispensables") // R30
	b.pdf("Sauvegardez ou imprimez votre formulaire")
	b.afterwards(append(home, string(r.Number), r.Holder))
	if got := b.kept(r); got != kept {
		b.t.Errorf("the space changed from %s to %s", kept, got)
	}
}

// opt enters with the certificate, opts, and chooses the identifiers: steps 1 and 2.
func (b browser) opt(r sqltest.Request, home []string) {
	b.t.Helper()
	b.open("/")
	b.follow("Accéder avec mon certificat")
	b.says("Installez dans votre navigateur") // R34
	b.follow("Accéder avec mon certificat")
	for _, text := range home {
		b.says(text)
	}
	b.follow("Opter pour l’accès sans certificat") // R11
	b.says("Ce changement est irrévocable")        // R12
	b.follow("Opter pour l’accès sans certificat")
	b.says("Étape 2 sur 4") // R33
	if got := js[string](b, `document.getElementById('new_email').value`); got != r.Contact.String() {
		b.t.Errorf("the address by default is %q", got) // R13
	}
	b.choose(chosen, chosen) // R14, R18
	b.follow("Valider")
	b.says("un code d’activation vous est envoyé à l’adresse électronique que vous avez choisie") // R19
	b.says("48 h")                                                                                // R21
}

// afterwards, the certificate opens nothing; address and password do (R3, R5).
func (b browser) afterwards(home []string) {
	b.t.Helper()
	b.do(chromedp.Navigate(b.entrance + "/certificat"))
	b.says("Votre espace est déjà sans certificat")
	b.enter(chosen, password)
	for _, text := range home {
		b.says(text)
	}
	b.follow("Gérer mes services") // R29
	b.follow("Gérer vos coordonnées")
	b.says(chosen)
	b.pdf("Sauvegardez ou imprimez votre formulaire")
	b.follow("Lire le formulaire dans une page")
	b.says("Réponse de confiance")
	b.open("/espace")
	b.follow("Me déconnecter")
	b.says("Vous êtes déconnecté")
	b.open("/espace")
	b.says("Mot de passe oublié")
}

// forget is R31: address, question and answer lead to a mail whose link lets choose
// another password.
func (b browser) forget(r sqltest.Request) {
	b.follow("Mot de passe oublié")
	b.says("question de confiance")
	b.write("email", chosen)
	b.trust()
	b.submit()
	b.says("Si ces informations concordent")
	proof := b.mailReset(r)
	b.openLink("/nouveau-mot-de-passe", proof)
	b.submit()
	b.pasted("/nouveau-mot-de-passe")
	b.filledIn("/nouveau-mot-de-passe", proof)
	const another = "Zenith47Kolibri"
	b.write("password", another)
	b.write("password_confirmation", another)
	b.submit()
	b.says("Votre mot de passe est modifié")
	b.enter(chosen, another)
}
