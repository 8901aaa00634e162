package gate

import (
	"go/ast"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

// An operator finds every variable that a command reads, and no other: once in the
// table, and once with a paragraph of its own.
func TestDocsNameVariables(t *testing.T) {
	variables := literals(t, regexp.MustCompile(`^[A-Z_]{4,}$`), isLookup, "cmd/bascule")
	const page, names = "docs/operations/configuration.md", "((?:`[A-Z_]+`(?:, )?)+)"
	for place, form := range map[string]string{"row": `(?m)^\| ` + names + ` \|`, "paragraph": `(?m)^\*\*` + names + `\.\*\* \S`} {
		told := make(map[string]int)
		for _, m := range regexp.MustCompile(form).FindAllStringSubmatch(document(t, page), -1) {
			for _, name := range strings.Split(m[1], ", ") {
				told[strings.Trim(name, "`")]++
			}
		}
		for name := range variables {
			if told[name] != 1 {
				t.Errorf("%s has %d times a %s for %s, want one", page, told[name], place, name)
			}
		}
		for name := range told {
			if !variables[name] {
				t.Errorf("%s has a %s for %s, which nothing reads", page, place, name)
			}
		}
	}
}

// Every command and flag is in the documents for users, and no document shows one
// that does not exist.
func TestDocsNameCommands(t *testing.T) {
	commands, flags := commandLine(t)
	text := document(t, "README.md") + operations(t)
	for name := range commands {
		if !strings.Contains(text, "`bascule "+name) {
			t.Errorf("neither README.md nor a page below docs/operations names `bascule %s`", name)
		}
	}
	for name := range flags {
		if !strings.Contains(text, "--"+name) {
			t.Errorf("neither README.md nor a page below docs/operations names --%s", name)
		}
	}
	call := regexp.MustCompile("\\bbascule ([a-z]+)((?: [^`\n#|<]*)?)")
	flag := regexp.MustCompile(`--([a-z-]+)`)
	for name, text := range documents(t) {
		for _, c := range call.FindAllStringSubmatch(code(text), -1) {
			if !commands[c[1]] && c[1] != "help" && c[1] != "completion" { // cobra's own
				t.Errorf("%s shows `bascule %s`, which does not exist", name, c[1])
			}
			for _, f := range flag.FindAllStringSubmatch(c[2], -1) {
				if !flags[f[1]] {
					t.Errorf("%s shows `bascule %s --%s`, which does not exist", name, c[1], f[1])
				}
			}
		}
	}
}

// The documents name what an operator watches: every metric, and every field of status
// --json.
func TestDocsNameFigures(t *testing.T) {
	watch := document(t, "docs/operations/watch.md")
	for _, at := range []func(ast.Node) ast.Expr{isName, isLookup} { // CounterOpts{Name: …}, m.gauge(…)
		for name := range literals(t, regexp.MustCompile(`^bascule_[a-z_]+$`), at, "internal/web", "jobs") {
			if !strings.Contains(watch, "`"+name+"`") {
				t.Errorf("docs/operations/watch.md does not name the metric %s", name)
			}
		}
	}
	for _, s := range sources(t) {
		if s.path != "internal/terminal/status.go" {
			continue
		}
		ast.Inspect(s.syntax, func(n ast.Node) bool {
			if f, ok := n.(*ast.Field); ok && f.Tag != nil {
				if name := regexp.MustCompile(`json:"([a-z_]+)"`).FindStringSubmatch(f.Tag.Value); !strings.Contains(watch, "`"+name[1]+"`") {
					t.Errorf("docs/operations/watch.md does not name %s of status --json", name[1])
				}
			}
			return true
		})
	}
}

// The architecture tells what every table is for.
func TestDocsNameTables(t *testing.T) {
	architecture := document(t, "docs/architecture.md")
	migrations, err := fs.Glob(os.DirFS(root), "sql/migrations/*.sql")
	if err != nil || len(migrations) == 0 {
		t.Fatalf("no migrations: %v", err)
	}
	for _, name := range migrations {
		for _, table := range regexp.MustCompile(`(?m)^CREATE (?:UNLOGGED )?TABLE (\w+)`).FindAllStringSubmatch(document(t, name), -1) {
			if !strings.Contains(architecture, "`"+table[1]+"`") {
				t.Errorf("docs/architecture.md does not name the table %s", table[1])
			}
		}
	}
}

// The documents read well in a terminal, in a narrow window and in a difference: no line
// is longer than maxLine, be it text, a row of a table or code.
func TestDocsWidth(t *testing.T) {
	const maxLine = 100
	for name, text := range documents(t) {
		for i, line := range strings.Split(text, "\n") {
			if n := utf8.RuneCountInString(line); n > maxLine {
				t.Errorf("%s, line %d: %d characters, at most %d are meant", name, i+1, n, maxLine)
			}
		}
	}
}

// A page says first what its reader can do afterwards.
func TestDocsBegin(t *testing.T) {
	first := regexp.MustCompile(`^# [^\n]+\n\n(After this page you |Après cette page, vous )`)
	for name, text := range documents(t) {
		if strings.HasPrefix(name, "docs/") && !first.MatchString(text) {
			t.Errorf("%s does not begin with what one can do after reading it", name)
		}
	}
}

// maxPicture keeps the documents quick to load.
const maxPicture = 150_000

// The map of the operator leads to every page of the operator.
func TestDocsMap(t *testing.T) {
	plan := document(t, "docs/operations.md")
	for name := range documents(t) {
		if page, ok := strings.CutPrefix(name, "docs/operations/"); ok && !strings.Contains(plan, "](operations/"+page+")") {
			t.Errorf("docs/operations.md does not lead to %s", name)
		}
	}
}

// Comments and messages name documents that exist.
func TestCodeNamesDocuments(t *testing.T) {
	named := regexp.MustCompile(`docs/[\w/*-]+\.md\b`)
	walk(t, func(name string) {
		if path.Ext(name) == ".go" || path.Ext(name) == ".sql" || name == "Makefile" {
			for _, file := range named.FindAllString(document(t, name), -1) {
				checkPath(t, name, file, file)
			}
		}
	})
}

// No link is dead, no picture is missing or heavy, and a path or query in code is one
// of the tree.
func TestDocsLinks(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)\s]+)\)`)
	span := regexp.MustCompile("`((?:cmd|docs|importer|internal|jobs|queue|sql)/[\\w./*-]+)`(, a new file)?")
	query := regexp.MustCompile("`([a-z_*]+\\.sql)`")
	for name, text := range documents(t) {
		for _, l := range append(link.FindAllStringSubmatch(text, -1), defined(t, name, text)...) {
			if !strings.Contains(l[1], "://") {
				checkLink(t, name, l[1])
			}
		}
		for _, s := range span.FindAllStringSubmatch(text, -1) {
			if s[2] == "" { // else who reads makes it
				checkPath(t, name, s[1], strings.TrimSuffix(s[1], "/"))
			}
		}
		for _, q := range query.FindAllStringSubmatch(text, -1) {
			checkPath(t, name, q[1], "sql/query/"+q[1])
		}
	}
}

// defined are the targets that stand below a text, as in "[The recap]: recap.png".
// Each picture without a target of its own has one, and none is of no use.
func defined(t *testing.T, name, text string) (targets [][]string) {
	t.Helper()
	named := make(map[string]bool)
	for _, picture := range regexp.MustCompile(`!\[([^\]]+)\](?:[^(]|$)`).FindAllStringSubmatch(text, -1) {
		named[picture[1]] = true
	}
	for _, d := range regexp.MustCompile(`(?m)^\[([^\]]+)\]: (\S+)$`).FindAllStringSubmatch(text, -1) {
		if !named[d[1]] {
			t.Errorf("%s names no picture %q, or has it twice", name, d[1])
		}
		delete(named, d[1])
		targets = append(targets, d[1:])
	}
	for picture := range named {
		t.Errorf("%s does not say where the picture %q is", name, picture)
	}
	return targets
}

func checkPath(t *testing.T, document, named, file string) {
	t.Helper()
	if found, err := fs.Glob(os.DirFS(root), file); err != nil || len(found) == 0 {
		t.Errorf("%s names %s, which does not exist", document, named)
	}
}

func checkLink(t *testing.T, from, to string) {
	t.Helper()
	target, anchor, _ := strings.Cut(to, "#")
	file := from
	if target != "" {
		file = path.Join(path.Dir(from), target)
	}
	info, err := os.Stat(root + "/" + file)
	switch {
	case err != nil:
		t.Errorf("%s links to %s: %v", from, to, err)
	case path.Ext(file) == ".png" && info.Size() > maxPicture:
		t.Errorf("%s has %d bytes, at most %d are meant", file, info.Size(), maxPicture)
	case anchor != "" && !slices.Contains(anchors(document(t, file)), anchor):
		t.Errorf("%s links to %s, which has no such heading", from, to)
	}
}

// anchors are the names by which the headings of a document are linked to: lower
// case, blanks as hyphens, letters and digits alone. A comment in code is no heading.
func anchors(text string) []string {
	text = regexp.MustCompile("(?ms)^ *```.*?^ *```$").ReplaceAllString(text, "")
	var all []string
	for _, h := range regexp.MustCompile(`(?m)^#+ (.+)$`).FindAllStringSubmatch(text, -1) {
		all = append(all, strings.Map(func(r rune) rune {
			switch {
			case r == ' ':
				return '-'
			case unicode.IsLetter(r) || unicode.IsDigit(r) || r == '-' || r == '_':
				return unicode.ToLower(r)
			}
			return -1
		}, h[1]))
	}
	return all
}

// documents are the Markdown files of the tree, by their paths.
func documents(t *testing.T) map[string]string {
	t.Helper()
	all := make(map[string]string)
	walk(t, func(name string) {
		if path.Ext(name) == ".md" {
			all[name] = document(t, name)
		}
	})
	return all
}

// operations are the pages for operators, as one text.
func operations(t *testing.T) (text string) {
	t.Helper()
	for name, page := range documents(t) {
		if strings.HasPrefix(name, "docs/operations") {
			text += page
		}
	}
	return text
}

func document(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(root + "/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// code is what a document sets as code, in blocks and in lines.
func code(text string) string {
	return strings.Join(regexp.MustCompile("(?s)```.*?```|`[^`\n]+`").FindAllString(text, -1), "\n")
}

// literals are the strings of a form that stand at a place in the code of some
// packages, tests apart.
func literals(t *testing.T, form *regexp.Regexp, at func(ast.Node) ast.Expr, packages ...string) map[string]bool {
	t.Helper()
	found := make(map[string]bool)
	for _, s := range sources(t) {
		if s.test || !slices.Contains(packages, s.pkg) {
			continue
		}
		ast.Inspect(s.syntax, func(n ast.Node) bool {
			if text, ok := literal(at(n)); ok && form.MatchString(text) {
				found[text] = true
			}
			return true
		})
	}
	if len(found) == 0 {
		t.Fatalf("no %s in %v", form, packages)
	}
	return found
}

// isLookup is the first argument of a method, as in getenv("MAIL_FROM").
func isLookup(n ast.Node) ast.Expr {
	if call, ok := n.(*ast.CallExpr); ok && len(call.Args) > 0 {
		if _, ok := call.Fun.(*ast.SelectorExpr); ok {
			return call.Args[0]
		}
	}
	return nil
}

// isName is the value of a field Name, as in CounterOpts{Name: "bascule_x"}.
func isName(n ast.Node) ast.Expr {
	if pair, ok := n.(*ast.KeyValueExpr); ok && isIdent(pair.Key, "Name") {
		return pair.Value
	}
	return nil
}

func isIdent(e ast.Expr, name string) bool {
	id, ok := e.(*ast.Ident)
	return ok && id.Name == name
}

func literal(e ast.Expr) (string, bool) {
	b, ok := e.(*ast.BasicLit)
	if !ok || b.Kind != token.STRING {
		return "", false
	}
	text, err := strconv.Unquote(b.Value)
	return text, err == nil
}

// commandLine reads the commands, and the flags of all of them together, from the code.
func commandLine(t *testing.T) (commands, flags map[string]bool) {
	t.Helper()
	commands, flags = make(map[string]bool), make(map[string]bool)
	for _, s := range sources(t) {
		if s.test || s.pkg != "cmd/bascule" {
			continue
		}
		ast.Inspect(s.syntax, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.KeyValueExpr:
				if use, ok := literal(n.Value); ok && isIdent(n.Key, "Use") {
					name, _, _ := strings.Cut(use, " ")
					group, _, _ := strings.Cut(strings.TrimSuffix(path.Base(s.path), ".go"), "_")
					if commands[group] {
						name = group + " " + name // the file, or campaign.go for campaign_plan.go, begins with the command that it is below
					}
					commands[name] = true
				}
			case *ast.CallExpr:
				if f, ok := n.Fun.(*ast.SelectorExpr); ok && strings.HasSuffix(f.Sel.Name, "Var") && len(n.Args) > 1 {
					if name, ok := literal(n.Args[1]); ok {
						flags[name] = true
					}
				}
			}
			return true
		})
	}
	delete(commands, "bascule")
	if len(commands) < 10 || len(flags) < 10 {
		t.Fatalf("only these were found: %v, %v", slices.Sorted(maps.Keys(commands)), slices.Sorted(maps.Keys(flags)))
	}
	return commands, flags
}
