package recap_test

import (
	"io"
	"testing"

	"github.com/jung-kurt/gofpdf"
	"golang.org/x/image/font/gofont/gobold"
	"golang.org/x/image/font/gofont/goregular"

	"bascule/internal/conversion"
	"bascule/internal/recap"
)

// The product, and gofpdf as its documentation shows it: with a core font, and with a
// font of its own.
func BenchmarkWrite(b *testing.B) {
	for name, edit := range map[string]func(*recap.Facts){
		"ordinary":      nil,
		"Go font":       func(f *recap.Facts) { f.Holder = "Жанна" },
		"500 companies": func(f *recap.Facts) { f.Companies = manyCompanies(500) },
	} {
		f := facts(b, edit)
		for way, write := range map[string]func() error{
			"product":             func() error { return recap.Write(io.Discard, f) },
			"gofpdf, core font":   func() error { return writePlainly(f, coreFont) },
			"gofpdf, its own one": func() error { return writePlainly(f, utf8Font) },
		} {
			b.Run(name+"/"+way, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if err := write(); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
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

// writePlainly writes about the product's document in the way of gofpdf's
// documentation: a new document, a font, cells.
func writePlainly(f recap.Facts, choose font) error {
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
	return pdf.Output(io.Discard)
}
