package importer

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/xuri/excelize/v2"

	"bascule/internal/conversion"
	"bascule/sql"
)

// D17: a workbook by another program is read as it shows: real dates, a number cell
// that keeps its digits, whichever column names whom.
func TestReadExclusions(t *testing.T) {
	book := excelize.NewFile()
	defer book.Close()
	day := time.Date(2099, 12, 31, 0, 0, 0, 0, time.UTC)
	for i, row := range [][]any{
		{"Liste des exclusions"}, {},
		{"Numéro d'abonné", "E-mail", "Raison", "Date de fin"},
		{123456, nil, "call 1", day},
		{nil, "Anne@Exemple.example", " call 2 ", nil},
		{1.5, nil, "call 3", nil},
		{"123456", "a@b.example", "call 4", nil},
		{"a@b.example", nil, "call 5", nil},
		{"123456", nil, "call 6", "31/12/99"},
	} {
		if err := book.SetSheetRow("Sheet1", fmt.Sprintf("A%d", i+1), &row); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(t.TempDir(), "list.xlsx")
	if err := book.SaveAs(path); err != nil {
		t.Fatal(err)
	}
	rows, err := ReadExclusions(context.Background(), path)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range rows {
		got = append(got, fmt.Sprintf("%s %s %s %q until %s: %s", r.Cell, r.Kind, r.Key, r.Reason, r.EndsAt.UTC().Format(time.RFC3339), r.Problem))
	}
	want := []string{
		`A4 number 123456 "call 1" until 2099-12-31T23:00:00Z: `,
		`B5 address anne@exemple.example "call 2" until 0001-01-01T00:00:00Z: `,
		`A6   "" until 0001-01-01T00:00:00Z: neither an e-mail address, nor a domain, nor a subscriber number`,
		`A7   "" until 0001-01-01T00:00:00Z: one address, domain or number is needed`,
		`A8   "" until 0001-01-01T00:00:00Z: no number stands in the column "numéro"`,
		`D9   "" until 0001-01-01T00:00:00Z: "31/12/99" is no day such as 31/12/2026`,
	}
	if len(got) != len(want) {
		t.Fatalf("%q", got)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("row %d is %s, want\n%s", i, got[i], want[i])
		}
	}
}

// D17: an end that nobody can read is named, and is not an exclusion without an end.
func TestUnreadableEnd(t *testing.T) {
	header := rowXML(1, "qui", "motif", "jusqu'au")
	for name, book := range map[string]parts{
		"uncomputed": goodParts().with(sheetPath, strings.Replace(sheetXML(rowXML(2, "00123456", "x", `<c r="C2"><f>A1</f></c>`)), headerXML, header, 1)),
		"failed":     goodParts().with(sheetPath, strings.Replace(sheetXML(rowXML(2, "00123456", "x", "#N/A")), headerXML, header, 1)),
		"merged": goodParts().with(sheetPath, strings.Replace(sheetXML(rowXML(2, "00123456", "x")), headerXML, header, 1)).
			replace(t, sheetPath, "</sheetData>", `</sheetData><mergeCells><mergeCell ref="B2:C2"/></mergeCells>`),
	} {
		path := filepath.Join(t.TempDir(), "a.xlsx")
		if err := os.WriteFile(path, book.zip(t), 0o600); err != nil {
			t.Fatal(err)
		}
		rows, err := ReadExclusions(t.Context(), path)
		if err != nil || len(rows) != 1 || rows[0].Cell != "C2" || rows[0].Problem == "" {
			t.Errorf("%s: %+v, %v", name, rows, err)
		}
	}
}

// I7: no cell of an exported list is a formula, and what it holds comes back.
func TestExclusionsComeBack(t *testing.T) {
	list := func(yield func(sql.KeptExclusion, error) bool) {
		for i, reason := range []string{"=1+1", "'=1", "''-", "a;b\"c", "'", "-1", "déménagement"} {
			x := sql.KeptExclusion{SpaceExclusion: sql.SpaceExclusion{Kind: conversion.ExcludedAddress, Key: fmt.Sprintf("+%d@exemple.example", i), Reason: reason, MadeBy: "admin"}}
			if i%2 == 0 {
				x.EndsAt = new(time.Date(2099, 7, 1, 0, 0, 0, 0, conversion.Paris))
			}
			if !yield(x, nil) {
				return
			}
		}
	}
	var book, text bytes.Buffer
	if err := WriteExclusions(&book, list); err != nil {
		t.Fatal(err)
	}
	if err := WriteExclusionsCSV(&text, list); err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{"a.xlsx": book.Bytes(), "a.csv": text.Bytes()} {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		rows, err := ReadExclusions(context.Background(), path)
		if err != nil {
			t.Fatal(err)
		}
		i := 0
		for want := range list {
			if i == len(rows) {
				t.Fatalf("%s has %d rows", name, len(rows))
			}
			r, ends := rows[i], time.Time{}
			if want.EndsAt != nil {
				ends = *want.EndsAt
			}
			if r.Problem != "" || r.Key != want.Key || r.Reason != want.Reason || !r.EndsAt.Equal(ends) {
				t.Errorf("%s: %+v came back as %+v", name, want, r)
			}
			i++
		}
	}
}
