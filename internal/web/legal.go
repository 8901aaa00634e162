package web

import (
	"cmp"
	_ "embed"
	"strings"
)

// Legal has the texts that the law requires, in the operator's words: plain text. "" is
// the built-in draft.
type Legal struct {
	Notice  string // /mentions-legales
	Privacy string // /donnees-personnelles
}

// LegalFiles are the names of the texts in a folder, in the order of Legal.
var LegalFiles = []string{"mentions-legales.txt", "donnees-personnelles.txt"}

// The drafts.
var (
	//go:embed legal/mentions-legales.txt
	noticeDraft string
	//go:embed legal/donnees-personnelles.txt
	privacyDraft string
)

// A legalPage is the data of legal.html.
type legalPage struct {
	Path, Title string
	Draft       bool // it has a gap to fill in
	Blocks      []legalBlock
}

// A legalBlock is a heading, a list, or a paragraph of one or more lines.
type legalBlock struct {
	Heading, List bool
	Lines         [][]legalSpan
}

// A legalSpan is text. A gap is for the operator to fill in.
type legalSpan struct {
	Text string
	Gap  bool
}

// legalPages reads both texts.
func legalPages(l Legal) []legalPage {
	pages := []legalPage{{Path: "/mentions-legales", Title: "Mentions légales"}, {Path: "/donnees-personnelles", Title: "Données personnelles"}}
	for i, text := range []string{cmp.Or(l.Notice, noticeDraft), cmp.Or(l.Privacy, privacyDraft)} {
		pages[i].Blocks = readLegal(text)
		pages[i].Draft = strings.Contains(text, gapOpen)
	}
	return pages
}

// readLegal reads a text. A line that begins with "## " is a heading, one that begins
// with "- " an item of a list. An empty line ends a paragraph.
func readLegal(text string) []legalBlock {
	var blocks []legalBlock
	fresh := true
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" {
			fresh = true
			continue
		}
		heading, isHeading := strings.CutPrefix(line, "## ")
		item, isItem := strings.CutPrefix(heading, "- ")
		if fresh || isHeading || isItem != blocks[len(blocks)-1].List {
			blocks = append(blocks, legalBlock{Heading: isHeading, List: isItem})
		}
		last := &blocks[len(blocks)-1]
		last.Lines = append(last.Lines, legalSpans(item))
		fresh = isHeading
	}
	return blocks
}

// gapOpen begins a gap for the operator to fill in; "]" ends it.
const gapOpen = "[à compléter"

func legalSpans(line string) []legalSpan {
	var spans []legalSpan
	for {
		before, after, found := strings.Cut(line, gapOpen)
		if before != "" {
			spans = append(spans, legalSpan{Text: before})
		}
		if !found {
			return spans
		}
		gap, rest, _ := strings.Cut(after, "]")
		spans = append(spans, legalSpan{Text: gapOpen + gap + "]", Gap: true})
		line = rest
	}
}

// Drafts are the paths of pages that are not filled in yet.
func (l Legal) Drafts() []string {
	var paths []string
	for _, p := range legalPages(l) {
		if p.Draft {
			paths = append(paths, p.Path)
		}
	}
	return paths
}

// legalPage is the route of a page of s.legal.
func (s *Server) legalPage(i int) route {
	return route{path: s.legal[i].Path, get: s.fixed("legal", view{Title: s.legal[i].Title, Data: s.legal[i]})}
}
