// Package sample writes lists of fictitious subscribers in the form that an
// administrator hands in. They serve for a first look, for demonstrations and for
// measurements.
package sample

import (
	"cmp"
	"encoding/csv"
	"encoding/hex"
	"fmt"
	"io"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"bascule/internal/text"
	"bascule/internal/workbook"
)

// Issuer is the issuer of the certificates: an authority that does not exist.
const Issuer = "CN=AC Exemple Professionnels, O=Autorité de certification d'exemple, C=FR"

// Rows is enough for a first look.
const Rows = 60

// MaxRows is how many rows fit on a sheet below its header.
const MaxRows = 1_048_000

// Write writes a workbook of fictitious subscribers, with their companies on a
// second sheet. The same rows and seed give the same cells. About one row in a
// hundred must be rejected; up to 200 rows, the last eight show one reason each.
func Write(w io.Writer, rows int, seed int64) error {
	return write(w, sample{rows: rows, seed: uint64(seed)}, sample.writePeople, sample.writeCompanies)
}

// WriteList writes the workbook of Write without the companies.
func WriteList(w io.Writer, rows int, seed int64) error {
	return write(w, sample{rows: rows, seed: uint64(seed)}, sample.writePeople)
}

func write(w io.Writer, s sample, sheets ...func(sample, *workbook.Book)) error {
	book := workbook.New(w, peopleSheet)
	for _, sheet := range sheets {
		sheet(s, book)
	}
	if err := book.Close(); err != nil {
		return fmt.Errorf("sample workbook: %w", err)
	}
	return nil
}

// WriteCSV writes the subscribers of Write as CSV in UTF-8 with ";". CSV has no
// formulas and no second sheet.
func WriteCSV(w io.Writer, rows int, seed int64) error {
	s := sample{rows: rows, seed: uint64(seed)}
	out := csv.NewWriter(w)
	out.Comma = ';'
	out.Write(names(peopleColumns))
	for i := range rows {
		r := s.row(i)
		out.Write([]string{r.number, r.holder, r.email, r.serial, r.issuer, r.date()})
	}
	out.Flush()
	if err := out.Error(); err != nil {
		return fmt.Errorf("sample CSV: %w", err)
	}
	return nil
}

// heading is a column, with its width in characters.
type heading struct {
	name  string
	width float64
}

// The columns of both sheets.
var (
	peopleColumns = []heading{{"numéro d'abonné", 18}, {"titulaire", 30}, {"adresse électronique", 36}, {"numéro de série", 30}, {"émetteur", 36}, {expiry, 18}}
	firmColumns   = []heading{{"numéro d'abonné", 18}, {"siren", 18}, {"raison sociale", 30}, {"service", 18}}
)

const expiry = "date d'expiration"

func names(headings []heading) []string {
	list := make([]string, len(headings))
	for i, h := range headings {
		list[i] = h.name
	}
	return list
}

type sample struct {
	rows int
	seed uint64
}

// subscriber is one row; a defect changes one of its cells.
type subscriber struct {
	number, holder, email, serial, issuer string
	expires                               time.Time
	defect                                defect
}

// date is the expiry date as text.
func (r subscriber) date() string {
	if r.defect == noDate {
		return "fin 2027"
	}
	return r.expires.Format("02/01/2006")
}

type defect int

// The defects of rows that must be rejected or that repeat another row.
const (
	noDefect defect = iota
	badEmail
	noHolder
	badSerial
	otherTwin // the number of another row, with other contents
	sameTwin  // the same as another row
	emailFormula
	digitsGone
	noDate
	defects = iota - 1
)

// twin is how many rows above its twin a repeated row is.
const twin = 12

func (s sample) defectOf(i int) defect {
	switch {
	case s.rows < 2*twin:
		return noDefect
	case s.rows <= 200:
		return defect(max(0, i-(s.rows-defects)+1))
	case i%100 == 99:
		return defect(i/100%defects + 1)
	}
	return noDefect
}

// row is the i-th subscriber. Rows do not depend on each other.
func (s sample) row(i int) subscriber {
	r := s.sound(i)
	switch r.defect = s.defectOf(i); r.defect {
	case badEmail:
		r.email = strings.Replace(r.email, "@", " chez ", 1)
	case noHolder:
		r.holder = ""
	case badSerial:
		r.serial = "N° " + r.serial
	case otherTwin:
		r.number = s.sound(i - twin).number
	case sameTwin:
		r = s.sound(i - twin)
	case emailFormula:
		r.email = `=CONCATENATE("` + strings.Replace(r.email, "@", `","@","`, 1) + `")`
	case digitsGone:
		r.number = "1.23456789012346E+17"
	}
	return r
}

var (
	firstNames = []string{"Amélie", "Benoît", "Chloé", "Dominique", "Éléonore", "François", "Gaëlle", "Hervé", "Inès", "Jean-Loup",
		"Karim", "Laëtitia", "Maëlys", "Noémie", "Océane", "Pierre-Yves", "Quentin", "Raphaël", "Séverine", "Théo", "Ursule",
		"Valérie", "Wassila", "Xavier", "Yaël", "Zoé", "Łukasz", "Şebnem", "Đorđe", "Ελένη", "Nguyễn", "Дарья"}
	lastNames = []string{"Abadie", "Bélanger", "Cœurdevey", "D'Alméida", "Étienne", "Fournier-Lévêque", "Garçon", "Hâtier", "Íñiguez",
		"Jouët", "Kervadec", "L'Hénoret", "Müller", "Noël", "O'Connor", "Père", "Quéré", "Roßmann", "Señor", "Trévoux", "Ullmann",
		"Vœgelin", "Wójcik", "Ximénès", "Yılmaz", "Żeleńska", "Παππάς", "Левина", "Le Goff", "de La Tour", "Saint-Exupère", "Van den Broeck"}
	firms = []string{"Atelier du Lavoir", "Boulangerie Pétrin d'Or", "Cabinet Mésange", "Délices & Cie", "Électricité Générale du Val",
		"Fonderie Saint-Éloi", "Garage de l'Écluse", "Hôtel des Œillets", "Imprimerie Nègrepont", "Jardins d'Hélène", "Société Łódź Import"}
	services = []string{"TVA", "Paiement", "Compte fiscal", "Impôt sur les sociétés", "CFE", "Taxe sur les salaires"}
)

// sound is the i-th subscriber without its defect.
func (s sample) sound(i int) subscriber {
	rnd := rand.New(rand.NewPCG(s.seed, uint64(i)))
	holder := pick(rnd, firstNames) + " " + pick(rnd, lastNames)
	r := subscriber{
		number:  fmt.Sprintf("%08d", (uint64(i)*61_803_399+s.seed%100_000_000)%100_000_000), // no factor in common: no number comes twice
		holder:  holder,
		email:   fmt.Sprintf("%s.%d@%s.example", localPart(holder), i+1, localPart(pick(rnd, firms))),
		serial:  serialOf(rnd, i),
		issuer:  Issuer,
		expires: time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, rnd.IntN(212)), // to the end of June 2027
	}
	switch i % 60 {
	case 3, 4, 5: // colleagues who share an address (D2), which is that of no other list
		r.email = fmt.Sprintf("cabinet.%d@expertise-comptable.example", uint64(i/60+1)+(s.seed-1)%1_000*1_000_000)
	case 20:
		r.issuer = ""
	case 30, 31:
		r.number = fmt.Sprintf("PRO%s", r.number)
	}
	return r
}

func pick(rnd *rand.Rand, list []string) string { return list[rnd.IntN(len(list))] }

// serialOf writes 16 octets in the form of programs that show certificates.
func serialOf(rnd *rand.Rand, i int) string {
	var b [16]byte
	for j := range b {
		b[j] = byte(rnd.Uint32())
	}
	b[0] |= 0x40
	text := hex.EncodeToString(b[:])
	switch i % 4 {
	case 1:
		return strings.ToUpper(text)
	case 2:
		return strings.Trim(fmt.Sprintf("% X", b), " ")
	case 3:
		return strings.ReplaceAll(fmt.Sprintf("% x", b), " ", ":")
	}
	return text
}

// localPart makes a part of an address from a name: its words that have a form in
// ASCII, with hyphens.
func localPart(name string) string {
	var words []string
	for _, word := range strings.FieldsFunc(name, func(r rune) bool { return r == ' ' || r == '-' }) {
		if word = text.Fold(word); word != "" && text.IsASCII(word) {
			words = append(words, word)
		}
	}
	return cmp.Or(strings.Join(words, "-"), "contact")
}

const peopleSheet, companySheet = "Abonnés", "Dossiers"

// headerLine is the line of the header, below a title.
const headerLine = 3

// begin begins a sheet with a title and a header.
func begin(book *workbook.Book, name, title string, headings []heading) *workbook.Sheet {
	layout := workbook.Layout{Frozen: headerLine}
	for _, h := range headings {
		column := workbook.Column{Width: h.width, Style: workbook.Style{Format: "@"}}
		if h.name == expiry {
			column.Style.Format = "dd/mm/yyyy"
		}
		layout.Columns = append(layout.Columns, column)
	}
	out := book.Sheet(name, layout)
	out.Texts(1, workbook.Style{Bold: true, Size: 14}, title)
	out.Texts(headerLine, workbook.Style{Format: "@", Bold: true, Ink: "FFFFFF", Paper: "1F3864"}, names(headings)...)
	return out
}

func (s sample) writePeople(book *workbook.Book) {
	out := begin(book, peopleSheet, "Certificats qui expirent : liste d'exemple, personnes et sociétés fictives", peopleColumns)
	for i := range s.rows {
		out.Row(headerLine+1+i, 0)
		for j, c := range s.cells(s.row(i), i) {
			out.Put(j+1, c)
		}
	}
	out.End()
}

// cells are the cells of a row: texts, real dates, and now and then a number, as
// somebody would type it.
func (s sample) cells(r subscriber, i int) [6]workbook.Cell {
	row := [...]workbook.Cell{workbook.Text(r.number), workbook.Text(r.holder), workbook.Text(r.email), workbook.Text(r.serial),
		workbook.Text(r.issuer), workbook.Day(r.expires)}
	switch {
	case r.defect == emailFormula:
		row[2] = workbook.Formula(r.email[1:], s.sound(i).email)
	case r.defect == digitsGone:
		row[0] = workbook.Decimal(1.23456789012346e17)
	case r.defect == noDate:
		row[5] = workbook.Text(r.date())
	case r.number[0] >= '1' && r.number[0] <= '9' && i%3 == 0:
		n, _ := strconv.ParseInt(r.number, 10, 64) // eight digits
		row[0] = workbook.Number(n)
	}
	return row
}

// writeCompanies writes the sheet Dossiers. Every tenth subscriber has no company,
// three in ten have several.
func (s sample) writeCompanies(book *workbook.Book) {
	out := begin(book, companySheet, "Entreprises et services des espaces", firmColumns)
	line := headerLine
	for i := range s.rows {
		r := s.row(i)
		if r.defect != noDefect {
			continue
		}
		for _, c := range s.companies(i) {
			line++
			out.Texts(line, workbook.Style{}, r.number, c[0], c[1], c[2])
		}
	}
	out.End()
}

// manyRows is the size beyond which each subscriber has one company at most, so that the
// second sheet does not overflow.
const manyRows = 200_000

// companies are the rows of one subscriber: SIREN, name, service.
func (s sample) companies(i int) (rows [][3]string) {
	rnd := rand.New(rand.NewPCG(s.seed^0xd0551e5, uint64(i)))
	companies, most := 1, 3
	switch {
	case i%10 == 0:
		return nil
	case s.rows > manyRows:
		most = 1
	case i%10 >= 7:
		companies = 2 + rnd.IntN(3)
	}
	for c := range companies {
		siren := fmt.Sprintf("%09d", (uint64(i*5+c)*618_033_989+312_456_789)%1_000_000_000)
		name := fmt.Sprintf("%s %d", pick(rnd, firms), i+1)
		first := rnd.IntN(len(services))
		for k := range 1 + rnd.IntN(most) {
			rows = append(rows, [3]string{siren, name, services[(first+k)%len(services)]})
		}
	}
	return rows
}
