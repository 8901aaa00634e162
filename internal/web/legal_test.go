package web

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestReadLegal(t *testing.T) {
	got := readLegal("Un\ndeux [à compléter : x] trois\n\nquatre\n## Titre\nVoici :\n- a\r\n- [à compléter : b\nfin\n")
	text := func(s string) []legalSpan { return []legalSpan{{Text: s}} }
	want := []legalBlock{
		{Lines: [][]legalSpan{text("Un"), {{Text: "deux "}, {Text: "[à compléter : x]", Gap: true}, {Text: " trois"}}}},
		{Lines: [][]legalSpan{text("quatre")}},
		{Heading: true, Lines: [][]legalSpan{text("Titre")}},
		{Lines: [][]legalSpan{text("Voici :")}},
		{List: true, Lines: [][]legalSpan{text("a"), {{Text: "[à compléter : b]", Gap: true}}}},
		{Lines: [][]legalSpan{text("fin")}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// Both pages exist without a word of the operator's. They tell all that the law asks
// for, and name their gaps.
func TestLegalDrafts(t *testing.T) {
	pages := legalPages(Legal{})
	for i, wants := range [][]string{
		{"Éditeur", "Directeur de la publication", "Hébergement", "Cookies"},
		{"Responsable", "À quoi servent", "Combien de temps", "Vos droits", "Délégué à la protection", "CNIL"},
	} {
		gaps, all := 0, ""
		for _, b := range pages[i].Blocks {
			for _, line := range b.Lines {
				for _, s := range line {
					all += s.Text
					if s.Gap {
						gaps++
					}
				}
			}
		}
		for _, want := range wants {
			if !strings.Contains(all, want) {
				t.Errorf("%s lacks %q", pages[i].Path, want)
			}
		}
		if gaps < 5 || !pages[i].Draft {
			t.Errorf("%s names %d gaps, draft %v", pages[i].Path, gaps, pages[i].Draft)
		}
	}
	if got := (Legal{Privacy: "## Complet"}).Drafts(); !slices.Equal(got, []string{"/mentions-legales"}) {
		t.Errorf("drafts are %q", got)
	}
}
