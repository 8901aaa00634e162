package report

import (
	"github.com/xuri/excelize/v2"

	"bascule/internal/conversion"
)

// styles are the numbers that excelize gave to the cell styles.
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

func newStyles(f *excelize.File) (styles, error) {
	d := definer{file: f}
	s := styles{
		title:         d.define("", excelize.Style{Font: font(18, true, ink)}),
		note:          d.define("", excelize.Style{Font: font(11, false, gray)}),
		header:        d.define("", excelize.Style{Font: font(11, true, "FFFFFF"), Fill: solid(accent), Alignment: align("")}),
		tableHeading:  d.define("", excelize.Style{Font: font(11, true, gray), Border: line("bottom"), Alignment: align("left")}),
		numberHeading: d.define("", excelize.Style{Font: font(11, true, gray), Border: line("bottom"), Alignment: align("right")}),
		text:          d.define("@", excelize.Style{}), // an edited cell stays a text too
		count:         d.define("#,##0", excelize.Style{}),
		share:         d.define("0.0%", excelize.Style{}),
		instant:       d.define("dd/mm/yyyy hh:mm", excelize.Style{Alignment: align("left")}),
		day:           d.define("dd/mm/yyyy", excelize.Style{Alignment: align("left")}),
		total:         d.define("#,##0", excelize.Style{Font: font(11, true, ink), Border: line("top")}),
		totalShare:    d.define("0.0%", excelize.Style{Font: font(11, true, ink), Border: line("top")}),
		states:        make(map[conversion.State]int),
	}
	for _, state := range conversion.States() {
		ink, paper, _ := colours(state)
		s.states[state] = d.define("@", excelize.Style{Font: font(11, false, ink), Fill: solid(paper)})
	}
	return s, d.err
}

// A definer registers styles and remembers the first error.
type definer struct {
	file *excelize.File
	err  error
}

func (d *definer) define(format string, s excelize.Style) int {
	if format != "" {
		s.CustomNumFmt = &format
	}
	n, err := d.file.NewStyle(&s)
	if d.err == nil {
		d.err = err
	}
	return n
}

// font names the family, or LibreOffice falls back to one with serifs.
func font(size float64, bold bool, colour string) *excelize.Font {
	return &excelize.Font{Family: "Calibri", Size: size, Bold: bold, Color: colour}
}

// solid is a cell's or a chart's plain colour.
func solid(colour string) excelize.Fill {
	return excelize.Fill{Type: "pattern", Pattern: 1, Color: []string{colour}}
}

func line(side string) []excelize.Border {
	return []excelize.Border{{Type: side, Color: accent, Style: 1}}
}

func align(horizontal string) *excelize.Alignment {
	return &excelize.Alignment{Horizontal: horizontal, Vertical: "center", WrapText: horizontal == "right"}
}
