package web_test

import (
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"bascule/internal/web"
)

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

// A theme leads nowhere else. The start refuses by name a link out of the folder,
// however it is written, and anything that is no file of a page's size.
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
		if err == nil || !strings.Contains(err.Error(), "(THEME_DIR): a.css ") {
			t.Errorf("%s: error %v, want one that names the variable and a.css", name, err)
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
