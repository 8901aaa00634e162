package web

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"bascule/internal/admission"
	"bascule/internal/conversion"
	"bascule/sql/sqltest"
)

// I8: a request beyond those that are answered at once gets a page of ours that says
// when to come back. The process is alive all the same.
func TestAdmit(t *testing.T) {
	s, err := New(Config{PublicURL: &url.URL{Scheme: "http", Host: "espace.example"}, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	get := func(path string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		s.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		return w
	}
	var release func()
	for range maxRequests {
		if release, err = s.requests.Acquire(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if w := get("/"); w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" || !strings.Contains(w.Body.String(), "<h1>") {
		t.Errorf("one too many: status %d, Retry-After %q", w.Code, w.Header().Get("Retry-After"))
	}
	if w := get("/healthz"); w.Code != http.StatusOK {
		t.Errorf("alive: status %d", w.Code)
	}
	operator := httptest.NewRecorder() // beside the metrics, where no subscriber comes
	s.Metrics().ServeHTTP(operator, httptest.NewRequest(http.MethodGet, "/healthz", nil))
	if operator.Code != http.StatusOK || operator.Body.String() != "ok\n" {
		t.Errorf("alive, beside the metrics: status %d, %q", operator.Code, operator.Body)
	}
	release()
	for range 3 { // each gives its place back
		if w := get("/"); w.Code != http.StatusOK {
			t.Errorf("a place is free: status %d", w.Code)
		}
	}
}

// I8: a client whose forms do not arrive has half of the places. Others find room, also
// behind a proxy or on other connections of HTTP/2.
func TestAdmitEachClient(t *testing.T) {
	s, err := New(Config{PublicURL: &url.URL{Scheme: "http", Host: "espace.example"}, Log: slog.New(slog.DiscardHandler),
		TrustedProxies: admission.Proxies{netip.MustParsePrefix("192.0.2.0/24")}})
	if err != nil {
		t.Fatal(err)
	}
	h := s.Handler()
	from := func(addr string, method string, body io.Reader) *httptest.ResponseRecorder {
		w, r := httptest.NewRecorder(), httptest.NewRequest(method, "/connexion", body)
		r.Header.Set("X-Forwarded-For", addr)
		h.ServeHTTP(w, r)
		return w
	}
	slow, arrives := io.Pipe()
	var held sync.WaitGroup
	t.Cleanup(func() { arrives.Close(); held.Wait() })
	for range maxRequests / 2 {
		held.Go(func() { from("198.51.100.1", http.MethodPost, slow) })
	}
	for s.requests.InUse() < maxRequests/2 {
		runtime.Gosched()
	}
	if w := from("198.51.100.1", http.MethodGet, nil); w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" {
		t.Errorf("one too many of a client: status %d, Retry-After %q", w.Code, w.Header().Get("Retry-After"))
	}
	if w := from("198.51.100.2", http.MethodGet, nil); w.Code != http.StatusOK {
		t.Errorf("another client: status %d", w.Code)
	}
	arrives.Close()
	held.Wait()
	if w := from("198.51.100.1", http.MethodGet, nil); w.Code != http.StatusOK {
		t.Errorf("room is made: status %d", w.Code)
	}
}

// R31: an answer leaves on a whole beat, however long the work took. The server does
// not wait for a client that has gone.
func TestOnTheBeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for work, want := range map[time.Duration]time.Duration{0: beat, 1: beat, beat - 1: beat, beat + 1: 2 * beat} {
			start := time.Now()
			<-time.After(work)
			onTheBeat(t.Context(), start)
			if took := time.Since(start); took != want {
				t.Errorf("after %s of work: %s, want %s", work, took, want)
			}
		}
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		start := time.Now()
		if onTheBeat(gone, start); time.Since(start) != 0 {
			t.Errorf("waited %s for who has gone", time.Since(start))
		}
	})
}

// R7: a site has one way for certificates. If proxies show them, one in the handshake
// is the proxy's own, or comes from a client that has gone round it.
func TestShownInOneWay(t *testing.T) {
	shown := &x509.Certificate{Raw: []byte{1}}
	for name, test := range map[string]struct {
		proxies string
		tls     *tls.ConnectionState
		want    *x509.Certificate
	}{
		"handshake":                  {"", &tls.ConnectionState{PeerCertificates: []*x509.Certificate{shown}}, shown},
		"handshake without any":      {"", &tls.ConnectionState{}, nil},
		"in clear":                   {"", nil, nil},
		"handshake of a proxy":       {"192.0.2.1/32", &tls.ConnectionState{PeerCertificates: []*x509.Certificate{shown}}, nil},
		"handshake beside the proxy": {"192.0.2.2/32", &tls.ConnectionState{PeerCertificates: []*x509.Certificate{shown}}, nil},
	} {
		s := &Server{}
		if test.proxies != "" {
			s.cfg.CertProxies = admission.Proxies{netip.MustParsePrefix(test.proxies)}
		}
		if got, err := s.shown(&http.Request{RemoteAddr: "192.0.2.1:443", TLS: test.tls}); err != nil || got != test.want {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
}

// R10: the pages of the companies found lead to each other, and to a company and back.
func TestHomePageLinks(t *testing.T) {
	for _, test := range []struct {
		page           spacePage
		previous, next int
		company        string
	}{
		{spacePage{Page: 1, Pages: 1}, 0, 0, "/espace?page=1&dossier=123456789#dossier"},
		{spacePage{Page: 1, Pages: 3, Search: "a b"}, 0, 2, "/espace?page=1&recherche=a+b&dossier=123456789#dossier"},
		{spacePage{Page: 3, Pages: 3}, 2, 0, "/espace?page=3&dossier=123456789#dossier"},
	} {
		p := test.page
		if got := p.Company(conversion.Company{SIREN: "123456789"}); p.Previous() != test.previous || p.Next() != test.next || got != test.company {
			t.Errorf("page %d of %d: between %d and %d, company %s", p.Page, p.Pages, p.Previous(), p.Next(), got)
		}
	}
}

// R6, R22: the text about an address that cannot be chosen, with the end of the delay
// if there is one; of any other error, nothing.
func TestRefusedAddress(t *testing.T) {
	until := time.Date(2026, 11, 24, 17, 0, 0, 0, time.UTC)
	for _, test := range []struct {
		err  error
		want string
	}{
		{nil, ""}, {conversion.ErrNotFound, ""},
		{conversion.ErrAddressTaken, addressTaken}, {errTakenAlready, addressTakenAlready},
		{conversion.ErrAddressReserved, addressReserved}, {&conversion.ReservedError{}, addressReserved},
		{&conversion.ReservedError{Until: until}, addressReserved + " Son délai se termine le " + conversion.FrenchTime(until) + " (heure de Paris)."},
		{conversion.ErrTooManyAddresses, addressTooMany},
	} {
		if got := refusedAddress(test.err); got != test.want {
			t.Errorf("%v: %q, want %q", test.err, got, test.want)
		}
	}
}

// R13-R18: every refusal of the domain is a problem of the field, even one without a
// French text.
func TestParseNotes(t *testing.T) {
	var wrong problems
	parse(&wrong, url.Values{}, "email", func(string) (string, error) { return "", nil })
	parse(&wrong, url.Values{}, "code", func(string) (string, error) { return "", errors.New("unheard of") })
	if len(wrong) != 1 || wrong.Of("code") == nil {
		t.Errorf("problems %v, want one of the code", wrong)
	}
}

// I8: the work for a request is bounded in time, its form in size. A client that has
// gone leaves no error behind, and neither does a client's fault.
func TestDispatchBounds(t *testing.T) {
	var log bytes.Buffer
	s, err := New(Config{PublicURL: &url.URL{Scheme: "http", Host: "localhost"}, Log: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	serve := func(ctx context.Context, h handler) {
		r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/activation", strings.NewReader(strings.Repeat("a", maxBody+1)))
		s.dispatch(route{get: h}).ServeHTTP(httptest.NewRecorder(), r)
	}
	serve(t.Context(), func(_ http.ResponseWriter, r *http.Request) error {
		if end, ok := r.Context().Deadline(); !ok || time.Until(end) > requestPatience {
			t.Errorf("the work ends at %s", end)
		}
		var tooLarge *http.MaxBytesError
		if n, err := io.Copy(io.Discard, r.Body); !errors.As(err, &tooLarge) || n != maxBody {
			t.Errorf("read %d bytes, %v", n, err)
		}
		return failure{status: http.StatusForbidden, cause: errors.New("of another site")}
	})
	broken := func(http.ResponseWriter, *http.Request) error { return errors.New("broken") }
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	serve(gone, broken)
	if log.Len() != 0 {
		t.Errorf("logged %s", &log)
	}
	if serve(t.Context(), broken); !strings.Contains(log.String(), "request failed") {
		t.Errorf("a fault of ours is not logged: %s", &log)
	}
	for route, want := range map[string]slog.Level{"/healthz": slog.LevelDebug, "/readyz": slog.LevelDebug, "/static/{version}/{file...}": slog.LevelDebug, "/espace": slog.LevelInfo} {
		if got := logLevel(route); got != want {
			t.Errorf("%s is logged at %s, want %s", route, got, want)
		}
	}
}

// A panic becomes a page, and a log line with the place but not the value (I6). An
// answer before it stays as it is.
func TestPanic(t *testing.T) {
	var log bytes.Buffer
	s, err := New(Config{PublicURL: &url.URL{Scheme: "http", Host: "localhost"}, Log: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/activation", s.dispatch(route{get: func(http.ResponseWriter, *http.Request) error {
		panic("contact@a.example")
	}}))
	w := httptest.NewRecorder()
	s.observe(s.secured(mux)).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/activation", nil))
	if w.Code != http.StatusInternalServerError || !strings.Contains(w.Body.String(), "Service momentanément indisponible") {
		t.Errorf("status %d\n%s", w.Code, w.Body)
	}
	mux.Handle("/half", s.dispatch(route{get: func(w http.ResponseWriter, _ *http.Request) error {
		w.WriteHeader(http.StatusTeapot)
		panic("contact@a.example")
	}}))
	w = httptest.NewRecorder()
	s.observe(s.secured(mux)).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/half", nil))
	if w.Code != http.StatusTeapot || w.Body.Len() != 0 {
		t.Errorf("half an answer: status %d\n%s", w.Code, w.Body)
	}
	if !strings.Contains(log.String(), "internal_test.go") || !strings.Contains(log.String(), "route=/activation") || strings.Contains(log.String(), "a.example") {
		t.Errorf("log: %s", &log)
	}
}

// R21: the pages tell a lifetime as people do, and a wait never shorter than it is.
func TestFrenchWait(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "", time.Millisecond: "une seconde", time.Second: "une seconde", 1001 * time.Millisecond: "2\u00a0secondes", 2 * time.Second: "2\u00a0secondes", time.Minute: "une minute",
		61 * time.Second: "2\u00a0minutes", 3 * time.Minute: "3\u00a0minutes",
	} {
		if got := frenchWait(d); got != want {
			t.Errorf("%s: %q, want %q", d, got, want)
		}
	}
	for d, want := range map[time.Duration]string{
		48 * time.Hour: "48\u00a0heures", 71 * time.Hour: "71\u00a0heures", 72 * time.Hour: "3\u00a0jours", 60 * 24 * time.Hour: "60\u00a0jours", 73 * time.Hour: "73\u00a0heures", time.Hour: "1\u00a0heure", 90 * time.Minute: "1\u00a0h\u00a030", 5 * time.Minute: "5\u00a0minutes", time.Second: "1\u00a0minute",
	} {
		if got := frenchDuration(d); got != want {
			t.Errorf("%s: %q, want %q", d, got, want)
		}
	}
}

// R14, D6: what different keyboards type for the same password is the same, twice too.
func TestPasswordTwice(t *testing.T) {
	form := url.Values{"password": {"un été à Noël"}, "password_confirmation": {"un e\u0301te\u0301 a\u0300 Noe\u0308l"}}
	if _, wrong := parseNewPassword(form, conversion.ProfileCNIL, "00123456"); len(wrong) > 0 {
		t.Errorf("%v", wrong)
	}
	form.Set("password_confirmation", "un ete a Noel")
	if _, wrong := parseNewPassword(form, conversion.ProfileCNIL, "00123456"); len(wrong) != 1 {
		t.Errorf("another password: %v", wrong)
	}
}

// R27: a form is the same one only with all that was typed into it; one without a
// name is never the same.
func TestFormID(t *testing.T) {
	s := &Server{cfg: Config{Keys: sqltest.Keys(t)}}
	form := url.Values{}
	for _, field := range []string{"submission", "email", "code", "new_email", "password", "question", "answer"} {
		form.Set(field, "same")
	}
	id := s.formID(form)
	if again := s.formID(form); again != id {
		t.Errorf("the same form is %s, then %s", id, again)
	}
	for field := range form {
		other := maps.Clone(form)
		if other.Set(field, "another"); s.formID(other) == id {
			t.Errorf("another %s makes no other form", field)
		}
	}
	form.Del("submission")
	first, second := s.formID(form), s.formID(form)
	if first == second {
		t.Error("a form without a name is the same twice")
	}
}

// I8: without a free hashing slot there is no verdict, and no guess is counted. The
// answer is 503, and when to come back.
func TestPasswordsOverload(t *testing.T) {
	t.Parallel()
	db := sqltest.Open(t)
	s, err := New(Config{DB: db.DB, Keys: sqltest.Keys(t),
		PublicURL: &url.URL{Scheme: "http", Host: "localhost"}, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	s.hashes = admission.NewSemaphore(0, 0)
	for _, test := range []struct{ path, form, counted string }{
		{"/connexion", "email=contact@a.example&password=Kolibri47Zenith", "0"},
		{"/mot-de-passe-oublie", "email=contact@a.example&question=animal&answer=Rex", "2"}, // by the client: every attempt is
	} {
		r := httptest.NewRequest(http.MethodPost, test.path, strings.NewReader(test.form))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		w := httptest.NewRecorder()
		s.Handler().ServeHTTP(w, r)
		if w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" {
			t.Errorf("%s: status %d, Retry-After %q", test.path, w.Code, w.Header().Get("Retry-After"))
		}
		if n := db.Text(t, `SELECT count(*) FROM throttle`); n != test.counted {
			t.Errorf("%s: %s buckets filled, want %s", test.path, n, test.counted)
		}
	}
}

// A page is found by name: its template is named after the file whose handler
// renders it. Those that are the same for everybody stand in the routes.
func TestTemplatesAreNamedAfterFiles(t *testing.T) {
	for name := range newPages(site{}).templates {
		file, _, _ := strings.Cut(name, "_")
		rendered := `"` + name + `"`
		source, err := os.ReadFile(file + ".go")
		if errors.Is(err, fs.ErrNotExist) {
			rendered = "s.fixed(" + rendered + ","
			source, err = os.ReadFile("web.go")
		}
		if err != nil || !strings.Contains(string(source), rendered) {
			t.Errorf("page/%s.html is not rendered where its name says (%v)", name, err)
		}
	}
}
