package report

import (
	"cmp"
	"fmt"
	"time"

	"github.com/xuri/excelize/v2"

	"bascule/internal/conversion"
	"bascule/internal/workbook"
)

// The summary's layout: figures on top, small tables on the left, charts beside them.
// The summary is one page.
const (
	tilesRow  = 6
	fatesRow  = 9
	rowsRow   = fatesRow + len(fates) + 3
	statesRow = rowsRow + 8
	fateChart = "E9"
	dayChart  = "E22"
)

// summarize writes the first sheet, with values: a formula would have no value until a
// spreadsheet program computes it.
func (b *book) summarize(r conversion.Report, all conversion.ReportSpaces, t *tally) {
	layout := workbook.Layout{Charts: true, Columns: []workbook.Column{{Width: 42}, {Width: 16}, {Width: 16}, {Width: 18}, {Width: 20}}}
	for range 5 {
		layout.Columns = append(layout.Columns, workbook.Column{Width: 14})
	}
	p := &pen{book: b, sheet: b.Sheet(summaryName, layout)}
	p.title(r)
	p.tiles(r.Rows, all)
	p.fates(all)
	p.rows(r.Rows)
	p.states(t)
	p.sheet.End()
	p.fateChart()
	p.periodChart(inPeriods(t.byDay()))
	p.properties(r)
}

// A pen writes on the summary, row by row.
type pen struct {
	*book
	sheet *workbook.Sheet
	row   int
}

// put writes a cell of the row, which may be the next one.
func (p *pen) put(column, row int, style workbook.Style, c workbook.Cell) {
	if row != p.row {
		p.row = row
		p.sheet.Row(row, cmp.Or(heights[row], 15))
	}
	p.sheet.Put(column, c.In(p.Style(style)))
}

// heights are the heights of rows that are higher than others, in points.
var heights = map[int]float64{2: 28, 3: 20, tilesRow: 20, tilesRow + 1: 32}

func (p *pen) title(r conversion.Report) {
	if r.Administration != "" {
		p.put(1, 1, ownerStyle, text(r.Administration))
	}
	p.put(1, 2, titleStyle, text("Changement d’accès des espaces abonnés"))
	p.put(1, 3, scopeStyle, text(scope(r)))
	p.put(1, 4, noteStyle, text("Rapport établi le "+conversion.FrenchTime(r.At)+". Toutes les heures sont celles de Paris."))
}

func scope(r conversion.Report) string {
	switch {
	case r.Campaign != "":
		return "Campagne « " + r.Campaign + " »"
	case r.Batch == 0:
		return "Toutes les campagnes"
	case r.FileName == "":
		return fmt.Sprintf("Lot %d", r.Batch)
	}
	return fmt.Sprintf("Lot %d : %s", r.Batch, r.FileName)
}

// tiles are the figures that a reader looks for first.
func (p *pen) tiles(rows conversion.ReportRows, all conversion.ReportSpaces) {
	tiles := []struct {
		name  string
		value workbook.Cell
		style workbook.Style
	}{
		{"Espaces concernés", number(all.Spaces), tileStyle(countFormat)},
		{"Invités", number(all.Invited), tileStyle(countFormat)},
		{"Sans certificat", number(all.Switched), tileStyle(countFormat)},
		{"Taux de changement", share(all.Switched, all.Invited), tileStyle(shareFormat)},
		{"Lignes encore rejetées", number(rows.StillRejected), tileStyle(countFormat)},
	}
	for i, tile := range tiles {
		p.put(1+i, tilesRow, tileNameStyle, text(tile.name))
	}
	for i, tile := range tiles {
		p.put(1+i, tilesRow+1, tile.style, tile.value)
	}
}

func (p *pen) fates(all conversion.ReportSpaces) {
	p.heads(fatesRow, "Où en sont les espaces", "Espaces", "Part")
	for i, f := range fates {
		p.line(fatesRow+1+i, textStyle, f.title, f.count(&all), all.Spaces)
	}
	p.total(fatesRow+1+len(fates), "Espaces concernés", all.Spaces)
}

func (p *pen) rows(r conversion.ReportRows) {
	p.heads(rowsRow, fmt.Sprintf("Lignes remises (%s)", files(r.Files)), "Lignes", "Part")
	for i, line := range []struct {
		name  string
		count int
	}{
		{"Prises ou déjà connues", r.Taken},
		{"Certificat pas encore à échéance", r.NotDue},
		{"Refusées, puis remises de nouveau", r.Refused - r.StillRejected - r.StillExcluded},
		{"Exclues", r.StillExcluded},
		{"Encore rejetées", r.StillRejected},
	} {
		p.line(rowsRow+1+i, textStyle, line.name, line.count, r.Rows)
	}
	p.total(rowsRow+6, "Lignes remises", r.Rows)
}

func files(n int) string {
	if n < 2 {
		return fmt.Sprintf("%d fichier", n)
	}
	return fmt.Sprintf("%d fichiers", n)
}

// states counts the requests. A space that was invited twice has two.
func (p *pen) states(t *tally) {
	total := 0
	for _, n := range t.states {
		total += n
	}
	p.heads(statesRow, "Détail : demandes par état", "Demandes", "Part")
	row := statesRow + 1
	for _, s := range conversion.States() {
		p.line(row, stateStyle(s), s.French(), t.states[s], total)
		row++
	}
	p.total(row, "Demandes", total)
	p.line(row+1, textStyle, "dont non remises à temps", t.notDelivered, total)
}

// line writes a name, a number, and its part of the whole.
func (p *pen) line(row int, style workbook.Style, name string, n, of int) {
	p.put(1, row, style, text(name))
	p.put(2, row, countStyle, number(n))
	p.put(3, row, shareStyle, share(n, of))
}

func (p *pen) total(row int, name string, n int) {
	p.put(1, row, totalStyle("@"), text(name))
	p.put(2, row, totalStyle(countFormat), number(n))
	p.put(3, row, totalStyle(shareFormat), share(n, n))
}

func (p *pen) heads(row int, titles ...string) {
	for i, title := range titles {
		style := numberHeadingStyle
		if i == 0 {
			style = tableHeadingStyle
		}
		p.put(i+1, row, style, text(title))
	}
}

func (p *pen) fateChart() {
	first, last := fatesRow+1, fatesRow+len(fates)
	p.Keep(p.Excelize.AddChart(summaryName, fateChart, &excelize.Chart{
		Type:       excelize.Bar,
		Format:     excelize.GraphicOptions{OffsetX: 40, AltText: "Où en sont les espaces\u00a0: les valeurs sont dans le tableau de gauche."},
		Dimension:  excelize.ChartDimension{Width: 700, Height: 235},
		Title:      chartTitle("Où en sont les espaces"),
		Legend:     excelize.ChartLegend{Position: "none"},
		VaryColors: new(false),
		Series: []excelize.ChartSeries{{
			Name:       reference(summaryName, "A", fatesRow, fatesRow),
			Categories: reference(summaryName, "A", first, last),
			Values:     reference(summaryName, "B", first, last),
			Fill:       workbook.Fill(accent),
		}},
		PlotArea: excelize.ChartPlotArea{ShowVal: true, NumFmt: excelize.ChartNumFmt{CustomNumFmt: countFormat}},
		XAxis:    excelize.ChartAxis{ReverseOrder: true, Font: axisFont()},
		YAxis:    excelize.ChartAxis{None: true},
		GapWidth: new(uint(45)),
	}))
}

// fewPeriods is the most periods for which a chart shows the values of its columns.
const fewPeriods = 7

// periodChart shows the periods of writeDays.
func (p *pen) periodChart(of pitch, list []period) {
	periods := len(list)
	if periods == 0 {
		return
	}
	var series []excelize.ChartSeries
	for j, k := range charted {
		column := string(rune('A' + periodColumn + j))
		series = append(series, excelize.ChartSeries{
			Name:       reference(daySheet, column, 1, 1),
			Categories: reference(daySheet, string(rune('A'+periodColumn-1)), 2, 1+periods),
			Values:     reference(daySheet, column, 2, 1+periods),
			Fill:       workbook.Fill(colours[dayColumns[k].state].column),
		})
	}
	p.Keep(p.Excelize.AddChart(summaryName, dayChart, &excelize.Chart{
		Type:      excelize.Col,
		Format:    excelize.GraphicOptions{OffsetX: 40, AltText: "Activité\u00a0: les valeurs sont dans la feuille «\u00a0Par jour\u00a0»."},
		Dimension: excelize.ChartDimension{Width: 700, Height: 300},
		Title:     chartTitle("Activité (" + of.unit + ")"),
		Legend:    excelize.ChartLegend{Position: "bottom"},
		Series:    series,
		PlotArea:  excelize.ChartPlotArea{ShowVal: periods <= fewPeriods, NumFmt: excelize.ChartNumFmt{CustomNumFmt: countFormat}},
		XAxis:     excelize.ChartAxis{Font: axisFont()},
		YAxis:     excelize.ChartAxis{MajorGridLines: true, NumFmt: excelize.ChartNumFmt{CustomNumFmt: countFormat}, Font: axisFont()},
		GapWidth:  new(uint(60)),
	}))
}

func chartTitle(s string) excelize.ChartTitle {
	return excelize.ChartTitle{Paragraph: []excelize.RichTextRun{{Text: s, Font: &excelize.Font{Size: 13, Bold: true, Color: ink}}}}
}

func axisFont() excelize.Font { return excelize.Font{Size: 9, Color: ink} }

// reference names cells of a column; charts point at them.
func reference(sheet, column string, first, last int) string {
	if first == last {
		return fmt.Sprintf("'%s'!$%s$%d", sheet, column, first)
	}
	return fmt.Sprintf("'%s'!$%s$%d:$%s$%d", sheet, column, first, column, last)
}

func (p *pen) properties(r conversion.Report) {
	at := r.At.UTC().Format(time.RFC3339)
	p.Keep(p.Excelize.SetDocProps(&excelize.DocProperties{
		Title: "Changement d’accès des espaces abonnés : rapport", Creator: "bascule", Language: "fr-FR", Created: at, Modified: at,
	}))
}
