package web_test

import (
	"net/http"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"bascule/internal/web"
	"bascule/sql/sqltest"
)

// The pages that are the same for everybody: R2, R24, R32–R34 in the sheet's
// words; one language, one title, one h1, nothing inline, 15 kB at most.
func TestPages(t *testing.T) {
	t.Parallel()
	s := newCertSite(t)
	for path, texts := range map[string][]string{
		"/": {"Accéder avec mon certificat", "Optez pour l’accès sans certificat", "Créer mon espace / adhérer aux services en ligne", "Activer votre espace",
			"valide et installé dans votre navigateur", "une adresse électronique valide", // R34
			"Les quatre étapes", "irrévocable", "Vous conservez le même numéro d’abonné"}, // R33
		"/sans-certificat":      {"Vous avez reçu notre courriel", "Accéder avec mon certificat", "Opter pour l’accès sans certificat", "Contactez l’assistance"}, // R2
		"/mentions-legales":     {"<h1>Mentions légales</h1>", "Cette page est un projet", "<mark>[à compléter"},
		"/donnees-personnelles": {"<h1>Données personnelles</h1>", "Vos droits"},
		"/accessibilite":        {"établie le 29\u00a0novembre 2026 par Direction départementale"},
		"/adhesion":             {"Mode expert", "2ème étape", "Activer votre espace"},                                                                                                // R24
		"/aide":                 {"Mon certificat est refusé", "créer un nouvel espace", "substitutions", "délégations", "Je n’ai pas reçu le courriel"},                              // R34
		"/connexion":            {"Optez pour l’accès sans certificat", "Accéder avec mon certificat"},                                                                                // R2
		"/activation":           {"Étape 1 sur 4", "Code (vous êtes ici) Identifiants et accord", "Il ne s’agit pas ici de votre mot de passe, mais du code reçu", "Valider", "48 h"}, // R25, R33
		"/activation?etape=3":   {"Étape 3 sur 4", "Code ou accord Identifiants Activation (vous êtes ici)"},
		"/nulle-part":           {"Page introuvable"},
	} {
		status := http.StatusOK
		if path == "/nulle-part" {
			status = http.StatusNotFound
		}
		page := s.get(path).expect(t, status, append(texts, "Téléphone : 01 99 00 00 00.", "finances publiques de l’Exemple</small> Espace abonné")...) // R32
		checkHTML(t, path, page)
		kept := map[bool]string{true: "no-store", false: "no-cache"}[path == "/nulle-part" || path == "/connexion" || strings.HasPrefix(path, "/activation")]
		if got := page.header.Get("Cache-Control"); got != kept {
			t.Errorf("%s: Cache-Control %q, want %q", path, got, kept)
		}
	}
	without := newSite(t)
	for _, path := range []string{"/", "/sans-certificat", "/connexion", "/aide"} {
		if page := without.get(path).expect(t, http.StatusOK); strings.Contains(page.body, `href="/certificat"`) {
			t.Errorf("%s proposes a certificate where nobody can enter with one", path)
		}
	}
}

// Every link of every page leads somewhere.
func TestLinks(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	_, proof := s.mailed(sqltest.Invitation{Contact: "contact@a.example"})
	form := full(proof, "contact@a.example")
	pages := map[string]answered{
		"identifiers": s.post(proof), "problems": s.post(with(form, "password", "x", "answer", "")), "mail": s.post(full(proof, "other@a.example")),
		"pending": s.post(proof), "welcome": s.post(form), "already": s.post(with(form, "submission", "-")), "refused": s.post(proof),
		"session": s.get("/recapitulatif.pdf"),
	}
	for _, path := range []string{"/", "/sans-certificat", "/adhesion", "/aide", "/accessibilite", "/mentions-legales", "/donnees-personnelles", "/activation"} {
		pages[path] = s.get(path)
	}
	for name, page := range pages {
		checkHTML(t, name, page)
		for _, m := range regexp.MustCompile(`(?:href|src|action)="(/[^"#]*)`).FindAllStringSubmatch(page.body, -1) {
			if got := s.get(m[1], "Cookie", pages["welcome"].cookie()); got.status != http.StatusOK {
				t.Errorf("%s: %s answers %d", name, m[1], got.status)
			}
		}
	}
}

// D5: GET and HEAD change nothing, with any link, for any client that opens it first.
func TestReadingChangesNothing(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	_, proof := s.mailed(sqltest.Invitation{Contact: "contact@a.example"})
	done, form := s.mailed(sqltest.Invitation{Contact: "done@a.example"})
	cookie := s.post(full(form, done.Contact.String())).expect(t, http.StatusOK, success).cookie()
	before := s.db.Dump(t)
	for _, path := range []string{"/", "/sans-certificat", "/adhesion", "/aide", "/activation", "/activation?" + proof.Encode(),
		"/activation?" + full(proof, "contact@a.example").Encode(), "/recapitulatif.pdf", "/healthz", "/readyz", "/nulle-part", "/static/x/style.css"} {
		for _, method := range []string{http.MethodGet, http.MethodHead} {
			got := s.do(s.request(method, path, nil, "Cookie", cookie))
			if method == http.MethodHead && got.body != "" || got.status >= 500 {
				t.Errorf("%s %s: status %d, %d bytes", method, path, got.status, len(got.body))
			}
		}
	}
	if after := s.db.Dump(t); after != before {
		t.Errorf("rows have changed\nbefore: %s\nafter: %s", before, after)
	}
}

// Over https the cookie is bound to the host, and browsers keep to https.
func TestHTTPS(t *testing.T) {
	t.Parallel()
	s := newSite(t, func(c *web.Config) {
		c.PublicURL = &url.URL{Scheme: "https", Host: "espace.example"}
		c.CertURL = &url.URL{Scheme: "https", Host: "certificat.example"}
	})
	_, proof := s.mailed(sqltest.Invitation{Contact: "contact@a.example"})
	s.post(proof, "Origin", "https://certificat.example").expect(t, http.StatusOK, askPassword)
	page := s.post(full(proof, "contact@a.example"), "Origin", "https://espace.example").expect(t, http.StatusOK, success)
	if got := page.header.Get("Set-Cookie"); !strings.HasPrefix(got, "__Host-recap=") || !strings.Contains(got, "; Secure") {
		t.Errorf("cookie %q", got)
	}
	if got := page.header.Get("Strict-Transport-Security"); got != "max-age=31536000" {
		t.Errorf("HSTS %q, want a year", got)
	}
	s.get("/recapitulatif.pdf", "Cookie", page.cookie()).expect(t, http.StatusOK)
}

// The requests that a browser with our pages would not send.
func TestMalformed(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	_, proof := s.mailed(sqltest.Invitation{Contact: "contact@a.example"})
	form := full(proof, "contact@a.example")
	const urlencoded = "application/x-www-form-urlencoded"
	for _, test := range []struct {
		name, method, path, body string
		header                   []string
		status                   int
	}{
		{"too large", "POST", "/activation", "email=" + strings.Repeat("a", 65<<10), []string{"Content-Type", urlencoded}, 413},
		{"bad escape", "POST", "/activation", "email=%zz", []string{"Content-Type", urlencoded}, 400},
		{"as many fields as can be", "POST", "/activation", strings.Repeat("a&", 31) + "email=x", []string{"Content-Type", urlencoded}, 422},
		{"one more", "POST", "/activation", strings.Repeat("a&", 32) + "email=x", []string{"Content-Type", urlencoded}, 400},
		{"JSON", "POST", "/activation", `{"email":"x"}`, []string{"Content-Type", "application/json"}, 400},
		{"empty", "POST", "/activation", "", []string{"Content-Type", urlencoded}, 400},
		{"form in the URL", "POST", "/activation?" + form.Encode(), "", []string{"Content-Type", urlencoded}, 400},
		{"half of the form in the URL", "POST", "/activation?code=" + form.Get("code"), "email=" + form.Get("email"), []string{"Content-Type", urlencoded}, 422},
		{"another site", "POST", "/activation", form.Encode(), []string{"Content-Type", urlencoded, "Sec-Fetch-Site", "cross-site"}, 403},
		{"another origin", "POST", "/activation", form.Encode(), []string{"Content-Type", urlencoded, "Origin", "https://evil.example"}, 403},
		{"PUT", "PUT", "/activation", form.Encode(), nil, 405},
		{"DELETE", "DELETE", "/", "", nil, 405},
		{"POST to a page", "POST", "/aide", "", nil, 405},
		{"invented method", "BREW", "/activation", "", nil, 405},
		{"unknown", "POST", "/nulle-part", "", nil, 404},
		{"static", "GET", "/static/x/../../web.go", "", nil, 404},
	} {
		t.Run(test.name, func(t *testing.T) {
			s.unchanged(func() {
				got := s.do(s.request(test.method, test.path, strings.NewReader(test.body), test.header...))
				checkHTML(t, test.name, got.expect(t, test.status, "Espace abonné"))
				if allow := got.header.Get("Allow"); test.status == 405 && !strings.HasPrefix(allow, "GET, HEAD") {
					t.Errorf("Allow: %q", allow)
				}
			})
		})
	}
	// A browser that knows no Sec-Fetch-Site is believed about its origin.
	s.post(form, "Origin", s.http.URL).expect(t, http.StatusOK, success)
	if got := s.get("/activation").header.Get("Referrer-Policy"); got != "same-origin" {
		t.Errorf("Referrer-Policy %q: such a browser would post \"Origin: null\"", got)
	}
}

// A setting that cannot be used stops the start and is named.
func TestNewRefuses(t *testing.T) {
	cfg := web.Config{PublicURL: &url.URL{Scheme: "https", Host: "espace.example"}, ThemeDir: filepath.Join(t.TempDir(), "missing")}
	if _, err := web.New(cfg); err == nil || !strings.Contains(err.Error(), "theme folder") {
		t.Errorf("error %v, want one about the theme folder", err)
	}
}

// D6: the pages tell the other password profile, and the lifetime of the codes, as they
// are set.
func TestSettingsShow(t *testing.T) {
	t.Parallel()
	s := newSite(t, func(c *web.Config) { c.Profile = "cnil"; c.CodeLifetime = 90 * time.Minute })
	_, proof := s.mailed(sqltest.Invitation{Contact: "contact@a.example"})
	s.get("/activation").expect(t, http.StatusOK, "Le code est valable 1 h 30", "8 h 00 à 19 h 30") // R32
	s.post(proof).expect(t, http.StatusOK, "De 12 à 64 caractères")
	s.post(full(proof, "contact@a.example")).expect(t, http.StatusOK, success)
	_, proof = s.mailed(sqltest.Invitation{Contact: "second@a.example"})
	s.post(with(full(proof, "second@a.example"), "password", "Kolibri47", "password_confirmation", "Kolibri47")).
		expect(t, http.StatusUnprocessableEntity, "12 caractères au minimum")
}

// Every link of these pages leads somewhere; forms of another site are refused.
func TestPasswordPages(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.switched(sqltest.Invitation{Contact: "contact@a.example"})
	v := s.visitor("192.0.2.1")
	pages := map[string]answered{
		"connexion": v.get("/connexion"), "oublie": v.get("/mot-de-passe-oublie"), "nouveau": v.get("/nouveau-mot-de-passe"),
		"envoye": v.submit("/mot-de-passe-oublie", trust("nobody@a.example")),
	}
	v.connect("contact@a.example").leadsTo(t, "/espace")
	pages["changer"] = v.get("/espace/mot-de-passe")
	for name, page := range pages {
		page.expect(t, http.StatusOK, "Téléphone : 01 99 00 00 00.") // R32
		checkHTML(t, name, page)
		if got := page.header.Get("Referrer-Policy"); got != "same-origin" {
			t.Errorf("%s: Referrer-Policy %q", name, got)
		}
		for _, m := range regexp.MustCompile(`(?:href|src)="(/[^"#]*)`).FindAllStringSubmatch(page.body, -1) {
			if got := v.get(m[1]); got.status != http.StatusOK && got.status != http.StatusSeeOther {
				t.Errorf("%s: %s answers %d", name, m[1], got.status)
			}
		}
	}
	for _, path := range []string{"/connexion", "/mot-de-passe-oublie", "/nouveau-mot-de-passe", "/espace/mot-de-passe"} {
		r := v.request(http.MethodPost, path, strings.NewReader("email=a"), "Content-Type", "application/x-www-form-urlencoded", "Origin", "https://evil.example")
		v.do(r).expect(t, http.StatusForbidden)
		v.submit(path, nil).expect(t, http.StatusBadRequest)
	}
}

// Without PostgreSQL there is no verdict, right or wrong: 503, and when to come back.
func TestPasswordPagesWithoutDatabase(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	r := s.switched(sqltest.Invitation{Contact: "contact@a.example"})
	v := s.visitor("192.0.2.1")
	v.submit("/mot-de-passe-oublie", trust("contact@a.example")).expect(t, http.StatusOK, perhaps)
	proof := s.mailReset(r)
	v.connect("contact@a.example").leadsTo(t, "/espace")
	s.db.DB.Close()
	for path, form := range map[string]url.Values{
		"/connexion": login("contact@a.example", password), "/mot-de-passe-oublie": trust("contact@a.example"), "/deconnexion": nil,
		"/nouveau-mot-de-passe": newPassword(proof, "Another9Secret"), "/espace/mot-de-passe": change(password, "Another9Secret"),
	} {
		page := v.submit(path, form).expect(t, http.StatusServiceUnavailable)
		if page.header.Get("Retry-After") == "" {
			t.Errorf("%s: no Retry-After", path)
		}
	}
}

// D5: GET and HEAD change nothing, whatever the link carries.
func TestReadingPasswordPagesChangesNothing(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	r := s.switched(sqltest.Invitation{Contact: "contact@a.example"})
	v := s.visitor("192.0.2.1")
	v.connect("contact@a.example").leadsTo(t, "/espace")
	v.submit("/mot-de-passe-oublie", trust("contact@a.example")).expect(t, http.StatusOK, perhaps)
	link := newPassword(s.mailReset(r), "Another9Secret").Encode()
	before := s.db.Dump(t)
	for _, path := range []string{"/connexion", "/connexion?" + login("contact@a.example", password).Encode(), "/deconnexion",
		"/mot-de-passe-oublie", "/mot-de-passe-oublie?" + trust("contact@a.example").Encode(),
		"/nouveau-mot-de-passe", "/nouveau-mot-de-passe?" + link, "/espace/mot-de-passe", "/espace/mot-de-passe?" + link} {
		for _, method := range []string{http.MethodGet, http.MethodHead} {
			if got := v.do(v.request(method, path, nil)); got.status >= 500 || got.header.Get("Set-Cookie") != "" {
				t.Errorf("%s %s: status %d, cookie %q", method, path, got.status, got.header.Get("Set-Cookie"))
			}
		}
	}
	if after := s.db.Dump(t); after != before {
		t.Errorf("rows have changed\nbefore: %s\nafter: %s", before, after)
	}
}
