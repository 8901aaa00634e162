package mail

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"
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
	name    string
	chosen  bool
	shared  bool
	dated   bool // the certificate's last day is known
	past    bool // the certificate's last day is over
	again   bool // the contact's code still opens the identifiers
	taken   bool // the address is another space's identifier already
	dropped bool // the chosen address was refused and counts no more
	trial   bool // it is to be looked at, its code opens nothing
	message bool // the administration adds words of its own
}

// wording is a variant in its two formats.
type wording struct{ text, html *form }

// Office is the sender of the mails of an installation.
type Office struct {
	From           Sender
	Administration conversion.Administration // stands at the head and the foot; may be zero
	PublicURL      string                    // PUBLIC_URL, http or https, with neither query nor fragment
	Help           string                    // about the assistance (R32), one line per line; may not be empty
	Certificates   bool                      // the site lets holders of a certificate enter with it
}

// NewComposer prepares every mail.
func NewComposer(o Office) (*Composer, error) {
	base, err := baseURL(o.PublicURL)
	if err != nil {
		return nil, err
	}
	o.PublicURL = base
	o.Help = strings.TrimSpace(strings.ReplaceAll(o.Help, "\r\n", "\n"))
	switch {
	case o.From.Address.IsZero():
		return nil, errors.New("mails need a sender")
	case o.Help == "" || !utf8.ValidString(o.Help):
		return nil, errors.New("the help text must be UTF-8 and not empty: every mail holds it")
	case strings.Contains(base+o.Help+o.Administration.String(), slotOpen):
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
		if v.name == "activation" || v.name == "reminder" {
			sum := sha256.Sum256([]byte(Part{w.text, &values{}, verbatim}.String() + Part{w.html, &values{}, htmlEscape}.String()))
			sums = append(sums, string(sum[:]))
		}
	}
	slices.Sort(sums)
	sum := sha256.Sum256([]byte(c.from.Name + "\n" + c.from.Address.Mailbox() + "\n" + strings.Join(sums, "") + string(message)))
	return hex.EncodeToString(sum[:8])
}

func baseURL(s string) (string, error) {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return "", fmt.Errorf("public URL %q is not of the form https://host", s)
	}
	return strings.TrimRight(u.String(), "/"), nil
}

func (c *Composer) compileAll(o Office) error {
	text, html, err := parseTemplates()
	if err != nil {
		return err
	}
	for _, v := range variants() {
		var w wording
		if w.text, err = compile(text, v.name+".txt", o.data(v)); err != nil {
			return err
		}
		if w.html, err = compile(html, v.name+".html", o.data(v)); err != nil {
			return err
		}
		c.wordings[v] = w
	}
	return nil
}

// data is what a template knows beside the slots.
func (o Office) data(v variant) map[string]any {
	return map[string]any{
		"URL": o.PublicURL, "Help": strings.Split(o.Help, "\n"), "Administration": o.Administration.String(), "Short": o.Administration.Short,
		"Chosen": v.chosen, "Shared": v.shared, "Dated": v.dated, "Past": v.past, "Again": v.again, "Taken": v.taken, "Dropped": v.dropped, "Trial": v.trial, "HasMessage": v.message,
		"Certificates": o.Certificates,
	}
}

// variants lists every wording of every mail.
func variants() []variant {
	var all []variant
	for bits := range 512 {
		on := func(i int) bool { return bits>>i&1 == 1 }
		v := variant{chosen: on(0), shared: on(1), dated: on(2), past: on(3), again: on(4), taken: on(5), dropped: on(6), trial: on(7), message: on(8)}
		for name, uses := range map[string]variant{
			"activation":    {chosen: true, shared: true, dated: true, past: true, taken: true, trial: true, message: true},
			"other_address": {again: true, dropped: true},
			"confirmation":  {},
			"reminder":      {dated: true, past: true, message: true},
			"expired":       {dated: true, past: true},
			"reset":         {},
			"switched":      {},
			"password":      {},
			"siege":         {},
			"identifier":    {},
			"moved":         {},
		} {
			if v.within(uses) {
				v.name = name
				all = append(all, v)
			}
		}
	}
	return all
}

func (v variant) within(uses variant) bool {
	return !(v.chosen && !uses.chosen || v.shared && !uses.shared || v.dated && !uses.dated ||
		v.past && !(uses.past && v.dated) || v.again && !uses.again || v.taken && !uses.taken || v.dropped && !uses.dropped || v.trial && !uses.trial || v.message && !uses.message)
}

// write fills a variant. The subject names the space, as an accounting firm gets many
// of these mails. It never has the code, as a locked screen would show it.
func (c *Composer) write(v variant, head Head, subject string, vals values) Message {
	vals[slotAddress] = head.To.String()
	vals[slotFragment] = url.QueryEscape(head.To.String())
	w, ok := c.wordings[v]
	if !ok {
		panic("no form for a mail") // an empty mail must not go out
	}
	return Message{
		Head:    head,
		From:    c.from,
		Subject: "Espace abonné " + vals[slotNumber] + "\u00a0: " + subject,
		Text:    Part{w.text, &vals, verbatim},
		HTML:    Part{w.html, &vals, htmlEscape},
	}
}

// lastDay tells whether the certificate's last day is known, and whether it is over at
// the time of the mail.
func lastDay(certificate, now time.Time) (known, past bool) {
	if certificate.IsZero() {
		return false, false
	}
	y, m, d := now.In(conversion.Paris).Date()
	return true, certificate.Before(time.Date(y, m, d, 0, 0, 0, 0, time.UTC))
}

func frenchDay(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return conversion.FrenchDate(t)
}

func frenchMinute(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return conversion.FrenchTime(t)
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
