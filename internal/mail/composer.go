package mail

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"bascule/internal/conversion"
)

// Composer writes the mails of one installation. The caller makes it once. Its methods
// do no input or output and may be called concurrently.
type Composer struct {
	from     Sender
	wordings map[variant]wording
}

// variant picks one wording of one mail.
type variant struct {
	kind   Kind
	traits traits
}

// wording is a variant in its two formats.
type wording struct{ text, html *form }

// Office is the sender of the mails of an installation.
type Office struct {
	From           Sender
	Administration conversion.Administration // stands at the head and the foot; may be zero
	PublicURL      string                    // PUBLIC_URL: scheme and host
	Help           string                    // about the assistance (R32), one line per line; may not be empty
	Certificates   bool                      // the site lets holders of a certificate enter with it
}

// NewComposer prepares every mail.
func NewComposer(o Office) (*Composer, error) {
	o.Help = strings.TrimSpace(strings.ReplaceAll(o.Help, "\r\n", "\n"))
	switch {
	case o.From.Address.IsZero():
		return nil, errors.New("mails need a sender")
	case o.Help == "" || !utf8.ValidString(o.Help):
		return nil, errors.New("the help text must be UTF-8 and not empty: every mail holds it")
	case strings.Contains(o.PublicURL+o.Help+o.Administration.String(), slotOpen):
		return nil, fmt.Errorf("the text %q is reserved", slotOpen)
	}
	c := &Composer{from: o.From, wordings: make(map[variant]wording)}
	return c, c.compileAll(o)
}

// Digest identifies the texts of invitations and reminders, whoever gets them. It
// changes if a template or the office changes a text.
func (c *Composer) Digest(message conversion.Message) string {
	var sums []string
	for v, w := range c.wordings {
		if v.kind == KindCode || v.kind == "reminder" {
			sum := sha256.Sum256([]byte(Part{w.text, &values{}, verbatim}.String() + Part{w.html, &values{}, htmlEscape}.String()))
			sums = append(sums, string(sum[:]))
		}
	}
	slices.Sort(sums)
	sum := sha256.Sum256([]byte(c.from.Name + "\n" + c.from.Address.Mailbox() + "\n" + strings.Join(sums, "") + string(message)))
	return hex.EncodeToString(sum[:8])
}

func (c *Composer) compileAll(o Office) error {
	text, html, err := parseTemplates()
	if err != nil {
		return err
	}
	for _, v := range variants() {
		var w wording
		if w.text, err = compile(text, string(v.kind)+".txt", o.data(v)); err != nil {
			return err
		}
		if w.html, err = compile(html, string(v.kind)+".html", o.data(v)); err != nil {
			return err
		}
		c.wordings[v] = w
	}
	return nil
}

// data is what a template knows beside the slots.
func (o Office) data(v variant) map[string]any {
	data := map[string]any{
		"URL": o.PublicURL, "Help": strings.Split(o.Help, "\n"), "Administration": o.Administration.String(), "Short": o.Administration.Short,
		"Certificates": o.Certificates,
	}
	for name, trait := range traitNames {
		data[name] = v.traits&trait != 0
	}
	return data
}

// variants lists every wording of every mail.
func variants() (all []variant) {
	for kind, m := range manners {
		for t := range allTraits {
			if t&^m.uses == 0 && (t&past == 0 || t&dated != 0) {
				all = append(all, variant{kind, t})
			}
		}
	}
	return all
}

// Mask shows just enough of an address for its owner to know it: "j…@c….example".
func Mask(e conversion.Email) string {
	local, domain, ok := strings.Cut(e.Mailbox(), "@")
	if !ok {
		return ""
	}
	top := strings.LastIndexByte(domain, '.')
	return first(local) + "…@" + first(domain[:top]) + "…" + domain[top:]
}

// first is the first character of s, or nothing if s has no other.
func first(s string) string {
	r, n := utf8.DecodeRuneInString(s)
	if n == len(s) {
		return ""
	}
	return string(r)
}
