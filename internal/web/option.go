package web

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	"bascule/internal/admission"
	"bascule/internal/conversion"
	"bascule/sql"
)

// optionPage is the data of option.html.
type optionPage struct {
	spaceHeader
	Stale   bool // the revocation lists are out of date: nothing irrevocable may happen now
	Pending *sql.OpenChoice
}

// showOption tells that the change is irrevocable, before it asks anything (R12).
func (s *Server) showOption(w http.ResponseWriter, r *http.Request, e entry) error {
	return s.writeOption(w, r, e, http.StatusOK)
}

func (s *Server) writeOption(w http.ResponseWriter, r *http.Request, e entry, status int) error {
	return s.write(w, r, status, "option", view{Step: stepOption, Own: true, Inside: e.space.Access,
		Data: optionPage{spaceHeader: e.page(), Stale: e.holder.Stale, Pending: e.pending()}})
}

// fresh makes a page of a space entered by a certificate that is known not to be
// revoked. While nobody can tell, somebody who may not be its holder any more must not
// switch the space for good.
func (s *Server) fresh(p page) handler {
	return s.withCertificate(func(w http.ResponseWriter, r *http.Request, e entry) error {
		if e.holder.Stale {
			w.Header().Set("Retry-After", strconv.FormatInt(wholeSeconds(staleRetry), 10))
			return s.writeOption(w, r, e, http.StatusServiceUnavailable)
		}
		return p(w, r, e)
	})
}

// confirmOption is the button. It leads to the identifiers and changes nothing.
func (s *Server) confirmOption(w http.ResponseWriter, r *http.Request, _ entry) error {
	return seeOther(w, r, "/espace/identifiants")
}

// staleRetry is how long a visitor waits for the operator to fetch the lists.
const staleRetry = 10 * time.Minute

// stepOption is the first of the sheet's steps, where the batch has the code (R33).
const stepOption = 1

// showIdentifiers shows the identifiers, with the address of the contact details (R13).
func (s *Server) showIdentifiers(w http.ResponseWriter, r *http.Request, e entry) error {
	o := &option{Server: s, w: w, r: r, entry: e}
	return o.ask(correction{})
}

// opt takes the identifiers of a certificate holder (R13–R18). A mail with a code goes
// to the address chosen, or an earlier mail stands (R22, D8).
func (s *Server) opt(w http.ResponseWriter, r *http.Request, e entry) error {
	o := &option{Server: s, w: w, r: r, entry: e}
	end, err := o.run(r.Context())
	s.metrics.activation(end, err)
	return err
}

// An option is one form sent to /espace/identifiants, on its way to an answer.
type option struct {
	*Server
	w     http.ResponseWriter
	r     *http.Request
	entry entry
}

func (o *option) run(ctx context.Context) (outcome, error) {
	chosen, wrong := parseIdentifiers(o.r.PostForm, o.cfg.Profile, o.entry.space.Number)
	if len(wrong) > 0 {
		return outcomeInvalid, o.ask(correction{problems: wrong})
	}
	conflicts := o.conflicts(o.entry.space.Number)
	if err := o.limiter.Wait(ctx, conflicts); err != nil {
		return throttled("new_email", err, o.ask)
	}
	unlock, _, err := o.turns.Lock(ctx, turn{space: o.entry.id})
	if err != nil {
		return outcomeFailed, err
	}
	defer unlock()
	choice, err := o.choose(ctx, chosen)
	if errors.Is(err, conversion.ErrAddressTaken) {
		err = errTakenAlready
	}
	if refusal := refusedAddress(err); refusal != "" {
		return o.conflict(ctx, conflicts, refusal, o.ask)
	}
	return o.answer(chosen.email, choice, err)
}

func (o *option) choose(ctx context.Context, chosen identifiers) (sql.Choice, error) {
	credentials, release, err := o.credentials(ctx, chosen)
	if err != nil {
		return sql.Choice{}, err
	}
	defer release()
	var choice sql.Choice
	err = admission.Retry(ctx, func() (err error) {
		choice, err = o.cfg.DB.Opt(ctx, sql.Option{Space: o.entry.id, Serial: o.entry.holder.Serial, ID: o.formID(o.r.PostForm),
			Email: chosen.email, Credentials: credentials, Keys: o.cfg.Keys})
		return err
	})
	return choice, err
}

func (o *option) answer(email conversion.Email, choice sql.Choice, err error) (outcome, error) {
	switch {
	case err == nil:
		return outcomeCodeSent, o.tellMail(o.w, o.r, email, choice, view{Own: true, Inside: o.entry.space.Access})
	case errors.Is(err, conversion.ErrAlreadyActivated):
		return outcomeAlready, o.write(o.w, o.r, http.StatusUnprocessableEntity, "activation_already", view{})
	case errors.Is(err, conversion.ErrNotFound):
		return outcomeRefused, o.refuseEntry(o.w, o.r, entryUnknown)
	}
	return outcomeFailed, err
}

func (o *option) ask(c correction) error {
	page := identifiersPage{Action: "/espace/identifiants", Own: true, Unreached: o.entry.lost.String(), NoOther: o.entry.last}
	if p := o.entry.pending(); p != nil {
		page.Pending, page.PendingTaken = p.Email.String(), p.Taken
	}
	return o.writeIdentifiers(o.w, o.r, o.entry.space, page, c)
}
