package web_test

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"regexp"
	"runtime/debug"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"bascule/internal/conversion"
	"bascule/internal/devenv/devtest"
	"bascule/internal/web"
	"bascule/sql"
	"bascule/sql/sqltest"
)

// Each hash leaves 19 MiB behind: collected less often, the tests take a sixth less
// processor time.
func TestMain(m *testing.M) {
	debug.SetGCPercent(400)
	devtest.Main(m)
}

// The values that subscribers type in these tests.
const (
	password = "Kolibri47Zenith"
	answer   = "Rue des Tanneurs"
)

// site is a server of the pages on a database of its own.
type site struct {
	t      testing.TB
	db     *sqltest.DB
	keys   *conversion.Keyring
	server *web.Server
	http   *httptest.Server
	log    *logBook
}

// newSite starts a site. When the test ends, its log must hold nothing personal.
func newSite(t testing.TB, change ...func(*web.Config)) *site {
	t.Helper()
	s := &site{t: t, db: sqltest.OpenPages(t), keys: sqltest.Keys(t), log: &logBook{}}
	s.http = httptest.NewUnstartedServer(nil)
	cfg := web.Config{
		DB: s.db.DB, Keys: s.keys,
		PublicURL:      &url.URL{Scheme: "http", Host: s.http.Listener.Addr().String()},
		Administration: conversion.Administration{Name: "Direction départementale des finances publiques de l’Exemple", Short: "DDFiP Exemple"},
		Help:           "Du lundi au vendredi, de 8 h 00 à 19 h 30.\nTéléphone : 01 99 00 00 00.",
		TrustedProxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")},
		CodeLifetime:   conversion.DefaultCodeLifetime,
		Log:            slog.New(slog.NewTextHandler(s.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	for _, f := range change {
		f(&cfg)
	}
	server, err := web.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	s.server = server
	s.http.Config.Handler = server.Handler()
	s.http.Start()
	t.Cleanup(func() {
		s.http.Close()
		s.log.check(t)
	})
	return s
}

// logBook keeps all that a site logs.
type logBook struct {
	devtest.Log
	mu      sync.Mutex // of what follows
	secrets []string
}

// check is I6: no address, network address, code, password or answer in any line.
func (l *logBook) check(t testing.TB) {
	text := l.String()
	for _, secret := range append(l.secrets, "@", "127.0.0.1", "192.0.2.", password, answer, "recap=") {
		if strings.Contains(strings.ToLower(text), strings.ToLower(secret)) {
			t.Errorf("the log holds %q:\n%s", secret, text)
		}
	}
}

// mailed adds a space whose code has been mailed to its contact address.
func (s *site) mailed(in sqltest.Invitation) (sqltest.Request, url.Values) {
	s.t.Helper()
	r, code := s.db.Mailed(s.t, s.keys, in)
	return r, s.proof(r.Contact.String(), code)
}

// mailAgain mails the present code of a request.
func (s *site) mailAgain(r sqltest.Request) url.Values {
	s.t.Helper()
	email, code := s.db.Mail(s.t, s.keys, r.ID)
	return s.proof(email.String(), code)
}

func (s *site) proof(email string, code conversion.Code) url.Values {
	s.log.mu.Lock()
	defer s.log.mu.Unlock()
	s.log.secrets = append(s.log.secrets, code.String(), strings.ReplaceAll(code.String(), "-", ""))
	return url.Values{"email": {email}, "code": {code.String()}}
}

// with is a copy of the form with other values; a value of "-" takes the field out.
func with(form url.Values, pairs ...string) url.Values {
	out := url.Values{}
	for k, v := range form {
		out[k] = v
	}
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] == "-" {
			out.Del(pairs[i])
			continue
		}
		out.Set(pairs[i], pairs[i+1])
	}
	return out
}

// full is the form of the second screen, filled in with the address.
func full(proof url.Values, email string) url.Values {
	return with(proof, "new_email", email, "new_email_confirmation", email, "password", password,
		"password_confirmation", password, "question", "enfance-rue", "answer", answer, "consent", "oui",
		"submission", fmt.Sprintf("00000000-0000-4000-8000-%012x", len(email)))
}

// answered is what came back.
type answered struct {
	status int
	body   string
	header http.Header
}

func (s *site) post(form url.Values, header ...string) answered {
	s.t.Helper()
	return s.do(s.request(http.MethodPost, "/activation", strings.NewReader(form.Encode()), append(header,
		"Content-Type", "application/x-www-form-urlencoded")...))
}

func (s *site) get(path string, header ...string) answered {
	s.t.Helper()
	return s.do(s.request(http.MethodGet, path, nil, header...))
}

func (s *site) request(method, path string, body io.Reader, header ...string) *http.Request {
	s.t.Helper()
	r, err := http.NewRequest(method, s.http.URL+path, body)
	if err != nil {
		s.t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	return r
}

// do may be called by any goroutine of a test.
func (s *site) do(r *http.Request) answered {
	resp, err := s.http.Client().Do(r)
	if err != nil {
		s.t.Error(err)
		return answered{}
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Error(err)
	}
	return answered{resp.StatusCode, string(body), resp.Header}
}

// expect checks the status, and that the page says each of the texts.
func (a answered) expect(t testing.TB, status int, texts ...string) answered {
	t.Helper()
	if a.status != status {
		t.Errorf("status %d, want %d\n%s", a.status, status, text(a.body))
	}
	said := text(a.body)
	for _, want := range texts {
		if !strings.Contains(said, text(want)) {
			t.Errorf("the page does not say %q:\n%s", want, said)
		}
	}
	return a
}

// metric is the value of a line of the metrics.
func (s *site) metric(name string) string {
	s.t.Helper()
	w := httptest.NewRecorder()
	s.server.Metrics().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	for line := range strings.Lines(w.Body.String()) {
		if value, ok := strings.CutPrefix(line, name+" "); ok {
			return strings.TrimSpace(value)
		}
	}
	s.t.Fatalf("no metric %s", name)
	return ""
}

// hashed proves how many submissions have been hashed so far (I8).
func (s *site) hashed(want string) {
	s.t.Helper()
	if got := s.metric("bascule_hashing_seconds_count"); got != want {
		s.t.Errorf("%s submissions were hashed, want %s", got, want)
	}
}

// text is what a page says, blanks made plain.
func text(body string) string {
	words := strings.Split(body, "<")
	for i, tagged := range words[1:] {
		_, words[i+1], _ = strings.Cut(tagged, ">")
	}
	return strings.Join(strings.Fields(characters.Replace(strings.Join(words, ""))), " ")
}

var characters = strings.NewReplacer("&nbsp;", " ", "&#39;", "'", "&#43;", "+", "&amp;", "&", "&gt;", ">")

// title is the page's <title>.
func (a answered) title() string {
	m := regexp.MustCompile(`<title>(.*?)</title>`).FindStringSubmatch(a.body)
	return text(cmp.Or(strings.Join(m, "|"), "none"))
}

// field is the value of a field of the page.
func (a answered) field(name string) string {
	m := regexp.MustCompile(`<input[^>]* name="` + name + `"[^>]* value="([^"]*)"`).FindStringSubmatch(a.body)
	if m == nil {
		return ""
	}
	return strings.NewReplacer("&#43;", "+", "&#39;", "'").Replace(m[1])
}

// cookie is the session's.
func (a answered) cookie() string {
	c, _, _ := strings.Cut(a.header.Get("Set-Cookie"), ";")
	return c
}

const (
	success     = "Votre espace avec certificat a bien été transformé en espace sans certificat. Vous conservez le même numéro d’abonné."
	refused     = "Cette adresse et ce code n’ouvrent aucun espace"
	late        = "Le délai est dépassé"
	already     = "Votre espace est déjà sans certificat"
	taken       = "Cette adresse sert maintenant à un autre espace"
	askPassword = "Choisir vos identifiants"
	mailSent    = "Un courriel contenant un code d’activation vous est envoyé à l’adresse électronique que vous avez choisie"
)

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
	if value := regexp.MustCompile(`\[\{|map\[|%!`).FindString(page.body); value != "" {
		t.Errorf("%s: %q begins a value of the program, not a text", name, value)
	}
	ids := make(map[string]bool)
	for _, m := range regexp.MustCompile(` id="([^"]*)"`).FindAllStringSubmatch(page.body, -1) {
		if ids[m[1]] {
			t.Errorf("%s: id %s stands twice", name, m[1])
		}
		ids[m[1]] = true
	}
	for _, m := range regexp.MustCompile(` (?:for|href|aria-describedby|aria-labelledby)="#?([^"/:]*)"`).FindAllStringSubmatch(page.body, -1) {
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

// together calls f n times at once, and waits.
func (s *site) together(n int, f func(i int)) {
	done := make(chan struct{}, n)
	for i := range n {
		go func() { defer func() { done <- struct{}{} }(); f(i) }()
	}
	for range n {
		<-done
	}
}

// opted is the form of the identifiers in the space.
func opted(email string) url.Values { return full(url.Values{}, email) }

// trust is the form for a forgotten password, with the question and answer of the
// tests.
func trust(email string) url.Values {
	return url.Values{"email": {email}, "question": {"enfance-rue"}, "answer": {answer}}
}

// mailReset does to the latest reset of a space what a worker does, and returns
// what its mail says.
func (s *site) mailReset(r sqltest.Request) url.Values {
	s.t.Helper()
	email := s.db.Text(s.t, `SELECT s.email FROM space s JOIN request r ON r.space_id = s.id WHERE r.id = $1`, r.ID)
	_, code := s.db.MailReset(s.t, s.keys, email)
	return s.proof(email, code)
}

// newPassword is the form of /nouveau-mot-de-passe.
func newPassword(proof url.Values, secret string) url.Values {
	return with(proof, "password", secret, "password_confirmation", secret)
}

// change is the form of /espace/mot-de-passe.
func change(current, next string) url.Values {
	return newPassword(url.Values{"current": {current}}, next)
}

// asked has a code for a new password mailed to a space.
func (s *site) asked(r sqltest.Request) url.Values {
	s.t.Helper()
	n := s.resets()
	s.visitor("192.0.2.99").submit("/mot-de-passe-oublie", trust(r.Contact.String())).expect(s.t, http.StatusOK, perhaps)
	if s.resets() == n {
		s.t.Fatal("no mail was asked for")
	}
	return s.mailReset(r)
}

// network is the nth of many.
func network(n int) string { return fmt.Sprintf("198.51.%d.%d", n/250, n%250+1) }

const perhaps = "Si ces informations concordent, un courriel part à l’adresse électronique indiquée."

const resetRefused = "Cette adresse et ce code ne permettent pas de choisir un mot de passe."

const (
	notOpened = "Cette adresse et ce mot de passe n’ouvrent aucun espace."
	slowDown  = "Trop d’essais."
)

// switched adds a password space; password and answer are those of the tests. Their
// hashes are cheap ones, so that it costs next to nothing to guess at them.
func (s *site) switched(in sqltest.Invitation) sqltest.Request {
	s.t.Helper()
	r, _ := s.mailed(in)
	err := s.db.Activate(s.t.Context(), sql.Activation{
		Submission: sql.Submission{Request: r.ID, Generation: 1, ID: uuid.NewString(), Email: r.Contact, Credentials: func() (sql.Credentials, error) {
			return sql.Credentials{Password: "$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$eHlRIZdVx0swAPbUjtZDwA",
				Question: "enfance-rue", Answer: "$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$Ve3bYv0RDIPRu1bDdHVqkA"}, nil
		}},
		Facts:       func(conversion.Space, conversion.TrustQuestion, time.Time) ([]byte, error) { return []byte("{}"), nil },
		SessionHash: sha256.Sum256([]byte(r.Number)),
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return r
}
