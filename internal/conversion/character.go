package conversion

import (
	"cmp"
	"fmt"
	"unicode"
)

// naming is e with the wrong character, so that the reader finds it.
func (e *Invalid) naming(r rune) *Invalid {
	return &Invalid{
		English: fmt.Sprintf("%s: character %#U", e.English, r),
		French:  e.French + "\u00a0; caractère refusé\u00a0: " + Character(r),
		kind:    e,
	}
}

// adding is e with more of the reason, so that the reader knows what to change.
func (e *Invalid) adding(english, french string) *Invalid {
	return &Invalid{English: e.English + "; " + english, French: e.French + "\u00a0; " + french, kind: cmp.Or(e.kind, e)}
}

// Character names a character in French, for people. A visible character stands for
// itself, one beyond ASCII also gets its number, and an invisible one its name. Everybody
// knows the space without its number.
func Character(r rune) string {
	number := fmt.Sprintf("U+%04X", r)
	switch {
	case r == ' ':
		return "espace"
	case r > ' ' && r < 0x7f:
		return "«\u00a0" + string(r) + "\u00a0»"
	case characters[r] != "":
		return number + " (" + characters[r] + ")"
	case unicode.IsControl(r):
		return number + " (caractère de commande)"
	case unicode.IsSpace(r):
		return number + " (espace)"
	case unicode.IsMark(r):
		return number + " (signe diacritique)"
	case !unicode.IsGraphic(r):
		return number + " (caractère invisible)"
	}
	return "«\u00a0" + string(r) + "\u00a0» (" + number + ")"
}

// characters are the invisible characters that spreadsheets hide.
var characters = map[rune]string{
	0: "caractère nul", '\t': "tabulation", '\n': "saut de ligne", '\v': "tabulation verticale", '\f': "saut de page", '\r': "retour chariot",
	0x1a: "fin de fichier, Ctrl-Z", 0x85: "saut de ligne", 0xa0: "espace insécable", 0xad: "trait d’union conditionnel",
	0x200b: "espace sans chasse", 0x200c: "antiliant sans chasse", 0x200d: "liant sans chasse", 0x200e: "marque gauche à droite", 0x200f: "marque droite à gauche",
	0x2028: "saut de ligne", 0x2029: "saut de paragraphe", 0x202f: "espace fine insécable", 0x2060: "gluon de mots", 0xfeff: "marque d’ordre des octets",
	0xfffd: "caractère de remplacement",
}
