package web

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"

	"bascule/internal/admission"
	"bascule/internal/conversion"
	"bascule/sql"
)

// passwordPage is the data of password.html: a new password, chosen with a
// mailed code or in the space.
type passwordPage struct {
	Email    string // as typed, or the identifier of the space
	Code     string // as typed
	Lifetime string // of the code
}

// showRenewal shows the empty form, which the link of the mail fills in (D5).
func (s *Server) showRenewal(w http.ResponseWriter, r *http.Request) error {
	return s.write(w, r, http.StatusOK, "password", view{Data: renewalPage(nil)})
}

func renewalPage(form url.Values) passwordPage {
	return passwordPage{Email: form.Get("email"), Code: form.Get("code"), Lifetime: frenchDuration(conversion.ResetLifetime)}
}

// renew takes a new password with the code that was mailed for it (R31). It tells all
// problems at once. Only an accepted password uses the code up.
func (s *Server) renew(w http.ResponseWriter, r *http.Request) error {
	form, err := readForm(r)
	if err != nil {
		return err
	}
	email, code, wrong := parseResetCode(form)
	var reset sql.Reset
	var late *sql.LateCode
	if len(wrong) == 0 {
		var wait time.Duration
		reset, wait, err = s.findReset(r, email, code)
		switch {
		case wait > 0:
			return s.renewAgain(w, r, form, wait, problems{tooMany("code", wait)})
		case errors.As(err, &late):
			wrong = problems{{"code", "Ce code était valable jusqu’au " + conversion.FrenchTime(late.ExpiresAt) + " (heure de Paris)\u00a0: ce délai est dépassé. Demandez un autre code."}}
		case errors.Is(err, admission.ErrWrong):
			wrong = problems{{"code", resetRefused}}
		case err != nil:
			return err
		}
	}
	password, more := parseNewPassword(form, s.profile, reset.Number)
	if wrong = append(wrong, more...); len(wrong) > 0 {
		return s.renewAgain(w, r, form, 0, wrong)
	}
	err = s.useReset(r.Context(), reset, password, form.Get("password"))
	if errors.Is(err, errSamePassword) { // it tells the password, so it is counted
		if err := s.limiter.Count(r.Context(), s.limiter.ByAddress("reset", s.client(r), email)...); err != nil {
			return err
		}
		return s.renewAgain(w, r, form, 0, problems{{"password", samePassword}})
	}
	if errors.Is(err, conversion.ErrCodeRefused) { // the code was good a moment ago: this is no guess
		return s.renewAgain(w, r, form, 0, problems{{"code", resetRefused}})
	}
	if err != nil {
		return err
	}
	s.remember(w, r, email)
	return s.write(w, r, http.StatusOK, "password_done", view{})
}

const resetRefused = "Cette adresse et ce code ne permettent pas de choisir un mot de passe."

func parseResetCode(form url.Values) (conversion.Email, conversion.Code, problems) {
	var wrong problems
	email, err := conversion.ParseEmail(form.Get("email"))
	wrong.note("email", err)
	code, err := conversion.ParseCode(form.Get("code"))
	if err != nil {
		wrong.add("code", "le code du courriel comporte 12 lettres et chiffres, par exemple ABCD-1234-EFGH")
	}
	return email, code, wrong
}

// findReset returns admission.ErrWrong for every bad code, or tells how long to wait.
func (s *Server) findReset(r *http.Request, email conversion.Email, code conversion.Code) (reset sql.Reset, wait time.Duration, err error) {
	wait, err = s.limiter.Guess(r.Context(), admission.Own(s.limiter.ByAddress("reset", s.client(r), email)...), func() (err error) {
		reset, err = s.db.FindReset(r.Context(), s.keys, email, code)
		if late := (*sql.LateCode)(nil); errors.As(err, &late) {
			return err // the code was right
		}
		if errors.Is(err, conversion.ErrCodeRefused) {
			return admission.ErrWrong
		}
		return err
	})
	return reset, wait, err
}

// parseNewPassword checks a password that was typed twice (R14, R16, D6).
func parseNewPassword(form url.Values, profile conversion.PasswordProfile, number conversion.SubscriberNumber) (conversion.Password, problems) {
	var wrong problems
	password, err := conversion.ParsePassword(form.Get("password"), profile, number)
	wrong.note("password", err)
	if err == nil && form.Get("password_confirmation") != form.Get("password") {
		wrong.add("password_confirmation", "les deux mots de passe ne sont pas identiques")
	}
	return password, wrong
}

// errSamePassword says that the new password is the old one.
var errSamePassword = errors.New("same password")

const samePassword = "C’est votre mot de passe actuel\u00a0: choisissez-en un autre."

// useReset hashes and compares in one slot. It returns errSamePassword.
func (s *Server) useReset(ctx context.Context, reset sql.Reset, password conversion.Password, typed string) error {
	var hash conversion.Hash
	same := false
	err := s.hashing(ctx, func() {
		if same = reset.Password.MatchesPassword(typed); !same {
			hash = password.Hash()
		}
	})
	if err != nil {
		return err
	}
	if same {
		return errSamePassword
	}
	return s.db.UseReset(ctx, reset, hash)
}

func (s *Server) renewAgain(w http.ResponseWriter, r *http.Request, form url.Values, wait time.Duration, wrong problems) error {
	return s.write(w, r, refusalStatus(w, wait), "password", view{Problems: wrong, Data: renewalPage(form)})
}

// showPassword is the form for a visitor in the space.
func (s *Server) showPassword(w http.ResponseWriter, r *http.Request, e entry) error {
	return s.changeAgain(w, r, http.StatusOK, e, nil)
}

// changePassword replaces the password by another one. It ends all other sessions:
// somebody else may have known the old password.
func (s *Server) changePassword(w http.ResponseWriter, r *http.Request, e entry) error {
	form, err := readForm(r)
	if err != nil {
		return err
	}
	password, wrong := parseChange(form, s.profile, e.space.Number)
	if len(wrong) > 0 {
		return s.changeAgain(w, r, http.StatusUnprocessableEntity, e, wrong)
	}
	email, err := conversion.ParseEmail(e.session.Email)
	if err != nil {
		return err
	}
	// Only visitors in the space can fill this bucket.
	tries := admission.Own(s.limiter.Bucket(admission.PerAddress, "current password", string(e.space.Number)))
	wait, err := s.limiter.Guess(r.Context(), tries, func() error {
		hash, err := s.rehash(r, e.session.Password, form.Get("current"), password)
		if err != nil {
			return err
		}
		return s.db.ChangePassword(r.Context(), *e.session, hash, e.token)
	})
	switch {
	case wait > 0:
		return s.changeAgain(w, r, refusalStatus(w, wait), e, problems{tooMany("current", wait)})
	case errors.Is(err, admission.ErrWrong):
		if err := s.noteRefused(r.Context(), email, sql.RefusedChange); err != nil {
			return err
		}
		return s.changeAgain(w, r, http.StatusUnprocessableEntity, e, problems{{"current", "Ce n’est pas votre mot de passe actuel."}})
	case errors.Is(err, conversion.ErrNotFound): // a change elsewhere ended this session
		http.Redirect(w, r, "/connexion", http.StatusSeeOther)
		return nil
	case err != nil:
		return err
	}
	return s.write(w, r, http.StatusOK, "password_done", view{Inside: e.space.Access})
}

func parseChange(form url.Values, profile conversion.PasswordProfile, number conversion.SubscriberNumber) (conversion.Password, problems) {
	var wrong problems
	if form.Get("current") == "" {
		wrong.add("current", "saisissez votre mot de passe actuel")
	}
	password, more := parseNewPassword(form, profile, number)
	if len(more) == 0 && form.Get("password") == form.Get("current") {
		more.add("password", "choisissez un mot de passe différent de l’actuel")
	}
	return password, append(wrong, more...)
}

// rehash verifies the current password and hashes the next one, in one slot. It
// returns admission.ErrWrong.
func (s *Server) rehash(r *http.Request, current conversion.Hash, typed string, next conversion.Password) (hash conversion.Hash, err error) {
	right := false
	err = s.hashing(r.Context(), func() {
		if right = current.MatchesPassword(typed); right {
			hash = next.Hash()
		}
	})
	if err == nil && !right {
		err = admission.ErrWrong
	}
	return hash, err
}

func (s *Server) changeAgain(w http.ResponseWriter, r *http.Request, status int, e entry, wrong problems) error {
	return s.write(w, r, status, "password", view{Inside: e.space.Access, Problems: wrong, Data: passwordPage{Email: e.session.Email}})
}
