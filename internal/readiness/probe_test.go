package readiness

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"bascule/internal/devenv/devtest"
	"bascule/internal/smtp"
)

// The server at PUBLIC_URL is this installation, or the line is red.
func TestSite(t *testing.T) {
	say := func(status int, proof string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/readyz" {
				return
			}
			if proof != "" {
				w.Header().Set("Proof", proof+r.URL.Query().Get("challenge"))
			}
			w.Header().Set("Location", "https://elsewhere.example/")
			w.WriteHeader(status)
		}
	}
	for _, c := range []struct {
		name, says string
		pages      http.HandlerFunc
	}{
		{"", "they answer at http", say(200, "ours ")},
		{"a redirect", "PUBLIC_URL answers 308", say(308, "ours ")},
		{"an error", "PUBLIC_URL answers 502", say(502, "")},
		{"another product", "something else than `bascule serve`", say(200, "")},
		{"another installation", "another SECRET_KEY", say(200, "theirs ")},
		{"no database", "their PostgreSQL does not", func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/readyz" {
				w.WriteHeader(http.StatusServiceUnavailable)
			}
			w.Header().Set("Proof", "ours word")
		}},
	} {
		srv := httptest.NewServer(c.pages)
		u, err := url.Parse(srv.URL)
		if err != nil {
			t.Fatal(err)
		}
		line, at := Site{URL: u, Proof: "Proof", Challenge: "word", Proves: func(answer string) bool { return answer == "ours word" }}.Ask(t.Context())
		if (line.State == Green) != (c.name == "") || !strings.Contains(line.What, c.says) || time.Since(at).Abs() > time.Minute {
			t.Errorf("%s: %+v at %s", c.name, line, at)
		}
		srv.Close()
	}
	nobody := &url.URL{Scheme: "http", Host: "127.0.0.1:1"}
	if line, at := (Site{URL: nobody}).Ask(t.Context()); line.State != Red || !strings.Contains(line.What, "refused") || !at.IsZero() {
		t.Errorf("nobody: %+v at %s", line, at)
	}
}

// The relay is tried as far as AUTH. An open breaker is red although the relay answers.
func TestRelay(t *testing.T) {
	cfg, err := smtp.ParseURL(devtest.Inbox(t).URL())
	if err != nil {
		t.Fatal(err)
	}
	if line := Relay(t.Context(), cfg, ""); line.State != Green {
		t.Errorf("a relay that works: %+v", line)
	}
	if line := Relay(t.Context(), cfg, "us at mail 554"); line.State != Red || !strings.Contains(line.What, "us at mail 554") {
		t.Errorf("an open breaker: %+v", line)
	}
	required := cfg
	required.TLS = smtp.TLSRequired
	if line := Relay(t.Context(), required, ""); line.State != Red || !strings.Contains(line.What, "STARTTLS") {
		t.Errorf("a relay without TLS: %+v", line)
	}
	account := cfg
	account.Auth = &smtp.Credentials{User: "u", Password: "hunter2"}
	if line := Relay(t.Context(), account, ""); line.State != Red || strings.Contains(line.What, "hunter2") {
		t.Errorf("a relay without accounts: %+v", line)
	}
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	cfg.Host, cfg.Port, _ = net.SplitHostPort(silent.Addr().String())
	cfg.Limits = smtp.DefaultLimits()
	cfg.Limits.Grace = time.Nanosecond
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if line := Relay(ctx, cfg, ""); line.State != Red {
		t.Errorf("a relay that says nothing: %+v", line)
	}
}
