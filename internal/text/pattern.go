package text

import (
	"strings"
	"sync"
	"unicode"
)

// Patterns are regular expressions, one for each word of s. A text matches all of them if
// each word of s is one of its words, or a part of one. Order, case and accents do not
// count. They hold letters and digits, classes of these, and alternatives: Go and
// PostgreSQL read them alike.
func Patterns(s string) []string {
	var list []string
	for word := range strings.FieldsFuncSeq(Visible(s), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }) {
		if folded := Fold(word); folded != "" {
			list = append(list, pattern(folded))
		}
	}
	return list
}

// pattern matches texts that fold to a folded word.
func pattern(folded string) string {
	var b strings.Builder
	letters, same := []rune(folded), written()
	for i := 0; i < len(letters); i++ {
		one := class(same[string(letters[i])], letters[i])
		if i+1 < len(letters) && len(same[string(letters[i:i+2])]) > 0 { // such as œ
			two := letters[i : i+2]
			b.WriteString("(?:" + one + class(same[string(two[1])], two[1]) + "|" + class(same[string(two)]) + ")")
			i++
			continue
		}
		b.WriteString(one)
	}
	return b.String()
}

func class(same []rune, or ...rune) string {
	if len(same) == 0 {
		same = or
	}
	return "[" + string(same) + "]"
}

// written has the characters that fold to a letter, to two letters, or to a digit. It
// knows the alphabets of Europe.
var written = sync.OnceValue(func() map[string][]rune {
	const last = '\u1FFF'
	m := make(map[string][]rune)
	for r := rune('0'); r <= last; r++ {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			folded := Fold(string(r))
			m[folded] = append(m[folded], r)
		}
	}
	return m
})
