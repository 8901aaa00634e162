package conversion

import (
	"encoding/json"
	"errors"
	"net/mail"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

// R15: which addresses are valid, how they are mailed and by which form they are one.
func TestParseEmail(t *testing.T) {
	local64 := strings.Repeat("l", 64)
	tests := []struct{ name, in, typed, key, mailbox string }{
		{"plain", "camille@cabinet.example", "camille@cabinet.example", "camille@cabinet.example", "camille@cabinet.example"},
		{"case kept as typed", "Camille.Durand@Cabinet.EXAMPLE", "Camille.Durand@Cabinet.EXAMPLE", "camille.durand@cabinet.example", "Camille.Durand@Cabinet.EXAMPLE"},
		{"blanks around", " \t\r\n a@b.example \u00a0\u202f", "a@b.example", "a@b.example", "a@b.example"},
		{"zero width around", "\ufeff\u200ba@b.example\u200d\u2060\u00ad", "a@b.example", "a@b.example", "a@b.example"},
		{"every sign of an atom", "!#$%&'*+-/=?^_`{|}~@b.example", "!#$%&'*+-/=?^_`{|}~@b.example", "!#$%&'*+-/=?^_`{|}~@b.example", "!#$%&'*+-/=?^_`{|}~@b.example"},
		{"longest local part", local64 + "@b.example", local64 + "@b.example", local64 + "@b.example", local64 + "@b.example"},
		{"international domain", "a@Café.example", "a@Café.example", "a@xn--caf-dma.example", "a@xn--caf-dma.example"},
		{"decomposed domain", "a@cafe\u0301.example", "a@café.example", "a@xn--caf-dma.example", "a@xn--caf-dma.example"},
		{"local case stays with an international domain", "Ann@CAFÉ.example", "Ann@CAFÉ.example", "ann@xn--caf-dma.example", "Ann@xn--caf-dma.example"},
		{"ASCII form of an international domain", "a@XN--CAF-DMA.example", "a@XN--CAF-DMA.example", "a@xn--caf-dma.example", "a@XN--CAF-DMA.example"},
		{"sharp s is its own letter", "a@straße.example", "a@straße.example", "a@xn--strae-oqa.example", "a@xn--strae-oqa.example"},
		{"ideographic stop", "a@b。example", "a@b。example", "a@b.example", "a@b.example"},
		{"full-width domain", "a@ｂ.example", "a@ｂ.example", "a@b.example", "a@b.example"},
		{"soft hyphen inside the domain", "a@cabi\u00adnet.example", "a@cabi\u00adnet.example", "a@cabinet.example", "a@cabinet.example"},
		{"right to left", "a@דוגמה.example", "a@דוגמה.example", "a@xn--6dbbec0c.example", "a@xn--6dbbec0c.example"},
		{"digits in the domain", "a@2.b2.example", "a@2.b2.example", "a@2.b2.example", "a@2.b2.example"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			e, err := ParseEmail(tt.in)
			if err != nil {
				t.Fatalf("ParseEmail(%q): %v", tt.in, err)
			}
			for _, got := range []struct{ what, got, want string }{
				{"String", e.String(), tt.typed}, {"Key", e.Key(), tt.key}, {"Mailbox", e.Mailbox(), tt.mailbox},
			} {
				if got.got != got.want {
					t.Errorf("%s = %q, want %q", got.what, got.got, got.want)
				}
			}
			if e.IsZero() {
				t.Error("a valid address is zero")
			}
		})
	}
}

// R15: the texts that are no address. No text passes that could end a header line or
// name two recipients.
func TestParseEmailRefuses(t *testing.T) {
	tests := []struct {
		name, in string
		want     error
	}{
		{"empty", "", ErrEmailMissing},
		{"blanks alone", " \u00a0\u200b\t", ErrEmailMissing},
		{"no at", "camille.cabinet.example", ErrEmailFormat},
		{"no local part", "@b.example", ErrEmailFormat},
		{"no domain", "a@", ErrEmailFormat},
		{"two ats", "a@b@c.example", ErrEmailFormat},
		{"full-width at", "a＠b.example", ErrEmailFormat},
		{"full-width at after the at", "a@b＠c.example", ErrEmailFormat},
		{"local part of 65", strings.Repeat("l", 65) + "@b.example", ErrEmailFormat},
		{"leading dot", ".a@b.example", ErrEmailFormat},
		{"trailing dot of the local part", "a.@b.example", ErrEmailFormat},
		{"double dot", "a..b@b.example", ErrEmailFormat},
		{"accent in the local part", "hélène@b.example", ErrEmailFormat},
		{"zero width in the local part", "a\u200bb@b.example", ErrEmailFormat},
		{"quoted local part", `"a b"@b.example`, ErrEmailFormat},
		{"quoted at", `"a@b"@c.example`, ErrEmailFormat},
		{"escaped", `a\@b@c.example`, ErrEmailFormat},
		{"comment", "a(comment)@b.example", ErrEmailFormat},
		{"blank inside", "a b@c.example", ErrEmailFormat},
		{"tab inside", "a\tb@c.example", ErrEmailFormat},
		{"blank in the domain", "a@b c.example", ErrEmailFormat},
		{"no-break space in the domain", "a@b\u00a0c.example", ErrEmailFormat},
		{"display name", "Camille <a@b.example>", ErrEmailFormat},
		{"angle brackets", "<a@b.example>", ErrEmailFormat},
		{"closing bracket", "a@b.example>", ErrEmailFormat},
		{"two addresses", "a@b.example,c@d.example", ErrEmailFormat},
		{"two addresses, semicolon", "a@b.example;c@d.example", ErrEmailFormat},
		{"mailto", "mailto:a@b.example", ErrEmailFormat},
		{"header in the local part", "a\r\nBcc: c@d.example", ErrEmailFormat},
		{"header in the domain", "a@b.example\r\nBcc:c.example", ErrEmailFormat},
		{"line feed in the domain", "a@b\n.example", ErrEmailFormat},
		{"NUL", "a@b\x00.example", ErrEmailFormat},
		{"line separator in the domain", "a@b\u2028.example", ErrEmailFormat},
		{"single label", "a@localhost", ErrEmailFormat},
		{"trailing dot of the domain", "a@b.example.", ErrEmailFormat},
		{"single label and dot", "a@localhost.", ErrEmailFormat},
		{"empty label", "a@b..example", ErrEmailFormat},
		{"leading dot of the domain", "a@.example", ErrEmailFormat},
		{"underscore", "a@b_c.example", ErrEmailFormat},
		{"leading hyphen", "a@-b.example", ErrEmailFormat},
		{"trailing hyphen", "a@b-.example", ErrEmailFormat},
		{"IPv4 literal", "a@[192.0.2.7]", ErrEmailFormat},
		{"IPv6 literal", "a@[IPv6:2001:db8::1]", ErrEmailFormat},
		{"bare IPv4", "a@192.0.2.7", ErrEmailFormat},
		{"full-width IPv4", "a@192.0.2.７", ErrEmailFormat},
		{"last label of one letter", "a@b.f", ErrEmailFormat},
		{"no-break hyphen in the domain", "a@mon\u2011cabinet.example", ErrEmailFormat},
		{"dash in the domain", "a@mon–cabinet.example", ErrEmailFormat},
		{"apostrophe of a book in the domain", "a@l’office.example", ErrEmailFormat},
		{"symbol in the domain", "a@cabinet™.example", ErrEmailFormat},
		{"port", "a@b.example:25", ErrEmailFormat},
		{"percent and slash in the domain", "a@b%/.example", ErrEmailFormat},
		{"symbol that maps to a slash", "a@b℀.example", ErrEmailFormat},
		{"broken punycode", "a@xn--a.example", ErrEmailFormat},
		{"punycode of ASCII", "a@xn--b-.example", ErrEmailFormat},
		{"empty punycode", "a@xn--.example", ErrEmailFormat},
		{"label of 64", "a@" + strings.Repeat("b", 64) + ".example", ErrEmailFormat},
		{"mixed directions", "a@אb.example", ErrEmailFormat},
		{"not UTF-8 in the domain", "a@b\xff.example", ErrEmailFormat},
		{"not UTF-8 as last label", "a@b.\xff", ErrEmailFormat},
		{"replacement character", "a@b\ufffd.example", ErrEmailFormat},
		{"not UTF-8 in the local part", "a\xff@b.example", ErrEmailFormat},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			e, err := ParseEmail(tt.in)
			wantError(t, tt.in, err, tt.want)
			if !e.IsZero() {
				t.Errorf("ParseEmail(%q) = %q with an error", tt.in, e)
			}
		})
	}
}

// R15: the reason says what to change where the rule alone does not show it.
func TestParseEmailTellsWhatIsWrong(t *testing.T) {
	for in, want := range map[string]string{
		"néant": "il manque l’arobase (@)", "anne.cabinet.example": "il manque l’arobase (@)",
		"anne@cabinet.example.": "un point est en trop", ".anne@cabinet.example": "un point est en trop",
		"anne..roy@cabinet.example": "un point est en trop", "anne@cabinet..example": "un point est en trop",
		"anne@cabinet":                         "la fin du domaine manque",
		"anne@mon\u2011cabinet.example":        "« ‑ » (U+2011)",
		"anne@\u00a0cabinet.example":           "U+00A0 (espace insécable)",
		"anne@\u200ecabinet.example":           "U+200E (marque gauche à droite)",
		strings.Repeat("a", 65) + "@b.example": "64 caractères au maximum avant l’arobase",
	} {
		_, err := ParseEmail(in)
		refusal, ok := errors.AsType[*Invalid](err)
		if !ok || !errors.Is(err, ErrEmailFormat) || !strings.Contains(strings.ReplaceAll(refusal.French, "\u00a0", " "), strings.ReplaceAll(want, "\u00a0", " ")) {
			t.Errorf("%q: %+v, want %q", in, err, want)
		}
	}
}

// R15: 100 characters as typed: neither bytes, nor surrounding blanks, nor the ASCII form of the domain count.
func TestParseEmailLength(t *testing.T) {
	of := func(n int, fill string) string { // an address of n characters
		labels := strings.Repeat(strings.Repeat(fill, 20)+".", 3)
		head := "a@" + labels
		rest := n - utf8.RuneCountInString(head) - len(".example")
		return head + strings.Repeat(fill, rest) + ".example"
	}
	tests := []struct {
		name, in string
		want     error
	}{
		{"100", of(100, "b"), nil},
		{"100 and blanks", "  " + of(100, "b") + "\u00a0\ufeff", nil},
		{"101", of(101, "b"), ErrEmailTooLong},
		{"100 characters of two bytes", of(100, "é"), nil},
		{"100 characters typed as 200", strings.ReplaceAll(of(100, "é"), "é", "e\u0301"), nil},
		{"101 characters of two bytes", of(101, "é"), ErrEmailTooLong},
		{"too long and malformed", strings.Repeat("x", 101), ErrEmailTooLong},
	}
	for _, tt := range tests {
		_, err := ParseEmail(tt.in)
		wantError(t, tt.name, err, tt.want)
	}
}

// R6: two spellings of one address are the same; two addresses never are.
func TestEmailSame(t *testing.T) {
	tests := []struct {
		a, b string
		same bool
	}{
		{"a@b.example", "A@B.EXAMPLE", true},
		{"a@café.example", "A@xn--caf-dma.example", true},
		{"a@café.example", "a@CAFE\u0301.EXAMPLE", true},
		{"a@b.example", " a@b.example\u200b", true},
		{"a@b.example", "a@b。example", true},
		{"a@b.example", "a+x@b.example", false},
		{"ab@c.example", "a.b@c.example", false},
		{"a@café.example", "a@cafe.example", false},
		{"a@straße.example", "a@strasse.example", false},
	}
	for _, tt := range tests {
		if got := mustEmail(t, tt.a).Same(mustEmail(t, tt.b)); got != tt.same {
			t.Errorf("%q same as %q: %t, want %t", tt.a, tt.b, got, tt.same)
		}
	}
}

// R15: an address survives the frozen facts of a recap; no address is "" there, and a forged one is refused.
func TestEmailJSON(t *testing.T) {
	type facts struct{ Address Email }
	for _, want := range []facts{{}, {mustEmail(t, "Ann&Co@Café.example")}} {
		b, err := json.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		var got facts
		if err := json.Unmarshal(b, &got); err != nil || got != want {
			t.Errorf("%s reads back as %+v, %v", b, got, err)
		}
	}
	kept := mustEmail(t, "a@b.example")
	got := facts{kept}
	if err := json.Unmarshal([]byte(`{"Address":"a@b"}`), &got); !errors.Is(err, ErrEmailFormat) || got.Address != kept {
		t.Errorf("a forged address gives %v and leaves %v", err, got.Address)
	}
	if err := json.Unmarshal([]byte(`{"Address":""}`), &got); err != nil || !got.Address.IsZero() {
		t.Errorf("an empty address gives %v and leaves %v", err, got.Address)
	}
}

// checkEmail asserts what holds for every accepted address (R6, R15).
func checkEmail(t interface{ Fatalf(string, ...any) }, e Email) {
	if again, err := ParseEmail(e.String()); err != nil || again != e {
		t.Fatalf("%q reads again as %q (%q), %v", e.String(), again.String(), again.Key(), err)
	}
	m := e.Mailbox()
	if strings.ContainsFunc(m, func(r rune) bool { return r <= ' ' || r >= 0x7f }) || strings.ContainsAny(m, `<>",;:()[]\`) {
		t.Fatalf("%q has the mailbox %q", e.String(), m)
	}
	if parsed, err := mail.ParseAddress("<" + m + ">"); err != nil || parsed.Address != m {
		t.Fatalf("net/mail reads the mailbox %q as %v, %v", m, parsed, err)
	}
	if len(m) <= maxEmail && !emailOrZero(m).Same(e) {
		t.Fatalf("the mailbox %q is another address than %q", m, e.String())
	}
	if e.Key() != strings.ToLower(m) {
		t.Fatalf("the key %q is not the mailbox %q in lower case", e.Key(), m)
	}
	if strings.Count(e.Key(), "@") != 1 || utf8.RuneCountInString(e.String()) > maxEmail {
		t.Fatalf("%q was accepted", e.String())
	}
}

// emailOrZero is the zero Email where s is no address.
func emailOrZero(s string) Email {
	e, _ := ParseEmail(s)
	return e
}

// R6, R15: reading an address of this form again changes nothing, and its case does not
// count.
func TestEmailProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		local := rapid.StringMatching("[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]{1,12}(\\.[A-Za-z0-9_+-]{1,8})?").Draw(t, "local")
		label := rapid.StringMatching(`[a-zA-Z0-9éÉçÇöÖñÑ]{1,12}(-?[a-zA-Z0-9éÉ]{1,2})?`)
		domain := label.Draw(t, "label") + "." + label.Draw(t, "label") + "." + rapid.SampledFrom([]string{"example", "Example", "fr", "xn--zckzah"}).Draw(t, "top")
		blanks := rapid.SampledFrom([]string{"", " ", "\u00a0", "\u200b", "\r\n", "\ufeff "})
		e, err := ParseEmail(blanks.Draw(t, "before") + local + "@" + domain + blanks.Draw(t, "after"))
		if err != nil {
			t.Fatalf("%s@%s: %v", local, domain, err)
		}
		checkEmail(t, e)
		for _, other := range []string{strings.ToUpper(e.String()), strings.ToLower(e.String())} {
			if o := emailOrZero(other); !o.Same(e) {
				t.Fatalf("%q (%q) and %q (%q) differ", other, o.Key(), e.String(), e.Key())
			}
		}
	})
}

// R15: no text makes the parser panic, and each accepted one is safe to mail.
func FuzzParseEmail(f *testing.F) {
	for _, s := range []string{"a@b.example", "Ann@CAFÉ.example", "a@xn--caf-dma.example", "a@b。example", "a@[192.0.2.7]", "\u212aate@b.example",
		"a@b\xff.example", "a@b.example\r\nBcc: c@d.example", `"a b"@c.example`, "a＠b.example", "a@b\ufe0f.example", "a@\u0301b.example", "a@א1.example"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		e, err := ParseEmail(s)
		if err == nil {
			checkEmail(t, e)
		} else if !e.IsZero() {
			t.Fatalf("%q gives %q and %v", s, e, err)
		}
	})
}
