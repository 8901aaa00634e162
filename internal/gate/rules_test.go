package gate

import (
	"cmp"
	"flag"
	"fmt"
	"go/ast"
	"os"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the tests of each rule into docs/rules.md")

// TestRules requires a test for each rule of docs/rules.md. The test names the rule in
// a comment, at the start of a line or in parentheses: "// R1, D1: what it proves".
// With -v it prints the list: rule, then tests.
func TestRules(t *testing.T) {
	proofs := make(map[string][]proof)
	for _, s := range sources(t) {
		if s.test {
			collectGo(s, proofs)
		}
	}
	collectScripts(t, proofs)
	var list strings.Builder
	for _, rule := range rules(t) {
		if len(proofs[rule]) == 0 {
			t.Errorf("no test names %s", rule)
			continue
		}
		names, files := namesOf(proofs[rule])
		fmt.Fprintf(t.Output(), "%-4s %s\n", rule, strings.Join(names, ", "))
		fmt.Fprintf(&list, "- %s: %s\n", rule, strings.Join(files, ",\n  "))
	}
	checkList(t, list.String())
}

// A proof is a test that names a rule, and the file in which it stands.
type proof struct{ name, file string }

// namesOf returns what the proofs are called, and links to their files.
func namesOf(proofs []proof) (names, links []string) {
	for _, p := range proofs {
		names = append(names, p.name)
		links = append(links, fmt.Sprintf("[%s](../%s)", strings.TrimSuffix(p.file, path.Ext(p.file)), p.file))
	}
	slices.Sort(names)
	slices.Sort(links)
	return slices.Compact(names), slices.Compact(links)
}

// checkList holds the last section of docs/rules.md to the tests of each rule.
func checkList(t *testing.T, list string) {
	t.Helper()
	const name, heading = "docs/rules.md", "## The tests of each rule\n\n"
	text, written, found := strings.Cut(document(t, name), heading)
	switch {
	case !found:
		t.Fatalf("%s has no heading %q", name, heading)
	case *update:
		if err := os.WriteFile(root+"/"+name, []byte(text+heading+list), 0o644); err != nil {
			t.Fatal(err)
		}
	case written != list:
		t.Errorf("the last section of %s is not up to date: go test ./internal/gate -update", name)
	}
}

// rules lists what docs/rules.md explains, in its order.
func rules(t *testing.T) []string {
	t.Helper()
	var all []string
	for _, m := range regexp.MustCompile(`(?m)^\*\*([RCDI]\d+)\*\* `).FindAllStringSubmatch(document(t, "docs/rules.md"), -1) {
		if slices.Contains(all, m[1]) {
			t.Errorf("docs/rules.md explains %s twice", m[1])
		}
		all = append(all, m[1])
	}
	return all
}

// Every rule that a comment or a document cites is explained in docs/rules.md.
func TestRulesCited(t *testing.T) {
	known := rules(t)
	check := func(name string, cited []string) {
		for _, rule := range cited {
			if !slices.Contains(known, rule) {
				t.Errorf("%s cites %s, which docs/rules.md does not explain", name, rule)
			}
		}
	}
	for _, s := range sources(t) {
		for _, group := range s.syntax.Comments {
			check(s.path, rulesIn(group.Text()))
		}
	}
	walk(t, func(name string) {
		switch path.Ext(name) {
		case ".sql":
			for _, comment := range regexp.MustCompile(`(?m)--(.*)$`).FindAllStringSubmatch(document(t, name), -1) {
				check(name, rulesIn(comment[1]))
			}
		case ".md":
			check(name, rulesIn(document(t, name)))
		}
	})
}

// collectGo adds the tests of one file. A comment belongs to the test function that it
// documents or stands in.
func collectGo(s source, proofs map[string][]proof) {
	for _, decl := range s.syntax.Decls {
		f, ok := decl.(*ast.FuncDecl)
		if !ok || f.Recv != nil || !isTest(f.Name.Name) {
			continue
		}
		start := f.Pos()
		if f.Doc != nil {
			start = f.Doc.Pos()
		}
		for _, group := range s.syntax.Comments {
			if group.Pos() >= start && group.End() <= f.End() {
				add(proofs, group.Text(), proof{path.Base(s.pkg) + "." + f.Name.Name, s.path})
			}
		}
	}
}

func isTest(name string) bool {
	return strings.HasPrefix(name, "Test") && name != "TestMain" || strings.HasPrefix(name, "Fuzz") || strings.HasPrefix(name, "Example")
}

// collectScripts adds the test scripts, which name rules in their comments.
func collectScripts(t *testing.T, proofs map[string][]proof) {
	t.Helper()
	walk(t, func(name string) {
		if path.Ext(name) != ".txt" && path.Ext(name) != ".txtar" || path.Base(path.Dir(name)) != "testdata" {
			return
		}
		for line := range strings.Lines(document(t, name)) {
			if strings.HasPrefix(line, "-- ") {
				break // the script's input begins
			}
			if comment, ok := strings.CutPrefix(line, "#"); ok {
				add(proofs, strings.TrimSpace(comment), proof{path.Base(path.Dir(path.Dir(name))) + "/" + path.Base(name), name})
			}
		}
	})
}

func add(proofs map[string][]proof, comment string, p proof) {
	for _, rule := range rulesIn(comment) {
		proofs[rule] = append(proofs[rule], p)
	}
}

// ruleList is "R16", "R16, D6", "R13–R18" or "C1 and C7", at the start of a line
// or of a parenthesis.
var ruleList = regexp.MustCompile(`(?m)(?:^\s*|\()([RCDI]\d{1,2}(?:(?:, ?| and | · |–|-)[RCDI]\d{1,2})*)(?:[\s:;,.)]|$)`)

var ruleRange = regexp.MustCompile(`([RCDI])(\d{1,2})(?:[–-]([RCDI])(\d{1,2}))?`)

// rulesIn lists the rules that a comment names.
func rulesIn(comment string) []string {
	var rules []string
	for _, list := range ruleList.FindAllStringSubmatch(comment, -1) {
		for _, r := range ruleRange.FindAllStringSubmatch(list[1], -1) {
			first, _ := strconv.Atoi(r[2]) // digits only
			last, _ := strconv.Atoi(cmp.Or(r[4], r[2]))
			for n := first; n <= last; n++ {
				rules = append(rules, r[1]+strconv.Itoa(n))
			}
		}
	}
	return rules
}

// Which words are the names of rules, and which are cells of a sheet.
func TestRulesIn(t *testing.T) {
	for comment, want := range map[string]string{
		"R16: the sheet's rule":             "[R16]",
		"R16, D6: two\nI8, more":            "[R16 D6 I8]",
		"checks what holds (R6, R15).":      "[R6 R15]",
		"R13–R18 at once":                   "[R13 R14 R15 R16 R17 R18]",
		"C1 and C7: in bulk":                "[C1 C7]",
		"the reason names cell C4 of row 2": "[]",
		"R166 and R1x":                      "[]",
		"I read":                            "[]",
	} {
		if got := fmt.Sprint(rulesIn(comment)); got != want {
			t.Errorf("%q: %s, want %s", comment, got, want)
		}
	}
}
