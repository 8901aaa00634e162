package importer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"
	"time"

	"bascule/importer/xlsx"
	"bascule/internal/conversion"
	"bascule/internal/text"
	"bascule/internal/workbook"
	"bascule/sql"
)

// The fields of a list of exclusions.
const (
	fieldWhom field = iota
	fieldAddress
	fieldDomain
	fieldExcludedNumber
	fieldReason
	fieldUntil
)

// exclusionHeadings are the columns of a list of exclusions: one of four names
// somebody, the others have the reason and the last day.
var exclusionHeadings = form{
	oneOf(newHeading("qui", false, "whom", "exclu")),
	oneOf(newHeading("adresse", false, append([]string{"address", "adresseelectronique"}, subscriberHeadings[fieldEmail].names...)...)),
	oneOf(newHeading("domaine", false, "domain")),
	oneOf(newHeading("numéro", false, append([]string{"number", "numerodabonne"}, numberHeading.names...)...)),
	newHeading("motif", true, "reason", "raison"),
	newHeading("jusqu'au", false, "until", "fin", "jusqua", "datedefin"),
}

func oneOf(h heading) heading {
	h.oneOf = true
	return h
}

// An ExcludedRow is a row of a list of exclusions, with its problem.
type ExcludedRow struct {
	sql.Exclusion
	Cell    string // such as B7
	Problem string // "" if there is none
}

// ReadExclusions reads a list of exclusions, a workbook or CSV. It returns a *FileError
// if it refuses the file as a whole.
func ReadExclusions(ctx context.Context, path string) (rows []ExcludedRow, err error) {
	f, err := openList(ctx, path, []form{exclusionHeadings}, nil)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	for r, err := range f.rows.data() {
		if err != nil {
			return nil, err
		}
		rows = append(rows, f.rows.excluded(r))
	}
	return rows, nil
}

// maxReason is the most characters that are kept of a reason: far more than it may have.
const maxReason = 1000

// errNotOne says that a row names nobody, or several.
var errNotOne = errors.New("one address, domain or number is needed")

// excluded reads one row, and finds its first problem.
func (s *sheet) excluded(r row) (out ExcludedRow) {
	blame := func(f field, err error) ExcludedRow {
		column := max(s.layout.columns[f], 1)
		return ExcludedRow{Cell: xlsx.CellName(column, r.line), Problem: err.Error()}
	}
	named := false
	for f := fieldWhom; f <= fieldExcludedNumber; f++ {
		x, some, err := s.whom(r, f)
		switch {
		case err != nil:
			return blame(f, err)
		case some && named:
			return blame(f, errNotOne)
		case some:
			out.Excluded, named, out.Cell = x, true, xlsx.CellName(s.layout.columns[f], r.line)
		}
	}
	if !named {
		return blame(fieldWhom, errNotOne)
	}
	if out.Reason = text.Cut(s.written(s.text(r, fieldReason)), maxReason); out.Reason == "" {
		return blame(fieldReason, errors.New("a reason is needed"))
	}
	// They are parts of a text, which is the whole row.
	out.Key, out.Reason = strings.Clone(out.Key), strings.Clone(out.Reason)
	last := r.at(s.layout.columns[fieldUntil])
	if last.kind == xlsx.Uncomputed || last.merged {
		return blame(fieldUntil, errors.New("a formula without a value, or a merged cell: type the last day"))
	}
	if until := text.Trim(last.text); until != "" {
		day, err := parseExpiry(until)
		if err != nil {
			return blame(fieldUntil, fmt.Errorf("%q is no day such as 31/12/2026", text.Excerpt(until)))
		}
		out.EndsAt = time.Date(day.Year(), day.Month(), day.Day()+1, 0, 0, 0, 0, conversion.Paris)
	}
	return out
}

// written is a text as it was before CSV, if a CSV file changed it.
func (s *sheet) written(cell string) string {
	cell = text.Trim(cell)
	if s.delimiter != 0 {
		return workbook.FromCSV(cell)
	}
	return cell
}

// excludedKinds are the kinds that each column may name; the column whom may name any.
var excludedKinds = map[field]conversion.ExcludedKind{
	fieldAddress: conversion.ExcludedAddress, fieldDomain: conversion.ExcludedDomain, fieldExcludedNumber: conversion.ExcludedNumber,
}

// whom reads the address, domain or number in one column of a row, if there is one.
func (s *sheet) whom(r row, f field) (x conversion.Excluded, some bool, err error) {
	c := r.at(s.layout.columns[f])
	typed := text.Trim(c.text)
	if typed == "" && c.kind == xlsx.Plain && !c.merged {
		return x, false, nil
	}
	if c.kind != xlsx.Plain || c.merged || s.delimiter != 0 && isFormula(typed) {
		return x, true, errors.New("a formula, a merged cell, or a number whose digits are not certain: make it a cell of text and type it again")
	}
	x, err = conversion.ParseExcluded(s.written(typed))
	if err == nil && f != fieldWhom && x.Kind != excludedKinds[f] {
		err = fmt.Errorf("no %s stands in the column %q", excludedKinds[f], s.headings[f].name)
	}
	return x, true, err
}

// ExclusionsKind is the kind in the seal of a workbook of exclusions.
const ExclusionsKind = "exclusions"

// exclusionFields are the columns of a written list, which can be read again.
var exclusionFields = []workbook.Field[sql.KeptExclusion]{
	{Title: "qui", Width: 44, Style: textStyle, Value: func(x *sql.KeptExclusion) workbook.Cell { return workbook.Text(x.Key) }},
	{Title: "nature", Width: 12, Style: textStyle, Value: func(x *sql.KeptExclusion) workbook.Cell { return workbook.Text(frenchExcluded[x.Kind]) }},
	{Title: "motif", Width: 60, Style: textStyle, Value: func(x *sql.KeptExclusion) workbook.Cell { return workbook.Text(x.Reason) }},
	{Title: "depuis", Width: 18, Style: workbook.Style{Format: "dd/mm/yyyy hh:mm"}, Value: func(x *sql.KeptExclusion) workbook.Cell {
		return workbook.Instant(x.MadeAt.In(conversion.Paris))
	}},
	{Title: "jusqu'au", Width: 14, Style: dayStyle, Value: func(x *sql.KeptExclusion) workbook.Cell {
		if x.EndsAt == nil {
			return workbook.Cell{}
		}
		return workbook.Day(x.LastDay())
	}},
	{Title: "par", Width: 24, Style: textStyle, Value: func(x *sql.KeptExclusion) workbook.Cell { return workbook.Text(x.MadeBy) }},
	{Title: "espaces", Width: 10, Style: countStyle, Value: func(x *sql.KeptExclusion) workbook.Cell { return workbook.Number(int64(x.Spaces)) }},
}

// frenchExcluded is the French word for a kind.
var frenchExcluded = map[conversion.ExcludedKind]string{
	conversion.ExcludedAddress: "adresse", conversion.ExcludedDomain: "domaine", conversion.ExcludedNumber: "numéro",
}

// WriteExclusions writes a workbook of exclusions.
func WriteExclusions(w io.Writer, list iter.Seq2[sql.KeptExclusion, error]) error {
	book := workbook.New(w, "Exclusions")
	writeTable(book, "Exclusions", exclusionFields, list, nil)
	return book.Close()
}

// WriteExclusionsCSV writes the same as CSV.
func WriteExclusionsCSV(w io.Writer, list iter.Seq2[sql.KeptExclusion, error]) error {
	return workbook.WriteCSV(w, exclusionFields, list)
}
