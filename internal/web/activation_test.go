package web_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bascule/internal/conversion"
	"bascule/sql/sqltest"
)

// C5: the whole way without script, the code (R25), the identifiers (R12–R18),
// the success (R27) and the recap (R28).
// R1, R3: up to the last form the space is entered by certificate alone, after
// it by password alone.
// R5: nothing else has changed.
// I9: the switch has one entry in the audit log, which names nobody.
func TestActivation(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	r, proof := s.mailed(sqltest.Invitation{Number: "00AB1234", Holder: "Hélène d'Arvor", Contact: "helene+fisc@arvor.example"})
	before := s.db.Text(t, `SELECT (number, holder, contact_email, serial, issuer, certificate_expires, companies)::text FROM space`)

	screen := s.post(proof).expect(t, http.StatusOK, askPassword, "Étape 2 sur 4", "Code Identifiants et accord (vous êtes ici) Activation Récapitulatif", "Ce changement est irrévocable", // R12, R33
		"00AB1234", "Hélène d'Arvor", conversion.FrenchTime(s.db.Deadline(t, r.ID))+" (heure de Paris)", // R21
		"une adresse électronique ne peut être associée qu’à un seul espace abonné sans certificat", // R6
		"personne ne pourra vous le redonner",                        // R17
		"De 8 à 20 caractères", "Dans quelle rue avez-vous grandi ?") // R16, R18
	if got := screen.field("new_email"); got != "helene+fisc@arvor.example" {
		t.Errorf("address shown by default: %q, want the contact's (R13)", got)
	}

	s.checkAccess(r, "certificate")
	form := full(url.Values{"email": {screen.field("email")}, "code": {screen.field("code")}}, screen.field("new_email"))
	page := s.post(with(form, "submission", screen.field("submission"))).
		expect(t, http.StatusOK, success, "00AB1234", "Étape 4 sur 4", "Sauvegardez ou imprimez votre formulaire",
			"Accéder à mon espace", "indispensables pour certaines opérations") // R27, R28, R30
	s.checkSwitched(r, "helene+fisc@arvor.example")
	audit := s.db.Text(t, `SELECT string_agg(concat_ws(' ', space_id, request_id, event, actor, why), ', ' ORDER BY id) FROM audit`)
	if want := fmt.Sprintf("%d %d activated subscriber code", r.SpaceID, r.ID); audit != want {
		t.Errorf("audit log: %s, want %s", audit, want)
	}
	if after := s.db.Text(t, `SELECT (number, holder, contact_email, serial, issuer, certificate_expires, companies)::text FROM space`); after != before {
		t.Errorf("the space was %s, is %s (R5)", before, after)
	}

	pdf := s.get("/recapitulatif.pdf", "Cookie", page.cookie())
	if pdf.status != http.StatusOK || !strings.HasPrefix(pdf.body, "%PDF-") {
		t.Errorf("recap: status %d, %.20q (R28)", pdf.status, pdf.body)
	}
}

// The contract: a wrong code, an unknown address, a used, cancelled
// or not yet mailed code answer alike, with the address typed the only difference.
func TestRefusedAlike(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	_, good := s.mailed(sqltest.Invitation{Contact: "good@a.example"})
	_, used := s.mailed(sqltest.Invitation{Contact: "used@a.example"})
	s.post(full(used, "used@a.example")).expect(t, http.StatusOK, success)
	cancelled, dead := s.mailed(sqltest.Invitation{Contact: "dead@a.example"})
	s.db.Exec(t, `UPDATE request SET cancelled_at = bascule_now() WHERE id = $1`, cancelled.ID)

	var first string
	for name, form := range map[string]url.Values{
		"wrong":      with(good, "code", "0000-0000-0000"),
		"unknown":    with(good, "email", "nobody@a.example"),
		"used":       used,
		"used, full": with(full(used, "used@a.example"), "code", "0000-0000-0000"),
		"cancelled":  dead,
		"swapped":    with(good, "code", used.Get("code")),
	} {
		t.Run(name, func(t *testing.T) {
			s.unchanged(func() {
				page := s.post(form).expect(t, http.StatusUnprocessableEntity, refused)
				if got := page.field("email") + " " + page.field("code"); got != form.Get("email")+" "+form.Get("code") {
					t.Errorf("typed again: %q", got)
				}
				body := strings.NewReplacer(page.field("submission"), "S", form.Get("email"), "E", form.Get("code"), "C").Replace(page.body)
				if first == "" {
					first = body
				}
				if body != first {
					t.Errorf("the answer differs from the others:\n%s\n%s", body, first)
				}
			})
		})
	}
	s.post(good).expect(t, http.StatusOK, askPassword)
}

// A text that cannot be a code or an address causes an error at its field, and no
// query.
func TestCodeScreenProblems(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	_, proof := s.mailed(sqltest.Invitation{})
	for _, test := range []struct {
		form url.Values
		want string
	}{
		{with(proof, "email", ""), "Adresse électronique manquante."},
		{with(proof, "email", "camille"), "Adresse électronique invalide"},
		{with(proof, "code", ""), "Le code d’activation comporte 12 lettres et chiffres"},
		{with(proof, "code", "ABCD-1234"), "Le code d’activation comporte 12 lettres et chiffres"},
		{with(proof, "code", strings.Repeat("A", 60000)), "Le code d’activation comporte 12 lettres et chiffres"},
	} {
		page := s.post(test.form).expect(t, http.StatusUnprocessableEntity, test.want)
		if !strings.HasPrefix(page.title(), "<title>") && !strings.Contains(page.title(), "Erreur : ") {
			t.Errorf("title %q", page.title())
		}
		if got := page.field("email"); got != test.form.Get("email") {
			t.Errorf("the address typed is lost: %q", got)
		}
	}
	again := s.do(s.request(http.MethodPost, "/activation?etape=3", strings.NewReader(with(proof, "code", "0000-0000-0000").Encode()),
		"Content-Type", "application/x-www-form-urlencoded"))
	again.expect(t, http.StatusUnprocessableEntity, refused, "Étape 3 sur 4") // R33: where the form was sent from
	s.post(with(proof, "code", " "+strings.ToLower(proof.Get("code"))+"\u00a0", "email", " "+proof.Get("email"))).
		expect(t, http.StatusOK, askPassword)
}

// R21, I3: the code works before its deadline, not at it, whether or not
// anything has swept.
func TestDeadline(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	r, proof := s.mailed(sqltest.Invitation{Contact: "contact@a.example"})
	deadline := s.db.Deadline(t, r.ID)
	s.db.Freeze(t, deadline)
	for range 11 { // a right code is no guess
		s.unchanged(func() { s.post(proof).expect(t, http.StatusUnprocessableEntity, late) })
	}
	s.unchanged(func() { s.post(full(proof, "contact@a.example")).expect(t, http.StatusUnprocessableEntity, late) })
	s.post(with(proof, "code", "0000-0000-0000")).expect(t, http.StatusUnprocessableEntity, refused) // nobody else is told
	s.db.Freeze(t, deadline.Add(-time.Microsecond))
	s.post(full(proof, "contact@a.example")).expect(t, http.StatusOK, success)
}

// D5: a link whose "#" was encoded on its way leads where it should, and only one of
// ours does.
func TestEncodedHash(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	v := s.visitor("192.0.2.1")
	for path, to := range map[string]string{
		"/activation%23adresse=a%2Bb%40a.example&code=ABCD":         "/activation#adresse=a%2Bb%40a.example&code=ABCD",
		"/activation?etape=3%23adresse=a%40a.example&code=ABCD":     "/activation?etape=3#adresse=a%40a.example&code=ABCD",
		"/nouveau-mot-de-passe%23adresse=a%40a.example&code=ABCD":   "/nouveau-mot-de-passe#adresse=a%40a.example&code=ABCD",
		"/activation%23adresse=a%40a.example&amp;code=ABCD%0d%0aX:": "/activation#adresse=a%40a.example&amp;code=ABCD%0d%0aX:",
	} {
		s.unchanged(func() { v.get(path).leadsTo(t, to) })
	}
	for _, path := range []string{"/aide%23x", "/activation/%23x"} {
		v.get(path).expect(t, http.StatusNotFound)
	}
	v.get("/activation?x=%23adresse").expect(t, http.StatusOK)
}

// R21: a subscriber who comes too late with a right code learns so, and the next step:
// by certificate only if it is valid and this site offers it.
func TestTooLate(t *testing.T) {
	t.Parallel()
	c := newCertSite(t)
	const byCertificate, ask, again = "Entrez dans votre espace avec votre certificat", "Demandez un nouveau code à l’assistance", "Un code plus récent"
	valid, proof := c.mailed(sqltest.Invitation{Contact: "valid@a.example"})
	past, old := c.mailed(sqltest.Invitation{Contact: "past@a.example"})
	c.db.Exec(t, `UPDATE space SET certificate_expires = bascule_now()::date - 1 WHERE id = $1`, past.SpaceID)
	for _, r := range []sqltest.Request{valid, past} {
		c.db.Overdue(t, r.ID)
	}
	page := c.post(proof).expect(t, http.StatusUnprocessableEntity, late, string(valid.Number), byCertificate, "Votre espace n’a pas changé")
	wrong := c.post(with(proof, "code", "AAAA-BBBB-CCCC")).expect(t, http.StatusUnprocessableEntity, refused)
	for _, of := range []http.Header{wrong.header, page.header} {
		of.Del("Content-Length")
		of.Del("Date")
	}
	if diff := cmp.Diff(wrong.header, page.header); diff != "" {
		t.Errorf("the headers tell more than the page:\n%s", diff)
	}
	if strings.Contains(page.body, "<input") {
		t.Error("the page asks for something typed before")
	}
	checkHTML(t, "late", page)
	said := text(c.post(old).expect(t, http.StatusUnprocessableEntity, late, string(past.Number), ask).body)
	if strings.Contains(said, byCertificate) {
		t.Error("a certificate that has expired is proposed")
	}

	s := newSite(t)
	elsewhere, proof := s.mailed(sqltest.Invitation{Contact: "contact@a.example"})
	s.post(full(proof, "other@a.example")).expect(t, http.StatusOK, mailSent)
	s.mailAgain(elsewhere)
	s.db.Exec(t, `UPDATE code SET started_at = started_at - interval '3 days', expires_at = bascule_now() WHERE generation = 1`)
	s.post(proof).expect(t, http.StatusUnprocessableEntity, late, "Il a été envoyé à other@a.example")
	s.db.Overdue(t, elsewhere.ID)
	if said := text(s.post(proof).expect(t, http.StatusUnprocessableEntity, late, ask).body); strings.Contains(said, byCertificate) {
		t.Error("entry by certificate is proposed where nobody can")
	}
	s.db.Exec(t, `UPDATE request SET expired_at = bascule_now(), password_hash = NULL, question = NULL, answer_hash = NULL`)
	s.db.Exec(t, `WITH r AS (INSERT INTO request (space_id, origin, requested_at) SELECT id, 'retry', bascule_now() FROM space RETURNING id)
		INSERT INTO code (request_id, generation, purpose, email, email_key, key_id, nonce)
		SELECT r.id, 1, 'identify', c.email, c.email_key, c.key_id, c.nonce FROM r, code c WHERE c.generation = 1`)
	s.post(proof).expect(t, http.StatusUnprocessableEntity, late, again)
}

// R21: so does one who chose an address, also after the sweep took its reservation back.
// A code that was void before its deadline stays a wrong one.
func TestTooLateChosen(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	r, contact := s.mailed(sqltest.Invitation{Contact: "contact@a.example"})
	s.post(full(contact, "typo@a.example")).expect(t, http.StatusOK, mailSent)
	typo := s.mailAgain(r)
	s.post(full(contact, "other@a.example")).expect(t, http.StatusOK, mailSent)
	other := s.mailAgain(r)
	s.db.Shift(t, conversion.DefaultCodeLifetime)
	for range 2 {
		s.post(other).expect(t, http.StatusUnprocessableEntity, late, string(r.Number))
		s.post(typo).expect(t, http.StatusUnprocessableEntity, refused)
		if _, err := s.db.Sweep(t.Context(), 100); err != nil {
			t.Fatal(err)
		}
	}
	if state := s.db.Text(t, `SELECT (expired_at IS NOT NULL)::text FROM request WHERE id = $1`, r.ID); state != "true" {
		t.Fatal("nothing was swept")
	}
}

// R27, R31: the browser of a subscriber who has just activated the space is no stranger
// to it. Whatever strangers do, that browser gets in, and gets a new password.
func TestActivationMakesKnown(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	_, proof := s.mailed(sqltest.Invitation{Contact: "owner@a.example"})
	v, stranger := s.visitor("192.0.2.1"), s.visitor("192.0.2.2")
	s.db.Freeze(t, time.Now())
	s.fill(30, 5*time.Minute, "connection address", "owner@a.example")
	s.fill(20, 15*time.Minute, "forgotten address", "owner@a.example")
	s.fill(200, 5*time.Minute, "connection reserve", "owner@a.example")
	s.fill(200, 15*time.Minute, "forgotten reserve", "owner@a.example")
	v.submit("/activation", full(proof, "owner@a.example")).expect(t, http.StatusOK, success)
	stranger.connect("owner@a.example").expect(t, http.StatusTooManyRequests, slowDown)
	v.connect("owner@a.example").leadsTo(t, "/espace")
	v.submit("/deconnexion", nil).leadsTo(t, "/deconnexion")
	for _, test := range []struct {
		visitor
		mails string
	}{{stranger, "0"}, {v, "1"}} {
		test.submit("/mot-de-passe-oublie", trust("owner@a.example")).expect(t, http.StatusOK, perhaps)
		if n := s.resets(); n != test.mails {
			t.Errorf("%s mails asked for, want %s", n, test.mails)
		}
	}
}

// No form makes the server fail, and none that lacks the right code gets past
// the first screen.
func FuzzActivation(f *testing.F) {
	s := newSite(f)
	_, proof := s.mailed(sqltest.Invitation{Contact: "contact@a.example"})
	f.Add(proof.Encode())
	f.Add(full(proof, "contact@a.example").Encode())
	f.Add("email=%00&code=\xff&submission=x")
	handler := s.server.Handler()
	n := 0
	f.Fuzz(func(t *testing.T, body string) {
		if strings.Contains(body, proof.Get("code")) {
			return
		}
		n++
		request := httptest.NewRequest(http.MethodPost, "/activation", strings.NewReader(body))
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		request.RemoteAddr = fmt.Sprintf("198.51.%d.%d:1", n/250%250, n%250)
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, request)
		switch w.Code {
		case http.StatusUnprocessableEntity, http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusTooManyRequests:
		default:
			t.Errorf("status %d\n%s", w.Code, w.Body)
		}
	})
}
