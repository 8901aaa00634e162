package main

import (
	"bytes"
	"context"
	"io"
	"time"

	"github.com/jung-kurt/gofpdf"
	"golang.org/x/image/font/gofont/gobold"
	"golang.org/x/image/font/gofont/goregular"

	"bascule/internal/conversion"
	"bascule/internal/recap"
)

// The goals of recaps, against gofpdf as its documentation shows it.
const (
	coreFontGoal = 3.0
	utf8FontGoal = 1.0
)

// recapsStage renders the same facts with the product and with gofpdf alone, on one
// core.
func recapsStage(ctx context.Context, b *bench) ([]*line, error) {
	core := &line{Name: "against a core font", Unit: "/s", Against: "by gofpdf", Goal: coreFontGoal}
	utf8 := &line{Name: "against a UTF-8 font", Unit: "/s", Against: "by gofpdf", Goal: utf8FontGoal}
	f := sampleFacts()
	for range 2 * b.repeat {
		for _, way := range []struct {
			render func(io.Writer) error
			lists  []*[]float64
		}{
			{func(w io.Writer) error { return recap.Write(w, f) }, []*[]float64{&core.Product, &utf8.Product}},
			{func(w io.Writer) error { return renderPlainly(w, f, coreFont) }, []*[]float64{&core.Reference}},
			{func(w io.Writer) error { return renderPlainly(w, f, utf8Font) }, []*[]float64{&utf8.Reference}},
		} {
			rate, n, err := renderFor(ctx, b.render, way.render)
			if err != nil {
				return nil, err
			}
			core.Rows, utf8.Rows = max(core.Rows, n), max(utf8.Rows, n)
			for _, list := range way.lists {
				*list = append(*list, rate)
			}
		}
	}
	return []*line{core, utf8}, nil
}

// renderFor renders for some time. It returns how many documents it rendered, also per
// second.
func renderFor(ctx context.Context, d time.Duration, render func(io.Writer) error) (rate float64, n int, err error) {
	var out bytes.Buffer
	began := time.Now()
	for time.Since(began) < d && ctx.Err() == nil {
		out.Reset()
		if err := render(&out); err != nil {
			return 0, 0, err
		}
		n++
	}
	return float64(n) / time.Since(began).Seconds(), n, ctx.Err()
}

func sampleFacts() recap.Facts {
	email, err := conversion.ParseEmail("camille.duvallon@cabinet-duvallon.example")
	if err != nil {
		panic(err) // the address is valid
	}
	return recap.Facts{
		Version: recap.Version, Number: "0012345", Holder: "Mme Camille Duvallon", Email: email,
		Question:   "Quel est le nom de votre premier professeur ?",
		SwitchedAt: time.Date(2026, 11, 25, 7, 0, 12, 0, time.UTC), PublicURL: "https://espace.bascule.example",
		Help: "Par téléphone : 01 99 00 00 00.",
		Companies: []conversion.Company{
			{SIREN: "123456789", Name: "Boulangerie Duvallon & Fils", Services: []string{"TVA", "Paiement"}},
			{SIREN: "012345678", Name: "Œuvres d'art réunies", Services: []string{"Compte fiscal"}},
		},
	}
}

// A font gives a document its font. It returns the family and the encoder of texts.
type font func(*gofpdf.Fpdf) (family string, encode func(string) string)

func coreFont(pdf *gofpdf.Fpdf) (string, func(string) string) {
	return "Helvetica", pdf.UnicodeTranslatorFromDescriptor("")
}

func utf8Font(pdf *gofpdf.Fpdf) (string, func(string) string) {
	pdf.AddUTF8FontFromBytes("Go", "", goregular.TTF)
	pdf.AddUTF8FontFromBytes("Go", "B", gobold.TTF)
	return "Go", func(s string) string { return s }
}

// renderPlainly writes about the product's document in the way of gofpdf's
// documentation: a new document, a font, cells.
func renderPlainly(w io.Writer, f recap.Facts, choose font) error {
	pdf := gofpdf.New("P", "mm", "A4", "")
	family, encode := choose(pdf)
	pdf.AddPage()
	heading := func(text string) {
		pdf.SetFont(family, "B", 14)
		pdf.CellFormat(0, 10, encode(text), "B", 1, "", false, 0, "")
	}
	paragraph := func(text string) {
		pdf.SetFont(family, "", 10)
		pdf.MultiCell(0, 5, encode(text), "", "", false)
	}
	heading("Formulaire récapitulatif")
	paragraph("Conservez ce document : enregistrez-le ou imprimez-le. Il est indispensable pour certaines opérations.")
	heading("Votre espace")
	for _, p := range [][2]string{
		{"Numéro d'abonné", string(f.Number)}, {"Titulaire", f.Holder}, {"Adresse électronique", f.Email.String()},
		{"Mot de passe", "Celui que vous avez choisi. Personne ne peut vous le communiquer."},
		{"Question de confiance", f.Question}, {"Réponse de confiance", "Connue de vous seul."},
		{"Accès sans certificat depuis le", conversion.FrenchTime(f.SwitchedAt)},
	} {
		pdf.SetFont(family, "", 10)
		pdf.CellFormat(60, 6, encode(p[0]), "", 0, "", false, 0, "")
		pdf.SetFont(family, "B", 10)
		pdf.CellFormat(0, 6, encode(p[1]), "", 1, "", false, 0, "")
	}
	heading("Ce qui change, ce qui ne change pas")
	paragraph("Vous entrez désormais dans votre espace avec votre adresse électronique et votre mot de passe. Votre certificat ne l'ouvre plus.")
	paragraph("Ce changement est irrévocable : il n'est pas possible de revenir à l'accès avec certificat.")
	paragraph("Vous conservez le même numéro d'abonné, le même titulaire, les mêmes entreprises et les mêmes services.")
	heading("Entrer dans votre espace")
	paragraph("Le site : " + f.PublicURL)
	paragraph("Saisissez votre adresse électronique, qui est votre identifiant, et votre mot de passe.")
	paragraph("Mot de passe oublié : indiquez votre adresse électronique et répondez à votre question de confiance.")
	heading("Assistance")
	paragraph(f.Help)
	heading("Entreprises")
	for _, c := range f.Companies {
		pdf.CellFormat(40, 6, encode(string(c.SIREN)), "1", 0, "", false, 0, "")
		pdf.CellFormat(0, 6, encode(c.Name), "1", 1, "", false, 0, "")
		for _, s := range c.Services {
			pdf.CellFormat(0, 6, encode(s), "", 1, "", false, 0, "")
		}
	}
	return pdf.Output(w)
}
