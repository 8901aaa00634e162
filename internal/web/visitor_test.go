package web_test

import (
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"
)

// A visitor is a browser with its cookies, on a network of its own. It follows
// no redirection.
type visitor struct {
	*site
	addr   string
	client *http.Client
}

func (s *site) visitor(addr string) visitor {
	s.t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		s.t.Fatal(err)
	}
	return visitor{s, addr, &http.Client{Jar: jar, Transport: s.http.Client().Transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

func (v visitor) get(path string) answered {
	v.t.Helper()
	return v.do(v.request(http.MethodGet, path, nil))
}

func (v visitor) submit(path string, form url.Values) answered {
	v.t.Helper()
	return v.do(v.request(http.MethodPost, path, strings.NewReader(form.Encode()), "Content-Type", "application/x-www-form-urlencoded"))
}

// do may be called by any goroutine of a test. No cookie may ever be logged (I6).
func (v visitor) do(r *http.Request) answered {
	r.Header.Set("X-Forwarded-For", v.addr)
	a := doWith(v.t, v.client, r)
	for _, c := range (&http.Response{Header: a.header}).Cookies() {
		if c.Value != "" {
			v.log.mu.Lock()
			v.log.secrets = append(v.log.secrets, c.Value)
			v.log.mu.Unlock()
		}
	}
	return a
}

// connect is "Accéder à mon espace" with the password of the tests.
func (v visitor) connect(email string) answered {
	v.t.Helper()
	return v.submit("/connexion", login(email, password))
}

func login(email, secret string) url.Values {
	return url.Values{"email": {email}, "password": {secret}}
}

// leadsTo checks a redirection.
func (a answered) leadsTo(t testing.TB, path string) answered {
	t.Helper()
	a.expect(t, http.StatusSeeOther)
	if got := a.header.Get("Location"); got != path {
		t.Errorf("leads to %q, want %q", got, path)
	}
	return a
}

// value is the value of a cookie that is set.
func (a answered) value(name string) string {
	for _, c := range (&http.Response{Header: a.header}).Cookies() {
		if c.Name == name {
			return c.Value
		}
	}
	return ""
}

func doWith(t testing.TB, client *http.Client, r *http.Request) answered {
	t.Helper()
	resp, err := client.Do(r)
	if err != nil {
		t.Error(err)
		return answered{}
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Error(err)
	}
	return answered{resp.StatusCode, string(body), resp.Header}
}
