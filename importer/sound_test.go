package importer

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"bascule/internal/text"

	"github.com/xuri/excelize/v2"
)

// The import accepts files that look odd and are sound (contract).
func TestSoundFiles(t *testing.T) {
	for name, content := range map[string][]byte{
		"much blank in a small part":               goodParts().with("xl/media/blank.bin", strings.Repeat("\x00", 1<<20)).zip(t),
		"a list that is called Dossiers":           goodParts().replace(t, mainPart, `"Abonnés"`, `"Dossiers"`).zip(t),
		"a text that begins as an archive":         []byte("PK_ABONNE;" + csvHeader + "1;" + goodLine + "2;" + goodLine),
		"merged cells that overlap above the rows": mergedCells(t, "A1:B1", "B1:C1", "D1"),
		"as wide as may be":                        goodParts().with(sheetPath, sheetXML(goodRows+rowXML(4, "00123458", `<c r="SR4"><v>1</v></c>`))).zip(t),
		"a chart before the list": goodParts().replace(t, mainPart, "<sheets>", `<sheets><sheet name="Graphique" sheetId="9" r:id="rId9"/>`).
			replace(t, relsPart, "</Relationships>", `<Relationship Id="rId9" Type="`+relURL+`/chartsheet" Target="chartsheets/sheet1.xml"/></Relationships>`).
			with("xl/chartsheets/sheet1.xml", "<chartsheet "+ns+"/>").zip(t),
		"sizes and places in fields of zip64": inZip64(goodParts().zip(t)), // Apache POI
		"an empty sheet Dossiers":             goodParts().withDossiers(t, "").zip(t),
	} {
		f := mustOpen(t, "a.xlsx", content)
		if rows := rowsOf(t, f); len(rows) < 2 || rows[0].Reason != "" || f.Dossiers() != nil || f.columns().SIREN != "" {
			t.Errorf("%s: rows %+v", name, rows)
		}
	}
}

// inZip64 moves the sizes and the place of each entry into a field of zip64.
func inZip64(z []byte) []byte {
	le := binary.LittleEndian
	end := bytes.Clone(z[len(z)-22:])
	at := le.Uint32(end[16:])
	dir, out := z[at:len(z)-22], z[:at:at]
	for len(dir) > 0 {
		name, extra := int(le.Uint16(dir[28:])), int(le.Uint16(dir[30:]))
		h, next := bytes.Clone(dir[:directoryHeader+name]), directoryHeader+name+extra
		field := []byte{1, 0, 24, 0}
		for _, from := range []int{24, 20, 42} {
			field = le.AppendUint64(field, uint64(le.Uint32(h[from:])))
			le.PutUint32(h[from:], 0xffffffff)
		}
		le.PutUint16(h[30:], uint16(len(field)))
		out, dir = append(append(out, h...), field...), dir[next:]
	}
	le.PutUint32(end[12:], uint32(len(out))-at)
	return append(out, end...)
}

// A file that is changed while it is read is refused, whether it grew or kept its
// size. The bug it would catch: half of one list and half of another.
func TestFileChangesMeanwhile(t *testing.T) {
	for what, change := range map[string]func(path string) error{
		"it grew": func(path string) error {
			info, err := os.Stat(path)
			if err != nil {
				return err
			}
			return errors.Join(os.Truncate(path, info.Size()+1), os.Chtimes(path, time.Time{}, info.ModTime()))
		},
		"it was written": func(path string) error { return os.Chtimes(path, time.Time{}, time.Now().Add(time.Hour)) },
	} {
		for name, content := range map[string][]byte{"a.xlsx": goodParts().zip(t), "a.csv": []byte(csvASCII)} {
			path, changed := write(t, name, content), false
			f, err := Open(context.Background(), path, func(int64, int64) {
				if !changed {
					changed = true
					if err := change(path); err != nil {
						t.Error(err)
					}
				}
			})
			if refused, ok := errors.AsType[*FileError](err); !ok || !strings.Contains(refused.English, "changed while it was read") {
				t.Errorf("%s, %s: %v", name, what, err)
			}
			if err == nil {
				f.Close()
			}
		}
	}
}

// A file's name becomes one that people may read, and the sheet's name in a
// verdict workbook: never one that a reader would take for another sheet.
func TestNames(t *testing.T) {
	for path, want := range map[string][2]string{
		"/tmp/liste.csv":                  {"liste.csv", "liste"},
		"a\nb\u009b.csv":                  {"a?b?.csv", "a_b_"},
		"[a]:*?'.csv":                     {"[a]:*?'.csv", "_a____"},
		"Dossiers.csv":                    {"Dossiers.csv", "Abonnés"},
		"DÔSSIERS.CSV":                    {"DÔSSIERS.CSV", "Abonnés"},
		"History.csv":                     {"History.csv", "Abonnés"},
		".csv":                            {".csv", "Abonnés"},
		strings.Repeat("é", 40) + ".csv":  {strings.Repeat("é", 40) + ".csv", strings.Repeat("é", 31)},
		strings.Repeat("é", 31) + ".xlsx": {strings.Repeat("é", 31) + ".xlsx", strings.Repeat("é", 31)},
	} {
		name := text.Printable(filepath.Base(path))
		if got := [2]string{name, sheetNameOf(name)}; got != want {
			t.Errorf("%q: %q, want %q", path, got, want)
		}
	}
}

// The refusal of a workbook names the visible sheet that has most of the columns.
func TestSheetThatIsNearest(t *testing.T) {
	book := excelize.NewFile()
	defer book.Close()
	header := []string{"numéro d'abonné", "titulaire", "adresse électronique", "numéro de série", "date d'expiration"}
	for i, sheet := range []struct {
		name    string
		columns int
	}{{"Sheet1", 1}, {"Cachée", 4}, {"Presque", 3}, {"Moins", 2}} {
		if _, err := book.NewSheet(sheet.name); err != nil {
			t.Fatal(err)
		}
		row := header[:sheet.columns]
		if err := book.SetSheetRow(sheet.name, "A1", &row); err != nil {
			t.Fatal(i, err)
		}
	}
	path := filepath.Join(t.TempDir(), "a.xlsx")
	if err := errors.Join(book.SetSheetVisible("Cachée", false), book.SaveAs(path)); err != nil {
		t.Fatal(err)
	}
	_, err := Open(context.Background(), path, nil)
	if err == nil || !strings.Contains(err.Error(), `sheet "Presque" lacks a column: numéro de série, date d'expiration`) {
		t.Error(err)
	}
	_, err = openBytes(t, "b.xlsx", goodParts().withDossiers(t, rowXML(1, "numéro d'abonné", "siren", "raison sociale")).
		replace(t, mainPart, "</sheets>", `<sheet name="DOSSIERS" sheetId="3" r:id="rId4"/></sheets>`).zip(t))
	if err == nil || !strings.Contains(err.Error(), "two sheets called Dossiers") {
		t.Error(err)
	}
}

// A size of nothing hides rows and columns, too: Apache POI writes 0.0.
func TestHiddenBySize(t *testing.T) {
	book := goodParts().replace(t, sheetPath, "<sheetData>", `<cols><col min="2" max="2" width="0.0"/><col min="3" max="3" width="10"/></cols><sheetData>`)
	f := mustOpen(t, "a.xlsx", book.replace(t, sheetPath, `<row r="2">`, `<row r="2" hidden="0" ht="0.0">`).replace(t, sheetPath, `<row r="3">`, `<row r="3" ht="10">`).zip(t))
	if len(f.Warnings) != 1 || !strings.Contains(f.Warnings[0].English, "column B") {
		t.Errorf("warnings: %v", f.Warnings)
	}
	if rows := rowsOf(t, f); !strings.Contains(rows[0].Warning, "masquée") || rows[1].Warning != "" {
		t.Errorf("rows %+v", rows)
	}
}

// A hidden column causes one warning, however often the sheet says that it is hidden.
func TestHiddenOnce(t *testing.T) {
	f := mustOpen(t, "a.xlsx", goodParts().replace(t, sheetPath, "<sheetData>",
		`<cols><col min="2" max="3" hidden="1"/><col min="3" max="3" hidden="1"/><col min="3" max="9" hidden="0"/></cols><sheetData>`).zip(t))
	if len(f.Warnings) != 2 || !strings.Contains(f.Warnings[0].English, "column B") || !strings.Contains(f.Warnings[1].English, "column C") {
		t.Errorf("warnings: %v", f.Warnings)
	}
}
