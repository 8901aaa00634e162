package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"bascule/internal/conversion"
	"bascule/sql"
)

// R21: mails propose entry by certificate where this site offers it, and a worker
// hears of it.
func TestWorkKnowsTheEntrance(t *testing.T) {
	for value, want := range map[string]bool{"": false, "https://certificat.example": true} {
		set := map[string]string{"SECRET_KEY": storyKey, "SMTP_URL": "smtp://relay.example", "MAIL_FROM": "a@b.example",
			"PUBLIC_URL": "https://espace.example", "CERT_PUBLIC_URL": value}
		a := &app{env: environment{func(name string) string { return set[name] }}}
		if cfg, err := a.workConfig(); err != nil || cfg.Office.Certificates != want {
			t.Errorf("CERT_PUBLIC_URL=%s: %v, %v", value, cfg.Office.Certificates, err)
		}
	}
}

// A value of the environment or of a flag is accepted up to its bounds. Beyond them an
// error refuses it and names the variable.
func TestBoundsOfTheConfiguration(t *testing.T) {
	folder := t.TempDir()
	file := func(name string, size int) string {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, []byte(strings.Repeat("a", size)), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	read := map[string]func(environment) (any, error){
		"MAIL_RATE":           func(e environment) (any, error) { return e.mailRate() },
		"ADMINISTRATION":      func(e environment) (any, error) { return e.administration() },
		"WORKERS":             func(e environment) (any, error) { return e.workers() },
		"CODE_LIFETIME":       func(e environment) (any, error) { return e.codeLifetime() },
		"TRUSTED_PROXIES":     func(e environment) (any, error) { return e.trustedProxies() },
		"CLIENT_CERT_PROXIES": func(e environment) (any, error) { return e.certProxies() },
		"CERT_PUBLIC_URL":     func(e environment) (any, error) { return e.certPublicURL() },
		"HELP_TEXT_FILE":      func(e environment) (any, error) { _, err := e.help(); return "read", err },
		"THEME_DIR":           func(e environment) (any, error) { _, err := e.themeDir(); return "read", err },
		"--within":            func(e environment) (any, error) { return parseSpan(e.getenv("--within")) },
		"--batch":             func(e environment) (any, error) { return parseBatch(e.getenv("--batch")) },
		"--min-help":          func(e environment) (any, error) { return parseHelp(e.getenv("--min-help")) },
	}
	for _, test := range []struct{ name, value, want string }{ // want "" is refused
		{"MAIL_RATE", "0.001", "0.001"}, {"MAIL_RATE", "0.0009", ""}, {"MAIL_RATE", "1000000", "1e+06"}, {"MAIL_RATE", "1000001", ""}, {"MAIL_RATE", "NaN", ""}, {"MAIL_RATE", "-1", ""},
		{"ADMINISTRATION", "Direction ; DDFiP", "Direction (DDFiP)"}, {"ADMINISTRATION", ";", ""}, {"ADMINISTRATION", strings.Repeat("a", 121), ""},
		{"WORKERS", "1", "1"}, {"WORKERS", "0", ""}, {"WORKERS", "64", "64"}, {"WORKERS", "65", ""}, {"WORKERS", "2.5", ""},
		{"CODE_LIFETIME", "1s", "1s"}, {"CODE_LIFETIME", "999ms", ""}, {"CODE_LIFETIME", "60d", "1440h0m0s"}, {"CODE_LIFETIME", "1440h1s", ""}, {"CODE_LIFETIME", "-2d", ""},
		{"TRUSTED_PROXIES", "10.0.0.0/8", "[10.0.0.0/8]"}, {"TRUSTED_PROXIES", "10.0.0.0/7", ""}, {"TRUSTED_PROXIES", "fd00::/8", "[fd00::/8]"}, {"TRUSTED_PROXIES", "::/0", ""},
		{"TRUSTED_PROXIES", "::ffff:10.1.2.3, ::ffff:10.0.0.0/104", "[10.1.2.3/32 10.0.0.0/8]"}, {"TRUSTED_PROXIES", "::ffff:0.0.0.0/96", ""}, {"TRUSTED_PROXIES", "10.1.2.3/8", "[10.0.0.0/8]"},
		{"CLIENT_CERT_PROXIES", "0.0.0.0/0", ""}, {"CLIENT_CERT_PROXIES", "localhost", ""},
		{"CERT_PUBLIC_URL", "https://c.example/", "https://c.example"}, {"CERT_PUBLIC_URL", "https://c.example:65535", "https://c.example:65535"}, {"CERT_PUBLIC_URL", "https://c.example:65536", ""},
		{"CERT_PUBLIC_URL", "https://u@c.example", ""}, {"CERT_PUBLIC_URL", "https://c.example/a", ""}, {"CERT_PUBLIC_URL", "https://c.example/?a", ""}, {"CERT_PUBLIC_URL", "https://c.example/?a=1", ""},
		{"CERT_PUBLIC_URL", "https://c.example/#a", ""}, {"CERT_PUBLIC_URL", "ftp://c.example", ""}, {"CERT_PUBLIC_URL", "c.example", ""},
		{"CERT_PUBLIC_URL", "https://Impôts.example:8443", "https://xn--impts-8ta.example:8443"}, {"CERT_PUBLIC_URL", "https://[::1]:8443", "https://[::1]:8443"}, {"CERT_PUBLIC_URL", "https://127.0.0.1", "https://127.0.0.1"},
		{"CERT_PUBLIC_URL", "https://c..example", ""}, {"CERT_PUBLIC_URL", "https://c.example'", ""}, {"CERT_PUBLIC_URL", "https://c_d.example", ""},
		{"HELP_TEXT_FILE", file("good", maxHelp), "read"}, {"HELP_TEXT_FILE", file("long", maxHelp+1), ""},
		{"THEME_DIR", folder, "read"}, {"THEME_DIR", file("file", 1), ""}, {"THEME_DIR", filepath.Join(folder, "none"), ""},
		{"--within", "36600d", time.Duration(maxDays * 24 * time.Hour).String()}, {"--within", "36601d", ""}, {"--within", "213504d", ""}, {"--within", "0d", ""}, {"--within", "-1h", ""}, {"--within", "878400h1s", ""},
		{"--min-help", "0", "0s"}, {"--min-help", "90s", "2m0s"}, {"--min-help", "-1h", ""}, {"--min-help", "36601d", ""},
		{"--batch", "1", "1"}, {"--batch", "0", ""}, {"--batch", "-1", ""}, {"--batch", "x", ""},
	} {
		got, err := read[test.name](environment{func(name string) string {
			if name == test.name {
				return test.value
			}
			return ""
		}})
		text := fmt.Sprint(got)
		switch {
		case (err != nil) != (test.want == ""), err == nil && text != test.want:
			t.Errorf("%s=%s: %s, %v; want %q", test.name, test.value, text, err, test.want)
		case err != nil && !strings.HasPrefix(test.name, "--") && !strings.Contains(err.Error(), test.name):
			t.Errorf("%s=%s: %v does not name it", test.name, test.value, err)
		}
	}
}

// D17: an exclusion until a day holds on that day, in Paris.
func TestDayAfter(t *testing.T) {
	for day, want := range map[string]string{"2026-12-31": "2026-12-31T23:00:00Z", "30/06/2026": "2026-06-30T22:00:00Z"} {
		if got, err := dayAfter(day); err != nil || got.UTC().Format(time.RFC3339) != want {
			t.Errorf("%s is over at %s, %v, want %s", day, got, err, want)
		}
	}
}

// One request is changed unasked; of more, --yes or a terminal has to say so.
func TestConfirmWithoutTerminal(t *testing.T) {
	plan := func(n int) sql.Plan {
		return sql.Plan{Requests: make([]int64, n), States: map[conversion.State]int{conversion.StateExpired: n}}
	}
	for _, test := range []struct {
		n    int
		yes  bool
		done bool
	}{{0, false, true}, {1, false, true}, {2, false, false}, {2, true, true}} {
		a := &app{stdin: strings.NewReader("y\n"), stderr: &strings.Builder{}, yes: test.yes}
		err := a.confirm(context.Background(), plan(test.n), "end")
		if (err == nil) != test.done || err != nil && !strings.Contains(err.Error(), "add --yes") {
			t.Errorf("%d requests, --yes %v: %v", test.n, test.yes, err)
		}
	}
}

// A signal ends the wait for a list that somebody types.
func TestSignalEndsTypedList(t *testing.T) {
	typed, w := io.Pipe()
	a := &app{stdin: typed, file: "-"}
	ctx, stop := context.WithCancel(t.Context())
	go func() {
		io.WriteString(w, "00123456\n") // returns once it is read
		stop()
	}()
	if list, err := a.numbers(ctx, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("%v, %v", list, err)
	}
}

// Mailboxes show whom a mail is from.
func TestSenderNamesAdministration(t *testing.T) {
	by := conversion.Administration{Name: "Direction de l’Exemple", Short: "DDFiP Exemple"}
	for _, c := range []struct {
		from string
		by   conversion.Administration
		want string
	}{
		{"a@x.example", conversion.Administration{}, "Espace abonné"},
		{"a@x.example", by, "DDFiP Exemple – Espace abonné"},
		{"Service en ligne <a@x.example>", by, "DDFiP Exemple – Service en ligne"},
		{"La DDFiP Exemple <a@x.example>", by, "La DDFiP Exemple"},
	} {
		got, err := environment{func(string) string { return c.from }}.mailFrom(c.by)
		if err != nil || got.Name != c.want {
			t.Errorf("%s: %q, %v; want %q", c.from, got.Name, err, c.want)
		}
	}
}
