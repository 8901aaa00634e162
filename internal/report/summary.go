package report

import (
	"fmt"
	"time"

	"github.com/xuri/excelize/v2"

	"bascule/internal/celltext"
	"bascule/internal/conversion"
)

// The summary's layout: small tables on the left, charts beside them, the days,
// which may be many, below both.
const (
	statesRow = 5
	stateCell = "E5"
	dayCell   = "K5"
	daysRow   = 25
)

// summarize fills the first sheet, with values: a formula has no value until a
// spreadsheet program computes it.
func (b *book) summarize(r Report, t *tally, listed, rejected int) error {
	p := &pen{book: b}
	days := t.byDay()
	p.layout()
	p.title(r)
	p.states(t.states, t.notDelivered)
	p.spaces(r.Spaces)
	p.rows(listed, rejected)
	p.days(days)
	p.stateChart()
	p.dayChart(len(days))
	p.properties(r)
	return p.err
}

// A pen writes on the summary and remembers the first error.
type pen struct {
	*book
	err error
}

func (p *pen) do(err error) {
	if p.err == nil {
		p.err = err
	}
}

func (p *pen) put(column string, row int, style int, value any) {
	cell := fmt.Sprintf("%s%d", column, row)
	if s, ok := value.(string); ok {
		value = celltext.Mark(cut(s))
	}
	p.do(p.file.SetCellValue(summaryName, cell, value))
	p.do(p.file.SetCellStyle(summaryName, cell, cell, style))
}

func (p *pen) layout() {
	grid := false
	p.do(p.file.SetSheetView(summaryName, 0, &excelize.ViewOptions{ShowGridLines: &grid}))
	p.do(p.printWide())
	height, fixed := 15.0, true // the charts' height is counted in such rows
	p.do(p.file.SetSheetProps(summaryName, &excelize.SheetPropsOptions{DefaultRowHeight: &height, CustomHeight: &fixed}))
	p.do(p.file.SetColWidth(summaryName, "A", "A", 30))
	p.do(p.file.SetRowHeight(summaryName, 1, 28))
	p.do(p.file.SetRowHeight(summaryName, daysRow, 30))
	p.do(p.file.SetColWidth(summaryName, "B", "G", 13))
}

func (p *pen) title(r Report) {
	p.put("A", 1, p.styles.title, "Passage à l'accès sans certificat")
	p.put("A", 2, p.styles.note, "Rapport établi le "+conversion.FrenchTime(r.GeneratedAt)+" (heure de Paris). Toutes les dates sont à l'heure de Paris.")
	p.put("A", 3, p.styles.note, scope(r))
}

func scope(r Report) string {
	switch {
	case r.Batch == 0:
		return "Tous les lots"
	case r.FileName == "":
		return fmt.Sprintf("Lot %d", r.Batch)
	}
	return fmt.Sprintf("Lot %d : %s", r.Batch, r.FileName)
}

func (p *pen) states(counts map[conversion.State]int, notDelivered int) {
	total := 0
	for _, s := range conversion.States() {
		total += counts[s]
	}
	p.heads(statesRow, "Demandes par état", "Nombre", "Part")
	row := statesRow + 1
	for _, s := range conversion.States() {
		p.put("A", row, p.styles.states[s], s.French())
		p.put("B", row, p.styles.count, counts[s])
		p.put("C", row, p.styles.share, share(counts[s], total))
		row++
	}
	p.put("A", row, p.styles.total, "Total")
	p.put("B", row, p.styles.total, total)
	p.put("C", row, p.styles.totalShare, share(total, total))
	p.put("A", row+1, p.styles.text, "dont non remises à temps")
	p.put("B", row+1, p.styles.count, notDelivered)
	p.put("C", row+1, p.styles.share, share(notDelivered, total))
}

func share(n, total int) float64 {
	if total == 0 {
		return 0
	}
	return float64(n) / float64(total)
}

func (p *pen) spaces(counts map[conversion.Access]int) {
	row := statesRow + len(conversion.States()) + 4
	with, without := counts[conversion.AccessCertificate], counts[conversion.AccessPassword]
	p.heads(row, "Espaces par accès", "Nombre", "Part")
	for i, line := range []struct {
		name  string
		count int
	}{{"avec certificat", with}, {"sans certificat", without}} {
		p.put("A", row+1+i, p.styles.text, line.name)
		p.put("B", row+1+i, p.styles.count, line.count)
		p.put("C", row+1+i, p.styles.share, share(line.count, with+without))
	}
	p.put("A", row+3, p.styles.total, "Total")
	p.put("B", row+3, p.styles.total, with+without)
	p.put("C", row+3, p.styles.totalShare, share(with+without, with+without))
}

// rows tells what the other sheets hold.
func (p *pen) rows(listed, rejected int) {
	row := statesRow + len(conversion.States()) + 9
	p.heads(row, "Lignes de ce classeur", "Nombre")
	p.put("A", row+1, p.styles.text, "feuille « Demandes »")
	p.put("B", row+1, p.styles.count, listed)
	p.put("A", row+2, p.styles.text, "feuille « Rejets »")
	p.put("B", row+2, p.styles.count, rejected)
}

func (p *pen) heads(row int, titles ...string) {
	for i, title := range titles {
		style := p.styles.numberHeading
		if i == 0 {
			style = p.styles.tableHeading
		}
		p.put(string(rune('A'+i)), row, style, title)
	}
}

func (p *pen) days(days []dayCounts) {
	titles := []string{"Par jour"}
	for _, c := range dayColumns {
		titles = append(titles, c.title)
	}
	p.heads(daysRow, titles...)
	if len(days) == 0 {
		p.put("A", daysRow+1, p.styles.note, "Aucune activité")
	}
	for i, d := range days {
		row := daysRow + 1 + i
		p.put("A", row, p.styles.day, dayLabel(d.day, len(days)))
		for j, n := range d.counts {
			p.put(dayColumn(j), row, p.styles.count, n)
		}
	}
}

// dayLabel is a real date, but a text where it stands alone: LibreOffice labels
// the only date of a chart's axis as the first day of its year.
func dayLabel(serial int64, days int) any {
	if days == 1 {
		return time.Date(1899, 12, 30+int(serial), 0, 0, 0, 0, time.UTC).Format("02/01/2006")
	}
	return serial
}

func dayColumn(i int) string { return string(rune('B' + i)) }

func (p *pen) stateChart() {
	first, last := statesRow+1, statesRow+len(conversion.States())
	gap, vary := uint(45), false
	p.do(p.file.AddChart(summaryName, stateCell, &excelize.Chart{
		Type:       excelize.Bar,
		Format:     excelize.GraphicOptions{AltText: "Nombre de demandes par état : les valeurs sont dans le tableau de gauche."},
		Dimension:  excelize.ChartDimension{Width: 460, Height: 330},
		Title:      chartTitle("Demandes par état"),
		Legend:     excelize.ChartLegend{Position: "none"},
		VaryColors: &vary,
		Series: []excelize.ChartSeries{{
			Name:       reference("A", statesRow, statesRow),
			Categories: reference("A", first, last),
			Values:     reference("B", first, last),
			Fill:       solid(accent),
		}},
		PlotArea: excelize.ChartPlotArea{ShowVal: true, NumFmt: excelize.ChartNumFmt{CustomNumFmt: "#,##0"}},
		XAxis:    excelize.ChartAxis{ReverseOrder: true, Font: axisFont()},
		YAxis:    excelize.ChartAxis{None: true},
		GapWidth: &gap,
	}))
}

// dayChart draws columns for a few days, lines for many.
func (p *pen) dayChart(days int) {
	if days == 0 {
		return
	}
	kind := excelize.Col
	if days > 31 {
		kind = excelize.Line
	}
	var series []excelize.ChartSeries
	for i, c := range dayColumns {
		_, _, bar := colours(c.state)
		series = append(series, excelize.ChartSeries{
			Name:       reference(dayColumn(i), daysRow, daysRow),
			Categories: reference("A", daysRow+1, daysRow+days),
			Values:     reference(dayColumn(i), daysRow+1, daysRow+days),
			Fill:       solid(bar),
			Line:       excelize.LineOptions{Fill: solid(bar), Width: 2},
			Marker:     excelize.ChartMarker{Symbol: "none"},
		})
	}
	p.do(p.file.AddChart(summaryName, dayCell, &excelize.Chart{
		Type:      kind,
		Format:    excelize.GraphicOptions{AltText: "Activité par jour : les valeurs sont dans le tableau du bas."},
		Dimension: excelize.ChartDimension{Width: 620, Height: 330},
		Title:     chartTitle("Activité par jour"),
		Legend:    excelize.ChartLegend{Position: "bottom"},
		Series:    series,
		XAxis:     excelize.ChartAxis{NumFmt: excelize.ChartNumFmt{CustomNumFmt: "dd/mm"}, Font: axisFont()},
		YAxis:     excelize.ChartAxis{MajorGridLines: true, NumFmt: excelize.ChartNumFmt{CustomNumFmt: "#,##0"}, Font: axisFont()},
	}))
}

func chartTitle(s string) excelize.ChartTitle {
	return excelize.ChartTitle{Paragraph: []excelize.RichTextRun{{Text: s, Font: &excelize.Font{Size: 13, Bold: true, Color: ink}}}}
}

func axisFont() excelize.Font { return excelize.Font{Size: 9, Color: ink} }

// reference names cells of the summary; charts point at them.
func reference(column string, first, last int) string {
	if first == last {
		return fmt.Sprintf("'%s'!$%s$%d", summaryName, column, first)
	}
	return fmt.Sprintf("'%s'!$%s$%d:$%s$%d", summaryName, column, first, column, last)
}

func (p *pen) properties(r Report) {
	at := r.GeneratedAt.UTC().Format(time.RFC3339)
	p.do(p.file.SetDocProps(&excelize.DocProperties{
		Title: "Passage à l'accès sans certificat : rapport", Creator: "bascule", Language: "fr-FR", Created: at, Modified: at,
	}))
}
