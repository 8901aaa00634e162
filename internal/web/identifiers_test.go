package web_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"

	"bascule/internal/conversion"
	"bascule/sql/sqltest"
)

// R13–R18: the page tells all errors at once, at their fields and on top. The typed
// values stay, except secrets. Nothing changes.
func TestIdentifiersProblems(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	r, proof := s.mailed(sqltest.Invitation{Number: "00AB1234", Contact: "contact@a.example"})
	good := full(proof, "contact@a.example")
	s.post(proof).expect(t, http.StatusOK, askPassword) // that the code was typed is noted once
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
		{"D6", "password", "x00AB1234y", "votre numéro d’abonné"},
		{"R14", "password_confirmation", strings.ToLower(password), "Les deux mots de passe ne sont pas identiques."},
		{"R18", "question", "", "Choisissez une question de confiance dans la liste."},
		{"R18", "question", "nonsense", "Choisissez une question de confiance dans la liste."},
		{"R18", "answer", " ", "Saisissez la réponse à la question de confiance."},
		{"R18", "answer", "é", "deux lettres ou chiffres au minimum"},
		{"R18", "answer", "rue", "ne doit pas reprendre seulement des mots de la question"},
		{"R12", "consent", "-", "Cochez la case si vous changez d’accès"},
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
		"votre messagerie peut le recevoir plus tard", "dans le délai de 48 h", "«\u00a02ème étape\u00a0» du «\u00a0mode expert\u00a0»", // R19–R21
		"vous ne pouvez pas demander un autre code avec la même adresse") // R22
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
	s.post(contact).expect(t, http.StatusOK, askPassword, "Vous avez déjà choisi l’adresse helene@b.example")

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
		expect(t, http.StatusOK, "Un code d’activation est déjà en cours d’envoi", "dans le délai de 48 h") // R22: no second mail
	if n := s.db.Text(t, `SELECT count(*) FROM obligation WHERE generation = 3`); n != "2" || standing.status != http.StatusOK {
		t.Errorf("%s obligations, want one code and one notice", n)
	}
	s.db.Mail(t, s.keys, r.ID)
	// R23: the page tells of a code that was sent: its own deadline, and that it was
	// sent.
	sent := s.post(full(contact, "typo2@b.example")).expect(t, http.StatusOK, "Un code d’activation vous a déjà été envoyé",
		"Activez votre espace avant le "+conversion.FrenchTime(s.db.Deadline(t, r.ID)))
	for _, untrue := range []string{"immédiat", "48 h", "est envoyé", "en cours d’envoi"} {
		if strings.Contains(text(sent.body), untrue) {
			t.Errorf("of a code that was sent, the page says %q", untrue)
		}
	}
	again := s.post(contact).expect(t, http.StatusOK, askPassword)
	if !strings.Contains(again.body, `value="oui" checked`) {
		t.Error("the consent given with the other address is asked for again")
	}
	s.post(full(contact, "typo3@b.example")).expect(t, http.StatusOK, mailSent)
	s.post(full(contact, "typo4@b.example")).expect(t, http.StatusUnprocessableEntity, "trois autres adresses")

	s.post(full(contact, "contact@a.example")).expect(t, http.StatusOK, success) // the contact address activates at once
	s.checkSwitched(r, "contact@a.example")
	if kept := s.db.Text(t, `SELECT count(*) FROM request WHERE password_hash IS NOT NULL`); kept != "0" {
		t.Error("hashes are kept after the end of the request")
	}
}

// D1: a chosen address that the relay refuses for good is dropped; the identifiers say
// so, and the form that chose it chooses it anew.
func TestRefusedAddressChosenAgain(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	r, contact := s.mailed(sqltest.Invitation{Contact: "contact@a.example"})
	form := full(contact, "chosen@a.example")
	s.post(form).expect(t, http.StatusOK, mailSent)
	s.db.Exec(t, `UPDATE request SET generation = 1, password_hash = NULL, question = NULL, answer_hash = NULL WHERE id = $1`, r.ID) // as a worker does
	s.db.Exec(t, `UPDATE code SET void_at = bascule_now(), refusal = '550 5.1.1' WHERE request_id = $1 AND generation = 2`, r.ID)
	s.db.Exec(t, `DELETE FROM obligation WHERE request_id = $1`, r.ID)
	page := s.post(contact).expect(t, http.StatusOK, askPassword, unreached+" chosen@a.example")
	checkHTML(t, "unreached", page)
	s.post(form).expect(t, http.StatusOK, mailSent)
	s.post(contact).expect(t, http.StatusOK, "Vous avez déjà choisi l’adresse chosen@a.example")
	s.post(s.mailAgain(r)).expect(t, http.StatusOK, success)
	s.checkSwitched(r, "chosen@a.example")
}

// unreached is what the pages say of a chosen address that the code did not reach.
const unreached = "Notre courriel n’a pas pu être remis à l’adresse"

// D1, D11: the identifiers also say that the mail to a chosen address came back. A delay
// is no bad news, nor is a complaint of who has the mail. A newer choice makes it forgotten.
func TestBouncedAddress(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	r, contact := s.mailed(sqltest.Invitation{Contact: "contact@a.example"})
	s.post(full(contact, "chosen@a.example")).expect(t, http.StatusOK, mailSent)
	s.mailAgain(r)
	for _, bounced := range []struct{ as, want string }{
		{"late", "Vous avez déjà choisi l’adresse"}, {"full or policy", unreached}, {"gone", unreached}, {"complaint", "Vous avez déjà choisi l’adresse"},
	} {
		s.db.Exec(t, `UPDATE code SET bounce = $2, bounced_at = bascule_now() WHERE request_id = $1 AND generation = 2`, r.ID, bounced.as)
		s.post(contact).expect(t, http.StatusOK, bounced.want+" chosen@a.example")
	}
	s.post(full(contact, "other@a.example")).expect(t, http.StatusOK, mailSent)
	if page := s.post(contact).expect(t, http.StatusOK, askPassword); strings.Contains(page.body, "chosen@a.example") {
		t.Error("an address is told that was replaced")
	}
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
	s.post(rival).expect(t, http.StatusOK) // the code is typed
	s.unchanged(func() {
		s.post(full(rival, "Wanted@A.example")).expect(t, http.StatusUnprocessableEntity, "Un code est déjà demandé pour cette adresse")
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

// R13, R6: if the contact's address is another space's identifier already, the page
// says so before anything is typed.
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
	if page := s.post(second).expect(t, http.StatusOK, askPassword, note); page.field("new_email") != "" {
		t.Errorf("the page offers %q, which it would refuse", page.field("new_email"))
	}
}

// D1, R13: if the contact's address is taken and three others were chosen, no page
// offers an address that it would refuse.
func TestNoAddressLeft(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	_, owner := s.mailed(sqltest.Invitation{Contact: "cabinet@a.example"})
	rival, other := s.mailed(sqltest.Invitation{Contact: "rival@a.example"})
	_, proof := s.mailed(sqltest.Invitation{Contact: "cabinet@a.example"})
	for i := range 3 {
		s.post(full(proof, fmt.Sprintf("typo%d@a.example", i))).expect(t, http.StatusOK, mailSent)
	}
	const stuck = "L’assistance peut corriger vos coordonnées"
	only := func(page answered, want string) {
		t.Helper()
		if got := page.field("new_email"); got != want || strings.Contains(text(page.body), stuck) {
			t.Errorf("the page offers %q, want %q", got, want)
		}
	}
	only(s.post(full(proof, "typo3@a.example")).expect(t, http.StatusUnprocessableEntity, "trois autres adresses"), "cabinet@a.example")
	s.post(full(owner, "cabinet@a.example")).expect(t, http.StatusOK, success)
	only(s.post(full(proof, "cabinet@a.example")).expect(t, http.StatusUnprocessableEntity, taken), "typo2@a.example")
	s.post(full(proof, "typo2@a.example")).expect(t, http.StatusOK, "Un code d’activation")

	s.db.Exec(t, `UPDATE code SET void_at = bascule_now() WHERE email = 'typo2@a.example'`) // the rival gets it, as after a bounce
	s.post(full(other, "typo2@a.example")).expect(t, http.StatusOK, mailSent)
	s.post(s.mailAgain(rival)).expect(t, http.StatusOK, success)
	page := s.post(proof).expect(t, http.StatusOK, askPassword, stuck)
	if strings.Contains(page.body, `name="new_email"`) {
		t.Error("the page asks for an address")
	}
	checkHTML(t, "stuck", page)
}

// D3: a subscriber who has proven an address by its code activates with it, however
// many other addresses were refused before.
func TestOwnAddressAfterTooManyOthers(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	_, owner := s.mailed(sqltest.Invitation{Contact: "taken@a.example"})
	s.post(full(owner, "taken@a.example")).expect(t, http.StatusOK, success)
	_, proof := s.mailed(sqltest.Invitation{Contact: "contact@a.example"})
	for range 10 {
		s.post(full(proof, "taken@a.example")).expect(t, http.StatusUnprocessableEntity, taken)
	}
	s.post(full(proof, "taken@a.example")).expect(t, http.StatusTooManyRequests, "Attendez ")
	s.post(full(proof, "contact@a.example")).expect(t, http.StatusOK, success)
}

// D1, R13: the third other address has become another space's, and its code is typed.
// The page offers the contact's address. It is none of the three, so it can be chosen:
// a code of its own proves it, and nobody is told of another address.
func TestContactAddressAfterThreeOthers(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	r, proof := s.mailed(sqltest.Invitation{Contact: "contact@a.example"})
	_, owner := s.mailed(sqltest.Invitation{Contact: "third@a.example"})
	for _, other := range []string{"first@a.example", "second@a.example", "third@a.example"} {
		s.post(full(proof, other)).expect(t, http.StatusOK, mailSent)
	}
	third := s.mailAgain(r)
	s.post(full(owner, "third@a.example")).expect(t, http.StatusOK, success)
	page := s.post(third).expect(t, http.StatusUnprocessableEntity, askPassword, taken)
	if got := page.field("new_email"); got != "contact@a.example" {
		t.Fatalf("the page offers %q", got)
	}
	notices := s.db.Text(t, `SELECT count(*) FROM obligation WHERE kind = 'notice'`)
	s.post(full(third, "contact@a.example")).expect(t, http.StatusOK, mailSent, "contact@a.example")
	if got := s.db.Text(t, `SELECT count(*) FROM obligation WHERE kind = 'notice'`); got != notices {
		t.Errorf("%s notices, want %s", got, notices)
	}
	s.post(s.mailAgain(r)).expect(t, http.StatusOK, success)
	s.checkSwitched(r, "contact@a.example")
}

// D3: an address that was chosen has become another space's. Who chooses it again learns
// so, and is not told to wait for its code.
func TestPendingAddressLost(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	r, proof := s.mailed(sqltest.Invitation{Contact: "contact@a.example"})
	_, owner := s.mailed(sqltest.Invitation{Contact: "wanted@a.example"})
	s.post(full(proof, "wanted@a.example")).expect(t, http.StatusOK, mailSent)
	s.mailAgain(r)
	s.post(full(owner, "wanted@a.example")).expect(t, http.StatusOK, success)
	again := with(full(proof, "wanted@a.example"), "submission", "00000000-0000-4000-8000-0000000000aa")
	s.post(again).expect(t, http.StatusUnprocessableEntity, askPassword, taken)
	s.post(full(proof, "contact@a.example")).expect(t, http.StatusOK, success)
}
