package importer

import (
	"fmt"
	"io"
	"iter"
	"strings"

	"bascule/internal/conversion"
	"bascule/internal/text"
	"bascule/internal/workbook"
	"bascule/sql"
)

// The fields of a firm's sheet, which begins with fieldNumber too.
const (
	_ field = iota
	fieldCurrent
	fieldNew
	fieldAnswer
	fieldMark
)

// firmHeadings are the columns of a firm's sheet that are read.
var firmHeadings = form{
	numberHeading,
	newHeading("adresse actuelle", true),
	newHeading("nouvelle adresse", true),
	newHeading("réponse", false),
	newHeading("référence", true),
}

// isFirm tells a sheet that a firm filled in.
func (s *sheet) isFirm() bool { return &s.headings[0] == &firmHeadings[0] }

// What a firm may answer beside an address.
const (
	answerKeep    = "garder l’adresse actuelle"
	answerUnknown = "espace inconnu chez nous"
)

// answers reads the lines of a firm's sheet. The signature of a line tells that we gave
// this space to whoever reads the mail of this address: no firm can name another's.
func (f *File) answers(keys *conversion.Keyring) iter.Seq2[sql.Answer, error] {
	return func(yield func(sql.Answer, error) bool) {
		lines, err := f.rows.newAddresses()
		if err != nil {
			yield(sql.Answer{}, err)
			return
		}
		rowsAs(f.rows, func(r row) sql.Answer { return f.rows.answer(r, keys, lines) })(yield)
	}
}

// newAddresses are the lines on which each new address stands, of those on several.
func (s *sheet) newAddresses() (map[string][]string, error) {
	all := make(map[string][]string)
	for r, err := range s.data() {
		if err != nil {
			return nil, err
		}
		if e, err := conversion.ParseEmail(s.text(r, fieldNew)); err == nil {
			all[e.Key()] = append(all[e.Key()], fmt.Sprint(r.line))
		}
	}
	for key, lines := range all {
		if len(lines) == 1 {
			delete(all, key)
		}
	}
	return all, nil
}

func (s *sheet) answer(r row, keys *conversion.Keyring, lines map[string][]string) sql.Answer {
	p := fieldParser{sheet: s, row: r}
	a := sql.Answer{
		Line:    r.line,
		Number:  parse(&p, fieldNumber, conversion.ParseSubscriberNumber),
		Current: parse(&p, fieldCurrent, conversion.ParseEmail),
		New:     parse(&p, fieldNew, parseNewAddress),
	}
	a.Warning = join(hiddenWarning(r), addressWarning(a.New))
	answer := text.Fold(parse(&p, fieldAnswer, func(s string) (string, error) { return s, nil }))
	blame := func(f field, reason string) { p.blame(s.layout.columns[f], reason) }
	shared := lines[a.New.Key()]
	switch {
	case p.reason != "":
	case !keys.VerifyFirm(a.Number, a.Current, text.Trim(s.text(r, fieldMark))):
		blame(fieldMark, "cette ligne n’est pas celle qui a été envoyée au cabinet\u00a0: le numéro, l’adresse actuelle ou la référence a changé")
	case answer == text.Fold(answerUnknown):
		blame(fieldAnswer, "le cabinet ne connaît pas cet espace\u00a0: vérifiez son adresse de contact")
	case answer != "" && answer != text.Fold(answerKeep):
		blame(fieldAnswer, "réponse inconnue\u00a0: choisissez-la dans la liste")
	case answer != "" && !a.New.IsZero():
		blame(fieldAnswer, "une nouvelle adresse et une réponse à la fois\u00a0: gardez l’une des deux")
	case len(shared) > 1:
		blame(fieldNew, "cette nouvelle adresse figure sur plusieurs lignes\u00a0: "+strings.Join(shared[:min(len(shared), 10)], ", "))
	}
	a.Cell, a.Reason = p.cell, p.reason
	return a
}

// parseNewAddress reads an address, or nothing.
func parseNewAddress(s string) (conversion.Email, error) {
	if text.Trim(s) == "" {
		return conversion.Email{}, nil
	}
	return conversion.ParseEmail(s)
}

// FirmKind is what the seal of a firm's workbook says, until the firm fills it in.
const FirmKind = "firm"

// firmFields are the columns of a firm's sheet.
func firmFields(book *workbook.Book, keys *conversion.Keyring) []workbook.Field[sql.SharedSpace] {
	toFill := workbook.Cell{}.In(book.Style(workbook.Style{Format: "@", Paper: "FFF2CC"}))
	blank := func(*sql.SharedSpace) workbook.Cell { return toFill }
	return []workbook.Field[sql.SharedSpace]{
		{Title: "numéro d'abonné", Width: 20, Style: textStyle, Value: func(s *sql.SharedSpace) workbook.Cell { return workbook.Text(string(s.Number)) }},
		{Title: "titulaire", Width: 32, Style: textStyle, Value: func(s *sql.SharedSpace) workbook.Cell { return workbook.Text(s.Holder) }},
		{Title: "certificat valable jusqu’au", Width: 26, Style: dayStyle, Value: func(s *sql.SharedSpace) workbook.Cell { return workbook.Day(s.Expires) }},
		{Title: "adresse actuelle", Width: 42, Style: textStyle, Value: func(s *sql.SharedSpace) workbook.Cell { return workbook.Text(s.Contact.String()) }},
		{Title: "nouvelle adresse", Width: 40, Style: textStyle, Value: blank},
		{Title: "réponse", Width: 28, Style: textStyle, Value: blank},
		{Title: "référence", Width: 26, Style: textStyle, Value: func(s *sql.SharedSpace) workbook.Cell { return workbook.Text(keys.SignFirm(s.Number, s.Contact.Email)) }},
	}
}

// firmAdvices explain the columns that a firm fills in.
var firmAdvices = map[string]workbook.Rule{
	"nouvelle adresse": {Type: "textLength", From: 3, To: 100, Title: "nouvelle adresse",
		Text: "Une adresse électronique par espace, différente pour chacun : 100 caractères au maximum."},
	"réponse": {Type: "list", Title: "réponse", Choices: []string{answerKeep, answerUnknown},
		Text: "À choisir dans la liste, si vous n’indiquez pas de nouvelle adresse."},
}

// WriteFirm writes the workbook that a firm fills in: its own spaces, one on each line.
func WriteFirm(w io.Writer, keys *conversion.Keyring, spaces iter.Seq2[sql.SharedSpace, error]) error {
	book := workbook.New(w, "Espaces")
	writeTable(book, "Espaces", firmFields(book, keys), spaces, firmAdvices,
		"Une adresse électronique pour chaque espace",
		"Ces espaces ont la même adresse. Indiquez une adresse différente pour chacun dans la colonne « nouvelle adresse ».",
		"Ne modifiez pas les autres colonnes, puis renvoyez ce fichier à qui vous l’a envoyé. La feuille « Mode d’emploi » en dit plus.")
	explainFirm(book)
	return book.Close()
}

// explainFirm writes the sheet that explains the other one.
func explainFirm(book *workbook.Book) {
	writeExplanation(book, [2]float64{28, 100}, textStyle, [][]string{
		{"Une adresse électronique pour chaque espace"}, {},
		{"Pourquoi", "Chaque espace abonné est bientôt ouvert par une adresse électronique et un mot de passe, sans certificat."},
		{"", "Une adresse ouvre un seul espace. Les espaces de ce fichier ont la même."},
		{"Nouvelle adresse", "Indiquez l’adresse de la personne qui se sert de l’espace. Elle y reçoit le courriel d’activation."},
		{"", "Laissez la case vide si l’adresse actuelle reste la bonne. Un seul espace peut la garder."},
		{"Réponse", "Si vous n’indiquez pas d’adresse, choisissez dans la liste : « " + answerKeep + " », ou « " + answerUnknown + " »."},
		{"Référence", "Elle prouve que la ligne vient de nous. Une ligne dont la référence a changé est refusée."},
		{"Ce qui est refusé", "Une ligne ajoutée, un autre numéro d’abonné, la même nouvelle adresse sur deux lignes."},
		{"Ensuite", "Enregistrez le fichier au format .xlsx et renvoyez-le. Chaque personne reçoit alors son propre courriel."},
	})
}

// FirmIndexKind is what the seal of an index of firms says.
const FirmIndexKind = "firms"

// A FirmFile is the file for one address.
type FirmFile struct {
	Address conversion.Email
	Spaces  int // that have it
	Name    string
}

// days is on how many days the invitations to an address leave at the least (D16).
func (f FirmFile) days() int {
	return (f.Spaces + conversion.MailsPerAddress - 1) / conversion.MailsPerAddress
}

// WriteFirmIndex writes the workbook that tells which file is for which address.
func WriteFirmIndex(w io.Writer, files iter.Seq2[FirmFile, error]) error {
	book := workbook.New(w, "Adresses")
	writeTable(book, "Adresses", []workbook.Field[FirmFile]{
		{Title: "adresse", Width: 48, Style: textStyle, Value: func(f *FirmFile) workbook.Cell { return workbook.Text(f.Address.String()) }},
		{Title: "espaces", Width: 12, Style: countStyle, Value: func(f *FirmFile) workbook.Cell { return workbook.Number(int64(f.Spaces)) }},
		{Title: "fichier", Width: 28, Style: textStyle, Value: func(f *FirmFile) workbook.Cell { return workbook.Text(f.Name) }},
		{Title: "jours", Width: 12, Style: countStyle, Value: func(f *FirmFile) workbook.Cell { return workbook.Number(int64(f.days())) }},
	}, files, nil)
	return book.Close()
}
