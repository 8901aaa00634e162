package importer

import (
	"fmt"
	"io"

	"bascule/internal/workbook"
)

// TemplateKind is the seal of a template, until somebody fills it in.
const TemplateKind = "template"

// WriteTemplate writes an empty workbook to fill in: the columns with the rules for
// their cells, the sheet Dossiers, and a sheet that explains them.
func WriteTemplate(w io.Writer) error {
	book := workbook.New(w, listSheet)
	writeList(book, listSheet, subscriberHeadings)
	writeList(book, companySheet, dossierHeadings)
	explain(book)
	if err := book.Close(); err != nil {
		return fmt.Errorf("template: %w", err)
	}
	return nil
}

// The sheets of a template.
const (
	listSheet     = "Abonnés"
	companySheet  = "Dossiers"
	explainedHere = "Mode d’emploi"
)

// writeList writes a sheet with a header row. Below it the spreadsheet program refuses
// the cells that the import would refuse.
func writeList(book *workbook.Book, name string, headings []heading) {
	layout, names := workbook.Layout{Frozen: 1}, []string{}
	for _, h := range headings {
		column := workbook.Column{Width: columnWidth(h.name), Style: textStyle, Rule: advices[h.name]}
		if h.name == subscriberHeadings[fieldExpiry].name {
			column.Style = dayStyle
		}
		column.Rule.Title = h.name
		layout.Columns, names = append(layout.Columns, column), append(names, h.name)
	}
	out := book.Sheet(name, layout)
	out.Texts(1, headerStyle, names...)
	out.End()
}

// advices explain every column of both sheets, by its heading. The dates allowed are
// those from 1 January 2020 to 31 December 9999.
var advices = map[string]workbook.Rule{
	"numéro d'abonné": {Type: "textLength", From: 6, To: 20,
		Text: "Obligatoire. 6 à 20 lettres (sans accent) ou chiffres, zéros en tête compris."},
	"titulaire": {Type: "textLength", From: 1, To: 200,
		Text: "Obligatoire. Nom de la personne titulaire de l’espace, 200 caractères au maximum."},
	"adresse électronique": {Type: "textLength", From: 3, To: 100,
		Text: "Obligatoire. L’adresse de contact, qui reçoit le courriel d’activation : 100 caractères au maximum."},
	"numéro de série": {Type: "textLength", From: 1, To: 100,
		Text: "Obligatoire. Numéro de série du certificat, en hexadécimal (chiffres et lettres A à F) ; espaces et deux-points sont ignorés."},
	"émetteur": {Type: "textLength", From: 0, To: 500,
		Text: "Facultatif. Autorité qui a émis le certificat, telle que le certificat la nomme."},
	"date d'expiration": {Type: "date", From: 43_831, To: 2_958_465,
		Text: "Obligatoire. Dernier jour de validité du certificat, par exemple 31/12/2026."},
	"priorité": {Type: "textLength", From: 0, To: 1,
		Text: "Facultatif. De 1 (part en premier) à 9\u00a0; 5 si la case est vide."},
	"siren": {Type: "textLength", From: 9, To: 11,
		Text: "Obligatoire. 9 chiffres, zéros en tête compris."},
	"raison sociale": {Type: "textLength", From: 1, To: 200,
		Text: "Obligatoire. Nom de l’entreprise, 200 caractères au maximum."},
	"service": {Type: "textLength", From: 0, To: 100,
		Text: "Facultatif. Un service en ligne par ligne, par exemple TVA ; laissez vide si l’entreprise n’en a pas."},
}

// explain writes the sheet that explains the others. It lists the columns one below the
// other, so that it is never taken for a header row.
func explain(book *workbook.Book) {
	rows := [][]string{
		{"Préparer une liste d’abonnés"}, {},
		{"Feuille « Abonnés »", "Une ligne par espace. L’ordre des colonnes est libre ; vous pouvez en ajouter d’autres, elles sont conservées."},
	}
	rows = append(rows, explained(subscriberHeadings)...)
	rows = append(rows, []string{}, []string{"Feuille « Dossiers »", "Facultative. Une ligne par entreprise et par service de l’espace."})
	rows = append(rows, explained(dossierHeadings)...)
	rows = append(rows, []string{}, []string{"À savoir", "Pas de formule dans les colonnes obligatoires : collez les valeurs."},
		[]string{"", "Chaque ligne reçoit un verdict ; corrigez le classeur des verdicts et importez-le de nouveau : seules les lignes corrigées seront prises."},
		[]string{"", "Plusieurs espaces peuvent partager une adresse électronique : chacun reçoit son courriel, mais un seul pourra la garder comme identifiant."})
	writeExplanation(book, [2]float64{26, 110}, workbook.Style{}, rows)
}

func explained(headings []heading) [][]string {
	rows := make([][]string, len(headings))
	for i, h := range headings {
		rows[i] = []string{h.name, advices[h.name].Text}
	}
	return rows
}
