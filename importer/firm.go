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
		for a, err := range rowsAs(f.rows, func(r row) sql.Answer { return f.rows.answer(r, keys, lines) }) {
			if !yield(a, err) {
				return
			}
		}
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
		Warning: hiddenWarning(r),
	}
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

// firmColumns are those of a firm's sheet.
var firmColumns = []struct {
	title string
	width float64
	rule  workbook.Rule
}{
	{"numéro d'abonné", 20, workbook.Rule{}},
	{"titulaire", 32, workbook.Rule{}},
	{"certificat valable jusqu’au", 26, workbook.Rule{}},
	{"adresse actuelle", 42, workbook.Rule{}},
	{"nouvelle adresse", 40, workbook.Rule{Type: "textLength", From: 3, To: 100, Title: "nouvelle adresse",
		Text: "Une adresse électronique par espace, différente pour chacun : 100 caractères au maximum."}},
	{"réponse", 28, workbook.Rule{Type: "list", Title: "réponse", Choices: []string{answerKeep, answerUnknown},
		Text: "À choisir dans la liste, si vous n’indiquez pas de nouvelle adresse."}},
	{"référence", 26, workbook.Rule{}},
}

// firmHead is how many lines stand above the spaces of a firm.
const firmHead = 5

// WriteFirm writes the workbook that a firm fills in: its own spaces, one on each line.
func WriteFirm(w io.Writer, keys *conversion.Keyring, spaces iter.Seq2[sql.SharedSpace, error]) error {
	book, err := workbook.New(w, "Espaces")
	if err != nil {
		return err
	}
	title, header := book.Style(workbook.Style{Bold: true, Size: 14}), book.Style(headerStyle)
	words, day := book.Style(workbook.Style{Format: "@"}), book.Style(workbook.Style{Format: "dd/mm/yyyy"})
	toFill := book.Style(workbook.Style{Format: "@", Paper: "FFF2CC"})
	layout, titles := workbook.Layout{Frozen: firmHead, Header: firmHead}, []string{}
	for i, c := range firmColumns {
		style := words
		if i == 2 {
			style = day
		}
		layout.Columns, titles = append(layout.Columns, workbook.Column{Width: c.width, Style: style, Rule: c.rule}), append(titles, c.title)
	}
	out, err := book.Sheet("Espaces", layout)
	if err != nil {
		return err
	}
	for i, line := range []string{
		"Une adresse électronique pour chaque espace",
		"Ces espaces ont la même adresse. Indiquez une adresse différente pour chacun dans la colonne « nouvelle adresse ».",
		"Ne modifiez pas les autres colonnes, puis renvoyez ce fichier à qui vous l’a envoyé. La feuille « Mode d’emploi » en dit plus.",
	} {
		style := words
		if i == 0 {
			style = title
		}
		if err := out.Texts(i+1, style, line); err != nil {
			return err
		}
	}
	if err := out.Texts(firmHead, header, titles...); err != nil {
		return err
	}
	line := firmHead
	for s, err := range spaces {
		if err != nil {
			return err
		}
		line++
		if err := out.Row(line); err != nil {
			return err
		}
		for i, c := range []workbook.Cell{
			workbook.Text(string(s.Number)), workbook.Text(s.Holder), workbook.Day(s.Expires), workbook.Text(s.Contact.String()), {}, {},
			workbook.Text(keys.SignFirm(s.Number, s.Contact)),
		} {
			out.Put(i+1, c.In([]int{0, 0, 0, 0, toFill, toFill, 0}[i]))
		}
	}
	if err := out.Close(); err != nil {
		return err
	}
	if err := explainFirm(book, title, words); err != nil {
		return err
	}
	return book.Close()
}

// explainFirm writes the sheet that explains the other one.
func explainFirm(book *workbook.Book, title, words int) error {
	out, err := book.Sheet("Mode d’emploi", workbook.Layout{Columns: []workbook.Column{{Width: 28, Style: words}, {Width: 100, Style: words}}})
	if err != nil {
		return err
	}
	for i, texts := range [][]string{
		{"Une adresse électronique pour chaque espace"}, {},
		{"Pourquoi", "Chaque espace abonné est bientôt ouvert par une adresse électronique et un mot de passe, sans certificat."},
		{"", "Une adresse ouvre un seul espace. Les espaces de ce fichier ont la même."},
		{"Nouvelle adresse", "Indiquez l’adresse de la personne qui se sert de l’espace. Elle y reçoit le courriel d’activation."},
		{"", "Laissez la case vide si l’adresse actuelle reste la bonne. Un seul espace peut la garder."},
		{"Réponse", "Si vous n’indiquez pas d’adresse, choisissez dans la liste : « " + answerKeep + " », ou « " + answerUnknown + " »."},
		{"Référence", "Elle prouve que la ligne vient de nous. Une ligne dont la référence a changé est refusée."},
		{"Ce qui est refusé", "Une ligne ajoutée, un autre numéro d’abonné, la même nouvelle adresse sur deux lignes."},
		{"Ensuite", "Enregistrez le fichier au format .xlsx et renvoyez-le. Chaque personne reçoit alors son propre courriel."},
	} {
		style := 0
		if len(texts) == 1 {
			style = title
		}
		if err := out.Texts(i+1, style, texts...); err != nil {
			return err
		}
	}
	return out.Close()
}

// FirmIndexKind is what the seal of an index of firms says.
const FirmIndexKind = "firms"

// A FirmIndex is the workbook that tells which file is for which address.
type FirmIndex struct {
	book *workbook.Book
	out  *workbook.Sheet
	line int
}

// NewFirmIndex begins the index.
func NewFirmIndex(w io.Writer) (*FirmIndex, error) {
	book, err := workbook.New(w, "Adresses")
	if err != nil {
		return nil, err
	}
	words, number := book.Style(workbook.Style{Format: "@"}), book.Style(workbook.Style{Format: "0"})
	out, err := book.Sheet("Adresses", workbook.Layout{Frozen: 1, Header: 1, Columns: []workbook.Column{
		{Width: 48, Style: words}, {Width: 12, Style: number}, {Width: 28, Style: words}, {Width: 12, Style: number}}})
	if err != nil {
		return nil, err
	}
	return &FirmIndex{book, out, 1}, out.Texts(1, book.Style(headerStyle), "adresse", "espaces", "fichier", "jours")
}

// Add adds a file, which is for an address that so many spaces have, and on how many
// days their invitations leave at the least.
func (x *FirmIndex) Add(address conversion.Email, spaces int, file string, days int) error {
	x.line++
	if err := x.out.Row(x.line); err != nil {
		return err
	}
	for i, c := range []workbook.Cell{workbook.Text(address.String()), workbook.Number(int64(spaces)), workbook.Text(file), workbook.Number(int64(days))} {
		x.out.Put(i+1, c)
	}
	return nil
}

// Close ends the index. It does not close the writer.
func (x *FirmIndex) Close() error {
	if err := x.out.Close(); err != nil {
		return err
	}
	return x.book.Close()
}

// notFirm refuses a file of another kind where a firm's is wanted.
func (f *File) notFirm() error {
	if f.rows.isFirm() {
		return nil
	}
	return refuse("the sheet %q is none that was made for a firm: its columns are other ones", "la feuille « %s » n’a pas été faite pour un cabinet : elle a d’autres colonnes",
		text.Excerpt(f.Sheet))
}

// firmColumnsOf are where the fields stand that a verdict may point at.
func (s *sheet) firmColumnsOf() sql.Columns {
	return sql.Columns{Number: s.letters(fieldNumber), Email: s.letters(fieldNew), Serial: s.letters(fieldNumber)}
}
