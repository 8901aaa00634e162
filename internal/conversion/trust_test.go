package conversion

import (
	"strings"
	"testing"

	"bascule/internal/text"

	"pgregory.net/rapid"
)

// R18: case, accents, punctuation and spacing of an answer do not count, in any script; everything else does.
func TestParseTrustAnswer(t *testing.T) {
	same := [][]string{
		{"Médor", "medor", " MEDOR ", "me\u0301dor", "Médor !", "«\u00a0Médor\u00a0»", "M\u00e9dor\u200b", "ｍｅｄｏｒ"},
		{"rue de l'Église", "Rue de l’Eglise", "RUE DE L EGLISE", "rue-de-l'église", "Ruedeleglise"},
		{"2 CV", "2cv", "2-CV", "２ＣＶ"},
		{"Œuvre", "oeuvre", "ŒUVRE", "œuvre"},
		{"Ægir", "aegir"},
		{"Straße", "STRASSE", "STRAẞE"},
		{"Garçon", "garcon"},
		{"Ποσειδῶνος", "ΠΟΣΕΙΔΩΝΟΣ", "ποσειδωνοσ"},
		{"Барсик", "барсик", "БАРСИК"},
		{"ישראל", "יִשְׂרָאֵל"},
		{"محمد", "مُحَمَّد"},
		{"東京", "東 京", "「東京」"},
		{"İzmir", "izmir", "IZMIR", "ızmır"},
		{"ﬁdèle", "Fidele"},
		{"iＰhone 4²", "iphone42"},
		{"Hélène", "\xf6Hélène"},
	}
	for _, group := range same {
		first, err := ParseTrustAnswer(group[0])
		if err != nil {
			t.Fatalf("%q: %v", group[0], err)
		}
		for _, s := range group[1:] {
			if got, err := ParseTrustAnswer(s); err != nil || got != first {
				t.Errorf("%q reads as %q, %v; %q reads as %q", s, got.normal, err, group[0], first.normal)
			}
		}
	}
	seen := make(map[TrustAnswer]string)
	for _, s := range []string{"Médor", "Medora", "2 CV", "3 CV", "Барсик", "Барсика", "東京", "京東", "محمد", "Ποσειδῶνος", "rue 1", "rue 11", "한국", "한글", "राम", "श्याम"} {
		a, err := ParseTrustAnswer(s)
		if other, ok := seen[a]; ok || err != nil {
			t.Errorf("%q is the same answer as %q, %v", s, other, err)
		}
		seen[a] = s
	}
}

// R18: an answer has a letter or a digit, and at most 100 characters.
func TestParseTrustAnswerRefuses(t *testing.T) {
	tests := []struct {
		name, in string
		want     error
	}{
		{"empty", "", ErrAnswerMissing},
		{"blanks", " \u00a0\u200b", ErrAnswerMissing},
		{"signs alone", "?!… -", ErrAnswerMissing},
		{"emoji alone", "🐈", ErrAnswerMissing},
		{"an accent alone", "\u0301", ErrAnswerMissing},
		{"not UTF-8", "\xff\xfe", ErrAnswerMissing},
		{"100", strings.Repeat("é", 100), nil},
		{"100 and blanks", "  " + strings.Repeat("é", 100) + "\r\n", nil},
		{"101", strings.Repeat("é", 101), ErrAnswerLong},
		{"101 signs", strings.Repeat("-", 101), ErrAnswerLong},
		{"one letter", "é", nil},
	}
	for _, tt := range tests {
		a, err := ParseTrustAnswer(tt.in)
		wantError(t, tt.name, err, tt.want)
		if (err == nil) != (a != TrustAnswer{}) {
			t.Errorf("%s: %q with %v", tt.name, a.normal, err)
		}
	}
}

// R18: an answer that everybody guesses at once is not chosen; the words of another
// question are an answer like any other.
func TestChooseTrustAnswer(t *testing.T) {
	for _, tt := range []struct {
		in   string
		want error
	}{
		{"é", ErrAnswerShort}, {"?!7", ErrAnswerShort}, {"", ErrAnswerMissing}, {strings.Repeat("é", 101), ErrAnswerLong},
		{"Rue", ErrAnswerQuestion}, {"la rue", nil}, {"rue, grandi\u00a0!", ErrAnswerQuestion}, {"Dans quelle rue avez-vous grandi\u00a0?", ErrAnswerQuestion},
		{"dansquelleruea vezvousgrandi", ErrAnswerQuestion}, {"rue des Lilas", nil}, {"animal", nil}, {"75", nil}, {"東京", nil},
	} {
		a, err := ChooseTrustAnswer(tt.in, "enfance-rue")
		wantError(t, tt.in, err, tt.want)
		if (err == nil) != (a != TrustAnswer{}) {
			t.Errorf("%s: %q with %v", tt.in, a.normal, err)
		}
	}
}

// R18: every question of the list has its own value and text and is read back; nothing else is a question.
func TestTrustQuestions(t *testing.T) {
	texts := make(map[string]bool)
	for _, q := range TrustQuestions() {
		if got, err := ParseTrustQuestion(string(q)); err != nil || got != q {
			t.Errorf("%q reads as %q, %v", q, got, err)
		}
		if text := q.Text(); !strings.HasSuffix(text, "\u00a0?") || texts[text] {
			t.Errorf("%q has the text %q", q, text)
		}
		texts[q.Text()] = true
	}
	if len(texts) < 5 {
		t.Errorf("%d questions are too few to choose from", len(texts))
	}
	for _, s := range []string{"", "Animal", " animal", "autre"} {
		q, err := ParseTrustQuestion(s)
		wantError(t, s, err, ErrQuestionUnknown)
		if q != "" || TrustQuestion(s).Text() != "" {
			t.Errorf("%q reads as %q, shown as %q", s, q, TrustQuestion(s).Text())
		}
	}
}

// checkAnswer asserts what holds for every accepted answer (R18).
func checkAnswer(t interface{ Fatalf(string, ...any) }, a TrustAnswer) {
	if again := text.Fold(a.normal); a.normal == "" || again != a.normal {
		t.Fatalf("%q reads again as %q", a.normal, again)
	}
}

// R18: signs, blanks and case typed otherwise the second time never make a right answer wrong.
func TestTrustAnswerProperties(t *testing.T) {
	noise := rapid.SampledFrom([]string{"", "", " ", "-", "'", "’", "\u00a0", ". ", "\u200b"})
	rapid.Check(t, func(t *rapid.T) {
		word := rapid.StringMatching(`[a-zéèçœßA-Z0-9]{1,6}`)
		first, second := "", ""
		for range rapid.IntRange(1, 4).Draw(t, "words") {
			w := word.Draw(t, "word")
			first += noise.Draw(t, "noise") + w
			second += noise.Draw(t, "noise") + rapid.SampledFrom([]string{w, strings.ToUpper(w), strings.ToLower(w)}).Draw(t, "typed")
		}
		a, errA := ParseTrustAnswer(first)
		b, errB := ParseTrustAnswer(second)
		if errA != nil || errB != nil || a != b {
			t.Fatalf("%q reads as %q, %v; %q as %q, %v", first, a.normal, errA, second, b.normal, errB)
		}
		checkAnswer(t, a)
	})
}

// R18: no text makes the parser panic, and its result is stable: a hash made of it is found again.
func FuzzParseTrustAnswer(f *testing.F) {
	for _, s := range []string{"Médor", "Œuvre ẞ", "ΟΔΟΣ", "\ufdfa", "ŉ ǆ ſ", "\xff", "\xf6\u038f", "ᾳ", "한"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if a, err := ParseTrustAnswer(s); err == nil {
			checkAnswer(t, a)
		}
	})
}
