package conversion

import (
	"go/ast"
	"go/parser"
	"go/token"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// declared lists, in the order of the file, the constants of a type declared there.
func declared(t *testing.T, file, typ string) []string {
	t.Helper()
	tree, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var values []string
	ast.Inspect(tree, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if name, ok := spec.Type.(*ast.Ident); ok && name.Name == typ {
			value, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
			if err != nil {
				t.Fatal(err)
			}
			values = append(values, value)
		}
		return true
	})
	return values
}

// I1: no state is forgotten: each that is declared is listed, has a French name of its own and is open or final.
func TestStates(t *testing.T) {
	tests := []struct {
		state  State
		french string
		open   bool
	}{
		{StateRequested, "à envoyer", true},
		{StateMailed, "courriel envoyé", true},
		{StateActivated, "activée", false},
		{StateExpired, "expirée", false},
		{StateUndeliverable, "adresse refusée", false},
		{StateCancelled, "annulée", false},
	}
	var listed, tested []string
	for _, s := range States() {
		listed = append(listed, string(s))
	}
	for _, tt := range tests {
		tested = append(tested, string(tt.state))
		if got := tt.state.French(); got != tt.french {
			t.Errorf("%s is shown as %q, want %q", tt.state, got, tt.french)
		}
		if got := tt.state.Open(); got != tt.open {
			t.Errorf("%s is open: %t", tt.state, got)
		}
	}
	want := declared(t, "request.go", "State")
	if diff := cmp.Diff(want, listed); diff != "" {
		t.Errorf("States() (-declared +listed):\n%s", diff)
	}
	if diff := cmp.Diff(want, tested); diff != "" {
		t.Errorf("this test (-declared +tested):\n%s", diff)
	}
	if s := State("lost"); s.French() != "lost" || s.Open() {
		t.Errorf("a state that nobody knows is shown as %q, open: %t", s.French(), s.Open())
	}
}
