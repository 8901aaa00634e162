package conversion

import (
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
	"unicode/utf8"

	"bascule/internal/text"
)

// R16: the sheet's rule, to the letter.
func TestParsePasswordFiche(t *testing.T) {
	tests := []struct {
		name, in string
		want     error
	}{
		{"letters and digits", "Xk7Tr2Qp", nil},
		{"20", "Xk7Tr2QpXk7Tr2QpW9zD", nil},
		{"one digit", "Xktrwqp4", nil},
		{"one letter", "4907182x", nil},
		{"every kind of edge", "AZaz09Mb", nil},
		{"empty", "", ErrPasswordMissing},
		{"7", "Xk7Tr2Q", ErrPasswordShort},
		{"21", "Xk7Tr2QpXk7Tr2QpW9zDe", ErrPasswordLong},
		{"letters alone", "XkrTrwQp", ErrPasswordMix},
		{"digits alone", "49071825", ErrPasswordMix},
		{"space", "Xk7Tr 2Qp", ErrPasswordSymbols},
		{"space at the end", "Xk7Tr2Qp ", ErrPasswordSymbols},
		{"no-break space", "Xk7Tr2Qp\u00a0", ErrPasswordSymbols},
		{"zero width", "Xk7Tr2Qp\u200b", ErrPasswordSymbols},
		{"accent", "Xk7Tr2Qé", ErrPasswordSymbols},
		{"decomposed accent", "Xk7Tr2Qe\u0301", ErrPasswordSymbols},
		{"sign", "Xk7Tr2Q!", ErrPasswordSymbols},
		{"full-width digit", "XkTr2Qp７", ErrPasswordSymbols},
		{"Arabic digit", "XkTrwQp٧", ErrPasswordSymbols},
		{"Cyrillic letter", "49071825Х", ErrPasswordSymbols},
		{"neighbours of letters in ASCII", "Xk7Tr2@[", ErrPasswordSymbols},
		{"not UTF-8", "Xk7Tr2Q\xff", ErrPasswordSymbols},
		{"accent, and short", "é", ErrPasswordSymbols},
		{"common", "Soleil2026", ErrPasswordCommon},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, err := ParsePassword(tt.in, ProfileFiche, "")
			wantError(t, tt.in, err, tt.want)
			if (err == nil) != (p.secret == tt.in && p.secret != "") {
				t.Errorf("the password kept is %q", p.secret)
			}
		})
	}
}

// D6: the profile cnil takes 12 to 64 characters of any alphabet.
func TestParsePasswordCNIL(t *testing.T) {
	tests := []struct {
		name, in string
		want     error
	}{
		{"passphrase", "cheval correct pile agrafe", nil},
		{"12", "Xk7Tr2Qp!Wz9", nil},
		{"12 letters, no digit", "wqkrtzplvnxh", nil},
		{"12 characters of two bytes", "жхцшщъыэюябй", nil},
		{"emoji", "🐴🔋📎✅🦉🚲🧊🪁🎻🧵🪴🧲", nil},
		{"spaces at the ends count", " Xk7Tr2Qp!Wz", nil},
		{"64", strings.Repeat("Xk7Tr2Qp", 8), nil},
		{"empty", "", ErrPasswordMissing},
		{"11", "Xk7Tr2Qp!Wz", ErrPasswordShortCNIL},
		{"11 characters of two bytes", "жхцшщъыэюяб", ErrPasswordShortCNIL},
		{"12 once composed", "жхцшщъыэюяби\u0306", nil},
		{"11 once composed", "жхцшщъыэюяи\u0306", ErrPasswordShortCNIL},
		{"65", strings.Repeat("Xk7Tr2Qp", 8) + "x", ErrPasswordLongCNIL},
		{"tab", "Xk7Tr2Qp!\tWz9", ErrPasswordUnreadable},
		{"NUL", "Xk7Tr2Qp!\x00Wz9", ErrPasswordUnreadable},
		{"not UTF-8", "Xk7Tr2Qp!\xffWz9", ErrPasswordUnreadable},
		{"blanks alone", "            ", ErrPasswordCommon},
		{"common", "Mot de passe 2026 !", ErrPasswordCommon},
		{"accents hide no common word", "Hélène Noël 2026", ErrPasswordCommon},
		{"row of signs", "&é\"'(-è_çà)=", ErrPasswordCommon},
		{"row of signs, English", "!@#$%^&*()_+", ErrPasswordCommon},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := ParsePassword(tt.in, ProfileCNIL, "")
			wantError(t, tt.in, err, tt.want)
		})
	}
}

// D6: no profile takes a password that holds the subscriber number.
func TestParsePasswordNumber(t *testing.T) {
	tests := []struct {
		in     string
		number SubscriberNumber
		want   error
	}{
		{"xW0481516q", "0481516", ErrPasswordNumber},
		{"xWab12Cd9q", "AB12cD", ErrPasswordNumber},
		{"xW0481517q", "0481516", nil},
		{"xW0481516q", "", nil},
	}
	for _, tt := range tests {
		for _, profile := range []PasswordProfile{ProfileFiche, ProfileCNIL} {
			in := tt.in
			if profile == ProfileCNIL {
				in = "-.- " + in
			}
			_, err := ParsePassword(in, profile, tt.number)
			wantError(t, string(profile)+" "+in, err, tt.want)
		}
	}
}

// D6: which profiles there are.
func TestParsePasswordProfile(t *testing.T) {
	for in, want := range map[string]PasswordProfile{"": ProfileFiche, "fiche": ProfileFiche, "cnil": ProfileCNIL} {
		if got, err := ParsePasswordProfile(in); err != nil || got != want {
			t.Errorf("%q: %q, %v; want %q", in, got, err, want)
		}
	}
	for _, in := range []string{"CNIL", " fiche", "none"} {
		if got, err := ParsePasswordProfile(in); err == nil || !strings.Contains(err.Error(), "fiche or cnil") {
			t.Errorf("%q: %q, %v; want an error that names the profiles", in, got, err)
		}
	}
}

// D6: typical passwords of people who are asked for a letter and a digit are refused.
// Passwords that are on no list are not.
func TestIsCommon(t *testing.T) {
	common := []string{
		"azerty12", "Azerty2026", "AZERTY!2026", "4zerty12", "azertyui1", "azertyui2580", "hjklm48264", "azertyuiopqsdf", "poiuytreza1", "qsdfghjklm12", "qwerty123456", "qwertyuiop12",
		"1q2w3e4r", "1q2w3e4r5t6y", "q1w2e3r4", "1a2z3e4r", "a1z2e3r4", "a1z2e3r4t5y6", "1qaz2wsx", "1qaz2wsx3edc", "2wsx3edc4rfv", "aqwzsxedc1", "wsaxdzcfe1", "a1b2c3d4", "1a2b3c4d",
		"12345678a", "a12345678", "123456789012", "98765432a", "abcdefgh1", "abcd1234", "1234abcd", "abc123def456", "aaaaaaa1", "11111111a", "a1a1a1a1", "abc1abc1abc1",
		"k7mxk7mx", "hahahaha1", "112233aabb", "00000000x", "        ",
		"motdepasse123", "Mot2Passe1", "password1", "Password1234", "P4ssw0rd", "p@$$w0rd!2026", "75p4ssword", "passwordpassword", "bienvenue1",
		"soleil2026", "2026Soleil", "S0leil2026", "5oleil2026", "soleilsoleil", "Soleil-Bonjour-1", "jetaime1", "J3t4im3", "iloveyou12", "doudou01",
		"Marie1978", "jean-paul75", "Hélène75", "NATHALIE59", "toulouse31", "Paris2024", "allezlom13", "psgparis1", "janvier2026", "lundi12345", "noel2025",
		"impots2026", "impotsgouv1", "tva12345", "Comptable1", "entreprise01", "administration1", "bascule1", "certificat2026", "abonne123", "espaceabonne1",
	}
	for _, s := range common {
		if !isCommon(s) {
			t.Errorf("%q is let through", s)
		}
	}
	rare := []string{
		"Xk7Tr2Qp", "k7Lm2Qz9", "gh7kq2wz", "mxk47abc", "Xk7Tr2QpXk7Tr2Qp", "Dupont75011x", "Soleil2026x", "xsoleil26", "Trombone42", "Tr0ub4dour3",
		"cheval correct pile agrafe", "quatre-vingt-dix-neuf", "Le chat dort sur le mur gris", "un deux trois quatre", "п@роль-длинный-очень",
		"a4815162", "4907182x", "", "x",
	}
	for _, s := range rare {
		if isCommon(s) {
			t.Errorf("%q is refused", s)
		}
	}
}

// D6: of passwords drawn at random fewer than one in a thousand is held for a common one.
func TestIsCommonRandom(t *testing.T) {
	const drawn = 5000
	const symbols = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	for _, alphabet := range []string{symbols[:26] + symbols[52:], symbols} {
		random := rand.New(rand.NewPCG(16, 8))
		for _, length := range []int{8, 12} {
			refused := 0
			for range drawn {
				b := make([]byte, length)
				for i := range b {
					b[i] = alphabet[random.IntN(len(alphabet))]
				}
				if checkFiche(string(b)) == nil && isCommon(string(b)) {
					refused++
				}
			}
			if refused > drawn/1000 {
				t.Errorf("%d of %d random passwords of %d out of %d symbols are refused", refused, drawn, length, len(alphabet))
			}
		}
	}
}

// D6: each line of the list can match and is needed: in the form that is compared, once, and not made of other lines.
func TestCommonPasswords(t *testing.T) {
	seen := make(map[string]bool)
	for line := range strings.Lines(commonList) {
		word := strings.TrimSuffix(line, "\n")
		switch {
		case word == "" || strings.HasPrefix(word, "#"):
			continue
		case word != text.Fold(word):
			t.Errorf("%q would be compared as %q", word, text.Fold(word))
		case len(word) < 3:
			t.Errorf("%q would refuse too much", word)
		case seen[word]:
			t.Errorf("%q stands twice", word)
		case !isCommon(word):
			t.Errorf("%q is let through", word)
		}
		seen[word] = true
	}
	if len(seen) < 600 || len(seen) != len(commonPasswords) {
		t.Errorf("%d words, %d in use", len(seen), len(commonPasswords))
	}
	for word := range seen {
		for i := 3; i <= len(word)-3; i++ {
			if seen[word[:i]] && seen[word[i:]] {
				t.Errorf("%q is %q and %q", word, word[:i], word[i:])
			}
		}
	}
}

// R16, D6: no text makes the check panic. An accepted password fits its profile and is
// accepted again.
func FuzzParsePassword(f *testing.F) {
	for _, s := range []string{"Xk7Tr2Qp", "cheval correct pile agrafe", "Soleil2026", "&é\"'(-è_çà)=", "жхцшщъыэюяби\u0306", "\xff\x00", "Xk7Tr2Q\u212a", "İİİİİİİİİİİİ"} {
		f.Add(s, "0481516")
	}
	f.Fuzz(func(t *testing.T, s, number string) {
		for _, profile := range []PasswordProfile{ProfileFiche, ProfileCNIL} {
			p, err := ParsePassword(s, profile, SubscriberNumber(number))
			if err != nil {
				var invalid *Invalid
				if !errors.As(err, &invalid) || p != (Password{}) {
					t.Fatalf("%s: %v", profile, err)
				}
				continue
			}
			n, least, most := utf8.RuneCountInString(p.secret), 8, 20
			if profile == ProfileCNIL {
				least, most = 12, 64
			}
			again, err := ParsePassword(p.secret, profile, SubscriberNumber(number))
			if n < least || n > most || err != nil || again != p {
				t.Fatalf("%s: %q was accepted, then %v", profile, p.secret, err)
			}
		}
	})
}
