package web

import (
	"fmt"
	"strings"
	"testing"
)

// R32: a click reaches the addresses and numbers in the operator's text, and nothing
// else becomes a link.
func TestLinkify(t *testing.T) {
	for text, want := range map[string]string{
		"De 8\u00a0h\u00a000 à 19\u00a0h\u00a030":                        "De 8\u00a0h\u00a000 à 19\u00a0h\u00a030",
		"Téléphone : 01 99 00 00 00.":                                    "Téléphone : [01 99 00 00 00](tel:0199000000).",
		"0199000000 ou +33 1 99 00 00 00":                                "[0199000000](tel:0199000000) ou [+33 1 99 00 00 00](tel:+33199000000)",
		"01.99.00.00.00, 01\u00a099\u00a000\u00a000\u00a000":             "[01.99.00.00.00](tel:0199000000), [01\u00a099\u00a000\u00a000\u00a000](tel:0199000000)",
		"Appelez le 0 806 000 210 (gratuit)":                             "Appelez le [0 806 000 210](tel:0806000210) (gratuit)",
		"Appelez le 36 46.":                                              "Appelez le [36 46](tel:3646).",
		"3500 espaces, 01000 Bourg, 100 000 mails":                       "3500 espaces, 01000 Bourg, 100 000 mails",
		"SIRET 123 456 789 00012":                                        "SIRET 123 456 789 00012",
		"Écrivez à aide+usagers@dgfip.example.":                          "Écrivez à [aide+usagers@dgfip.example](mailto:aide+usagers@dgfip.example).",
		"voir https://a.example/x?a=b#c.":                                "voir [https://a.example/x?a=b#c](https://a.example/x?a=b#c).",
		"Formulaire\u00a0: https://a.example\u00a0; ou par voie postale": "Formulaire\u00a0: [https://a.example](https://a.example)\u00a0; ou par voie postale",
		"(http://a.example) ; a@b.example":                               "([http://a.example](http://a.example)) ; [a@b.example](mailto:a@b.example)",
		"javascript:alert(1) data:text/html,x @":                         "javascript:alert(1) data:text/html,x @",
		"":                                                               "",
	} {
		var b strings.Builder
		for _, r := range linkify(text) {
			if r.Link != "" {
				fmt.Fprintf(&b, "[%s](%s)", r.Words, r.Link)
			} else {
				b.WriteString(r.Words)
			}
		}
		if b.String() != want {
			t.Errorf("%q becomes %q, want %q", text, b.String(), want)
		}
	}
}
