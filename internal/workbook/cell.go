package workbook

import (
	"math"
	"strconv"
	"time"
)

// Cell is the content of a cell. It is a value, as a row has about twenty. The zero
// Cell is none.
type Cell struct {
	kind  kind
	style int // 0: the column's style
	text  string
	n     int64 // the number, the day, the bits of a decimal, the seconds of an instant since 30 December 1899, or what is formula of the text
}

type kind int

const (
	noCell kind = iota
	textCell
	formulaCell
	numberCell
	decimalCell
	dayCell
	instantCell
)

// Text is a text that stays one even if it begins with "=" (I7). An empty text is no
// cell.
func Text(s string) Cell {
	if s == "" {
		return Cell{}
	}
	return Cell{kind: textCell, text: s}
}

// Formula is a formula and its value, which is a text. It is for lists that an import
// must refuse: bascule's own workbooks hold no formula (I7).
func Formula(formula, value string) Cell {
	return Cell{kind: formulaCell, text: formula + value, n: int64(len(formula))}
}

// Number is a whole number.
func Number(n int64) Cell { return Cell{kind: numberCell, n: n} }

// Decimal is any number.
func Decimal(x float64) Cell { return Cell{kind: decimalCell, n: int64(math.Float64bits(x))} }

// Instant is a real date and time. It shows the clock of t, as spreadsheets have no
// time zones. The zero time is no cell.
func Instant(t time.Time) Cell {
	if t.IsZero() {
		return Cell{}
	}
	return Cell{kind: instantCell, n: wallSeconds(t)}
}

// Day is a real date without a time of day: that of Instant. The zero time is no cell.
func Day(t time.Time) Cell {
	if t.IsZero() {
		return Cell{}
	}
	return DayOf(DayNumber(t))
}

// DayOf is the day with that number in spreadsheets.
func DayOf(number int64) Cell { return Cell{kind: dayCell, n: number} }

// In is the cell with a style of its own.
func (c Cell) In(style int) Cell {
	c.style = style
	return c
}

const daySeconds = 24 * 60 * 60

// wallSeconds is the seconds since 30 December 1899, the day 0 of spreadsheets, by the
// clock of t.
func wallSeconds(t time.Time) int64 {
	const unixEpoch = 25569
	_, offset := t.Zone()
	return t.Unix() + int64(offset) + unixEpoch*daySeconds
}

// DayNumber is the number of the calendar day of t in spreadsheets.
func DayNumber(t time.Time) int64 { return wallSeconds(t) / daySeconds }

// appendXML ends the attributes of the cell's element, and adds its content.
func (c Cell) appendXML(b []byte) []byte {
	switch c.kind {
	case noCell:
		return append(b, `">`...)
	case textCell:
		return c.appendText(b)
	case formulaCell:
		b = appendXML(append(b, `" t="str"><f>`...), c.text[:c.n])
		b = appendXML(append(b, `</f><v>`...), c.text[c.n:])
		return append(b, `</v>`...)
	}
	b = append(b, `"><v>`...)
	switch c.kind {
	case numberCell, dayCell:
		b = strconv.AppendInt(b, c.n, 10)
	case decimalCell:
		b = strconv.AppendFloat(b, math.Float64frombits(uint64(c.n)), 'g', -1, 64)
	case instantCell:
		b = appendSerial(b, c.n)
	}
	return append(b, `</v>`...)
}

func (c Cell) appendText(b []byte) []byte {
	b = append(b, `" t="inlineStr"><is><t`...)
	if blank(c.text[0]) || blank(c.text[len(c.text)-1]) {
		b = append(b, ` xml:space="preserve"`...)
	}
	b = append(b, '>')
	b = appendXML(b, c.text)
	return append(b, `</t></is>`...)
}

func blank(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }

// appendSerial writes days and a fraction, a spreadsheet's form of a date. Ten digits
// tell the second.
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
