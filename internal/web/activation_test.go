package web_test

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"bascule/internal/conversion"
	"bascule/sql"
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

	screen := s.post(proof).expect(t, http.StatusOK, askPassword, "Étape 2 sur 4", "Ce changement est irrévocable", // R12, R33
		"00AB1234", "Hélène d'Arvor", conversion.FrenchTime(s.db.Deadline(t, r.ID))+" (heure de Paris)", // R21
		"une adresse électronique ne peut être associée qu'à un seul espace abonné sans certificat", // R6
		"personne ne pourra vous le communiquer",                                                    // R17
		"8 caractères au minimum et 20 au maximum", "Dans quelle rue avez-vous grandi ?")            // R16, R18
	if got := screen.field("new_email"); got != "helene+fisc@arvor.example" {
		t.Errorf("address shown by default: %q, want the contact's (R13)", got)
	}

	s.checkAccess(r, "certificate")
	form := full(url.Values{"email": {screen.field("email")}, "code": {screen.field("code")}}, screen.field("new_email"))
	page := s.post(with(form, "submission", screen.field("submission"))).
		expect(t, http.StatusOK, success, "00AB1234", "Étape 4 sur 4", "Sauvegardez ou imprimez votre formulaire",
			"Accéder à mon espace", "indispensables lors d'opérations particulières") // R27, R28, R30
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

// checkSwitched proves that the space is a password space whose password and
// answer are those of the tests.
func (s *site) checkSwitched(r sqltest.Request, email string) {
	s.t.Helper()
	var access, identifier, question string
	var passwordHash, answerHash conversion.Hash
	err := s.db.Raw.QueryRow(`SELECT access, email, question, password_hash, answer_hash FROM space WHERE id = $1`, r.SpaceID).
		Scan(&access, &identifier, &question, &passwordHash, &answerHash)
	if err != nil {
		s.t.Fatal(err)
	}
	if access != "password" || identifier != email || question != "enfance-rue" {
		s.t.Errorf("space: access %s, identifier %s, question %s", access, identifier, question)
	}
	typed, err := conversion.ParseTrustAnswer("RUE des tanneurs")
	if err != nil {
		s.t.Fatal(err)
	}
	if !passwordHash.MatchesPassword(password) || !answerHash.MatchesAnswer(typed) {
		s.t.Error("the password or the answer is not the one typed (R17, R18)")
	}
}

// unchanged runs f and proves that no row of any table differs afterwards,
// throttling and the tables apart.
func (s *site) unchanged(f func(), apart ...string) {
	s.t.Helper()
	before := s.dump(apart...)
	f()
	if after := s.dump(apart...); after != before {
		s.t.Errorf("rows have changed\nbefore: %s\nafter: %s", before, after)
	}
}

func (s *site) dump(apart ...string) string {
	tables := strings.Join(append(apart, "throttle"), "|")
	return regexp.MustCompile(`(?m)^(?:`+tables+`): (?s:.*?)(?:^\w+: |\z)`).ReplaceAllString(s.db.Dump(s.t), "")
}

// The contract: a wrong code, an unknown address, an expired, used, cancelled
// or not yet mailed code answer alike, with the address typed the only difference.
func TestRefusedAlike(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	_, good := s.mailed(sqltest.Invitation{Contact: "good@a.example"})
	_, used := s.mailed(sqltest.Invitation{Contact: "used@a.example"})
	s.post(full(used, "used@a.example")).expect(t, http.StatusOK, success)
	cancelled, dead := s.mailed(sqltest.Invitation{Contact: "dead@a.example"})
	s.db.Exec(t, `UPDATE request SET cancelled_at = bascule_now() WHERE id = $1`, cancelled.ID)
	late, expired := s.mailed(sqltest.Invitation{Contact: "late@a.example"})
	s.db.Overdue(t, late.ID)

	var first string
	for name, form := range map[string]url.Values{
		"wrong":        with(good, "code", "0000-0000-0000"),
		"unknown":      with(good, "email", "nobody@a.example"),
		"used":         used,
		"used, full":   with(full(used, "used@a.example"), "code", "0000-0000-0000"),
		"cancelled":    dead,
		"expired":      expired,
		"expired full": full(expired, "late@a.example"),
		"swapped":      with(good, "code", used.Get("code")),
	} {
		t.Run(name, func(t *testing.T) {
			s.unchanged(func() {
				page := s.post(form).expect(t, http.StatusUnprocessableEntity, refused)
				if strings.Contains(page.body, form.Get("code")) {
					t.Error("the code is shown again")
				}
				body := strings.NewReplacer(page.field("submission"), "S", form.Get("email"), "E").Replace(page.body)
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

// What cannot be a code or an address is said at the field, and looked up nowhere.
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
		{with(proof, "code", ""), "Le code d'activation comporte 12 lettres et chiffres"},
		{with(proof, "code", "ABCD-1234"), "Le code d'activation comporte 12 lettres et chiffres"},
		{with(proof, "code", strings.Repeat("A", 60000)), "Le code d'activation comporte 12 lettres et chiffres"},
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

// R13–R18: everything wrong is told at once, at its field and on top; what was
// typed stays, secrets apart; nothing changes.
func TestIdentifiersProblems(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	r, proof := s.mailed(sqltest.Invitation{Number: "00AB1234", Contact: "contact@a.example"})
	good := full(proof, "contact@a.example")
	for _, test := range []struct {
		rule, field, value, want string
	}{
		{"R15", "new_email", "", "Adresse électronique manquante."},
		{"R15", "new_email", strings.Repeat("a", 60) + "@" + strings.Repeat("b", 36) + ".example", "100 caractères au maximum"},
		{"R15", "new_email", "contact", "Adresse électronique invalide"},
		{"R14", "new_email_confirmation", "", "Les deux adresses électroniques ne sont pas identiques."},
		{"R14", "new_email_confirmation", "other@a.example", "Les deux adresses électroniques ne sont pas identiques."},
		{"R16", "password", "", "Saisissez un mot de passe."},
		{"R16", "password", "Abc1234", "8 caractères au minimum"},
		{"R16", "password", "Abc123456789012345678", "20 caractères au maximum"},
		{"R16", "password", "Kolibri Zenith7", "sans espace"},
		{"R16", "password", "KolibriZenith", "au moins une lettre et au moins un chiffre"},
		{"D6", "password", "azerty123", "trop courant"},
		{"D6", "password", "x00AB1234y", "votre numéro d'abonné"},
		{"R14", "password_confirmation", strings.ToLower(password), "Les deux mots de passe ne sont pas identiques."},
		{"R18", "question", "", "Choisissez une question de confiance dans la liste."},
		{"R18", "question", "nonsense", "Choisissez une question de confiance dans la liste."},
		{"R18", "answer", " ", "Saisissez la réponse à la question de confiance."},
		{"R12", "consent", "-", "Cochez la case si vous optez pour l'accès sans certificat"},
	} {
		t.Run(test.field+"="+fmt.Sprintf("%.12s", test.value), func(t *testing.T) { // each is one rule
			s.unchanged(func() {
				page := s.post(with(good, test.field, test.value)).
					expect(t, http.StatusUnprocessableEntity, "Une information est à corriger", test.want)
				if !strings.Contains(page.title(), "Erreur : Choisir vos identifiants – étape 2 sur 4") {
					t.Errorf("title %q", page.title())
				}
				if !strings.Contains(page.body, `<a href="#`+test.field+`">`) || !strings.Contains(page.body, `id="`+test.field+`"`) {
					t.Errorf("%s: the summary does not lead to the field %s", test.rule, test.field)
				}
				for _, secret := range []string{password, answer, test.value} {
					if (test.field == "password" || secret != test.value) && secret != "" && strings.Contains(page.body, secret) {
						t.Errorf("%s: a secret is sent back", test.rule)
					}
				}
				if test.field != "new_email" && page.field("new_email") != "contact@a.example" {
					t.Errorf("the address typed is lost")
				}
				if test.field != "question" && !strings.Contains(page.body, `value="enfance-rue" selected`) {
					t.Error("the question chosen is lost")
				}
				if test.field != "consent" && !strings.Contains(page.body, `value="oui" checked`) {
					t.Error("the consent is lost")
				}
			})
		})
	}
	s.post(with(proof, "consent", "1")).expect(t, http.StatusUnprocessableEntity, "4 informations sont à corriger")
	s.post(good).expect(t, http.StatusOK, success)
	s.checkSwitched(r, "contact@a.example")
}

// D1: another address is proven by a code of its own, which then activates
// alone; the first code corrects a typo, and no more than three times.
func TestOtherAddress(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	r, contact := s.mailed(sqltest.Invitation{Contact: "contact@a.example"})
	other := full(contact, "helene@b.example")
	sent := s.post(other).expect(t, http.StatusOK, mailSent, "helene@b.example", "Activez votre espace", "OK", // R19, R20
		"la réception peut être différée", "dans le délai de 48 h", "2ème étape du mode expert", // R19–R21
		"il est impossible de redemander un code d'activation avec la même adresse électronique") // R22
	if !strings.Contains(sent.body, `href="/activation?etape=3#adresse=helene%40b.example"`) {
		t.Error("the link of R20 does not carry the address after #")
	}
	if got := s.db.Text(t, `SELECT string_agg(kind || generation, ' ' ORDER BY kind) FROM obligation`); got != "code2 notice2" {
		t.Errorf("due: %s, want the code and the notice to the contact", got)
	}
	if access := s.db.Text(t, `SELECT access FROM space`); access != "certificate" {
		t.Fatalf("access %s before the new address is proven (R3)", access)
	}

	s.unchanged(func() { s.post(other).expect(t, http.StatusOK, mailSent) }) // the same form again
	s.hashed("1")
	s.post(contact).expect(t, http.StatusOK, askPassword, "Vous avez déjà choisi l'adresse helene@b.example")

	second := s.mailAgain(r)
	s.post(with(second, "email", "contact@a.example")).expect(t, http.StatusUnprocessableEntity, refused) // proves its own address only
	s.post(second).expect(t, http.StatusOK, success, "helene@b.example")
	s.checkSwitched(r, "helene@b.example")
	s.post(contact).expect(t, http.StatusUnprocessableEntity, refused)
	s.post(full(contact, "contact@a.example")).expect(t, http.StatusUnprocessableEntity, already)
}

// D1: a typo in the other address locks nobody out.
func TestOtherAddressMistyped(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	r, contact := s.mailed(sqltest.Invitation{Contact: "contact@a.example"})
	s.post(full(contact, "typo1@b.example")).expect(t, http.StatusOK, mailSent)
	dead := s.mailAgain(r)
	s.post(full(contact, "typo2@b.example")).expect(t, http.StatusOK, mailSent)
	s.post(dead).expect(t, http.StatusUnprocessableEntity, refused)
	standing := s.post(with(full(contact, "TYPO2@b.example"), "answer", "other")).
		expect(t, http.StatusOK, "Un code d'activation vous a déjà été envoyé") // R22: no second mail
	if n := s.db.Text(t, `SELECT count(*) FROM obligation WHERE generation = 3`); n != "2" || standing.status != http.StatusOK {
		t.Errorf("%s obligations, want one code and one notice", n)
	}
	s.post(full(contact, "typo3@b.example")).expect(t, http.StatusOK, mailSent)
	s.post(full(contact, "typo4@b.example")).expect(t, http.StatusUnprocessableEntity, "trois autres adresses")

	s.post(full(contact, "contact@a.example")).expect(t, http.StatusOK, success) // the contact address activates at once
	s.checkSwitched(r, "contact@a.example")
	if kept := s.db.Text(t, `SELECT count(*) FROM request WHERE password_hash IS NOT NULL`); kept != "0" {
		t.Error("hashes are kept after the end of the request")
	}
}

// D1: a chosen address that the relay refuses for good is dropped; the form that
// chose it chooses it anew then, and does not tell of a mail that is gone.
func TestRefusedAddressChosenAgain(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	r, contact := s.mailed(sqltest.Invitation{Contact: "contact@a.example"})
	form := full(contact, "chosen@a.example")
	s.post(form).expect(t, http.StatusOK, mailSent)
	s.db.Exec(t, `UPDATE request SET generation = 1, password_hash = NULL, question = NULL, answer_hash = NULL WHERE id = $1`, r.ID) // as a worker does
	s.db.Exec(t, `UPDATE code SET void_at = bascule_now() WHERE request_id = $1 AND generation = 2`, r.ID)
	s.db.Exec(t, `DELETE FROM obligation WHERE request_id = $1`, r.ID)
	s.post(form).expect(t, http.StatusOK, mailSent)
	s.post(s.mailAgain(r)).expect(t, http.StatusOK, success)
	s.checkSwitched(r, "chosen@a.example")
}

// R22, D3: an address that another open request chose cannot get another code;
// an overdue request, swept or not, is in nobody's way.
func TestReservedAddress(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	first, proof := s.mailed(sqltest.Invitation{Contact: "a@a.example"})
	_, rival := s.mailed(sqltest.Invitation{Contact: "b@a.example"})
	s.post(full(proof, "wanted@a.example")).expect(t, http.StatusOK, mailSent)
	s.mailAgain(first)
	s.unchanged(func() {
		s.post(full(rival, "Wanted@A.example")).expect(t, http.StatusUnprocessableEntity, "Une demande est déjà en cours avec cette adresse")
	})
	s.db.Overdue(t, first.ID)
	s.post(full(rival, "wanted@a.example")).expect(t, http.StatusOK, mailSent)
}

// R6, I4: two requests for one address race; one gets it, the other stays open
// and ends on the identifiers screen. A code alone that loses ends there too.
func TestOneAddressTwoSpaces(t *testing.T) {
	s := newSite(t)
	_, one := s.mailed(sqltest.Invitation{Contact: "cabinet@a.example"})
	_, two := s.mailed(sqltest.Invitation{Contact: "cabinet@a.example"})
	third, three := s.mailed(sqltest.Invitation{Contact: "third@a.example"})
	s.post(full(three, "cabinet@a.example")).expect(t, http.StatusOK, mailSent)
	alone := s.mailAgain(third)

	var answers [2]answered
	var both sync.WaitGroup
	for i, proof := range []url.Values{one, two} {
		both.Go(func() { answers[i] = s.post(full(proof, "cabinet@a.example")) })
	}
	both.Wait()
	winner, loser, loserProof := answers[0], answers[1], two
	if winner.status != http.StatusOK {
		winner, loser, loserProof = answers[1], answers[0], one
	}
	winner.expect(t, http.StatusOK, success)
	loser.expect(t, http.StatusUnprocessableEntity, askPassword, taken)
	s.post(alone).expect(t, http.StatusUnprocessableEntity, askPassword, taken)
	if n := s.db.Text(t, `SELECT count(*) FROM space WHERE email_key = 'cabinet@a.example'`); n != "1" {
		t.Errorf("%s spaces have one address", n)
	}
	s.post(full(loserProof, "own@a.example")).expect(t, http.StatusOK, mailSent)
	s.post(full(alone, "cabinet@a.example")).expect(t, http.StatusUnprocessableEntity, taken)
	s.post(full(alone, "another@a.example")).expect(t, http.StatusOK, mailSent)
	s.post(s.mailAgain(third)).expect(t, http.StatusOK, success)
}

// R21, I3: the code works before its deadline, not at it, whether or not
// anything has swept.
func TestDeadline(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	r, proof := s.mailed(sqltest.Invitation{Contact: "contact@a.example"})
	deadline := s.db.Deadline(t, r.ID)
	s.db.Freeze(t, deadline)
	s.post(proof).expect(t, http.StatusUnprocessableEntity, refused)
	s.unchanged(func() { s.post(full(proof, "contact@a.example")).expect(t, http.StatusUnprocessableEntity, refused) })
	s.db.Freeze(t, deadline.Add(-time.Microsecond))
	s.post(full(proof, "contact@a.example")).expect(t, http.StatusOK, success)
}

// R27, R31: who has just activated the space is no stranger to it: whatever
// strangers do, that browser gets in, and a new password.
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
	v.submit("/deconnexion", nil).leadsTo(t, "/")
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

// R21, I3: a form that came in before the deadline and waits for the row until
// after it comes too late, by an address typed and by a code alone.
func TestDeadlineBehindLock(t *testing.T) {
	t.Run("address typed", func(t *testing.T) {
		s := newSite(t)
		r, contact := s.mailed(sqltest.Invitation{Contact: "contact@a.example"})
		s.lateBehindLock(r, full(contact, "contact@a.example"))
	})
	t.Run("code alone", func(t *testing.T) {
		s := newSite(t)
		r, contact := s.mailed(sqltest.Invitation{Contact: "contact@a.example"})
		s.post(full(contact, "chosen@a.example")).expect(t, http.StatusOK, mailSent)
		s.lateBehindLock(r, s.mailAgain(r))
	})
}

func (s *site) lateBehindLock(r sqltest.Request, form url.Values) {
	s.t.Helper()
	tx, err := s.db.Raw.Begin()
	if err != nil {
		s.t.Fatal(err)
	}
	defer tx.Rollback()
	if _, err := tx.Exec(`SELECT id FROM request WHERE id = $1 FOR UPDATE`, r.ID); err != nil {
		s.t.Fatal(err)
	}
	answer := make(chan answered, 1)
	go func() { answer <- s.post(form) }()
	s.await(gaveUp)
	s.db.Shift(s.t, 49*time.Hour)
	if err := tx.Rollback(); err != nil {
		s.t.Fatal(err)
	}
	(<-answer).expect(s.t, http.StatusUnprocessableEntity, refused)
	if access := s.db.Text(s.t, `SELECT access FROM space WHERE id = $1`, r.SpaceID); access != "certificate" {
		s.t.Errorf("access %s, switched after the deadline", access)
	}
}

// gaveUp tells whether a page has found a lock held, and will ask again.
const gaveUp = `SELECT EXISTS (SELECT FROM pg_stat_activity
	WHERE datname = current_database() AND usename = '` + sqltest.Application + `' AND query ILIKE 'ROLLBACK%')`

// await asks the database until the answer is true.
func (s *site) await(query string) {
	s.t.Helper()
	for start := time.Now(); s.db.Text(s.t, query) != "true"; {
		if time.Since(start) > 10*time.Second {
			s.t.Fatalf("never true: %s", query)
		}
	}
}

// I3, I8: a hundred forms at once for one request: one activates, the others
// are told so or sent away.
func TestHundredSubmissions(t *testing.T) {
	s := newSite(t)
	r, proof := s.mailed(sqltest.Invitation{Contact: "contact@a.example"})
	answers := make(chan answered, 100)
	for i := range cap(answers) {
		form := with(full(proof, "contact@a.example"), "submission", fmt.Sprintf("00000000-0000-4000-8000-%012d", i))
		go func() { answers <- s.post(form) }()
	}
	activated := 0
	for range cap(answers) {
		switch a := <-answers; a.status {
		case http.StatusOK:
			a.expect(t, http.StatusOK, success)
			activated++
		case http.StatusServiceUnavailable:
			if a.header.Get("Retry-After") == "" {
				t.Error("503 without Retry-After")
			}
		default:
			a.expect(t, http.StatusUnprocessableEntity, already)
		}
	}
	if activated != 1 {
		t.Errorf("%d forms activated, want 1", activated)
	}
	s.hashed("1")
	s.checkSwitched(r, "contact@a.example")
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

// Going back after another address was chosen and typing another password
// changes what is kept: the mail stands, the credentials are the latest.
func TestCredentialsReplaced(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	r, contact := s.mailed(sqltest.Invitation{Contact: "contact@a.example"})
	form := full(contact, "chosen@a.example")
	s.post(with(form, "password", "Another9Secret", "password_confirmation", "Another9Secret")).expect(t, http.StatusOK, mailSent)
	s.post(form).expect(t, http.StatusOK, "déjà été envoyé")
	s.post(s.mailAgain(r)).expect(t, http.StatusOK, success)
	s.checkSwitched(r, "chosen@a.example")
}

// I8: another process at work on the same request is waited for, not for ever.
func TestBusyElsewhere(t *testing.T) {
	s := newSite(t)
	r, proof := s.mailed(sqltest.Invitation{Contact: "contact@a.example"})
	tx, err := s.db.Raw.Begin()
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	if _, err := tx.Exec(`SELECT pg_advisory_xact_lock($1)`, r.ID); err != nil {
		t.Fatal(err)
	}
	form := full(proof, "contact@a.example")
	busy := s.post(form).expect(t, http.StatusServiceUnavailable, "Réessayez dans quelques minutes")
	if busy.header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	answer := make(chan answered, 1)
	go func() { answer <- s.post(form) }()
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	(<-answer).expect(t, http.StatusOK, success)
}

// I2, R27: a form whose name the request carries since another address was
// chosen is not taken for the one that activated.
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

// R13, R6: where the address of the contact details is another space's identifier
// already, the page says so before anything is typed.
func TestContactAddressTaken(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	_, first := s.mailed(sqltest.Invitation{Contact: "cabinet@a.example"})
	_, second := s.mailed(sqltest.Invitation{Contact: "cabinet@a.example"})
	const note = "sert déjà à un autre espace sans certificat"
	if page := s.post(second).expect(t, http.StatusOK, askPassword); strings.Contains(text(page.body), note) {
		t.Error("the page warns of an address that is free")
	}
	s.post(full(first, "cabinet@a.example")).expect(t, http.StatusOK, success)
	s.post(second).expect(t, http.StatusOK, askPassword, note)
}
