package web_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"bascule/internal/conversion"
	"bascule/sql"
	"bascule/sql/sqltest"
)

func move(email, current string) url.Values {
	return url.Values{"new_email": {email}, "new_email_confirmation": {email}, "current": {current}}
}

// R6, R31: the owner changes the identifier. The page asks for the password again, the
// new address is proven by its own code, and the old one gets a notice. Other sessions
// end, and codes for a new password that the old address got are dead.
func TestChangeIdentifier(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	r := s.switched(sqltest.Invitation{Contact: "old@a.example"})
	s.switched(sqltest.Invitation{Contact: "taken@a.example"})
	reset := s.asked(r)
	v, other := s.visitor("192.0.2.1"), s.visitor("192.0.2.2")
	v.get("/espace/identifiant").leadsTo(t, "/connexion")
	v.submit("/espace/identifiant", move("new@a.example", password)).leadsTo(t, "/connexion")
	v.connect("old@a.example").leadsTo(t, "/espace")
	other.connect("old@a.example").leadsTo(t, "/espace")
	v.get("/espace/coordonnees").expect(t, http.StatusOK, "Changer d’identifiant", "Changer de question de confiance")
	for _, test := range []struct {
		form        url.Values
		field, want string
	}{
		{move("", password), "new_email", "Adresse électronique manquante."},
		{move("OLD@a.example", password), "new_email", "Cette adresse est déjà votre identifiant."},
		{with(move("new@a.example", password), "new_email_confirmation", "nwe@a.example"), "new_email_confirmation", "ne sont pas identiques"},
		{move("new@a.example", ""), "current", "Saisissez votre mot de passe actuel."},
		{move("new@a.example", "Wrong4Password"), "current", "Ce n’est pas votre mot de passe actuel."},
		{move("taken@a.example", password), "new_email", "sert déjà à un autre espace"},
		{url.Values{"code": {"AAAA-BBBB-CCCC"}}, "new_email", "Aucun code n’est attendu"},
	} {
		s.unchanged(func() {
			page := v.submit("/espace/identifiant", test.form).expect(t, http.StatusUnprocessableEntity, "Une information est à corriger", test.want)
			if !strings.Contains(page.body, `<a href="#`+test.field+`">`) || strings.Contains(page.body, password) {
				t.Errorf("%s: no link to the field, or a secret is sent back", test.want)
			}
			checkHTML(t, test.want, page)
		}, "audit", "throttle")
	}
	v.submit("/espace/identifiant", move("new@a.example", password)).leadsTo(t, "/espace/identifiant")
	v.get("/espace/identifiant").expect(t, http.StatusOK, "Un courriel contenant un code est envoyé à new@a.example", "Identifiantold@a.example")
	code := s.proof("new@a.example", s.db.MailIdentifier(t, s.keys, "new@a.example"))
	// The code is good for this owner and this change alone.
	v.submit("/activation", code).expect(t, http.StatusUnprocessableEntity, refused)
	v.submit("/nouveau-mot-de-passe", newPassword(code, "Another9Secret")).expect(t, http.StatusUnprocessableEntity, resetRefused)
	page := v.submit("/espace/identifiant", url.Values{"code": {reset.Get("code")}}).expect(t, http.StatusUnprocessableEntity, "Ce code ne confirme pas cette adresse")
	if page.field("code") != reset.Get("code") {
		t.Error("the code typed is lost")
	}
	other.get("/espace").expect(t, http.StatusOK)
	v.submit("/espace/identifiant", url.Values{"code": {code.Get("code")}}).expect(t, http.StatusOK, "Votre identifiant est modifié", "new@a.example")
	v.get("/espace").expect(t, http.StatusOK, string(r.Number))
	other.get("/espace").leadsTo(t, "/connexion")
	other.connect("old@a.example").expect(t, http.StatusUnprocessableEntity, notOpened)
	other.connect("new@a.example").leadsTo(t, "/espace")
	v.submit("/nouveau-mot-de-passe", newPassword(reset, "Another9Secret")).expect(t, http.StatusUnprocessableEntity, resetRefused)
	v.submit("/espace/identifiant", url.Values{"code": {code.Get("code")}}).expect(t, http.StatusUnprocessableEntity, "Aucun code n’est attendu")
	told := s.db.Text(t, `SELECT string_agg(c.email, ' ') FROM obligation o JOIN code c USING (request_id, generation) WHERE o.kind = 'identifier-notice'`)
	if told != "old@a.example" {
		t.Errorf("told of the change: %s, want the old address", told)
	}
	if got := s.db.Text(t, `SELECT string_agg(event || ' ' || why, ', ' ORDER BY id) FROM audit WHERE event LIKE 'identifier %'`); got != "identifier asked in the space, identifier changed mailed code" {
		t.Errorf("audit log: %s", got)
	}
}

// R6, I4: the address becomes another space's while its code is awaited; a code is good
// for half an hour.
func TestChangeIdentifierLost(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.switched(sqltest.Invitation{Contact: "old@a.example"})
	_, rival := s.mailed(sqltest.Invitation{Contact: "wanted@a.example"})
	v := s.visitor("192.0.2.1")
	v.connect("old@a.example").leadsTo(t, "/espace")
	v.submit("/espace/identifiant", move("late@a.example", password)).leadsTo(t, "/espace/identifiant")
	code := s.proof("late@a.example", s.db.MailIdentifier(t, s.keys, "late@a.example"))
	s.db.Shift(t, 30*time.Minute)
	v.submit("/espace/identifiant", url.Values{"code": {code.Get("code")}}).expect(t, http.StatusUnprocessableEntity, "son délai est dépassé")
	v.submit("/espace/identifiant", move("wanted@a.example", password)).leadsTo(t, "/espace/identifiant")
	code = s.proof("wanted@a.example", s.db.MailIdentifier(t, s.keys, "wanted@a.example"))
	s.post(full(rival, "wanted@a.example")).expect(t, http.StatusOK, success)
	v.submit("/espace/identifiant", url.Values{"code": {code.Get("code")}}).expect(t, http.StatusUnprocessableEntity, taken)
	v.get("/espace/coordonnees").expect(t, http.StatusOK, "old@a.example")
}

// R6, D11: whose new address the relay refuses is told so, until another one is asked for.
func TestChangeIdentifierRefused(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.switched(sqltest.Invitation{Contact: "old@a.example"})
	v := s.visitor("192.0.2.1")
	v.connect("old@a.example").leadsTo(t, "/espace")
	const told = "n’a pas pu être remis à l’adresse"
	quiet := func() {
		t.Helper()
		if page := v.get("/espace/identifiant").expect(t, http.StatusOK); strings.Contains(page.body, told) {
			t.Error("it tells of a refusal")
		}
	}
	quiet()
	v.submit("/espace/identifiant", move("faute@a.example", password)).leadsTo(t, "/espace/identifiant")
	quiet()
	window := sql.Window{Lane: sql.LaneInteractive, Limit: 10, Lifetime: conversion.DefaultCodeLifetime, Keys: s.keys,
		Admit: func(mails []*sql.Mail) ([]*sql.Mail, error) {
			return slices.DeleteFunc(mails, func(m *sql.Mail) bool { return m.Kind != sql.MailIdentifier }), nil
		}}
	started, err := s.db.StartMail(t.Context(), window)
	if err != nil || len(started.Mails) != 1 {
		t.Fatalf("%d mails started, %v", len(started.Mails), err)
	}
	if err := s.db.FinishRefused(t.Context(), []sql.Failure{{Mail: started.Mails[0], Refusal: "550 5.1.1 unknown", Reply: "550 5.1.1"}}); err != nil {
		t.Fatal(err)
	}
	page := v.get("/espace/identifiant").expect(t, http.StatusOK, told+" faute@a.example, que vous aviez choisie", "Recevoir un code")
	checkHTML(t, "refused", page)
	v.submit("/espace/identifiant", url.Values{"code": {"AAAA-BBBB-CCCC"}}).expect(t, http.StatusUnprocessableEntity, "Aucun code n’est attendu")
	v.submit("/espace/identifiant", move("new@a.example", password)).leadsTo(t, "/espace/identifiant")
	quiet()
	code := s.proof("new@a.example", s.db.MailIdentifier(t, s.keys, "new@a.example"))
	v.submit("/espace/identifiant", url.Values{"code": {code.Get("code")}}).expect(t, http.StatusOK, "Votre identifiant est modifié")
	quiet()
}

// R18, R31: the owner changes the trust question; the password is asked again.
func TestChangeQuestion(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	r := s.switched(sqltest.Invitation{Contact: "owner@a.example"})
	reset := s.asked(r)
	v := s.visitor("192.0.2.1")
	v.get("/espace/question").leadsTo(t, "/connexion")
	v.connect("owner@a.example").leadsTo(t, "/espace")
	checkHTML(t, "question", v.get("/espace/question").expect(t, http.StatusOK, "Quel livre vous a le plus marqué"))
	good := url.Values{"question": {"livre"}, "answer": {"Les Misérables"}, "current": {password}}
	for _, test := range []struct{ field, value, want string }{
		{"question", "", "Choisissez une question de confiance"},
		{"answer", "livre", "ne doit pas reprendre seulement des mots de la question"},
		{"current", "", "Saisissez votre mot de passe actuel."},
		{"current", "Wrong4Password", "Ce n’est pas votre mot de passe actuel."},
	} {
		s.unchanged(func() {
			page := v.submit("/espace/question", with(good, test.field, test.value)).expect(t, http.StatusUnprocessableEntity, test.want)
			if strings.Contains(page.body, "Les Misérables") || strings.Contains(page.body, password) {
				t.Errorf("%s: a secret is sent back", test.want)
			}
		}, "audit", "throttle")
	}
	v.submit("/espace/question", good).expect(t, http.StatusOK, "Votre question de confiance est modifiée")
	v.submit("/nouveau-mot-de-passe", newPassword(reset, "Another9Secret")).expect(t, http.StatusUnprocessableEntity, resetRefused)
	n := s.resets()
	v.submit("/mot-de-passe-oublie", trust("owner@a.example")).expect(t, http.StatusOK, perhaps)
	if s.resets() != n {
		t.Error("the old answer still leads to a mail")
	}
	v.submit("/mot-de-passe-oublie", url.Values{"email": {"owner@a.example"}, "question": {"livre"}, "answer": {"les miserables"}}).expect(t, http.StatusOK, perhaps)
	if s.resets() == n {
		t.Error("the new answer leads to no mail")
	}
}
