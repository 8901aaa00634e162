package web

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"bascule/internal/admission"
	"bascule/sql/sqltest"
)

// I8: where no hashing slot comes free there is no verdict, and no guess is
// counted: 503, and when to come back.
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
