package report

import (
	"fmt"
	"time"

	"github.com/xuri/excelize/v2"

	"bascule/internal/conversion"
	"bascule/internal/workbook"
)

// The summary's layout: small tables on the left, charts beside them, the days,
// which may be many, below both.
const (
	statesRow = 5
	stateCell = "E5"
	dayCell   = "K5"
	daysRow   = 25
)

// summarize writes the first sheet, with values: a formula has no value until a
// spreadsheet program computes it.
func (b *book) summarize(r Report, t *tally, listed, rejected int) error {
	layout := workbook.Layout{Charts: true, Columns: []workbook.Column{{Width: 30}}}
	for range len(dayColumns) {
		layout.Columns = append(layout.Columns, workbook.Column{Width: 13})
	}
	s, err := b.Sheet(summaryName, layout)
	if err != nil {
		return err
	}
	p := &pen{book: b, sheet: s}
	days := t.byDay()
	p.title(r)
	p.states(t.states, t.notDelivered)
	p.spaces(r.Spaces)
	p.rows(listed, rejected)
	p.days(days)
	p.do(s.Close())
	p.stateChart()
	p.dayChart(len(days))
	p.properties(r)
	return p.err
}

// A pen writes on the summary, row by row, and remembers the first error.
type pen struct {
	*book
	sheet *workbook.Sheet
	row   int
	err   error
}

func (p *pen) do(err error) {
	if p.err == nil {
		p.err = err
	}
}

// put writes a cell of the row, which may be the next one.
func (p *pen) put(column, row, style int, c workbook.Cell) {
	if row != p.row {
		p.row = row
		p.do(p.sheet.RowOf(row, heights[row], 0))
	}
	p.sheet.Put(column, c.In(style))
}

// heights are those of rows that are higher than others, in points.
var heights = map[int]float64{1: 28, daysRow: 30}

func (p *pen) title(r Report) {
	p.put(1, 1, p.styles.title, text("Passage à l'accès sans certificat"))
	p.put(1, 2, p.styles.note, text("Rapport établi le "+conversion.FrenchTime(r.GeneratedAt)+" (heure de Paris). Toutes les dates sont à l'heure de Paris."))
	p.put(1, 3, p.styles.note, text(scope(r)))
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
		p.put(1, row, p.styles.states[s], text(s.French()))
		p.put(2, row, p.styles.count, number(counts[s]))
		p.put(3, row, p.styles.share, workbook.Decimal(share(counts[s], total)))
		row++
	}
	p.put(1, row, p.styles.total, text("Total"))
	p.put(2, row, p.styles.total, number(total))
	p.put(3, row, p.styles.totalShare, workbook.Decimal(share(total, total)))
	p.put(1, row+1, p.styles.text, text("dont non remises à temps"))
	p.put(2, row+1, p.styles.count, number(notDelivered))
	p.put(3, row+1, p.styles.share, workbook.Decimal(share(notDelivered, total)))
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
		p.put(1, row+1+i, p.styles.text, text(line.name))
		p.put(2, row+1+i, p.styles.count, number(line.count))
		p.put(3, row+1+i, p.styles.share, workbook.Decimal(share(line.count, with+without)))
	}
	p.put(1, row+3, p.styles.total, text("Total"))
	p.put(2, row+3, p.styles.total, number(with+without))
	p.put(3, row+3, p.styles.totalShare, workbook.Decimal(share(with+without, with+without)))
}

// rows tells what the other sheets hold.
func (p *pen) rows(listed, rejected int) {
	row := statesRow + len(conversion.States()) + 9
	p.heads(row, "Lignes de ce classeur", "Nombre")
	p.put(1, row+1, p.styles.text, text("feuille « Demandes »"))
	p.put(2, row+1, p.styles.count, number(listed))
	p.put(1, row+2, p.styles.text, text("feuille « Rejets »"))
	p.put(2, row+2, p.styles.count, number(rejected))
}

func (p *pen) heads(row int, titles ...string) {
	for i, title := range titles {
		style := p.styles.numberHeading
		if i == 0 {
			style = p.styles.tableHeading
		}
		p.put(i+1, row, style, text(title))
	}
}

func (p *pen) days(days []dayCounts) {
	titles := []string{"Par jour"}
	for _, c := range dayColumns {
		titles = append(titles, c.title)
	}
	p.heads(daysRow, titles...)
	if len(days) == 0 {
		p.put(1, daysRow+1, p.styles.note, text("Aucune activité"))
	}
	for i, d := range days {
		row := daysRow + 1 + i
		p.put(1, row, p.styles.day, dayLabel(d.day, len(days)))
		for j, n := range d.counts {
			p.put(j+2, row, p.styles.count, number(n))
		}
	}
}

// dayLabel is a real date, but a text where it stands alone: LibreOffice labels
// the only date of a chart's axis as the first day of its year.
func dayLabel(serial int64, days int) workbook.Cell {
	if days == 1 {
		return text(time.Date(1899, 12, 30+int(serial), 0, 0, 0, 0, time.UTC).Format("02/01/2006"))
	}
	return workbook.Number(serial)
}

func dayColumn(i int) string { return string(rune('B' + i)) }

func (p *pen) stateChart() {
	first, last := statesRow+1, statesRow+len(conversion.States())
	gap, vary := uint(45), false
	p.do(p.Excelize.AddChart(summaryName, stateCell, &excelize.Chart{
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
			Fill:       workbook.Fill(accent),
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
			Fill:       workbook.Fill(bar),
			Line:       excelize.LineOptions{Fill: workbook.Fill(bar), Width: 2},
			Marker:     excelize.ChartMarker{Symbol: "none"},
		})
	}
	p.do(p.Excelize.AddChart(summaryName, dayCell, &excelize.Chart{
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
	p.do(p.Excelize.SetDocProps(&excelize.DocProperties{
		Title: "Passage à l'accès sans certificat : rapport", Creator: "bascule", Language: "fr-FR", Created: at, Modified: at,
	}))
}
