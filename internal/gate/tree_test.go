package gate

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// root is the module's folder as seen from this one.
const root = "../.."

// A source is one Go file of the module.
type source struct {
	path    string // from the root
	pkg     string // its folder, which is the package's path within the module
	test    bool
	imports []string
	files   *token.FileSet
	syntax  *ast.File
}

// sources are all Go files of the module. Nobody changes them: they are parsed once, for
// all tests.
func sources(t *testing.T) []source {
	t.Helper()
	all, err := parseAll()
	if err != nil {
		t.Fatal(err)
	}
	return all
}

var parseAll = sync.OnceValues(func() (all []source, err error) {
	err = visitFiles(func(name string) error {
		if !strings.HasSuffix(name, ".go") {
			return nil
		}
		s, err := parse(name)
		all = append(all, s)
		return err
	})
	return all, err
})

func parse(name string) (source, error) {
	s := source{path: name, pkg: path.Dir(name), test: strings.HasSuffix(name, "_test.go"), files: token.NewFileSet()}
	var err error
	if s.syntax, err = parser.ParseFile(s.files, root+"/"+name, nil, parser.ParseComments|parser.SkipObjectResolution); err != nil {
		return s, err
	}
	for _, spec := range s.syntax.Imports {
		imported, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return s, err
		}
		s.imports = append(s.imports, imported)
	}
	return s, nil
}

// walk calls visit with every file that belongs to the module.
func walk(t *testing.T, visit func(name string)) {
	t.Helper()
	if err := visitFiles(func(name string) error { visit(name); return nil }); err != nil {
		t.Fatal(err)
	}
}

func visitFiles(visit func(name string) error) error {
	return fs.WalkDir(os.DirFS(root), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && name != "." && (strings.HasPrefix(entry.Name(), ".") || entry.Name() == "node_modules" || name == "bin") {
			return fs.SkipDir
		}
		if entry.IsDir() {
			return nil
		}
		return visit(name)
	})
}
