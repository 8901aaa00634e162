package report

import (
	"archive/zip"
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/xuri/excelize/v2"

	"bascule/internal/conversion"
)

var generated = time.Date(2026, 11, 25, 7, 0, 12, 0, time.UTC)

func rowsOf[T any](rows ...T) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for _, r := range rows {
			if !yield(r, nil) {
				return
			}
		}
	}
}

func numbered(n int) []conversion.ReportRequest {
	list := make([]conversion.ReportRequest, n)
	for i := range list {
		list[i] = conversion.ReportRequest{ID: int64(i + 1), Number: conversion.SubscriberNumber(fmt.Sprintf("%07d", i)), State: conversion.StateMailed}
	}
	return list
}

// C8, R23: every fact of a request is in its column, with its type. Identifiers are
// texts, dates are dates in Paris time, and a missing fact has no cell. A deadline is
// never shown later than it is (D4).
func TestRequests(t *testing.T) {
	at := func(hour int) time.Time { return time.Date(2026, 11, 25, hour, 0, 59, 999_999_999, time.UTC) }
	w := written(t, conversion.Report{Requests: rowsOf(conversion.ReportRequest{
		ID: 7, Number: "0012345", Holder: "Mme Camille Duvallon", Email: "camille@duvallon.example", Batch: 12,
		State: conversion.StateUndeliverable, Origin: "import", Generation: 2, InDoubt: true, RequestedAt: at(6), StartedAt: at(7), MailedAt: at(8),
		ExpiresAt: at(9), ActivatedAt: at(10), EndedAt: at(11), BouncedAt: at(12), Bounce: conversion.BounceGone,
		CertificateExpires: time.Date(2026, 12, 31, 0, 0, 0, 0, time.UTC), Refusal: "550 5.1.1 unknown",
	}, conversion.ReportRequest{State: conversion.StateRequested})})
	want := []struct{ group, title, typ, value string }{
		{"Abonné", "Numéro d’abonné", "inlineStr", "0012345"},
		{"", "Titulaire", "inlineStr", "Mme Camille Duvallon"},
		{"", "Adresse électronique", "inlineStr", "camille@duvallon.example"},
		{"", "Certificat valable jusqu’au", "", "2026-12-31T00:00:00"},
		{"Demande", "État", "inlineStr", "adresse refusée"},
		{"", "Invité par", "inlineStr", "l’import d’un lot"},
		{"", "Lot", "", "12"},
		{"", "Demandée le", "", "2026-11-25T07:00:59"},
		{"Courriel", "Envoi commencé le", "", "2026-11-25T08:00:59"},
		{"", "Envoyé le", "", "2026-11-25T09:00:59"},
		{"", "À activer avant le", "", "2026-11-25T10:00:59"},
		{"", "Nombre de codes", "", "2"},
		{"", "Arrivée du courriel inconnue", "inlineStr", "oui"},
		{"", "Revenu le", "", "2026-11-25T13:00:59"},
		{"", "Motif du retour", "inlineStr", "adresse inexistante ou fermée"},
		{"", "Refus de la messagerie", "inlineStr", "adresse inconnue (550 5.1.1)"},
		{"", "Réponse de la messagerie", "inlineStr", "550 5.1.1 unknown"},
		{"Issue", "Activée le", "", "2026-11-25T11:00:59"},
		{"", "Terminée sans activation le", "", "2026-11-25T12:00:59"},
		{"", "Numéro de la demande", "", "7"},
	}
	rows := w.sheet(t, "Demandes").rows
	if len(rows) != 4 {
		t.Fatalf("%d rows, want two of the header and 2", len(rows))
	}
	for i, c := range want {
		column := columnName(t, i+1)
		if group, title := rows[0][column].value, rows[1][column].value; group != c.group || title != c.title {
			t.Errorf("column %s is titled %q, %q, want %q, %q", column, group, title, c.group, c.title)
		}
		cell := rows[2][column]
		if strings.HasSuffix(c.title, " le") || strings.HasSuffix(c.title, " jusqu’au") {
			cell.value = fromSerial(t, cell.value)
		}
		if cell.typ != c.typ || cell.value != c.value {
			t.Errorf("%s: %q of type %q, want %q of type %q", c.title, cell.value, cell.typ, c.value, c.typ)
		}
	}
	if len(rows[1]) != len(want) || len(rows[2]) != len(want) {
		t.Errorf("%d titles, %d cells, want %d", len(rows[1]), len(rows[2]), len(want))
	}
	if empty := rows[3]; len(empty) != 2 || empty["E"].value != "à envoyer" || empty["L"].value != "0" {
		t.Errorf("a request without facts has the cells %v", empty)
	}
}

// D11: the report tells a late mail from a mail whose code died meanwhile.
func TestCameBack(t *testing.T) {
	for _, tt := range []struct {
		r    request
		want string
	}{
		{request{}, ""},
		{request{Bounce: conversion.BounceLate}, "retardé"},
		{request{Bounce: conversion.BounceLate, NotDelivered: true}, "non remis à temps"},
		{request{Bounce: conversion.BounceComplaint}, "plainte du destinataire"},
	} {
		if got := cameBack(&tt.r); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.r.Bounce, got, tt.want)
		}
	}
}

// C1, C8, D17: the rows that were not taken say where and why.
func TestRejected(t *testing.T) {
	w := written(t, conversion.Report{Rejected: rowsOf(
		conversion.ReportRejected{Batch: 12, FileName: "abonnés.xlsx", Line: 7, Verdict: "rejected", Cell: "C7", Reason: "adresse électronique invalide", Number: "000123"},
		conversion.ReportRejected{Line: 9, Verdict: "excluded", Reason: "à ne pas inviter", Number: "000124"})})
	rows := w.sheet(t, "Lignes refusées").rows
	if len(rows) != 4 {
		t.Fatalf("%d rows, want 4", len(rows))
	}
	if got := rows[3]["F"].value; got != "exclu" {
		t.Errorf("the verdict of an excluded row is %q", got)
	}
	for column, want := range map[string]parsedCell{
		"A": {typ: "", value: "12"}, "B": {typ: "inlineStr", value: "abonnés.xlsx"}, "C": {typ: "", value: "7"}, "D": {typ: "inlineStr", value: "C7"},
		"E": {typ: "inlineStr", value: "000123"}, "F": {typ: "inlineStr", value: "rejeté"}, "G": {typ: "inlineStr", value: "adresse électronique invalide"},
	} {
		if got := rows[2][column]; got.typ != want.typ || got.value != want.value {
			t.Errorf("%s: %+v, want %+v", column, got, want)
		}
	}
}

// C8: the relay's refusal is told in French, with its code.
func TestFrenchRefusal(t *testing.T) {
	for words, want := range map[string]string{
		"":                            "",
		"550 5.1.1 unknown":           "adresse inconnue (550 5.1.1)",
		"550 #5.1.0 rejected":         "adresse refusée (550)",
		"550 5.1.99 x":                "adresse refusée (550 5.1.99)",
		"452 4.2.2 over quota":        "boîte pleine (452 4.2.2)",
		"554 5.7.1 spam":              "refusé par une règle de la messagerie (554 5.7.1)",
		"421 try later":               "messagerie momentanément indisponible (421)",
		"555 what":                    "motif inconnu (555)",
		"no answer at rcpt":           "la messagerie n’a pas répondu",
		"[e-mail] is not known to us": "motif inconnu",
	} {
		if got := frenchRefusal(words); got != want {
			t.Errorf("%q: %q, want %q", words, got, want)
		}
	}
}

// R23: an instant shows as Paris clocks do, on both sides of a change of hour;
// a certificate's day never moves.
func TestDates(t *testing.T) {
	utc := func(m time.Month, d, h, min, s int) time.Time { return time.Date(2026, m, d, h, min, s, 0, time.UTC) }
	tests := []struct {
		at            time.Time
		instant, date string
	}{
		{utc(3, 29, 0, 59, 59), "29/03/2026 01:59", "29/03/2026"}, // the second before summer time
		{utc(3, 29, 1, 0, 0), "29/03/2026 03:00", "29/03/2026"},
		{utc(10, 25, 0, 59, 59), "25/10/2026 02:59", "25/10/2026"}, // before winter time
		{utc(10, 25, 1, 0, 0), "25/10/2026 02:00", "25/10/2026"},
		{utc(12, 31, 23, 30, 0), "01/01/2027 00:30", "31/12/2026"},
		{utc(7, 1, 22, 0, 0), "02/07/2026 00:00", "01/07/2026"},
		{utc(2, 28, 11, 59, 59), "28/02/2026 12:59", "28/02/2026"},
	}
	var requests []conversion.ReportRequest
	for _, tt := range tests {
		requests = append(requests, conversion.ReportRequest{ExpiresAt: tt.at, CertificateExpires: tt.at})
	}
	f := openExcelize(t, conversion.Report{Requests: rowsOf(requests...)})
	for i, tt := range tests {
		if got := value(t, f, "Demandes", fmt.Sprintf("K%d", i+3)); got != tt.instant {
			t.Errorf("%v is shown as %q, want %q", tt.at, got, tt.instant)
		}
		if got := value(t, f, "Demandes", fmt.Sprintf("D%d", i+3)); got != tt.date {
			t.Errorf("the day %v is shown as %q, want %q", tt.at, got, tt.date)
		}
	}
}

// I7: two readers read any text back as that text, and it is no formula.
func TestHostileTexts(t *testing.T) {
	texts := []string{
		"=1+1", "+33", "-1", "@SUM(A1)", "\t=1", "=HYPERLINK(\"http://x.example\")", "=cmd|'/c calc'!A0", "＝1",
		"<f>1+1</f>", "]]>&amp;", `"'`, "_x0041_", "_x003D_1", " blank ", "two\nlines", "0001", "1e5", "TRUE", "#REF!", "😀 Ω é", "12/12/2026",
	}
	var requests []conversion.ReportRequest
	var rejected []conversion.ReportRejected
	for _, s := range texts {
		requests = append(requests, conversion.ReportRequest{Number: conversion.SubscriberNumber(s), Holder: s, Email: s, Refusal: s, State: conversion.State(s)})
		rejected = append(rejected, conversion.ReportRejected{FileName: s, Cell: s, Number: s, Reason: s})
	}
	r := conversion.Report{Batch: 1, FileName: "=1+1", Requests: rowsOf(requests...), Rejected: rowsOf(rejected...)}
	w := written(t, r)
	f := openExcelize(t, r)
	for sheet, columns := range map[string]string{"Demandes": "ABCEQ", "Lignes refusées": "BDEG"} {
		for i, want := range texts {
			for _, column := range strings.Split(columns, "") {
				got := w.sheet(t, sheet).rows[i+2][column]
				if unescaped := unescape(got.value); unescaped != want || got.typ != "inlineStr" {
					t.Errorf("%s %s%d: %q of type %s, want the text %q", sheet, column, i+3, unescaped, got.typ, want)
				}
				if got := value(t, f, sheet, fmt.Sprintf("%s%d", column, i+3)); got != want {
					t.Errorf("%s %s%d: excelize reads %q, want %q", sheet, column, i+3, got, want)
				}
			}
		}
	}
	w.assertNoFormula(t)
}

// I7: control characters, which XML cannot hold, are escaped as the format wants
// it; broken UTF-8 does not break the workbook.
func TestUnwritableTexts(t *testing.T) {
	w := written(t, conversion.Report{Requests: rowsOf(conversion.ReportRequest{Holder: "a\x00b\x0bc\xff\uFFFEd"})})
	if got, want := w.sheet(t, "Demandes").rows[2]["B"].value, "a_x0000_b_x000B_c\uFFFD_xFFFE_d"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// A text that no cell can hold is cut, and says so; one that just fits is whole.
func TestLongTexts(t *testing.T) {
	for _, tt := range []struct {
		name, give string
		cut        bool
	}{
		{"fits", strings.Repeat("x", 32767), false},
		{"too long", strings.Repeat("x", 32768), true},
		{"fits in UTF-16 alone", strings.Repeat("é", 32767), false},
		{"surrogates fit", strings.Repeat("😀", 16383), false},
		{"surrogates too long", strings.Repeat("😀", 16384), true},
	} {
		got := written(t, conversion.Report{Requests: rowsOf(conversion.ReportRequest{Refusal: tt.give})}).sheet(t, "Demandes").rows[2]["Q"].value
		if !tt.cut && got != tt.give {
			t.Errorf("%s: was changed", tt.name)
		}
		if kept, ok := strings.CutSuffix(got, " […] (texte coupé)"); tt.cut && (!ok || !strings.HasPrefix(tt.give, kept) || len(kept) < len(tt.give)-100) {
			t.Errorf("%s: %d bytes, end %q", tt.name, len(got), got[len(got)-30:])
		}
	}
}

// C7: more requests than a sheet has rows go on in further sheets, each with its
// header, filter and frozen row; none is empty, none is lost.
func TestSplit(t *testing.T) {
	for n, want := range map[int][]int{0: {0}, 1: {1}, 3: {3}, 4: {3, 1}, 6: {3, 3}, 7: {3, 3, 1}} {
		var b bytes.Buffer
		if err := write(&b, conversion.Report{Requests: rowsOf(numbered(n)...), Rejected: rowsOf(make([]rejected, n)...)}, 5); err != nil {
			t.Fatal(err)
		}
		w := parse(t, b.Bytes())
		var seen []string
		for i, rows := range want {
			name := "Demandes"
			if i > 0 {
				name = fmt.Sprintf("Demandes (%d)", i+1)
			}
			s := w.sheet(t, name)
			if len(s.rows) != rows+2 {
				t.Errorf("%d requests: %s has %d rows, want %d", n, name, len(s.rows)-2, rows)
			}
			for _, r := range s.rows[2:] {
				seen = append(seen, r["A"].value)
			}
			if s.rows[1]["A"].value != "Numéro d’abonné" || s.filter != fmt.Sprintf("A2:T%d", rows+2) || !s.frozen {
				t.Errorf("%d requests: %s has the filter %q, frozen %v", n, name, s.filter, s.frozen)
			}
		}
		if len(seen) != n || !slices.IsSorted(seen) {
			t.Errorf("%d requests: found %v", n, seen)
		}
		if len(w.names) != 5+2*len(want) {
			t.Errorf("%d requests: sheets %q", n, w.names)
		}
	}
}

// The limit of a sheet is the file format's.
func TestSheetLimit(t *testing.T) {
	if maxRows != excelize.TotalRows {
		t.Errorf("a sheet is taken to hold %d rows", maxRows)
	}
}

// C8: the summary counts every state, access and day in Paris, as values, with shares.
func TestSummary(t *testing.T) {
	made, later := time.Date(2026, 11, 24, 23, 30, 0, 0, time.UTC), time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC) // half past midnight in Paris
	var requests []conversion.ReportRequest
	for state, n := range map[conversion.State]int{conversion.StateMailed: 2, conversion.StateActivated: 20, conversion.StateExpired: 5,
		conversion.StateUndeliverable: 6, conversion.StateCancelled: 7} {
		for i := range n {
			r := conversion.ReportRequest{State: state, RequestedAt: made, NotDelivered: state == conversion.StateExpired && i < 2}
			if state != conversion.StateCancelled {
				r.MailedAt = made.Add(time.Hour)
			}
			switch state {
			case conversion.StateMailed:
				r.ExpiresAt = later
			case conversion.StateActivated:
				r.ActivatedAt = later
			default:
				r.EndedAt = later
			}
			requests = append(requests, r)
		}
	}
	all := conversion.ReportSpaces{Spaces: 36, Invited: 32, Switched: 20, ToInvite: 1, Open: 2, Late: 5, Unreachable: 6, Cancelled: 2}
	april := all
	april.Kind, april.Month = conversion.SpacesByMonth, time.Date(2027, 4, 1, 0, 0, 0, 0, time.UTC)
	r := conversion.Report{
		At: generated, Batch: 12, FileName: "abonnés.xlsx", Administration: "Direction des essais publics",
		Rows:   conversion.ReportRows{Files: 3, Rows: 100, Taken: 80, NotDue: 5, Refused: 15, StillExcluded: 2, StillRejected: 3},
		Spaces: rowsOf(all, april), Requests: rowsOf(requests...),
	}
	f := openExcelize(t, r)
	for cell, want := range map[string]string{
		"A1": "Direction des essais publics", "A2": "Changement d’accès des espaces abonnés", "A3": "Lot 12\u00a0: abonnés.xlsx",
		"A4": "Rapport établi le mercredi 25 novembre 2026 à 8\u00a0h\u00a000. Toutes les heures sont celles de Paris.",
		"A7": "36", "B7": "32", "C7": "20", "D7": "0.625", "E7": "3",
		"A10": "Sans certificat", "B10": "20", "B11": "2", "B12": "1", "B13": "5", "B14": "6", "B15": "2", "B16": "36", "C16": "1",
		"A18": "Lignes remises (3 fichiers)", "B19": "80", "C19": "0.8", "B20": "5", "B21": "10", "B22": "2", "B23": "3", "B24": "100",
		"A27": "à envoyer", "B27": "0", "C27": "0", "A28": "courriel envoyé", "B28": "2", "C28": "0.05",
		"A29": "activée", "B29": "20", "C29": "0.5", "B30": "5", "B31": "6", "A32": "annulée", "B32": "7", "B33": "40", "C33": "1",
		"A34": "dont non remises à temps", "B34": "2", "C34": "0.05",
		"A35": "",
	} {
		got, err := f.GetCellValue(summaryName, cell, excelize.Options{RawCellValue: true})
		if err != nil || got != want {
			t.Errorf("%s: %q, %v, want %q", cell, got, err, want)
		}
	}
	for cell, want := range map[string]string{"D7": shareFormat, "C28": shareFormat, "B28": countFormat} {
		n, err := f.GetCellStyle(summaryName, cell)
		if err != nil {
			t.Fatal(err)
		}
		if style, err := f.GetStyle(n); err != nil || style.CustomNumFmt == nil || *style.CustomNumFmt != want {
			t.Errorf("%s has the style %+v, %v", cell, style, err)
		}
	}
	for cell, want := range map[string]string{
		"Par jour!A2": "25/11/2026", "Par jour!B2": "40", "Par jour!C2": "33", "Par jour!D3": "20", "Par jour!G3": "7", "Par jour!A4": "Total", "Par jour!I1": "Jour", "Par jour!J1": "Courriels envoyés", "Par jour!I2": "25/11", "Par jour!J2": "33", "Par jour!K2": "0", "Par jour!I3": "26/11", "Par jour!K3": "20", "Par jour!L3": "5", "Par jour!I4": "", "Par jour!C4": "33",
		"Par échéance!B2": "36", "Par échéance!C2": "32", "Par échéance!D2": "20", "Par échéance!A3": "Total", "Par échéance!J3": "2",
	} {
		sheet, cell, _ := strings.Cut(cell, "!")
		if got := value(t, f, sheet, cell); got != want {
			t.Errorf("%s %s: %q, want %q", sheet, cell, got, want)
		}
	}
}

// D12: a report names its campaign.
func TestScope(t *testing.T) {
	for want, r := range map[string]conversion.Report{
		"Campagne «\u00a0certificats\u00a0»": {Campaign: "certificats"}, "Toutes les campagnes": {}, "Lot 7": {Batch: 7},
	} {
		if got := scope(r); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// C8, I8: the twenty largest domains are listed, the others are added up.
func TestLargestGroups(t *testing.T) {
	var spaces []conversion.ReportSpaces
	for i := range 30 {
		spaces = append(spaces, conversion.ReportSpaces{Kind: conversion.SpacesByDomain, Name: fmt.Sprintf("d%02d.example", i), Spaces: i % 10 * 100, Invited: i % 10})
	}
	slices.SortStableFunc(spaces, func(a, b conversion.ReportSpaces) int { return b.Spaces - a.Spaces }) // as the database does
	f := openExcelize(t, conversion.Report{Spaces: rowsOf(append(spaces, conversion.ReportSpaces{Spaces: 13500, Invited: 135}, conversion.ReportSpaces{Kind: conversion.SpacesByIssuer, Spaces: 1})...)})
	for cell, want := range map[string]string{
		"Par messagerie!A2": "d09.example", "Par messagerie!A3": "d19.example", "Par messagerie!B4": "900", "Par messagerie!A21": "d13.example",
		"Par messagerie!A22": "Autres (10)", "Par messagerie!A23": "Total", "Par messagerie!B23": "13,500", "Par messagerie!C23": "135",
		"Par émetteur!A2": "non précisé", "Par émetteur!A3": "Total",
	} {
		sheet, cell, _ := strings.Cut(cell, "!")
		if got := value(t, f, sheet, cell); got != want {
			t.Errorf("%s %s: %q, want %q", sheet, cell, got, want)
		}
	}
	sum := 0
	for row := 2; row <= 22; row++ {
		got, err := f.GetCellValue("Par messagerie", fmt.Sprintf("C%d", row), excelize.Options{RawCellValue: true})
		if err != nil {
			t.Fatal(err)
		}
		sum += integer(t, got)
	}
	if sum != 135 {
		t.Errorf("the domains and the others have %d invited spaces, want 135", sum)
	}
}

// C8: the detail as CSV has the same columns and values, and no formula (I7).
func TestCSV(t *testing.T) {
	var b bytes.Buffer
	err := WriteCSV(&b, rowsOf(
		conversion.ReportRequest{ID: 1, Number: "0012345", Holder: "=1+1", Email: `a;"b"`, RequestedAt: generated, CertificateExpires: generated, State: conversion.StateMailed},
		conversion.ReportRequest{Number: " ＝1", Holder: "-1", Email: "\t@SUM(A1)"}))
	if err != nil {
		t.Fatal(err)
	}
	text, ok := strings.CutPrefix(b.String(), "\ufeff")
	lines := strings.Split(text, "\r\n")
	if !ok || len(lines) != 4 || !strings.HasPrefix(lines[0], "Numéro d’abonné;Titulaire;Adresse électronique;") {
		t.Fatalf("%q", text)
	}
	if want := `0012345;'=1+1;"a;""b""";25/11/2026;courriel envoyé;;;25/11/2026 08:00:12;;;;0;;;;;;;;1`; lines[1] != want {
		t.Errorf("%s, want\n%s", lines[1], want)
	}
	if want := "' ＝1;'-1;\"'\t@SUM(A1)\";;"; !strings.HasPrefix(lines[2], want) {
		t.Errorf("%q, want it to begin with %q", lines[2], want)
	}
	broken := errors.New("database went away")
	if err := WriteCSV(&b, func(yield func(conversion.ReportRequest, error) bool) { yield(conversion.ReportRequest{}, broken) }); !errors.Is(err, broken) {
		t.Errorf("error %v, want %v", err, broken)
	}
	if err := WriteCSV(&fullDisk{10}, rowsOf(numbered(10)...)); !errors.Is(err, errFull) {
		t.Errorf("error %v, want %v", err, errFull)
	}
}

// Counts of nothing are zeros: no division by zero, no empty chart by day.
func TestSummaryOfNothing(t *testing.T) {
	w := written(t, conversion.Report{At: generated})
	rows := w.sheet(t, summaryName).rows
	text := fmt.Sprint(rows)
	for _, want := range []string{"Toutes les campagnes", "Espaces concernés"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q not found", want)
		}
	}
	if strings.Contains(text, "NaN") {
		t.Error("a share is not a number")
	}
	if n := len(w.charts()); n != 1 {
		t.Errorf("%d charts, want the one by state", n)
	}
}

var chartReference = regexp.MustCompile(`^'(Synthèse|Par jour)'!\$([A-Z])\$(\d+)(?::\$[A-Z]\$(\d+))?$`)

// C8: there is a chart of the spaces and one of the events, in days, weeks or months.
// All their references are cells with values of the right kind.
func TestCharts(t *testing.T) {
	for days, periods := range map[int]int{1: 1, 31: 31, 32: 5, 200: 29, 400: 14} {
		requests := numbered(days)
		for i := range requests {
			requests[i].MailedAt = generated.AddDate(0, 0, i)
		}
		requests = append(requests[:1], requests[len(requests)-1:]...) // what lies between is shown, too
		w := written(t, conversion.Report{Requests: rowsOf(requests...)})
		charts := w.charts()
		if len(charts) != 2 {
			t.Fatalf("%d charts, want 2", len(charts))
		}
		points := 0
		for _, chart := range charts {
			for _, f := range elements(t, chart, "f") {
				ref := chartReference.FindStringSubmatch(f)
				if ref == nil {
					t.Fatalf("a chart points at %q", f)
				}
				rows, column, first := w.sheet(t, ref[1]).rows, ref[2], integer(t, ref[3])
				last := first
				if ref[4] != "" {
					last = integer(t, ref[4])
				}
				for n := first; n <= last; n++ {
					if i := slices.IndexFunc(rows, func(r map[string]parsedCell) bool { return r[column].row == n }); i < 0 || rows[i][column].value == "" {
						t.Fatalf("%d days: a chart points at the empty cell %s%d", days, column, n)
					}
					points++
				}
			}
		}
		// Of spaces: a title, 6 names, 6 values. By period: 3 titles, each with as many names and values as periods.
		if want := 1 + 6 + 6 + 3*(1+2*periods); points != want {
			t.Errorf("%d days: the charts show %d cells, want %d", days, points, want)
		}
	}
}

// I7: no sheet holds a formula, no name or link leads out of the workbook.
func TestNoFormula(t *testing.T) {
	w := written(t, conversion.Report{
		Batch: 1, FileName: "=1+1",
		Requests: rowsOf(conversion.ReportRequest{RequestedAt: generated, Holder: "=1"}), Rejected: rowsOf(conversion.ReportRejected{Reason: "=1"}),
	})
	w.assertNoFormula(t)
}

// A printed page repeats the header.
func TestPrintTitles(t *testing.T) {
	w := written(t, conversion.Report{})
	names := elements(t, w.parts["xl/workbook.xml"], "definedName")
	for _, want := range []string{"'Demandes'!$A:$A,'Demandes'!$1:$2", "'Lignes refusées'!$1:$2", "'Par jour'!$1:$1"} {
		if !slices.Contains(names, want) {
			t.Errorf("%s is not repeated: %q", want, names)
		}
	}
}

// I7: an error half-way is reported and leaves neither a file nor temporary ones.
func TestError(t *testing.T) {
	broken := errors.New("database went away")
	out := t.TempDir()
	half := func(yield func(conversion.ReportRequest, error) bool) {
		for _, r := range numbered(70_000) {
			r.Holder = strings.Repeat("x", 100)
			if !yield(r, nil) {
				return
			}
		}
		if size := growing(t, out); size == 0 {
			t.Error("the rows are kept in memory (I8)")
		}
		yield(conversion.ReportRequest{}, broken)
	}
	err := WriteFile(filepath.Join(out, "report.xlsx"), conversion.Report{Requests: half})
	if !errors.Is(err, broken) || !strings.Contains(err.Error(), "requests") {
		t.Errorf("error %v, want %v and what it was reading", err, broken)
	}
	rejected := func(yield func(conversion.ReportRejected, error) bool) { yield(conversion.ReportRejected{}, broken) }
	if err := WriteFile(filepath.Join(out, "report.xlsx"), conversion.Report{Rejected: rejected}); !errors.Is(err, broken) {
		t.Errorf("error %v, want %v", err, broken)
	}
	if left, err := os.ReadDir(out); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// growing is the size of the only file in a folder.
func growing(t *testing.T, dir string) int64 {
	t.Helper()
	files, err := os.ReadDir(dir)
	if err != nil || len(files) != 1 {
		t.Fatalf("files %v, %v", files, err)
	}
	info, err := files[0].Info()
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}

type fullDisk struct{ room int }

var errFull = errors.New("disk full")

func (d *fullDisk) Write(b []byte) (int, error) {
	if d.room -= len(b); d.room < 0 {
		return 0, errFull
	}
	return len(b), nil
}

// I7: wherever the disk is full, Write says so.
func TestWriteError(t *testing.T) {
	whole := len(written(t, conversion.Report{}).raw)
	for room := 0; room < whole; room += 1000 {
		if err := Write(&fullDisk{room}, conversion.Report{}); !errors.Is(err, errFull) {
			t.Errorf("room for %d of %d bytes: error %v, want %v", room, whole, err, errFull)
		}
	}
}

// A complete file takes its name and leaves no temporary ones.
func TestWriteFile(t *testing.T) {
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	path := filepath.Join(t.TempDir(), "report.xlsx")
	if err := WriteFile(path, conversion.Report{Requests: rowsOf(numbered(5)...)}); err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got := len(parse(t, raw).sheet(t, "Demandes").rows); got != 7 {
		t.Errorf("%d rows, want 7", got)
	}
	if left, err := os.ReadDir(temp); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// The ratio is how many times faster a report is than the same cells written by
// excelize's StreamWriter alone.
func BenchmarkWrite(b *testing.B) {
	requests := numbered(10_000)
	for i := range requests {
		r := &requests[i]
		r.Holder, r.Email, r.Origin = "Mme Camille Duvallon", fmt.Sprintf("camille.%d@duvallon.example", i), "lot"
		at := generated.Add(time.Duration(i) * time.Second)
		r.RequestedAt, r.StartedAt, r.MailedAt, r.ExpiresAt, r.CertificateExpires = at, at, at, at, at
		r.Batch, r.Generation = 1, 1
	}
	product := func() {
		if err := Write(io.Discard, conversion.Report{Requests: rowsOf(requests...)}); err != nil {
			b.Fatal(err)
		}
	}
	var cells [][]any
	for _, row := range written(b, conversion.Report{Requests: rowsOf(requests...)}).sheet(b, "Demandes").rows {
		cells = append(cells, values(b, row))
	}
	timed := func(f func()) time.Duration {
		began := time.Now()
		f()
		return time.Since(began)
	}
	var ours, theirs time.Duration
	for b.Loop() {
		ours += timed(product)
		theirs += timed(func() { writeAlone(b, cells) })
	}
	b.ReportMetric(testing.AllocsPerRun(1, product)/float64(len(requests)), "allocs/row")
	b.ReportMetric(float64(ours.Nanoseconds())/float64(b.N*len(requests)), "ns/row")
	b.ReportMetric(float64(theirs)/float64(ours), "ratio")
	b.ReportMetric(0, "ns/op") // of both
}

// values are what excelize is given of a row that was read back.
func values(t testing.TB, row map[string]parsedCell) []any {
	list := make([]any, len("ABCDEFGHIJKLMNOPQRST"))
	for column, c := range row {
		i := column[0] - 'A'
		if list[i] = c.value; c.typ == "" && c.value != "" {
			v, err := strconv.ParseFloat(c.value, 64)
			if err != nil {
				t.Fatal(err)
			}
			list[i] = v
		}
	}
	return list
}

func writeAlone(t testing.TB, cells [][]any) {
	f := excelize.NewFile()
	defer f.Close()
	w, err := f.NewStreamWriter("Sheet1")
	for i, row := range cells {
		err = errors.Join(err, w.SetRow("A"+strconv.Itoa(i+1), row))
	}
	if err := errors.Join(err, w.Flush(), f.Write(io.Discard)); err != nil {
		t.Fatal(err)
	}
}

func written(t testing.TB, r conversion.Report) *parsedBook {
	t.Helper()
	var b bytes.Buffer
	if err := Write(&b, r); err != nil {
		t.Fatal(err)
	}
	return parse(t, b.Bytes())
}

func openExcelize(t testing.TB, r conversion.Report) *excelize.File {
	t.Helper()
	f, err := excelize.OpenReader(bytes.NewReader(written(t, r).raw))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// value is a cell as a reader sees it.
func value(t testing.TB, f *excelize.File, sheet, cell string) string {
	t.Helper()
	s, err := f.GetCellValue(sheet, cell)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// A parsedBook is what another reader than excelize sees: the parts as XML.
type parsedBook struct {
	raw   []byte
	parts map[string][]byte
	names []string // of the sheets, in order
}

type worksheet struct {
	rows   []map[string]parsedCell // by column
	filter string
	frozen bool
}

type parsedCell struct {
	row        int
	typ, value string
}

func parse(t testing.TB, raw []byte) *parsedBook {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(raw), int64(len(raw)))
	if err != nil {
		t.Fatal(err)
	}
	w := &parsedBook{raw: raw, parts: make(map[string][]byte)}
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		if w.parts[f.Name] != nil {
			t.Errorf("%s is written twice", f.Name)
		}
		if w.parts[f.Name], err = io.ReadAll(r); err != nil {
			t.Fatal(err)
		}
		assertXML(t, f.Name, w.parts[f.Name])
	}
	var book struct {
		Sheets []struct {
			Name string `xml:"name,attr"`
		} `xml:"sheets>sheet"`
	}
	decode(t, w.parts["xl/workbook.xml"], &book)
	for _, s := range book.Sheets {
		w.names = append(w.names, s.Name)
	}
	return w
}

// sheet reads a sheet; excelize numbers the files in the order of the sheets.
func (w *parsedBook) sheet(t testing.TB, name string) worksheet {
	t.Helper()
	i := slices.Index(w.names, name)
	if i < 0 {
		t.Fatalf("no sheet %q in %q", name, w.names)
	}
	var x struct {
		Pane struct {
			State string `xml:"state,attr"`
			Rows  int    `xml:"ySplit,attr"`
		} `xml:"sheetViews>sheetView>pane"`
		Rows []struct {
			Number int `xml:"r,attr"`
			Cells  []struct {
				Ref    string `xml:"r,attr"`
				Type   string `xml:"t,attr"`
				Value  string `xml:"v"`
				Inline string `xml:"is>t"`
			} `xml:"c"`
		} `xml:"sheetData>row"`
		Filter struct {
			Ref string `xml:"ref,attr"`
		} `xml:"autoFilter"`
	}
	decode(t, w.parts[fmt.Sprintf("xl/worksheets/sheet%d.xml", i+1)], &x)
	s := worksheet{filter: x.Filter.Ref, frozen: x.Pane.State == "frozen" && x.Pane.Rows == 2}
	shared := w.shared(t)
	for _, r := range x.Rows {
		row := make(map[string]parsedCell)
		for _, c := range r.Cells {
			v := c.Value + c.Inline
			if c.Type == "s" {
				v = shared[integer(t, c.Value)]
			}
			row[strings.TrimRight(c.Ref, "0123456789")] = parsedCell{r.Number, c.Type, v}
		}
		s.rows = append(s.rows, row)
	}
	return s
}

func (w *parsedBook) shared(t testing.TB) []string {
	t.Helper()
	var x struct {
		Items []struct {
			Text string `xml:"t"`
		} `xml:"si"`
	}
	if part, ok := w.parts["xl/sharedStrings.xml"]; ok {
		decode(t, part, &x)
	}
	var list []string
	for _, i := range x.Items {
		list = append(list, i.Text)
	}
	return list
}

func (w *parsedBook) charts() [][]byte {
	var list [][]byte
	for name, part := range w.parts {
		if strings.HasPrefix(name, "xl/charts/chart") {
			list = append(list, part)
		}
	}
	return list
}

func (w *parsedBook) assertNoFormula(t *testing.T) {
	t.Helper()
	sheets := 0
	for name, part := range w.parts {
		if strings.Contains(name, "externalLink") || strings.Contains(name, "vbaProject") {
			t.Errorf("the workbook has a part %s", name)
		}
		if !strings.HasPrefix(name, "xl/worksheets/sheet") {
			continue
		}
		sheets++
		for _, element := range []string{"f", "formula", "hyperlink"} {
			if found := elements(t, part, element); found != nil {
				t.Errorf("%s has <%s>: %q", name, element, found)
			}
		}
	}
	if sheets < 7 {
		t.Errorf("%d sheets looked at", sheets)
	}
}

// elements are the texts of all elements of a name.
func elements(t testing.TB, part []byte, name string) (texts []string) {
	t.Helper()
	d := xml.NewDecoder(bytes.NewReader(part))
	for {
		token, err := d.Token()
		if err == io.EOF {
			return texts
		}
		if err != nil {
			t.Fatal(err)
		}
		if start, ok := token.(xml.StartElement); ok && start.Name.Local == name {
			var text string
			if err := d.DecodeElement(&text, &start); err != nil {
				t.Fatal(err)
			}
			texts = append(texts, text)
		}
	}
}

// assertXML reads a part to its end, strictly.
func assertXML(t testing.TB, name string, part []byte) {
	t.Helper()
	d := xml.NewDecoder(bytes.NewReader(part))
	for {
		if _, err := d.Token(); err == io.EOF {
			return
		} else if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
}

func decode(t testing.TB, part []byte, to any) {
	t.Helper()
	if err := xml.Unmarshal(part, to); err != nil {
		t.Fatal(err)
	}
}

var escaped = regexp.MustCompile(`_x[0-9A-F]{4}_`)

// unescape undoes _xHHHH_, by which the format writes characters and itself.
func unescape(s string) string {
	return escaped.ReplaceAllStringFunc(s, func(e string) string {
		n, _ := strconv.ParseUint(e[2:6], 16, 16)
		return string(rune(n))
	})
}

func columnName(t testing.TB, n int) string {
	t.Helper()
	s, err := excelize.ColumnNumberToName(n)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func fromSerial(t testing.TB, s string) string {
	t.Helper()
	days, err := strconv.ParseFloat(s, 64)
	if err != nil {
		t.Fatal(err)
	}
	seconds := time.Duration(days*86400+0.5) * time.Second
	return time.Date(1899, 12, 30, 0, 0, 0, 0, time.UTC).Add(seconds).Format("2006-01-02T15:04:05")
}

func integer(t testing.TB, s string) int {
	t.Helper()
	n, err := strconv.Atoi(s)
	if err != nil {
		t.Fatal(err)
	}
	return n
}
