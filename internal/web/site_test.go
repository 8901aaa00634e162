package web_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"bascule/internal/recap"
	"bascule/internal/web"
	"bascule/sql/sqltest"
)

// The pages that are the same for everybody: R2, R24, R32–R34 in the sheet's
// words; one language, one title, one h1, nothing inline, 15 kB at most.
func TestPages(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for path, texts := range map[string][]string{
		"/": {"Optez pour l'accès sans certificat", "Créer mon espace / adhérer aux services en ligne", "Activer votre espace",
			"il doit être installé dans votre navigateur et être valide", "d'une adresse électronique valide", // R34
			"Les quatre étapes", "irrévocable", "Vous conservez le même numéro d'abonné"}, // R33
		"/sans-certificat":    {"Vous avez reçu notre courriel", "Accéder avec mon certificat", "Opter pour l'accès sans certificat", "Contactez l'assistance"}, // R2
		"/adhesion":           {"Mode expert", "2ème étape", "Activer votre espace"},                                                                            // R24
		"/aide":               {"créer un nouvel espace", "substitutions", "délégations", "Je n'ai pas reçu le courriel"},                                       // R34
		"/activation":         {"Étape 1 sur 4", "Il ne s'agit pas ici de votre mot de passe, mais du code reçu", "Valider", "48 h"},                            // R25, R33
		"/activation?etape=3": {"Étape 3 sur 4"},
		"/nulle-part":         {"Page introuvable"},
	} {
		status := http.StatusOK
		if path == "/nulle-part" {
			status = http.StatusNotFound
		}
		page := s.get(path).expect(t, status, append(texts, "Téléphone : 01 99 00 00 00.")...) // R32
		checkHTML(t, path, page)
		kept := map[bool]string{true: "no-store", false: "no-cache"}[path == "/nulle-part" || strings.HasPrefix(path, "/activation")]
		if got := page.header.Get("Cache-Control"); got != kept {
			t.Errorf("%s: Cache-Control %q, want %q", path, got, kept)
		}
	}
}

// checkHTML checks what holds for every page.
func checkHTML(t *testing.T, name string, page answered) {
	t.Helper()
	if got := page.header.Get("Content-Type"); got != "text/html; charset=utf-8" {
		t.Errorf("%s: content type %q", name, got)
	}
	if len(page.body) > 15<<10 {
		t.Errorf("%s: %d bytes", name, len(page.body))
	}
	if !strings.Contains(page.body, `<html lang="fr">`) || strings.Count(page.body, "<h1>") != 1 {
		t.Errorf("%s: language or h1 missing", name)
	}
	if inline := regexp.MustCompile(`(?i)<script>|<style|style="| on\w+="|target=`).FindString(page.body); inline != "" {
		t.Errorf("%s: %q, which the policy forbids, or a new window (R26)", name, inline)
	}
	ids := make(map[string]bool)
	for _, m := range regexp.MustCompile(` id="([^"]*)"`).FindAllStringSubmatch(page.body, -1) {
		if ids[m[1]] {
			t.Errorf("%s: id %s stands twice", name, m[1])
		}
		ids[m[1]] = true
	}
	for _, m := range regexp.MustCompile(` (?:for|href|aria-describedby|aria-labelledby)="#?([^"/]*)"`).FindAllStringSubmatch(page.body, -1) {
		for _, id := range strings.Fields(m[1]) {
			if !ids[id] {
				t.Errorf("%s: no element has the id %q", name, id)
			}
		}
	}
	for header, want := range map[string]string{
		"Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; font-src 'self'; form-action 'self'; " +
			"base-uri 'none'; frame-ancestors 'none'",
		"X-Content-Type-Options": "nosniff", "Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Resource-Policy": "same-origin",
		"Permissions-Policy": "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()", "Referrer-Policy": "same-origin",
	} {
		if got := page.header.Get(header); got != want {
			t.Errorf("%s: %s: %q, want %q", name, header, got, want)
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
	for _, path := range []string{"/", "/sans-certificat", "/adhesion", "/aide", "/activation"} {
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

// D5: GET and HEAD change nothing, whoever opens a link first, whatever it carries.
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

// R28: the recap is served to the session of the activation alone, for 30
// minutes; before the worker has rendered it and after, the bytes are the same.
func TestRecap(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	r, proof := s.mailed(sqltest.Invitation{Number: "00AB1234", Contact: "contact@a.example"})
	page := s.post(full(proof, "Contact@a.example")).expect(t, http.StatusOK, success)
	cookie := page.header.Get("Set-Cookie")
	if !regexp.MustCompile(`^recap=[\w-]{43}; Path=/; Max-Age=1800; HttpOnly; SameSite=Lax$`).MatchString(cookie) {
		t.Errorf("cookie %q", cookie)
	}
	for _, stranger := range []string{"", "recap=", "recap=" + strings.Repeat("A", 43), "__Host-" + page.cookie()} {
		s.get("/recapitulatif.pdf", "Cookie", stranger).
			expect(t, http.StatusForbidden, "Accéder à mon espace", "Gérer mes services", "Gérer vos coordonnées") // R29
	}

	s.get("/recapitulatif.pdf", "Cookie", "espace="+strings.Repeat("A", 43)+"; "+page.cookie()).expect(t, http.StatusOK) // a space left long ago
	fresh := s.get("/recapitulatif.pdf", "Cookie", page.cookie()).expect(t, http.StatusOK)
	var facts recap.Facts
	if err := json.Unmarshal([]byte(s.db.Text(t, `SELECT facts FROM recap`)), &facts); err != nil {
		t.Fatal(err)
	}
	if facts.Email.String() != "Contact@a.example" || facts.Number != "00AB1234" || len(facts.Companies) != 1 ||
		facts.Question != "Dans quelle rue avez-vous grandi\u00a0?" || facts.PublicURL != s.http.URL || !strings.Contains(facts.Help, "01 99 00 00 00") {
		t.Errorf("frozen facts %+v", facts)
	}
	var want bytes.Buffer
	if err := recap.Write(&want, facts); err != nil {
		t.Fatal(err)
	}
	if fresh.body != want.String() {
		t.Error("the PDF is not the one of the frozen facts")
	}
	for header, want := range map[string]string{"Content-Type": "application/pdf", "Cache-Control": "private, no-store",
		"Content-Disposition": `inline; filename="recapitulatif-00AB1234.pdf"`} {
		if got := fresh.header.Get(header); got != want {
			t.Errorf("%s: %q, want %q", header, got, want)
		}
	}
	s.db.Exec(t, `UPDATE recap SET pdf = 'stored', sha256 = sha256('stored'), rendered_at = bascule_now() WHERE request_id = $1`, r.ID)
	if got := s.get("/recapitulatif.pdf", "Cookie", page.cookie()); got.body != "stored" {
		t.Errorf("rendered again although stored: %.20q", got.body)
	}
	s.db.Shift(t, 30*time.Minute)
	s.get("/recapitulatif.pdf", "Cookie", page.cookie()).expect(t, http.StatusForbidden)
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

// What a browser with our pages would not send.
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

// Ten failures for one address from one network, and it must wait; the same
// subscriber elsewhere need not. The wait ends by itself.
func TestThrottleByAddress(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	_, proof := s.mailed(sqltest.Invitation{Contact: "contact@a.example"})
	wrong, start := with(proof, "code", "0000-0000-0000"), time.Now()
	s.db.Freeze(t, start)
	const attacker, subscriber = "192.0.2.1", "192.0.2.2"
	for range 10 {
		s.post(wrong, "X-Forwarded-For", attacker).expect(t, http.StatusUnprocessableEntity, refused)
	}
	s.unchanged(func() {
		page := s.post(proof, "X-Forwarded-For", attacker).expect(t, http.StatusTooManyRequests, "Trop d'essais infructueux", "3 minutes")
		if got := page.header.Get("Retry-After"); got != "180" {
			t.Errorf("Retry-After %q, want 180", got)
		}
		checkHTML(t, "429", page)
	})
	s.post(proof, "X-Forwarded-For", "10.0.0.1, "+attacker).expect(t, http.StatusTooManyRequests)
	s.post(with(wrong, "email", "x@a.example"), "X-Forwarded-For", attacker).expect(t, http.StatusUnprocessableEntity)
	s.post(proof, "X-Forwarded-For", subscriber).expect(t, http.StatusOK, askPassword)
	s.db.Freeze(t, start.Add(3*time.Minute))
	s.post(proof, "X-Forwarded-For", attacker).expect(t, http.StatusOK, askPassword)
	if text := s.db.Dump(t); strings.Contains(text, attacker) {
		t.Error("the database holds a network address (I6)")
	}
}

// Sixty failures from one network whatever the addresses, an IPv6 line being
// its /64; successes never count, however many.
func TestThrottleByClient(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	_, proof := s.mailed(sqltest.Invitation{Contact: "contact@a.example"})
	s.db.Freeze(t, time.Now())
	for range 3 {
		s.post(proof, "X-Forwarded-For", "2001:db8::1").expect(t, http.StatusOK, askPassword)
	}
	if n := s.db.Text(t, `SELECT count(*) FROM throttle`); n != "0" {
		t.Errorf("%s buckets filled by successes", n)
	}
	s.fill(57, 5*time.Second, "activation client", "2001:db8::/64") // of 60
	for i := range 3 {
		s.post(with(proof, "email", fmt.Sprintf("x%d@a.example", i)), "X-Forwarded-For", fmt.Sprintf("2001:db8::%x", i)).
			expect(t, http.StatusUnprocessableEntity, refused)
	}
	s.post(proof, "X-Forwarded-For", "2001:db8::ffff:1").expect(t, http.StatusTooManyRequests)
	s.post(proof, "X-Forwarded-For", "2001:db8:0:1::1").expect(t, http.StatusOK)
}

// Static files are kept for ever under their version, and for no time under
// another one; a theme replaces and adds files.
func TestStaticAndTheme(t *testing.T) {
	t.Parallel()
	theme := t.TempDir()
	for name, content := range map[string]string{"style.css": "body{color:teal}", "logo.svg": "<svg/>", "fonts/a.woff2": "font",
		"fonts/b.woff": "x", "a.png": "x", "a.jpg": "x", "a.jpeg": "x", "a.gif": "x", "a.webp": "x", "favicon.ico": "x", "extra.js": "x",
		".hidden": "no", ".hidden.css": "no", ".git/style.css": "no", "backup.sql": "no", "style.css~": "no", "style.css.bak": "no",
		"key.pem": "no", "page.html": "no", "README": "no"} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(theme, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(theme, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("style.css", filepath.Join(theme, "linked.css")); err != nil {
		t.Fatal(err)
	}
	s := newSite(t, func(c *web.Config) { c.ThemeDir = theme })
	page := s.get("/").body
	css := regexp.MustCompile(`href="(/static/[0-9a-f]{16}/)style\.css"`).FindStringSubmatch(page)
	if css == nil || !strings.Contains(page, "logo.svg") {
		t.Fatalf("no versioned style sheet, or no logo:\n%s", page)
	}
	got := s.get(css[1]+"style.css").expect(t, http.StatusOK, "color:teal")
	if got.header.Get("Cache-Control") != "public, max-age=31536000, immutable" || got.header.Get("Content-Type") != "text/css; charset=utf-8" {
		t.Errorf("headers %v", got.header)
	}
	if got := s.get("/static/0000000000000000/style.css"); got.status != http.StatusOK || got.header.Get("Cache-Control") != "no-cache" {
		t.Errorf("another version: status %d, %s", got.status, got.header.Get("Cache-Control"))
	}
	s.get(css[1]+"fonts/a.woff2").expect(t, http.StatusOK, "font")
	s.get(css[1]+"linked.css").expect(t, http.StatusOK, "color:teal") // within the folder
	for name, want := range map[string]string{"fonts/a.woff2": "font/woff2", "fonts/b.woff": "font/woff", "a.png": "image/png", "a.jpg": "image/jpeg",
		"a.jpeg": "image/jpeg", "a.gif": "image/gif", "a.webp": "image/webp", "favicon.ico": "image/x-icon", "logo.svg": "image/svg+xml",
		"extra.js": "text/javascript; charset=utf-8"} {
		if got := s.get(css[1]+name).expect(t, http.StatusOK); got.header.Get("Content-Type") != want {
			t.Errorf("%s is served as %s, want %s", name, got.header.Get("Content-Type"), want)
		}
	}
	s.get(css[1]+"page.js").expect(t, http.StatusOK, "fillFromFragment")
	for _, name := range []string{".hidden", ".hidden.css", ".git/style.css", "backup.sql", "style.css~", "style.css.bak", "key.pem", "page.html", "README", "../web.go"} {
		s.get(css[1]+name).expect(t, http.StatusNotFound)
	}
	if built := regexp.MustCompile(`/static/([0-9a-f]{16})/`).FindStringSubmatch(newSite(t).get("/").body); strings.Contains(css[1], built[1]) {
		t.Error("the theme does not change the version")
	}
}

// A theme leads nowhere else: a link out of the folder, however it is written, is
// refused at the start, by name, and so is what is no file of a page's size.
func TestThemeStaysInItsFolder(t *testing.T) {
	t.Parallel()
	outside := t.TempDir()
	secret := filepath.Join(outside, "secret.css")
	if err := os.WriteFile(secret, []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, put := range map[string]func(theme string) error{
		"link to a file": func(theme string) error { return os.Symlink(secret, filepath.Join(theme, "a.css")) },
		"relative link": func(theme string) error {
			return os.Symlink("../"+filepath.Base(outside)+"/secret.css", filepath.Join(theme, "a.css"))
		},
		"link to a device": func(theme string) error { return os.Symlink("/dev/zero", filepath.Join(theme, "a.css")) },
		"link to a folder": func(theme string) error { return os.Symlink(outside, filepath.Join(theme, "a.css")) },
		"pipe":             func(theme string) error { return syscall.Mkfifo(filepath.Join(theme, "a.css"), 0o600) },
		"larger than a page has": func(theme string) error {
			return os.WriteFile(filepath.Join(theme, "a.css"), []byte(strings.Repeat("a", 5<<20)), 0o600)
		},
	} {
		theme := t.TempDir()
		if err := put(theme); err != nil {
			t.Fatal(err)
		}
		_, err := web.New(web.Config{PublicURL: &url.URL{Scheme: "https", Host: "espace.example"}, ThemeDir: theme})
		if err == nil || !strings.Contains(err.Error(), "theme folder: ") || !strings.Contains(err.Error(), "a.css") {
			t.Errorf("%s: error %v, want one that names a.css", name, err)
		}
	}
	theme := t.TempDir()
	if err := os.Symlink(outside, filepath.Join(theme, "more")); err != nil {
		t.Fatal(err)
	}
	s := newSite(t, func(c *web.Config) { c.ThemeDir = theme })
	css := regexp.MustCompile(`href="(/static/[0-9a-f]{16}/)style\.css"`).FindStringSubmatch(s.get("/").body)
	s.get(css[1]+"more/secret.css").expect(t, http.StatusNotFound)
}

// A setting that cannot be used stops the start and is named.
func TestNewRefuses(t *testing.T) {
	good := &url.URL{Scheme: "https", Host: "espace.example"}
	for want, cfg := range map[string]web.Config{
		"public URL":          {},
		"public URL: ":        {PublicURL: &url.URL{Scheme: "https", Host: "espace.example", Path: "/sub"}},
		"a host are needed":   {PublicURL: &url.URL{Scheme: "https"}},
		"http:// or https://": {PublicURL: &url.URL{Scheme: "ftp", Host: "espace.example"}},
		"for certificates: ":  {PublicURL: good, CertURL: &url.URL{Scheme: "https", Host: "espace.example", Path: "/sub"}},
		"theme folder":        {PublicURL: good, ThemeDir: filepath.Join(t.TempDir(), "missing")},
	} {
		if _, err := web.New(cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one about the %s", err, want)
		}
	}
}

// Without PostgreSQL the server is alive, not ready, and says so to subscribers
// without losing their trust: 503, and when to come back.
func TestWithoutDatabase(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	_, proof := s.mailed(sqltest.Invitation{Contact: "contact@a.example"})
	s.get("/readyz").expect(t, http.StatusOK)
	s.pages.Close()
	s.get("/healthz").expect(t, http.StatusOK)
	s.get("/readyz").expect(t, http.StatusServiceUnavailable)
	page := s.post(full(proof, "contact@a.example")).expect(t, http.StatusServiceUnavailable, "Service momentanément indisponible")
	if page.header.Get("Retry-After") == "" || !strings.Contains(s.log.String(), "request failed") {
		t.Errorf("Retry-After %q, log %s", page.header.Get("Retry-After"), s.log)
	}
}

// A PostgreSQL that is frozen takes bytes and answers none: the server calls
// itself out of service all the same, in time.
func TestFrozenDatabase(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.get("/readyz").expect(t, http.StatusOK)
	backends := s.db.Text(t, `SELECT string_agg(pid::text, ' ') FROM pg_stat_activity WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()`)
	signalAll := func(signal syscall.Signal) {
		for pid := range strings.FieldsSeq(backends) {
			n, err := strconv.Atoi(pid)
			if err == nil {
				err = syscall.Kill(n, signal)
			}
			if err != nil {
				t.Errorf("backend %s: %v", pid, err)
			}
		}
	}
	signalAll(syscall.SIGSTOP)
	defer signalAll(syscall.SIGCONT)
	besieged := make(chan string, 1)
	go func() { besieged <- s.metric("bascule_besieged_spaces") }()
	answer := httptest.NewRecorder()
	if err := s.server.Ready(answer); err != nil || answer.Code != http.StatusServiceUnavailable {
		t.Errorf("status %d, %v", answer.Code, err)
	}
	if got := <-besieged; got != "NaN" {
		t.Errorf("%s besieged spaces, want NaN", got)
	}
	s.get("/healthz").expect(t, http.StatusOK)
}

// The metrics count by route and outcome, and name nobody (I6).
func TestMetrics(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	_, proof := s.mailed(sqltest.Invitation{Contact: "contact@a.example"})
	s.post(with(proof, "code", "0000-0000-0000"))
	s.post(full(proof, "contact@a.example"))
	s.get("/nulle-part?contact@a.example")
	s.do(s.request("BREW", "/", nil))
	for name, want := range map[string]string{
		`bascule_activation_submissions_total{outcome="activated"}`:                   "1",
		`bascule_activation_submissions_total{outcome="refused"}`:                     "1",
		`bascule_http_requests_total{method="POST",route="/activation",status="422"}`: "1",
		`bascule_http_requests_total{method="GET",route="none",status="404"}`:         "1",
		`bascule_http_requests_total{method="other",route="/",status="405"}`:          "1",
		"bascule_hashing_seconds_count":                                               "1",
		"bascule_hashing_queue":                                                       "0",
		"bascule_hashing_slots_used":                                                  "0",
	} {
		if got := s.metric(name); got != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
	w := httptest.NewRecorder()
	s.server.Metrics().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	if strings.Contains(w.Body.String(), "@") {
		t.Errorf("an address:\n%s", w.Body)
	}
}

// D6: the other password profile, and the lifetime of the codes, are told as set.
func TestSettingsShow(t *testing.T) {
	t.Parallel()
	s := newSite(t, func(c *web.Config) { c.Profile = "cnil"; c.CodeLifetime = 90 * time.Minute; c.Help = " " })
	_, proof := s.mailed(sqltest.Invitation{Contact: "contact@a.example"})
	s.get("/activation").expect(t, http.StatusOK, "Le code est valable 1 h 30", "8 h 00 à 19 h 30") // R32
	s.post(proof).expect(t, http.StatusOK, "12 caractères au minimum et 64 au maximum")
	s.post(full(proof, "contact@a.example")).expect(t, http.StatusOK, success)
	_, proof = s.mailed(sqltest.Invitation{Contact: "second@a.example"})
	s.post(with(full(proof, "second@a.example"), "password", "Kolibri47", "password_confirmation", "Kolibri47")).
		expect(t, http.StatusUnprocessableEntity, "12 caractères au minimum")
}

// No form makes the server fail, and none that lacks the right code gets past
// the first screen.
func FuzzActivation(f *testing.F) {
	s := newSite(f)
	_, proof := s.mailed(sqltest.Invitation{Contact: "contact@a.example"})
	f.Add(proof.Encode())
	f.Add(full(proof, "contact@a.example").Encode())
	f.Add("email=%00&code=\xff&submission=x")
	handler := s.server.Handler()
	n := 0
	f.Fuzz(func(t *testing.T, body string) {
		if strings.Contains(body, proof.Get("code")) {
			return
		}
		n++
		request := httptest.NewRequest(http.MethodPost, "/activation", strings.NewReader(body))
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		request.RemoteAddr = fmt.Sprintf("198.51.%d.%d:1", n/250%250, n%250)
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, request)
		switch w.Code {
		case http.StatusUnprocessableEntity, http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusTooManyRequests:
		default:
			t.Errorf("status %d\n%s", w.Code, w.Body)
		}
	})
}
