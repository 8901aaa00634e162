package report

import (
	"time"

	"github.com/xuri/excelize/v2"

	"bascule/internal/celltext"
	"bascule/internal/conversion"
)

// cutMark ends a text that is longer than a cell can be.
const cutMark = " […] (texte coupé)"

// text is a text cell, or none. A text that starts with "=" stays a text:
// excelize makes a formula only of what is given as one (I7).
func text(s string) any {
	if s == "" {
		return nil
	}
	if len(s) <= excelize.TotalCellChars/2 || celltext.Units(s) <= excelize.TotalCellChars {
		return celltext.Mark(s)
	}
	room := excelize.TotalCellChars - celltext.Units(cutMark)
	units, end := 0, 0 // end: the longest prefix that leaves room for the mark
	for i, r := range s {
		if units <= room {
			end = i
		}
		units += celltext.Unit(s[i:], r)
	}
	return celltext.Mark(s[:end]) + cutMark
}

// id is the number of a thing, or no cell if there is none.
func id(n int64) any {
	if n == 0 {
		return nil
	}
	return n
}

func yes(b bool) any {
	if !b {
		return nil
	}
	return "oui"
}

// instant is a real date cell that shows Paris time, whatever the reader's
// settings: spreadsheets have no time zones.
func instant(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return serial(t.In(conversion.Paris))
}

// day is a date cell without a time of day.
func day(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return serial(time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, time.UTC))
}

// serial counts the days since 30 December 1899 on the wall clock of t, to the
// second: what spreadsheets call a date.
func serial(t time.Time) float64 {
	wall := time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), 0, time.UTC)
	const unixEpoch = 25569
	return float64(wall.Unix())/86400 + unixEpoch
}
