package gate

import (
	"fmt"
	"go/ast"
	"go/token"
	"html"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"
)

// The texts that people read: the mails as they leave, pages, texts of the site, the
// guide, and the packages that write French.
var (
	spokenFiles = []string{
		"internal/mail/testdata/*.txt", "internal/web/page/*.html", "internal/web/legal/*.txt", "internal/demo/texts/*.txt", "internal/devenv/page/*.html",
		"docs/guide-administrateur.md",
	}
	spokenPackages = []string{
		"cmd/bascule", "importer", "importer/xlsx", "internal/conversion", "internal/demo", "internal/devenv", "internal/mail", "internal/recap",
		"internal/report", "internal/web", "internal/workbook", "jobs", "sql",
	}
)

// The texts that people read follow docs/redaction.md.
func TestRedaction(t *testing.T) {
	style := readRedaction(t)
	for _, s := range spokenSentences(t) {
		for _, problem := range style.problems(s.text) {
			t.Errorf("%s: %s: %s", s.where, problem, s.text)
		}
	}
}

// A redaction is what docs/redaction.md asks for.
type redaction struct {
	forbidden *regexp.Regexp
	quoted    *strings.Replacer // takes the sheet's own texts out
}

// readRedaction reads the two tables.
func readRedaction(t *testing.T) redaction {
	t.Helper()
	doc := document(t, "docs/redaction.md")
	var words []string
	for _, row := range tableRows(doc, "## Vocabulaire") {
		for _, word := range strings.Split(row[2], ",") {
			words = append(words, regexp.QuoteMeta(strings.TrimSpace(word)))
		}
	}
	var quoted []string
	for _, row := range tableRows(doc, "## Textes à ne pas changer") {
		quoted = append(quoted, row[0], "")
	}
	if len(words) < 20 || len(quoted) == 0 {
		t.Fatalf("docs/redaction.md has %d forbidden words and %d texts of the sheet", len(words), len(quoted)/2)
	}
	checkPairs(t, doc)
	const edge = `[^\p{L}\p{N}_-]` // Go's \b knows ASCII alone
	return redaction{
		regexp.MustCompile(`(?i)(?:^|` + edge + `)(` + strings.Join(words, "|") + `)(?:e?s|ée?s?)?(?:` + edge + `|$)`),
		strings.NewReplacer(quoted...),
	}
}

// checkPairs holds the examples of what is written in place of what to the rules.
func checkPairs(t *testing.T, doc string) {
	t.Helper()
	after := regexp.MustCompile(`→ «\x{a0}([^»]+)\x{a0}»\n`).FindAllStringSubmatch(below(doc, "## Avant, après"), -1)
	if len(after) != 10 {
		t.Errorf("docs/redaction.md has %d pairs, want ten", len(after))
	}
	rules := redaction{regexp.MustCompile(`^$`), strings.NewReplacer()}
	for _, pair := range after {
		for _, sentence := range sentencesOf(strings.ReplaceAll(pair[1], "\n  ", " ")) {
			if problems := rules.problems(sentence); len(problems) > 0 {
				t.Errorf("docs/redaction.md praises %q: %s", sentence, problems)
			}
		}
	}
}

// below is what stands between a heading and the next one.
func below(doc, heading string) string {
	_, doc, _ = strings.Cut(doc, heading+"\n")
	doc, _, _ = strings.Cut(doc, "\n## ")
	return doc
}

// tableRows are the cells of the table below a heading.
func tableRows(doc, heading string) [][]string {
	var rows [][]string
	for line := range strings.Lines(below(doc, heading)) {
		if cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|"); strings.HasPrefix(line, "|") && len(cells) > 1 {
			for i := range cells {
				cells[i] = strings.TrimSpace(cells[i])
			}
			rows = append(rows, cells)
		}
	}
	if len(rows) < 2 {
		return nil
	}
	return rows[2:] // after the header and its rule
}

// maxWords is how long a sentence may be.
const maxWords = 24

var (
	straight = regexp.MustCompile(`\p{L}'`)
	ordinary = regexp.MustCompile(`[ \t][:;?!»]|«[ \t]`)
)

// problems lists the faults of a sentence.
func (r redaction) problems(sentence string) []string {
	var all []string
	if straight.MatchString(address.ReplaceAllString(sentence, "")) {
		all = append(all, "a straight apostrophe")
	}
	if ordinary.MatchString(sentence) {
		all = append(all, "an ordinary space where it may break a line")
	}
	if n := countWords(sentence); n > maxWords {
		all = append(all, fmt.Sprintf("%d words", n))
	}
	if word := r.forbidden.FindStringSubmatch(r.quoted.Replace(strings.ReplaceAll(sentence, "\u00a0", " "))); word != nil {
		all = append(all, fmt.Sprintf("the word %q", word[1]))
	}
	return all
}

// address is an address of mail or of a page: no word of ours.
var address = regexp.MustCompile(`\S+@\S+|https?://\S+`)

func countWords(sentence string) int {
	n := 0
	for _, word := range strings.Fields(sentence) {
		if strings.ContainsFunc(word, func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }) {
			n++
		}
	}
	return n
}

// A spoken sentence and where it stands.
type spoken struct{ where, text string }

func spokenSentences(t *testing.T) []spoken {
	t.Helper()
	var all []spoken
	add := func(where, text string) {
		for _, s := range sentencesOf(text) {
			all = append(all, spoken{where, s})
		}
	}
	for _, pattern := range spokenFiles {
		files, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %d files, %v", pattern, len(files), err)
		}
		for _, file := range files {
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			text := string(b)
			switch filepath.Ext(file) {
			case ".html":
				text = shownByTemplate(text)
			case ".md":
				text = shownByMarkdown(text)
			}
			add(strings.TrimPrefix(file, root+"/"), text)
		}
	}
	for _, s := range sources(t) {
		if !s.test && slices.Contains(spokenPackages, s.pkg) {
			for _, text := range literalTexts(s.syntax) {
				if isFrench(text) && !slices.Contains(typed, text) {
					add(s.path, text)
				}
			}
		}
	}
	queries, err := filepath.Glob(filepath.Join(root, "sql/query/*.sql"))
	if err != nil || len(queries) == 0 {
		t.Fatalf("%d queries, %v", len(queries), err)
	}
	for _, file := range queries {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, literal := range sqlText.FindAllStringSubmatch(sqlComment.ReplaceAllString(string(b), ""), -1) {
			if text := strings.ReplaceAll(literal[1], "''", "'"); isFrench(text) {
				add(strings.TrimPrefix(file, root+"/"), text)
			}
		}
	}
	return all
}

var (
	sqlText    = regexp.MustCompile(`'((?:[^']|'')*)'`)
	sqlComment = regexp.MustCompile(`--.*`)
)

var (
	lineEnd     = regexp.MustCompile(`\n+`)
	sentenceEnd = regexp.MustCompile(`([.?!…])(?:[ \x{a0}]»)?\s`)
)

// sentencesOf cuts a text at the ends of lines and sentences.
func sentencesOf(text string) []string {
	var all []string
	for _, line := range lineEnd.Split(text, -1) {
		for _, s := range strings.Split(sentenceEnd.ReplaceAllString(line+" ", "$1\n"), "\n") {
			if s = strings.TrimSpace(s); s != "" {
				all = append(all, s)
			}
		}
	}
	return all
}

var (
	action = regexp.MustCompile(`(?s)\{\{.*?\}\}`)
	branch = regexp.MustCompile(`^\{\{-?\s*(if|else|end|range|with|define|template|block|/\*)`)
	tag    = regexp.MustCompile(`(?s)<!?/?([a-zA-Z0-9]+)[^>]*>`)
	inline = []string{"a", "strong", "em", "span", "time", "mark", "small", "abbr", "code", "b", "i"}
)

// shownByTemplate is the text of a page. It confesses: a branch of a template ends a
// sentence, and a value counts as one word.
func shownByTemplate(source string) string {
	source = strings.ReplaceAll(source, "\n", " ")
	source = action.ReplaceAllStringFunc(source, func(a string) string {
		if branch.MatchString(a) {
			return "\n"
		}
		return "x"
	})
	source = tag.ReplaceAllStringFunc(source, func(s string) string {
		if slices.Contains(inline, strings.ToLower(tag.FindStringSubmatch(s)[1])) {
			return ""
		}
		return "\n"
	})
	return html.UnescapeString(source)
}

var (
	fence  = regexp.MustCompile("(?ms)^ *```.*?^ *```")
	inCode = regexp.MustCompile("`[^`]*`")
	link   = regexp.MustCompile(`!?\[([^\]]*)\]\([^)]*\)`)
	block  = regexp.MustCompile(`^(?:$|#+ |[-*] |\d+\. |\|)`)
)

// shownByMarkdown is the text of a document, a line for each paragraph, item or cell;
// code counts as one word.
func shownByMarkdown(source string) string {
	source = link.ReplaceAllString(inCode.ReplaceAllString(fence.ReplaceAllString(source, ""), "x"), "$1")
	var text strings.Builder
	for line := range strings.Lines(source) {
		line = strings.TrimSpace(line)
		if first := block.FindString(line); first != "" || line == "" {
			text.WriteString("\n")
			line = strings.ReplaceAll(strings.TrimPrefix(line, first), "|", "\n")
		}
		text.WriteString(" " + strings.ReplaceAll(line, "*", ""))
	}
	return text.String()
}

// literalTexts are the string literals of a file, those that "+" joins as one.
func literalTexts(file *ast.File) []string {
	var all []string
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.ImportSpec, *ast.StructType:
			return false
		case *ast.BinaryExpr:
			if text, ok := joined(n); ok {
				all = append(all, text)
				return false
			}
		case *ast.BasicLit:
			if text, ok := joined(n); ok {
				all = append(all, text)
			}
		}
		return true
	})
	return all
}

// joined is the text of a literal, or of a sum with a literal. Any other operand counts
// as one word.
func joined(e ast.Expr) (string, bool) {
	switch e := e.(type) {
	case *ast.BasicLit:
		if e.Kind != token.STRING {
			return "", false
		}
		text, err := strconv.Unquote(e.Value)
		return text, err == nil
	case *ast.BinaryExpr:
		x, okX := joined(e.X)
		y, okY := joined(e.Y)
		if e.Op != token.ADD || !okX && !okY {
			return "", false
		}
		if !okX {
			x = "x"
		}
		if !okY {
			y = "x"
		}
		return x + y, true
	}
	return "", false
}

// typed are names as administrators type them: of a column, and of the authority in
// the sample's list.
var typed = []string{"numéro d'abonné", "Autorité de certification d'exemple"}

var french = regexp.MustCompile(`[àâçèéêëîïôùûœ«»’]|(?i)\b(les|des|de|la|le|du|une|votre|vos|est|cette|dans|pour|sans|avec)\b`)

// isFrench tells a French sentence from names and from English.
func isFrench(s string) bool { return strings.Contains(s, " ") && french.MatchString(s) }

// The judgement itself: it finds every fault, and nothing else.
func TestRedactionJudges(t *testing.T) {
	style := readRedaction(t)
	for text, want := range map[string]string{
		"Choisissez votre adresse.":                                 "",
		"L'adresse est prise.":                                      "a straight apostrophe",
		"Écrivez à o'hara@x.example.":                               "",
		"Besoin d’aide ?":                                           "an ordinary space where it may break a line",
		"Besoin d’aide\u00a0?":                                      "",
		"Cliquez sur « Valider\u00a0».":                             "an ordinary space where it may break a line",
		"Reprenez la procédure.":                                    `the word "procédure"`,
		"Les procédures sont longues.":                              `the word "procédure"`,
		"Votre espace a été transformé.":                            `the word "transformé"`,
		"L’espace a bien été transformé en espace sans certificat.": "",
		"Une option existe.":                                        `the word "option"`,
		"Opter pour l’accès sans certificat.":                       "",
		"Vous pouvez opter maintenant.":                             `the word "opter"`,
		"Une adoption est un mot.":                                  "",
		"Le code est inopérant.":                                    `the word "inopérant"`,
		strings.Repeat("mot ", maxWords):                            "",
		strings.Repeat("mot ", maxWords+1):                          "25 words",
	} {
		if got := strings.Join(style.problems(text), ", "); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
	page := `{{define "main"}}<p>Un <strong>mot</strong>&nbsp;: {{.X}}.</p><p>Deux. Trois{{if .Y}} quatre{{end}}</p>`
	guide := "# Titre\n\nUn [lien](x.md) et\n`du code` ici. Deux.\n- trois,\n  suite\n\n```sh\nrien\n```\n| a | b |\n|---|---|\n| **c** | d |\n"
	if got := sentencesOf(shownByMarkdown(guide)); !slices.Equal(got, []string{"Titre", "Un lien et x ici.", "Deux.", "trois, suite", "a", "b", "---", "---", "c", "d"}) {
		t.Errorf("%q", got)
	}
	if got := sentencesOf(shownByTemplate(page)); !slices.Equal(got, []string{"Un mot\u00a0: x.", "Deux.", "Trois", "quatre"}) {
		t.Errorf("%q", got)
	}
}
