package recap_test

// This file is long because each test looks at the same document by another program
// than its writer's (pdftotext, qpdf, pdfinfo): facts and readers are shared.

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"bascule/internal/conversion"
	"bascule/internal/recap"
)

// facts are those of an ordinary subscriber; edit changes them.
func facts(t testing.TB, edit func(*recap.Facts)) recap.Facts {
	t.Helper()
	email, err := conversion.ParseEmail("camille.duvallon@cabinet-duvallon.example")
	if err != nil {
		t.Fatal(err)
	}
	f := recap.Facts{
		Version:    recap.Version,
		Number:     "0012345",
		Holder:     "Mme Camille Duvallon",
		Email:      email,
		Question:   "Quel est le nom de votre premier professeur ?",
		SwitchedAt: time.Date(2026, 11, 25, 7, 0, 12, 0, time.UTC),
		PublicURL:  "https://espace.bascule.example",
		Help:       "Du lundi au vendredi, de 8 h 00 à 19\u00a0h\u00a030.\nPar téléphone : 01 99 00 00 00.",
		Companies: []conversion.Company{
			{SIREN: "123456789", Name: "Boulangerie Duvallon & Fils", Services: []string{"TVA", "Paiement"}},
			{SIREN: "012345678", Name: "Œuvres d'art « Noël » – 50 € (100 %) \\ réunies", Services: []string{"Compte fiscal"}},
			{SIREN: "987654321", Name: "Sans service"},
		},
	}
	if edit != nil {
		edit(&f)
	}
	return f
}

func manyCompanies(n int) []conversion.Company {
	companies := make([]conversion.Company, n)
	for i := range companies {
		companies[i] = conversion.Company{
			SIREN: conversion.SIREN(fmt.Sprintf("%09d", 100_000_000+i)),
			Name:  fmt.Sprintf("Entreprise n° %d de la vallée", i),
		}
		for j := range i % 6 {
			companies[i].Services = append(companies[i].Services, fmt.Sprintf("Service %d-%d", i, j))
		}
	}
	return companies
}

func write(t testing.TB, f recap.Facts) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := recap.Write(&b, f); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// R28, R5: every fact can be read in the document, in any script, and the document is a
// sound PDF.
func TestWriteShowsEveryFact(t *testing.T) {
	tests := map[string]func(*recap.Facts){
		"ordinary":      nil,
		"no company":    func(f *recap.Facts) { f.Companies = nil },
		"one company":   func(f *recap.Facts) { f.Companies = f.Companies[:1] },
		"500 companies": func(f *recap.Facts) { f.Companies = manyCompanies(500) },
		"non-Latin": func(f *recap.Facts) {
			f.Holder = "Мария Łukasz Δέσποινα"
			f.Companies[0].Name = "Słoneczny Σύμβουλοι « œ € ’ »"
			f.Companies[1].Services = []string{"Žižkov", "Чай"}
		},
		"non-Latin, 500 companies": func(f *recap.Facts) { f.Holder, f.Companies = "Ж", manyCompanies(500) },
		"long names": func(f *recap.Facts) {
			f.Holder = strings.TrimSpace(strings.Repeat("Maximilienne-Anastasia ", 9))
			f.Companies[0].Name = strings.TrimSpace(strings.Repeat("Établissements forestiers ", 8))
		},
		"long address": func(f *recap.Facts) {
			f.Email, _ = conversion.ParseEmail(strings.Repeat("a.b", 21) + "@" + strings.Repeat("c", 28) + ".example")
		},
		"PDF syntax": func(f *recap.Facts) {
			f.Holder = `) Tj ET (\ endstream endobj`
			f.Companies[0].Name = `trailer << /Root 1 0 R >> startxref 0 %%EOF`
		},
		"no help, no site": func(f *recap.Facts) { f.Help, f.PublicURL = "", "" },
	}
	for name, edit := range tests {
		t.Run(name, func(t *testing.T) {
			f := facts(t, edit)
			pdf := write(t, f)
			check(t, pdf)
			text := extract(t, pdf)
			wanted := []string{string(f.Number), f.Holder, f.Email.String(), f.Question, f.PublicURL,
				"mercredi 25 novembre 2026 à 8\u00a0h\u00a000 (heure de Paris)"}
			wanted = append(wanted, strings.Split(f.Help, "\n")...)
			for _, c := range f.Companies {
				wanted = append(append(wanted, c.SIREN.Grouped(), c.Name), c.Services...)
			}
			for _, want := range wanted {
				if !strings.Contains(text, squeeze(want)) {
					t.Errorf("the document does not show %q", want)
				}
			}
		})
	}
}

// R3–R6, R29–R31: the document says what the subscriber has to know.
func TestWriteSaysTheRules(t *testing.T) {
	text := extract(t, write(t, facts(t, nil)))
	for _, want := range []string{
		"Formulaire récapitulatif", "Conservez ce document", "indispensable pour certaines opérations",
		"oubli de votre mot de passe par exemple", "irrévocable", "Votre certificat ne l’ouvre plus",
		"même numéro d’abonné, le même titulaire, les mêmes entreprises et les mêmes services",
		"ne sert que pour un seul espace", "«\u00a0Accéder à mon espace\u00a0»",
		"«\u00a0Gérer mes services\u00a0» > «\u00a0Gérer vos coordonnées\u00a0»", "Réponse de confiance Connue de vous seul",
	} {
		if !strings.Contains(text, squeeze(want)) {
			t.Errorf("the document does not say %q", want)
		}
	}
}

// R5: the document tells the number of companies, in the right grammar.
func TestWriteCountsCompanies(t *testing.T) {
	for n, want := range map[int]string{
		0: "cet espace n’avait aucune entreprise", 1: "Entreprise et services (1 entreprise)", 2: "(2 entreprises)", 500: "(500 entreprises)",
	} {
		text := extract(t, write(t, facts(t, func(f *recap.Facts) { f.Companies = manyCompanies(n) })))
		if !strings.Contains(text, squeeze(want)) {
			t.Errorf("%d companies: %q not found", n, want)
		}
	}
}

// The same facts give the same bytes: read back from the database, with another
// location of the same instant, in many goroutines at once.
func TestWriteIsReproducible(t *testing.T) {
	for name, edit := range map[string]func(*recap.Facts){
		"core font": nil,
		"Go font":   func(f *recap.Facts) { f.Holder = "Жанна 株" },
	} {
		t.Run(name, func(t *testing.T) {
			f := facts(t, edit)
			want := write(t, f)
			stored, err := json.Marshal(f)
			if err != nil {
				t.Fatal(err)
			}
			var read recap.Facts
			if err := json.Unmarshal(stored, &read); err != nil {
				t.Fatal(err)
			}
			read.SwitchedAt = read.SwitchedAt.In(time.FixedZone("", -7*3600))
			var group sync.WaitGroup
			for range 4 {
				group.Go(func() {
					if got := write(t, read); !bytes.Equal(got, want) {
						t.Error("other bytes from the same facts")
					}
				})
			}
			group.Wait()
		})
	}
}

// Write changes nothing that is its caller's: the facts are stored afterwards.
func TestWriteLeavesFactsAlone(t *testing.T) {
	f := facts(t, func(f *recap.Facts) {
		f.Companies[0].Name, f.Companies[0].Services = " 株式会社\x00 ", []string{"\t😀"}
	})
	before := fmt.Sprintf("%#v", f)
	write(t, f)
	if after := fmt.Sprintf("%#v", f); after != before {
		t.Errorf("facts became %s", after)
	}
}

// R18, R17: no field can hold an answer, a password or a code. The author of a new
// field has to come here.
func TestFactsHoldNoSecret(t *testing.T) {
	stored, err := json.Marshal(recap.Facts{})
	if err != nil {
		t.Fatal(err)
	}
	var fields map[string]any
	if err := json.Unmarshal(stored, &fields); err != nil {
		t.Fatal(err)
	}
	want := []string{"administration", "companies", "email", "help", "holder", "number", "public_url", "question", "switched_at", "version"}
	if got := slices.Sorted(maps.Keys(fields)); !slices.Equal(got, want) {
		t.Errorf("facts are %v, want %v", got, want)
	}
}

// A character that no font can show is replaced, and the document says so.
func TestWriteReplacesVisibly(t *testing.T) {
	const note = "Certains caractères ne peuvent pas être imprimés"
	tests := []struct{ holder, want string }{
		{"株式会社", "□□□□"},
		{"محمد", "□□□□"},
		{"Zoé 😀", "Zoé □"},
		{"\U000F0000", "□"},
		{"Nguyễn", "Nguyên"},
		{"bad\xff\xfebytes", "bad□□bytes"},
	}
	for _, tt := range tests {
		pdf := write(t, facts(t, func(f *recap.Facts) { f.Holder = tt.holder }))
		check(t, pdf)
		if text := extract(t, pdf); !strings.Contains(text, "Titulaire "+tt.want+" ") || !strings.Contains(text, note) {
			t.Errorf("%q: want %q and the note in\n%s", tt.holder, tt.want, text)
		}
	}
	if strings.Contains(extract(t, write(t, facts(t, func(f *recap.Facts) { f.Holder = "Жанна" }))), note) {
		t.Error("the note stands where nothing was replaced")
	}
}

// Control characters and marks of direction neither break the document nor
// show a name in another order.
func TestWriteDropsInvisible(t *testing.T) {
	pdf := write(t, facts(t, func(f *recap.Facts) { f.Holder = "Mme\r\n\x00 \u202eCamille\u200b\u0085 Duvallon\x1b" }))
	check(t, pdf)
	if text := extract(t, pdf); !strings.Contains(text, "Titulaire Mme Camille Duvallon ") {
		t.Errorf("holder not found in\n%s", text)
	}
}

var wordBox = regexp.MustCompile(`<word xMin="([\d.]+)" yMin="([\d.]+)" xMax="([\d.]+)" yMax="([\d.]+)">(.*)</word>`)

// R28: every word of texts of any length is on the paper and within its column, clear
// of the footer.
func TestWriteStaysWithinMargins(t *testing.T) {
	const point = 72 / 25.4
	long := func(f *recap.Facts) {
		f.Holder = strings.Repeat("W", 200)
		f.Email, _ = conversion.ParseEmail(strings.Repeat("m", 64) + "@" + strings.Repeat("w", 27) + ".example")
		f.PublicURL = "https://" + strings.Repeat("tres-long-", 20) + ".example/"
		f.Help = strings.Repeat(strings.Repeat("assistance ", 40)+"\n", 60)
		f.Companies = manyCompanies(100)
		f.Companies[3].Name = strings.Repeat("W", 200)
		f.Companies[4].Services = []string{strings.Repeat("W", 100)}
		f.Companies[5].Services = strings.Fields(strings.Repeat("Service-de-transmission ", 600))
	}
	for name, edit := range map[string]func(*recap.Facts){
		"core font": long,
		"Go font":   func(f *recap.Facts) { long(f); f.Companies[6].Name = strings.Repeat("Ж", 200) },
	} {
		out := run(t, write(t, facts(t, edit)), "pdftotext", "-bbox")
		words := wordBox.FindAllStringSubmatch(out, -1)
		if len(words) < 2000 {
			t.Fatalf("%s: only %d words found", name, len(words))
		}
		for _, w := range words {
			xMin, yMin, xMax, yMax := number(t, w[1]), number(t, w[2]), number(t, w[3]), number(t, w[4])
			inFooter := yMin > 279*point
			if xMin < 21.9*point || xMax > 188.1*point || yMin < 16*point || (!inFooter && yMax > 278*point) || yMax > 287*point {
				t.Errorf("%s: %q stands at %.0f,%.0f–%.0f,%.0f", name, w[5], xMin, yMin, xMax, yMax)
			}
		}
	}
}

// R28: a table over many pages repeats its head, numbers its pages, and no
// company is torn apart.
func TestWriteBreaksTableOverPages(t *testing.T) {
	companies := manyCompanies(500)
	pages := strings.Split(run(t, write(t, facts(t, func(f *recap.Facts) { f.Companies = companies })), "pdftotext", "-layout"), "\f")
	pages = pages[:len(pages)-1]
	if len(pages) < 10 {
		t.Fatalf("%d pages", len(pages))
	}
	for i, page := range pages {
		page = squeeze(page)
		if !strings.Contains(page, fmt.Sprintf("page %d / %d", i+1, len(pages))) {
			t.Errorf("page %d is not numbered", i+1)
		}
		if !strings.Contains(page, "SIREN") || !strings.Contains(page, "Raison sociale") {
			t.Errorf("page %d has no head", i+1)
		}
		for _, c := range companies {
			if strings.Contains(page, squeeze(c.SIREN.Grouped())) && len(c.Services) > 0 && !strings.Contains(page, c.Services[len(c.Services)-1]) {
				t.Errorf("company %s is torn over pages %d and %d", c.SIREN, i+1, i+2)
			}
		}
	}
}

// R28: a table that one page can hold is on one page, below its title; one that is
// longer begins where there is room.
func TestWriteKeepsTableTogether(t *testing.T) {
	for n, first := range map[int]int{3: 1, 8: 2, 30: 2, 200: 1} {
		companies := manyCompanies(n)
		pages := strings.Split(run(t, write(t, facts(t, func(f *recap.Facts) { f.Companies = companies })), "pdftotext", "-layout"), "\f")
		for i, page := range pages {
			page = squeeze(page)
			if has := strings.Contains(page, "Entreprises et services ("); has != (i+1 == first) {
				t.Errorf("%d companies: the title stands on page %d: %v, want it on page %d", n, i+1, has, first)
			}
			if i+1 == first && n < 100 && strings.Count(page, "Entreprise n°") != n {
				t.Errorf("%d companies: page %d has %d of them", n, i+1, strings.Count(page, "Entreprise n°"))
			}
		}
	}
}

// The document carries its date, and whose it is where that is known.
func TestWriteSaysWhenAndWhose(t *testing.T) {
	if text := extract(t, write(t, facts(t, nil))); !strings.Contains(text, "Établi le mercredi 25 novembre 2026") {
		t.Errorf("the date is not in\n%s", text)
	}
	const name = "Direction des essais publics"
	pdf := write(t, facts(t, func(f *recap.Facts) { f.Administration = name }))
	if text := extract(t, pdf); !strings.HasPrefix(text, name) {
		t.Errorf("the administration's name does not begin\n%s", text)
	}
}

// A screen reader learns the language, a viewer shows the title, both from the
// catalog that is in force.
func TestWriteCatalog(t *testing.T) {
	pdf := write(t, facts(t, nil))
	trailer := qpdf(t, pdf, "--show-object=trailer")
	root := regexp.MustCompile(`/Root (\d+) 0 R`).FindStringSubmatch(trailer)
	if root == nil {
		t.Fatalf("no root in %s", trailer)
	}
	catalog := qpdf(t, pdf, "--show-object="+root[1])
	for _, want := range []string{"/Lang (fr-FR)", "/DisplayDocTitle true", "/Pages 1 0 R"} {
		if !strings.Contains(catalog, want) {
			t.Errorf("catalog lacks %s: %s", want, catalog)
		}
	}
	info := run(t, pdf, "pdfinfo")
	for _, want := range []string{"Formulaire récapitulatif de l’espace 0012345", "A4", "bascule", "Nov 25 08:00:12 2026"} {
		if !strings.Contains(info, want) {
			t.Errorf("pdfinfo lacks %q:\n%s", want, info)
		}
	}
}

// Recaps are stored by the million: an ordinary one stays small.
func TestWriteIsSmall(t *testing.T) {
	if n := len(write(t, facts(t, nil))); n > 16_000 {
		t.Errorf("%d bytes", n)
	}
	if n := len(write(t, facts(t, func(f *recap.Facts) { f.Holder = "Жанна" }))); n > 60_000 {
		t.Errorf("%d bytes with the Go font", n)
	}
}

// Facts of another version are refused before a byte is written (I7).
func TestWriteVersion(t *testing.T) {
	var b bytes.Buffer
	err := recap.Write(&b, facts(t, func(f *recap.Facts) { f.Version = recap.Version + 1 }))
	if !errors.Is(err, recap.ErrVersion) || b.Len() > 0 {
		t.Errorf("error %v after %d bytes", err, b.Len())
	}
}

type fullDisk struct{}

var errFull = errors.New("disk full")

func (fullDisk) Write([]byte) (int, error) { return 0, errFull }

// I7: a document that could not be written is an error.
func TestWriteError(t *testing.T) {
	if err := recap.Write(fullDisk{}, facts(t, nil)); !errors.Is(err, errFull) {
		t.Errorf("error %v, want %v", err, errFull)
	}
}

// I8: no text makes Write fail or panic.
func FuzzWrite(f *testing.F) {
	for _, s := range []string{"", " ", "\x00", "\\", "(((", "\xff", "\u202e", "株", "😀", "e\u0301", "\u0301", "Ễ", "{nb}", "a\u00a0b",
		strings.Repeat("W", 3000), strings.Repeat("\n", 300), "\uFFFD", "\uFFFF", "%%EOF\nstartxref\n", "\u25a1"} {
		f.Add(s, s, s)
	}
	f.Fuzz(func(t *testing.T, a, b, c string) {
		pdf := write(t, recap.Facts{
			Version: recap.Version, Number: conversion.SubscriberNumber(c), Holder: a, Question: b, PublicURL: c, Help: a + b,
			Companies: []conversion.Company{{SIREN: conversion.SIREN(a), Name: b, Services: []string{c, a, b}}, {Services: []string{}}},
		})
		if !bytes.HasPrefix(pdf, []byte("%PDF-1.3\n")) || !bytes.HasSuffix(pdf, []byte("\n%%EOF\n")) {
			t.Error("not a PDF")
		}
	})
}

func BenchmarkWrite(b *testing.B) {
	for name, edit := range map[string]func(*recap.Facts){
		"core font":     nil,
		"Go font":       func(f *recap.Facts) { f.Holder = "Жанна" },
		"500 companies": func(f *recap.Facts) { f.Companies = manyCompanies(500) },
	} {
		b.Run(name, func(b *testing.B) {
			f := facts(b, edit)
			b.ReportAllocs()
			for b.Loop() {
				write(b, f)
			}
		})
	}
}

// extract is the document's text in reading order, white space squeezed.
func extract(t testing.TB, pdf []byte) string {
	t.Helper()
	return squeeze(run(t, pdf, "pdftotext", "-raw"))
}

func squeeze(s string) string { return strings.Join(strings.Fields(s), " ") }

// check has the document judged by a strict reader.
func check(t testing.TB, pdf []byte) {
	t.Helper()
	if out := qpdf(t, pdf, "--check"); strings.Contains(out, "WARNING") {
		t.Errorf("qpdf: %s", out)
	}
}

func qpdf(t testing.TB, pdf []byte, arg string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "recap.pdf")
	if err := os.WriteFile(path, pdf, 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("qpdf", arg, path).CombinedOutput()
	if err != nil {
		t.Fatalf("qpdf: %v: %s", err, out)
	}
	return string(out)
}

// run gives the document to one of poppler's programs.
func run(t testing.TB, pdf []byte, program string, args ...string) string {
	t.Helper()
	args = append(args, "-")
	if program == "pdftotext" {
		args = append(args, "-")
	}
	cmd := exec.Command(program, args...)
	cmd.Stdin = bytes.NewReader(pdf)
	cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8", "TZ=Europe/Paris")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v", program, err)
	}
	return string(out)
}

func number(t testing.TB, s string) float64 {
	t.Helper()
	n, err := strconv.ParseFloat(s, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}
