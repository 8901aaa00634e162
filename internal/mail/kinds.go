package mail

// Each kind of mail is a type, which says what it tells, and a method that writes it.

import (
	"fmt"
	"strconv"
	"time"

	"bascule/internal/conversion"
)

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
