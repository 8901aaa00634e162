package report

import (
	"strconv"
	"time"

	"github.com/xuri/excelize/v2"

	"bascule/internal/celltext"
	"bascule/internal/conversion"
)

// A cell is what stands in one. It is a value, for there are twenty a row.
type cell struct {
	kind  cellKind
	style int // 0: that of the column
	text  string
	n     int64 // the number, or the seconds of an instant since 30 December 1899
}

type cellKind int

const (
	noCell cellKind = iota
	textCell
	numberCell
	instantCell
)

// appendXML ends the element of the cell's beginning, and adds what it holds.
func (c cell) appendXML(b []byte) []byte {
	if c.kind == textCell {
		b = append(b, `" t="inlineStr"><is><t`...)
		if blank(c.text[0]) || blank(c.text[len(c.text)-1]) {
			b = append(b, ` xml:space="preserve"`...)
		}
		b = append(b, '>')
		b = celltext.AppendXML(b, c.text)
		return append(b, `</t></is>`...)
	}
	b = append(b, `"><v>`...)
	if c.kind == numberCell {
		b = strconv.AppendInt(b, c.n, 10)
	} else {
		b = appendSerial(b, c.n)
	}
	return append(b, `</v>`...)
}

func blank(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }

// cutMark ends a text that is longer than a cell can be.
const cutMark = " […] (texte coupé)"

// text is a text cell, or none. A text that starts with "=" stays a text (I7).
func text(s string) cell {
	if s == "" {
		return cell{}
	}
	return cell{kind: textCell, text: cut(s)}
}

// cut is as much of a text as a cell can hold.
func cut(s string) string {
	if len(s) <= excelize.TotalCellChars/2 || celltext.Units(s) <= excelize.TotalCellChars {
		return s
	}
	room := excelize.TotalCellChars - celltext.Units(cutMark)
	units, end := 0, 0 // end: the longest prefix that leaves room for the mark
	for i, r := range s {
		if units <= room {
			end = i
		}
		units += celltext.Unit(s[i:], r)
	}
	return s[:end] + cutMark
}

func number(n int) cell { return cell{kind: numberCell, n: int64(n)} }

// id is the number of a thing, or no cell if there is none.
func id(n int64) cell {
	if n == 0 {
		return cell{}
	}
	return cell{kind: numberCell, n: n}
}

func yes(b bool) cell {
	if !b {
		return cell{}
	}
	return text("oui")
}

// instant is a real date cell that shows Paris time, whatever the reader's
// settings: spreadsheets have no time zones.
func instant(t time.Time) cell {
	if t.IsZero() {
		return cell{}
	}
	return cell{kind: instantCell, n: wallSeconds(t.In(conversion.Paris))}
}

// day is a date cell without a time of day.
func day(t time.Time) cell {
	if t.IsZero() {
		return cell{}
	}
	return cell{kind: numberCell, n: serialDay(t)}
}

const daySeconds = 24 * 60 * 60

// wallSeconds counts the seconds that the clock of t shows since 30 December 1899,
// the day 0 of spreadsheets.
func wallSeconds(t time.Time) int64 {
	const unixEpoch = 25569
	_, offset := t.Zone()
	return t.Unix() + int64(offset) + unixEpoch*daySeconds
}

// serialDay is what spreadsheets call the calendar day of t.
func serialDay(t time.Time) int64 { return wallSeconds(t) / daySeconds }

// appendSerial writes days and a fraction: what spreadsheets call a date. Ten
// digits tell the second.
func appendSerial(b []byte, seconds int64) []byte {
	const digits = 1e10
	b = strconv.AppendInt(b, seconds/daySeconds, 10)
	of := seconds % daySeconds
	if of == 0 {
		return b
	}
	// The digit in front keeps the zeros; the point takes its place.
	point := len(b)
	b = strconv.AppendInt(b, digits+(of*digits+daySeconds/2)/daySeconds, 10)
	b[point] = '.'
	return b
}
