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

// sources parses every Go file of the module.
func sources(t *testing.T) []source {
	t.Helper()
	var all []source
	walk(t, func(name string) {
		if strings.HasSuffix(name, ".go") {
			all = append(all, parse(t, name))
		}
	})
	return all
}

func parse(t *testing.T, name string) source {
	t.Helper()
	s := source{path: name, pkg: path.Dir(name), test: strings.HasSuffix(name, "_test.go"), files: token.NewFileSet()}
	var err error
	if s.syntax, err = parser.ParseFile(s.files, root+"/"+name, nil, parser.ParseComments|parser.SkipObjectResolution); err != nil {
		t.Fatal(err)
	}
	for _, spec := range s.syntax.Imports {
		imported, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			t.Fatal(err)
		}
		s.imports = append(s.imports, imported)
	}
	return s
}

// walk calls visit with every file that belongs to the module.
func walk(t *testing.T, visit func(name string)) {
	t.Helper()
	err := fs.WalkDir(os.DirFS(root), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && name != "." && (strings.HasPrefix(entry.Name(), ".") || entry.Name() == "node_modules" || name == "bin") {
			return fs.SkipDir
		}
		if !entry.IsDir() {
			visit(name)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
