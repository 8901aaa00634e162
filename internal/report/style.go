package report

import (
	"bascule/internal/conversion"
	"bascule/internal/workbook"
)

// styles are the numbers of the cell styles.
type styles struct {
	title, note, header              int
	tableHeading, numberHeading      int
	text, count, share, instant, day int
	total, totalShare                int
	states                           map[conversion.State]int
}

// Colours are red, green and blue in hexadecimal.
const (
	ink    = "1E252E"
	gray   = "5A6470"
	accent = "2B5B7E"
)

// colours of a state: of the text and the cell, and of its columns in the chart.
func colours(s conversion.State) (ink, paper, column string) {
	switch s {
	case conversion.StateMailed:
		return "1F4E79", "DCE9F5", "4F86B8"
	case conversion.StateActivated:
		return "1E6B34", "DDF0E0", "4C9F61"
	case conversion.StateExpired:
		return "7A4B00", "FCEBCF", "E0A040"
	case conversion.StateUndeliverable:
		return "8A1C1C", "F8DCDC", "C75050"
	case conversion.StateCancelled:
		return "54456B", "E7E3EC", "8F7FA6"
	}
	return "4A5560", "E8ECEF", "9AA5AF"
}

func newStyles(b *workbook.Book) styles {
	heading := func(a workbook.Align) int {
		return b.Style(workbook.Style{Bold: true, Ink: gray, Align: a, Line: "bottom", LineInk: accent})
	}
	total := func(format string) int {
		return b.Style(workbook.Style{Format: format, Bold: true, Ink: ink, Line: "top", LineInk: accent})
	}
	s := styles{
		title:         b.Style(workbook.Style{Size: 18, Bold: true, Ink: ink}),
		note:          b.Style(workbook.Style{Ink: gray}),
		header:        b.Style(workbook.Style{Bold: true, Ink: "FFFFFF", Paper: accent, Align: workbook.Middle}),
		tableHeading:  heading(workbook.MiddleLeft),
		numberHeading: heading(workbook.MiddleRight),
		text:          b.Style(workbook.Style{Format: "@"}), // an edited cell stays a text too
		count:         b.Style(workbook.Style{Format: "#,##0"}),
		share:         b.Style(workbook.Style{Format: "0.0%"}),
		instant:       b.Style(workbook.Style{Format: "dd/mm/yyyy hh:mm", Align: workbook.MiddleLeft}),
		day:           b.Style(workbook.Style{Format: "dd/mm/yyyy", Align: workbook.MiddleLeft}),
		total:         total("#,##0"),
		totalShare:    total("0.0%"),
		states:        make(map[conversion.State]int),
	}
	for _, state := range conversion.States() {
		ink, paper, _ := colours(state)
		s.states[state] = b.Style(workbook.Style{Format: "@", Ink: ink, Paper: paper})
	}
	return s
}
