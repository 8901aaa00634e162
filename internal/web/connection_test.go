package web_test

import (
	"crypto/sha256"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"bascule/internal/web"
	"bascule/sql"
	"bascule/sql/sqltest"
)

// R1, R3: until the activation, address and password open nothing, even where
// they are chosen already; after it, they do.
// R27, R29: "Accéder à mon espace" finds the space and its recap.
func TestConnection(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	r, proof := s.mailed(sqltest.Invitation{Number: "00AB1234", Contact: "contact@a.example"})
	s.post(full(proof, "chosen@a.example")).expect(t, http.StatusOK, mailSent)
	v := s.visitor("192.0.2.1")
	checkHTML(t, "connexion", v.get("/connexion").expect(t, http.StatusOK, "Accéder à mon espace", "Mot de passe oublié", "Activez votre espace"))
	v.get("/espace").leadsTo(t, "/connexion")
	for _, email := range []string{"contact@a.example", "chosen@a.example"} {
		v.connect(email).expect(t, http.StatusUnprocessableEntity, notOpened)
	}
	v.get("/espace").leadsTo(t, "/connexion")

	s.post(s.mailAgain(r)).expect(t, http.StatusOK, success)
	v.connect("contact@a.example").expect(t, http.StatusUnprocessableEntity, notOpened) // R1: the identifier alone
	page := v.connect(" Chosen@A.example").leadsTo(t, "/espace")
	v.get("/espace").expect(t, http.StatusOK, "00AB1234", "Camille Duvallon", "Boulangerie Duvallon")
	if pdf := v.get("/recapitulatif.pdf"); pdf.status != http.StatusOK || !strings.HasPrefix(pdf.body, "%PDF-") {
		t.Errorf("recap: status %d (R29)", pdf.status)
	}
	v.get("/connexion").leadsTo(t, "/espace") // a visitor in the space goes on

	token := page.value("espace")
	hash := fmt.Sprintf("%x", sha256.Sum256([]byte(token)))
	if n := s.db.Text(t, `SELECT count(*) FROM session WHERE encode(token_hash, 'hex') = $1`, hash); n != "1" {
		t.Errorf("%s sessions under the SHA-256 of the cookie", n)
	}
	if strings.Contains(s.db.Dump(t), token) {
		t.Error("the database holds the token itself")
	}
}

// The cookies: scripts and other sites cannot reach them, and over https they are bound
// to the host. The cookie of a known browser names nobody.
func TestConnectionCookies(t *testing.T) {
	t.Parallel()
	s := newSite(t, func(c *web.Config) { c.PublicURL = &url.URL{Scheme: "https", Host: "espace.example"} })
	s.switched(sqltest.Invitation{Contact: "contact@a.example"})
	v := s.visitor("192.0.2.1")
	set := v.connect("contact@a.example").leadsTo(t, "/espace").header.Values("Set-Cookie")
	for i, want := range []string{
		`^__Host-espace=[\w-]{43}; Path=/; Max-Age=3600; HttpOnly; Secure; SameSite=Lax$`,
		`^__Host-navigateur=[\w-]{43}\.[\w-]{22}; Path=/; Max-Age=15552000; HttpOnly; Secure; SameSite=Lax$`,
	} {
		if i >= len(set) || !regexp.MustCompile(want).MatchString(set[i]) {
			t.Errorf("cookies %q, want %s", set, want)
		}
	}
	if set := v.submit("/connexion", login("contact@a.example", "Wrong4Password")).header.Values("Set-Cookie"); set != nil {
		t.Errorf("a failure sets cookies: %q", set)
	}
}

// R3, R17: every wrong sign-in gets the same answer after the same work, with the typed
// address the only difference. It changes nothing.
func TestConnectionRefusedAlike(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.switched(sqltest.Invitation{Contact: "switched@a.example"})
	s.mailed(sqltest.Invitation{Contact: "certificate@a.example"})
	v := s.visitor("192.0.2.1")
	var first string
	hashed := 0
	for name, form := range map[string]url.Values{
		"wrong password":    login("switched@a.example", "Wrong4Password"),
		"other case":        login("switched@a.example", strings.ToLower(password)),
		"long":              login("switched@a.example", strings.Repeat("é", 10000)),
		"unknown address":   login("nobody@a.example", password),
		"certificate space": login("certificate@a.example", password),
	} {
		s.unchanged(func() {
			start := time.Now()
			page := v.submit("/connexion", form).expect(t, http.StatusUnprocessableEntity, notOpened)
			if took := time.Since(start); took < 240*time.Millisecond {
				t.Errorf("%s: answered off the beat, after %s", name, took)
			}
			if !strings.HasPrefix(page.title(), "<title>Erreur") && !strings.Contains(page.title(), "Erreur : Accéder à mon espace") {
				t.Errorf("%s: title %q", name, page.title())
			}
			if strings.Contains(page.body, form.Get("password")) {
				t.Errorf("%s: the password is sent back", name)
			}
			if got := page.field("email"); got != form.Get("email") {
				t.Errorf("%s: the address typed is lost: %q", name, got)
			}
			checkHTML(t, name, page)
			body := strings.ReplaceAll(page.body, form.Get("email"), "E")
			if first == "" {
				first = body
			}
			if body != first {
				t.Errorf("%s: the answer differs from the others:\n%s\n%s", name, body, first)
			}
		}, "audit")
		hashed++
		s.hashed(fmt.Sprint(hashed))
	}
	v.get("/espace").leadsTo(t, "/connexion")
}

// A text that cannot be an address or a password causes an error at its field, and no
// query.
func TestConnectionProblems(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	v := s.visitor("192.0.2.1")
	for _, test := range []struct {
		form url.Values
		want string
	}{
		{login("", password), "Adresse électronique manquante."},
		{login("camille", password), "Adresse électronique invalide"},
		{login("contact@a.example", ""), "Saisissez votre mot de passe."},
		{login("", ""), "2 informations sont à corriger"},
	} {
		page := v.submit("/connexion", test.form).expect(t, http.StatusUnprocessableEntity, test.want)
		if got := page.field("email"); got != test.form.Get("email") {
			t.Errorf("the address typed is lost: %q", got)
		}
		if page.field("password") != "" || strings.Contains(page.body, password) {
			t.Error("the password is sent back")
		}
		checkHTML(t, test.want, page)
	}
	s.hashed("0")
	if n := s.db.Text(t, `SELECT count(*) FROM throttle`); n != "0" {
		t.Errorf("%s buckets filled by what was no guess", n)
	}
}

// A session lasts an hour by the database's clock, whatever the browser keeps. The page
// that a visitor is led to says so, and what to do where no session begins at all.
func TestSessionExpires(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.switched(sqltest.Invitation{Contact: "contact@a.example"})
	v := s.visitor("192.0.2.1")
	v.connect("contact@a.example").leadsTo(t, "/espace")
	s.db.Shift(t, sql.SpaceSession-time.Minute)
	v.get("/espace").expect(t, http.StatusOK)
	s.db.Shift(t, sql.SpaceSession)
	v.get("/espace").leadsTo(t, "/connexion")
	v.get("/connexion").expect(t, http.StatusOK, "votre espace se ferme une heure après votre entrée", "votre navigateur refuse les cookies de ce site")
	v.get("/recapitulatif.pdf").expect(t, http.StatusForbidden)
}

// Leaving ends the sessions of this browser, the recap's too, for every holder of the
// cookie; not those of another browser. GET does not leave (D5).
func TestDisconnect(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	_, proof := s.mailed(sqltest.Invitation{Contact: "contact@a.example"})
	v, other := s.visitor("192.0.2.1"), s.visitor("192.0.2.2")
	recap := v.submit("/activation", full(proof, "contact@a.example")).expect(t, http.StatusOK, success).value("recap")
	token := v.connect("contact@a.example").leadsTo(t, "/espace").value("espace")
	other.connect("contact@a.example").leadsTo(t, "/espace")
	v.get("/deconnexion").leadsTo(t, "/espace")
	v.get("/espace").expect(t, http.StatusOK)
	elsewhere := v.request(http.MethodPost, "/deconnexion", nil, "Sec-Fetch-Site", "cross-site")
	v.do(elsewhere).expect(t, http.StatusForbidden)
	v.get("/espace").expect(t, http.StatusOK)

	page := v.submit("/deconnexion", nil).leadsTo(t, "/deconnexion")
	for i, want := range []string{`^espace=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax$`, `^recap=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax$`} {
		if got := page.header.Values("Set-Cookie"); i >= len(got) || !regexp.MustCompile(want).MatchString(got[i]) {
			t.Errorf("cookies %q, want %s", got, want)
		}
	}
	thief := s.visitor("192.0.2.3")
	for _, cookie := range []string{"espace=" + token, "recap=" + recap} {
		thief.do(thief.request(http.MethodGet, "/espace", nil, "Cookie", cookie)).leadsTo(t, "/connexion")
		thief.do(thief.request(http.MethodGet, "/recapitulatif.pdf", nil, "Cookie", cookie)).expect(t, http.StatusForbidden)
	}
	checkHTML(t, "signed out", v.get("/deconnexion").expect(t, http.StatusOK, "Vous êtes déconnecté"))
	other.get("/espace").expect(t, http.StatusOK)
	v.submit("/deconnexion", nil).leadsTo(t, "/deconnexion") // twice is once
}

// A visitor in a space finds the way back and the way out on every page, which nobody
// caches. Other visitors find neither.
func TestSignedInEverywhere(t *testing.T) {
	t.Parallel()
	c := newCertSite(t)
	_, cert := c.holder(sqltest.Invitation{})
	_, proof := c.mailed(sqltest.Invitation{Contact: "other@a.example"})
	c.switched(sqltest.Invitation{Contact: "contact@a.example"})
	v := c.visitor("192.0.2.1")
	check := func(name string, page answered, back, out bool) {
		t.Helper()
		if strings.Contains(page.body, `href="/espace">Mon espace`) != back || strings.Contains(page.body, "Me déconnecter") != out {
			t.Errorf("%s: way back %t, way out %t", name, back, out)
		}
		if kept := page.header.Get("Cache-Control"); back && kept != "no-store" {
			t.Errorf("%s: Cache-Control %q", name, kept)
		}
	}
	paths := []string{"/", "/sans-certificat", "/adhesion", "/aide", "/accessibilite", "/activation", "/certificat", "/mot-de-passe-oublie",
		"/nouveau-mot-de-passe", "/recapitulatif", "/nulle-part", "/espace/option"}
	for _, path := range paths {
		check(path+" outside", v.get(path), false, false)
	}
	v.connect("contact@a.example").leadsTo(t, "/espace")
	for _, path := range append(paths, "/espace", "/espace/services", "/espace/coordonnees", "/espace/mot-de-passe") {
		check(path, v.get(path), true, true)
	}
	check("a code", v.submit("/activation", proof), true, true)
	for _, path := range []string{"/", "/aide", "/nulle-part", "/espace"} {
		check(path+" by certificate", c.visit(c.client(cert), path), true, false)
		check(path+" without one", c.visit(c.client(), path), false, false)
	}
	c.db.DB.Close()
	check("without PostgreSQL", v.get("/aide").expect(t, http.StatusOK), false, false)
}

// A browser is in one space at a time: entering another ends the session before.
func TestConnectionElsewhere(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	one, two := s.switched(sqltest.Invitation{Contact: "one@a.example"}), s.switched(sqltest.Invitation{Contact: "two@a.example"})
	v := s.visitor("192.0.2.1")
	v.connect("one@a.example").leadsTo(t, "/espace")
	v.get("/espace").expect(t, http.StatusOK, string(one.Number))
	v.connect("two@a.example").leadsTo(t, "/espace")
	v.get("/espace").expect(t, http.StatusOK, string(two.Number))
	if n := s.db.Text(t, `SELECT count(*) FROM session WHERE scope = 'space'`); n != "1" {
		t.Errorf("%s sessions, want 1", n)
	}
}

// R28: the browser of an accountant is in one space and activates another. The recap is
// that of the space just activated, and the links lead to no other space. The same form
// again does not lead out of the space that it activated. A new password leads out of
// other spaces, too.
func TestActivationElsewhere(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	one := s.switched(sqltest.Invitation{Contact: "one@a.example"})
	two, proof := s.mailed(sqltest.Invitation{Contact: "two@a.example"})
	form, v := full(proof, "two@a.example"), s.visitor("192.0.2.1")
	before := v.connect("one@a.example").leadsTo(t, "/espace").value("espace")
	page := v.submit("/activation", form).expect(t, http.StatusOK, success)
	if strings.Contains(page.body, "Mon espace") {
		t.Error("the page leads to the space before")
	}
	v.get("/recapitulatif").expect(t, http.StatusOK, string(two.Number))
	if pdf := v.get("/recapitulatif.pdf"); !strings.Contains(pdf.header.Get("Content-Disposition"), string(two.Number)) {
		t.Errorf("the document is %s, want that of %s", pdf.header.Get("Content-Disposition"), two.Number)
	}
	v.get("/connexion").expect(t, http.StatusOK)
	thief := s.visitor("192.0.2.3")
	thief.do(thief.request(http.MethodGet, "/espace", nil, "Cookie", "espace="+before)).leadsTo(t, "/connexion")

	v.connect("two@a.example").leadsTo(t, "/espace")
	v.submit("/activation", form).expect(t, http.StatusOK, success)
	v.get("/espace").expect(t, http.StatusOK, string(two.Number))
	v.submit("/nouveau-mot-de-passe", newPassword(s.asked(one), "Another9Secret")).expect(t, http.StatusOK)
	v.get("/connexion").expect(t, http.StatusOK)
}

// Ten wrong passwords for one address from one network, and it must wait, with
// the right one too; the owner elsewhere need not, and codes are not blocked.
// Successes never count. The wait ends by itself.
func TestConnectionThrottled(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.switched(sqltest.Invitation{Contact: "owner@a.example"})
	_, proof := s.mailed(sqltest.Invitation{Contact: "code@a.example"})
	office, attacker := s.visitor("192.0.2.1"), s.visitor("192.0.2.2")
	for range 3 {
		office.connect("owner@a.example").leadsTo(t, "/espace")
	}
	if n := s.db.Text(t, `SELECT count(*) FROM throttle WHERE empty_at < bascule_now() + interval '1 day'`); n != "0" {
		t.Errorf("%s buckets filled by successes", n) // the networks that are known apart
	}
	s.db.Freeze(t, time.Now())
	for i := range 10 {
		attacker.submit("/connexion", login("OWNER@a.example", fmt.Sprintf("Wrong%dPassword", i))).expect(t, http.StatusUnprocessableEntity, notOpened)
	}
	page := attacker.connect("owner@a.example").expect(t, http.StatusTooManyRequests, slowDown, "Attendez 50 minutes")
	if got := page.header.Get("Retry-After"); got != "3000" {
		t.Errorf("Retry-After %q, want 3000", got)
	}
	if !strings.Contains(page.title(), "Erreur : ") || page.field("email") != "owner@a.example" || strings.Contains(page.body, password) {
		t.Errorf("429: title %q, address %q", page.title(), page.field("email"))
	}
	checkHTML(t, "429", page)
	attacker.get("/espace").leadsTo(t, "/connexion")
	attacker.submit("/activation", proof).expect(t, http.StatusOK, askPassword)
	s.visitor("192.0.2.3").connect("owner@a.example").leadsTo(t, "/espace")
	s.db.Shift(t, 50*time.Minute)
	attacker.connect("owner@a.example").leadsTo(t, "/espace")
	if text := s.db.Dump(t); strings.Contains(text, attacker.addr) {
		t.Error("the database holds a network address (I6)")
	}
}

// One network's search through many addresses is slowed down too.
func TestConnectionThrottledClient(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.switched(sqltest.Invitation{Contact: "owner@a.example"})
	s.db.Freeze(t, time.Now())
	s.fill(58, 5*time.Second, "connection client", "192.0.2.1/32")
	attacker := s.visitor("192.0.2.1")
	for _, email := range []string{"one@a.example", "two@a.example"} {
		attacker.connect(email).expect(t, http.StatusUnprocessableEntity, notOpened)
	}
	attacker.connect("owner@a.example").expect(t, http.StatusTooManyRequests, slowDown, "Attendez 5 secondes")
	s.visitor("192.0.2.2").connect("owner@a.example").leadsTo(t, "/espace")
}

// One network that tries passwords without end fills what all strangers share
// neither at once nor in hours: the owner gets in at any browser elsewhere.
func TestConnectionFromOneNetwork(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.switched(sqltest.Invitation{Contact: "owner@a.example"})
	s.siege("/connexion", login("owner@a.example", "Wrong4Password"), func() {
		s.visitor("192.0.2.1").connect("owner@a.example").leadsTo(t, "/espace")
	})
}

// siege has one network send a form every three minutes for six hours, and calls
// owner every half-hour of the last two.
func (s *site) siege(path string, form url.Values, owner func()) {
	s.t.Helper()
	stranger, start := s.visitor("192.0.2.66"), time.Now()
	for minute := 0; minute < 6*60; minute += 3 {
		s.db.Freeze(s.t, start.Add(time.Duration(minute)*time.Minute))
		stranger.submit(path, form)
		if minute >= 4*60 && minute%30 == 0 {
			owner()
		}
	}
}

// An IPv6 line is one network, however many of its addresses try.
func TestConnectionFromOneLine(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.db.Freeze(t, time.Now())
	for i := range 10 {
		s.visitor(fmt.Sprintf("2001:db8:1:%x::1", i)).connect("owner@a.example").expect(t, http.StatusUnprocessableEntity, notOpened)
	}
	s.visitor("2001:db8:1:ffff::1").connect("owner@a.example").expect(t, http.StatusTooManyRequests, slowDown)
	s.visitor("2001:db8:2::1").connect("owner@a.example").expect(t, http.StatusUnprocessableEntity, notOpened)
}

// A search from many networks is slowed down for all strangers together, for an unknown
// address alike. The common count and the reserve are never overfilled. Its victim gets
// in at a browser and on a network that has been in the space before. Elsewhere the
// victim gets in within minutes of the end of the search, however hard it was pushed.
func TestConnectionFromManyNetworks(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.switched(sqltest.Invitation{Contact: "owner@a.example"})
	s.switched(sqltest.Invitation{Contact: "neighbour@a.example"})
	known, neighbour := s.visitor("192.0.2.1"), s.visitor("192.0.2.2")
	known.connect("owner@a.example").leadsTo(t, "/espace")
	neighbour.connect("neighbour@a.example").leadsTo(t, "/espace")

	s.db.Freeze(t, time.Now())
	hashed := 2
	for _, email := range []string{"owner@a.example", "nobody@a.example"} {
		s.fill(27, 5*time.Minute, "connection address", email)
		s.fill(198, 5*time.Minute, "connection reserve", email)
		s.together(8, func(i int) { s.visitor(network(i)).submit("/connexion", login(email, "Wrong4Password")) })
		for i := range 3 {
			s.visitor(network(8+i)).submit("/connexion", login(email, "Wrong4Password"))
		}
		hashed += 5 // three that all strangers share, two of the reserve
		s.hashed(fmt.Sprint(hashed))
		page := s.visitor("192.0.2.3").connect(email).expect(t, http.StatusTooManyRequests, slowDown, "Attendez 5 minutes")
		if got := page.header.Get("Retry-After"); got != "300" {
			t.Errorf("%s: Retry-After %q, want 300", email, got)
		}
	}
	neighbour.connect("owner@a.example").expect(t, http.StatusTooManyRequests, slowDown) // known for another address
	forger := s.visitor("192.0.2.4")
	forged := forger.request(http.MethodPost, "/connexion", strings.NewReader(login("owner@a.example", password).Encode()),
		"Content-Type", "application/x-www-form-urlencoded", "Cookie", "navigateur="+strings.Repeat("A", 43)+"."+strings.Repeat("A", 22))
	forger.do(forged).expect(t, http.StatusTooManyRequests, slowDown)
	s.visitor("192.0.2.1").connect("owner@a.example").leadsTo(t, "/espace") // the network
	known.addr = "192.0.2.7"
	known.connect("owner@a.example").leadsTo(t, "/espace") // the browser
	s.visitor("192.0.2.5").connect("neighbour@a.example").leadsTo(t, "/espace")

	s.db.Shift(t, 5*time.Minute)
	s.visitor("192.0.2.6").connect("owner@a.example").leadsTo(t, "/espace")
}

// A known browser guesses no faster than others, and no neighbour on its line keeps it
// out. The key tells it from strangers, so that nobody can invent one.
func TestConnectionKnownBrowserThrottled(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.switched(sqltest.Invitation{Contact: "owner@a.example"})
	v := s.visitor("192.0.2.1")
	v.connect("owner@a.example").leadsTo(t, "/espace")
	s.db.Freeze(t, time.Now())
	for i := range 10 {
		v.addr = network(i)
		v.submit("/connexion", login("owner@a.example", "Wrong4Password")).expect(t, http.StatusUnprocessableEntity, notOpened)
	}
	v.addr = network(10)
	v.connect("owner@a.example").expect(t, http.StatusTooManyRequests, slowDown)
	other := s.visitor("192.0.2.1")
	other.connect("owner@a.example").leadsTo(t, "/espace")
	other.addr = network(11)
	s.fill(60, 5*time.Second, "connection client", other.addr+"/32") // as the neighbours did
	s.visitor(other.addr).connect("owner@a.example").expect(t, http.StatusTooManyRequests, slowDown, "Attendez 5 secondes")
	other.connect("owner@a.example").leadsTo(t, "/espace")
}

// R3: a sign-in while another password is being chosen waits for it. The old password
// then opens nothing. A visitor in the space is out after such a change elsewhere.
func TestConnectionMeetsAnotherPassword(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	entering, inside := s.switched(sqltest.Invitation{Contact: "entering@a.example"}), s.switched(sqltest.Invitation{Contact: "inside@a.example"})
	v := s.visitor("192.0.2.1")
	v.connect("inside@a.example").leadsTo(t, "/espace")
	s.meetsAnotherPassword(inside, func() answered { return v.submit("/espace/mot-de-passe", change(password, "Another9Secret")) }).
		leadsTo(t, "/connexion")
	s.meetsAnotherPassword(entering, func() answered { return v.connect("entering@a.example") }).
		expect(t, http.StatusUnprocessableEntity, notOpened)
}
