package gate

import (
	"cmp"
	"go/ast"
	"slices"
	"strings"
	"testing"
)

// longFile is how many lines a file of the product may have without a reason.
const longFile = 400

// A file that is longer says at its top why it is one.
func TestLongFiles(t *testing.T) {
	t.Parallel()
	for _, s := range sources(t) {
		lines := s.files.File(s.syntax.Pos()).LineCount()
		if s.test || lines <= longFile {
			continue
		}
		if len(s.syntax.Comments) == 0 || !strings.HasPrefix(s.syntax.Comments[0].Text(), "This file is long") {
			t.Errorf("%s has %d lines, and does not begin with a comment \"This file is long because …\"", s.path, lines)
		}
	}
}

// The product's functions are short: half have at most 10 lines between their braces,
// nine of ten have at most 23.
func TestShortFunctions(t *testing.T) {
	t.Parallel()
	type function struct {
		name  string
		lines int
	}
	var all []function
	for _, s := range sources(t) {
		for _, d := range s.syntax.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Body != nil && !s.test {
				lines := s.files.Position(f.Body.Rbrace).Line - s.files.Position(f.Body.Lbrace).Line - 1
				all = append(all, function{s.path + ": " + f.Name.Name, lines})
			}
		}
	}
	slices.SortFunc(all, func(a, b function) int { return cmp.Compare(a.lines, b.lines) })
	if half, most := all[len(all)/2].lines, all[len(all)*9/10].lines; half > 10 || most > 23 {
		t.Errorf("half of the functions have %d lines, nine of ten %d; the longest are %v", half, most, all[len(all)-20:])
	}
}
