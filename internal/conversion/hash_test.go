package conversion

import (
	"encoding/base64"
	"regexp"
	"strings"
	"testing"
)

// R17, R18: a secret is kept as a salted Argon2id hash in PHC format, which tells the right one and no other.
func TestHash(t *testing.T) {
	password, err := ParsePassword("Xk7Tr2Qp", ProfileFiche, "")
	if err != nil {
		t.Fatal(err)
	}
	hash, again := password.Hash(), password.Hash()
	if form := regexp.MustCompile(`^\$argon2id\$v=19\$m=19456,t=2,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$`); !form.MatchString(string(hash)) {
		t.Errorf("the hash is %q", string(hash))
	}
	if hash == again {
		t.Error("two hashes of one password are equal: the salt is not fresh")
	}
	for _, tt := range []struct {
		typed string
		want  bool
	}{{"Xk7Tr2Qp", true}, {"xk7tr2qp", false}, {"Xk7Tr2Qp ", false}, {"", false}, {string(hash), false}} {
		if got := hash.MatchesPassword(tt.typed); got != tt.want {
			t.Errorf("%q matches: %t", tt.typed, got)
		}
	}
}

// D6: a password typed on a keyboard that decomposes accents, or types another space, is
// the same.
func TestHashNormalises(t *testing.T) {
	password, err := ParsePassword("cheval blessé et guéri", ProfileCNIL, "")
	if err != nil {
		t.Fatal(err)
	}
	hash := password.Hash()
	if !hash.MatchesPassword("cheval blesse\u0301 et gue\u0301ri") {
		t.Error("the decomposed spelling does not match")
	}
	for _, blank := range []string{"\u00a0", "\u202f", "\u3000"} { // Option+space on macOS, for one
		if !hash.MatchesPassword(strings.ReplaceAll("cheval blessé et guéri", " ", blank)) {
			t.Errorf("the spelling with %q for a space does not match", blank)
		}
	}
	if hash.MatchesPassword("cheval blesse et gueri") {
		t.Error("the spelling without accents matches")
	}
}

// R18: an answer is hashed like a password, in the form that is compared.
func TestAnswerHash(t *testing.T) {
	answer, err := ParseTrustAnswer("Médor")
	if err != nil {
		t.Fatal(err)
	}
	hash := answer.Hash()
	for typed, want := range map[string]bool{"medor !": true, "Mirza": false} {
		if a, err := ParseTrustAnswer(typed); err != nil || hash.MatchesAnswer(a) != want {
			t.Errorf("%q matches: %t, %v", typed, !want, err)
		}
	}
	if hash.MatchesAnswer(TrustAnswer{}) {
		t.Error("no answer matches")
	}
}

// R17: hashes made elsewhere or with other costs are still read: these are vectors of the Argon2 reference code.
func TestHashReference(t *testing.T) {
	for _, h := range []Hash{
		"$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
		"$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
		"$argon2id$v=19$m=256,t=2,p=2$c29tZXNhbHQ$bQk8UB/VmZZF4Oo79iDXuL5/0ttZwg2f/5U52iv1cDc",
	} {
		if !h.MatchesPassword("password") {
			t.Errorf("%s does not match", string(h))
		}
		if h.MatchesPassword("passwort") {
			t.Errorf("%s matches another password", string(h))
		}
	}
}

const (
	goodSalt = "c29tZXNhbHQ"
	goodSum  = "nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4"
)

// I8: a hash that is malformed, or that would take unbounded memory or time or stop the process, is not run at all.
func TestHashHostile(t *testing.T) {
	long := func(n int) string { return base64.RawStdEncoding.EncodeToString(make([]byte, n)) }
	tail := "$" + goodSalt + "$" + goodSum
	tests := []struct {
		name string
		hash Hash
	}{
		{"empty", ""},
		{"dollars", "$$$$$"},
		{"clear text", "password"},
		{"bcrypt", "$2a$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy"},
		{"argon2i", Hash("$argon2i$v=19$m=256,t=2,p=1" + tail)},
		{"something before", Hash("x$argon2id$v=19$m=256,t=2,p=1" + tail)},
		{"something behind", Hash("$argon2id$v=19$m=256,t=2,p=1" + tail + "$")},
		{"line behind", Hash("$argon2id$v=19$m=256,t=2,p=1" + tail + "\n")},
		{"line in the salt", Hash("$argon2id$v=19$m=256,t=2,p=1$c29t\nZXNhbHQ$" + goodSum)},
		{"old version", Hash("$argon2id$v=16$m=256,t=2,p=1" + tail)},
		{"no version", Hash("$argon2id$m=256,t=2,p=1" + tail)},
		{"version and more", Hash("$argon2id$v=19x$m=256,t=2,p=1" + tail)},
		{"costs and more", Hash("$argon2id$v=19$m=256,t=2,p=1,keyid=x" + tail)},
		{"other order", Hash("$argon2id$v=19$t=2,m=256,p=1" + tail)},
		{"leading zero", Hash("$argon2id$v=19$m=0256,t=2,p=1" + tail)},
		{"no salt", Hash("$argon2id$v=19$m=256,t=2,p=1$$" + goodSum)},
		{"no sum", Hash("$argon2id$v=19$m=256,t=2,p=1$" + goodSalt + "$")},
		{"short salt", Hash("$argon2id$v=19$m=256,t=2,p=1$" + long(7) + "$" + goodSum)},
		{"long salt", Hash("$argon2id$v=19$m=256,t=2,p=1$" + long(65) + "$" + goodSum)},
		{"short sum", Hash("$argon2id$v=19$m=256,t=2,p=1$" + goodSalt + "$" + long(15))},
		{"long sum", Hash("$argon2id$v=19$m=256,t=2,p=1$" + goodSalt + "$" + long(65))},
		{"padded", Hash("$argon2id$v=19$m=256,t=2,p=1$" + goodSalt + "=$" + goodSum + "=")},
		{"URL-safe", Hash("$argon2id$v=19$m=256,t=2,p=1$" + goodSalt + "$" + strings.ReplaceAll(goodSum, "/", "_"))},
		{"all the memory", Hash("$argon2id$v=19$m=4294967295,t=2,p=1" + tail)},
		{"more memory than we bear", Hash("$argon2id$v=19$m=65537,t=2,p=1" + tail)},
		{"memory of 33 bits", Hash("$argon2id$v=19$m=4294967552,t=2,p=1" + tail)},
		{"negative memory", Hash("$argon2id$v=19$m=-256,t=2,p=1" + tail)},
		{"for ever", Hash("$argon2id$v=19$m=256,t=4294967295,p=1" + tail)},
		{"more passes than we bear", Hash("$argon2id$v=19$m=256,t=9,p=1" + tail)},
		{"no pass, which panics", Hash("$argon2id$v=19$m=256,t=0,p=1" + tail)},
		{"no thread, which panics", Hash("$argon2id$v=19$m=256,t=2,p=0" + tail)},
		{"255 threads", Hash("$argon2id$v=19$m=256,t=2,p=255" + tail)},
		{"256 threads", Hash("$argon2id$v=19$m=256,t=2,p=256" + tail)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if p, ok := tt.hash.parse(); ok {
				t.Fatalf("it would be run with m=%d, t=%d, p=%d", p.memory, p.time, p.threads)
			}
			if tt.hash.MatchesPassword("password") {
				t.Error("it matches")
			}
		})
	}
}

// I8: no text makes the parser panic. A hash that it accepts is bearable and has one
// spelling.
func FuzzHash(f *testing.F) {
	f.Add("$argon2id$v=19$m=19456,t=2,p=1$" + goodSalt + "$" + goodSum)
	f.Add("$argon2id$v=19$m=4294967295,t=0,p=0$$")
	f.Add("$argon2id$v=19$m=+256,t=2,p=1$" + goodSalt + "$" + goodSum)
	f.Fuzz(func(t *testing.T, s string) {
		if p, ok := Hash(s).parse(); ok && (p.hash() != Hash(s) || !p.bearable()) {
			t.Fatalf("%q was taken apart as %+v", s, p)
		}
	})
}
