package main

import (
	"bytes"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"bascule/internal/web"
)

// serve warns of each page that is still a draft, and of a site that names nobody;
// once all is written it says nothing.
func TestWarnTexts(t *testing.T) {
	dir := t.TempDir()
	env := map[string]string{"LEGAL_DIR": dir}
	warned := func() string {
		t.Helper()
		var log bytes.Buffer
		a := &app{env: environment{func(name string) string { return env[name] }}, log: slog.New(slog.NewTextHandler(&log, nil))}
		cfg := web.Config{PublicURL: &url.URL{Scheme: "https", Host: "x.example"}, Log: a.log}
		var err error
		if cfg.Legal, err = a.env.legal(); err != nil {
			t.Fatal(err)
		}
		if cfg.Administration, err = a.env.administration(); err != nil {
			t.Fatal(err)
		}
		a.warnTexts(cfg)
		return log.String()
	}
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if got := warned(); !strings.Contains(got, "ADMINISTRATION") || !strings.Contains(got, "/mentions-legales /donnees-personnelles") {
		t.Errorf("without anything: %s", got)
	}
	env["ADMINISTRATION"] = "DDFiP Exemple"
	write(web.LegalFiles[0], "## Éditeur\nNous")
	write(web.LegalFiles[1], "Le délégué est [à compléter].")
	if got := warned(); strings.Contains(got, "ADMINISTRATION") || !strings.Contains(got, "pages=/donnees-personnelles ") {
		t.Errorf("with a gap: %s", got)
	}
	write(web.LegalFiles[1], "Le délégué est joignable.")
	if got := warned(); got != "" {
		t.Errorf("with all: %s", got)
	}
	write(web.LegalFiles[1], "\xff")
	if _, err := (environment{func(name string) string { return env[name] }}).legal(); err == nil || !strings.HasPrefix(err.Error(), "LEGAL_DIR: ") {
		t.Errorf("%v", err)
	}
}
