package conversion

import (
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"
)

func own(t testing.TB) Own {
	t.Helper()
	from, err := ParseEmail("espace-abonne@courriel.impots.example")
	if err != nil {
		t.Fatal(err)
	}
	return NewOwn(&url.URL{Scheme: "https", Host: "espace.direction.gouv.fr"}, from)
}

// A message says what an administration says, with links to its own sites alone.
func TestParseMessage(t *testing.T) {
	for _, s := range []string{
		"",
		"Vous êtes 12 345 à changer d’accès ce printemps : merci.\n\n– Permanence le 12 mars 2027 à 8 h 30 ;\n– « prise de rendez-vous » au 0809 401 401 (n° gratuit).",
		"Voir https://espace.direction.gouv.fr/aide, www.direction.gouv.fr/notice.pdf et HTTPS://IMPOTS.EXAMPLE.",
		"Écrivez à assistance@direction.gouv.fr ou à aide@bureau.impots.example.",
		"Vous avez tout vous pour dans cent. Organisation intercommunale, M. Dupont, S.A.R.L., etc. Taux de 1.5 ou 30.11.2026.",
		"Depuis mars 2027 tous les espaces. SIRET 123 456 789 00012. Łódź, Győr, œuvre, 5 €… 90 %",
		"A <b>&amp;</b> \"x\" 'y'",
	} {
		m, err := ParseMessage(s, own(t))
		if err != nil || string(m) != s {
			t.Errorf("%q: %q, %v", s, m, err)
		}
	}
	m, err := ParseMessage("\r\n  Bonjour,\t\r\n\r\nE\u0301crivez-nous. \r\n\n", own(t))
	if err != nil || m != "Bonjour,\n\nÉcrivez-nous." {
		t.Errorf("%q, %v", m, err)
	}
}

// What could lead a reader astray is refused, however it is written.
func TestParseMessageRefuses(t *testing.T) {
	for name, s := range map[string]string{
		"not UTF-8":             "a\xffb",
		"too long":              strings.Repeat(strings.Repeat("a", 99)+"\n", 10) + "aa",
		"too many lines":        strings.Repeat("a\n", 20) + "a",
		"a long line":           strings.Repeat("a ", 100) + "a",
		"a control":             "a\x07b",
		"a tab":                 "a\tb",
		"a line separator":      "a\u2028b",
		"a mark of direction":   "a\u202eb",
		"an isolate":            "a\u2066b",
		"a zero-width blank":    "a\u200bb",
		"a soft hyphen":         "a\u00adb",
		"another script":        "Impôts des Русские",
		"mixed scripts":         "https://esp\u0430ce.direction.gouv.fr", // Cyrillic
		"full width":            "ｅｖｉｌ．example",
		"an ideographic stop":   "evil\u3002example",
		"mathematical letters":  "\U0001d41e\U0001d42f\U0001d422\U0001d425",
		"a dotless i":           "ımpots",
		"a stray accent":        "q\u0301",
		"another site":          "Voir https://evil.example/",
		"upper case":            "HTTP://EVIL.EXAMPLE",
		"no encryption":         "http://espace.direction.gouv.fr",
		"another port":          "https://espace.direction.gouv.fr:8443/",
		"user information":      "https://espace.direction.gouv.fr@evil.example/",
		"a password":            "https://u:p@espace.direction.gouv.fr/",
		"a backslash":           `https://evil.example\.direction.gouv.fr`,
		"another backslash":     `https:\\evil.example`,
		"punycode":              "https://xn--espace-dirction-0nb.gouv.fr",
		"a neighbour":           "https://evil.gouv.fr",
		"a suffix alone":        "https://gouv.fr",
		"a longer name":         "https://direction.gouv.fr.evil.example",
		"a name that ends so":   "https://notdirection.gouv.fr",
		"another scheme":        "ftp://espace.direction.gouv.fr",
		"a script":              "javascript://direction.gouv.fr/%0aalert(1)",
		"no scheme":             "Voir evil.example.",
		"no scheme, a path":     "(www.evil.example/direction.gouv.fr)",
		"behind a colon":        "lien:evil.example",
		"behind our own":        "direction.gouv.fr:evil.example",
		"in a query":            "x?u=evil.example",
		"an archive":            "notice.zip",
		"no blank":              "C’est la fin.Ensuite",
		"an address":            "Écrivez à support@evil.example",
		"an address of a user":  "mailto:a@evil.example",
		"an address in quotes":  "«support@evil.example»",
		"a strange address":     "a@b@direction.gouv.fr",
		"an at sign":            "à 5 @ 10",
		"an IP address":         "https://192.0.2.1/",
		"a number as host":      "https://3221225985/",
		"a code":                "Votre code : 7K3M-Q9XT-2HBD",
		"a code in lower case":  "7k3m q9xt 2hbd",
		"a code of many dashes": "7K3M – Q9XT ‑ 2HBD",
		"a code together":       "7K3MQ9XT2HBD",
		"a code over lines":     "7K3M\nQ9XT\n2HBD",
		"a code in two":         "0000-00000000",
		"a code of digits":      "1234 5678 9012",
		"a code of letters":     "ABCD-EFGH-JKMN",
		"a code after words":    "vous avez KQXJ-MTHB-NNAA",
		"a template":            "Bonjour {{.Holder}}",
		"a slot and a link":     "zqslot4qz https://zqslot4qz.example",
	} {
		if m, err := ParseMessage(s, own(t)); err == nil {
			t.Errorf("%s: %q is taken as %q", name, s, m)
		} else if e, ok := err.(*Invalid); !ok || e.French == "" || strings.Contains(e.English, "\n") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Where the pages have no registered domain, as on this machine, their host alone is own.
func TestOwnOfAHost(t *testing.T) {
	from, err := ParseEmail("a@mail.example")
	if err != nil {
		t.Fatal(err)
	}
	o := NewOwn(&url.URL{Scheme: "http", Host: "127.0.0.1:8080"}, from)
	if _, err := ParseMessage("http://127.0.0.1:8080/aide et http://mail.example", o); err != nil {
		t.Error(err)
	}
	for _, s := range []string{"http://127.0.0.2:8080/", "http://1.127.0.0.1:8080/", "http://127.0.0.1:9/"} {
		if _, err := ParseMessage(s, o); err == nil {
			t.Errorf("%s is taken", s)
		}
	}
}

// A message that is taken stays what it is when it is parsed again, is within the
// bounds, and no activation code stands in it.
func FuzzParseMessage(f *testing.F) {
	for _, s := range []string{"Bonjour,\r\n\r\nvoir https://espace.direction.gouv.fr.", "7K3M-Q9XT-2HBD", "a@b.example", "a.b/c?d=e:f\\g", "{{x}}", "é\u0301\u202e"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		m, err := ParseMessage(s, own(t))
		if err != nil {
			return
		}
		again, err := ParseMessage(string(m), own(t))
		if err != nil || again != m {
			t.Errorf("%q becomes %q, %v", m, again, err)
		}
		if utf8.RuneCountInString(string(m)) > MaxMessage || strings.Count(string(m), "\n") >= maxMessageLines {
			t.Errorf("%q is out of bounds", m)
		}
		for word := range strings.FieldsSeq(string(m)) {
			word = strings.TrimRight(word, ".:!?…")
			if _, err := ParseCode(word); err == nil && strings.ContainsAny(word, "0123456789") {
				t.Errorf("%q holds a code", m)
			}
			if u, err := url.Parse(word); err == nil && u.Scheme != "" && u.Host != "" && !own(t).has(u.Hostname()) {
				t.Errorf("%q leads to %s", m, u.Host)
			}
		}
	})
}
