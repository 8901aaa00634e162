package conversion

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"regexp"
	"strconv"
	"testing"
)

// refusals reads the two texts of every Invalid that errors.go declares.
func refusals(t *testing.T) []Invalid {
	t.Helper()
	tree, err := parser.ParseFile(token.NewFileSet(), "errors.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var all []Invalid
	ast.Inspect(tree, func(n ast.Node) bool {
		if literal, ok := n.(*ast.CompositeLit); ok {
			english, errE := strconv.Unquote(literal.Elts[0].(*ast.BasicLit).Value)
			french, errF := strconv.Unquote(literal.Elts[1].(*ast.BasicLit).Value)
			if err := errors.Join(errE, errF); err != nil {
				t.Fatal(err)
			}
			all = append(all, Invalid{english, french})
		}
		return true
	})
	if len(all) == 0 {
		t.Fatal("errors.go declares no refusal")
	}
	return all
}

// D7: every refusal is told in English and in French, in words of its own; no line breaks before a French sign.
func TestRefusals(t *testing.T) {
	seen := make(map[string]bool)
	breaks := regexp.MustCompile(`[^\x{00a0}][:;?!»]|«[^\x{00a0}]`)
	for _, e := range refusals(t) {
		if e.English == "" || e.French == "" || e.English == e.French || seen[e.English] || seen[e.French] {
			t.Errorf("%+v: a text is missing or stands twice", e)
		}
		seen[e.English], seen[e.French] = true, true
		if breaks.MatchString(e.French) {
			t.Errorf("%q lacks a no-break space", e.French)
		}
		if e.Error() != e.English {
			t.Errorf("%+v is logged as %q", e, e.Error())
		}
	}
}

// D7: whoever wraps a refusal keeps both its identity and its French text.
func TestRefusalWrapped(t *testing.T) {
	err := fmt.Errorf("row 12: %w", ErrEmailFormat)
	var invalid *Invalid
	if !errors.Is(err, ErrEmailFormat) || errors.Is(err, ErrEmailTooLong) || !errors.As(err, &invalid) || invalid.French != ErrEmailFormat.French {
		t.Errorf("%v gives %+v", err, invalid)
	}
}
