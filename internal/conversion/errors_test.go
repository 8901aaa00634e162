package conversion

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"regexp"
	"strconv"
	"strings"
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
		if call, ok := n.(*ast.CallExpr); ok && fmt.Sprint(call.Fun) == "invalid" {
			english, errE := strconv.Unquote(call.Args[0].(*ast.BasicLit).Value)
			french, errF := strconv.Unquote(call.Args[1].(*ast.BasicLit).Value)
			if err := errors.Join(errE, errF); err != nil {
				t.Fatal(err)
			}
			all = append(all, Invalid{English: english, French: french})
		}
		return true
	})
	if len(all) == 0 {
		t.Fatal("errors.go declares no refusal")
	}
	return all
}

// D7: every refusal has an English and a French text of its own; no line breaks before
// a French sign.
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

// D7: a wrapped refusal keeps both its identity and its French text.
func TestRefusalWrapped(t *testing.T) {
	err := fmt.Errorf("row 12: %w", ErrEmailFormat)
	var invalid *Invalid
	if !errors.Is(err, ErrEmailFormat) || errors.Is(err, ErrEmailTooLong) || !errors.As(err, &invalid) || invalid.French != ErrEmailFormat.French {
		t.Errorf("%v gives %+v", err, invalid)
	}
}

// C1: a well-known visible character is named by itself alone.
func TestCharacter(t *testing.T) {
	for r, want := range map[rune]string{
		'!': "«\u00a0!\u00a0»", '-': "«\u00a0-\u00a0»", 'a': "«\u00a0a\u00a0»", '~': "«\u00a0~\u00a0»",
		0x7f: "U+007F (caractère de commande)", 'é': "«\u00a0é\u00a0» (U+00E9)",
	} {
		if got := Character(r); got != want {
			t.Errorf("%U is %s, want %s", r, got, want)
		}
	}
}

// C1: the reader of a refusal can find the character, even an invisible one.
func TestRefusalsNameTheCharacter(t *testing.T) {
	number := func(s string) error { _, err := ParseSubscriberNumber(s); return err }
	serial := func(s string) error { _, err := ParseSerialNumber(s); return err }
	siren := func(s string) error { _, err := ParseSIREN(s); return err }
	email := func(s string) error { _, err := ParseEmail(s); return err }
	for _, test := range []struct {
		parse  func(string) error
		in     string
		kind   error
		french string
	}{
		{number, "123-456", ErrNumberFormat, "caractère refusé\u00a0: «\u00a0-\u00a0»"},
		{number, "12345é", ErrNumberFormat, "«\u00a0é\u00a0» (U+00E9)"},
		{number, "123\u200b456", ErrNumberFormat, "U+200B (espace sans chasse)"},
		{number, "123 456", ErrNumberFormat, "caractère refusé\u00a0: espace"},
		{number, "123\u206a456", ErrNumberFormat, "U+206A (caractère invisible)"},
		{number, "123\ue000456", ErrNumberFormat, "U+E000 (caractère invisible)"},
		{number, "123456\x1a", ErrNumberFormat, "U+001A (fin de fichier, Ctrl-Z)"},
		{number, "\x03123456", ErrNumberFormat, "U+0003 (caractère de commande)"},
		{number, "12345\ufffd", ErrNumberFormat, "U+FFFD (caractère de remplacement)"},
		{number, "12345e\u0301", ErrNumberFormat, "U+0301 (signe diacritique)"},
		{number, "12345\u2003\u00e9", ErrNumberFormat, "U+2003 (espace)"},
		{number, "\u041212345", ErrNumberFormat, "(U+0412)"}, // a letter that looks like B
		{serial, "0G:1A", ErrSerialFormat, "«\u00a0g\u00a0»"},
		{siren, "12345678O", ErrSIREN, "«\u00a0O\u00a0»"},
		{email, "zoé@exemple.example", ErrEmailFormat, "«\u00a0é\u00a0» (U+00E9)"},
		{email, "zoe@exemple .example", ErrEmailFormat, "caractère refusé\u00a0: espace"},
		{email, "zoe@exemple.example;paul@exemple.example", ErrEmailFormat, "«\u00a0;\u00a0»\u00a0; une seule adresse est attendue"},
		{email, "zoe@exemple.example\npaul@exemple.example", ErrEmailFormat, "(saut de ligne)\u00a0; une seule adresse est attendue"},
		{email, "zoe@ex\ufffdmple.example", ErrEmailFormat, "U+FFFD"},
	} {
		err := test.parse(test.in)
		refused, ok := errors.AsType[*Invalid](err)
		if !ok || !errors.Is(err, test.kind) || !strings.Contains(refused.French, test.french) || errors.Is(err, ErrHolderLong) {
			t.Errorf("%q: %v, French %q, want %q in it", test.in, err, refused.French, test.french)
		}
	}
	for _, err := range []error{number("12345"), serial("0"), siren("12"), email("zoe"), email(".zoe@exemple.example")} {
		if refused, ok := errors.AsType[*Invalid](err); !ok || strings.Contains(refused.French, "caractère refusé") {
			t.Errorf("%v names a character", err)
		}
	}
}
