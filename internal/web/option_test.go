package web_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"bascule/internal/conversion"
	"bascule/sql/sqltest"
)

// R12–R23, R3, R25–R27: the sheet's own way, without a browser: the irrevocable
// change is confirmed, the identifiers chosen, the code mailed at once, and only
// typing it switches the space; until then only the certificate opens it, and
// then never again.
func TestOption(t *testing.T) {
	t.Parallel()
	c := newCertSite(t)
	r, cert := c.holder(sqltest.Invitation{Contact: "contact@a.example"})
	c.db.Exec(t, `UPDATE request SET cancelled_at = bascule_now() WHERE id = $1`, r.ID)
	client := c.client(cert)
	before := c.kept(r)

	c.visit(client, "/espace/option").expect(t, http.StatusOK, "Étape 1 sur 4", "Ce changement est irrévocable") // R12
	form := c.send(client, "/espace/option", nil).expect(t, http.StatusOK, "Étape 2 sur 4",                      // followed
		"Rappel : une adresse électronique ne peut être associée qu’à un seul espace abonné sans certificat", "personne ne pourra vous le redonner") // R13, R17
	if got := form.field("new_email"); got != "contact@a.example" {
		t.Errorf("the address by default is %q", got)
	}
	checkHTML(t, "identifiers", form)
	c.unchanged(func() {
		wrong := c.send(client, "/espace/identifiants", with(opted("chosen@a.example"), "new_email_confirmation", "other@a.example", "password", "court", "answer", "")).
			expect(t, http.StatusUnprocessableEntity, "Les deux adresses électroniques ne sont pas identiques", "8 caractères au minimum", "Saisissez la réponse")
		if wrong.field("new_email") != "chosen@a.example" || wrong.field("new_email_confirmation") != "other@a.example" || strings.Contains(wrong.body, "court") ||
			!strings.Contains(wrong.body, `value="enfance-rue" selected`) || !strings.HasPrefix(wrong.title(), "Erreur") {
			t.Errorf("what was typed: %s", wrong.body)
		}
		checkHTML(t, "wrong", wrong)
	})
	sent := c.send(client, "/espace/identifiants", opted("chosen@a.example")).
		expect(t, http.StatusOK, "Étape 3 sur 4", mailSent, "chosen@a.example", "Activez votre espace", "OK", "48 h") // R19–R21
	checkHTML(t, "sent", sent)
	if got := c.db.Text(t, `SELECT string_agg(lane || ' ' || kind, ', ' ORDER BY kind) FROM obligation o JOIN request r ON r.id = o.request_id WHERE r.space_id = $1 AND r.cancelled_at IS NULL`, r.SpaceID); got != "interactive code, interactive notice" {
		t.Errorf("what is due: %s", got)
	}
	c.visit(client, "/espace").expect(t, http.StatusOK, "en attente d’activation", "chosen@a.example")
	c.checkAccess(r, "certificate")

	_, code := c.db.Mail(t, c.keys, c.openRequest(r))
	proof := c.proof("chosen@a.example", code)
	c.post(proof).expect(t, http.StatusOK, success) // R25, R27
	c.checkAccess(r, "password")
	if after := c.kept(r); after != before {
		t.Errorf("the space changed from %s to %s", before, after) // R5
	}
	c.visit(client, "/espace").expect(t, http.StatusForbidden, "Votre espace est déjà sans certificat")                           // R3
	c.send(client, "/espace/identifiants", opted("chosen@a.example")).expect(t, http.StatusForbidden, "est déjà sans certificat") // R4
}

// D11, D8: the space says that the code did not reach the address that its holder chose,
// whether the mail came back or was refused, which ends the request.
func TestOptionUnreached(t *testing.T) {
	t.Parallel()
	c := newCertSite(t)
	for contact, happens := range map[string]string{
		"bounced@a.example": `UPDATE code SET bounce = 'gone', bounced_at = bascule_now() WHERE request_id = $1 AND purpose = 'activate'`,
		"refused@a.example": `WITH refused AS (UPDATE code SET refusal = '550 5.1.1', void_at = bascule_now() WHERE request_id = $1 AND purpose = 'activate')
			UPDATE request SET undeliverable_at = bascule_now(), password_hash = NULL, question = NULL, answer_hash = NULL WHERE id = $1`,
	} {
		r, cert := c.holder(sqltest.Invitation{Contact: contact})
		client := c.client(cert)
		chosen, other := "chosen."+contact, "other."+contact
		c.send(client, "/espace/identifiants", opted(chosen)).expect(t, http.StatusOK, mailSent)
		c.db.Exec(t, happens, r.ID)
		home := c.visit(client, "/espace").expect(t, http.StatusOK, unreached+" "+chosen)
		if strings.Contains(home.body, "en attente d’activation") {
			t.Errorf("%s: the space still waits for the code", contact)
		}
		checkHTML(t, "space", home)
		if page := c.visit(client, "/espace/identifiants").expect(t, http.StatusOK, unreached+" "+chosen); page.field("new_email") != contact {
			t.Errorf("%s: the address by default is %q", contact, page.field("new_email"))
		}
		c.send(client, "/espace/identifiants", opted(other)).expect(t, http.StatusOK, mailSent)
		if home := c.visit(client, "/espace").expect(t, http.StatusOK, "en attente d’activation", other); strings.Contains(home.body, chosen) {
			t.Errorf("%s: an address is told that was replaced", contact)
		}
		c.db.Exec(t, `UPDATE code SET bounce = 'complaint', bounced_at = bascule_now() WHERE email = $1`, other) // the mail has arrived
		c.visit(client, "/espace").expect(t, http.StatusOK, "en attente d’activation", other)
	}
}

// D8: the address chosen is the one already mailed: no second mail, that code and
// deadline stand and now activate by themselves.
func TestOptionStanding(t *testing.T) {
	t.Parallel()
	c := newCertSite(t)
	r, cert := c.holder(sqltest.Invitation{Contact: "contact@a.example"})
	_, code := c.db.Mail(t, c.keys, r.ID)
	deadline := c.db.Deadline(t, r.ID)
	end, err := c.server.LockTurn(t.Context(), r.SpaceID) // of a request that has the number of the space
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // the same form again changes nothing
		c.send(c.client(cert), "/espace/identifiants", opted("Contact@a.example")).
			expect(t, http.StatusOK, "Un code d’activation vous a déjà été envoyé", "Activez votre espace avant le "+conversion.FrenchTime(deadline), conversion.FrenchTime(deadline), conversion.FrenchTime(deadline.Add(-48*time.Hour)))
	}
	end()
	if got := c.metric("bascule_hashing_slots_used"); got != "0" {
		t.Errorf("%s hashing slots are taken by a form that needed none", got)
	}
	if got := c.db.Text(t, `SELECT count(*)::text FROM obligation WHERE kind IN ('code', 'notice')`); got != "0" {
		t.Errorf("%s mails are due", got)
	}
	// R33: the link of the batch's mail leads to the end of the sheet's four steps.
	c.post(c.proof("contact@a.example", code)).expect(t, http.StatusOK, success, "Étape 4 sur 4", "Accord Identifiants Activation Récapitulatif (vous êtes ici)")
	c.checkAccess(r, "password")
}

// D8: the mail of the batch is still queued: it goes out at once, and once.
func TestOptionQueued(t *testing.T) {
	t.Parallel()
	c := newCertSite(t)
	r, cert := c.holder(sqltest.Invitation{Contact: "contact@a.example"})
	c.send(c.client(cert), "/espace/identifiants", opted("contact@a.example")).expect(t, http.StatusOK, mailSent)
	const due = `SELECT string_agg(o.lane, ', ') FROM obligation o JOIN request r ON r.id = o.request_id
		WHERE o.kind <> 'code' OR o.generation = r.generation`
	if got := c.db.Text(t, due); got != "interactive" {
		t.Errorf("in the lanes %s", got)
	}
	if got := c.db.Text(t, `SELECT other_addresses::text FROM request WHERE id = $1`, r.ID); got != "0" {
		t.Errorf("counted as %s other addresses", got)
	}
}

// D8: another address: a code of its own, a notice to the contact, and the
// contact's code no longer opens the identifiers. D1: three others at most.
func TestOptionElsewhere(t *testing.T) {
	t.Parallel()
	c := newCertSite(t)
	r, cert := c.holder(sqltest.Invitation{Contact: "contact@a.example"})
	_, contact := c.db.Mail(t, c.keys, r.ID)
	client := c.client(cert)
	c.send(client, "/espace/identifiants", opted("first@a.example")).expect(t, http.StatusOK, mailSent)
	c.post(c.proof("contact@a.example", contact)).expect(t, http.StatusUnprocessableEntity, refused)
	first, code := c.db.Mail(t, c.keys, r.ID)
	for i, address := range []string{"second@a.example", "third@a.example"} {
		c.send(client, "/espace/identifiants", opted(address)).expect(t, http.StatusOK, mailSent)
		if i == 0 {
			c.post(c.proof(first.String(), code)).expect(t, http.StatusUnprocessableEntity, refused)
		}
	}
	c.unchangedBut("throttle", func() {
		c.send(client, "/espace/identifiants", opted("fourth@a.example")).expect(t, http.StatusUnprocessableEntity, "trois autres adresses")
	})
	if got := c.db.Text(t, `SELECT string_agg(generation::text, ' ' ORDER BY id) FROM obligation WHERE kind = 'notice'`); got != "3 4" { // the first is gone with its mail
		t.Errorf("notices of generations %s are due, want 3 and 4", got)
	}
	c.send(client, "/espace/identifiants", opted("contact@a.example")).expect(t, http.StatusOK, mailSent) // no other one
	_, last := c.db.Mail(t, c.keys, r.ID)
	c.post(c.proof("contact@a.example", last)).expect(t, http.StatusOK, success)
}

// D3, D8: the address that a certificate holder chose becomes another space's
// meanwhile: the code leads to the identifiers, which say so, as the home screen
// does; and no page promises what the first code no longer does.
func TestOptionLosesItsAddress(t *testing.T) {
	t.Parallel()
	c := newCertSite(t)
	r, cert := c.holder(sqltest.Invitation{Contact: "contact@a.example"})
	client := c.client(cert)
	c.send(client, "/espace/identifiants", opted("cabinet@a.example")).expect(t, http.StatusOK, mailSent)
	_, code := c.db.Mail(t, c.keys, r.ID)
	_, winner := c.mailed(sqltest.Invitation{Contact: "cabinet@a.example"})
	c.post(full(winner, "cabinet@a.example")).expect(t, http.StatusOK, success)
	proof := c.proof("cabinet@a.example", code)
	lost := c.post(proof).expect(t, http.StatusUnprocessableEntity, taken, "Accord Identifiants (vous êtes ici)") // R33
	if !strings.Contains(lost.body, `value="oui" checked`) {
		t.Error("the consent given in the space is asked for again")
	}
	for _, path := range []string{"/espace", "/espace/identifiants"} {
		if page := c.visit(client, path).expect(t, http.StatusOK, "sert maintenant à un autre espace"); strings.Contains(page.body, "activez votre espace") {
			t.Errorf("%s still leads to the lost address", path)
		} else if got := page.field("new_email"); path == "/espace/identifiants" && got != "contact@a.example" {
			t.Errorf("the address by default is %q, want the contact's", got)
		}
	}
	page := c.post(full(proof, "troisieme@a.example")).expect(t, http.StatusOK, mailSent)
	if strings.Contains(page.body, "premier code") {
		t.Error("the page promises that the first code opens the identifiers again")
	}
	if !strings.Contains(page.body, `<a href="/certificat">choisissez-en une autre</a>`) {
		t.Error("the page does not lead into the space, where another address can be chosen")
	}
}

// R6, R13, R22: an address of another password space, or one with somebody else's open
// code, is refused next to its field, with the time that is left. After ten such
// answers a space has to wait.
func TestOptionTaken(t *testing.T) {
	t.Parallel()
	c := newCertSite(t)
	_, cert := c.holder(sqltest.Invitation{Contact: "contact@a.example"})
	owner, proof := c.mailed(sqltest.Invitation{Contact: "taken@a.example"})
	c.post(full(proof, "taken@a.example")).expect(t, http.StatusOK, success)
	other, otherCert := c.holder(sqltest.Invitation{Contact: "autre@a.example"})
	c.send(c.client(otherCert), "/espace/identifiants", opted("reserved@a.example")).expect(t, http.StatusOK, mailSent)
	client := c.client(cert)
	c.send(client, "/espace/identifiants", opted("reserved@a.example")).expect(t, http.StatusUnprocessableEntity, "Un code est déjà demandé pour cette adresse")
	c.db.Mail(t, c.keys, c.openRequest(other))
	until := conversion.FrenchTime(c.db.Deadline(t, c.openRequest(other)))
	page := c.send(client, "/espace/identifiants", opted("Reserved@a.example")).
		expect(t, http.StatusUnprocessableEntity, "Un code est déjà demandé pour cette adresse", "se termine le "+until)
	checkHTML(t, "reserved", page)
	for range 8 {
		c.send(client, "/espace/identifiants", opted("taken@a.example")).expect(t, http.StatusUnprocessableEntity, "Cette adresse sert déjà à un autre espace")
	}
	got := c.send(client, "/espace/identifiants", opted("taken@a.example")).expect(t, http.StatusTooManyRequests, "Attendez ", "Choisir vos identifiants")
	if got.header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	c.send(c.client(otherCert), "/espace/identifiants", opted("taken@a.example")).expect(t, http.StatusUnprocessableEntity, "Cette adresse sert déjà")
	c.checkAccess(owner, "password")
}

// R21: after the deadline the procedure starts again from the beginning, with the
// same address too, although nobody has swept.
func TestOptionAfterDeadline(t *testing.T) {
	t.Parallel()
	c := newCertSite(t)
	r, cert := c.holder(sqltest.Invitation{Contact: "contact@a.example"})
	client := c.client(cert)
	c.send(client, "/espace/identifiants", opted("chosen@a.example")).expect(t, http.StatusOK, mailSent)
	_, code := c.db.Mail(t, c.keys, r.ID)
	c.db.Shift(t, 48*time.Hour)
	c.post(c.proof("chosen@a.example", code)).expect(t, http.StatusUnprocessableEntity, late)
	if page := c.visit(client, "/espace"); strings.Contains(page.body, "chosen@a.example") {
		t.Error("the home screen tells of a code that is over")
	}
	c.send(client, "/espace/identifiants", with(opted("chosen@a.example"), "submission", "-")).expect(t, http.StatusOK, mailSent)
	if got := c.db.Text(t, `SELECT string_agg(request_state(r, bascule_now()), ' ' ORDER BY id) FROM request_code r WHERE space_id = $1`, r.SpaceID); got != "expired requested" {
		t.Errorf("the requests are %s", got)
	}
}

// D8, I2, I3, I4: the certificate holder opts while the batch's code activates,
// both at once, thirty times: one winner each. Either the switch came first,
// and the certificate opens nothing any more; or the option did, and the batch's
// form finds its code dead. Neither is ever half done.
func TestOptionRacesActivation(t *testing.T) {
	t.Parallel()
	c := newCertSite(t)
	won := map[string]int{}
	for round := range 30 {
		contact := fmt.Sprintf("contact%d@a.example", round)
		r, cert := c.holder(sqltest.Invitation{Contact: contact})
		_, code := c.db.Mail(t, c.keys, r.ID)
		proof := c.proof(contact, code)
		client := c.client(cert)
		c.visit(client, "/espace") // shake hands before the start
		winner := c.race(t, round, client, full(proof, contact), opted("chosen"+contact))
		won[winner]++
		access := map[string]string{"activation": "password", "option": "certificate"}[winner]
		c.checkAccess(r, access)
		if got := c.db.Text(t, `SELECT count(*)::text FROM request r WHERE space_id = $1 AND (request_is_open(r) OR activated_at IS NOT NULL)`, r.SpaceID); got != "1" {
			t.Fatalf("round %d: %s requests stand", round, got)
		}
	}
	t.Logf("won: %v", won)
	if got := c.db.Text(t, `SELECT count(*)::text FROM audit WHERE event = 'activated'`); got != fmt.Sprint(won["activation"]) {
		t.Errorf("%s activations in the log, want %d", got, won["activation"])
	}
}

// insist sends a form again while the site is too busy: on a slow machine, one of two
// forms may wait for the other longer than a page does.
func insist(send func() answered) (a answered) {
	for range 10 {
		if a = send(); a.status != http.StatusServiceUnavailable {
			break
		}
	}
	return a
}

// race sends both forms at a barrier, tells who won and checks what the loser read.
func (c *certSite) race(t *testing.T, round int, client *http.Client, activation, option url.Values) string {
	t.Helper()
	var activated, chosen answered
	start := make(chan struct{})
	var both sync.WaitGroup
	both.Go(func() { <-start; activated = insist(func() answered { return c.post(activation) }) })
	both.Go(func() {
		<-start
		chosen = insist(func() answered { return c.send(client, "/espace/identifiants", option) })
	})
	close(start)
	both.Wait()
	switch {
	case activated.status == http.StatusOK && strings.Contains(text(activated.body), success):
		if chosen.status == http.StatusForbidden {
			chosen.expect(t, http.StatusForbidden, "Votre espace est déjà sans certificat")
		} else {
			chosen.expect(t, http.StatusUnprocessableEntity, already)
		}
		return "activation"
	case chosen.status == http.StatusOK:
		chosen.expect(t, http.StatusOK, mailSent)
		activated.expect(t, http.StatusUnprocessableEntity, refused)
		return "option"
	}
	t.Fatalf("round %d: nobody won: %d and %d\n%s\n%s", round, activated.status, chosen.status, text(activated.body), text(chosen.body))
	return ""
}
