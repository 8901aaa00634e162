package importer

import (
	"crypto/x509/pkix"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/xuri/excelize/v2"

	"bascule/internal/certificate"
	"bascule/internal/devenv/devtest"
	"bascule/sql/sqltest"
)

// R7: a row whose issuer names no authority, or several, is accepted with a
// warning beside it, since its space cannot be entered with the certificate; a
// row that names one is not warned of, however it spells the name.
func TestIssuerWarnings(t *testing.T) {
	db := sqltest.Open(t)
	sheet := filepath.Join(t.TempDir(), "list.csv")
	rows := "numéro d'abonné;titulaire;adresse électronique;numéro de série;émetteur;date d'expiration\n" +
		"00000001;Anne Durand;anne@exemple.example;0A01;CN=AC Une, O=Exemple;31/12/2099\n" +
		"00000002;Paul Noël;paul@exemple.example;0A02;O=Exemple;31/12/2099\n" +
		"00000003;Zoé Œillet;zoe@exemple.example;0A03;CN=AC Trois;31/12/2099\n" +
		"00000004;Inès Petit;ines@exemple.example;0A04;;31/12/2099\n" +
		"00000005;Léa Grand;lea@exemple.example;0A05;/O=EXEMPLE/CN=ac deux;31/12/2099\n" +
		"6;Max Grand;max@exemple.example;0A06;;31/12/2099\n"
	if err := os.WriteFile(sheet, []byte(rows), 0o600); err != nil {
		t.Fatal(err)
	}
	opts := options(t, sheet)
	opts.Certificates = authorities(t, "AC Une", "AC Deux")
	if got := run(t, db, opts); got.Accepted != 5 || got.Rejected != 1 {
		t.Errorf("%+v, want 5 accepted and 1 rejected", got)
	}
	book, err := excelize.OpenFile(opts.VerdictsPath)
	if err != nil {
		t.Fatal(err)
	}
	defer book.Close()
	table, err := book.GetRows(book.GetSheetName(1))
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"", "plusieurs autorités connues", "aucune autorité connue", "sans émetteur, plusieurs autorités", ""} {
		said := strings.TrimSpace(strings.Join(table[i+1][:3], " "))
		if said == "accepté" != (want == "") || !strings.Contains(said, want) {
			t.Errorf("row %d: %q, want %q", i+1, said, want)
		}
	}
	if said := strings.Join(table[6][:3], " "); !strings.HasPrefix(said, "rejeté") || strings.Contains(said, "autorité") {
		t.Errorf("the rejected row: %q", said)
	}
}

// D9: one certificate under two numbers, its issuer written in two ways: both rows
// are rejected, each naming the other.
func TestOneCertificateTwoSpellings(t *testing.T) {
	for name, store := range map[string]*certificate.Store{"without authorities": nil, "with one": authorities(t, "AC Une")} {
		db := sqltest.Open(t)
		sheet := filepath.Join(t.TempDir(), "list.csv")
		second := "cn=ac une; o=exemple"
		if store == nil {
			second = "/O=Exemple/CN=AC Une"
		}
		rows := "numéro d'abonné;titulaire;adresse électronique;numéro de série;émetteur;date d'expiration\n" +
			"00000001;Anne Durand;anne@exemple.example;0A01;CN=AC Une, O=Exemple;31/12/2099\n" +
			"00000002;Paul Noël;paul@exemple.example;A:01;\"" + second + "\";31/12/2099\n"
		if err := os.WriteFile(sheet, []byte(rows), 0o600); err != nil {
			t.Fatal(err)
		}
		opts := options(t, sheet)
		opts.Certificates = store
		if got := run(t, db, opts); got.Rejected != 2 {
			t.Errorf("%s: %+v, want both rejected", name, got)
		}
	}
}

// R7: an issuer as the details of Windows, OpenSSL and certutil show it, one attribute
// a line, names its authority, in any file. The workbook shows no warning, and the same
// rows in another format change nothing.
func TestIssuerOnLinesFile(t *testing.T) {
	db := sqltest.Open(t)
	store, err := certificate.Open(filepath.Join("testdata", "field", "issuer-lines", "ca.pem"), "", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	opts := options(t, filepath.Join("testdata", "field", "issuer-lines", "issuer.xlsx"))
	opts.Certificates = store
	if got := run(t, db, opts); got.Accepted != 3 {
		t.Errorf("%+v, want 3 accepted", got)
	}
	for _, r := range sheetRows(t, fileContent(t, opts.VerdictsPath), "Sheet")[1:] {
		if r[1] != "" {
			t.Errorf("a warning: %q", r[1])
		}
	}
	again := options(t, opts.VerdictsPath)
	again.Certificates = store
	if got := run(t, db, again); got.Unchanged != 3 {
		t.Errorf("the verdict workbook: %+v, want 3 unchanged", got)
	}
	text := options(t, write(t, "a.csv", []byte("numéro d'abonné;titulaire;adresse électronique;numéro de série;émetteur;date d'expiration\r\n"+
		"F0000001;Société Élan 1;abonne1@cabinet.example;2000000001;\"CN = AC Essai\r\nO = Essai\r\nC = FR\";31/12/2027\r\n"+
		"F0000002;Société Élan 2;abonne2@cabinet.example;2000000002;\"CN=AC Essai\tO=Essai\";31/12/2027\r\n")))
	text.Certificates = store
	if got := run(t, db, text); got.Unchanged != 2 {
		t.Errorf("the same rows as CSV: %+v, want 2 unchanged", got)
	}
}

func fileContent(t *testing.T, path string) []byte {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func authorities(t *testing.T, names ...string) *certificate.Store {
	t.Helper()
	var all []byte
	for _, name := range names {
		a := devtest.Authority(t, pkix.Name{CommonName: name, Organization: []string{"Exemple"}})
		one, err := os.ReadFile(a.CAFile())
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, one...)
	}
	path := filepath.Join(t.TempDir(), "all.pem")
	if err := os.WriteFile(path, all, 0o600); err != nil {
		t.Fatal(err)
	}
	store, err := certificate.Open(path, "", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return store
}

// A quote that one of another row closes makes a text of all between them, in a holder or in
// an issuer. In another column it is warned of: what it holds may be a note. A text of several
// lines with commas is none.
func TestSwallowedRows(t *testing.T) {
	f := mustOpen(t, "a.csv", []byte("numéro d'abonné;titulaire;adresse électronique;numéro de série;émetteur;date d'expiration;note\n"+
		"00123456;\"Plans 19;a@b.example;1;;31/12/2026\n00123457;Zoé 19\";a@b.example;2;;31/12/2026\n"+
		"00123458;Anne;a@b.example;3;\"CN=AC;31/12/2026\n00123459;Zoé;z@b.example;4;CN=AC\";31/12/2027\n"+
		"00123460;\"Dupont, Durand,\nMartin, Petit, Leroy\";a@b.example;5;\"E=ca@b.example,\nCN=AC,\nOU=1,\nO=X,\nC=FR\";31/12/2026;\"a;\nb\"\n"+
		"00123461;Anne;a@b.example;6;;31/12/2026;\"vu\n00123462;Zoé;z@b.example;7;;31/12/2026;fait\"\n"))
	for i, r := range rowsOf(t, f) {
		if warned := strings.Contains(r.Warning, "G5"); warned != (i == 3) {
			t.Errorf("row %d: %s", r.Line, r.Warning)
		}
		if want := []string{"B2", "E3", "", ""}[i]; r.Cell != want || want != "" && !strings.Contains(r.Reason, "un guillemet n’est sans doute pas fermé") {
			t.Errorf("row %d: %s: %s; want %s", r.Line, r.Cell, r.Reason, want)
		}
	}
}
