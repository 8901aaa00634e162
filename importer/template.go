package importer

import (
	"fmt"
	"io"

	"bascule/internal/workbook"
)

// TemplateKind is what the seal of a template says, until somebody fills it in.
const TemplateKind = "template"

// WriteTemplate writes an empty workbook to fill in: the columns with what may
// be typed there, the sheet Dossiers, and a sheet that explains them.
func WriteTemplate(w io.Writer) error {
	if err := fillTemplate(w); err != nil {
		return fmt.Errorf("template: %w", err)
	}
	return nil
}

// The sheets of a template.
const (
	listSheet     = "Abonnés"
	companySheet  = "Dossiers"
	explainedHere = "Mode d'emploi"
)

func fillTemplate(w io.Writer) error {
	book, err := workbook.New(w, listSheet)
	if err != nil {
		return err
	}
	styles := newListStyles(book)
	for _, list := range []struct {
		name     string
		headings []heading
	}{{listSheet, subscriberHeadings}, {companySheet, dossierHeadings}} {
		out, err := startList(book, list.name, list.headings, styles)
		if err != nil {
			return err
		}
		if err := out.Close(); err != nil {
			return err
		}
	}
	if err := explain(book, styles); err != nil {
		return err
	}
	return book.Close()
}

// listStyles are the cell styles of a list to fill in.
type listStyles struct{ title, header, text, date int }

func newListStyles(book *workbook.Book) listStyles {
	return listStyles{
		title:  book.Style(workbook.Style{Bold: true, Size: 14}),
		header: book.Style(headerStyle),
		text:   book.Style(workbook.Style{Format: "@"}),
		date:   book.Style(workbook.Style{Format: "dd/mm/yyyy"}),
	}
}

// startList begins a sheet with a header row, below which the spreadsheet program
// refuses what the import would.
func startList(book *workbook.Book, name string, headings []heading, styles listStyles) (*workbook.Sheet, error) {
	layout := workbook.Layout{Frozen: 1}
	for _, h := range headings {
		a, column := adviceFor(h.name), workbook.Column{Width: columnWidth(h.name), Style: styles.text}
		if h.name == subscriberHeadings[fieldExpiry].name {
			column.Style = styles.date
		}
		column.Rule = a.rule
		column.Rule.Title, column.Rule.Text = a.heading, a.text
		layout.Columns = append(layout.Columns, column)
	}
	out, err := book.Sheet(name, layout)
	if err != nil {
		return nil, err
	}
	err = out.Row(1, 0, 0)
	for i, h := range headings {
		out.Put(i+1, workbook.Text(h.name).In(styles.header))
	}
	return out, err
}

// advice is what a template says of a column.
type advice struct {
	heading string
	text    string // the whole rule
	rule    workbook.Rule
}

// advices explains every column of both sheets, in the order of their headings. The
// dates allowed are those from 1 January 2020 to 31 December 9999.
func advices() []advice {
	text := func(from, to int) workbook.Rule { return workbook.Rule{Type: "textLength", From: from, To: to} }
	return []advice{
		{"numéro d'abonné", "Obligatoire. 6 à 20 lettres (sans accent) ou chiffres, zéros en tête compris.", text(6, 20)},
		{"titulaire", "Obligatoire. Nom de la personne titulaire de l'espace, 200 caractères au maximum.", text(1, 200)},
		{"adresse électronique", "Obligatoire. L'adresse de contact, qui reçoit le courriel d'activation : 100 caractères au maximum.", text(3, 100)},
		{"numéro de série", "Obligatoire. Numéro de série du certificat, en hexadécimal (chiffres et lettres A à F) ; espaces et deux-points sont ignorés.", text(1, 100)},
		{"émetteur", "Facultatif. Autorité qui a émis le certificat, telle que le certificat la nomme.", text(0, 500)},
		{"date d'expiration", "Obligatoire. Dernier jour de validité du certificat, par exemple 31/12/2026.", workbook.Rule{Type: "date", From: 43_831, To: 2_958_465}},
		{"siren", "Obligatoire. 9 chiffres, zéros en tête compris.", text(9, 11)},
		{"raison sociale", "Obligatoire. Nom de l'entreprise, 200 caractères au maximum.", text(1, 200)},
		{"service", "Facultatif. Un service en ligne par ligne, par exemple TVA ; laissez vide si l'entreprise n'en a pas.", text(0, 100)},
	}
}

func adviceFor(heading string) advice {
	for _, a := range advices() {
		if a.heading == heading {
			return a
		}
	}
	return advice{heading: heading}
}

// explain writes the sheet that explains the others. It names the columns one
// below the other, so that it is never taken for a header row.
func explain(book *workbook.Book, styles listStyles) error {
	out, err := book.Sheet(explainedHere, workbook.Layout{Columns: []workbook.Column{{Width: 26}, {Width: 110}}})
	if err != nil {
		return err
	}
	rows := [][]string{
		{"Préparer une liste d'abonnés"}, {},
		{"Feuille « Abonnés »", "Une ligne par espace. L'ordre des colonnes est libre ; vous pouvez en ajouter d'autres, elles sont conservées."},
	}
	rows = append(rows, explained(subscriberHeadings)...)
	rows = append(rows, []string{}, []string{"Feuille « Dossiers »", "Facultative. Une ligne par entreprise et par service de l'espace."})
	rows = append(rows, explained(dossierHeadings)...)
	rows = append(rows, []string{}, []string{"À savoir", "Pas de formule dans les colonnes obligatoires : collez les valeurs."},
		[]string{"", "Chaque ligne reçoit un verdict ; corrigez le classeur des verdicts et importez-le de nouveau : seules les lignes corrigées seront prises."},
		[]string{"", "Plusieurs espaces peuvent partager une adresse électronique : chacun reçoit son courriel, mais un seul pourra la garder comme identifiant."})
	for i, texts := range rows {
		if err := out.Row(i+1, 0, 0); err != nil {
			return err
		}
		for j, text := range texts {
			cell := workbook.Text(text)
			if len(texts) == 1 {
				cell = cell.In(styles.title)
			}
			out.Put(j+1, cell)
		}
	}
	return out.Close()
}

func explained(headings []heading) [][]string {
	rows := make([][]string, len(headings))
	for i, h := range headings {
		rows[i] = []string{h.name, adviceFor(h.name).text}
	}
	return rows
}
