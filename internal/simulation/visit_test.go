package simulation

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"time"

	"github.com/google/uuid"

	"bascule/internal/conversion"
	"bascule/internal/recap"
	"bascule/sql"
	"bascule/sql/sqltest"
)

// react is the reaction of somebody to an invitation.
func (s *simulation) react(b *subscriber, l *letter) {
	if s.boxes[l.to].kind == boxMoved {
		s.in(b.hours(0.5, 5), func() { s.bounce(b, l) })
		return
	}
	switch what := b.mind(); what {
	case forgets:
	case lastMinute, choosesLate:
		s.add(l.ends().Add(-time.Duration(1+b.IntN(50))*time.Second), func() { s.visit(b, l, what) })
	case late:
		s.add(l.ends().Add(time.Duration(b.IntN(3600))*time.Second), func() { s.visit(b, l, activates) })
	case loses:
		s.in(b.hours(5, 20), func() { s.resend(b, l) })
	case phones:
		s.add(l.ends().Add(b.hours(1, 30)), func() { s.renew(b) })
	case complains:
		s.in(b.hours(0.1, 0.9), func() { s.complain(b, l) })
	default:
		s.in(b.hours(0.2, 44), func() { s.visit(b, l, what) })
	}
}

// visit is a visit to the pages with a code.
func (s *simulation) visit(b *subscriber, l *letter, what intent) {
	if !b.done.IsZero() && b.IntN(3) > 0 {
		return
	}
	s.did(string(what))
	switch what {
	case optsIn:
		s.opt(b)
		return
	case mistypes:
		for range 1 + b.IntN(3) {
			s.mistype(b, l)
		}
	case guesses:
		for range 11 { // ten may be wrong at once
			s.mistype(b, l)
		}
		if page := s.post(b, l.form()); page.Code != http.StatusTooManyRequests {
			s.fail(b, "guessed eleven times, and gets %d", page.Code)
		}
		s.in(45*time.Minute, func() { s.visit(b, l, activates) })
		return
	}
	s.enter(b, l, what)
}

func (l *letter) form() url.Values { return url.Values{"email": {l.to}, "code": {l.code}} }

// post sends a form of the activation.
func (s *simulation) post(b *subscriber, form url.Values) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, "/activation", strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	var n int
	fmt.Sscanf(b.number, "SIM%d", &n)
	r.RemoteAddr = fmt.Sprintf("10.%d.%d.%d:1234", n>>16, n>>8&255, n&255)
	page := httptest.NewRecorder()
	s.web.ServeHTTP(page, r)
	return page
}

func (s *simulation) mistype(b *subscriber, l *letter) {
	form := l.form()
	form.Set("code", "0000-0000-000"+fmt.Sprint(b.IntN(10)))
	if page := s.post(b, form); page.Code != http.StatusUnprocessableEntity && page.Code != http.StatusTooManyRequests {
		s.fail(b, "a wrong code gives %d", page.Code)
	}
}

const welcome = "a bien été transformé"

// enter types a right code: it opens exactly what it must.
func (s *simulation) enter(b *subscriber, l *letter, what intent) {
	good := l.good(s.now) && b.done.IsZero()
	page := s.post(b, l.form())
	b.tell(s.now, "types code %d.%d: %d", l.request, l.generation, page.Code)
	switch {
	case !good && page.Code == http.StatusUnprocessableEntity:
		s.did("a dead code is refused")
		return
	case !good || page.Code != http.StatusOK:
		s.fail(b, "the code %d.%d is good: %v (dead: %q, switched: %v); the page answers %d", l.request, l.generation, good, l.dead, !b.done.IsZero(), page.Code)
		return
	}
	if l.typed.IsZero() {
		l.typed = s.now
	}
	activated := strings.Contains(page.Body.String(), welcome)
	if activated != l.chosen {
		s.fail(b, "the code activates at once: %v, want %v", activated, l.chosen)
		return
	}
	switch {
	case activated:
		s.switched(b, l.to)
	case what == looks:
	case what == chooses || what == choosesLate || s.identifiers[l.to] != nil:
		s.choose(b, l)
	default:
		s.identify(b, l)
	}
}

// identify fills the second form in, with the address that the code proves. Some
// subscribers use the page, the others what the page calls, as a hash takes long.
func (s *simulation) identify(b *subscriber, l *letter) {
	if b.IntN(s.paged) == 0 {
		form := l.form()
		for field, value := range map[string]string{"new_email": l.to, "new_email_confirmation": l.to, "password": "Kolibri47Zenith",
			"password_confirmation": "Kolibri47Zenith", "question": "enfance-rue", "answer": "Rue des Tanneurs", "consent": "oui", "submission": uuid.NewString()} {
			form.Set(field, value)
		}
		if page := s.post(b, form); page.Code != http.StatusOK || !strings.Contains(page.Body.String(), welcome) {
			s.fail(b, "the form is good; the page answers %d", page.Code)
			return
		}
		s.did("the whole form on the page")
		s.switched(b, l.to)
		return
	}
	facts := func(space conversion.Space, q conversion.TrustQuestion, at time.Time) ([]byte, error) {
		return json.Marshal(recap.Facts{Version: recap.Version, Number: space.Number, Holder: space.Holder, Email: sqltest.Email(s.t, l.to),
			Question: q.Text(), SwitchedAt: at.UTC(), PublicURL: "https://espace.example"})
	}
	f := s.submission(b, l, l.to)
	if err := s.pages.Activate(s.t.Context(), sql.Activation{Submission: f, Facts: facts, SessionHash: sha256.Sum256([]byte(f.ID))}); err != nil {
		s.fail(b, "the code is good: %v", err)
		return
	}
	s.switched(b, l.to)
}

// credentials take the place of hashes, and take no time.
func credentials() (sql.Credentials, error) {
	return sql.Credentials{Password: "$password", Question: "enfance-rue", Answer: "$answer"}, nil
}

func (s *simulation) submission(b *subscriber, l *letter, email string) sql.Submission {
	code, err := conversion.ParseCode(l.code)
	s.must(err)
	found, err := s.pages.FindCode(s.t.Context(), s.keys, sqltest.Email(s.t, l.to), code)
	if err != nil {
		s.fail(b, "a good code: %v", err)
	}
	return sql.Submission{Request: found.RequestID, Generation: found.Generation, ID: uuid.NewString(), Email: sqltest.Email(s.t, email), Credentials: credentials}
}

// choose asks for another address: a code goes there, and the contact's stays good (D1).
func (s *simulation) choose(b *subscriber, l *letter) {
	if b.chose[l.request] {
		return // it is on its way
	}
	if _, err := s.pages.ChooseAddress(s.t.Context(), s.submission(b, l, b.own)); err != nil {
		s.fail(b, "chooses another address: %v", err)
		return
	}
	b.chose[l.request] = true
	b.tell(s.now, "chooses %s", b.own)
	s.afterPause()
}

// switched is the end of all letters.
func (s *simulation) switched(b *subscriber, email string) {
	b.tell(s.now, "the space is switched to %s", email)
	if other := s.identifiers[email]; other != nil {
		s.fail(b, "%s opens the space %s already (I4)", email, other.number)
	}
	b.done, b.enters, s.identifiers[email] = s.now, email, b
	for _, l := range b.letters {
		l.die("the space is switched")
	}
	s.afterPause()
}

func (l *letter) die(why string) {
	if l.dead == "" {
		l.dead = why
	}
}

// opt plays the holder of the certificate in the space (D8). A code mailed to the
// address chosen stands, and activates. All others are dead.
func (s *simulation) opt(b *subscriber) {
	if !b.done.IsZero() {
		return
	}
	email := b.contact
	if s.identifiers[email] != nil || b.IntN(2) == 0 || s.boxes[email].kind != "" {
		email = b.own
	}
	var standing *letter
	for _, l := range b.letters {
		if l.good(s.now) && l.to == email && s.counts(b, l) {
			standing = l
		}
	}
	var space int64
	var serial string
	s.must(s.db.Raw.QueryRow(`SELECT id, serial FROM space WHERE number = $1`, b.number).Scan(&space, &serial))
	choice, err := s.pages.Opt(s.t.Context(), sql.Option{Space: space, Serial: conversion.SerialNumber(serial), ID: uuid.NewString(),
		Email: sqltest.Email(s.t, email), Credentials: credentials, Keys: s.keys})
	if err != nil || choice.Standing != (standing != nil) {
		s.fail(b, "opts for %s: standing %v, want %v, error %v", email, choice.Standing, standing != nil, err)
		return
	}
	b.tell(s.now, "opts for %s inside the space", email)
	for _, l := range b.letters {
		if l != standing {
			l.die("the certificate holder chose")
		}
	}
	if standing != nil {
		standing.chosen = true
		s.in(b.hours(0.1, 3), func() { s.visit(b, standing, activates) })
	}
	s.afterPause()
}

// counts tells whether a letter is the latest of its request.
func (s *simulation) counts(b *subscriber, l *letter) bool {
	for _, other := range b.letters {
		if other.request == l.request && other.generation > l.generation && other.dead == "" {
			return false
		}
	}
	return true
}

// resend plays assistance for somebody who has lost the mail.
func (s *simulation) resend(b *subscriber, l *letter) {
	if !l.good(s.now) || !b.done.IsZero() || b.alone {
		return
	}
	if err := s.db.Resend(s.t.Context(), conversion.SubscriberNumber(b.number), "", "assistance"); err != nil {
		s.fail(b, "the mail cannot be sent again: %v", err)
	}
	b.tell(s.now, "has the mail sent again")
	s.afterPause()
}

// renew plays assistance for somebody whose code expired (D10).
func (s *simulation) renew(b *subscriber) {
	if !b.done.IsZero() || b.alone {
		return
	}
	plan, err := s.db.PlanRetry(s.t.Context(), sql.RetryScope{Numbers: []conversion.SubscriberNumber{conversion.SubscriberNumber(b.number)}})
	s.must(err)
	for _, why := range plan.Named {
		b.tell(s.now, "is not invited again: %s", why.Why)
		return
	}
	n, err := s.db.DB.Retry(s.t.Context(), plan, s.keys, "assistance")
	if err != nil || n != 1 {
		s.fail(b, "is to be invited again: %d, %v", n, err)
	}
	b.renewed++
	b.tell(s.now, "asks for another invitation")
	s.foresee()
	s.afterPause()
}

// bounce is a report that nobody is at the address.
func (s *simulation) bounce(b *subscriber, l *letter) {
	s.did("bounces as gone")
	b.tell(s.now, "the mail bounces: nobody is there")
	b.moved = true
	s.returns(fmt.Sprintf(goneReport, l.path, l.to))
}

// complain is a report of somebody who calls our mail spam.
func (s *simulation) complain(b *subscriber, l *letter) {
	s.did("complains")
	b.tell(s.now, "complains")
	s.complaints = append(s.complaints, b)
	s.returns(fmt.Sprintf(abuseReport, l.path))
}

// returns drops a mail into the folder of bounces.
func (s *simulation) returns(report string) {
	s.returned++
	s.comesBack(s.returned, strings.ReplaceAll(report, "\n", "\r\n"))
	s.soon()
}

const goneReport = `From: <mailer-daemon@mx.example>
To: <%s>
Subject: Undelivered
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="b"

--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example

Final-Recipient: rfc822; %s
Action: failed
Status: 5.1.1

--b--
`

const abuseReport = `From: <feedback@provider.example>
To: <abuse@bascule.example>
Subject: FW
MIME-Version: 1.0
Content-Type: multipart/report; report-type=feedback-report; boundary="b"

--b
Content-Type: message/feedback-report

Feedback-Type: abuse
User-Agent: Provider/1.0
Version: 1
Original-Mail-From: <%s>

--b--
`
