package conversion

import (
	"log/slog"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"bascule/internal/text"
)

// TrustQuestion is one question of the drop-down list (R18). Forms and the database
// hold its value. It never changes once published.
type TrustQuestion string

// trustQuestions in the order of the drop-down list.
var trustQuestions = []struct {
	id   TrustQuestion
	text string
}{
	{"enfance-rue", "Dans quelle rue avez-vous grandi\u00a0?"},
	{"premier-professeur", "Quel est le nom de votre premier professeur\u00a0?"},
	{"premier-emploi", "Dans quelle ville avez-vous occupé votre premier emploi\u00a0?"},
	{"animal", "Quel est le nom de votre premier animal de compagnie\u00a0?"},
	{"livre", "Quel livre vous a le plus marqué\u00a0?"},
	{"grand-mere", "Quel est le prénom de votre grand-mère maternelle\u00a0?"},
	{"rencontre", "Dans quelle ville vos parents se sont-ils rencontrés\u00a0?"},
	{"premiere-voiture", "Quel était le modèle de votre première voiture\u00a0?"},
}

// TrustQuestions lists the questions that can be picked, in order.
func TrustQuestions() []TrustQuestion {
	list := make([]TrustQuestion, len(trustQuestions))
	for i, q := range trustQuestions {
		list[i] = q.id
	}
	return list
}

// ParseTrustQuestion reads the value of the drop-down list. It returns
// ErrQuestionUnknown.
func ParseTrustQuestion(s string) (TrustQuestion, error) {
	if q := TrustQuestion(s); q.Text() != "" {
		return q, nil
	}
	return "", ErrQuestionUnknown
}

// Text is the question as the subscriber reads it.
func (q TrustQuestion) Text() string {
	for _, known := range trustQuestions {
		if known.id == q {
			return known.text
		}
	}
	return ""
}

// TrustAnswer is the answer to the trust question, in the form in which it is
// hashed and compared. It is a secret like the password (R18).
type TrustAnswer struct{ normal string }

const maxAnswer = 100

// ParseTrustAnswer reads an answer of at most 100 characters. Case, accents,
// punctuation and spacing do not count, as nobody remembers them: "2CV" and "2 cv" are
// one answer. It returns ErrAnswerMissing, also where no letter or digit is left, or
// ErrAnswerLong.
func ParseTrustAnswer(s string) (TrustAnswer, error) {
	if utf8.RuneCountInString(text.Trim(s)) > maxAnswer {
		return TrustAnswer{}, ErrAnswerLong
	}
	normal := text.Fold(s)
	if normal == "" {
		return TrustAnswer{}, ErrAnswerMissing
	}
	return TrustAnswer{normal}, nil
}

// ChooseTrustAnswer reads an answer that somebody chooses. It returns ErrAnswerShort or
// ErrAnswerQuestion for an answer that is guessed at once, and the errors of
// ParseTrustAnswer.
func ChooseTrustAnswer(s string, q TrustQuestion) (TrustAnswer, error) {
	a, err := ParseTrustAnswer(s)
	switch {
	case err != nil:
		return TrustAnswer{}, err
	case utf8.RuneCountInString(a.normal) < 2:
		return TrustAnswer{}, ErrAnswerShort
	case a.normal == text.Fold(q.Text()) || q.holds(words(s)):
		return TrustAnswer{}, ErrAnswerQuestion
	}
	return a, nil
}

// holds tells whether all the words are the question's own.
func (q TrustQuestion) holds(all []string) bool {
	own := words(q.Text())
	return !slices.ContainsFunc(all, func(word string) bool { return !slices.Contains(own, word) })
}

// words are the words of a text in the form in which they are compared.
func words(s string) []string {
	list := strings.FieldsFunc(s, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsMark(r) && !unicode.IsDigit(r) })
	for i := range list {
		list[i] = text.Fold(list[i])
	}
	return list
}

// String hides the answer.
func (a TrustAnswer) String() string { return "[answer]" }

// GoString hides the answer from %#v.
func (a TrustAnswer) GoString() string { return "[answer]" }

// LogValue keeps answers out of structured logs (I6).
func (a TrustAnswer) LogValue() slog.Value { return slog.StringValue("[answer]") }
