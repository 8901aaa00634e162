package devenv

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

// Nobody reads the mails through a name of theirs that leads to this machine (I6).
func TestInboxAnswersLoopbackNamesAlone(t *testing.T) {
	in, err := StartInbox(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer in.Stop()
	for host, want := range map[string]int{
		"127.0.0.1": http.StatusOK, "127.0.0.1:8080": http.StatusOK, "127.8.9.10:1": http.StatusOK, "[::1]": http.StatusOK, "[::1]:8080": http.StatusOK,
		"localhost": http.StatusOK, "LocalHost:8080": http.StatusOK, "localhost.": http.StatusOK, "demo.localhost:8080": http.StatusOK,
		"": http.StatusMisdirectedRequest, "evil.example": http.StatusMisdirectedRequest, "evil.example:8080": http.StatusMisdirectedRequest,
		"localhost.evil.example": http.StatusMisdirectedRequest, "evillocalhost": http.StatusMisdirectedRequest, "127.0.0.1.evil.example": http.StatusMisdirectedRequest,
		"192.0.2.1:8080": http.StatusMisdirectedRequest, "0.0.0.0:8080": http.StatusMisdirectedRequest, "[::]:8080": http.StatusMisdirectedRequest,
	} {
		r := httptest.NewRequest(http.MethodGet, "/inbox", nil)
		r.Host = host
		w := httptest.NewRecorder()
		in.Handler(nil).ServeHTTP(w, r)
		if w.Code != want {
			t.Errorf("host %q: status %d, want %d", host, w.Code, want)
		}
	}
}
