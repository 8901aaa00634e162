package report

import (
	"cmp"
	"fmt"
	"iter"

	"bascule/internal/conversion"
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

type spaces = conversion.ReportSpaces

// groups are the groups of spaces that the report lists.
type groups struct {
	all                        spaces
	months, domains, issuers   []spaces
	otherDomains, otherIssuers others
}

// others adds up the groups that are not listed.
type others struct {
	spaces
	groups int
}

func gather(all iter.Seq2[spaces, error]) (g groups, err error) {
	if all == nil {
		return g, nil
	}
	for s, err := range all {
		if err != nil {
			return g, err
		}
		switch s.Kind {
		case conversion.AllSpaces:
			g.all = s
		case conversion.SpacesByMonth:
			g.months = append(g.months, s)
		case conversion.SpacesByDomain:
			g.domains = g.otherDomains.keep(g.domains, s)
		case conversion.SpacesByIssuer:
			g.issuers = g.otherIssuers.keep(g.issuers, s)
		}
	}
	return g, nil
}

// keep lists a group, or adds it to the others once the largest, which come first, are
// listed. Memory does not grow with the groups (I8).
func (o *others) keep(largest []spaces, s spaces) []spaces {
	if len(largest) < maxGroups {
		return append(largest, s)
	}
	o.add(s)
	return largest
}

func (o *others) add(s spaces) {
	o.groups++
	o.Spaces += s.Spaces
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
	count func(*spaces) int
}{
	{"Sans certificat", func(s *spaces) int { return s.Switched }},
	{"En attente de l’abonné, code valable", func(s *spaces) int { return s.Open }},
	{"Pas encore invités", func(s *spaces) int { return s.ToInvite }},
	{"Délai dépassé", func(s *spaces) int { return s.Late }},
	{"Injoignables", func(s *spaces) int { return s.Unreachable }},
	{"Demande annulée", func(s *spaces) int { return s.Cancelled }},
}

// groupFields are the columns of a sheet of groups.
func (b *book) groupFields(title string, width float64) []workbook.Field[spaces] {
	fields := []workbook.Field[spaces]{
		field("", title, width, textStyle, b.groupName),
		field("", "Espaces", 12, countStyle, func(g *spaces) workbook.Cell { return number(g.Spaces) }),
		field("", "Invités", 12, countStyle, func(g *spaces) workbook.Cell { return number(g.Invited) }),
		field("", "Sans certificat", 12, countStyle, func(g *spaces) workbook.Cell { return number(g.Switched) }),
		field("", "Taux de changement", 12, shareStyle, func(g *spaces) workbook.Cell { return share(g.Switched, g.Invited) }),
	}
	for _, f := range fates[1:] {
		fields = append(fields, field("", f.title, 15, countStyle, func(g *spaces) workbook.Cell { return number(f.count(g)) }))
	}
	return fields
}

// groupName is the name of a group.
func (b *book) groupName(g *spaces) workbook.Cell {
	if g.Kind == conversion.SpacesByMonth {
		return workbook.Day(g.Month).In(b.Style(monthStyle))
	}
	return text(cmp.Or(g.Name, "non précisé"))
}

// writeGroup writes the sheet of one kind of groups.
func (b *book) writeGroup(name, title string, width float64, list []spaces, rest others, all spaces) {
	fields := b.groupFields(title, width)
	s := b.Sheet(name, workbook.Layout{Columns: workbook.Columns(fields), Frozen: 1, Side: 1, Header: 1, Total: true})
	putTitles(b, s, 1, fields)
	if rest.groups > 0 {
		rest.Name = fmt.Sprintf("Autres (%d)", rest.groups)
		list = append(list, rest.spaces)
	}
	for i := range list {
		workbook.PutRow(s, 2+i, fields, &list[i])
	}
	all.Name = "Total"
	s.Row(2+len(list), 0)
	for i, f := range fields {
		s.Put(i+1, f.Value(&all).In(b.Style(totalStyle(f.Style.Format))))
	}
	s.End()
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
	s.Put(1, text("Jour").In(b.Style(headerStyle)))
	for i, c := range dayColumns {
		s.Put(2+i, text(c.title).In(b.Style(numberHeaderStyle)))
	}
	if len(periods) > 0 {
		s.Put(periodColumn, text(of.heading).In(b.Style(headerStyle)))
		for j, i := range charted {
			s.Put(periodColumn+1+j, text(dayColumns[i].title).In(b.Style(numberHeaderStyle)))
		}
	}
	var total [len(dayColumns)]int
	for i := range max(len(days)+1, len(periods)) {
		s.Row(2+i, 0)
		switch {
		case i < len(days):
			b.putDay(s, workbook.DayOf(days[i].day).In(b.Style(dayStyle)), days[i].counts, countStyle)
			for j, n := range days[i].counts {
				total[j] += n
			}
		case i == len(days):
			b.putDay(s, text("Total").In(b.Style(totalStyle("@"))), total, totalStyle(countFormat))
		}
		if i < len(periods) {
			s.Put(periodColumn, text(periods[i].name).In(b.Style(textStyle)))
			for j, k := range charted {
				s.Put(periodColumn+1+j, number(periods[i].counts[k]).In(b.Style(countStyle)))
			}
		}
	}
	s.End()
}

func (b *book) putDay(s *workbook.Sheet, name workbook.Cell, counts [len(dayColumns)]int, style workbook.Style) {
	s.Put(1, name)
	for i, n := range counts {
		s.Put(2+i, number(n).In(b.Style(style)))
	}
}
