package text

import (
	"regexp"
	"testing"
)

// A typed text finds a name in any case, with any accents and in any order. Its signs
// cannot change the search.
func TestPatterns(t *testing.T) {
	for _, c := range []struct {
		typed string
		finds bool
		name  string
	}{
		{"dupre", true, "Élodie DUPRÉ"},
		{"Dupré elodie", true, "Élodie DUPRÉ"},
		{"e\u0301lodie", true, "Élodie DUPRÉ"},
		{"upr lod", true, "Élodie DUPRÉ"},
		{"dupres", false, "Élodie DUPRÉ"},
		{"dupre jean", false, "Élodie DUPRÉ"},
		{"jean-luc", true, "Jean Luc Noël"},
		{"d'ormesson", true, "Jean d’Ormesson"},
		{"lebœuf", true, "Le Leboeuf"},
		{"leboeuf", true, "Le LEBŒUF"},
		{"strasse", true, "Straße"},
		{"papadopoulos", false, "Παπαδόπουλος"},
		{"παπαδοπουλοσ", true, "Παπαδόπουλος"},
		{"lodz", true, "Łódź"},
		{".*", false, ""},
		{"a.c", true, "abc"}, // two words
		{"ab.x", false, "abcd"},
		{"[a-z]", true, "Zoé Arnaud"},
	} {
		patterns := Patterns(c.typed)
		found := len(patterns) > 0
		for _, p := range patterns {
			found = found && regexp.MustCompile(p).MatchString(c.name)
		}
		if found != c.finds {
			t.Errorf("%q finds %q: %v, want %v; it looks for %q", c.typed, c.name, found, c.finds, patterns)
		}
	}
}
