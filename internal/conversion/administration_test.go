package conversion

import (
	"strings"
	"testing"
)

func TestParseAdministration(t *testing.T) {
	long := strings.Repeat("é", MaxAdministration)
	for in, want := range map[string]Administration{
		"":  {},
		" ": {},
		" Direction de l’Exemple ; DDFiP Exemple\u00a0": {"Direction de l’Exemple", "DDFiP Exemple"},
		"DDFiP Exemple": {"DDFiP Exemple", "DDFiP Exemple"},
		long:            {long, long},
	} {
		if got, err := ParseAdministration(in); err != nil || got != want {
			t.Errorf("%q: %v, %v", in, got, err)
		}
	}
	for _, in := range []string{";", "; DDFiP", "Direction;", "a; b; c", "a\nb", "a\xff", long + "é", "a;" + long + "é"} {
		if got, err := ParseAdministration(in); err == nil {
			t.Errorf("%q is %v", in, got)
		}
	}
}

func TestAdministrationString(t *testing.T) {
	for want, a := range map[string]Administration{
		"":                  {},
		"DDFiP Exemple":     {"DDFiP Exemple", "DDFiP Exemple"},
		"Direction (DDFiP)": {"Direction", "DDFiP"},
	} {
		if got := a.String(); got != want || a.IsZero() != (want == "") {
			t.Errorf("%+v is %q", a, got)
		}
	}
}
