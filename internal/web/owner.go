package web

import (
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

// byOwner runs f if the typed password is the current one: a stranger who finds a space
// open changes nothing. It tells how long to wait, or returns admission.ErrWrong.
func (s *Server) byOwner(r *http.Request, e entry, typed string, f func() error) (wait time.Duration, err error) {
	tries := admission.Own(s.limiter.Bucket(admission.PerAddress, "current password", string(e.space.Number)))
	wait, err = s.limiter.Guess(r.Context(), tries, func() error {
		right := false
		if err := s.hashing(r.Context(), func() { right = e.session.Password.MatchesPassword(typed) }); err != nil {
			return err
		}
		if !right {
			return admission.ErrWrong
		}
		return f()
	})
	if !errors.Is(err, admission.ErrWrong) {
		return wait, err
	}
	email, parseErr := conversion.ParseEmail(e.session.Email)
	if parseErr != nil {
		return 0, parseErr
	}
	if noteErr := s.noteRefused(r.Context(), email, sql.RefusedOwner); noteErr != nil {
		return 0, noteErr
	}
	return 0, err
}

const notCurrent = "Ce n’est pas votre mot de passe actuel."

// showIdentifier asks for another identifier, or for the code that one waits for.
func (s *Server) showIdentifier(w http.ResponseWriter, r *http.Request, e entry) error {
	return s.askIdentifier(w, r, e, nil, 0, nil)
}

func (s *Server) askIdentifier(w http.ResponseWriter, r *http.Request, e entry, form url.Values, wait time.Duration, wrong problems) error {
	page := ownerForm(e, form)
	pending, err := s.db.PendingIdentifier(r.Context(), *e.session)
	switch {
	case err == nil:
		page.Pending = pending.String()
	case !errors.Is(err, conversion.ErrNotFound):
		return err
	}
	status := http.StatusOK
	if len(wrong) > 0 {
		status = refusalStatus(w, wait)
	}
	return s.write(w, r, status, "owner_identifier", view{Inside: e.space.Access, Problems: wrong, Data: page})
}

// identifierMails keeps a visitor of an open space from flooding mailboxes.
var identifierMails = sql.Limit{Burst: 5, Every: 15 * time.Minute}

// chooseIdentifier makes a mail due with a code to another address. That address
// becomes the identifier once the code is typed (R6). Nothing changes before.
func (s *Server) chooseIdentifier(w http.ResponseWriter, r *http.Request, e entry) error {
	form, err := readForm(r)
	if err != nil {
		return err
	}
	if form.Has("code") {
		return s.proveIdentifier(w, r, e, form)
	}
	email, wrong := parseIdentifier(form, e.session.Email)
	if len(wrong) > 0 {
		return s.askIdentifier(w, r, e, form, 0, wrong)
	}
	number := string(e.space.Number)
	wait, err := s.byOwner(r, e, form.Get("current"), func() error {
		wait, err := s.limiter.Wait(r.Context(), s.conflicts(e.space.Number))
		if err == nil && wait == 0 {
			wait, err = s.limiter.Admit(r.Context(), admission.Own(s.limiter.Bucket(identifierMails, "identifier mails", number)))
		}
		if err != nil {
			return err
		}
		if wait > 0 {
			return failure{status: http.StatusTooManyRequests, wait: wait}
		}
		return s.db.AskIdentifier(r.Context(), *e.session, email, s.keys)
	})
	switch {
	case wait > 0:
		return s.askIdentifier(w, r, e, form, wait, problems{tooMany("current", wait)})
	case errors.Is(err, admission.ErrWrong):
		return s.askIdentifier(w, r, e, form, 0, problems{{"current", notCurrent}})
	case errors.Is(err, conversion.ErrAddressTaken):
		if err := s.limiter.Count(r.Context(), s.conflicts(e.space.Number)); err != nil {
			return err
		}
		return s.askIdentifier(w, r, e, form, 0, problems{{"new_email", addressTakenAlready}})
	case err != nil:
		return err
	}
	http.Redirect(w, r, "/espace/identifiant", http.StatusSeeOther)
	return nil
}

func parseIdentifier(form url.Values, current string) (conversion.Email, problems) {
	var wrong problems
	email, err := conversion.ParseEmail(form.Get("new_email"))
	wrong.note("new_email", err)
	switch {
	case err != nil:
	case repeats(current, email):
		wrong.add("new_email", "cette adresse est déjà votre identifiant")
	case !repeats(form.Get("new_email_confirmation"), email):
		wrong.add("new_email_confirmation", "les deux adresses électroniques ne sont pas identiques")
	}
	if form.Get("current") == "" {
		wrong.add("current", "saisissez votre mot de passe actuel")
	}
	return email, wrong
}

const identifierRefused = "Ce code ne confirme pas cette adresse. Vérifiez-le\u00a0: utilisez celui du courriel le plus récent, dans son délai."

// proveIdentifier takes the code. It ends all sessions but this one.
func (s *Server) proveIdentifier(w http.ResponseWriter, r *http.Request, e entry, form url.Values) error {
	email, err := s.db.PendingIdentifier(r.Context(), *e.session)
	if errors.Is(err, conversion.ErrNotFound) {
		return s.askIdentifier(w, r, e, url.Values{}, 0, problems{{"new_email", "Aucun code n’est attendu, ou son délai est dépassé. Choisissez à nouveau votre adresse."}})
	}
	if err != nil {
		return err
	}
	code, err := conversion.ParseCode(form.Get("code"))
	if err != nil {
		var wrong problems
		wrong.note("code", err)
		return s.askIdentifier(w, r, e, form, 0, wrong)
	}
	tries := admission.Own(s.limiter.Bucket(admission.PerAddress, "identifier code", string(e.space.Number)))
	wait, err := s.limiter.Guess(r.Context(), tries, func() error {
		err := s.db.ChangeIdentifier(r.Context(), *e.session, s.keys, email, code, e.token)
		if errors.Is(err, conversion.ErrCodeRefused) {
			return admission.ErrWrong
		}
		return err
	})
	switch {
	case wait > 0:
		return s.askIdentifier(w, r, e, form, wait, problems{tooMany("code", wait)})
	case errors.Is(err, admission.ErrWrong):
		return s.askIdentifier(w, r, e, form, 0, problems{{"code", identifierRefused}})
	case errors.Is(err, conversion.ErrAddressTaken):
		return s.askIdentifier(w, r, e, form, 0, problems{{"code", addressTaken}})
	case err != nil:
		return err
	}
	s.remember(w, r, email)
	return s.write(w, r, http.StatusOK, "owner_identifier", view{Inside: e.space.Access, Data: ownerPage{Email: email.String(), Done: true}})
}

// showQuestion asks for another trust question.
func (s *Server) showQuestion(w http.ResponseWriter, r *http.Request, e entry) error {
	return s.questionAgain(w, r, http.StatusOK, e, nil, nil)
}

func (s *Server) questionAgain(w http.ResponseWriter, r *http.Request, status int, e entry, form url.Values, wrong problems) error {
	return s.write(w, r, status, "owner_question", view{Inside: e.space.Access, Problems: wrong, Data: ownerForm(e, form)})
}

// changeQuestion replaces the trust question and its answer (R18).
func (s *Server) changeQuestion(w http.ResponseWriter, r *http.Request, e entry) error {
	form, err := readForm(r)
	if err != nil {
		return err
	}
	question, answer, wrong := parseTrust(form)
	if form.Get("current") == "" {
		wrong.add("current", "saisissez votre mot de passe actuel")
	}
	if len(wrong) > 0 {
		return s.questionAgain(w, r, http.StatusUnprocessableEntity, e, form, wrong)
	}
	wait, err := s.byOwner(r, e, form.Get("current"), func() error {
		var hash conversion.Hash
		if err := s.hashing(r.Context(), func() { hash = answer.Hash() }); err != nil {
			return err
		}
		return s.db.ChangeQuestion(r.Context(), *e.session, question, hash)
	})
	switch {
	case wait > 0:
		return s.questionAgain(w, r, refusalStatus(w, wait), e, form, problems{tooMany("current", wait)})
	case errors.Is(err, admission.ErrWrong):
		return s.questionAgain(w, r, http.StatusUnprocessableEntity, e, form, problems{{"current", notCurrent}})
	case errors.Is(err, conversion.ErrNotFound): // a change of the password elsewhere ended this session
		http.Redirect(w, r, "/connexion", http.StatusSeeOther)
		return nil
	case err != nil:
		return err
	}
	return s.write(w, r, http.StatusOK, "owner_question", view{Inside: e.space.Access, Data: ownerPage{Done: true}})
}
