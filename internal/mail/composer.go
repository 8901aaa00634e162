package mail

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
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

// Activation is the mail with the code (R19, R23).
type Activation struct {
	Head
	Number      conversion.SubscriberNumber
	Holder      string
	Code        conversion.Code
	Deadline    time.Time // printed to the minute, rounded down (D4)
	Certificate time.Time // midnight UTC of the certificate's last day; zero if unknown
	Sharing     int       // spaces whose contact is this address, this one included (D2)
	Taken       bool      // the address is the identifier of a password space already: another one must be chosen (R6)
	Chosen      bool      // the subscriber chose the address: the code activates at once (D1)
	Message     conversion.Message
}

// Activation writes the mail with the code.
func (c *Composer) Activation(a Activation) Message { return c.activation(a, a.Code.String(), false) }

// trialCode has the shape of a code, and is none: no code holds a U.
const trialCode = "ESSA-IUUU-UUUU"

// Trial writes the same mail for somebody to look at before any leaves. « ESSAI » is in
// its subject and in its first line, and its code opens nothing.
func (c *Composer) Trial(a Activation) Message {
	m := c.activation(a, trialCode, true)
	m.Subject = "«\u00a0ESSAI\u00a0» " + m.Subject
	return m
}

func (c *Composer) activation(a Activation, code string, trial bool) Message {
	v := variant{name: "activation", chosen: a.Chosen, taken: a.Taken && !a.Chosen, shared: a.Sharing > 1 && !a.Taken && !a.Chosen, trial: trial, message: a.Message != ""}
	v.dated, v.past = lastDay(a.Certificate, a.Date)
	return c.write(v, a.Head, "votre code d’activation pour l’accès sans certificat", values{
		slotNumber: string(a.Number), slotHolder: a.Holder,
		slotCode: code, slotDeadline: conversion.FrenchTime(a.Deadline),
		slotCertificate: frenchDay(a.Certificate), slotSharing: sharing(a.Sharing), slotMessage: string(a.Message),
	})
}

// maxSharing is how far spaces that share an address are counted. Nobody needs to know
// more exactly, and counting a million of them would slow down each mail.
const maxSharing = 1000

// sharing tells how many spaces share an address, as the beginning of a sentence.
func sharing(n int) string {
	switch {
	case n > maxSharing:
		return "Plus de 1\u00a0000"
	case n == maxSharing:
		return "1\u00a0000"
	}
	return strconv.Itoa(n)
}

// OtherAddress tells the contact that another address was chosen (D1). It tells neither
// the code nor that address in full.
type OtherAddress struct {
	Head
	Number       conversion.SubscriberNumber
	Holder       string
	Chosen       conversion.Email // the zero Email once the address was refused and dropped
	At           time.Time
	ContactUntil time.Time // the contact's own code opens the identifiers until this instant; zero if it does not (D8)
}

// OtherAddress writes the notice to the contact address.
func (c *Composer) OtherAddress(o OtherAddress) Message {
	v := variant{name: "other_address", again: !o.ContactUntil.IsZero(), dropped: o.Chosen.IsZero()}
	return c.write(v, o.Head, "une autre adresse a été choisie", values{
		slotNumber: string(o.Number), slotHolder: o.Holder, slotOther: Mask(o.Chosen),
		slotDay: conversion.FrenchTime(o.At), slotDeadline: frenchMinute(o.ContactUntil),
	})
}

// Confirmation tells that the space was switched, and brings the recap (R27, R28).
type Confirmation struct {
	Head
	Number conversion.SubscriberNumber
	Holder string
	At     time.Time
	Recap  []byte // the PDF
}

// Confirmation writes the mail that follows an activation.
func (c *Composer) Confirmation(f Confirmation) Message {
	m := c.write(variant{name: "confirmation"}, f.Head, "l’accès sans certificat est activé", values{
		slotNumber: string(f.Number), slotHolder: f.Holder, slotDay: conversion.FrenchTime(f.At),
	})
	m.Attachments = []Attachment{{Name: fmt.Sprintf("recapitulatif-%s.pdf", f.Number), Type: "application/pdf", Bytes: f.Recap}}
	return m
}

// Reminder repeats the code of an invitation that nobody has typed, at half time (D16).
type Reminder struct {
	Head
	Number      conversion.SubscriberNumber
	Holder      string
	Code        conversion.Code
	Deadline    time.Time // as the invitation said it
	Certificate time.Time // midnight UTC of the certificate's last day; zero if unknown
	Message     conversion.Message
}

// Reminder writes the mail that says that the code is still good.
func (c *Composer) Reminder(r Reminder) Message {
	v := variant{name: "reminder", message: r.Message != ""}
	v.dated, v.past = lastDay(r.Certificate, r.Date)
	return c.write(v, r.Head, "rappel, votre code d’activation est encore valable", values{
		slotNumber: string(r.Number), slotHolder: r.Holder, slotCode: r.Code.String(),
		slotDeadline: conversion.FrenchTime(r.Deadline), slotCertificate: frenchDay(r.Certificate), slotMessage: string(r.Message),
	})
}

// Expired tells that the code was not used in time, and how to start again (R21).
type Expired struct {
	Head
	Number      conversion.SubscriberNumber
	Holder      string
	Deadline    time.Time
	Certificate time.Time // midnight UTC of the certificate's last day; zero if unknown
}

// Expired writes the mail about a code that is no longer good.
func (c *Composer) Expired(e Expired) Message {
	v := variant{name: "expired"}
	v.dated, v.past = lastDay(e.Certificate, e.Date)
	return c.write(v, e.Head, "votre code d’activation n’est plus valable", values{
		slotNumber: string(e.Number), slotHolder: e.Holder,
		slotDeadline: conversion.FrenchTime(e.Deadline), slotCertificate: frenchDay(e.Certificate),
	})
}

// Reset is the mail with the code for a new password (R31).
type Reset struct {
	Head
	Number   conversion.SubscriberNumber
	Holder   string
	Code     conversion.Code
	Deadline time.Time // printed to the minute, rounded down
}

// Reset writes the mail with the code for a new password.
func (c *Composer) Reset(r Reset) Message {
	return c.write(variant{name: "reset"}, r.Head, "choisissez un nouveau mot de passe", values{
		slotNumber: string(r.Number), slotHolder: r.Holder,
		slotCode: r.Code.String(), slotDeadline: conversion.FrenchTime(r.Deadline),
	})
}

// Switched tells the contact that the space was switched under another address. It does
// not tell that address in full (D1, D8).
type Switched struct {
	Head
	Number conversion.SubscriberNumber
	Holder string
	Chosen conversion.Email
	At     time.Time
}

// Switched writes the notice to the contact address.
func (c *Composer) Switched(s Switched) Message {
	return c.write(variant{name: "switched"}, s.Head, "l’accès sans certificat est activé avec une autre adresse", values{
		slotNumber: string(s.Number), slotHolder: s.Holder, slotOther: Mask(s.Chosen), slotDay: conversion.FrenchTime(s.At),
	})
}

// PasswordChanged tells the owner of a space that its password has changed.
type PasswordChanged struct {
	Head
	Number conversion.SubscriberNumber
	Holder string
	At     time.Time
}

// PasswordChanged writes the notice that follows a change of the password.
func (c *Composer) PasswordChanged(p PasswordChanged) Message {
	return c.write(variant{name: "password"}, p.Head, "votre mot de passe a été modifié", values{
		slotNumber: string(p.Number), slotHolder: p.Holder, slotDay: conversion.FrenchTime(p.At),
	})
}

// Identifier is the mail with the code that proves another identifier.
type Identifier struct {
	Head
	Number   conversion.SubscriberNumber
	Holder   string
	Code     conversion.Code
	Deadline time.Time // printed to the minute, rounded down
}

// Identifier writes the mail with the code that proves another identifier.
func (c *Composer) Identifier(i Identifier) Message {
	return c.write(variant{name: "identifier"}, i.Head, "confirmez votre nouvel identifiant", values{
		slotNumber: string(i.Number), slotHolder: i.Holder,
		slotCode: i.Code.String(), slotDeadline: conversion.FrenchTime(i.Deadline),
	})
}

// IdentifierChanged tells the old identifier of a space that it opens the space no
// more.
type IdentifierChanged struct {
	Head
	Number conversion.SubscriberNumber
	Holder string
	At     time.Time
}

// IdentifierChanged writes the notice to the old identifier.
func (c *Composer) IdentifierChanged(i IdentifierChanged) Message {
	return c.write(variant{name: "moved"}, i.Head, "votre identifiant a été modifié", values{
		slotNumber: string(i.Number), slotHolder: i.Holder, slotDay: conversion.FrenchTime(i.At),
	})
}

// Siege tells the owner of a space that strangers guessed at it and were stopped.
type Siege struct {
	Head
	Number conversion.SubscriberNumber
	Holder string
	At     time.Time
}

// Siege writes the notice about guesses that were stopped.
func (c *Composer) Siege(s Siege) Message {
	return c.write(variant{name: "siege"}, s.Head, "des essais d’accès ont été bloqués", values{
		slotNumber: string(s.Number), slotHolder: s.Holder, slotDay: conversion.FrenchTime(s.At),
	})
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
