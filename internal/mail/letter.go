package mail

import (
	"fmt"
	"net/url"
	"strconv"
	"time"

	"bascule/internal/conversion"
)

// A Kind is what a mail is about: the name of its templates. The database has the same
// names.
type Kind string

// KindCode is the kind of an invitation, and of any other mail with an activation code
// (R19, R23).
const KindCode Kind = "code"

// A manner is what the kinds of mails differ in.
type manner struct {
	subject string // after the subscriber number
	uses    traits // those that change its text
}

// manners are the kinds of mails.
var manners = map[Kind]manner{
	KindCode:            {"votre code d’activation pour l’accès sans certificat", chosen | shared | dated | past | taken | trial | message},
	"reminder":          {"rappel, votre code d’activation est encore valable", dated | past | message},
	"notice":            {"une autre adresse a été choisie", again | dropped},
	"switch-notice":     {"l’accès sans certificat est activé avec une autre adresse", 0},
	"confirmation":      {"l’accès sans certificat est activé", 0},
	"expired":           {"votre code d’activation n’est plus valable", dated | past},
	"reset":             {"choisissez un nouveau mot de passe", 0},
	"password-notice":   {"votre mot de passe a été modifié", 0},
	"identifier":        {"confirmez votre nouvel identifiant", 0},
	"identifier-notice": {"votre identifiant a été modifié", 0},
	"siege-notice":      {"des essais d’accès ont été bloqués", 0},
}

// A Letter is what a mail about a space may tell. Each kind tells what its templates
// have a place for.
type Letter struct {
	Head
	Kind        Kind
	Number      conversion.SubscriberNumber
	Holder      string
	Code        conversion.Code
	Deadline    time.Time          // of the code; printed to the minute, rounded down (D4); zero if there is none
	Certificate time.Time          // midnight UTC of the certificate's last day; zero if unknown
	Sharing     int                // spaces whose contact is this address, this one included (D2)
	Taken       bool               // the address is the identifier of a password space already: another one must be chosen (R6)
	Chosen      bool               // the subscriber chose the address: the code activates at once (D1)
	Message     conversion.Message // of the campaign
	Other       conversion.Email   // the address chosen in place of this one, never told in full; zero once it was refused and dropped (D1)
	At          time.Time          // when it happened
	Recap       []byte             // the PDF to attach, if there is one (R28)
	Trial       bool               // somebody looks at it before any leaves: « ESSAI » is in it, and its code opens nothing
}

// trialCode has the shape of a code, and is none: no code holds a U.
const trialCode = "ESSA-IUUU-UUUU"

// Write writes a mail. The subject names the space, as an accounting firm gets many of
// these mails. It never has the code, as a locked screen would show it.
func (c *Composer) Write(l Letter) Message {
	m := manners[l.Kind]
	w, ok := c.wordings[variant{l.Kind, l.traits() & m.uses}]
	if !ok {
		panic("no form for a mail") // an empty mail must not go out
	}
	vals := l.values()
	out := Message{
		Head: l.Head, From: c.from,
		Subject: "Espace abonné " + string(l.Number) + "\u00a0: " + m.subject,
		Text:    Part{w.text, &vals, verbatim},
		HTML:    Part{w.html, &vals, htmlEscape},
	}
	if l.Trial {
		out.Subject = "«\u00a0ESSAI\u00a0» " + out.Subject
	}
	if l.Recap != nil {
		out.Attachment = &Attachment{Name: fmt.Sprintf("recapitulatif-%s.pdf", l.Number), Bytes: l.Recap}
	}
	return out
}

func (l Letter) values() values {
	code := l.Code.String()
	if l.Trial {
		code = trialCode
	}
	return values{
		slotNumber: string(l.Number), slotHolder: l.Holder, slotAddress: l.To.String(), slotFragment: url.QueryEscape(l.To.String()),
		slotCode: code, slotDeadline: french(l.Deadline, conversion.FrenchTime), slotCertificate: french(l.Certificate, conversion.FrenchDate),
		slotSharing: sharing(l.Sharing), slotOther: Mask(l.Other), slotDay: french(l.At, conversion.FrenchTime), slotMessage: string(l.Message),
	}
}

// french is an instant in French, "" for none.
func french(t time.Time, format func(time.Time) string) string {
	if t.IsZero() {
		return ""
	}
	return format(t)
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

// traits are what one kind of mail is worded by.
type traits uint

const (
	chosen  traits = 1 << iota // the subscriber chose the address
	shared                     // other spaces have it too
	dated                      // the certificate's last day is known
	past                       // the certificate's last day is over
	again                      // the contact's code still opens the identifiers
	taken                      // the address is another space's identifier already
	dropped                    // the chosen address was refused and counts no more
	trial                      // it is to be looked at, its code opens nothing
	message                    // the administration adds words of its own
	allTraits
)

// traitNames are the names that templates use.
var traitNames = map[string]traits{
	"Chosen": chosen, "Shared": shared, "Dated": dated, "Past": past, "Again": again, "Taken": taken,
	"Dropped": dropped, "Trial": trial, "HasMessage": message,
}

func (l Letter) traits() (all traits) {
	has := func(t traits, so bool) {
		if so {
			all |= t
		}
	}
	has(chosen, l.Chosen)
	has(taken, l.Taken && !l.Chosen)
	has(shared, l.Sharing > 1 && !l.Taken && !l.Chosen)
	has(dated, !l.Certificate.IsZero())
	has(past, !l.Certificate.IsZero() && conversion.DayOver(l.Certificate, l.Date))
	has(again, !l.Deadline.IsZero())
	has(dropped, l.Other.IsZero())
	has(trial, l.Trial)
	has(message, l.Message != "")
	return all
}
