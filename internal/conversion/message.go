package conversion

import (
	"fmt"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/publicsuffix"
	"golang.org/x/text/unicode/norm"

	"bascule/internal/text"
)

// Message is what an administration itself says in the invitations and reminders of a
// campaign: plain text, its lines separated by LF. "" is none. ParseMessage makes it.
type Message string

// The bounds of a message: mails stay a page, and their code stays in sight.
const (
	MaxMessage      = 1000 // characters
	maxMessageLines = 20
	maxMessageLine  = 200 // characters
)

// Own are the names that belong to an administration. Links and addresses of its
// messages lead there alone.
type Own struct {
	site    *url.URL // PUBLIC_URL
	domains []string // and all that is below them
}

// NewOwn derives them: the host of PUBLIC_URL, and the registered domains of that host
// and of MAIL_FROM.
func NewOwn(site *url.URL, from Email) Own {
	o := Own{site: site}
	for _, host := range []string{ASCIIHost(site.Hostname()), from.Domain()} {
		if _, err := netip.ParseAddr(host); err == nil {
			continue
		}
		if domain, err := publicsuffix.EffectiveTLDPlusOne(host); err == nil {
			o.domains = append(o.domains, domain)
		}
	}
	return o
}

func (o Own) has(host string) bool {
	host = ASCIIHost(host)
	if host != "" && host == ASCIIHost(o.site.Hostname()) {
		return true
	}
	return slices.ContainsFunc(o.domains, func(d string) bool { return host == d || strings.HasSuffix(host, "."+d) })
}

// ASCIIHost is a host in the form that DNS compares; "" if it is none.
func ASCIIHost(host string) string {
	if _, err := netip.ParseAddr(host); err == nil {
		return host
	}
	ascii, err := domains.ToASCII(host)
	if err != nil {
		return ""
	}
	return ascii
}

// ParseMessage reads a message: at most MaxMessage characters of the languages of western
// and central Europe, in short lines. It refuses what could lead a reader astray: links
// and addresses of others, whatever mail programs may take for such, and what looks like
// an activation code. Nothing is "".
func ParseMessage(s string, own Own) (Message, error) {
	if !utf8.ValidString(s) {
		return "", invalid("the message is not UTF-8", "le message n’est pas en UTF-8")
	}
	lines := strings.Split(norm.NFC.String(strings.ReplaceAll(s, "\r\n", "\n")), "\n")
	for i, line := range lines {
		lines[i] = text.Trim(line)
	}
	m := strings.Trim(strings.Join(lines, "\n"), "\n")
	switch n := utf8.RuneCountInString(m); {
	case n > MaxMessage:
		return "", invalid(fmt.Sprintf("the message has %d characters, at most %d are allowed", n, MaxMessage),
			fmt.Sprintf("le message a %d caractères, %d au plus", n, MaxMessage))
	case strings.Count(m, "\n") >= maxMessageLines:
		return "", invalid(fmt.Sprintf("the message has more than %d lines", maxMessageLines), fmt.Sprintf("le message a plus de %d lignes", maxMessageLines))
	case hasCode(m):
		return "", invalid("the message holds something like an activation code", "le message contient ce qui ressemble à un code d’activation")
	}
	for i, line := range strings.Split(m, "\n") {
		if err := own.check(line); err != nil {
			return "", invalid(fmt.Sprintf("line %d of the message: %s", i+1, err.English), fmt.Sprintf("ligne %d du message\u00a0: %s", i+1, err.French))
		}
	}
	return Message(m), nil
}

func (o Own) check(line string) *Invalid {
	if utf8.RuneCountInString(line) > maxMessageLine {
		return invalid(fmt.Sprintf("it has more than %d characters", maxMessageLine), fmt.Sprintf("plus de %d caractères", maxMessageLine))
	}
	if i := strings.IndexFunc(line, isForeign); i >= 0 {
		r, _ := utf8.DecodeRuneInString(line[i:])
		return invalid(fmt.Sprintf("character %#U is not allowed", r), "caractère refusé\u00a0: "+Character(r))
	}
	if strings.Contains(line, "{{") {
		return invalid("{{ stands for nothing: the text is the same for all", "«\u00a0{{\u00a0» ne remplace rien\u00a0: le texte est le même pour tous")
	}
	for word := range strings.FieldsFuncSeq(line, separates) {
		word = strings.Trim(word, ".:!?…")
		if !o.admits(word) {
			return invalid(fmt.Sprintf("%q is, or looks like, an address elsewhere than on %s (put a blank after a full stop)", word, o),
				fmt.Sprintf("«\u00a0%s\u00a0» est une adresse, ou y ressemble, ailleurs que sur %s (mettez un espace après un point)", word, o))
		}
	}
	return nil
}

// String names the domains, for people.
func (o Own) String() string {
	if len(o.domains) == 0 {
		return o.site.Hostname()
	}
	return strings.Join(o.domains, ", ")
}

// isForeign tells the characters that a message does not need: controls, marks of
// direction, invisible ones, other scripts, look-alikes. Ligatures and Turkish letters
// that pass for others in a code are among them.
func isForeign(r rune) bool {
	known := r >= ' ' && r <= '~' || r >= 0xa0 && r < 0x17f && r != 0xad && r != 0x131
	return !known && !strings.ContainsRune("‐‑–—‘’‚“”„•…‹›€™−\u202f", r)
}

// separates tells what no address holds.
func separates(r rune) bool {
	return text.IsBlank(r) || strings.ContainsRune(`()[]{}<>«»‹›“”„‘’‚"'|,;`, r)
}

// admits tells whether a word is no link and no address, or one of the administration.
func (o Own) admits(word string) bool {
	switch {
	case strings.Contains(word, "://"):
		u, err := url.Parse(word)
		if err != nil || u.User != nil || u.Opaque != "" || strings.ContainsAny(word, `@\`) {
			return false
		}
		scheme := strings.ToLower(u.Scheme)
		return (scheme == "https" || scheme == "http" && o.site.Scheme == "http") && (u.Port() == "" || u.Port() == o.site.Port()) && o.has(u.Hostname())
	case strings.Contains(word, "@"):
		email, err := ParseEmail(word)
		return err == nil && o.has(email.Domain())
	}
	host, path := word, ""
	if i := strings.IndexAny(word, "/?#"); i >= 0 {
		host, path = word[:i], word[i:]
	}
	return o.admitsParts(host) && (o.has(host) || o.admitsParts(path))
}

// admitsParts tells whether no part of a word looks like the host of somebody else.
func (o Own) admitsParts(word string) bool {
	for part := range strings.FieldsFuncSeq(word, func(r rune) bool { return strings.ContainsRune(`/?#\:=&`, r) }) {
		if part = strings.Trim(part, "."); looksLikeHost(part) && !o.has(part) {
			return false
		}
	}
	return true
}

// hostShape is what mail programs make a link of: names with a full stop between them,
// the last one of two characters at the least, with a letter.
var hostShape = regexp.MustCompile(`^[\pL\pN_-]+(\.[\pL\pN_-]+)*\.[\pL\pN-]{2,}$`)

func looksLikeHost(s string) bool {
	return hostShape.MatchString(s) && strings.ContainsFunc(s[strings.LastIndexByte(s, '.'):], unicode.IsLetter)
}

// hasCode tells whether a text holds what a reader may take for a code: twelve symbols
// with a digit and no blank, or three groups of four with hyphens between them, or with
// blanks if they are neither words nor the numbers among them.
func hasCode(s string) bool {
	for word := range strings.FieldsFuncSeq(s, text.IsBlank) {
		if isCode(word) && !isWord(word) {
			return true
		}
	}
	groups := codeGroups.FindAllStringIndex(s, -1)
	for i := range len(groups) - 2 {
		if isGrouped(s, groups[i:i+3]) {
			return true
		}
	}
	return false
}

var codeGroups = regexp.MustCompile(`[0-9A-Za-z]+`)

// isGrouped tells whether three groups make a code together.
func isGrouped(s string, groups [][]int) bool {
	mixed, numbers := false, 0
	for _, g := range groups {
		group := s[g[0]:g[1]]
		if len(group) != 4 {
			return false
		}
		switch {
		case allDigits(group):
			numbers++
		case !isWord(group):
			mixed = true
		}
	}
	whole := s[groups[0][0]:groups[2][1]]
	return isCode(whole) && (mixed || numbers == len(groups) || strings.ContainsFunc(whole, isHyphen))
}

func isCode(s string) bool { _, err := ParseCode(s); return err == nil }

func isWord(s string) bool { return !strings.ContainsAny(s, "0123456789") }

func isHyphen(r rune) bool { return r == minusSign || unicode.Is(unicode.Pd, r) }
