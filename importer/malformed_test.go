package importer

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"slices"
	"strings"
	"testing"

	"bascule/importer/xlsx"
)

// A file that is damaged, of another format or too large is refused as a whole,
// in one line in both languages (contract). The bug it would catch: believing
// a part of such a file, as excelize does without an error.
func TestRefusedFiles(t *testing.T) {
	good := func() []byte { return goodParts().zip(t) }
	long := rowXML(1<<20+1, "00123458", "X", "x@exemple.example", "1", "31/12/2026")
	tests := []struct {
		name    string
		content []byte
		english string // part of the message
	}{
		{"empty file", nil, "empty"},
		{"blank file", []byte("\ufeff \r\n\n"), "empty"},
		{"empty zip", emptyZip(t), "empty archive"},
		{"not a zip", []byte("PK\x03\x04 and nothing else"), "end is missing"},
		{"old xls", append([]byte("\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"), make([]byte, 1024)...), ".xls"},
		{"encrypted", append(append([]byte("\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"), make([]byte, 70_000)...), utf16le("EncryptedPackage")...), "encrypted"},
		{"encrypted, as the second piece tells", append(append([]byte("\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"), make([]byte, 65_520)...), utf16le("EncryptedPackage")...), "encrypted"},
		{"HTML", []byte("<!DOCTYPE html><table><tr><td>numéro d'abonné"), "HTML"},
		{"MHTML", []byte("MIME-Version: 1.0\r\nContent-Type: multipart/related\r\n\r\n"), "MHTML"},
		{"XML spreadsheet 2003", []byte("\ufeff<?xml version=\"1.0\"?><Workbook/>"), "XML document"},
		{"PDF", []byte("%PDF-1.7\n"), "PDF"},
		{"gzip", []byte("\x1f\x8b\x08\x00"), "gzip"},
		{"ODS", parts{"mimetype": "application/vnd.oasis.opendocument.spreadsheet", "content.xml": "<x/>"}.zip(t), "OpenDocument file (.ods): save it as .xlsx"},
		{"flat ODS", []byte("<?xml version=\"1.0\"?>\n<office:document xmlns:office=\"urn:oasis:names:tc:opendocument:xmlns:office:1.0\"/>"), "OpenDocument file (.ods): save it as .xlsx"},
		{"Numbers", parts{"Index/Document.iwa": "x"}.zip(t), "Numbers file (.numbers): save it as .xlsx"},
		{"Numbers in a folder", parts{"Index.zip": "x"}.zip(t), "Numbers file (.numbers): save it as .xlsx"},
		{"xlsb", parts{"xl/workbook.bin": "x"}.zip(t), ".xlsb"},
		{"docx", parts{"word/document.xml": "<x/>"}.zip(t), ".docx"},
		{"truncated", good()[:len(good())/2], "end is missing"},
		{"end of directory missing", good()[:len(good())-22], "end is missing"},
		{"directory elsewhere", patchEnd(good(), 16, 0xfffff0), "outside"},
		{"more entries than the directory has", patchEnd16(good(), 10, 60), "shorter"},
		{"fewer entries than the directory has", patchEnd16(good(), 10, 2), "longer"},
		{"directory too long", patchEnd(good(), 12, 16<<20+1), "more than 10000 entries"},
		{"directory longer than the file", patchEnd(good(), 12, 4096), "outside"},
		{"something in front of the archive", append([]byte("\ufeff\r\n"), good()...), "something precedes it"},
		{"something behind the archive", append(good(), 'x'), "end is missing"},
		{"lying zip64", lyingZip64(good()), "more than 10000 entries"},
		{"zip64 size missing", patchEntry(t, 24, 0xffffffff), "shorter than the directory says"},
		{"zip64 packed size missing", patchEntry(t, 20, 0xffffffff), "directory cannot be read"},
		{"zip64 size beyond measure", withRaw(t, zip.FileHeader{Name: "a", UncompressedSize64: 1 << 63}, nil), "shorter than the directory says"},
		{"zip64 place that is none", inZip64(unsigned(t)), "is not where the directory says"},
		{"zip64 place beyond measure", farAway(inZip64(good())), "is not where the directory says"},
		{"entry without a header", unsigned(t), "is not where the directory says"},
		{"header longer than the directory", patchEntry(t, 32, 1), "shorter"},
		{"entry with a password", patchEntry(t, 8, 1), "protected by a password"},
		{"entry that is another", renamed(t), "is not where the directory says"},
		{"unknown compression", withRaw(t, zip.FileHeader{Name: "a", Method: 9}, nil), "compression method 9"},
		{"entry longer than it says", withRaw(t, rawHeader(stored(10), 9), stored(10)), "longer than the directory says"},
		{"something behind an entry", withRaw(t, rawHeader(stored(10), 10), append(stored(10), "more"...)), "ends too early"},
		{"something behind an entry that fills the buffer", withRaw(t, rawHeader(stored(65_531), 65_531), append(stored(65_531), "more"...)), "ends too early"},
		{"wrong checksum", flipChecksum(t, sheetPath), "checksum"},
		{"wrong checksum of an entry nobody needs", flipChecksum(t, "docProps/app.xml"), "checksum"},
		{"wrong size", wrongSize(t), "shorter than the directory says"},
		{"flat bomb", goodParts().with("xl/media/bomb.bin", strings.Repeat("\x00", 8<<20)).zip(t), "times its size"},
		{"bomb in the sheet", goodParts().with(sheetPath, sheetXML(goodRows+strings.Repeat(" ", 8<<20))).zip(t), "times its size"},
		{"nested bomb", parts{"inner.zip": string(goodParts().with("b", strings.Repeat("\x00", 1<<20)).zip(t))}.zip(t), "without a workbook"},
		{"too many entries", manyEntries(t), "entries"},
		{"duplicate entry", twice(t), "stands twice"},
		{"entry outside", goodParts().with("../evil", "x").zip(t), "unsafe"},
		{"entry of the root", goodParts().with("/evil", "x").zip(t), "unsafe"},
		{"entry with a long name", goodParts().with(strings.Repeat("n", 1025), "x").zip(t), "unsafe"},
		{"entry outside with backslashes", goodParts().with(`xl\..\..\evil`, "x").zip(t), "unsafe"},
		{"no workbook", goodParts().without(mainPart).zip(t), "without a workbook"},
		{"no sheet", goodParts().replace(t, mainPart, `<sheet name="Abonnés" sheetId="1" r:id="rId1"/>`, "").zip(t), "no worksheet"},
		{"sheet part missing", goodParts().without(sheetPath).zip(t), "is missing"},
		{"sheet cut off", goodParts().replace(t, sheetPath, "</sheetData></worksheet>", "").zip(t), "cut off"},
		{"sheet cut off inside a tag", goodParts().replace(t, sheetPath, "</sheetData></worksheet>", "<ro").zip(t), "cut off"},
		{"sheet followed by more", goodParts().replace(t, sheetPath, "</worksheet>", "</worksheet><x/>").zip(t), "root"},
		{"shared texts followed by more", goodParts().with(stringsPart, goodParts()[stringsPart]+"<x/>").zip(t), "root"},
		{"styles followed by more", goodParts().with(stylesPart, goodParts()[stylesPart]+"<x/>").zip(t), "root"},
		{"links followed by more", goodParts().with(relsPart, goodParts()[relsPart]+"<x/>").zip(t), "root"},
		{"list of sheets followed by more", goodParts().with(mainPart, goodParts()[mainPart]+"<x/>").zip(t), "root"},
		{"mismatched tag", goodParts().replace(t, sheetPath, "</is>", "</it>").zip(t), "does not match"},
		{"bad entity", goodParts().replace(t, sheetPath, "Anne", "&Anne;").zip(t), "entity"},
		{"bare ampersand", goodParts().replace(t, sheetPath, "Anne", "A & B").zip(t), "entity"},
		{"DOCTYPE", goodParts().replace(t, sheetPath, "<worksheet", `<!DOCTYPE x SYSTEM "file:///etc/passwd"><worksheet`).zip(t), "DOCTYPE"},
		{"billion laughs", goodParts().with(stringsPart, `<!DOCTYPE l [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]><sst `+ns+`><si><t>&b;</t></si></sst>`).zip(t), "DOCTYPE"},
		{"invalid UTF-8", goodParts().replace(t, sheetPath, "Anne", "Ann\xe9e").zip(t), "UTF-8"},
		{"UTF-8 cut off", goodParts().with(sheetPath, goodParts()[sheetPath]+"\xc3").zip(t), "UTF-8"},
		{"control character", goodParts().replace(t, sheetPath, "Anne", "A\x01").zip(t), "forbidden character"},
		{"UTF-16 XML", goodParts().with(sheetPath, "\xff\xfe"+string(utf16le(sheetXML("")))).zip(t), "UTF-8"},
		{"UTF-16 declared", goodParts().replace(t, sheetPath, `"UTF-8"`, `"UTF-16"`).zip(t), "UTF-8"},
		{"row 1 048 577", goodParts().with(sheetPath, sheetXML(goodRows+long)).zip(t), "row number 1048577"},
		{"row behind the last one", goodParts().with(sheetPath, sheetXML(goodRows+rowXML(1<<20, "a")+"<row><c><v>1</v></c></row>")).zip(t), "more than 1 048 576 rows"},
		{"cell behind the last one", goodParts().with(sheetPath, sheetXML(goodRows+rowXML(4, `<c r="XFD4"><v>1</v></c><c><v>2</v></c>`))).zip(t), "XFD4 is followed by too many cells"},
		{"two lists of rows", goodParts().replace(t, sheetPath, "</worksheet>", "<sheetData/></worksheet>").zip(t), "two <sheetData>"},
		{"no list of rows", goodParts().with(sheetPath, "<worksheet "+ns+"/>").zip(t), "no <sheetData>"},
		{"hidden columns malformed", goodParts().replace(t, sheetPath, "<sheetData>", `<cols><col min="1" max="z" hidden="1"/></cols><sheetData>`).zip(t), "columns are malformed"},
		{"too many hidden columns", goodParts().replace(t, sheetPath, "<sheetData>", "<cols>"+strings.Repeat(`<col min="1" max="1" hidden="1"/>`, xlsx.MaxColumns+1)+"</cols><sheetData>").zip(t), "columns are malformed"},
		{"cell with two values", goodParts().with(sheetPath, sheetXML(rowXML(2, `<c r="A2"><v>1</v><v>2</v></c>`))).zip(t), "A2 has two values"},
		{"cell with a value and a text", goodParts().with(sheetPath, sheetXML(rowXML(2, `<c r="A2"><is><t>1</t></is><v>2</v></c>`))).zip(t), "A2 has two values"},
		{"duplicate row number", goodParts().with(sheetPath, sheetXML(goodRows+rowXML(3, "a"))).zip(t), "row number 3"},
		{"row out of order", goodParts().with(sheetPath, sheetXML(goodRows+rowXML(2, "a"))).zip(t), "row number 2"},
		{"duplicate cell", goodParts().with(sheetPath, sheetXML(goodRows+rowXML(4, "a", `<c r="A4"><v>1</v></c>`))).zip(t), "cell"},
		{"cell of another row", goodParts().with(sheetPath, sheetXML(goodRows+rowXML(4, `<c r="A5"><v>1</v></c>`))).zip(t), "cell"},
		{"cell beyond XFD", goodParts().with(sheetPath, sheetXML(goodRows+rowXML(4, `<c r="XFE4"><v>1</v></c>`))).zip(t), "cell"},
		{"shared string out of range", goodParts().with(sheetPath, sheetXML(rowXML(2, `<c r="A2" t="s"><v>2</v></c>`))).zip(t), "A2 refers to a shared text"},
		{"negative shared string", goodParts().with(sheetPath, sheetXML(rowXML(2, `<c r="A2" t="s"><v>-1</v></c>`))).zip(t), "A2 refers to a shared text"},
		{"missing shared strings", goodParts().without(stringsPart).with(sheetPath, sheetXML(rowXML(2, `<c r="A2" t="s"><v>0</v></c>`))).zip(t), "A2 refers to a shared text"},
		{"text that says it is a number", goodParts().with(sheetPath, sheetXML(rowXML(2, `<c r="A2"><v>abc</v></c>`))).zip(t), "A2 is said to be a number"},
		{"cell too long", goodParts().with(sheetPath, sheetXML(rowXML(2, mixed(32_768)))).zip(t), "A2 is longer"},
		{"unknown cell type", goodParts().with(sheetPath, sheetXML(rowXML(2, `<c r="A2" t="x"><v>1</v></c>`))).zip(t), "malformed"},
		{"merged cells backwards", mergedCells(t, "C3:A1"), "merged cells C3:A1 are malformed"},
		{"merged cells upwards", mergedCells(t, "A3:C1"), "merged cells A3:C1 are malformed"},
		{"merged cells beyond XFD", mergedCells(t, "A2:XFE2"), "merged cells A2:XFE2 are malformed"},
		{"row too long", goodParts().with(stringsPart, "<sst "+ns+"><si><t>"+mixed(32_000)+"</t></si></sst>").with(sheetPath, sheetXML("<row>"+strings.Repeat(`<c t="s"><v>0</v></c>`, 132)+"</row>")).zip(t), "row 2 is longer"},
		{"row of long texts", goodParts().with(sheetPath, sheetXML("<row>"+strings.Repeat(`<c t="inlineStr"><is><t>`+mixed(32_000)+"</t></is></c>", 132)+"</row>")).zip(t), "text is too long"},
		{"shared text too long", goodParts().with(stringsPart, "<sst "+ns+"><si><t>"+mixed(32_768)+"</t></si></sst>").zip(t), "a text is longer"},
		{"overlapping merged cells", goodParts().replace(t, sheetPath, "</sheetData>", `</sheetData><mergeCells><mergeCell ref="B2:B3"/><mergeCell ref="A3:C3"/></mergeCells>`).zip(t), "overlap"},
		{"no header", goodParts().with(sheetPath, strings.Replace(sheetXML(goodRows), headerXML, "", 1)).zip(t), "no header row"},
		{"column missing", goodParts().replace(t, sheetPath, "titulaire", "nom").zip(t), "lacks a column: titulaire"},
		{"column twice", goodParts().replace(t, sheetPath, `<is><t>date d'expiration</t></is></c>`, `<is><t>date d'expiration</t></is></c><c r="F1" t="inlineStr"><is><t>E-mail</t></is></c>`).zip(t), "twice: adresse électronique"},
		{"header alone", goodParts().with(sheetPath, sheetXML("")).zip(t), "no data row"},
		{"blank rows alone", goodParts().with(sheetPath, sheetXML(rowXML(2, "\u00a0", " "))).zip(t), "no data row"},
		{"hidden sheet alone", goodParts().replace(t, mainPart, `sheetId`, `state="hidden" sheetId`).zip(t), "hidden"},
		{"very hidden sheet alone", goodParts().replace(t, mainPart, `sheetId`, `state="veryHidden" sheetId`).zip(t), "hidden"},
		{"wrong namespace", goodParts().replace(t, sheetPath, "spreadsheetml", "wordprocessingml").zip(t), "root"},
		{"too wide", goodParts().with(sheetPath, sheetXML(goodRows+rowXML(4, `<c r="SS4"><v>1</v></c>`))).zip(t), "beyond column SR"},
		{"CSV with NUL", []byte(csvHeader + "001234\x0056;A;a@b.example;1;31/12/2026\n"), "line 2 of the CSV file holds a NUL"},
		{"CSV with an unclosed quote", []byte(csvHeader + goodLine + "\"00123457;A;a@b.example;1;31/12/2026\n"), "line 3 of the CSV file is never closed"},
		{"CSV with text behind a quote", []byte(csvHeader + "\"001\"23456;A;a@b.example;1;31/12/2026\n"), "closing quote"},
		{"CSV with a line of 4 MB", []byte(csvHeader + strings.Repeat("x ", xlsx.MaxRowText/2) + "x\n"), "line 2 of the CSV file is longer"},
		{"CSV with a cell too long", []byte(csvHeader + "1;" + strings.Repeat("é", 32_768) + ";\n"), "B2 is longer"},
		{"CSV with too many lines", []byte(csvHeader + strings.Repeat("\n", xlsx.MaxRows)), "more than 1048576 lines"},
		{"CSV with too many fields", []byte(csvHeader + strings.Repeat(";", xlsx.MaxColumns) + "\n"), "line 2 of the CSV file has more than 16384 fields"},
		{"CSV that lacks a column", []byte(strings.ReplaceAll(strings.Replace(csvHeader, "titulaire;", "", 1), ";", ",")), "lacks a column: titulaire"},
		{"CSV with a mark, and not in UTF-8", []byte("\ufeff" + csvASCII + "No\xebl"), "damaged"},
		{"CSV with as many accents in UTF-8 as in Windows-1252", []byte(csvASCII + "Noël No\xebl"), "damaged"},
		{"CSV in UTF-16 with half a character", append([]byte("\xff\xfe"), append(utf16le(csvASCII), "\x00\xd8x\x00"...)...), "UTF-16"},
		{"CSV perhaps in UTF-16", inUTF16([]byte(csvASCII+"Ānne"), false, false), "line 1 of the CSV file holds a NUL"},
		{"CSV perhaps in UTF-16, the other way", inUTF16([]byte(csvASCII+"Ānne"), true, false), "line 1 of the CSV file holds a NUL"},
		{"CSV half UTF-8", []byte(csvHeader + "00123456;Zoé Noël \xe9;a@b.example;1;31/12/2026\n"), "damaged"},
		{"CSV in no known encoding", []byte("num\xe9ro\x81"), "damaged"},
		{"CSV in UTF-16 cut off behind CR", append([]byte("\xff\xfe"), append(utf16le(csvASCII+"x\r"), '\n')...), "UTF-16"},
		{"CSV in UTF-16 cut off", append([]byte("\xff\xfe"), append(utf16le(csvASCII), 'x')...), "UTF-16"},
		{"text without columns", []byte("bonjour\n"), "no header row"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := openBytes(t, "fichier.xlsx", tt.content)
			refused, ok := errors.AsType[*FileError](err)
			if !ok {
				t.Fatalf("error is %v, want a refusal", err)
			}
			if !strings.Contains(refused.English, tt.english) {
				t.Errorf("message is %q, want %q in it", refused.English, tt.english)
			}
			for _, text := range []string{refused.English, refused.French} {
				if text == "" || strings.ContainsAny(text, "\n\r\x00") || strings.Contains(text, "%!") {
					t.Errorf("not one sound line: %q", text)
				}
			}
		})
	}
}

const (
	csvHeader = "numéro d'abonné;titulaire;adresse électronique;numéro de série;date d'expiration\n"
	csvASCII  = "subscriber number;holder;email;serial number;expiry date\n00123456;A B;a@b.example;0A;31/12/2026\n"
	goodLine  = "00123456;Anne;anne@exemple.example;0A;31/12/2026\n"
)

// mixed is text of n characters that does not deflate to nothing.
func mixed(n int) string {
	var b strings.Builder
	for i := 0; b.Len() < n; i++ {
		fmt.Fprint(&b, i*i%9973, " ")
	}
	return b.String()[:n]
}

func emptyZip(t *testing.T) []byte {
	t.Helper()
	return parts{}.zip(t)
}

func patchEnd(z []byte, at int, value uint32) []byte {
	binary.LittleEndian.PutUint32(z[len(z)-22+at:], value)
	return z
}

func patchEnd16(z []byte, at int, value uint16) []byte {
	binary.LittleEndian.PutUint16(z[len(z)-22+at:], value)
	return z
}

// lyingZip64 says that the true end record is a zip64 one, with a locator that points nowhere.
func lyingZip64(z []byte) []byte {
	end := bytes.Clone(z[len(z)-22:])
	binary.LittleEndian.PutUint16(end[10:], 0xffff)
	locator := make([]byte, 20)
	binary.LittleEndian.PutUint32(locator, 0x07064b50)
	binary.LittleEndian.PutUint64(locator[8:], 1<<60)
	return append(append(z[:len(z)-22], locator...), end...)
}

// mergedCells is a sound workbook with these merged cells besides.
func mergedCells(t *testing.T, refs ...string) []byte {
	t.Helper()
	return goodParts().replace(t, sheetPath, "</sheetData>", `</sheetData><mergeCells><mergeCell ref="`+strings.Join(refs, `"/><mergeCell ref="`)+`"/></mergeCells>`).zip(t)
}

// directoryHeader is the length of an entry of the directory in front of its name.
const directoryHeader = 46

// patchEntry adds a value to a field of the sheet's entry in the directory.
func patchEntry(t *testing.T, at int, value uint32) []byte {
	t.Helper()
	z := goodParts().zip(t)
	field := z[bytes.LastIndex(z, []byte(sheetPath))-directoryHeader+at:]
	binary.LittleEndian.PutUint32(field, binary.LittleEndian.Uint32(field)|value)
	return z
}

// renamed gives an entry another name in front of its content than in the directory.
func renamed(t *testing.T) []byte {
	t.Helper()
	z := goodParts().with("docProps/app.xml", "<x/>").zip(t)
	z[bytes.Index(z, []byte("docProps/app.xml"))] = 'D'
	return z
}

// unsigned is a workbook of which an entry has no header in front of its content.
func unsigned(t *testing.T) []byte {
	t.Helper()
	z := goodParts().zip(t)
	z[bytes.Index(z, []byte(sheetPath))-30] = 'p'
	return z
}

// farAway changes the place of the first entry of an archive whose places stand in
// fields of zip64, at their ends.
func farAway(z []byte) []byte {
	first := int(binary.LittleEndian.Uint32(z[len(z)-22+16:]))
	field := first + directoryHeader + int(binary.LittleEndian.Uint16(z[first+28:])) + 4 + 16
	binary.LittleEndian.PutUint64(z[field:], 1<<63)
	return z
}

// withRaw adds an entry of these bytes to a sound workbook, whatever they are.
func withRaw(t *testing.T, h zip.FileHeader, packed []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for name, content := range goodParts() {
		addEntry(t, z, name, content)
	}
	h.CompressedSize64 = uint64(len(packed))
	w, err := z.CreateRaw(&h)
	if err == nil {
		_, err = w.Write(packed)
	}
	if err = errors.Join(err, z.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// stored is n bytes as one block of deflate that compresses nothing: five bytes more.
func stored(n int) []byte {
	b := append(binary.LittleEndian.AppendUint16([]byte{1}, uint16(n)), 0, 0)
	binary.LittleEndian.PutUint16(b[3:], ^uint16(n))
	return append(b, make([]byte, n)...)
}

// rawHeader is that of an entry of one stored block, which is said to hold n bytes.
func rawHeader(block []byte, n int) zip.FileHeader {
	return zip.FileHeader{Name: "a", Method: zip.Deflate, UncompressedSize64: uint64(n), CRC32: crc32.ChecksumIEEE(block[5:])}
}

// flipChecksum changes the checksum of one entry in the directory.
func flipChecksum(t *testing.T, name string) []byte {
	t.Helper()
	z := goodParts().with("docProps/app.xml", "<x/>").zip(t)
	at := bytes.LastIndex(z, []byte(name))
	z[at-directoryHeader+16] ^= 1
	return z
}

// wrongSize adds one to the inflated size of the sheet in the directory.
func wrongSize(t *testing.T) []byte {
	t.Helper()
	z := goodParts().zip(t)
	at := bytes.LastIndex(z, []byte(sheetPath)) - directoryHeader + 24
	binary.LittleEndian.PutUint32(z[at:], binary.LittleEndian.Uint32(z[at:])+1)
	return z
}

func manyEntries(t *testing.T) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for i := range 100_000 {
		addEntry(t, z, fmt.Sprint("e", i), "")
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func twice(t *testing.T) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for name, content := range goodParts() {
		addEntry(t, z, name, content)
	}
	addEntry(t, z, strings.ToUpper(sheetPath), "<x/>")
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// A row is rejected with its cell and reason (contract). The bug it would
// catch: a value taken from a cell that does not hold it.
func TestRejectedRows(t *testing.T) {
	row := func(cells ...string) parts {
		return goodParts().with(sheetPath, sheetXML(goodRows+rowXML(4, cells...)))
	}
	sound := []string{"00123458", "Zoé", "zoe@exemple.example", "1D", "31/12/2026"}
	with := func(column int, cell string) parts {
		cells := append([]string(nil), sound...)
		cells[column] = cell
		return row(cells...)
	}
	merged := func(ref string) parts {
		return row(sound...).replace(t, sheetPath, "</sheetData>", `</sheetData><mergeCells count="1"><mergeCell ref="`+ref+`"/></mergeCells>`)
	}
	tests := []struct {
		name, cell, reason string
		book               parts
	}{
		{"number missing", "A4", "numéro d’abonné manquant", with(0, "")},
		{"number too short", "A4", "numéro d’abonné invalide", with(0, "12345")},
		{"number with an accent", "A4", "numéro d’abonné invalide", with(0, "ÉTÉ2026")},
		{"number of 16 digits", "A4", "chiffres ont été perdus", with(0, `<c r="A4"><v>1234567890123456</v></c>`)},
		{"number of 16 digits in scientific notation", "A4", "chiffres ont été perdus", with(0, `<c r="A4"><v>1.234567890123456E+15</v></c>`)},
		{"number of 18 digits, most of them zero", "A4", "chiffres ont été perdus", with(0, `<c r="A4"><v>1E+17</v></c>`)},
		{"number with leading zeros that is a number", "A4", "chiffres ont été perdus", with(0, `<c r="A4"><v>00123458</v></c>`)},
		{"serial number of 17 digits", "D4", "chiffres ont été perdus", with(3, `<c r="D4"><v>12345678901234567</v></c>`)},
		{"number that a spreadsheet had no room to show", "A4", "chiffres ont été perdus", with(0, "1,23457E+14")},
		{"serial number that a spreadsheet had no room to show", "D4", "chiffres ont été perdus", with(3, "1E+25")},
		{"number with a fraction", "A4", "numéro d’abonné invalide", with(0, `<c r="A4"><v>123456.5</v></c>`)},
		{"formula in a key", "A4", "formule", with(0, `<c r="A4" t="str"><f>B4</f><v>00123458</v></c>`)},
		{"formula without a value", "C4", "formule", with(2, `<c r="C4"><f>B4</f></c>`)},
		{"shared formula", "B4", "formule", with(1, `<c r="B4" t="str"><f t="shared" si="0"/><v>x</v></c>`)},
		{"value of a formula of several cells", "C4", "formule", goodParts().with(sheetPath, sheetXML(
			`<row r="2"><c r="A2" t="inlineStr"><is><t>00123456</t></is></c><c r="C2" t="str"><f t="array" ref="C2:C4">LOWER(J2:J4)</f><v>a@exemple.example</v></c></row>`+
				rowXML(3, "00123457", "Anne", "anne@exemple.example", "1C", "31/12/2026")+rowXML(4, sound...)))},
		{"value of a formula of several columns", "B4", "C4\u00a0: formule", row(sound[0], `<c r="B4" t="str"><f t="array" ref="B4:C5">J4:K5</f><v>Zoé</v></c>`, sound[2], sound[3], sound[4])},
		{"error", "B4", "#REF!", with(1, `<c r="B4" t="e"><v>#REF!</v></c>`)},
		{"error of a formula", "B4", "erreur de formule\u00a0: #REF!", with(1, `<c r="B4" t="e"><f>#REF!</f><v>#REF!</v></c>`)},
		{"holder missing", "B4", "titulaire manquant", with(1, "")},
		{"holder of blanks", "B4", "titulaire manquant", with(1, " \u00a0\u200b")},
		{"holder of two rows", "B4", "un guillemet n’est sans doute pas fermé", with(1, "Le Grand;zoe@exemple.example;1E;31/12/2026\n00123459;Plans 19")},
		{"e-mail missing", "C4", "adresse électronique manquante", with(2, "")},
		{"e-mail malformed", "C4", "adresse électronique invalide", with(2, "zoe chez exemple")},
		{"e-mail as a link", "C4", "adresse électronique invalide", with(2, "mailto:zoe@exemple.example")},
		{"e-mail with a name", "C4", "adresse électronique invalide", with(2, "Zoé &lt;zoe@exemple.example&gt;")},
		{"e-mail too long", "C4", "trop longue", with(2, strings.Repeat("a", 90)+"@ex.example")},
		{"serial number not hexadecimal", "D4", "numéro de série invalide", with(3, "0G")},
		{"date missing", "E4", "date d’expiration manquante", with(4, "")},
		{"date impossible", "E4", "date d’expiration invalide\u00a0: ce jour est impossible", with(4, "31/02/2027")},
		{"American date", "E4", "date d’expiration invalide\u00a0: ce jour est impossible", with(4, "12/31/2026")},
		{"two-digit year", "E4", "l’année n’a que deux chiffres", with(4, "31/12/26")},
		{"two-digit year with hyphens", "E4", "l’année n’a que deux chiffres", with(4, "31-12-26 23:59")},
		{"two-digit year with points", "E4", "l’année n’a que deux chiffres", with(4, "1.2.26")},
		{"four-digit year with points", "E4", "date d’expiration invalide", with(4, "31.12.2026")},
		{"number with a blank that nobody sees", "A4", "U+200B (espace sans chasse)", with(0, "001\u200b23458")},
		{"serial number with a letter too far", "D4", "«\u00a0g\u00a0»", with(3, "0G")},
		{"e-mail with an accent", "C4", "«\u00a0é\u00a0» (U+00E9)", with(2, "zoé@exemple.example")},
		{"long error", "B4", "…", with(1, `<c r="B4" t="e"><v>`+strings.Repeat("#", 1000)+`</v></c>`)},
		{"plain number for a date", "E4", "date d’expiration invalide", with(4, `<c r="E4"><v>46387</v></c>`)},
		{"negative date", "E4", "date d’expiration invalide", with(4, `<c r="E4" s="1"><v>-1</v></c>`)},
		{"year zero", "E4", "date d’expiration invalide\u00a0: ce jour est impossible", with(4, `<c r="E4" s="1"><v>1</v></c>`)},
		{"merged with another column", "B4", "fusionnée", merged("A4:B4")},
		{"merged with the header", "C4", "fusionnée", merged("C1:C4")},
		{"merged over another value", "C4", "fusionnée", merged("C3:C4")},
		{"a heading merged over two columns with values", "E4", "fusionnée", row(append(slices.Clone(sound), "1/1/2027")...).
			replace(t, sheetPath, "</sheetData>", `</sheetData><mergeCells count="1"><mergeCell ref="E1:F1"/></mergeCells>`)},
		{"several problems", "A4", "numéro d’abonné invalide : 6 à 20 lettres (sans accent) ou chiffres attendus ; B4 : titulaire manquant", row("1", "", "zoe@exemple.example", "1D", "31/12/2026")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			rows := rowsOf(t, mustOpen(t, "a.xlsx", tt.book.zip(t)))
			if len(rows) != 3 {
				t.Fatalf("%d rows, want 3", len(rows))
			}
			last := rows[2]
			if last.Line != 4 || last.Cell != tt.cell || !strings.Contains(last.Reason, tt.reason) {
				t.Errorf("row %d, cell %s, reason %q; want cell %s, reason %q", last.Line, last.Cell, last.Reason, tt.cell, tt.reason)
			}
			if last.Space.Holder != "" || !last.Space.Contact.IsZero() {
				t.Error("a rejected row carries data")
			}
		})
	}
}
