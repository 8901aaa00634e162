package gate

import (
	"fmt"
	"go/ast"
	"os"
	"path"
	"slices"
	"strings"
	"testing"
)

const module = "bascule"

// layers are the arrows of the design: a package may import packages of lower
// layers and nothing else of ours. A folder stands for what is below it too, unless
// that has a layer of its own.
var layers = map[string]int{
	"cmd": 6,

	"internal/demo": 5, "internal/simulation": 5,

	"importer": 4, "internal/web": 4, "jobs": 4, "internal/terminal": 4, "internal/listen": 4,

	"internal/admission": 3, "internal/plan": 3, "internal/readiness": 3,

	"importer/xlsx": 2, "importer/sample": 2,

	"sql": 2, "queue": 2, "internal/mail": 2, "internal/smtp": 2, "internal/recap": 2, "internal/report": 2, "internal/bounce": 2, "internal/devenv": 2, "internal/certificate": 2,
	"internal/assistance": 2,

	"internal/conversion": 1, "internal/refusal": 1, "internal/atomicfile": 1, "internal/workbook": 1, "importer/spill": 1,

	"internal/text": 0,
}

// testSupport are packages that only tests import; they may import what a test
// of their layer may.
var testSupport = []string{"internal/devenv/devtest", "sql/sqltest"}

// doors are the packages through which a library is entered. A library that is
// not listed is a decision that nobody has taken yet.
var doors = map[string][]string{
	"github.com/jmoiron/sqlx":  {"sql"},
	"github.com/lib/pq":        {"sql"},
	"github.com/pressly/goose": {"sql"},
	"github.com/hibiken/asynq": {"queue"},

	"github.com/redis/go-redis":      {"queue"},
	"github.com/go-redis/redis_rate": {"queue"},

	"github.com/jung-kurt/gofpdf": {"internal/recap", "cmd/bench"},                       // cmd/bench: as a reference
	"github.com/xuri/excelize":    {"internal/workbook", "internal/report", "cmd/bench"}, // the report for its charts

	"net/smtp":                            nil, // internal/smtp is our client
	"github.com/prometheus/client_golang": {"internal/web", "jobs", "cmd"},
	"github.com/google/uuid":              {"internal/web", "jobs", "sql"},
	"github.com/spf13/cobra":              {"cmd"},
	"github.com/schollz/progressbar":      {"cmd"},

	"github.com/alicebob/miniredis":      {"internal/devenv"},
	"github.com/emersion/go-smtp":        {"internal/devenv"},
	"software.sslmate.com/src/go-pkcs12": {"internal/devenv"}, // certificates to import into a browser
	"github.com/chromedp":                {"internal/devenv/devtest"},
}

// testDoors are the packages whose tests enter a library beside its door, and
// why. "*" is every package.
var testDoors = map[string][]string{
	"github.com/google/go-cmp":            {"*"},
	"pgregory.net/rapid":                  {"*"},
	"go.uber.org/goleak":                  {"*"},
	"github.com/rogpeppe/go-internal":     {"*"}, // testscript
	"github.com/chromedp":                 {"*"}, // a real browser
	"github.com/Shopify/toxiproxy":        {"*"}, // a bad network
	"github.com/prometheus/client_golang": {"*"}, // reads the metrics
	"github.com/alicebob/miniredis":       {"queue", "jobs"},
	"github.com/emersion/go-smtp":         {"internal/smtp"}, // a relay of another make
	"github.com/emersion/go-sasl":         {"internal/smtp"},
	"github.com/google/uuid":              {"sql", "internal/plan", "internal/simulation"}, // names forms, and claims
	"github.com/lib/pq":                   {"internal/devenv"},                             // proves that the driver takes our URLs
	"github.com/redis/go-redis":           {"jobs", "internal/devenv", "cmd"},              // looks at what is in Redis (I6)
	"github.com/xuri/excelize":            {"cmd", "jobs", "sql", "importer"},              // makes and reads workbooks
}

// C9: packages import along the arrows of the design and enter each library
// through its door.
func TestImports(t *testing.T) {
	for _, s := range sources(t) {
		for _, imported := range s.imports {
			if problem := judge(s.pkg, imported, s.test); problem != "" {
				t.Errorf("%s imports %s: %s", s.path, imported, problem)
			}
		}
	}
}

// judge tells why an import is wrong; "" if it is not.
func judge(from, imported string, test bool) string {
	if own, ok := strings.CutPrefix(imported, module+"/"); ok {
		return judgeArrow(from, own, test || slices.Contains(testSupport, from))
	}
	return judgeDoor(from, imported, test || slices.Contains(testSupport, from))
}

func judgeArrow(from, to string, test bool) string {
	if from == "internal/gate" || from == to && test {
		return ""
	}
	if slices.Contains(testSupport, to) {
		if test {
			return ""
		}
		return "it is for tests alone"
	}
	a, b := layerOf(from), layerOf(to)
	switch {
	case a < 0:
		return from + " has no layer yet"
	case b < 0:
		return to + " has no layer yet"
	case to == "internal/devenv" && !test && !within(from, "cmd") && from != "internal/demo":
		return "only cmd and the demonstration start services"
	case b < a, test && to == "internal/devenv", test && within(from, to):
		return ""
	}
	return fmt.Sprintf("an arrow from layer %d to layer %d", a, b)
}

// layerOf is the layer of the innermost folder that a package is in; -1 if it has
// none.
func layerOf(pkg string) int {
	for folder := pkg; folder != "."; folder = path.Dir(folder) {
		if layer, ok := layers[folder]; ok {
			return layer
		}
	}
	return -1
}

func judgeDoor(from, imported string, test bool) string {
	known := false
	for library, packages := range doors {
		if within(imported, library) {
			known = true
			if enters(from, packages) {
				return ""
			}
		}
	}
	for library, packages := range testDoors {
		if within(imported, library) {
			known = true
			if test && enters(from, packages) {
				return ""
			}
		}
	}
	switch {
	case known:
		return "not its door"
	case isStandard(imported) || within(imported, "golang.org/x"):
		return ""
	}
	return "no door is made for this library"
}

func enters(from string, packages []string) bool {
	return slices.ContainsFunc(packages, func(p string) bool { return p == "*" || within(from, p) })
}

// within tells whether a path is a folder or below it.
func within(path, folder string) bool { return path == folder || strings.HasPrefix(path, folder+"/") }

// isStandard tells the standard library: the first part of its paths has no dot.
func isStandard(imported string) bool {
	first, _, _ := strings.Cut(imported, "/")
	return !strings.Contains(first, ".")
}

// The judgement itself: it refuses every bad import.
func TestJudge(t *testing.T) {
	const fine = ""
	for _, c := range []struct {
		from, imported string
		test           bool
		want           string
	}{
		{"jobs", "bascule/sql", false, fine},
		{"cmd/bascule", "bascule/internal/conversion", false, fine},
		{"internal/conversion", "bascule/internal/text", false, fine},
		{"internal/text", "bascule/internal/conversion", false, "an arrow from layer 0 to layer 1"},
		{"internal/conversion", "golang.org/x/text/unicode/norm", false, fine},
		{"sql", "bascule/jobs", false, "an arrow from layer 2 to layer 4"},
		{"sql", "bascule/queue", false, "an arrow from layer 2 to layer 2"},
		{"jobs", "bascule/importer", true, "an arrow from layer 4 to layer 4"},
		{"internal/conversion", "bascule/internal/atomicfile", false, "an arrow from layer 1 to layer 1"},
		{"jobs", "bascule/tool", false, "tool has no layer yet"},
		{"tool", "bascule/sql", false, "tool has no layer yet"},
		{"importer", "bascule/importer", true, fine}, // package importer_test
		{"importer", "bascule/importer/xlsx", false, fine},
		{"importer/xlsx", "bascule/importer", false, "an arrow from layer 2 to layer 4"},
		{"sql", "bascule/sql/sqltest", true, fine},
		{"jobs", "bascule/sql/sqltest", false, "it is for tests alone"},
		{"internal/web", "bascule/internal/admission", false, fine},
		{"internal/admission", "bascule/internal/web", false, "an arrow from layer 3 to layer 4"},
		{"internal/web", "bascule/internal/devenv/devtest", true, fine},
		{"cmd/bascule", "bascule/internal/devenv", false, fine},
		{"internal/web", "bascule/internal/devenv", false, "only cmd and the demonstration start services"},
		{"sql", "github.com/jmoiron/sqlx", false, fine},
		{"sql", "github.com/pressly/goose/v3/lock", false, fine},
		{"jobs", "github.com/lib/pq", false, "not its door"},
		{"jobs", "github.com/lib/pq", true, "not its door"},
		{"jobs", "net/smtp", false, "not its door"},
		{"jobs", "github.com/google/go-cmp/cmp", true, fine},
		{"jobs", "github.com/google/go-cmp/cmp", false, "not its door"},
		{"jobs", "github.com/someone/new", false, "no door is made for this library"},
	} {
		if got := judge(c.from, c.imported, c.test); got != c.want {
			t.Errorf("%s (test %v) imports %s: %q, want %q", c.from, c.test, c.imported, got, c.want)
		}
	}
}

// C9: the top level is the one that was asked for, and so are the packages: each does
// its work.
func TestTopLevel(t *testing.T) {
	for _, name := range []string{"cmd", "jobs", "importer", "queue", "sql", "go.mod", "go.sum", "Procfile"} {
		if _, err := os.Stat(root + "/" + name); err != nil {
			t.Error(err)
		}
	}
	used := make(map[string]bool)
	for _, s := range sources(t) {
		for _, imported := range s.imports {
			used[imported] = used[imported] || !s.test
		}
	}
	for _, library := range []string{
		"github.com/hibiken/asynq", "github.com/redis/go-redis/v9", "github.com/jmoiron/sqlx", "github.com/lib/pq",
		"github.com/xuri/excelize/v2", "github.com/jung-kurt/gofpdf",
	} {
		if !used[library] {
			t.Errorf("nothing imports %s", library)
		}
	}
}

// The packages that make test runs without the race detector start no goroutine and share
// nothing under a lock.
func TestQuietPackages(t *testing.T) {
	t.Parallel()
	makefile, err := os.ReadFile(root + "/Makefile")
	if err != nil {
		t.Fatal(err)
	}
	_, list, _ := strings.Cut(string(makefile), "\nQUIET = ")
	list, _, _ = strings.Cut(strings.ReplaceAll(list, "\\\n", ""), "\n")
	quiet := strings.Fields(list)
	if len(quiet) == 0 {
		t.Fatal("the Makefile names no QUIET packages")
	}
	for _, s := range sources(t) {
		if s.test || !slices.Contains(quiet, module+"/"+s.pkg) {
			continue
		}
		for _, name := range []string{"sync", "sync/atomic"} {
			if slices.Contains(s.imports, name) {
				t.Errorf("%s imports %s", s.path, name)
			}
		}
		ast.Inspect(s.syntax, func(n ast.Node) bool {
			if g, ok := n.(*ast.GoStmt); ok {
				t.Errorf("%s starts a goroutine", s.files.Position(g.Go))
			}
			return true
		})
	}
}
