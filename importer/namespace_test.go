package importer

import (
	"fmt"
	"maps"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

const (
	mainURL   = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
	strictURL = "http://purl.oclc.org/ooxml/spreadsheetml/main"
	compatURL = "http://schemas.openxmlformats.org/markup-compatibility/2006"
)

// C1: files in which one namespace has two prefixes.
func TestTwoPrefixesFiles(t *testing.T) {
	for name, rows := range map[string]int{"row.xlsx": 5, "cells.xlsx": 5, "styles.xlsx": 1} {
		got := rowsOf(t, mustOpen(t, name, fixture(t, "field/two-prefixes/"+name)))
		if len(got) != rows {
			t.Errorf("%s: %d rows, want %d", name, len(got), rows)
		}
		for _, r := range got {
			if r.Reason != "" || name == "styles.xlsx" && r.Space.Certificate.Expires.Format(time.DateOnly) != "2026-12-31" {
				t.Errorf("%s: row %d is %+v", name, r.Line, r)
			}
		}
	}
}

// everyPart is a workbook that needs each of its parts: shared texts, a date by
// its style, links, a sheet Dossiers.
func everyPart(t testing.TB) parts {
	return goodParts().with(sheetPath, sheetXML(
		rowXML(2, "00123456", `<c r="B2" t="s"><v>0</v></c>`, "anne@exemple.example", "1A", `<c r="E2" s="1"><v>46387</v></c>`)+
			rowXML(3, "00123457", `<c r="B3" t="s"><v>1</v></c>`, "paul@exemple.example", "1B", `<c r="E3" s="2"><v>46388</v></c>`))).
		withDossiers(t, rowXML(1, "numéro d'abonné", "siren", "raison sociale", "service")+rowXML(2, "00123456", "123456789", "Garage", "TVA"))
}

var tagName = regexp.MustCompile(`<(/?)([A-Za-z]+)`)

// reprefix gives every element of a part whose unnamed namespace has that URL
// one of three prefixes for it, as choose says.
func reprefix(part, url string, choose func() int) string {
	prefixes := []string{"", "a:", "b:"}
	var open []string
	part = tagName.ReplaceAllStringFunc(part, func(tag string) string {
		m := tagName.FindStringSubmatch(tag)
		if m[1] == "/" {
			prefix := open[len(open)-1]
			open = open[:len(open)-1]
			return "</" + prefix + m[2]
		}
		open = append(open, prefixes[choose()])
		return "<" + open[len(open)-1] + m[2]
	})
	return strings.Replace(part, `xmlns="`+url+`"`, fmt.Sprintf(`xmlns=%q xmlns:a=%[1]q xmlns:b=%[1]q`, url), 1)
}

// selfShut writes <a/> as <a></a>, so that tags come in pairs.
var selfShut = regexp.MustCompile(`<([A-Za-z]+)([^<>]*)/>`)

// C1: an element counts by its namespace and its name, whatever its prefix. The bug it
// would catch: a row that vanishes, or shared texts that shift, so that one subscriber
// gets another's address.
func TestPrefixesMeanNothing(t *testing.T) {
	want := mustOpen(t, "a.xlsx", everyPart(t).zip(t))
	rows, dossiers := rowsOf(t, want), dossiersOf(t, want)
	if len(rows) != 2 || rows[0].Reason != "" || rows[0].Space.Holder != "Zoé Partagée" || len(dossiers) != 1 {
		t.Fatalf("the workbook is not read as meant: %+v %+v", rows, dossiers)
	}
	fewChecks(t) // each of them gives each element a prefix in two cases of three
	rapid.Check(t, func(rt *rapid.T) {
		p := everyPart(t)
		choose := func() int { return rapid.IntRange(0, 2).Draw(rt, "prefix") }
		for name, content := range p {
			if name == "[Content_Types].xml" {
				continue
			}
			url := mainURL
			if strings.HasSuffix(name, ".rels") {
				url = "http://schemas.openxmlformats.org/package/2006/relationships"
			}
			p[name] = reprefix(selfShut.ReplaceAllString(content, "<$1$2></$1>"), url, choose)
		}
		f := mustOpen(t, "a.xlsx", p.zip(t))
		if diff := cmp.Diff(rows, rowsOf(t, f), compareEmails) + cmp.Diff(dossiers, dossiersOf(t, f)); diff != "" {
			rt.Fatal(diff)
		}
	})
}

// C1: the declaration in force at an element counts, in either variant of the format.
// Alternatives are read as their program means them.
func TestNamespacesInScope(t *testing.T) {
	want := rowsOf(t, mustOpen(t, "a.xlsx", everyPart(t).zip(t)))
	alternative := func(requires, choice, fallback string) string {
		return `<mc:AlternateContent xmlns:mc="` + compatURL + `" xmlns:x="` + mainURL + `" xmlns:o="urn:other"> <mc:Choice Requires="` + requires + `">` + choice +
			`</mc:Choice><mc:Choice Requires="x">` + choice + choice + `</mc:Choice><mc:Fallback>` + fallback + `</mc:Fallback></mc:AlternateContent>`
	}
	row := `<row r="3">`
	third := everyPart(t)[sheetPath]
	third = third[strings.Index(third, row) : strings.LastIndex(third, "</row>")+len("</row>")]
	si := `<si><t>Zoé Partagée</t></si>`
	xf := `<xf numFmtId="0"/>`
	for _, test := range []struct{ name, part, old, new string }{
		{"declared on the element", sheetPath, third, reprefixed(third, `xmlns:x="`+mainURL+`"`)},
		{"the strict name within a transitional part", sheetPath, third, reprefixed(third, `xmlns:x="`+strictURL+`"`)},
		{"declared anew", sheetPath, `<sheetData>`, `<sheetData xmlns="` + strictURL + `">`},
		{"another unnamed namespace, left again", sheetPath, `<sheetData>`, `<x xmlns="urn:other"><sheetData/></x><sheetData>`},
		{"no namespace, left again", sheetPath, `<sheetData>`, `<x xmlns=""><sheetData/></x><sheetData>`},
		{"a prefix that stands for another namespace further in", sheetPath, row, `<a:row xmlns:a="urn:other" r="3"><a:c/></a:row>` + row},
		{"one row in the alternative that we know", sheetPath, third, alternative("x", third, `<row r="9"><c r="A9"><v>1</v></c></row>`)},
		{"one row in the fallback", sheetPath, third, strings.Replace(alternative("o", `<row r="9"/>`, third), `Requires="x"`, `Requires="x o"`, 1)},
		{"a choice that requires nothing", sheetPath, third, strings.Replace(alternative("", `<row r="3"/>`, third), `Requires="x"`, `Requires="o"`, 1)},
		{"nested alternatives", sheetPath, third, alternative("x", alternative("x", third, ""), "")},
		{"an empty alternative", sheetPath, third, third + `<mc:AlternateContent xmlns:mc="` + compatURL + `"/>`},
		{"a cell in an alternative", sheetPath, `<c r="B3" t="s"><v>1</v></c>`, alternative("x", `<c r="B3" t="s"><v>1</v></c>`, `<c r="B3"><v>7</v></c>`)},
		{"a value in an alternative", sheetPath, `<v>46387</v>`, alternative("x", `<v>46387</v>`, `<v>1</v>`)},
		{"a shared text in an alternative", stringsPart, si, alternative("x", si, "<si><t>Autre</t></si>")},
		{"a style in an alternative", stylesPart, xf, alternative("x", xf, xf+xf)},
		{"a shared text of another namespace", stringsPart, si, `<o:si xmlns:o="urn:other"><o:t>Autre</o:t></o:si>` + si},
		{"another attribute called id", mainPart, `r:id="rId1"`, `xmlns:o="urn:other" o:id="rId3" r:id="rId1"`},
		{"another prefix for links", mainPart, `r:id="rId1"`, `xmlns:q="http://purl.oclc.org/ooxml/officeDocument/relationships" q:id="rId1"`},
	} {
		got := rowsOf(t, mustOpen(t, "a.xlsx", everyPart(t).replace(t, test.part, test.old, test.new).zip(t)))
		if diff := cmp.Diff(want, got, compareEmails); diff != "" {
			t.Errorf("%s: %s", test.name, diff)
		}
	}
}

// reprefixed writes x: before the names of all elements, and a declaration in
// the first of them.
func reprefixed(xml, declaration string) string {
	xml = tagName.ReplaceAllString(xml, "<${1}x:$2")
	return strings.Replace(xml, "<x:row", "<x:row "+declaration, 1)
}

// C1: names without a namespace behind them are refused with their file, and so
// are more declarations than a program makes.
func TestNamespacesRefused(t *testing.T) {
	var many strings.Builder
	for i := range 256 {
		fmt.Fprintf(&many, ` xmlns:p%d="urn:other"`, i)
	}
	for _, test := range []struct{ part, old, new, english string }{
		{sheetPath, `<row r="3">`, `<x:row r="3"/><row r="4">`, "prefix"},
		{sheetPath, `<row r="3">`, `<row r="3" x:a="1">`, "prefix"},
		{sheetPath, `<sheetData>`, `<x:a xmlns:x="urn:other"/><x:b/><sheetData>`, "prefix"},
		{sheetPath, `<sheetData>`, `<x:a:b xmlns:x="urn:other"/><sheetData>`, "prefix"},
		{sheetPath, `<sheetData>`, `<a xmlns:x=""/><sheetData>`, "prefix"},
		{sheetPath, `<sheetData>`, `<a xmlns:xmlns="urn:other"/><sheetData>`, "prefix"},
		{sheetPath, `<sheetData>`, `<a xmlns:="urn:other"/><sheetData>`, "prefix"},
		{sheetPath, `<sheetData>`, `<:a/><sheetData>`, "prefix"},
		{sheetPath, `<sheetData>`, `<a:/><sheetData>`, "prefix"},
		{sheetPath, `<sheetData>`, `<a` + many.String() + `><b` + many.String() + `/></a><sheetData>`, "too long"},
		{sheetPath, `<sheetData>`, `<` + strings.Repeat("a", 1025) + `/><sheetData>`, "too long"},
		{sheetPath, `<sheetData>`, `<a ` + strings.Repeat("a", 1025) + `=""/><sheetData>`, "too long"},
		{sheetPath, ns, "", "root"},
		{relsPart, `2006/relationships"`, `2007/relationships"`, "root"},
	} {
		_, err := openBytes(t, "a.xlsx", maps.Clone(everyPart(t)).replace(t, test.part, test.old, test.new).zip(t))
		if err == nil || !strings.Contains(err.Error(), test.english) {
			t.Errorf("%.60s: %v", test.new, err)
		}
	}
}
