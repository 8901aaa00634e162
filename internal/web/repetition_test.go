package web_test

import (
	"net/http"
	"net/url"
	"slices"
	"testing"
	"time"

	"bascule/internal/conversion"
	"bascule/internal/web"
	"bascule/sql"
	"bascule/sql/sqltest"
)

// The form that activated is the same form only while the session stands that it
// opened: within 30 minutes of the switch, however often it is sent, and neither
// after signing out nor after another password. Later it opens nothing, and makes
// no browser known (R28).
func TestRepetitionEnds(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*site, sqltest.Request, visitor){
		"time": func(s *site, _ sqltest.Request, _ visitor) { s.db.Shift(s.t, sql.RecapSession) },
		"signing out": func(_ *site, _ sqltest.Request, v visitor) {
			v.submit("/deconnexion", nil).leadsTo(v.t, "/deconnexion")
		},
		"signing out of the space elsewhere": func(s *site, r sqltest.Request, _ visitor) {
			other := s.visitor("192.0.2.9")
			other.connect(r.Contact.String()).leadsTo(s.t, "/espace")
			other.submit("/deconnexion", nil).leadsTo(s.t, "/deconnexion")
		},
		"another password in the space": func(_ *site, r sqltest.Request, v visitor) {
			v.connect(r.Contact.String()).leadsTo(v.t, "/espace")
			v.submit("/espace/mot-de-passe", change(password, "Another9Secret")).expect(v.t, http.StatusOK)
		},
		"another password by mail": func(s *site, r sqltest.Request, v visitor) {
			v.submit("/mot-de-passe-oublie", trust(r.Contact.String())).expect(s.t, http.StatusOK, perhaps)
			v.submit("/nouveau-mot-de-passe", newPassword(s.mailReset(r), "Another9Secret")).expect(s.t, http.StatusOK)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			r, proof := s.mailed(sqltest.Invitation{Contact: "contact@a.example"})
			form, v := full(proof, "contact@a.example"), s.visitor("192.0.2.1")
			v.submit("/activation", form).expect(t, http.StatusOK, success)
			v.submit("/activation", form).expect(t, http.StatusOK, success)
			end(s, r, v)
			s.unchanged(func() { s.visitor("192.0.2.2").repeats(form) })
		})
	}
}

// repeats proves that a form is too late: no session, no known browser, no recap.
func (v visitor) repeats(form map[string][]string) {
	v.t.Helper()
	page := v.submit("/activation", form).expect(v.t, http.StatusUnprocessableEntity, already)
	if set := page.header.Values("Set-Cookie"); set != nil {
		v.t.Errorf("it sets the cookies %q", set)
	}
	v.get("/recapitulatif.pdf").expect(v.t, http.StatusForbidden)
}

// A repetition is no new lease: the sessions of all repetitions end with the
// first one. The same for a code that activates alone.
func TestRepetitionAddsNoTime(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	r, contact := s.mailed(sqltest.Invitation{Contact: "contact@a.example"})
	s.post(full(contact, "chosen@a.example")).expect(t, http.StatusOK, mailSent)
	form := with(s.mailAgain(r), "submission", s.get("/activation").field("submission"))
	v := s.visitor("192.0.2.1")
	v.submit("/activation", form).expect(t, http.StatusOK, success)
	s.db.Shift(t, sql.RecapSession-time.Minute)
	late := s.visitor("192.0.2.2")
	late.submit("/activation", form).expect(t, http.StatusOK, success)
	late.get("/recapitulatif.pdf").expect(t, http.StatusOK)
	s.db.Shift(t, sql.RecapSession)
	late.get("/recapitulatif.pdf").expect(t, http.StatusForbidden)
	s.visitor("192.0.2.3").repeats(form)
}

// The other forms also open or reveal something only once: the choice of another
// address, the use of a code for a new password, the holder's option.
func TestOtherFormsRepeated(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	r, contact := s.mailed(sqltest.Invitation{Contact: "contact@a.example"})
	chosen := full(contact, "chosen@a.example")
	s.post(chosen).expect(t, http.StatusOK, mailSent)
	s.post(s.mailAgain(r)).expect(t, http.StatusOK, success)
	s.unchanged(func() { s.visitor("192.0.2.1").repeats(chosen) })

	v := s.visitor("192.0.2.2")
	v.submit("/mot-de-passe-oublie", trust("chosen@a.example")).expect(t, http.StatusOK, perhaps)
	renewal := newPassword(s.mailReset(r), "Another9Secret")
	v.submit("/nouveau-mot-de-passe", renewal).expect(t, http.StatusOK)
	page := s.visitor("192.0.2.3").submit("/nouveau-mot-de-passe", renewal).expect(t, http.StatusUnprocessableEntity, resetRefused)
	if set := page.header.Values("Set-Cookie"); set != nil {
		t.Errorf("a used code sets the cookies %q", set)
	}
}

// The forms of a password space, twice: by a double click, or as the first answer was
// lost. The second answer does not tell that nothing was done.
func TestOwnerFormsRepeated(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.switched(sqltest.Invitation{Contact: "old@a.example"})
	v := s.visitor("192.0.2.1")
	v.connect("old@a.example").leadsTo(t, "/espace")
	v.submit("/espace/identifiant", move("new@a.example", password)).leadsTo(t, "/espace/identifiant")
	code := s.proof("new@a.example", s.db.MailIdentifier(t, s.keys, "new@a.example"))
	proof := url.Values{"code": {code.Get("code")}, "pending": {v.get("/espace/identifiant").field("pending")}}
	s.together(3, func(int) {
		v.submit("/espace/identifiant", proof).expect(t, http.StatusOK, "Votre identifiant est modifié", "new@a.example")
	})
	s.unchanged(func() {
		v.submit("/espace/identifiant", proof).expect(t, http.StatusOK, "Votre identifiant est modifié", "new@a.example")
		proof.Set("pending", "old@a.example")
		v.submit("/espace/identifiant", proof).expect(t, http.StatusUnprocessableEntity, "Aucun code n’est attendu")
	})

	statuses := make([]int, 3)
	s.together(3, func(i int) {
		page := v.submit("/espace/mot-de-passe", change(password, "Another9Secret"))
		if statuses[i] = page.status; page.status != http.StatusOK {
			page.expect(t, http.StatusUnprocessableEntity, "Si vous venez d’envoyer ce formulaire, il est déjà modifié.")
		}
	})
	if slices.Sort(statuses); !slices.Equal(statuses, []int{200, 422, 422}) {
		t.Errorf("one change is answered by %v", statuses)
	}
}

// The same for the option of the certificate's holder: once the space is
// switched, the form that opted reveals nothing and opens nothing (R3).
func TestOptionRepeated(t *testing.T) {
	t.Parallel()
	c := newCertSite(t, func(*web.Config) {})
	victim, cert := c.holder(sqltest.Invitation{Contact: "contact@a.example"})
	client := c.client(cert)
	form := with(opted("contact@a.example"), "submission", "00000000-0000-4000-8000-000000000001")
	c.send(client, "/espace/identifiants", form).expect(t, http.StatusOK, mailSent)
	c.send(client, "/espace/identifiants", form).expect(t, http.StatusOK, mailSent)
	_, code := c.db.Mail(t, c.keys, c.openRequest(victim))
	c.post(c.proof("contact@a.example", code)).expect(t, http.StatusOK, success)
	c.unchanged(func() {
		page := c.send(client, "/espace/identifiants", form)
		if page.status == http.StatusOK || page.header.Get("Set-Cookie") != "" {
			t.Errorf("status %d, cookies %q", page.status, page.header.Get("Set-Cookie"))
		}
	})
}

// A repetition while another password is being chosen waits for it, and comes too
// late then.
func TestRepetitionMeetsAnotherPassword(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	r, proof := s.mailed(sqltest.Invitation{Contact: "contact@a.example"})
	form := full(proof, "contact@a.example")
	s.post(form).expect(t, http.StatusOK, success)
	tx, err := s.db.Raw.Begin()
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	if _, err := tx.Exec(`SELECT FROM space WHERE id = $1 FOR UPDATE`, r.SpaceID); err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(`DELETE FROM session WHERE space_id = $1`, r.SpaceID); err != nil {
		t.Fatal(err)
	}
	answer := make(chan answered, 1)
	go func() { answer <- s.post(form) }()
	s.await(`SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock')`)
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	(<-answer).expect(t, http.StatusUnprocessableEntity, already)
}

// The same form twice, at once or later, gets the same page twice, and a
// session each time; somebody who went back and typed another password is not
// led to believe that it was taken.
func TestDoubleClick(t *testing.T) {
	s := newSite(t)
	_, proof := s.mailed(sqltest.Invitation{Contact: "contact@a.example"})
	form := full(proof, "Contact@a.example")
	answers := make(chan answered, 3)
	for range 2 {
		go func() { answers <- s.post(form) }()
	}
	first := (<-answers).expect(t, http.StatusOK, success)
	answers <- s.post(form)
	for range 2 {
		again := (<-answers).expect(t, http.StatusOK, success)
		if again.body != first.body {
			t.Errorf("another page:\n%s\n%s", again.body, first.body)
		}
		s.get("/recapitulatif.pdf", "Cookie", again.cookie()).expect(t, http.StatusOK)
	}
	s.post(with(form, "password", "Another9Secret", "password_confirmation", "Another9Secret")).
		expect(t, http.StatusUnprocessableEntity, already)
	s.hashed("1")
	if n := s.db.Text(t, `SELECT count(*) FROM audit WHERE event = 'activated'`); n != "1" {
		t.Errorf("%s activations, want 1", n)
	}
}

// D1: the same for a code that activates alone; without the form's name, a
// used code is refused like any other.
func TestDoubleClickCodeAlone(t *testing.T) {
	s := newSite(t)
	r, contact := s.mailed(sqltest.Invitation{Contact: "contact@a.example"})
	s.post(full(contact, "chosen@a.example")).expect(t, http.StatusOK, mailSent)
	form := with(s.mailAgain(r), "submission", s.get("/activation").field("submission"))
	s.post(form).expect(t, http.StatusOK, success)
	s.post(form).expect(t, http.StatusOK, success)
	s.post(with(form, "submission", "-")).expect(t, http.StatusUnprocessableEntity, refused)
}

// I2, R27: the request carries the name of the form that chose another address. That
// form is not taken for the one that activated.
func TestFormNameReused(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	r, _ := s.mailed(sqltest.Invitation{Contact: "contact@a.example"})
	form := sql.Submission{
		Request: r.ID, Generation: 1, ID: "00000000-0000-4000-8000-000000000001", Email: sqltest.Email(t, "chosen@a.example"),
		Credentials: func() (sql.Credentials, error) {
			return sql.Credentials{Password: "hash", Question: "animal", Answer: "hash"}, nil
		},
	}
	if _, err := s.db.ChooseAddress(t.Context(), form); err != nil {
		t.Fatal(err)
	}
	s.mailAgain(r)
	form.Generation = 2
	err := s.db.Activate(t.Context(), sql.Activation{Submission: form,
		Facts: func(conversion.Space, conversion.TrustQuestion, time.Time) ([]byte, error) { return []byte("{}"), nil }})
	if err != nil {
		t.Fatal(err)
	}
	if access := s.db.Text(t, `SELECT access FROM space`); access != "password" {
		t.Errorf("told of a success, access is %s", access)
	}
}

// A subscriber chooses another address, goes back and types another password. That
// changes the kept credentials: the mail stands, the credentials are the latest.
func TestCredentialsReplaced(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	r, contact := s.mailed(sqltest.Invitation{Contact: "contact@a.example"})
	form := full(contact, "chosen@a.example")
	s.post(with(form, "password", "Another9Secret", "password_confirmation", "Another9Secret")).expect(t, http.StatusOK, mailSent)
	s.post(form).expect(t, http.StatusOK, "est déjà en cours d’envoi")
	s.post(s.mailAgain(r)).expect(t, http.StatusOK, success)
	s.checkSwitched(r, "chosen@a.example")
}
