package gate

import (
	"cmp"
	"fmt"
	"go/ast"
	"maps"
	"os"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// lists are the lists of rules and how long each is: the rules of the sheet and
// its cases, the user's design, what was decided where the two meet, and the
// invariants.
var lists = map[byte]int{'R': 34, 'C': 9, 'D': 11, 'I': 9}

// TestRules holds each rule to a test that names it in a comment, at the start of
// a line or in parentheses: "// R0, D0: what it proves". With -v it prints the
// list: rule, then tests.
func TestRules(t *testing.T) {
	tests := make(map[string][]string)
	for _, s := range sources(t) {
		if s.test {
			collectGo(s, tests)
		}
	}
	collectScripts(t, tests)
	for _, rule := range allRules() {
		named := tests[rule]
		slices.Sort(named)
		if len(named) == 0 {
			t.Errorf("no test names %s", rule)
			continue
		}
		fmt.Fprintf(t.Output(), "%-4s %s\n", rule, strings.Join(slices.Compact(named), ", "))
	}
	checkKnown(t, slices.Collect(maps.Keys(tests)))
}

// allRules lists every rule in the order of the lists.
func allRules() []string {
	var all []string
	for _, list := range []byte("RCDI") {
		for n := 1; n <= lists[list]; n++ {
			all = append(all, fmt.Sprintf("%c%d", list, n))
		}
	}
	return all
}

// checkKnown refuses the names of rules that do not exist. C and D with a number
// may also be a cell of a sheet.
func checkKnown(t *testing.T, names []string) {
	t.Helper()
	all := allRules()
	for _, name := range names {
		if !slices.Contains(all, name) && (name[0] == 'R' || name[0] == 'I') {
			t.Errorf("there is no rule %s", name)
		}
	}
}

// collectGo adds the rules that the tests of one file name. A comment belongs to
// the test function that it documents or stands in.
func collectGo(s source, tests map[string][]string) {
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
				add(tests, group.Text(), path.Base(s.pkg)+"."+f.Name.Name)
			}
		}
	}
}

func isTest(name string) bool {
	return strings.HasPrefix(name, "Test") && name != "TestMain" || strings.HasPrefix(name, "Fuzz") || strings.HasPrefix(name, "Example")
}

// collectScripts adds the rules that test scripts name in their comments.
func collectScripts(t *testing.T, tests map[string][]string) {
	t.Helper()
	walk(t, func(name string) {
		if path.Ext(name) != ".txt" && path.Ext(name) != ".txtar" || path.Base(path.Dir(name)) != "testdata" {
			return
		}
		text, err := os.ReadFile(root + "/" + name)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			if strings.HasPrefix(line, "-- ") {
				break // the script's input begins
			}
			if comment, ok := strings.CutPrefix(line, "#"); ok {
				add(tests, strings.TrimSpace(comment), path.Base(path.Dir(path.Dir(name)))+"/"+path.Base(name))
			}
		}
	})
}

func add(tests map[string][]string, comment, test string) {
	for _, rule := range rulesIn(comment) {
		tests[rule] = append(tests[rule], test)
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
