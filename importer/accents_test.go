package importer

import (
	"bytes"
	"strings"
	"testing"

	"golang.org/x/text/encoding/charmap"

	"bascule/importer/sample"
)

// misread is a text whose bytes, in one encoding, somebody read in another.
func misread(t testing.TB, text string, written, read *charmap.Charmap) string {
	t.Helper()
	bytes := []byte(text)
	if written != nil {
		var err error
		if bytes, err = written.NewEncoder().Bytes(bytes); err != nil {
			t.Fatal(err)
		}
	}
	out, err := read.NewDecoder().Bytes(bytes)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// C1: a name that was read in the wrong encoding causes a warning; the row is accepted
// all the same. The bug it would catch: a thousand mails to "RenÃ©".
func TestWrongAccents(t *testing.T) {
	latin1, windows, mac, dos := charmap.ISO8859_1, charmap.Windows1252, charmap.Macintosh, charmap.CodePage850
	for _, name := range []string{"René Lefèvre", "Société Élan", "Hélène", "Noël Bœuf", "L’Étoile", "André", "Zoé Gaëlle", "Côté"} {
		for how, text := range map[string]string{
			"UTF-8 as Windows-1252": misread(t, name, nil, windows),
			"UTF-8 as Latin-1":      misread(t, name, nil, latin1),
			"UTF-8 as MacRoman":     misread(t, name, nil, mac),
			"UTF-8 twice":           misread(t, misread(t, name, nil, windows), nil, windows),
		} {
			if wrongAccents(text) == "" {
				t.Errorf("%s, %s: %q passes", name, how, text)
			}
		}
	}
	for _, name := range []string{"André", "René", "Noémie", "Désiré"} {
		for how, text := range map[string]string{
			"MacRoman as Windows-1252": misread(t, name, mac, windows),
			"DOS as Windows-1252":      misread(t, name, dos, windows),
			"MacRoman as Latin-1":      misread(t, name, mac, latin1),
		} {
			if wrongAccents(text) == "" {
				t.Errorf("%s, %s: %q passes", name, how, text)
			}
		}
	}
	for _, text := range []string{"Fran?ois", "B?uf", "Andr&eacute; Durand", "Andr&#233;", "Andr&#xE9;", "Durand &amp; Fils", misread(t, "Cœur", charmap.ISO8859_15, windows)} {
		if wrongAccents(text) == "" {
			t.Errorf("%q passes", text)
		}
	}
	if got := wrongAccents("Ren\ufffd"); !strings.Contains(got, "U+FFFD") {
		t.Errorf("U+FFFD gives %q", got)
	}
	if got := wrongAccents("Marie RenÃ© Dupont"); got != "«\u00a0RenÃ©\u00a0»" {
		t.Errorf("the word told is %q", got)
	}
	if got := wrongAccents(strings.Repeat("a", 400) + "\u0083"); !strings.Contains(got, "U+0083") {
		t.Errorf("a control character gives %q", got)
	}
}

// A correct name causes no warning.
func TestRightAccents(t *testing.T) {
	var book bytes.Buffer
	if err := sample.Write(&book, 1000, 1); err != nil {
		t.Fatal(err)
	}
	f, names := mustOpen(t, "a.xlsx", book.Bytes()), []string{sample.Issuer}
	for _, r := range rowsOf(t, f) {
		names = append(names, r.Space.Holder)
	}
	for _, d := range dossiersOf(t, f) {
		names = append(names, string(d.Company), string(d.Service))
	}
	for _, name := range append(names, "", "Anne Durand", "ÉLÉONORE CŒURDEVEY", "CAFÉ «ÉTÉ»", "Café™ & Cie – S.A.R.L.", "L’Œuvre “Zoé”", "l'Âge d'or", "LES CÂBLES", "Ångström AS", "Žofie Šimková",
		"N°\u00a05", "« Chez Noé »", "Đorđe Žilić", "ESPAÑA", "São João", "Ÿvonne", "René-Élie", "d’Éon", "Δέλτα", "日本", "Société • Élan", "Quoi ? Oui", "Pourquoi?", "R&D; Conseil", "A & B; C", "Durand & Fils", "½ tarif") {
		if got := wrongAccents(name); got != "" {
			t.Errorf("%s is told of: %s", name, got)
		}
	}
}

// C1: the warning is beside the accepted row. A fault of the sheet Dossiers is a
// warning about the file.
func TestWrongAccentsAreTold(t *testing.T) {
	f := mustOpen(t, "a.csv", []byte("subscriber number;holder;email;serial number;issuer;expiry date\n00123456;Ren\x8e;a@b.example;1;;31/12/2026\n00123457;Paul;a@b.example;2;CN=Autorit\x8e;31/12/2026\n00123458;Ren\xe9;a@b.example;3;;31/12/2026\n"))
	for i, want := range []string{"le titulaire a sans doute perdu ses accents («\u00a0RenŽ\u00a0»)", "l’émetteur a sans doute perdu", ""} {
		if r := rowsOf(t, f)[i]; r.Reason != "" || !strings.Contains(r.Warning, want) || (r.Warning == "") != (want == "") {
			t.Errorf("row %d: reason %q, warning %q", r.Line, r.Reason, r.Warning)
		}
	}
	book := goodParts().withDossiers(t, rowXML(1, "numéro d'abonné", "siren", "raison sociale", "service")+rowXML(2, "00123456", "123456789", "Garage", "TVA")+
		rowXML(3, "00123456", "123456780", "CafÃ© d'Ã‰tÃ©", "TVA")+rowXML(4, "00123456", "123456780", "Garage", "Imp\ufffdt"))
	if w := mustOpen(t, "a.xlsx", book.zip(t)).Warnings; len(w) != 1 || !strings.Contains(w[0].English, "wrong encoding: 2, the first at Dossiers!C3") {
		t.Errorf("warnings are %v", w)
	}
}

// C1: who saved a list in the encoding of a Macintosh or of DOS is told so, not only that
// its columns are missing.
func TestHeadingsInWrongEncoding(t *testing.T) {
	for name, code := range map[string]*charmap.Charmap{"Macintosh": charmap.Macintosh, "DOS": charmap.CodePage850} {
		content, err := code.NewEncoder().String(csvHeader + goodLine)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := openBytes(t, "a.csv", []byte(content)); err == nil || !strings.Contains(err.Error(), "wrong encoding («\u00a0num") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// C1: a Ctrl-Z that ends a file of an old program is no row and no part of one,
// whatever follows it. Elsewhere it is a character like others.
func TestCtrlZ(t *testing.T) {
	for _, end := range []string{"\x1a", "\n\x1a", "\r\n\x1a\r\n", "\n\x1a\x1a\x1a", "\x1a\n", "\n\x1a\x00\x00", "\n \x1a"} {
		for name, line := range map[string]string{"plain": goodLine[:len(goodLine)-1], "quoted": "00123456;Anne;anne@exemple.example;0A;\"31/12/2026\""} {
			rows := rowsOf(t, mustOpen(t, "a.csv", []byte(csvHeader+line+end)))
			if len(rows) != 1 || rows[0].Reason != "" {
				t.Errorf("%s, %q: %+v", name, end, rows)
			}
		}
	}
	if rows := rowsOf(t, mustOpen(t, "a.csv", inUTF16([]byte(csvHeader+goodLine+"\x1a"), false, true))); len(rows) != 1 || rows[0].Reason != "" {
		t.Errorf("in UTF-16: %+v", rows)
	}
	if rows := rowsOf(t, mustOpen(t, "a.xlsx", goodParts().with(sheetPath, sheetXML(goodRows+rowXML(4, "_x001A_"))).zip(t))); len(rows) != 2 {
		t.Errorf("in a workbook: %+v", rows)
	}
	rows := rowsOf(t, mustOpen(t, "a.csv", []byte(csvHeader+"001\x1a23456;Anne;a@b.example;1;31/12/2026\n"+goodLine)))
	if len(rows) != 2 || !strings.Contains(rows[0].Reason, "U+001A") || rows[1].Reason != "" {
		t.Errorf("in the middle: %+v", rows)
	}
}

// C1: a heading may have a remark in brackets, or be in brackets; one without
// comes first.
func TestHeadingsWithRemarks(t *testing.T) {
	headed := func(names ...string) layout {
		r := row{}
		for i, name := range names {
			r.cells = append(r.cells, cell{column: i + 1, text: name})
		}
		return matchHeader(r, subscriberHeadings)
	}
	for _, name := range []string{"[E-mail]", "e-mail (obligatoire)", "\"E-mail\"", "« E-mail » :", "E-mail *", "e-mail [requis]", "(requis) e-mail", "E-mail (100 car. max) (*)", "{e-mail}"} {
		if l := headed("x", name); l.columns[fieldEmail] != 2 {
			t.Errorf("%s is no e-mail", name)
		}
	}
	if l := headed("numéro de série (ancien)", "numéro de série", "date d'expiration (jj/mm/aaaa)"); l.columns[fieldSerial] != 2 || len(l.twice) > 0 || l.columns[fieldExpiry] != 3 {
		t.Errorf("the exact heading does not come first: %+v", l)
	}
	if l := headed("numéro de série (carte)", "numéro de série (clé)"); len(l.twice) != 1 {
		t.Errorf("two alike are not told: %+v", l)
	}
	for _, name := range []string{"(e-mail", "e-mail) obligatoire", "()", "mon (e-mail)"} {
		if l := headed(name); name != "(e-mail" && l.found() > 0 {
			t.Errorf("%s is taken for a column", name)
		}
	}
}
