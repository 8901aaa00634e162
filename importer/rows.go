package importer

import (
	"errors"
	"regexp"
	"slices"
	"strings"
	"time"

	"bascule/importer/xlsx"
	"bascule/internal/conversion"
	"bascule/internal/text"
	"bascule/sql"
)

// subscriber reads one data row, and finds the errors in this row alone.
func (s *sheet) subscriber(r row) sql.ImportRow {
	p := fieldParser{sheet: s, row: r}
	space := conversion.Space{
		Number:  parse(&p, fieldNumber, conversion.ParseSubscriberNumber),
		Holder:  parse(&p, fieldHolder, parseHolder),
		Contact: parse(&p, fieldEmail, conversion.ParseEmail),
		Certificate: conversion.Certificate{
			Serial:  parse(&p, fieldSerial, conversion.ParseSerialNumber),
			Issuer:  parse(&p, fieldIssuer, parseIssuer),
			Expires: parse(&p, fieldExpiry, parseExpiry),
		},
		Access: conversion.AccessCertificate,
	}
	priority := parse(&p, fieldPriority, parsePriority)
	p.checkWidth()
	out := sql.ImportRow{Line: r.line, Space: space, Priority: priority, Cell: p.cell, Reason: p.reason, Warning: hiddenWarning(r)}
	if p.reason != "" {
		out.Space = conversion.Space{Number: space.Number}
		return out
	}
	out.Warning = join(out.Warning, swallowedWarning(r))
	out.Warning = join(out.Warning, addressWarning(space.Contact))
	out.Warning = join(out.Warning, serialWarning(s.text(r, fieldSerial)))
	out.Warning = join(out.Warning, accentsWarning("le titulaire", s.text(r, fieldHolder)))
	out.Warning = join(out.Warning, accentsWarning("l’émetteur", s.text(r, fieldIssuer)))
	return out
}

// text is the text of a field in a row; "" if the sheet has no such column.
func (s *sheet) text(r row, f field) string {
	return r.at(s.layout.columns[f]).text // no cell is in column 0
}

// hiddenWarning warns of a hidden row that was read all the same.
func hiddenWarning(r row) string {
	if r.hidden {
		return "attention : cette ligne est masquée dans le fichier"
	}
	return ""
}

// dossier reads one row of the sheet Dossiers.
func (s *sheet) dossier(r row) sql.DossierRow {
	p := fieldParser{sheet: s, row: r, prefix: "Dossiers!"}
	d := sql.DossierRow{
		Line:    r.line,
		Number:  parse(&p, fieldNumber, conversion.ParseSubscriberNumber),
		SIREN:   parse(&p, fieldSIREN, conversion.ParseSIREN),
		Company: parse(&p, fieldCompany, conversion.ParseCompanyName),
		Service: parse(&p, fieldService, conversion.ParseServiceName),
	}
	d.Cell, d.Reason = p.cell, p.reason
	return d
}

// fieldParser reads the fields of one row and collects their problems.
type fieldParser struct {
	sheet  *sheet
	row    row
	prefix string // of cell addresses

	cell   string // of the first problem
	reason string // all problems, in French
}

func parse[T any](p *fieldParser, f field, read func(string) (T, error)) T {
	var none T
	column := p.sheet.layout.columns[f]
	if column == 0 {
		return none
	}
	c := p.row.at(column)
	if reason := p.refuseKind(f, c); reason != "" {
		p.blame(column, reason)
		return none
	}
	value, err := read(c.text)
	if err != nil {
		p.blame(column, frenchOf(err))
		return none
	}
	return value
}

// blame adds a problem. The first problem names the row's cell; further ones have
// theirs in the text.
func (p *fieldParser) blame(column int, reason string) {
	address := p.prefix + xlsx.CellName(column, p.row.line)
	if p.reason == "" {
		p.cell, p.reason = address, reason
		return
	}
	p.reason += further + address + "\u00a0: " + reason
}

// further separates the problems of a row; each further one has its cell.
const further = "\u00a0; "

const formulaReason = "formule : remplacez-la par sa valeur"

// refuseKind finds the problem of a cell, whatever its text.
func (p *fieldParser) refuseKind(f field, c cell) string {
	if c.merged {
		return "cellule fusionnée ou sous un titre fusionné : séparez les cellules, et laissez dans chacune la valeur qui compte"
	}
	h, shown := p.sheet.headings[f], text.Trim(c.text)
	switch {
	case c.kind == xlsx.Uncomputed, h.required && (c.kind == xlsx.Formula || isFormula(shown)):
		return formulaReason // in an optional column too, an uncomputed value must not be lost in silence
	case c.kind == xlsx.ErrorValue || isError(shown):
		return "erreur de formule : " + text.Excerpt(shown)
	case h.identifier && (c.kind == xlsx.LostDigits || isScientific(shown)):
		return "nombre dont des chiffres ont été perdus (plus de 15 chiffres, ou zéros en tête) : mettez la cellule au format Texte et ressaisissez-le"
	case h.identifier && c.kind == xlsx.ShownOtherwise:
		return "nombre affiché avec un format particulier : mettez la cellule au format Texte et ressaisissez la valeur telle qu’elle est affichée"
	}
	return ""
}

// isFormula tells whether a text is a formula. CSV has formulas as texts, as has a
// column in text format.
func isFormula(shown string) bool { return strings.HasPrefix(shown, "=") }

// isScientific tells whether a text is a number without all of its digits, 1,23457E+14.
// Spreadsheets write it into CSV, and a verdict workbook has it. 12E5, without a sign, may
// be a serial number.
func isScientific(shown string) bool {
	return strings.Contains(shown, "E+") && scientificText.MatchString(shown)
}

var scientificText = regexp.MustCompile(`^-?\d+(?:[.,]\d+)?E\+\d+$`)

// isError tells whether a text is the error of a formula. CSV has errors as texts, as
// has a verdict workbook.
func isError(shown string) bool {
	return (strings.HasPrefix(shown, "#") || strings.HasPrefix(shown, "Err")) && errorText.MatchString(shown)
}

// errorText is an error as spreadsheet programs show it, in English or in French:
// #REF!, #NOM?, #VALEUR !, #N/A, Err:502.
var errorText = regexp.MustCompile(`^(?:#N/[AD]|#[\p{Lu}\d_/]+\pZ?[!?]|Err\pZ?:\pZ?\d{3})$`)

// checkWidth rejects a row of a CSV file with more fields than the header has columns:
// an undoubled delimiter has shifted its values.
func (p *fieldParser) checkWidth() {
	if last := p.row.last(); p.sheet.delimiter != 0 && last > p.sheet.layout.width {
		p.blame(last, "plus de champs que d’en-têtes : mettez entre guillemets les textes qui contiennent le séparateur")
	}
}

var errSwallowed = &conversion.Invalid{English: "text holds another row", French: "texte sur plusieurs lignes qui contient une autre ligne\u00a0: un guillemet n’est sans doute pas fermé dans le fichier CSV"}

var (
	parseHolder = ofOneRow(conversion.ParseHolder)
	parseIssuer = ofOneRow(conversion.ParseIssuer)
)

// ofOneRow refuses a text that holds another row. A quote that is closed by one of another
// row, as in 19", makes a text of all between them, and gives a subscriber what is another's.
func ofOneRow(read func(string) (string, error)) func(string) (string, error) {
	return func(s string) (string, error) {
		if holdsRow(s) {
			return "", errSwallowed
		}
		return read(s)
	}
}

// swallowedWarning warns of another row in a column of no heading, which may be a note.
func swallowedWarning(r row) string {
	for _, c := range r.cells {
		if holdsRow(c.text) {
			return "attention\u00a0: la cellule " + xlsx.CellName(c.column, r.line) + " contient peut-être une autre ligne, par un guillemet non fermé dans le fichier CSV"
		}
	}
	return ""
}

// holdsRow tells whether a text has all that is in a row, and its end: an address, a date,
// and as many delimiters as a row of the required columns alone.
func holdsRow(s string) bool {
	return (strings.IndexByte(s, '\n') >= 0 || strings.IndexByte(s, '\r') >= 0) && strings.Contains(s, "@") && anyDate.MatchString(s) &&
		slices.ContainsFunc(delimiters, func(d byte) bool { return strings.Count(s, string(d)) >= 4 })
}

var anyDate = regexp.MustCompile(`\d[-/.]\d{1,2}[-/.]\d`)

func frenchOf(err error) string {
	if invalid, ok := errors.AsType[*conversion.Invalid](err); ok {
		return invalid.French
	}
	return "valeur invalide"
}

// The problems of a date.
var (
	errDateMissing = &conversion.Invalid{English: "expiry date missing", French: "date d’expiration manquante"}
	errDateFormat  = &conversion.Invalid{English: "expiry date not valid", French: "date d’expiration invalide : écrivez-la sous la forme 31/12/2026"}
	errDateDay     = &conversion.Invalid{English: "expiry date impossible", French: "date d’expiration invalide\u00a0: ce jour est impossible, écrivez le jour, le mois puis l’année, comme 31/12/2026"}
	errDateYear    = &conversion.Invalid{English: "year of the expiry date has two digits", French: "date d’expiration dont l’année n’a que deux chiffres : écrivez-la sur quatre chiffres, comme 31/12/2026"}
)

// dateForm is a French or an ISO date, with or without a time of day and its zone. The time
// does not count: a certificate is used until the day that its sheet names.
var dateForm = regexp.MustCompile(`^(?:(\d{1,2}/\d{1,2}/\d{4})|(\d{4}-\d{2}-\d{2}))(?:[ T](?:[01]?\d|2[0-3]):[0-5]\d(?::[0-5]\d(?:\.\d{1,9})?)?(?:Z|[+-]\d\d(?::?\d\d)?)?)?$`)

// shortYear is a date with two digits for each of its parts.
var shortYear = regexp.MustCompile(`^\d{1,2}[-/. ]\d{1,2}[-/. ]\d{2}(?:\D.*)?$`)

// firstYear is the year in which X.509 begins; earlier dates are typing errors.
const firstYear = 1988

// parseExpiry reads the day on which a certificate expires: midnight UTC.
func parseExpiry(s string) (time.Time, error) {
	s = text.Trim(s)
	if s == "" {
		return time.Time{}, errDateMissing
	}
	m := dateForm.FindStringSubmatch(s)
	switch {
	case m != nil:
	case shortYear.MatchString(s):
		return time.Time{}, errDateYear
	default:
		return time.Time{}, errDateFormat
	}
	t, err := time.Parse("2/1/2006", m[1])
	if m[2] != "" {
		t, err = time.Parse(time.DateOnly, m[2])
	}
	if err != nil || t.Year() < firstYear {
		return time.Time{}, errDateDay
	}
	return t, nil
}

var errPriority = &conversion.Invalid{English: "priority is no digit from 1 to 9", French: "priorité invalide\u00a0: un chiffre de 1 (part en premier) à 9, ou rien"}

// parsePriority reads the priority of a row; 0 if it is empty (D13).
func parsePriority(s string) (int, error) {
	s = text.Trim(s)
	switch {
	case s == "":
		return 0, nil
	case len(s) > 1 || s < "1" || s > "9":
		return 0, errPriority
	}
	return int(s[0] - '0'), nil
}
