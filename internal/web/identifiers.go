package web

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"

	"bascule/internal/conversion"
	"bascule/sql"
)

// identifierFields are the fields of the second screen, in order.
var identifierFields = [...]string{
	"new_email", "new_email_confirmation", "password", "password_confirmation", "question", "answer", "consent",
}

// hasIdentifiers tells the second screen's form from the first one's.
func hasIdentifiers(form url.Values) bool {
	return slices.ContainsFunc(identifierFields[:], form.Has)
}

// identifiers are the choices of a subscriber on the second screen.
type identifiers struct {
	email    conversion.Email
	password conversion.Password
	question conversion.TrustQuestion
	answer   conversion.TrustAnswer
}

// hash takes about 60 ms of one core, and the memory of one hash at a time.
func (i identifiers) hash() sql.Credentials {
	return sql.Credentials{Password: i.password.Hash(), Question: i.question, Answer: i.answer.Hash()}
}

// parseIdentifiers checks the whole second screen (R13–R18), so that the page tells all
// problems at once.
func parseIdentifiers(form url.Values, profile conversion.PasswordProfile, number conversion.SubscriberNumber) (identifiers, problems) {
	var i identifiers
	var wrong, password, trust problems
	i.email = parse(&wrong, form, "new_email", conversion.ParseEmail)
	if len(wrong) == 0 && !repeats(form.Get("new_email_confirmation"), i.email) {
		wrong.add("new_email_confirmation", addressesDiffer)
	}
	i.password, password = parseNewPassword(form, profile, number)
	i.question, i.answer, trust = parseTrust(form)
	return i, slices.Concat(wrong, password, trust)
}

const addressesDiffer = "les deux adresses électroniques ne sont pas identiques"

func parseTrust(form url.Values) (question conversion.TrustQuestion, answer conversion.TrustAnswer, wrong problems) {
	question = parse(&wrong, form, "question", conversion.ParseTrustQuestion)
	answer = parse(&wrong, form, "answer", func(s string) (conversion.TrustAnswer, error) {
		return conversion.ChooseTrustAnswer(s, question)
	})
	return question, answer, wrong
}

// checkConsent requires the ticked box (R12); in the space a button has confirmed it.
func (p *problems) checkConsent(form url.Values) {
	p.require(form, "consent", "cochez la case si vous changez d’accès\u00a0: sans votre accord, rien n’est modifié")
}

func repeats(typed string, email conversion.Email) bool {
	again, err := conversion.ParseEmail(typed)
	return err == nil && again.Same(email)
}

// identifiersPage is the data of identifiers.html. It holds no password and no answer:
// the site never sends them back.
type identifiersPage struct {
	Action                         string // the address of the form
	Own                            bool   // in the space: the certificate proves the holder, and consent is given
	Opted                          bool   // chosen in the space before the mailed code was typed (D8)
	Email, Code, Submission        string // carried on
	Number                         conversion.SubscriberNumber
	Holder                         string
	ExpiresAt                      time.Time
	Contact                        string // the address by default (R13)
	Taken                          bool   // the contact's address is another space's identifier already
	Pending                        string // another address, whose code is under way
	PendingTaken                   bool   // Pending has become another space's identifier meanwhile
	Unreached                      string // another address, which its code did not reach
	NoOther                        bool   // no address but these two can be chosen (D1)
	NewEmail, NewEmailConfirmation string
	Question                       conversion.TrustQuestion
	Questions                      []conversion.TrustQuestion
	Consent                        bool
}

// Offered is an address that would be accepted: the default (R13) or, in the space, the
// one that was chosen there. It is "" if neither is free.
func (p identifiersPage) Offered() string {
	contact, pending := p.Contact, p.Pending
	if p.Taken {
		contact = ""
	}
	if p.PendingTaken {
		pending = ""
	}
	if p.Own {
		contact, pending = pending, contact
	}
	return cmp.Or(contact, pending)
}

// Stuck tells that no address at all would be accepted.
func (p identifiersPage) Stuck() bool { return p.NoOther && p.Offered() == "" }

// askIdentifiers shows the second screen, first with the contact address (R13), later
// with the typed values and their problems.
func (a *attempt) askIdentifiers(c correction) error {
	page := identifiersPage{
		Action: "/activation", Email: a.email.String(), Code: a.code.String(), ExpiresAt: a.proven.ExpiresAt,
		Opted: !a.proven.ContactStands, Consent: a.proven.Activates || !a.proven.Pending.IsZero(), // consent was given when they were chosen
		Pending: a.proven.Pending.String(), Unreached: a.proven.Unreached.String(), NoOther: a.proven.NoOther,
	}
	if !a.proven.Pending.IsZero() {
		var err error
		if page.PendingTaken, err = a.cfg.DB.AddressTaken(a.r.Context(), a.proven.Pending); err != nil {
			return err
		}
	}
	return a.writeIdentifiers(a.w, a.r, a.proven.Space, page, c)
}

// writeIdentifiers shows the form with the typed values, but never a secret.
func (s *Server) writeIdentifiers(w http.ResponseWriter, r *http.Request, space conversion.Space, page identifiersPage, c correction) (err error) {
	if page.Taken, err = s.cfg.DB.AddressTaken(r.Context(), space.Contact); err != nil {
		return err
	}
	page.Number, page.Holder, page.Contact = space.Number, space.Holder, space.Contact.String()
	page.Submission, page.Questions = newSubmission(), conversion.TrustQuestions()
	page.NewEmail = page.Offered()
	if form := r.PostForm; hasIdentifiers(form) {
		if !page.NoOther {
			page.NewEmail, page.NewEmailConfirmation = form.Get("new_email"), form.Get("new_email_confirmation")
		}
		page.Question = conversion.TrustQuestion(form.Get("question"))
		page.Consent = form.Get("consent") != ""
	}
	v := view{Step: stepIdentifiers, Own: page.Own || page.Opted, Problems: c.problems, Data: page}
	if page.Own {
		v.Inside, v.Space = conversion.AccessCertificate, space.Number
	}
	return s.write(w, r, c.status(w), "identifiers", v)
}

const (
	addressTaken        = "Cette adresse sert maintenant à un autre espace. Choisissez-en une autre."
	addressTakenAlready = "Cette adresse sert déjà à un autre espace sans certificat. Choisissez-en une autre."
	addressReserved     = "Un code est déjà demandé pour cette adresse. Utilisez-le, ou choisissez une autre adresse."
	addressTooMany      = "Vous avez déjà choisi trois autres adresses\u00a0: vous ne pouvez plus en choisir de nouvelle."
)

// perSpace bounds how often the identifiers page of one space may tell that an
// address is taken: more than any typing error needs, too few to search.
var perSpace = sql.Limit{Burst: 10, Every: time.Hour}

// conflicts is the bucket of the addresses that a space could not choose, for all
// visitors.
func (s *Server) conflicts(number conversion.SubscriberNumber) sql.Bucket {
	return s.limiter.Bucket(perSpace, "taken addresses", string(number))
}

// errTakenAlready is conversion.ErrAddressTaken for a visitor who has just typed the
// address. Nobody has taken it since.
var errTakenAlready = fmt.Errorf("at once: %w", conversion.ErrAddressTaken)

// refusedAddress is the text of the identifiers page about an address that cannot be
// chosen; "" for any other error.
func refusedAddress(err error) string {
	reserved, isReserved := errors.AsType[*conversion.ReservedError](err)
	switch {
	case errors.Is(err, errTakenAlready):
		return addressTakenAlready
	case errors.Is(err, conversion.ErrAddressTaken):
		return addressTaken
	case isReserved && !reserved.Until.IsZero():
		return addressReserved + " Son délai se termine le " + conversion.FrenchTime(reserved.Until) + " (heure de Paris)."
	case errors.Is(err, conversion.ErrAddressReserved):
		return addressReserved
	case errors.Is(err, conversion.ErrTooManyAddresses):
		return addressTooMany
	}
	return ""
}
