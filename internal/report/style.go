package report

import (
	"bascule/internal/conversion"
	"bascule/internal/workbook"
)

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

// The styles of cells.
var (
	ownerStyle         = workbook.Style{Bold: true, Ink: accent}
	titleStyle         = workbook.Style{Size: 18, Bold: true, Ink: ink}
	scopeStyle         = workbook.Style{Size: 13, Bold: true, Ink: accent}
	noteStyle          = workbook.Style{Ink: gray}
	headerStyle        = workbook.Style{Bold: true, Ink: "FFFFFF", Paper: accent, Align: workbook.MiddleLeft, Wrap: true}
	numberHeaderStyle  = workbook.Style{Bold: true, Ink: "FFFFFF", Paper: accent, Align: workbook.MiddleRight}
	tileNameStyle      = workbook.Style{Size: 10, Ink: gray, Align: workbook.MiddleLeft, Line: "top", LineInk: accent}
	tableHeadingStyle  = workbook.Style{Bold: true, Ink: gray, Align: workbook.MiddleLeft, Line: "bottom", LineInk: accent}
	numberHeadingStyle = workbook.Style{Bold: true, Ink: gray, Align: workbook.MiddleRight, Line: "bottom", LineInk: accent}
	textStyle          = workbook.Style{Format: "@", Align: workbook.Middle} // an edited cell stays a text too
	wrappedStyle       = workbook.Style{Format: "@", Wrap: true}
	countStyle         = workbook.Style{Format: countFormat, Align: workbook.Middle}
	shareStyle         = workbook.Style{Format: shareFormat, Align: workbook.Middle}
	instantStyle       = workbook.Style{Format: instantFormat, Align: workbook.MiddleLeft}
	dayStyle           = workbook.Style{Format: dayFormat, Align: workbook.MiddleLeft}
	monthStyle         = workbook.Style{Format: monthFormat, Align: workbook.MiddleLeft}
	idStyle            = workbook.Style{Format: "0", Align: workbook.MiddleLeft}
)

// bandStyles are those of groups of columns, in turns.
var bandStyles = [...]workbook.Style{
	{Bold: true, Ink: ink, Paper: "DCE6EE", Align: workbook.MiddleLeft},
	{Bold: true, Ink: ink, Paper: "C3D4E1", Align: workbook.MiddleLeft},
}

func tileStyle(format string) workbook.Style {
	return workbook.Style{Format: format, Size: 20, Bold: true, Ink: accent, Align: workbook.MiddleLeft}
}

// totalStyle is the style of the total below cells of a format.
func totalStyle(format string) workbook.Style {
	return workbook.Style{Format: format, Bold: true, Ink: ink, Line: "top", LineInk: accent}
}

func stateStyle(s conversion.State) workbook.Style {
	return workbook.Style{Format: "@", Align: workbook.Middle, Ink: colours[s].ink, Paper: colours[s].paper}
}
