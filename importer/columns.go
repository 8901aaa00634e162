package importer

import (
	"cmp"
	"regexp"
	"slices"
	"strings"

	"bascule/internal/text"
)

// field is one column of a sheet that bascule understands: the index of its heading.
type field int

// The fields of the subscribers' sheet.
const (
	fieldNumber field = iota
	fieldHolder
	fieldEmail
	fieldSerial
	fieldIssuer
	fieldExpiry
	fieldPriority
)

// The fields of the sheet Dossiers, which begins with fieldNumber too.
const (
	_ field = iota
	fieldSIREN
	fieldCompany
	fieldService
)

// heading is the name of a field in a header row, with the rules for its cells.
type heading struct {
	name       string // the name in messages and templates
	required   bool
	identifier bool     // each digit counts
	oneOf      bool     // the sheet needs one of the columns with this mark
	names      []string // further names of this field alone; folded
	folded     string   // the name
}

// A form is the columns of one kind of list, indexed by field.
type form = []heading

// newHeading folds the name once: every row above a header is compared with it.
func newHeading(name string, required bool, names ...string) heading {
	return heading{name: name, required: required, names: names, folded: text.Fold(name)}
}

// newIdentifier is the heading of an identifier of a subscriber, a certificate or a
// company. It is required, and each digit counts.
func newIdentifier(name string, names ...string) heading {
	h := newHeading(name, true, names...)
	h.identifier = true
	return h
}

var numberHeading = newIdentifier("numéro d'abonné",
	"numeroabonne", "ndabonne", "nodabonne", "nabonne", "noabonne", "numabonne", "numdabonne",
	"numerodelabonne", "ndelabonne", "subscribernumber", "subscriberno", "subscriberid")

// subscriberHeadings are the columns of the subscribers' sheet, indexed by field.
var subscriberHeadings = []heading{
	numberHeading,
	newHeading("titulaire", true, "holder", "nomdutitulaire", "titulairedelespace", "titulaireducertificat",
		"nomdutitulaireducertificat", "holdername", "nomettitulaire"),
	newHeading("adresse électronique", true, "email", "mail", "courriel", "adressecourriel", "adresseemail", "adressemail", "mel",
		"adressemel", "emailaddress", "adressedemessagerie", "adressedecourrierelectronique", "courrierelectronique"),
	newIdentifier("numéro de série", "serialnumber", "serial", "ndeserie", "nodeserie", "nserie", "noserie", "numserie", "numdeserie",
		"numeroserie", "numeroseriecertificat", "numerodeseriecertificat", "numerodeserieducertificat", "ndeserieducertificat", "nodeserieducertificat", "certificateserialnumber", "serialno"),
	newHeading("émetteur", false, "issuer", "emetteurducertificat", "autoritedecertification", "certificateissuer", "issuername"),
	newHeading("date d'expiration", true, "expirydate", "expirationdate", "expiration", "expiry", "expires", "expirele",
		"datedexpirationducertificat", "dateexpiration", "datedefindevalidite", "findevalidite", "dateexpirationcertificat",
		"certificateexpirydate", "dateofexpiry", "datedexpirationcertificat"),
	newHeading("priorité", false, "priority", "prioritedenvoi", "rangdepriorite"),
}

// subscriberForms are the lists that an import takes.
var subscriberForms = []form{subscriberHeadings, firmHeadings}

// dossierHeadings are the columns of the sheet Dossiers.
var dossierHeadings = []heading{
	numberHeading,
	newIdentifier("siren", "numerosiren", "nsiren", "nosiren", "sirennumber"),
	newHeading("raison sociale", true, "company", "companyname", "denomination", "denominationsociale", "entreprise", "nomdelentreprise"),
	newHeading("service", false, "services", "serviceenligne", "onlineservice", "servicename"),
}

// dossierSheet is the folded name of the second sheet.
const dossierSheet = "dossiers"

// The columns that a verdict workbook adds, in this order.
var verdictHeadings = []string{"verdict", "motif", "cellule"}

// layout says where the fields are in a sheet.
type layout struct {
	line    int   // of the header row
	columns []int // by field; 0 if the sheet has no such column
	width   int   // last column of the header row
	added   int   // first of the columns that an earlier verdict added, 0 if there are none

	missing, twice []string // names of the columns that are wrong
	garbled        string   // a heading that lost its accents, "" if there is none
}

// matchHeader looks for the fields in a row. A cell with a remark in brackets is the
// heading without the remark, unless another cell is that heading.
func matchHeader(r row, headings []heading) layout {
	l := layout{line: r.line, columns: make([]int, len(headings)), added: findAdded(r)}
	var bracketed []cell
	for _, c := range r.cells {
		if l.isAdded(c.column) {
			continue
		}
		l.width = c.column
		if f := fieldOf(headings, c.text); f >= 0 {
			l.put(headings, f, c.column)
		} else if len(c.text) <= maxHeading {
			l.garbled = cmp.Or(l.garbled, wrongAccents(c.text))
			if strings.ContainsAny(c.text, "([{") {
				bracketed = append(bracketed, c)
			}
		}
	}
	exact := slices.Clone(l.columns)
	for _, c := range bracketed {
		if f := fieldOf(headings, inBrackets.ReplaceAllString(c.text, " ")); f >= 0 && exact[f] == 0 {
			l.put(headings, f, c.column)
		}
	}
	var choice []string
	chosen := false
	for f, h := range headings {
		if h.required && l.columns[f] == 0 {
			l.missing = append(l.missing, h.name)
		}
		if h.oneOf {
			choice, chosen = append(choice, h.name), chosen || l.columns[f] != 0
		}
	}
	if len(choice) > 0 && !chosen {
		l.missing = append(l.missing, strings.Join(choice, " / "))
	}
	return l
}

// inBrackets is a remark such as "(obligatoire)".
var inBrackets = regexp.MustCompile(`\([^)]*\)|\[[^\]]*\]|\{[^}]*\}`)

// fieldOf is the field that a cell names, -1 if it names none.
func fieldOf(headings []heading, cell string) int {
	folded := foldHeading(cell)
	return slices.IndexFunc(headings, func(h heading) bool {
		return folded != "" && (folded == h.folded || slices.Contains(h.names, folded))
	})
}

// put gives a column to a field. A field that has a column already is named twice.
func (l *layout) put(headings []heading, f, column int) {
	if l.columns[f] != 0 {
		l.twice = append(l.twice, headings[f].name)
		return
	}
	l.columns[f] = column
}

// findAdded finds verdict, motif and cellule side by side.
func findAdded(r row) int {
	named := func(c cell, heading string) bool { return foldHeading(c.text) == heading }
	n := len(verdictHeadings)
	for i := 0; i+n <= len(r.cells); i++ {
		cells := r.cells[i : i+n]
		if cells[n-1].column == cells[0].column+n-1 && slices.EqualFunc(cells, verdictHeadings, named) {
			return cells[0].column
		}
	}
	return 0
}

func (l *layout) isAdded(column int) bool {
	return l.added > 0 && column >= l.added && column < l.added+len(verdictHeadings)
}

// found is how many fields the row names.
func (l *layout) found() int { return len(l.used()) }

// used lists the columns of all fields that the sheet has.
func (l *layout) used() []int {
	return slices.DeleteFunc(slices.Clone(l.columns), func(c int) bool { return c == 0 })
}

// complain refuses a sheet whose header row is incomplete or ambiguous.
func (l *layout) complain(sheet string) error {
	switch {
	case len(l.missing) > 0 && l.found() == 0:
		return refuse("no header row was found on sheet %q: the columns needed are %s", "aucune ligne d’en-tête trouvée dans la feuille « %s » : il faut les colonnes %s",
			text.Excerpt(sheet), strings.Join(l.missing, ", "))
	case len(l.missing) > 0 && l.garbled != "":
		return refuse("sheet %q lacks a column: %s; headings look as if read in a wrong encoding (%s): save the file as CSV UTF-8",
			"il manque une colonne dans la feuille « %s » : %s. Des en-têtes ont perdu leurs accents (%s) : enregistrez le fichier au format CSV UTF-8",
			text.Excerpt(sheet), strings.Join(l.missing, ", "), l.garbled)
	case len(l.missing) > 0:
		return refuse("sheet %q lacks a column: %s", "il manque une colonne dans la feuille « %s » : %s", text.Excerpt(sheet), strings.Join(l.missing, ", "))
	case len(l.twice) > 0:
		return refuse("sheet %q has a column twice: %s", "une colonne figure deux fois dans la feuille « %s » : %s", text.Excerpt(sheet), strings.Join(l.twice, ", "))
	}
	return nil
}

// maxHeading is the most bytes of a heading. A longer cell is no heading, and folding
// it would cost more than reading it.
const maxHeading = 200

// foldHeading is text.Fold for cells of any row; "" for a cell that is no heading.
func foldHeading(cell string) string {
	if len(cell) > maxHeading {
		return ""
	}
	return text.Fold(cell)
}
