package web

import (
	"context"
	"errors"
	"net/http"
	"time"

	"bascule/internal/admission"
	"bascule/internal/conversion"
	"bascule/sql"
)

// forgottenPage is the data of forgotten.html. The list of questions is the same
// for everybody: it tells nothing of an address.
type forgottenPage struct {
	Email     string // as typed; an answer is never sent back
	Question  conversion.TrustQuestion
	Questions []conversion.TrustQuestion
}

func (s *Server) forgotten() formPage {
	return formPage{"forgotten", func(r *http.Request, _ entry) (any, error) {
		return forgottenPage{r.PostForm.Get("email"), conversion.TrustQuestion(r.PostForm.Get("question")), conversion.TrustQuestions()}, nil
	}, s.forgot}
}

// forgot makes a mail due with a code for a new password, if address, question and
// answer belong together (R31). It tells nobody whether they do: page, status, work and
// time are the same.
func (s *Server) forgot(w http.ResponseWriter, r *http.Request, _ entry) error {
	start := time.Now()
	var wrong problems
	asked := forgotten{
		email:    parse(&wrong, r.PostForm, "email", conversion.ParseEmail),
		question: parse(&wrong, r.PostForm, "question", conversion.ParseTrustQuestion),
		answer:   parse(&wrong, r.PostForm, "answer", conversion.ParseTrustAnswer),
	}
	if len(wrong) > 0 {
		return correction{problems: wrong}
	}
	told, untold := s.forgottenGuards(r, asked.email)
	if err := s.limiter.Admit(r.Context(), told); err != nil {
		return delayed("answer", err)
	}
	if err := s.askReset(r.Context(), asked, untold); err != nil {
		return err
	}
	onTheBeat(r.Context(), start)
	return s.write(w, r, http.StatusOK, "forgotten_sent", view{Data: frenchDuration(conversion.ResetLifetime)})
}

// forgotten is the form of a subscriber who has forgotten the password.
type forgotten struct {
	email    conversion.Email
	question conversion.TrustQuestion
	answer   conversion.TrustAnswer
}

// askReset does nothing, without a word, if the answer is wrong or a limit is reached:
// a 429 for too many mails would tell.
func (s *Server) askReset(ctx context.Context, asked forgotten, tries admission.Guard) error {
	owner, right, err := s.answered(ctx, asked)
	if err != nil {
		return err
	}
	if err := s.limiter.Admit(ctx, tries); err != nil {
		return unlessThrottled(err)
	}
	if !right {
		return s.noteRefused(ctx, asked.email, sql.RefusedReset)
	}
	mails := admission.Own(s.limiter.Bucket(resetMails, "reset mails", asked.email.Key()))
	if err := s.limiter.Admit(ctx, mails); err != nil {
		return unlessThrottled(err)
	}
	err = s.cfg.DB.AskReset(ctx, owner, s.cfg.Keys)
	if errors.Is(err, conversion.ErrNotFound) {
		return nil // the owner changed the answer or the identifier a moment ago
	}
	return err
}

// unlessThrottled leaves a wait out.
func unlessThrottled(err error) error {
	if _, throttled := errors.AsType[*admission.Throttled](err); throttled {
		return nil
	}
	return err
}

// answered tells whether address, question and answer belong together. It computes one
// hash in any case.
func (s *Server) answered(ctx context.Context, asked forgotten) (owner sql.Identifier, right bool, err error) {
	owner, known, err := s.identifier(ctx, asked.email)
	if err != nil {
		return sql.Identifier{}, false, err
	}
	err = s.hashing(ctx, func() { right = owner.Answer.MatchesAnswer(asked.answer) })
	return owner, known && right && owner.Question == asked.question, err
}

// resetMails keeps a visitor who knows the answer from flooding the mailbox. A visitor
// who does not know it cannot use the owner's mails up.
var resetMails = sql.Limit{Burst: 5, Every: 15 * time.Minute}

// forgottenGuards count every attempt on one address, right and wrong alike. The page
// tells when the first is full. The other is of all strangers together; the page does not
// tell of it. Both of a known browser are its own: no neighbour on its line fills them.
func (s *Server) forgottenGuards(r *http.Request, email conversion.Email) (told, untold admission.Guard) {
	if browser := s.knownBrowser(r, email); browser != "" {
		return admission.Own(s.limiter.Bucket(admission.PerAddress, "forgotten browser told", browser)),
			admission.Own(s.limiter.Bucket(admission.StrangersAnswers, "forgotten browser", browser))
	}
	return s.limiter.Stranger("forgotten", s.client(r), email, admission.StrangersAnswers).Split()
}
