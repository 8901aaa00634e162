package importer

import (
	"bufio"
	"encoding/csv"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"time"
	"unicode"

	"github.com/xuri/excelize/v2"
	"golang.org/x/text/unicode/norm"

	"bascule/importer/xlsx"
)

// SampleIssuer is the issuer of the sample's certificates: an authority that
// does not exist.
const SampleIssuer = "CN=AC Exemple Professionnels, O=Autorité de certification d'exemple, C=FR"

// SampleRows is a good size for a first look.
const SampleRows = 60

// MaxSampleRows is what fits on a sheet below its header.
const MaxSampleRows = 1_048_000

// WriteSample writes a workbook of fictitious subscribers, with their companies
// on a second sheet. The same rows and seed give the same cells. About one row
// in a hundred must be rejected; up to 200 rows, the last eight show one
// reason each.
func WriteSample(w io.Writer, rows int, seed int64) (err error) {
	book := excelize.NewFile()
	defer func() { err = errors.Join(err, book.Close()) }()
	s := sample{rows: rows, seed: uint64(seed)}
	if err := s.fill(book); err != nil {
		return fmt.Errorf("sample workbook: %w", err)
	}
	if err := writeBook(w, book); err != nil {
		return fmt.Errorf("sample workbook: %w", err)
	}
	return nil
}

// WriteSampleCSV writes the subscribers of WriteSample as CSV in UTF-8 with ";".
// CSV has no formulas and no second sheet.
func WriteSampleCSV(w io.Writer, rows int, seed int64) error {
	s := sample{rows: rows, seed: uint64(seed)}
	buffered := bufio.NewWriter(w)
	out := csv.NewWriter(buffered)
	out.Comma = ';'
	out.Write(headingNames(subscriberHeadings))
	for i := range rows {
		r := s.row(i)
		out.Write([]string{r.number, r.holder, r.email, r.serial, r.issuer, r.date()})
	}
	out.Flush()
	if err := errors.Join(out.Error(), buffered.Flush()); err != nil {
		return fmt.Errorf("sample CSV: %w", err)
	}
	return nil
}

func headingNames(headings []heading) []string {
	names := make([]string, len(headings))
	for i, h := range headings {
		names[i] = h.name
	}
	return names
}

type sample struct {
	rows int
	seed uint64
}

// sampleRow is one subscriber; a defect changes one of its cells.
type sampleRow struct {
	number, holder, email, serial, issuer string
	expires                               time.Time
	defect                                defect
}

// date is the expiry date as text.
func (r sampleRow) date() string {
	if r.defect == noDate {
		return "fin 2027"
	}
	return r.expires.Format("02/01/2006")
}

type defect int

// What is wrong with the rows that must be rejected, or are there twice.
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

// twin is how far above the row stands that a twin repeats.
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
func (s sample) row(i int) sampleRow {
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
func (s sample) sound(i int) sampleRow {
	rnd := rand.New(rand.NewPCG(s.seed, uint64(i)))
	holder := pick(rnd, firstNames) + " " + pick(rnd, lastNames)
	r := sampleRow{
		number:  fmt.Sprintf("%08d", (uint64(i)*61_803_399+s.seed%100_000_000)%100_000_000), // no factor in common: no number comes twice
		holder:  holder,
		email:   fmt.Sprintf("%s.%d@%s.example", localPart(holder), i+1, localPart(pick(rnd, firms))),
		serial:  serialOf(rnd, i),
		issuer:  SampleIssuer,
		expires: time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, rnd.IntN(212)), // to the end of June 2027
	}
	switch i % 60 {
	case 3, 4, 5: // colleagues who share an address (D2)
		r.email = fmt.Sprintf("cabinet.%d@expertise-comptable.example", i/60+1)
	case 20:
		r.issuer = ""
	case 30, 31:
		r.number = fmt.Sprintf("PRO%s", r.number)
	}
	return r
}

func pick(rnd *rand.Rand, list []string) string { return list[rnd.IntN(len(list))] }

// serialOf writes 16 octets as the programs that show certificates do.
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

// localPart makes ASCII letters and dots of a name.
func localPart(name string) string {
	var b strings.Builder
	for _, r := range norm.NFKD.String(strings.NewReplacer("œ", "oe", "Œ", "oe", "ß", "ss", "ł", "l", "Ł", "l", "đ", "d", "Đ", "d", "ı", "i").Replace(name)) {
		switch {
		case r < unicode.MaxASCII && unicode.IsLetter(r):
			b.WriteRune(unicode.ToLower(r))
		case unicode.IsSpace(r) || r == '-':
			b.WriteByte('-')
		}
	}
	if local := strings.Trim(strings.ReplaceAll(b.String(), "--", "-"), "-"); local != "" {
		return local
	}
	return "contact"
}

func (s sample) fill(book *excelize.File) error {
	const people, companies = "Abonnés", "Dossiers"
	if err := book.SetSheetName(book.GetSheetName(0), people); err != nil {
		return err
	}
	if _, err := book.NewSheet(companies); err != nil {
		return err
	}
	styles, err := newListStyles(book)
	if err != nil {
		return err
	}
	if err := s.fillPeople(book, people, styles); err != nil {
		return err
	}
	return s.fillCompanies(book, companies, styles)
}

func (s sample) fillPeople(book *excelize.File, name string, styles listStyles) error {
	out, err := startList(book, name, subscriberHeadings, styles, "Certificats qui expirent : liste d'exemple, personnes et sociétés fictives")
	if err != nil {
		return err
	}
	for i := range s.rows {
		if err := out.SetRow(xlsx.CellName(1, i+4), s.cells(s.row(i), i, styles)); err != nil {
			return err
		}
	}
	return out.Flush()
}

// cells are what a workbook holds of a row: texts, real dates, now and then a
// number as somebody typed it.
func (s sample) cells(r sampleRow, i int, styles listStyles) []any {
	text := func(v string) any { return excelize.Cell{StyleID: styles.text, Value: v} }
	row := []any{text(r.number), text(r.holder), text(r.email), text(r.serial), text(r.issuer),
		excelize.Cell{StyleID: styles.date, Value: r.expires}}
	switch {
	case r.defect == emailFormula:
		row[2] = excelize.Cell{Formula: r.email[1:], Value: s.sound(i).email}
	case r.defect == digitsGone:
		row[0] = 1.23456789012346e17
	case r.defect == noDate:
		row[5] = r.date()
	case r.number[0] >= '1' && r.number[0] <= '9' && i%3 == 0:
		var n int
		fmt.Sscan(r.number, &n)
		row[0] = n
	}
	return row
}

// fillCompanies writes the sheet Dossiers: nothing for every tenth subscriber,
// several companies for three in ten.
func (s sample) fillCompanies(book *excelize.File, name string, styles listStyles) error {
	out, err := startList(book, name, dossierHeadings, styles, "Entreprises et services des espaces")
	if err != nil {
		return err
	}
	line := 4
	for i := range s.rows {
		r := s.row(i)
		if r.defect != noDefect {
			continue
		}
		for _, c := range s.companies(i) {
			row := []any{r.number, c[0], c[1], c[2]}
			for j, text := range row {
				row[j] = excelize.Cell{StyleID: styles.text, Value: text}
			}
			if err := out.SetRow(xlsx.CellName(1, line), row); err != nil {
				return err
			}
			line++
		}
	}
	return out.Flush()
}

// manyRows is the size from which everyone has one company at most, so that the
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
