package web

import (
	"cmp"
	"errors"
	"net/http"
	"net/url"
	"time"

	"bascule/internal/admission"
	"bascule/internal/conversion"
	"bascule/sql"
)

// ownerPage is the data of the pages on which the owner of a password space changes its
// identifier or trust question. The site never sends a secret back.
type ownerPage struct {
	Email                          string // the identifier
	NewEmail, NewEmailConfirmation string // as typed
	Pending                        string // the address that a code has yet to prove
	Unreached                      string // the address asked for last, which its code did not reach
	Code                           string // as typed
	Lifetime                       string // of the code
	Question                       conversion.TrustQuestion
	Questions                      []conversion.TrustQuestion
	Done                           bool
}

func ownerForm(e entry, form url.Values) ownerPage {
	return ownerPage{Email: e.session.Email, NewEmail: form.Get("new_email"), NewEmailConfirmation: form.Get("new_email_confirmation"),
		Code: form.Get("code"), Lifetime: frenchDuration(conversion.ResetLifetime),
		Question: conversion.TrustQuestion(form.Get("question")), Questions: conversion.TrustQuestions()}
}

func (p *problems) requireCurrent(form url.Values) {
	p.require(form, "current", "saisissez votre mot de passe actuel")
}

// byOwner runs f if the typed password is the current one: a stranger who finds a space
// open changes nothing. Only visitors in the space can fill the bucket.
func (s *Server) byOwner(r *http.Request, e entry, what sql.Refusal, f func() error) error {
	tries := admission.Own(s.limiter.Bucket(admission.PerAddress, "current password", string(e.space.Number)))
	err := s.limiter.Guess(r.Context(), tries, func() error {
		right := false
		if err := s.hashing(r.Context(), func() { right = e.session.Password.MatchesPassword(r.PostForm.Get("current")) }); err != nil {
			return err
		}
		if !right {
			return admission.ErrWrong
		}
		return f()
	})
	if !errors.Is(err, admission.ErrWrong) {
		return delayed("current", err)
	}
	email, err := conversion.ParseEmail(e.session.Email)
	if err != nil {
		return err
	}
	wrong := "Ce n’est pas votre mot de passe actuel."
	if what == sql.RefusedChange { // the first of two clicks has changed it
		wrong += " Si vous venez d’envoyer ce formulaire, il est déjà modifié."
	}
	return cmp.Or(s.noteRefused(r.Context(), email, what), corrected("current", wrong))
}

// ownIdentifier asks for another identifier, or for the code that one waits for.
func (s *Server) ownIdentifier() formPage {
	return formPage{"owner_identifier", func(r *http.Request, e entry) (any, error) {
		pending, err := s.cfg.DB.PendingIdentifier(r.Context(), *e.session)
		var unreached conversion.Email
		if errors.Is(err, conversion.ErrNotFound) {
			unreached, err = s.cfg.DB.UnreachedIdentifier(r.Context(), *e.session)
		}
		if err != nil && !errors.Is(err, conversion.ErrNotFound) {
			return nil, err
		}
		page := ownerForm(e, r.PostForm)
		page.Pending, page.Unreached = pending.String(), unreached.String()
		return page, nil
	}, s.chooseIdentifier}
}

// identifierMails keeps a visitor of an open space from flooding mailboxes.
var identifierMails = sql.Limit{Burst: 5, Every: 15 * time.Minute}

// chooseIdentifier makes a mail due with a code to another address. That address
// becomes the identifier once the code is typed (R6). Nothing changes before.
func (s *Server) chooseIdentifier(w http.ResponseWriter, r *http.Request, e entry) error {
	if r.PostForm.Has("code") {
		return s.proveIdentifier(w, r, e)
	}
	email, wrong := parseIdentifier(r.PostForm, e.session.Email)
	if len(wrong) > 0 {
		return correction{problems: wrong}
	}
	err := s.byOwner(r, e, sql.RefusedOwner, func() error {
		err := s.limiter.Wait(r.Context(), s.conflicts(e.space.Number))
		if err == nil {
			err = s.limiter.Admit(r.Context(), admission.Own(s.limiter.Bucket(identifierMails, "identifier mails", string(e.space.Number))))
		}
		if t, ok := errors.AsType[*admission.Throttled](err); ok {
			return failure{status: http.StatusTooManyRequests, wait: t.Wait}
		}
		if err != nil {
			return err
		}
		return s.cfg.DB.AskIdentifier(r.Context(), *e.session, email, s.cfg.Keys)
	})
	if errors.Is(err, conversion.ErrAddressTaken) {
		return cmp.Or(s.limiter.Count(r.Context(), s.conflicts(e.space.Number)), corrected("new_email", addressTakenAlready))
	}
	if err != nil {
		return err
	}
	return seeOther(w, r, "/espace/identifiant")
}

func parseIdentifier(form url.Values, current string) (conversion.Email, problems) {
	var wrong problems
	email := parse(&wrong, form, "new_email", conversion.ParseEmail)
	switch {
	case len(wrong) > 0:
	case repeats(current, email):
		wrong.add("new_email", "cette adresse est déjà votre identifiant")
	case !repeats(form.Get("new_email_confirmation"), email):
		wrong.add("new_email_confirmation", addressesDiffer)
	}
	wrong.requireCurrent(form)
	return email, wrong
}

const identifierRefused = "Ce code ne confirme pas cette adresse. Vérifiez-le\u00a0: utilisez celui du courriel le plus récent, dans son délai."

// proveIdentifier takes the code. It ends all sessions but this one. The same form again
// changes nothing, and gets the same page.
func (s *Server) proveIdentifier(w http.ResponseWriter, r *http.Request, e entry) error {
	if repeats(e.session.Email, parse(new(problems), r.PostForm, "pending", conversion.ParseEmail)) {
		return s.identifierChanged(w, r, e.session.Email, e)
	}
	email, err := s.cfg.DB.PendingIdentifier(r.Context(), *e.session)
	if errors.Is(err, conversion.ErrNotFound) {
		return corrected("new_email", "Aucun code n’est attendu, ou son délai est dépassé. Choisissez à nouveau votre adresse.")
	}
	if err != nil {
		return err
	}
	var wrong problems
	code := parse(&wrong, r.PostForm, "code", conversion.ParseCode)
	if len(wrong) > 0 {
		return correction{problems: wrong}
	}
	tries := admission.Own(s.limiter.Bucket(admission.PerAddress, "identifier code", string(e.space.Number)))
	err = s.limiter.Guess(r.Context(), tries, func() error {
		err := s.cfg.DB.ChangeIdentifier(r.Context(), *e.session, s.cfg.Keys, email, code, e.token)
		if errors.Is(err, conversion.ErrCodeRefused) {
			return admission.ErrWrong
		}
		return err
	})
	switch {
	case errors.Is(err, admission.ErrWrong):
		return corrected("code", identifierRefused)
	case errors.Is(err, conversion.ErrAddressTaken):
		return corrected("code", addressTaken)
	case err != nil:
		return delayed("code", err)
	}
	s.remember(w, r, email)
	return s.identifierChanged(w, r, email.String(), e)
}

func (s *Server) identifierChanged(w http.ResponseWriter, r *http.Request, email string, e entry) error {
	return s.write(w, r, http.StatusOK, "owner_identifier", view{Inside: e.space.Access, Data: ownerPage{Email: email, Done: true}})
}

// ownQuestion asks for another trust question.
func (s *Server) ownQuestion() formPage {
	return formPage{"owner_question", func(r *http.Request, e entry) (any, error) { return ownerForm(e, r.PostForm), nil }, s.changeQuestion}
}

// changeQuestion replaces the trust question and its answer (R18).
func (s *Server) changeQuestion(w http.ResponseWriter, r *http.Request, e entry) error {
	question, answer, wrong := parseTrust(r.PostForm)
	wrong.requireCurrent(r.PostForm)
	if len(wrong) > 0 {
		return correction{problems: wrong}
	}
	err := s.byOwner(r, e, sql.RefusedOwner, func() error {
		var hash conversion.Hash
		if err := s.hashing(r.Context(), func() { hash = answer.Hash() }); err != nil {
			return err
		}
		return s.cfg.DB.ChangeQuestion(r.Context(), *e.session, question, hash)
	})
	if err != nil {
		return err
	}
	return s.write(w, r, http.StatusOK, "owner_question", view{Inside: e.space.Access, Data: ownerPage{Done: true}})
}
