package importer

import (
	"cmp"
	"regexp"
	"strings"

	"bascule/importer/xlsx"
	"bascule/internal/text"
)

// warnAddresses warns of other columns that have addresses by their heading, such as a
// former or a new one: somebody must know which of them is mailed.
func (f *File) warnAddresses() error {
	l := f.rows.layout
	for r, err := range f.rows.all() {
		if err != nil {
			return err
		}
		if r.line < l.line {
			continue
		}
		for _, c := range r.cells {
			if c.column != l.columns[fieldEmail] && !l.isAdded(c.column) && otherAddress.MatchString(foldHeading(c.text)) {
				f.warn("column %s (%s) is not read: addresses are taken from column %s", "la colonne %s (%s) n’est pas lue\u00a0: les adresses sont celles de la colonne %s",
					xlsx.ColumnName(c.column), text.Excerpt(c.text), f.rows.letters(fieldEmail))
			}
		}
		return nil
	}
	return nil
}

// otherAddress is a folded heading that tells of an address.
var otherAddress = regexp.MustCompile(`email|courriel|adresse(?:mail|electronique)`)

// maxDates is how many rows are looked at for their dates: enough to know a list.
const maxDates = 1000

// enoughDates is how many dates of each kind make a rule of what may be chance.
const enoughDates = 5

// warnDates warns of a list in which day and month have changed places. A spreadsheet
// program that reads the dates of another language leaves those as texts whose first part
// is no day of its own language, and exchanges day and month of all others.
func (f *File) warnDates() error {
	var typed, computed struct{ certain, doubtful, american int } // texts and numbers
	looked, first := 0, ""                                        // the first doubtful cell
	for r, err := range f.rows.data() {
		if err != nil {
			return err
		}
		if looked++; looked > maxDates {
			break
		}
		c := r.at(f.rows.layout.columns[fieldExpiry])
		kind := &typed
		if c.style != 0 {
			kind = &computed
		}
		shown := text.Trim(c.text)
		date, err := parseExpiry(shown)
		switch {
		case err != nil && americanDate.MatchString(shown):
			kind.american++
		case err != nil:
		case date.Day() > 12 || !strings.Contains(shown, "/"):
			kind.certain++
		case date.Day() != int(date.Month()):
			kind.doubtful++
			first = cmp.Or(first, xlsx.CellName(c.column, r.line))
		}
	}
	american := typed.american > 0 && typed.certain+computed.certain == 0 && first != ""
	exchanged := typed.certain >= enoughDates && typed.doubtful == 0 && computed.doubtful >= enoughDates && computed.certain == 0
	if american || exchanged {
		f.warn("day and month seem to have changed places in dates of column %s, the first at %s: compare them with your source",
			"le jour et le mois semblent inversés dans des dates de la colonne %s, la première en %s\u00a0: comparez-les à votre fichier d’origine", f.rows.letters(fieldExpiry), first)
	}
	return nil
}

// americanDate is a date whose second part is no month.
var americanDate = regexp.MustCompile(`^(?:0?[1-9]|1[0-2])/(?:1[3-9]|2\d|3[01])/\d{4}(?:\D|$)`)

// serialWarning warns of a serial number in bytes that lost a leading zero. Some programs
// write 4a:1:fe for 4a:01:fe, which is another number.
func serialWarning(typed string) string {
	groups := strings.FieldsFunc(text.Trim(typed), func(r rune) bool { return r == ':' || r == ' ' })
	short := false
	for i, group := range groups {
		if len(group) > 2 {
			return ""
		}
		short = short || i > 0 && len(group) == 1
	}
	if short && len(groups) > 2 {
		return "attention\u00a0: le numéro de série a des groupes d’un seul chiffre, un zéro s’est peut-être perdu"
	}
	return ""
}
