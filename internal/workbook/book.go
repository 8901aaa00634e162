// Package workbook writes workbooks, each row straight to the writer: memory does not
// grow with them (I8). Cells are values. A text is never a formula, whatever its first
// character, and is read back as it was (I7). Every sheet prints on A4 landscape, as
// wide as the paper.
//
// Excelize writes what ties a workbook together: the list of its sheets, styles,
// charts. This package writes the sheets.
package workbook

import (
	"archive/zip"
	"cmp"
	"compress/flate"
	"io"

	"github.com/xuri/excelize/v2"
)

// Book is a workbook under construction. Its sheets are written one after the other. It
// keeps its first error, writes nothing more, and returns the error from Close.
type Book struct {
	// Excelize is for what a Sheet does not do: charts and properties.
	Excelize *excelize.File

	zip     *zip.Writer
	deflate *flate.Writer   // of all parts; nil before the first one
	ours    map[string]bool // the parts that this package began
	styles  map[Style]int
	err     error // the first one
}

// New begins a workbook that opens with a sheet of that name. More sheets have their place
// behind it if they are named here, in this order.
func New(w io.Writer, first string, more ...string) *Book {
	b := &Book{Excelize: excelize.NewFile(), zip: zip.NewWriter(w), ours: make(map[string]bool), styles: map[Style]int{{}: 0}}
	b.zip.RegisterCompressor(zip.Deflate, b.compressor)
	b.Keep(b.Excelize.SetSheetName(b.Excelize.GetSheetName(0), first))
	for _, name := range more {
		_, err := b.Excelize.NewSheet(name)
		b.Keep(err)
	}
	return b
}

// compressor compresses one part. A part ends where the next one begins, so all use the
// same megabyte. BestSpeed takes half the time, and a third more bytes.
func (b *Book) compressor(to io.Writer) (_ io.WriteCloser, err error) {
	if b.deflate == nil {
		b.deflate, err = flate.NewWriter(to, flate.BestSpeed)
		return b.deflate, err
	}
	b.deflate.Reset(to)
	return b.deflate, nil
}

// Keep keeps an error, unless there was one before.
func (b *Book) Keep(err error) {
	if b.err == nil {
		b.err = err
	}
}

// Close writes the rest of the workbook, or returns the first error. It does not close the
// writer.
func (b *Book) Close() error {
	if b.err != nil {
		return b.err
	}
	b.Excelize.SetZipWriter(func(io.Writer) excelize.ZipWriter { return archive{b.zip, b.ours} })
	return b.Excelize.Write(io.Discard)
}

// archive takes all parts from excelize but those that this package wrote.
type archive struct {
	*zip.Writer
	ours map[string]bool
}

// Create implements excelize.ZipWriter.
func (a archive) Create(part string) (io.Writer, error) {
	if a.ours[part] {
		return io.Discard, nil
	}
	return a.Writer.Create(part)
}

// Style is the look of a cell. Colours are red, green and blue in hexadecimal.
type Style struct {
	Format     string  // of numbers; "@" keeps a text a text when somebody edits it
	Size       float64 // of letters; 0 is 11
	Bold       bool
	Ink, Paper string
	Align      Align
	Line       string // "top" or "bottom"
	LineInk    string
	Wrap       bool
}

// Align is the place of a text in its cell.
type Align int

const (
	Bottom Align = iota
	Middle
	MiddleLeft
	MiddleRight // and wrapped
)

var alignments = [...]excelize.Alignment{
	Middle:      {Vertical: "center"},
	MiddleLeft:  {Vertical: "center", Horizontal: "left"},
	MiddleRight: {Vertical: "center", Horizontal: "right", WrapText: true},
}

// Style returns the number of a style, which it makes if it is new. The zero Style is 0.
func (b *Book) Style(s Style) int {
	n, known := b.styles[s]
	if !known {
		n = b.newStyle(s)
		b.styles[s] = n
	}
	return n
}

func (b *Book) newStyle(s Style) int {
	// Without a family, LibreOffice uses a font with serifs.
	x := excelize.Style{Font: &excelize.Font{Family: "Calibri", Size: s.Size, Bold: s.Bold, Color: s.Ink}}
	align := alignments[s.Align]
	if s.Wrap {
		align.WrapText, align.Vertical = true, cmp.Or(align.Vertical, "top")
	}
	if align != alignments[Bottom] {
		x.Alignment = &align
	}
	if s.Format != "" {
		x.CustomNumFmt = &s.Format
	}
	if s.Paper != "" {
		x.Fill = Fill(s.Paper)
	}
	if s.Line != "" {
		x.Border = []excelize.Border{{Type: s.Line, Color: s.LineInk, Style: 1}}
	}
	n, err := b.Excelize.NewStyle(&x)
	b.Keep(err)
	return n
}

// Fill is one colour for all of a cell, or of a part of a chart.
func Fill(colour string) excelize.Fill {
	return excelize.Fill{Type: "pattern", Pattern: 1, Color: []string{colour}}
}
