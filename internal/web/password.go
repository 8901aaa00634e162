package web

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"net/url"

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

// renewal is the form for a new password, which the link of the mail fills in (D5).
func (s *Server) renewal() formPage {
	return formPage{"password", func(r *http.Request, _ entry) (any, error) {
		return passwordPage{r.PostForm.Get("email"), r.PostForm.Get("code"), frenchDuration(conversion.ResetLifetime)}, nil
	}, s.renew}
}

// renew takes a new password with the code that was mailed for it (R31). It tells all
// problems at once. Only an accepted password uses the code up.
func (s *Server) renew(w http.ResponseWriter, r *http.Request, _ entry) error {
	var wrong problems
	email := parse(&wrong, r.PostForm, "email", conversion.ParseEmail)
	code, err := conversion.ParseCode(r.PostForm.Get("code"))
	if err != nil {
		wrong.add("code", "le code du courriel comporte 12 lettres et chiffres, par exemple ABCD-1234-EFGH")
	}
	var reset sql.Reset
	if len(wrong) == 0 {
		reset, err = s.findReset(r, email, code)
		late, isLate := errors.AsType[*sql.LateCode](err)
		switch {
		case isLate:
			wrong = problems{{"code", "Ce code était valable jusqu’au " + conversion.FrenchTime(late.ExpiresAt) + " (heure de Paris)\u00a0: ce délai est dépassé. Demandez un autre code."}}
		case errors.Is(err, admission.ErrWrong):
			wrong = problems{{"code", resetRefused}}
		case err != nil:
			return delayed("code", err)
		}
	}
	password, more := parseNewPassword(r.PostForm, s.cfg.Profile, reset.Number)
	if wrong = append(wrong, more...); len(wrong) > 0 {
		return correction{problems: wrong}
	}
	if err := s.leave(r, reset.Number); err != nil { // "Accéder à mon espace" would lead to another one
		return err
	}
	err = s.useReset(r.Context(), reset, password, r.PostForm.Get("password"))
	switch {
	case errors.Is(err, errSamePassword): // it tells the password, so it is counted
		return cmp.Or(s.limiter.Count(r.Context(), s.limiter.ByAddress("reset", s.client(r), email)...), corrected("password", samePassword))
	case errors.Is(err, conversion.ErrCodeRefused): // the code was good a moment ago: this is no guess
		return corrected("code", resetRefused)
	case err != nil:
		return err
	}
	s.remember(w, r, email)
	return s.write(w, r, http.StatusOK, "password_done", view{})
}

const resetRefused = "Cette adresse et ce code ne permettent pas de choisir un mot de passe."

// findReset returns admission.ErrWrong for every bad code, or *admission.Throttled.
func (s *Server) findReset(r *http.Request, email conversion.Email, code conversion.Code) (reset sql.Reset, err error) {
	err = s.limiter.Guess(r.Context(), admission.Own(s.limiter.ByAddress("reset", s.client(r), email)...), func() (err error) {
		reset, err = s.cfg.DB.FindReset(r.Context(), s.cfg.Keys, email, code)
		_, late := errors.AsType[*sql.LateCode](err) // the code was right
		if !late && errors.Is(err, conversion.ErrCodeRefused) {
			return admission.ErrWrong
		}
		return err
	})
	return reset, err
}

// parseNewPassword checks a password that was typed twice (R14, R16, D6).
func parseNewPassword(form url.Values, profile conversion.PasswordProfile, number conversion.SubscriberNumber) (conversion.Password, problems) {
	var wrong problems
	password := parse(&wrong, form, "password", func(s string) (conversion.Password, error) {
		return conversion.ParsePassword(s, profile, number)
	})
	again, _ := conversion.ParsePassword(form.Get("password_confirmation"), profile, number)
	if len(wrong) == 0 && again != password {
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
	return s.cfg.DB.UseReset(ctx, reset, hash)
}

// change is the form for a visitor in the space.
func (s *Server) change() formPage {
	return formPage{"password", func(_ *http.Request, e entry) (any, error) { return passwordPage{Email: e.session.Email}, nil }, s.changePassword}
}

// changePassword replaces the password by another one. It ends all other sessions:
// somebody else may have known the old password.
func (s *Server) changePassword(w http.ResponseWriter, r *http.Request, e entry) error {
	var wrong problems
	wrong.requireCurrent(r.PostForm)
	password, more := parseNewPassword(r.PostForm, s.cfg.Profile, e.space.Number)
	current, _ := conversion.ParsePassword(r.PostForm.Get("current"), s.cfg.Profile, e.space.Number)
	if len(more) == 0 && password == current {
		more.add("password", "choisissez un mot de passe différent de l’actuel")
	}
	if wrong = append(wrong, more...); len(wrong) > 0 {
		return correction{problems: wrong}
	}
	err := s.byOwner(r, e, sql.RefusedChange, func() error {
		var hash conversion.Hash
		if err := s.hashing(r.Context(), func() { hash = password.Hash() }); err != nil {
			return err
		}
		return s.cfg.DB.ChangePassword(r.Context(), *e.session, hash, e.token)
	})
	if err != nil {
		return err
	}
	return s.write(w, r, http.StatusOK, "password_done", view{Inside: e.space.Access})
}
