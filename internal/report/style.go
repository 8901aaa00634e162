package report

import (
	"bascule/internal/conversion"
	"bascule/internal/workbook"
)

// styles are the numbers of the cell styles.
type styles struct {
	owner, title, scope, note         int
	header, numberHeader              int
	bands                             [2]int // of groups of columns, in turns
	tileName, tileCount, tileShare    int
	tableHeading, numberHeading       int
	text, wrapped                     int
	count, share, instant, day, month int
	id                                int
	totalText, totalCount, totalShare int
	states                            map[conversion.State]int
}

// Colours are red, green and blue in hexadecimal.
const (
	ink    = "1E252E"
	gray   = "5A6470"
	accent = "2B5B7E"
)

// Formats name France (40C): a program of another country writes the French form, too.
const (
	countFormat   = "[$-40C]#,##0"
	shareFormat   = "[$-40C]0.0\\ %"
	instantFormat = "[$-40C]dd/mm/yyyy\\ hh:mm"
	dayFormat     = "[$-40C]dd/mm/yyyy"
	monthFormat   = "[$-40C]mmmm\\ yyyy"
)

// colours of each state: of the text and the cell, and of its columns in the chart.
var colours = map[conversion.State]struct{ ink, paper, column string }{
	conversion.StateRequested:     {"4A5560", "E8ECEF", "9AA5AF"},
	conversion.StateMailed:        {"1F4E79", "DCE9F5", "4F86B8"},
	conversion.StateActivated:     {"1E6B34", "DDF0E0", "4C9F61"},
	conversion.StateExpired:       {"7A4B00", "FCEBCF", "E0A040"},
	conversion.StateUndeliverable: {"8A1C1C", "F8DCDC", "C75050"},
	conversion.StateCancelled:     {"54456B", "E7E3EC", "8F7FA6"},
}

func newStyles(b *workbook.Book) styles {
	heading := func(a workbook.Align) int {
		return b.Style(workbook.Style{Bold: true, Ink: gray, Align: a, Line: "bottom", LineInk: accent})
	}
	total := func(format string) int {
		return b.Style(workbook.Style{Format: format, Bold: true, Ink: ink, Line: "top", LineInk: accent})
	}
	tile := func(format string) int {
		return b.Style(workbook.Style{Format: format, Size: 20, Bold: true, Ink: accent, Align: workbook.MiddleLeft})
	}
	band := func(paper string) int {
		return b.Style(workbook.Style{Bold: true, Ink: ink, Paper: paper, Align: workbook.MiddleLeft})
	}
	s := styles{
		owner:         b.Style(workbook.Style{Bold: true, Ink: accent}),
		title:         b.Style(workbook.Style{Size: 18, Bold: true, Ink: ink}),
		scope:         b.Style(workbook.Style{Size: 13, Bold: true, Ink: accent}),
		note:          b.Style(workbook.Style{Ink: gray}),
		header:        b.Style(workbook.Style{Bold: true, Ink: "FFFFFF", Paper: accent, Align: workbook.MiddleLeft, Wrap: true}),
		numberHeader:  b.Style(workbook.Style{Bold: true, Ink: "FFFFFF", Paper: accent, Align: workbook.MiddleRight}),
		bands:         [2]int{band("DCE6EE"), band("C3D4E1")},
		tileName:      b.Style(workbook.Style{Size: 10, Ink: gray, Align: workbook.MiddleLeft, Line: "top", LineInk: accent}),
		tileCount:     tile(countFormat),
		tileShare:     tile(shareFormat),
		tableHeading:  heading(workbook.MiddleLeft),
		numberHeading: heading(workbook.MiddleRight),
		text:          b.Style(workbook.Style{Format: "@", Align: workbook.Middle}), // an edited cell stays a text too
		wrapped:       b.Style(workbook.Style{Format: "@", Wrap: true}),
		count:         b.Style(workbook.Style{Format: countFormat, Align: workbook.Middle}),
		share:         b.Style(workbook.Style{Format: shareFormat, Align: workbook.Middle}),
		instant:       b.Style(workbook.Style{Format: instantFormat, Align: workbook.MiddleLeft}),
		day:           b.Style(workbook.Style{Format: dayFormat, Align: workbook.MiddleLeft}),
		month:         b.Style(workbook.Style{Format: monthFormat, Align: workbook.MiddleLeft}),
		id:            b.Style(workbook.Style{Format: "0", Align: workbook.MiddleLeft}),
		totalText:     total("@"),
		totalCount:    total(countFormat),
		totalShare:    total(shareFormat),
		states:        make(map[conversion.State]int),
	}
	for _, state := range conversion.States() {
		of := colours[state]
		s.states[state] = b.Style(workbook.Style{Format: "@", Align: workbook.Middle, Ink: of.ink, Paper: of.paper})
	}
	return s
}
