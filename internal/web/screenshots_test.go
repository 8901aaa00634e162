package web_test

import (
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"bascule/internal/conversion"
	"bascule/sql/sqltest"
)

var (
	screenshots    = flag.String("screenshots", "", "folder for pictures of the pages that the documents show")
	allScreenshots = flag.Bool("screenshots-all", false, "the whole of every page in every look instead, to look at")
)

// shown are the pictures that the documents show.
var shown = []string{"espace-une-entreprise-light.png", "espace-option-certificat-light.png", "connexion-vide-light.png", "accueil.png", "activation.png", "identifiants.png", "succes.png", "erreur-mobile.png", "activation-mobile-sombre.png"}

// TestScreenshots takes the pictures in docs/images, and TestTour those of the space:
//
//	go test ./internal/web -run 'TestScreenshots|TestTour' -screenshots "$PWD/docs/images"
//
// Every page fits its screen without scrolling sideways, whatever names and
// addresses there are, and its style sheet is not refused by the policy. Without
// the flag, that is looked at on a phone alone.
func TestScreenshots(t *testing.T) {
	t.Parallel()
	b := newBrowser(t)
	long := sqltest.Invitation{Number: "12345678901234567890", Holder: strings.Repeat("W", 200),
		Contact: strings.Repeat("w", 60) + "@" + strings.Repeat("w", 31) + ".example"}
	for _, look := range []struct {
		suffix        string
		width, height int64
		scheme        string
	}{
		{"", 1280, 900, "light"}, {"-sombre", 1280, 900, "dark"}, {"-mobile", 360, 740, "light"}, {"-mobile-sombre", 360, 740, "dark"},
	} {
		invitation := sqltest.Invitation{Companies: []conversion.Company{{SIREN: "123456789", Name: "Boulangerie Duvallon"}}}
		switch {
		case *screenshots != "":
		case look.suffix == "-mobile":
			invitation = long
		default:
			continue
		}
		_, err := chromedp.Call(b.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: look.scheme}},
		})
		if err != nil {
			t.Fatal(err)
		}
		b.do(chromedp.EmulateViewport(look.width, look.height))
		b.walk(invitation, func(page string) {
			b.picture(page + look.suffix + ".png")
			if wide := js[int64](b, `document.documentElement.scrollWidth`); wide > look.width {
				t.Errorf("%s%s: %d pixels wide", page, look.suffix, wide)
			}
			if got := js[string](b, `getComputedStyle(document.body).display`); got != "flex" {
				t.Errorf("%s%s: the style sheet is not applied", page, look.suffix)
			}
		})
	}
}

// walk goes through the pages and stops at each.
func (b browser) walk(in sqltest.Invitation, stop func(page string)) {
	b.t.Helper()
	_, proof := b.mailed(in)
	for page, path := range map[string]string{"accueil": "/", "option": "/sans-certificat", "adhesion": "/adhesion", "aide": "/aide",
		"introuvable": "/nulle-part", "sans-session": "/recapitulatif.pdf"} {
		b.do(chromedp.Navigate(b.http.URL + path))
		stop(page)
	}
	b.do(chromedp.Navigate(b.link(with(proof, "code", "7K3M-Q9XT-2HBD"))), chromedp.WaitVisible("#rempli"))
	stop("activation")
	b.do(chromedp.Click("main button"), chromedp.WaitVisible("#erreurs"))
	stop("refus")
	b.do(chromedp.Navigate("about:blank"), chromedp.Navigate(b.link(proof)), chromedp.Click("main button"), chromedp.WaitVisible("#new_email"))
	stop("identifiants")
	b.fill("contact@")
	b.do(chromedp.Click("main .actions button"), chromedp.WaitVisible("#erreurs"))
	stop("erreur")
	js[any](b, `new_email.value = 'camille`+b.fresh()+`@duvallon.example', new_email_confirmation.value = '', consent.checked = false`)
	b.fill(js[string](b, `new_email.value`))
	b.do(chromedp.Click("main .actions button"), chromedp.WaitVisible(".quiet"))
	stop("courriel")
	b.do(chromedp.Navigate(b.link(proof)), chromedp.Click("main button"), chromedp.WaitVisible("#new_email"))
	stop("corriger")
	b.fill(proof.Get("email"))
	b.do(chromedp.Click("main .actions button"), chromedp.WaitVisible(".success"))
	stop("succes")
}

// fresh differs from walk to walk.
func (b browser) fresh() string { return b.db.Text(b.t, `SELECT max(id) FROM space`) }

func (b browser) picture(name string) {
	b.t.Helper()
	if *screenshots == "" || !*allScreenshots && !slices.Contains(shown, name) {
		return
	}
	take := chromedp.CaptureScreenshot() // what a reader of the documents needs: the first screen
	if *allScreenshots {
		take = chromedp.FullScreenshot(100)
	}
	picture, err := chromedp.Run(b.ctx, take)
	if err == nil {
		err = os.WriteFile(filepath.Join(*screenshots, name), picture, 0o644)
	}
	if err != nil {
		b.t.Fatal(err)
	}
}
