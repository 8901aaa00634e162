package web

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"bascule/internal/admission"
	"bascule/internal/conversion"
	"bascule/internal/recap"
	"bascule/sql"
)

// The steps of a batch (R33).
const (
	stepCode = 1 + iota
	stepIdentifiers
	stepActivation
	stepRecap
)

// activationPage is the data of activation.html (R25).
type activationPage struct {
	Email, Code string // as typed, so that they can be compared with the mail
	Submission  string
}

// showActivation shows the empty form. The link of a mail carries address and code
// after "#", where no server sees them: the page's script fills them in (D5).
func (s *Server) showActivation(w http.ResponseWriter, r *http.Request) error {
	if to := mended(r.URL); to != "" {
		return seeOther(w, r, to)
	}
	return s.askCode(w, r, correction{})
}

// askCode shows the first screen, with the typed values. Its wait is how long the site
// looks at no code.
func (s *Server) askCode(w http.ResponseWriter, r *http.Request, c correction) error {
	step := stepCode
	if r.URL.Query().Get("etape") == "3" { // the links tell whether the identifiers were chosen already
		step = stepActivation
	}
	return s.write(w, r, c.status(w), "activation", view{Step: step, Either: step == stepActivation, Problems: c.problems,
		Data: activationPage{r.PostForm.Get("email"), r.PostForm.Get("code"), newSubmission()}})
}

// activate takes every form of /activation: address and code, then the identifiers with
// address and code again. It keeps nothing between the two.
func (s *Server) activate(w http.ResponseWriter, r *http.Request) error {
	a := &attempt{Server: s, w: w, r: r, id: s.formID(r.PostForm)}
	end, err := a.run(r.Context())
	s.metrics.activation(end, err)
	s.entries.note(r.Context(), s.cfg.DB, a.proven.CampaignID, end == outcomeFailed && !isBusy(err) && r.Context().Err() != context.Canceled)
	return err
}

// An attempt is one form sent to /activation, on its way to an answer.
type attempt struct {
	*Server
	w      http.ResponseWriter
	r      *http.Request
	id     string // see formID
	email  conversion.Email
	code   conversion.Code
	counts []sql.Bucket // the buckets that a refused code fills
	proven sql.ProvenCode
}

func (a *attempt) run(ctx context.Context) (outcome, error) {
	var wrong problems
	a.email = parse(&wrong, a.r.PostForm, "email", conversion.ParseEmail)
	a.code = parse(&wrong, a.r.PostForm, "code", conversion.ParseCode)
	if len(wrong) > 0 {
		return outcomeInvalid, a.askCodeAgain(correction{problems: wrong})
	}
	a.counts = a.limiter.ByAddress("activation", a.client(a.r), a.email)
	if err := a.limiter.Wait(ctx, a.counts...); err != nil {
		return throttled("code", err, a.askCodeAgain)
	}
	unlock, err := a.prove(ctx)
	if errors.Is(err, conversion.ErrCodeRefused) {
		return a.refuse(ctx, err)
	}
	if err != nil {
		return outcomeFailed, err
	}
	defer unlock()
	return a.decide(ctx)
}

// throttled answers when a limit cannot be passed: it asks again, if that is a wait.
func throttled(field string, err error, ask func(correction) error) (outcome, error) {
	if c, ok := errors.AsType[correction](delayed(field, err)); ok {
		return outcomeThrottled, ask(c)
	}
	return outcomeFailed, err
}

// prove looks the code up and locks its request. After a wait it reads the request
// again, as another form may have changed it.
func (a *attempt) prove(ctx context.Context) (unlock func(), err error) {
	if err := a.find(ctx); err != nil {
		return nil, err
	}
	unlock, waited, err := a.turns.Lock(ctx, turn{request: a.proven.RequestID})
	if err != nil || !waited {
		return unlock, err
	}
	if err := a.find(ctx); err != nil {
		unlock()
		return nil, err
	}
	return unlock, nil
}

// find looks the code up.
func (a *attempt) find(ctx context.Context) error {
	return admission.Retry(ctx, func() (err error) {
		a.proven, err = a.cfg.DB.FindCode(ctx, a.cfg.Keys, a.email, a.code)
		return err
	})
}

// decide answers a form with a right code.
func (a *attempt) decide(ctx context.Context) (outcome, error) {
	switch full := hasIdentifiers(a.r.PostForm); {
	case a.proven.Activated && a.proven.Submission == a.id:
		return a.repeat(ctx)
	case a.proven.Activated:
		return a.tooLate(ctx)
	case full:
		return a.withIdentifiers(ctx)
	case a.proven.Activates:
		return a.switchSpace(ctx, a.proven.Proven, nil)
	}
	return outcomeIdentifiers, a.askIdentifiers(correction{})
}

// withIdentifiers takes the second screen. The address proven by the code activates;
// another one must be proven first (D1).
func (a *attempt) withIdentifiers(ctx context.Context) (outcome, error) {
	chosen, wrong := parseIdentifiers(a.r.PostForm, a.cfg.Profile, a.proven.Space.Number)
	wrong.checkConsent(a.r.PostForm)
	if len(wrong) > 0 {
		return outcomeInvalid, a.askIdentifiers(correction{problems: wrong})
	}
	if a.proven.Submission == a.id && a.proven.Pending.Same(chosen.email) {
		return outcomeRepeated, a.tellMailed(chosen.email, sql.Choice{})
	}
	own := chosen.email.Same(a.proven.Proven)
	if !own { // the proven address tells nothing of others: it activates whatever was tried before
		if err := a.limiter.Wait(ctx, a.conflicts(a.proven.Space.Number)); err != nil {
			return throttled("new_email", err, a.askIdentifiers)
		}
	}
	credentials, release, err := a.credentials(ctx, chosen)
	if err != nil {
		return outcomeFailed, err
	}
	defer release()
	if own {
		return a.switchSpace(ctx, chosen.email, credentials)
	}
	return a.chooseAddress(ctx, chosen.email, credentials)
}

// switchSpace activates (R27). Without credentials, it uses those of the request.
func (a *attempt) switchSpace(ctx context.Context, email conversion.Email, credentials func() (sql.Credentials, error)) (outcome, error) {
	token := newToken()
	activation := sql.Activation{
		Submission: a.submission(email, credentials), Facts: a.facts(email), SessionHash: sha256.Sum256([]byte(token)),
	}
	err := admission.Retry(ctx, func() error { return a.cfg.DB.Activate(ctx, activation) })
	if err == nil {
		return outcomeActivated, a.welcome(token, email)
	}
	return a.refused(ctx, err)
}

// refused tells what is wrong with an address, and answers the other errors of a form.
func (a *attempt) refused(ctx context.Context, err error) (outcome, error) {
	switch refusal := refusedAddress(err); {
	case refusal != "":
		return a.conflict(ctx, a.conflicts(a.proven.Space.Number), refusal, a.askIdentifiers)
	case errors.Is(err, conversion.ErrCodeRefused): // it was good at the arrival of the form
		return a.refuse(ctx, cmp.Or(a.find(ctx), err))
	case errors.Is(err, conversion.ErrAlreadyActivated):
		return a.tooLate(ctx)
	}
	return outcomeFailed, err
}

// conflict tells what is wrong with an address, ten times for each space.
func (s *Server) conflict(ctx context.Context, bucket sql.Bucket, refusal string, ask func(correction) error) (outcome, error) {
	if err := s.limiter.Count(ctx, bucket); err != nil {
		return outcomeFailed, err
	}
	return outcomeConflict, ask(correction{problems: problems{{"new_email", refusal}}})
}

// repeat shows the same page for the same form again: its activation may have succeeded
// without an answer. Once the session that it opened has ended, the form is as late as
// any other.
func (a *attempt) repeat(ctx context.Context) (outcome, error) {
	email := a.proven.Proven
	if typed, err := conversion.ParseEmail(a.r.PostForm.Get("new_email")); err == nil && typed.Same(email) {
		email = typed
	}
	end, err := a.switchSpace(ctx, email, nil)
	if end == outcomeActivated {
		end = outcomeRepeated
	}
	return end, err
}

// chooseAddress makes a mail due with a code to another address than the proven one.
func (a *attempt) chooseAddress(ctx context.Context, email conversion.Email, credentials func() (sql.Credentials, error)) (outcome, error) {
	var choice sql.Choice
	err := admission.Retry(ctx, func() (err error) {
		choice, err = a.cfg.DB.ChooseAddress(ctx, a.submission(email, credentials))
		return err
	})
	if err == nil {
		return outcomeCodeSent, a.tellMailed(email, choice)
	}
	return a.refused(ctx, err)
}

// tooLate answers a form that comes after another one, or long after it did its work.
// Address and code alone get no better answer than a wrong code.
func (a *attempt) tooLate(ctx context.Context) (outcome, error) {
	if !hasIdentifiers(a.r.PostForm) && a.proven.Submission != a.id {
		return a.refuse(ctx, conversion.ErrCodeRefused)
	}
	return outcomeAlready, a.write(a.w, a.r, http.StatusUnprocessableEntity, "activation_already", view{})
}

// refuse gives one answer to wrong, unknown, used and dead codes. A visitor who typed a
// right code too late learns that its deadline has passed, which is no guess. Attempts
// under way at the same moment may pass before the first is counted: a few more guesses
// at 60 bits.
func (a *attempt) refuse(ctx context.Context, why error) (outcome, error) {
	if late, ok := errors.AsType[*sql.LateCode](why); ok {
		return outcomeRefused, a.write(a.w, a.r, http.StatusUnprocessableEntity, "activation_late", view{Data: latePage{
			LateCode: late, Email: a.email.String(), ByCertificate: a.offersCertificates() && !a.over(late.Certificate),
		}})
	}
	if err := a.limiter.Count(ctx, a.counts...); err != nil {
		return outcomeFailed, err
	}
	return outcomeRefused, a.askCodeAgain(correction{problems: problems{{"code", codeRefused}}})
}

// latePage is the data of activation_late.html (R21).
type latePage struct {
	*sql.LateCode
	Email         string // where the code was mailed
	ByCertificate bool   // a certificate opens the space, and this site offers it
}

const codeRefused = "Cette adresse et ce code n’ouvrent aucun espace."

func (a *attempt) askCodeAgain(c correction) error { return a.askCode(a.w, a.r, c) }

func (a *attempt) submission(email conversion.Email, credentials func() (sql.Credentials, error)) sql.Submission {
	return sql.Submission{
		Request: a.proven.RequestID, Generation: a.proven.Generation, ID: a.id, Email: email, Credentials: credentials,
	}
}

// facts freezes the recap: a fact that is missing then is missing for ever (R28).
func (a *attempt) facts(email conversion.Email) func(conversion.Space, conversion.TrustQuestion, time.Time) ([]byte, error) {
	return func(space conversion.Space, question conversion.TrustQuestion, at time.Time) ([]byte, error) {
		return json.Marshal(recap.Facts{
			Version: recap.Version,
			Number:  space.Number, Holder: space.Holder, Email: email, Question: question.Text(),
			SwitchedAt: at.UTC(), PublicURL: a.origin, Help: a.cfg.Help, Administration: a.cfg.Administration.Name,
		})
	}
}

// welcomePage is the data of activation_done.html (R27).
type welcomePage struct {
	Number conversion.SubscriberNumber
	Holder string
	Email  string
}

// welcome opens the recap to the browser. Its user has just proven the address, so
// strangers cannot keep the browser out of the space from now on. The browser leaves
// another space: its recap would be shown in place of this one.
func (a *attempt) welcome(token string, email conversion.Email) error {
	if err := a.leave(a.r, a.proven.Space.Number); err != nil {
		return err
	}
	http.SetCookie(a.w, a.cookie(recapCookie, token, sql.RecapSession))
	a.remember(a.w, a.r, email)
	space := a.proven.Space
	return a.write(a.w, a.r, http.StatusOK, "activation_done", view{
		Step: stepRecap, Own: !a.proven.ContactStands, Data: welcomePage{Number: space.Number, Holder: space.Holder, Email: email.String()},
	})
}

// mailPage is the data of activation_mail.html (R19–R22).
type mailPage struct {
	sql.Choice
	Email string
}

func (a *attempt) tellMailed(email conversion.Email, choice sql.Choice) error {
	return a.tellMail(a.w, a.r, email, choice, view{Own: !a.proven.ContactStands})
}

func (s *Server) tellMail(w http.ResponseWriter, r *http.Request, email conversion.Email, choice sql.Choice, v view) error {
	v.Step, v.Data = stepActivation, mailPage{choice, email.String()}
	return s.write(w, r, http.StatusOK, "activation_mail", v)
}
