package conversion

import "testing"

// D17: the form of a text tells what an exclusion names. It is the same however it is
// written.
func TestParseExcluded(t *testing.T) {
	for in, want := range map[string]Excluded{
		"Anne@Duvallon.example":   {ExcludedAddress, "anne@duvallon.example"},
		" anne@duvallon.example ": {ExcludedAddress, "anne@duvallon.example"},
		"anne@éclair.example":     {ExcludedAddress, "anne@xn--clair-9ra.example"},
		"Duvallon.EXAMPLE":        {ExcludedDomain, "duvallon.example"},
		"@duvallon.example":       {ExcludedDomain, "duvallon.example"},
		"éclair.example":          {ExcludedDomain, "xn--clair-9ra.example"},
		"0012345A":                {ExcludedNumber, "0012345A"},
		" 00123456 ":              {ExcludedNumber, "00123456"},
		"":                        {},
		"@":                       {},
		"anne@":                   {},
		"a b.example":             {},
		"example":                 {ExcludedNumber, "example"},
		"12345":                   {},
		"anne@duvallon":           {},
		"..":                      {},
		"x@y@z.example":           {},
	} {
		got, err := ParseExcluded(in)
		if got != want || (err == nil) != (want != Excluded{}) {
			t.Errorf("%q: %+v, %v; want %+v", in, got, err, want)
		}
	}
}

// D11: the classes are named in French where administrators read them, each in
// its own words.
func TestBounceFrench(t *testing.T) {
	seen := map[string]bool{"": true}
	for _, b := range Bounces() {
		if f := b.French(); seen[f] || f == string(b) {
			t.Errorf("%s is %q in French", b, f)
		} else {
			seen[f] = true
		}
	}
	if Bounce("").French() != "" {
		t.Error("no bounce has a name")
	}
}
