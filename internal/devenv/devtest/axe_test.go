package devtest

import (
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

const accessiblePage = `<!DOCTYPE html>
<html lang="fr">
<meta name="viewport" content="width=device-width">
<title>Identifiants</title>
<style>body { font-size: 16px } input { min-height: 24px }</style>
<main><h1>Vos identifiants</h1><form><label for="address">Adresse</label> <input id="address" name="address"></form></main>
</html>`

// A field without a label, small grey text and a page without a heading are
// found under a policy that lets no script run; the page without these faults
// has none; where rules are named, no other is looked at.
func TestAxe(t *testing.T) {
	pages := map[string]string{
		"/good":      accessiblePage,
		"/unlabeled": strings.Replace(accessiblePage, `<label for="address">Adresse</label>`, "", 1),
		"/gray":      strings.Replace(accessiblePage, "body {", "body { color: #999;", 1),
		"/untitled":  strings.Replace(accessiblePage, "<h1>Vos identifiants</h1>", "", 1),
	}
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; require-trusted-types-for 'script'")
		io.WriteString(w, pages[r.URL.Path])
	}))
	t.Cleanup(site.Close)
	browser := Chromium(t)
	for _, c := range []struct {
		path string
		only []string
		want []string // rule, impact, target
	}{
		{path: "/good"},
		{path: "/unlabeled", want: []string{"label critical #address"}},
		{path: "/unlabeled", only: []string{"color-contrast", "target-size"}},
		{path: "/gray", only: []string{"color-contrast", "target-size"}, want: []string{"color-contrast serious h1", "color-contrast serious label"}},
		{path: "/untitled", want: []string{"page-has-heading-one moderate html"}},
	} {
		if err := chromedp.Do(browser, chromedp.Navigate(site.URL+c.path)); err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, v := range Axe(t, browser, c.only...) {
			got = append(got, v.ID+" "+v.Impact+" "+v.Target)
			if v.Help == "" || v.Summary == "" || !strings.HasPrefix(v.HTML, "<") {
				t.Errorf("%s: it does not say what is wrong: %v", c.path, v)
			}
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s by %q: violations %q, want %q", c.path, c.only, got, c.want)
		}
	}
}
