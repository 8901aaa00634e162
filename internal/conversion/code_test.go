package conversion

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// R25: a code is read however it is typed, and nothing else is a code.
func TestParseCode(t *testing.T) {
	const symbols = "8CQN9NZJXZ9Z"
	tests := []struct{ name, in, want string }{
		{"as mailed", "8CQN-9NZJ-XZ9Z", symbols},
		{"without hyphens", "8CQN9NZJXZ9Z", symbols},
		{"lower case", "8cqn-9nzj-xz9z", symbols},
		{"blanks of every kind", "\t8CQN 9NZJ\u00a0XZ9\u202fZ\r\n", symbols},
		{"zero width and soft hyphen", "\ufeff8CQN\u00ad9NZJ\u200bXZ9Z", symbols},
		{"dashes of every kind", "8\u2010C\u2011Q\u2012N\u20139\u2014N\u2015Z\u2212J\ufe58X\ufe63Z\uff0d9--Z", symbols},
		{"O for 0", "oO00-0000-0000", "000000000000"},
		{"I and L for 1", "iIlL-1111-1111", "111111111111"},
		{"the whole alphabet", "0123456789AB", "0123456789AB"},
		{"its other half", "CDEFGHJKMNPQ", "CDEFGHJKMNPQ"},
		{"its end", "RSTVWXYZ0000", "RSTVWXYZ0000"},
		{"a full stop behind", "8CQN-9NZJ-XZ9Z.", symbols},
		{"brackets around", " (<8CQN-9NZJ-XZ9Z>), ", symbols},
		{"quotes around", "«\u00a08CQN-9NZJ-XZ9Z\u00a0»", symbols},
		{"the words in front", "VOTRE CODE D’ACTIVATION8CQN-9NZJ-XZ9Z", symbols},
		{"the words and a line feed", "VOTRE CODE\n8CQN-9NZJ-XZ9Z\n", symbols},
		{"a colon behind the words", "code d'activation\u00a0: 8cqn 9nzj xz9z", symbols},
		{"symbols like the words", "CODE-9NZJ-XZ9Z", "C0DE9NZJXZ9Z"},
		{"the words alone", "votre code", ""},
		{"words in front that no mail has", "mon code 8CQN-9NZJ-XZ9Z", ""},
		{"a full stop inside", "8CQN.9NZJ.XZ9Z", ""},
		{"signs alone", "<>.", ""},
		{"empty", "", ""},
		{"blanks and hyphens alone", " - - ", ""},
		{"11 symbols", "8CQN-9NZJ-XZ9", ""},
		{"13 symbols", "8CQN-9NZJ-XZ9Z-Z", ""},
		{"U is no symbol", "UCQN-9NZJ-XZ9Z", ""},
		{"lower-case u neither", "uCQN-9NZJ-XZ9Z", ""},
		{"full-width digit", "８CQN-9NZJ-XZ9Z", ""},
		{"Arabic digit", "٨CQN-9NZJ-XZ9Z", ""},
		{"Cyrillic letter", "8СQN-9NZJ-XZ9Z", ""},
		{"Kelvin sign", "8CQN-9NZJ-XZ9\u212a", ""},
		{"accent", "8CQN-9NZJ-XZ9É", ""},
		{"other sign", "8CQN_9NZJ_XZ9Z", ""},
		{"NUL", "8CQN-9NZJ-XZ9Z\x00", ""},
		{"not UTF-8", "8CQN-9NZJ-XZ9\xff", ""},
		{"replacement character", "8CQN-9NZJ-XZ9\ufffd", ""},
		{"the code and more", "8CQN-9NZJ-XZ9Z merci", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, err := ParseCode(tt.in)
			if tt.want == "" {
				wantError(t, tt.in, err, ErrCodeFormat)
			} else if err != nil {
				t.Fatal(err)
			}
			if c.symbols != tt.want {
				t.Errorf("ParseCode(%q) = %q, want %q", tt.in, c.symbols, tt.want)
			}
		})
	}
}

// R23: the mail shows a code as XXXX-XXXX-XXXX, and no code as nothing.
func TestCodeString(t *testing.T) {
	if got := (Code{"8CQN9NZJXZ9Z"}).String(); got != "8CQN-9NZJ-XZ9Z" {
		t.Errorf("the code is shown as %q", got)
	}
	if got := (Code{}).String(); got != "" {
		t.Errorf("no code is shown as %q", got)
	}
}

// R25: a code equals itself and nothing else; no code equals nothing, not even no code.
func TestCodeEqual(t *testing.T) {
	a, b := Code{"8CQN9NZJXZ9Z"}, Code{"8CQN9NZJXZ9Y"}
	for _, tt := range []struct {
		a, b Code
		want bool
	}{{a, a, true}, {a, b, false}, {a, Code{}, false}, {Code{}, a, false}, {Code{}, Code{}, false}} {
		if got := tt.a.Equal(tt.b); got != tt.want {
			t.Errorf("%q equals %q: %t", tt.a, tt.b, got)
		}
	}
}

// checkCode asserts what holds for every accepted code (R25).
func checkCode(t interface{ Fatalf(string, ...any) }, c Code) {
	again, err := ParseCode(c.String())
	if err != nil || again != c || !c.Equal(again) {
		t.Fatalf("%q reads again as %q, %v", c, again, err)
	}
	if len(c.symbols) != codeSymbols || strings.Trim(c.symbols, crockford) != "" {
		t.Fatalf("%q was accepted", c.symbols)
	}
}

// R25: blanks, dashes, case and look-alikes never make a right code wrong.
func TestParseCodeNoise(t *testing.T) {
	noise := rapid.SampledFrom([]string{"", "", "-", " ", "\u00a0", "\u2013", "\u2212", "\u200b", "\t", " - "})
	twins := map[rune]string{'0': "0oO", '1': "1iIlL"}
	rapid.Check(t, func(t *rapid.T) {
		want := Code{rapid.StringMatching("[0-9A-HJKMNP-TV-Z]{12}").Draw(t, "code")}
		var typed strings.Builder
		for _, r := range want.symbols {
			variants, ok := twins[r]
			if !ok {
				variants = string([]rune{r, unicode.ToLower(r)})
			}
			typed.WriteString(noise.Draw(t, "noise"))
			typed.WriteRune(rapid.SampledFrom([]rune(variants)).Draw(t, "symbol"))
		}
		typed.WriteString(noise.Draw(t, "end"))
		got, err := ParseCode(typed.String())
		if err != nil || got != want {
			t.Fatalf("%q reads as %q, %v; want %q", typed.String(), got, err, want)
		}
		checkCode(t, got)
	})
}

// R25: no text makes the parser panic, and each accepted one reads again as itself.
func FuzzParseCode(f *testing.F) {
	for _, s := range []string{"8CQN-9NZJ-XZ9Z", "oil0 oil0 oil0", "８CQN-9NZJ-XZ9Z", "ıſ", "8CQN\u00ad9NZJ\u200bXZ9Z", "\xff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if c, err := ParseCode(s); err == nil {
			checkCode(t, c)
		}
	})
}

// R23: the derivation of codes, tags, throttling buckets and return paths is fixed: codes in mail and rows in the
// database depend on it. The values were computed with another implementation of HMAC and HKDF.
func TestKeyringGolden(t *testing.T) {
	ring := mustKeyring(t, secretKey(0, 32))
	const id = KeyID("b1f1378a")
	if ring.Newest() != id {
		t.Errorf("key id %s, want %s", ring.Newest(), id)
	}
	nonce := Nonce{16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31}
	for _, tt := range []struct {
		address    string
		generation int
		code, tag  string
	}{
		{"camille.durand@cabinet.example", 1, "8CQN-9NZJ-XZ9Z", "f1bd3197380f4327"},
		{"Camille.Durand@Cabinet.example", 1, "8CQN-9NZJ-XZ9Z", "f1bd3197380f4327"},
		{"camille.durand@cabinet.example", 2, "NKK2-ENZC-4DCA", "de2724244c178cf6"},
		{"info@café.example", 1, "PQYA-4ADX-25EJ", "69a8be050e66449b"},
	} {
		to := mustEmail(t, tt.address)
		code, err := ring.Code(ForActivation, id, nonce, tt.generation, to)
		if err != nil || code.String() != tt.code {
			t.Errorf("%s, generation %d: code %s, %v; want %s", tt.address, tt.generation, code, err, tt.code)
		}
		tag, err := ring.Tag(id, to, code)
		if err != nil || hex.EncodeToString(tag[:]) != tt.tag {
			t.Errorf("%s, generation %d: tag %x, %v; want %s", tt.address, tt.generation, tag, err, tt.tag)
		}
	}
	if got := hex.EncodeToString(ring.Bucket("login", "192.0.2.7")); got != "58da43f59a9fda5b118d31a405ba76eb" {
		t.Errorf("bucket %s", got)
	}
	if got := ring.SignPath("request 42"); got != "587qnb6cm8" {
		t.Errorf("path signature %s", got)
	}
}

// D1, D3: a code proves one address, one generation, one request under one key; a repeated mail carries the same.
func TestCodeProvesOneThing(t *testing.T) {
	ring := mustKeyring(t, secretKey(0, 32)+","+secretKey(100, 32))
	ids := ring.IDs()
	nonces := []Nonce{{1}, {2}}
	addresses := []Email{mustEmail(t, "a@b.example"), mustEmail(t, "a@c.example"), mustEmail(t, "aa@b.example")}
	seen := make(map[Code]string)
	for _, id := range ids {
		for n, nonce := range nonces {
			for _, generation := range []int{1, 2, 256, 65536} {
				for _, to := range addresses {
					code, err := ring.Code(ForActivation, id, nonce, generation, to)
					again, errAgain := ring.Code(ForActivation, id, nonce, generation, to)
					if err != nil || errAgain != nil || code != again {
						t.Fatalf("the code %s (%v) is %s (%v) the second time", code, err, again, errAgain)
					}
					what := fmt.Sprintf("key %s, nonce %d, generation %d, %s", id, n, generation, to)
					if other, ok := seen[code]; ok {
						t.Errorf("%s and %s have one code", what, other)
					}
					seen[code] = what
					checkCode(t, code)
				}
			}
		}
	}
}

// R25: a tag finds one code of one address; a code made with an older key is found while that key is on the ring.
func TestTags(t *testing.T) {
	newest, older := secretKey(0, 32), secretKey(100, 32)
	ring, old := mustKeyring(t, newest+","+older), mustKeyring(t, older)
	to, other := mustEmail(t, "a@b.example"), mustEmail(t, "a@c.example")
	code, err := old.Code(ForActivation, old.Newest(), Nonce{1}, 1, to)
	if err != nil {
		t.Fatal(err)
	}
	stored, err := old.Tag(old.Newest(), to, code)
	if err != nil {
		t.Fatal(err)
	}
	tag, err := ring.Tag(ring.Newest(), to, code)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]Tag{tag, stored}, ring.Tags(to, code)); diff != "" {
		t.Errorf("tags, newest key first (-want +got):\n%s", diff)
	}
	for what, tags := range map[string][]Tag{
		"another address": ring.Tags(other, code),
		"another code":    ring.Tags(to, Code{"000000000000"}),
		"another key":     mustKeyring(t, newest).Tags(to, code),
	} {
		for _, tag := range tags {
			if tag == stored {
				t.Errorf("%s has the same tag", what)
			}
		}
	}
}

// R23: a request whose key is not on the ring gets no code and no tag, and the error names the key's id alone.
func TestKeyUnknown(t *testing.T) {
	ring := mustKeyring(t, secretKey(0, 32))
	gone := mustKeyring(t, secretKey(1, 32)).Newest()
	_, err := ring.Code(ForActivation, gone, Nonce{}, 1, mustEmail(t, "a@b.example"))
	wantError(t, "Code", err, ErrKeyUnknown)
	_, errTag := ring.Tag(gone, mustEmail(t, "a@b.example"), Code{"000000000000"})
	wantError(t, "Tag", errTag, ErrKeyUnknown)
	if !strings.HasSuffix(fmt.Sprint(err), string(gone)) {
		t.Errorf("%v does not name key %s", err, gone)
	}
}

// I6: the texts that are a SECRET_KEY. An error names a key by its place in the list,
// never by its value.
func TestParseKeyring(t *testing.T) {
	a, b, short := secretKey(0xe0, 32), secretKey(1, 48), secretKey(0, 31)
	urlSafe := strings.NewReplacer("+", "-", "/", "_")
	if urlSafe.Replace(a) == a {
		t.Fatal("the first key must tell the two alphabets apart")
	}
	tests := []struct {
		name, in string
		keys     int
		err      string
	}{
		{"one", a, 1, ""},
		{"longer", b, 1, ""},
		{"several", a + "," + b, 2, ""},
		{"blanks around", " " + a + " ,\n" + b + "\n", 2, ""},
		{"URL-safe", urlSafe.Replace(a), 1, ""},
		{"without padding", strings.TrimRight(a, "="), 1, ""},
		{"URL-safe without padding", strings.TrimRight(urlSafe.Replace(a), "="), 1, ""},
		{"empty", "", 0, "key 1 has 0 bytes, at least 32 are needed"},
		{"short", short, 0, "key 1 has 31 bytes, at least 32 are needed"},
		{"second short", a + "," + short, 0, "key 2 has 31 bytes, at least 32 are needed"},
		{"trailing comma", a + ",", 0, "key 2 has 0 bytes, at least 32 are needed"},
		{"not base64", "correct horse battery staple, unlikely as it is", 0, "key 1 is not base64"},
		{"blank inside", a[:10] + " " + a[10:], 0, "key 1 is not base64"},
		{"both alphabets", "+-" + a, 0, "key 1 is not base64"},
		{"twice", a + "," + b + "," + a, 0, "key 3 stands twice"},
		{"twice in two spellings", a + "," + urlSafe.Replace(a), 0, "key 2 stands twice"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			ring, err := ParseKeyring(tt.in)
			if tt.err != "" {
				if err == nil || err.Error() != tt.err || ring != nil {
					t.Errorf("got %v, %v; want the error %q", ring, err, tt.err)
				}
				return
			}
			if err != nil || len(ring.IDs()) != tt.keys || ring.IDs()[0] != ring.Newest() {
				t.Errorf("%v, %v; want %d keys", ring, err, tt.keys)
			}
		})
	}
	same := mustKeyring(t, a).Newest()
	for _, spelling := range []string{urlSafe.Replace(a), strings.TrimRight(a, "=")} {
		if got := mustKeyring(t, spelling).Newest(); got != same {
			t.Errorf("one key in two spellings has the ids %s and %s", same, got)
		}
	}
}

// I6: no text makes the parser panic; a ring that is accepted has keys with distinct ids.
func FuzzParseKeyring(f *testing.F) {
	for _, s := range []string{"", ",", secretKey(0, 32), secretKey(0, 32) + "," + secretKey(1, 40), secretKey(0xe0, 31), "-_+/"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		ring, err := ParseKeyring(s)
		if err != nil {
			return
		}
		seen := make(map[KeyID]bool)
		for _, id := range ring.IDs() {
			if len(id) != 8 || seen[id] {
				t.Fatalf("ids %v", ring.IDs())
			}
			seen[id] = true
		}
		if len(seen) == 0 {
			t.Fatal("a ring without a key")
		}
	})
}

// D11: only return paths that we signed count, in any case that a server made of them,
// even after a new key.
func TestVerifyPath(t *testing.T) {
	newest, older := secretKey(0, 32), secretKey(100, 32)
	old := mustKeyring(t, older)
	ring := mustKeyring(t, newest+","+older)
	signature := old.SignPath("42")
	if strings.ToLower(signature) != signature || len(signature) != 10 {
		t.Errorf("signature %q: want ten lower-case symbols", signature)
	}
	tests := []struct {
		name         string
		ring         *Keyring
		s, signature string
		want         bool
	}{
		{"ours", ring, "42", ring.SignPath("42"), true},
		{"older key", ring, "42", signature, true},
		{"upper case", ring, "42", strings.ToUpper(signature), true},
		{"another path", ring, "43", signature, false},
		{"path and signature shifted", ring, "4", "2" + signature, false},
		{"key gone", mustKeyring(t, newest), "42", signature, false},
		{"cut short", ring, "42", signature[:9], false},
		{"none", ring, "42", "", false},
	}
	for _, tt := range tests {
		if got := tt.ring.VerifyPath(tt.s, tt.signature); got != tt.want {
			t.Errorf("%s: %t, want %t", tt.name, got, tt.want)
		}
	}
}

// I6: a throttling bucket's name depends on every part and on where one ends, and tells none of them.
func TestBucket(t *testing.T) {
	ring := mustKeyring(t, secretKey(0, 32)+","+secretKey(100, 32))
	seen := make(map[string][]string)
	for _, parts := range [][]string{
		{}, {""}, {"", ""}, {"login"}, {"login", "192.0.2.7"}, {"login192.0.2.7"}, {"192.0.2.7", "login"},
		{"login", "192.0.2.7", ""}, {"a\x00b"}, {"a", "b"}, {"a\x00", "b"}, {"a,1:b"}, {"1:a"}, {"a,"},
	} {
		bucket := ring.Bucket(parts...)
		if len(bucket) != 16 || string(bucket) != string(ring.Bucket(parts...)) {
			t.Errorf("bucket %q: %x, then %x", parts, bucket, ring.Bucket(parts...))
		}
		if other, ok := seen[string(bucket)]; ok {
			t.Errorf("%q and %q share a bucket", parts, other)
		}
		seen[string(bucket)] = parts
	}
	if string(ring.Bucket("login")) == string(mustKeyring(t, secretKey(100, 32)).Bucket("login")) {
		t.Error("two keys give one bucket")
	}
}

// R23: the code of any request reads back, is the same when computed again, and another
// generation has another.
func TestKeyringProperties(t *testing.T) {
	ring := mustKeyring(t, secretKey(0, 32))
	rapid.Check(t, func(t *rapid.T) {
		var nonce Nonce
		copy(nonce[:], rapid.SliceOfN(rapid.Byte(), len(nonce), len(nonce)).Draw(t, "nonce"))
		generation := rapid.IntRange(1, 1<<31-1).Draw(t, "generation")
		to := emailOrZero(rapid.StringMatching("[a-z]{1,10}@[a-z]{1,10}\\.example").Draw(t, "address"))
		code, err := ring.Code(ForActivation, ring.Newest(), nonce, generation, to)
		next, errNext := ring.Code(ForActivation, ring.Newest(), nonce, generation+1, to)
		if err := errors.Join(err, errNext); err != nil || code.Equal(next) {
			t.Fatalf("generation %d: %s, the next %s, %v", generation, code, next, err)
		}
		checkCode(t, code)
	})
}

// Only a holder of a key of the ring can answer a challenge.
func TestProve(t *testing.T) {
	key := func(c string) string { return base64.StdEncoding.EncodeToString([]byte(strings.Repeat(c, 32))) }
	ring := func(s string) *Keyring {
		r, err := ParseKeyring(s)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	older, rotated, other := ring(key("a")), ring(key("b")+","+key("a")), ring(key("c"))
	answer := older.Prove("word")
	if !older.Proves("word", answer) || !rotated.Proves("word", answer) {
		t.Error("a key of the ring does not prove itself")
	}
	if other.Proves("word", answer) || older.Proves("another", answer) || older.Proves("word", "") {
		t.Error("something else proves the key")
	}
}
