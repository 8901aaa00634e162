package importer

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"bascule/importer/xlsx"
	"bascule/internal/devenv/devtest"
	"bascule/sql"
)

func TestMain(m *testing.M) { devtest.Main(m) }

// parts are the entries of a workbook written by hand, by name.
type parts map[string]string

const (
	mainPart    = "xl/workbook.xml"
	relsPart    = "xl/_rels/workbook.xml.rels"
	sheetPath   = "xl/worksheets/sheet1.xml"
	stringsPart = "xl/sharedStrings.xml"
	stylesPart  = "xl/styles.xml"

	ns     = `xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"`
	relURL = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
)

// goodParts is a workbook with two sound rows and one sheet.
func goodParts() parts {
	return parts{
		"[Content_Types].xml": `<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"/>`,
		"_rels/.rels": `<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1" Type="` +
			relURL + `/officeDocument" Target="xl/workbook.xml"/></Relationships>`,
		mainPart: `<?xml version="1.0" encoding="UTF-8"?><workbook ` + ns + ` xmlns:r="` + relURL +
			`"><sheets><sheet name="Abonnés" sheetId="1" r:id="rId1"/></sheets></workbook>`,
		relsPart: `<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">` +
			`<Relationship Id="rId1" Type="` + relURL + `/worksheet" Target="worksheets/sheet1.xml"/>` +
			`<Relationship Id="rId2" Type="` + relURL + `/sharedStrings" Target="sharedStrings.xml"/>` +
			`<Relationship Id="rId3" Type="` + relURL + `/styles" Target="/xl/styles.xml"/></Relationships>`,
		stringsPart: `<sst ` + ns + `><si><t>Zoé Partagée</t></si><si><r><t>Jean </t></r><r><t>Riche</t></r><rPh><t>lu</t></rPh></si></sst>`,
		stylesPart: `<styleSheet ` + ns + `><numFmts><numFmt numFmtId="164" formatCode="dd/mm/yyyy"/><numFmt numFmtId="165" formatCode="00000000"/></numFmts>` +
			`<cellXfs><xf numFmtId="0"/><xf numFmtId="164"/><xf numFmtId="14"/><xf numFmtId="165"/></cellXfs></styleSheet>`,
		sheetPath: sheetXML(goodRows),
	}
}

func sheetXML(rows string) string {
	return `<?xml version="1.0" encoding="UTF-8"?><worksheet ` + ns + `><sheetData>` + headerXML + rows + `</sheetData></worksheet>`
}

// headerXML is row 1; goodRows are rows 2 and 3.
var (
	headerXML = rowXML(1, "numéro d'abonné", "titulaire", "adresse électronique", "numéro de série", "date d'expiration")
	goodRows  = rowXML(2, "00123456", "Anne Durand", "anne@exemple.example", "0A:1B", "31/12/2026") +
		rowXML(3, "00123457", "Paul Noël", "paul@exemple.example", "0A:1C", "2027-01-31")
)

// rowXML writes a row of inline texts; a cell that begins with "<c" is taken as it is.
func rowXML(line int, cells ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, `<row r="%d">`, line)
	for i, c := range cells {
		if strings.HasPrefix(c, "<c") {
			b.WriteString(c)
			continue
		}
		fmt.Fprintf(&b, `<c r="%s" t="inlineStr"><is><t>%s</t></is></c>`, xlsx.CellName(i+1, line), c)
	}
	return b.String() + "</row>"
}

func (p parts) with(name, content string) parts {
	p[name] = content
	return p
}

// withDossiers adds a second sheet of these rows.
func (p parts) withDossiers(t testing.TB, rows string) parts {
	t.Helper()
	return p.replace(t, mainPart, "</sheets>", `<sheet name="Dossiers" sheetId="2" r:id="rId4"/></sheets>`).
		replace(t, relsPart, "</Relationships>", `<Relationship Id="rId4" Type="`+relURL+`/worksheet" Target="worksheets/sheet2.xml"/></Relationships>`).
		with("xl/worksheets/sheet2.xml", `<worksheet `+ns+`><sheetData>`+rows+`</sheetData></worksheet>`)
}

func (p parts) without(name string) parts {
	delete(p, name)
	return p
}

// replace changes a text that a part must hold.
func (p parts) replace(t testing.TB, name, old, new string) parts {
	t.Helper()
	if !strings.Contains(p[name], old) {
		t.Fatalf("%s does not hold %q", name, old)
	}
	return p.with(name, strings.Replace(p[name], old, new, 1))
}

func (p parts) zip(t testing.TB) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	// One for all entries, which come one by one: each takes most of a megabyte.
	deflate, err := flate.NewWriter(nil, flate.BestSpeed)
	if err != nil {
		t.Fatal(err)
	}
	z.RegisterCompressor(zip.Deflate, func(w io.Writer) (io.WriteCloser, error) { deflate.Reset(w); return deflate, nil })
	for _, name := range slices.Sorted(maps.Keys(p)) {
		addEntry(t, z, name, p[name])
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func addEntry(t testing.TB, z *zip.Writer, name, content string) {
	t.Helper()
	method := zip.Deflate
	if content == "" {
		method = zip.Store
	}
	w, err := z.CreateHeader(&zip.FileHeader{Name: name, Method: method})
	if err == nil {
		_, err = w.Write([]byte(content))
	}
	if err != nil {
		t.Fatal(err)
	}
}

func write(t testing.TB, name string, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func openBytes(t testing.TB, name string, content []byte) (*File, error) {
	t.Helper()
	f, err := Open(context.Background(), write(t, name, content), nil)
	if err == nil {
		t.Cleanup(func() { f.Close() })
	}
	return f, err
}

func mustOpen(t testing.TB, name string, content []byte) *File {
	t.Helper()
	f, err := openBytes(t, name, content)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return f
}

// rowsOf reads all rows and checks that they are as many as the file announced.
func rowsOf(t testing.TB, f *File) []sql.ImportRow {
	t.Helper()
	var rows []sql.ImportRow
	for r, err := range f.Rows() {
		if err != nil {
			t.Fatal(err)
		}
		rows = append(rows, r)
	}
	if len(rows) != f.Count() {
		t.Fatalf("%d rows read, %d counted", len(rows), f.Count())
	}
	return rows
}

func dossiersOf(t testing.TB, f *File) []sql.DossierRow {
	t.Helper()
	var rows []sql.DossierRow
	for r, err := range f.Dossiers() {
		if err != nil {
			t.Fatal(err)
		}
		rows = append(rows, r)
	}
	return rows
}
