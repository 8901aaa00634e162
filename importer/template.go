package importer

import (
	"errors"
	"fmt"
	"io"

	"github.com/xuri/excelize/v2"

	"bascule/importer/xlsx"
)

// TemplateKind is what the seal of a template says, until somebody fills it in.
const TemplateKind = "template"

// WriteTemplate writes an empty workbook to fill in: the columns with what may
// be typed there, the sheet Dossiers, and a sheet that explains them.
func WriteTemplate(w io.Writer) (err error) {
	book := excelize.NewFile()
	defer func() { err = errors.Join(err, book.Close()) }()
	if err := fillTemplate(book); err != nil {
		return fmt.Errorf("template: %w", err)
	}
	if err := writeBook(w, book); err != nil {
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

func fillTemplate(book *excelize.File) error {
	if err := book.SetSheetName(book.GetSheetName(0), listSheet); err != nil {
		return err
	}
	for _, name := range []string{companySheet, explainedHere} {
		if _, err := book.NewSheet(name); err != nil {
			return err
		}
	}
	styles, err := newListStyles(book)
	if err != nil {
		return err
	}
	for _, list := range []struct {
		name     string
		headings []heading
	}{{listSheet, subscriberHeadings}, {companySheet, dossierHeadings}} {
		out, err := startList(book, list.name, list.headings, styles)
		if err != nil {
			return err
		}
		if err := addValidation(book, list.name, list.headings); err != nil {
			return err
		}
		if err := out.Flush(); err != nil {
			return err
		}
	}
	return explain(book, styles)
}

// listStyles are the cell styles of a list to fill in.
type listStyles struct{ title, header, text, date int }

func newListStyles(book *excelize.File) (listStyles, error) {
	var s listStyles
	french := "dd/mm/yyyy"
	var errs []error
	for _, style := range []struct {
		id    *int
		style excelize.Style
	}{
		{&s.title, excelize.Style{Font: &excelize.Font{Bold: true, Size: 14}}},
		{&s.header, excelize.Style{NumFmt: textFormat, Font: &excelize.Font{Bold: true, Color: "FFFFFF"},
			Fill: excelize.Fill{Type: "pattern", Pattern: 1, Color: []string{"1F3864"}}}},
		{&s.text, excelize.Style{NumFmt: textFormat}},
		{&s.date, excelize.Style{CustomNumFmt: &french}},
	} {
		id, err := book.NewStyle(&style.style)
		*style.id = id
		errs = append(errs, err)
	}
	return s, errors.Join(errs...)
}

// startList starts a streamed sheet with a header row: widths, formats, frozen
// header. A title, if there is one, stands two rows above.
func startList(book *excelize.File, name string, headings []heading, styles listStyles, title ...string) (*excelize.StreamWriter, error) {
	out, err := openStream(book, name)
	if err != nil {
		return nil, err
	}
	for i, h := range headings {
		style := styles.text
		if h.name == subscriberHeadings[fieldExpiry].name {
			style = styles.date
		}
		if err := errors.Join(out.SetColWidth(i+1, i+1, float64(columnWidth(h.name))), out.SetColStyle(i+1, i+1, style)); err != nil {
			return nil, err
		}
	}
	line := 1
	if len(title) > 0 {
		line = 3
	}
	err = out.SetPanes(&excelize.Panes{Freeze: true, YSplit: line, TopLeftCell: xlsx.CellName(1, line+1), ActivePane: "bottomLeft"})
	if err != nil {
		return nil, err
	}
	for _, text := range title {
		if err := out.SetRow("A1", []any{excelize.Cell{StyleID: styles.title, Value: text}}); err != nil {
			return nil, err
		}
	}
	header := make([]any, len(headings))
	for i, h := range headings {
		header[i] = excelize.Cell{StyleID: styles.header, Value: h.name}
	}
	return out, out.SetRow(xlsx.CellName(1, line), header)
}

// advice is what a template says of a column.
type advice struct {
	heading string
	text    string // the whole rule
	rule    func(*excelize.DataValidation) error
}

// textLength allows texts of so many characters.
func textLength(from, to int) func(*excelize.DataValidation) error {
	return func(v *excelize.DataValidation) error {
		return v.SetRange(from, to, excelize.DataValidationTypeTextLength, excelize.DataValidationOperatorBetween)
	}
}

// afterDay allows dates from 1 January 2020 to 31 December 9999, as a spreadsheet
// counts days.
func afterDay(v *excelize.DataValidation) error {
	return v.SetRange(43_831, 2_958_465, excelize.DataValidationTypeDate, excelize.DataValidationOperatorBetween)
}

// advices explains every column of both sheets, in the order of their headings.
func advices() []advice {
	return []advice{
		{"numéro d'abonné", "Obligatoire. 6 à 20 lettres (sans accent) ou chiffres, zéros en tête compris.", textLength(6, 20)},
		{"titulaire", "Obligatoire. Nom de la personne titulaire de l'espace, 200 caractères au maximum.", textLength(1, 200)},
		{"adresse électronique", "Obligatoire. L'adresse de contact, qui reçoit le courriel d'activation : 100 caractères au maximum.", textLength(3, 100)},
		{"numéro de série", "Obligatoire. Numéro de série du certificat, en hexadécimal (chiffres et lettres A à F) ; espaces et deux-points sont ignorés.", textLength(1, 100)},
		{"émetteur", "Facultatif. Autorité qui a émis le certificat, telle que le certificat la nomme.", textLength(0, 500)},
		{"date d'expiration", "Obligatoire. Dernier jour de validité du certificat, par exemple 31/12/2026.", afterDay},
		{"siren", "Obligatoire. 9 chiffres, zéros en tête compris.", textLength(9, 11)},
		{"raison sociale", "Obligatoire. Nom de l'entreprise, 200 caractères au maximum.", textLength(1, 200)},
		{"service", "Facultatif. Un service en ligne par ligne, par exemple TVA ; laissez vide si l'entreprise n'en a pas.", textLength(0, 100)},
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

// addValidation makes the spreadsheet program refuse what the import would.
func addValidation(book *excelize.File, sheet string, headings []heading) error {
	for i, h := range headings {
		a := adviceFor(h.name)
		v := excelize.NewDataValidation(true)
		v.SetSqref(xlsx.CellName(i+1, 2) + ":" + xlsx.CellName(i+1, xlsx.MaxRows))
		v.SetInput(h.name, a.text)
		v.SetError(excelize.DataValidationErrorStyleStop, h.name, a.text)
		if err := a.rule(v); err != nil {
			return err
		}
		if err := book.AddDataValidation(sheet, v); err != nil {
			return err
		}
	}
	return nil
}

// explain writes the sheet that explains the others. It names the columns one
// below the other, so that it is never taken for a header row.
func explain(book *excelize.File, styles listStyles) error {
	out, err := openStream(book, explainedHere)
	if err != nil {
		return err
	}
	if err := errors.Join(out.SetColWidth(1, 1, 26), out.SetColWidth(2, 2, 110)); err != nil {
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
		row := make([]any, len(texts))
		for j, text := range texts {
			row[j] = text
		}
		if len(texts) == 1 {
			row[0] = excelize.Cell{StyleID: styles.title, Value: texts[0]}
		}
		if err := out.SetRow(xlsx.CellName(1, i+1), row); err != nil {
			return err
		}
	}
	return out.Flush()
}

func explained(headings []heading) [][]string {
	rows := make([][]string, len(headings))
	for i, h := range headings {
		rows[i] = []string{h.name, adviceFor(h.name).text}
	}
	return rows
}
