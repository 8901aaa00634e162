package web

import (
	"html/template"
	"regexp"
	"strings"
)

// A textRun is a piece of the operator's text. It has a link if it is an address of the
// web or of mail, or a telephone number.
type textRun struct {
	Words string
	Link  template.URL
}

// reachable matches an address without the punctuation that follows it. A number of
// France has ten digits, with or without its country. A short number has four, and
// counts only after a word that announces it.
var reachable = regexp.MustCompile(`(https?://[^\s\pZ<>"«»]*[^\s\pZ<>"«».,;:!?)\]])` +
	`|([\pL\d.+_-]+@[\pL\d-]+(?:\.[\pL\d-]+)+)` +
	`|(?:^|[^\d+])((?:\+33[\s.-]?|0)[\s.-]?\d(?:[\s\pZ.-]?\d){8})(?:\D|$)` +
	`|(?i:tél(?:éphone|\.)?|numéro|appelez|le|au)[\s\pZ:]*(3[\s\pZ.]?\d[\s\pZ.]?\d\d|10\d\d)(?:\D|$)`)

// linkify cuts a text. Unknown parts stay text.
func linkify(text string) []textRun {
	var runs []textRun
	for {
		m := reachable.FindStringSubmatchIndex(text)
		if m == nil {
			return append(runs, textRun{Words: text})
		}
		for group, scheme := range []string{1: "", 2: "mailto:", 3: "tel:", 4: "tel:"} {
			if group == 0 || m[2*group] < 0 {
				continue
			}
			from, to := m[2*group], m[2*group+1]
			words := text[from:to]
			target := words
			if scheme == "tel:" {
				target = strings.Map(dialled, words)
			}
			runs = append(runs, textRun{Words: text[:from]}, textRun{Words: words, Link: template.URL(scheme + target)})
			text = text[to:]
		}
	}
}

// dialled keeps the characters that a telephone dials.
func dialled(r rune) rune {
	if r == '+' || r >= '0' && r <= '9' {
		return r
	}
	return -1
}
