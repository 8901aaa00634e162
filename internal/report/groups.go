package report

import (
	"fmt"
	"iter"
	"slices"

	"bascule/internal/workbook"
)

// The sheets of the groups.
const (
	daySheet    = "Par jour"
	monthSheet  = "Par échéance"
	domainSheet = "Par messagerie"
	issuerSheet = "Par émetteur"
)

// maxGroups is how many domains and issuers are listed; the others are added up.
const maxGroups = 20

// groups are the groups of spaces that the report lists.
type groups struct {
	all                        Spaces
	months, domains, issuers   []Spaces
	otherDomains, otherIssuers others
}

// others adds up the groups that are not listed.
type others struct {
	Spaces
	groups int
}

func gather(spaces iter.Seq2[Spaces, error]) (g groups, err error) {
	if spaces == nil {
		return g, nil
	}
	for s, err := range spaces {
		if err != nil {
			return g, err
		}
		switch s.Kind {
		case AllSpaces:
			g.all = s
		case ByMonth:
			g.months = append(g.months, s)
		case ByDomain:
			g.domains = g.otherDomains.keep(g.domains, s)
		case ByIssuer:
			g.issuers = g.otherIssuers.keep(g.issuers, s)
		}
	}
	return g, nil
}

// keep adds a group to the largest, which are in order, and adds the group that drops
// out to the others. Memory does not grow with the groups (I8).
func (o *others) keep(largest []Spaces, s Spaces) []Spaces {
	at, _ := slices.BinarySearchFunc(largest, s, func(a, b Spaces) int {
		if a.Spaces >= b.Spaces {
			return -1
		}
		return 1
	})
	largest = slices.Insert(largest, at, s)
	if len(largest) > maxGroups {
		o.add(largest[maxGroups])
		largest = largest[:maxGroups]
	}
	return largest
}

func (o *others) add(s Spaces) {
	o.groups++
	o.Spaces.Spaces += s.Spaces
	o.Invited += s.Invited
	o.Switched += s.Switched
	o.ToInvite += s.ToInvite
	o.Open += s.Open
	o.Late += s.Late
	o.Unreachable += s.Unreachable
	o.Cancelled += s.Cancelled
}

// fates are the parts of all spaces, with their names in the summary.
var fates = [...]struct {
	title string
	count func(*Spaces) int
}{
	{"Sans certificat", func(s *Spaces) int { return s.Switched }},
	{"En attente de l’abonné, code valable", func(s *Spaces) int { return s.Open }},
	{"Pas encore invités", func(s *Spaces) int { return s.ToInvite }},
	{"Délai dépassé", func(s *Spaces) int { return s.Late }},
	{"Injoignables", func(s *Spaces) int { return s.Unreachable }},
	{"Demande annulée", func(s *Spaces) int { return s.Cancelled }},
}

func (b *book) writeGroups(g groups, t *tally) {
	b.writeDays(t.byDay())
	b.writeGroup(monthSheet, "Fin du certificat", 22, g.months, others{}, g.all)
	b.writeGroup(domainSheet, "Messagerie de l’adresse de contact", 40, g.domains, g.otherDomains, g.all)
	b.writeGroup(issuerSheet, "Émetteur du certificat", 60, g.issuers, g.otherIssuers, g.all)
}

// writeGroup writes the sheet of one kind of groups.
func (b *book) writeGroup(name, title string, width float64, list []Spaces, rest others, all Spaces) {
	titles := []string{title, "Espaces", "Invités", "Sans certificat", "Taux de changement"}
	layout := workbook.Layout{Frozen: 1, Side: 1, Header: 1, Total: true, Columns: []workbook.Column{{Width: width}, {Width: 12}, {Width: 12}, {Width: 12}, {Width: 12}}}
	for _, f := range fates[1:] {
		titles = append(titles, f.title)
		layout.Columns = append(layout.Columns, workbook.Column{Width: 15})
	}
	s := b.Sheet(name, layout)
	s.Row(1, 46)
	for i, t := range titles {
		style := b.styles.numberHeader
		if i == 0 {
			style = b.styles.header
		}
		s.Put(i+1, text(t).In(style))
	}
	row := 1
	put := func(name workbook.Cell, g Spaces, count, share int) {
		row++
		s.Row(row, 0)
		b.putGroup(s, name, g, count, share)
	}
	for _, g := range list {
		put(b.groupName(g), g, b.styles.count, b.styles.share)
	}
	if rest.groups > 0 {
		put(text(fmt.Sprintf("Autres (%d)", rest.groups)).In(b.styles.text), rest.Spaces, b.styles.count, b.styles.share)
	}
	put(text("Total").In(b.styles.totalText), all, b.styles.totalCount, b.styles.totalShare)
	s.End()
}

// groupName is the name of a group.
func (b *book) groupName(g Spaces) workbook.Cell {
	switch {
	case g.Kind == ByMonth:
		return day(g.Month).In(b.styles.month)
	case g.Name == "":
		return text("non précisé").In(b.styles.text)
	}
	return text(g.Name).In(b.styles.text)
}

func (b *book) putGroup(s *workbook.Sheet, name workbook.Cell, g Spaces, count, rate int) {
	s.Put(1, name)
	s.Put(2, number(g.Spaces).In(count))
	s.Put(3, number(g.Invited).In(count))
	s.Put(4, number(g.Switched).In(count))
	s.Put(5, share(g.Switched, g.Invited).In(rate))
	for i, f := range fates[1:] {
		s.Put(6+i, number(f.count(&g)).In(count))
	}
}

// periodColumn is the first column of the data of the summary's chart, beside the days.
const periodColumn = 2 + len(dayColumns) + 1

// writeDays writes the events of each day in Paris, and beside it the periods of the
// summary's chart.
func (b *book) writeDays(days []dayCounts) {
	of, periods := inPeriods(days)
	layout := workbook.Layout{Frozen: 1, Side: 1, Header: 1, Total: true, Columns: []workbook.Column{{Width: 16}}}
	for range periodColumn + len(charted) - 1 {
		layout.Columns = append(layout.Columns, workbook.Column{Width: 16})
	}
	s := b.Sheet(daySheet, layout)
	s.Row(1, 32)
	s.Put(1, text("Jour").In(b.styles.header))
	for i, c := range dayColumns {
		s.Put(2+i, text(c.title).In(b.styles.numberHeader))
	}
	if len(periods) > 0 {
		s.Put(periodColumn, text(of.heading).In(b.styles.header))
		for j, i := range charted {
			s.Put(periodColumn+1+j, text(dayColumns[i].title).In(b.styles.numberHeader))
		}
	}
	var total [len(dayColumns)]int
	for i := range max(len(days)+1, len(periods)) {
		s.Row(2+i, 0)
		switch {
		case i < len(days):
			b.putDay(s, workbook.DayOf(days[i].day).In(b.styles.day), days[i].counts, b.styles.count)
			for j, n := range days[i].counts {
				total[j] += n
			}
		case i == len(days):
			b.putDay(s, text("Total").In(b.styles.totalText), total, b.styles.totalCount)
		}
		if i < len(periods) {
			s.Put(periodColumn, text(periods[i].name).In(b.styles.text))
			for j, k := range charted {
				s.Put(periodColumn+1+j, number(periods[i].counts[k]).In(b.styles.count))
			}
		}
	}
	s.End()
}

func (b *book) putDay(s *workbook.Sheet, name workbook.Cell, counts [len(dayColumns)]int, style int) {
	s.Put(1, name)
	for i, n := range counts {
		s.Put(2+i, number(n).In(style))
	}
}
