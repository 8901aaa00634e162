package web_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"bascule/sql/sqltest"
)

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
	for _, path := range []string{"/", "/activation", "/metrics/x"} {
		w := httptest.NewRecorder()
		s.server.Metrics().ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		if w.Code != http.StatusNotFound {
			t.Errorf("beside the metrics, %s: status %d", path, w.Code)
		}
	}
}
