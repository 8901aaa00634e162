package importer

import (
	"strings"
	"testing"
)

// C1: an address that is valid and hardly the one meant is told beside its row.
func TestAddressWarnings(t *testing.T) {
	for address, want := range map[string]string{
		"'anne@exemple.example":         "apostrophe",
		"anne@ex\u0430mple.example":     "alphabet", // a Cyrillic a
		"anne@exemple.\u03bfrg.example": "alphabet", // a Greek o
		"o'neil@exemple.example":        "",
		"anne@éxèmple.example":          "",
		"anne@пример.example":           "",
		"anne@日本x.example":              "",
	} {
		r := rowsOf(t, mustOpen(t, "a.csv", []byte(csvHeader+"00123456;Anne;"+address+";1;31/12/2026\n")))[0]
		if r.Reason != "" || !strings.Contains(r.Warning, want) || (r.Warning == "") != (want == "") {
			t.Errorf("%s: reason %q, warning %q", address, r.Reason, r.Warning)
		}
	}
}
