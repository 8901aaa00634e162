package web_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"bascule/internal/conversion"
	"bascule/internal/web"
	"bascule/sql/sqltest"
)

// R31: a wrong code, an unknown address, a used, replaced or not yet
// mailed code, and a code that activates, answer alike; nothing is changed.
func TestRenewalRefusedAlike(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	good := s.asked(s.switched(sqltest.Invitation{Contact: "good@a.example"}))
	used := s.asked(s.switched(sqltest.Invitation{Contact: "used@a.example"}))
	v := s.visitor("192.0.2.1")
	v.submit("/nouveau-mot-de-passe", newPassword(used, "Another9Secret")).expect(t, http.StatusOK)
	twice := s.switched(sqltest.Invitation{Contact: "twice@a.example"})
	replaced := s.asked(twice)
	s.asked(twice)
	_, activates := s.mailed(sqltest.Invitation{Contact: "certificate@a.example"})

	var first string
	for name, form := range map[string]url.Values{
		"wrong":     with(good, "code", "0000-0000-0000"),
		"unknown":   with(good, "email", "nobody@a.example"),
		"swapped":   with(good, "email", "used@a.example"),
		"used":      used,
		"replaced":  replaced,
		"activates": activates,
	} {
		s.unchanged(func() {
			page := v.submit("/nouveau-mot-de-passe", newPassword(form, "Yet3Another")).
				expect(t, http.StatusUnprocessableEntity, "Une information est à corriger", resetRefused)
			if page.field("code") != form.Get("code") || strings.Contains(page.body, "Yet3Another") {
				t.Errorf("%s: the code typed is lost, or a password is sent back", name)
			}
			if !strings.Contains(page.title(), "Erreur : Choisir un nouveau mot de passe") {
				t.Errorf("%s: title %q", name, page.title())
			}
			checkHTML(t, name, page)
			body := strings.NewReplacer(form.Get("email"), "E", form.Get("code"), "C").Replace(page.body)
			if first == "" {
				first = body
			}
			if body != first {
				t.Errorf("%s: the answer differs from the others:\n%s\n%s", name, body, first)
			}
		})
	}
	v.submit("/activation", good).expect(t, http.StatusUnprocessableEntity, refused) // the other way round
	v.submit("/nouveau-mot-de-passe", newPassword(good, "Yet3Another")).expect(t, http.StatusOK)
}

// R14, R16, D6: the errors of a password are told at its field, even those that only a
// right code lets us tell. They use no code up.
func TestRenewalProblems(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	good := newPassword(s.asked(s.switched(sqltest.Invitation{Number: "00AB1234", Contact: "contact@a.example"})), "Another9Secret")
	const counted = `SELECT string_agg(t::text, ', ' ORDER BY bucket) FROM throttle AS t`
	before := s.db.Text(t, counted)
	v := s.visitor("192.0.2.1")
	for _, test := range []struct{ field, value, want string }{
		{"email", "", "Adresse électronique manquante."},
		{"email", "camille", "Adresse électronique invalide"},
		{"code", "", "Le code du courriel comporte 12 lettres et chiffres"},
		{"code", "ABCD-1234", "Le code du courriel comporte 12 lettres et chiffres"},
		{"password", "", "Saisissez un mot de passe."},
		{"password", "Abc1234", "8 caractères au minimum"},
		{"password", "KolibriZenith", "au moins une lettre et au moins un chiffre"},
		{"password", "azerty123", "trop courant"},
		{"password", "x00ab1234y", "votre numéro d’abonné"},
		{"password_confirmation", "another9secret", "Les deux mots de passe ne sont pas identiques."},
	} {
		s.unchanged(func() {
			page := v.submit("/nouveau-mot-de-passe", with(good, test.field, test.value)).
				expect(t, http.StatusUnprocessableEntity, "Une information est à corriger", test.want)
			if !strings.Contains(page.body, `<a href="#`+test.field+`">`) {
				t.Errorf("%s=%s: no link to the field", test.field, test.value)
			}
			if strings.Contains(page.body, "Another9Secret") {
				t.Errorf("%s=%s: a password is sent back", test.field, test.value)
			}
			for _, field := range []string{"email", "code"} {
				if page.field(field) != with(good, test.field, test.value).Get(field) {
					t.Errorf("%s=%s: the %s typed is lost", test.field, test.value, field)
				}
			}
			checkHTML(t, test.want, page)
		})
	}
	if s.db.Text(t, counted) != before {
		t.Error("a right code is counted as a failure")
	}
	s.unchangedBut("throttle", func() {
		v.submit("/nouveau-mot-de-passe", newPassword(good, password)).expect(t, http.StatusUnprocessableEntity, "C’est votre mot de passe actuel")
	})
	if s.db.Text(t, counted) == before {
		t.Error("who has the code can look for the old password without end")
	}
	v.submit("/nouveau-mot-de-passe", with(good, "code", "0000-0000-0000", "password", "short")).
		expect(t, http.StatusUnprocessableEntity, "2 informations sont à corriger", resetRefused, "8 caractères au minimum")
	v.submit("/nouveau-mot-de-passe", with(good, "code", " "+strings.ToLower(good.Get("code")))).expect(t, http.StatusOK, "Votre mot de passe est modifié")
	v.submit("/connexion", login("contact@a.example", "Another9Secret")).leadsTo(t, "/espace")
}

// R31: the code works for half an hour, not at its end.
func TestRenewalDeadline(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	r := s.switched(sqltest.Invitation{Contact: "contact@a.example"})
	form := newPassword(s.asked(r), "Another9Secret")
	var started, deadline time.Time
	if err := s.db.Raw.QueryRow(`SELECT started_at, expires_at FROM code WHERE purpose = 'reset'`).Scan(&started, &deadline); err != nil {
		t.Fatal(err)
	}
	if deadline.Sub(started) != 30*time.Minute {
		t.Errorf("good for %s", deadline.Sub(started))
	}
	v := s.visitor("192.0.2.1")
	s.db.Freeze(t, deadline)
	for range 11 { // a right code is no guess
		v.submit("/nouveau-mot-de-passe", form).expect(t, http.StatusUnprocessableEntity, "Ce code était valable jusqu’au", "ce délai est dépassé")
	}
	s.db.Freeze(t, deadline.Add(-time.Microsecond))
	v.submit("/nouveau-mot-de-passe", form).expect(t, http.StatusOK, "Votre mot de passe est modifié")
}

// R31: of two forms with one code at once, one is accepted. A subscriber who
// double-clicks reads: try the new password.
func TestRenewalTwiceAtOnce(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	form := newPassword(s.asked(s.switched(sqltest.Invitation{Contact: "contact@a.example"})), "Another9Secret")
	v := s.visitor("192.0.2.1")
	answers := make([]answered, 4)
	s.together(len(answers), func(i int) { answers[i] = v.submit("/nouveau-mot-de-passe", form) })
	taken := 0
	for _, a := range answers {
		if a.status == http.StatusOK {
			taken++
			continue
		}
		a.expect(t, http.StatusUnprocessableEntity, resetRefused, "essayez votre nouveau mot de passe")
	}
	if n := s.db.Text(t, `SELECT count(*) FROM audit WHERE event = 'password changed'`); taken != 1 || n != "1" {
		t.Errorf("%d forms taken, %s changes, want 1", taken, n)
	}
}

// Wrong codes are counted and slowed down as for /activation, apart from it.
func TestRenewalThrottled(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	good := newPassword(s.asked(s.switched(sqltest.Invitation{Contact: "owner@a.example"})), "Another9Secret")
	_, proof := s.mailed(sqltest.Invitation{Contact: "owner@a.example"})
	v := s.visitor("192.0.2.1")
	s.db.Freeze(t, time.Now())
	for range 10 {
		v.submit("/nouveau-mot-de-passe", with(good, "code", "0000-0000-0000")).expect(t, http.StatusUnprocessableEntity, resetRefused)
	}
	page := v.submit("/nouveau-mot-de-passe", good).expect(t, http.StatusTooManyRequests, slowDown, "Attendez 3 minutes")
	if page.header.Get("Retry-After") == "" || page.field("code") != good.Get("code") || strings.Contains(page.body, "Another9Secret") {
		t.Errorf("Retry-After %q, the code is lost, or the password is sent back", page.header.Get("Retry-After"))
	}
	checkHTML(t, "429", page)
	v.submit("/activation", proof).expect(t, http.StatusOK, askPassword)
	v.connect("owner@a.example").leadsTo(t, "/espace")
	s.visitor("192.0.2.2").submit("/nouveau-mot-de-passe", good).expect(t, http.StatusOK, "Votre mot de passe est modifié")
}

// A subscriber who has chosen a new password by mail is no stranger afterwards. That is
// the way in while somebody guesses from many networks.
func TestRenewalMakesKnown(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	form := newPassword(s.asked(s.switched(sqltest.Invitation{Contact: "owner@a.example"})), "Another9Secret")
	s.db.Freeze(t, time.Now())
	s.fill(30, 5*time.Minute, "connection address", "owner@a.example")
	s.fill(200, 5*time.Minute, "connection reserve", "owner@a.example")
	v := s.visitor("192.0.2.1")
	v.connect("owner@a.example").expect(t, http.StatusTooManyRequests, slowDown)
	v.submit("/nouveau-mot-de-passe", form).expect(t, http.StatusOK)
	v.submit("/connexion", login("owner@a.example", "Another9Secret")).leadsTo(t, "/espace")
}

// A new password chosen in the space: this session stays, the others end, the old password
// opens nothing.
// R1: a visitor by certificate has none to change, and a visitor outside is led in.
func TestChangePassword(t *testing.T) {
	t.Parallel()
	c := newCertSite(t)
	_, certificate := c.holder(sqltest.Invitation{})
	c.visit(c.client(certificate), "/espace/mot-de-passe").expect(t, http.StatusNotFound)
	c.send(c.client(certificate), "/espace/mot-de-passe", change(password, "Another9Secret")).expect(t, http.StatusNotFound)

	r, proof := c.mailed(sqltest.Invitation{Number: "00AB1234", Contact: "contact@a.example"})
	c.post(full(proof, "contact@a.example")).expect(t, http.StatusOK, success)
	v, other := c.visitor("192.0.2.1"), c.visitor("192.0.2.2")
	v.get("/espace/mot-de-passe").leadsTo(t, "/connexion")
	v.submit("/espace/mot-de-passe", change(password, "Another9Secret")).leadsTo(t, "/connexion")
	v.connect("contact@a.example").leadsTo(t, "/espace")
	other.connect("contact@a.example").leadsTo(t, "/espace")
	page := v.get("/espace/mot-de-passe").expect(t, http.StatusOK, "Changer de mot de passe", "Me déconnecter")
	if !strings.Contains(page.body, `<div hidden><input type="text" value="contact@a.example" autocomplete="username" aria-label="Identifiant"></div>`) {
		t.Error("password managers are not told whose password it is")
	}

	for _, test := range []struct {
		form        url.Values
		field, want string
	}{
		{change("", "Another9Secret"), "current", "Saisissez votre mot de passe actuel."},
		{change(strings.ToLower(password), "Another9Secret"), "current", "Ce n’est pas votre mot de passe actuel."},
		{change(password, "Abc1234"), "password", "8 caractères au minimum"},
		{change(password, "00AB1234x"), "password", "votre numéro d’abonné"},
		{change(password, password), "password", "Choisissez un mot de passe différent de l’actuel."},
		{with(change(password, "Another9Secret"), "password_confirmation", ""), "password_confirmation", "Les deux mots de passe ne sont pas identiques."},
	} {
		c.unchanged(func() {
			page := v.submit("/espace/mot-de-passe", test.form).expect(t, http.StatusUnprocessableEntity, "Une information est à corriger", test.want)
			if !strings.Contains(page.title(), "Erreur : Changer de mot de passe") || !strings.Contains(page.body, `<a href="#`+test.field+`">`) {
				t.Errorf("%s: title %q, or no link to the field", test.want, page.title())
			}
			if strings.Contains(page.body, "Another9Secret") || strings.Contains(page.body, password) {
				t.Errorf("%s: a secret is sent back", test.want)
			}
			checkHTML(t, test.want, page)
		}, "audit")
	}
	done := v.submit("/espace/mot-de-passe", change(password, "Another9Secret")).expect(t, http.StatusOK, "Votre mot de passe est modifié", "Me déconnecter")
	checkHTML(t, "done", done)
	v.get("/espace").expect(t, http.StatusOK, string(r.Number))
	other.get("/espace").leadsTo(t, "/connexion")
	other.connect("contact@a.example").expect(t, http.StatusUnprocessableEntity, notOpened)
	other.submit("/connexion", login("contact@a.example", "Another9Secret")).leadsTo(t, "/espace")
}

// A stranger who has found a space open guesses its password no faster than elsewhere,
// and blocks nobody's entry by it.
func TestChangePasswordThrottled(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.switched(sqltest.Invitation{Contact: "contact@a.example"})
	s.switched(sqltest.Invitation{Contact: "neighbour@a.example"})
	v := s.visitor("192.0.2.1")
	v.connect("contact@a.example").leadsTo(t, "/espace")
	s.db.Freeze(t, time.Now())
	for i := range 10 {
		v.addr = network(i)
		v.submit("/espace/mot-de-passe", change("Wrong4Password", "Another9Secret")).expect(t, http.StatusUnprocessableEntity, "Ce n’est pas votre mot de passe actuel.")
	}
	v.addr = network(10)
	page := v.submit("/espace/mot-de-passe", change(password, "Another9Secret")).expect(t, http.StatusTooManyRequests, slowDown)
	if page.header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	neighbour := s.visitor("192.0.2.2")
	neighbour.connect("neighbour@a.example").leadsTo(t, "/espace")
	neighbour.submit("/espace/mot-de-passe", change(password, "Another9Secret")).expect(t, http.StatusOK)
	s.visitor("192.0.2.2").connect("contact@a.example").leadsTo(t, "/espace")
	s.db.Shift(t, 3*time.Minute)
	v.submit("/espace/mot-de-passe", change(password, "Another9Secret")).expect(t, http.StatusOK)
}

// Two sessions change the password at once: one wins, the other is out.
func TestChangePasswordRace(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.switched(sqltest.Invitation{Contact: "contact@a.example"})
	visitors := []visitor{s.visitor("192.0.2.1"), s.visitor("192.0.2.2")}
	for _, v := range visitors {
		v.connect("contact@a.example").leadsTo(t, "/espace")
	}
	answers := make([]answered, 2)
	s.together(2, func(i int) {
		answers[i] = visitors[i].submit("/espace/mot-de-passe", change(password, fmt.Sprintf("Another%dSecret", i)))
	})
	winner, loser := 0, 1
	if answers[0].status != http.StatusOK {
		winner, loser = 1, 0
	}
	answers[winner].expect(t, http.StatusOK, "Votre mot de passe est modifié")
	answers[loser].leadsTo(t, "/connexion")
	visitors[loser].submit("/connexion", login("contact@a.example", fmt.Sprintf("Another%dSecret", winner))).leadsTo(t, "/espace")
}

// D6: the pages tell the other profile and keep it here, too.
func TestRenewalCNIL(t *testing.T) {
	t.Parallel()
	s := newSite(t, func(c *web.Config) { c.Profile = conversion.ProfileCNIL })
	proof := s.asked(s.switched(sqltest.Invitation{Contact: "contact@a.example"}))
	v := s.visitor("192.0.2.1")
	v.get("/nouveau-mot-de-passe").expect(t, http.StatusOK, "De 12 à 64 caractères")
	v.submit("/nouveau-mot-de-passe", newPassword(proof, "Kolibri47")).expect(t, http.StatusUnprocessableEntity, "12 caractères au minimum")
	v.submit("/nouveau-mot-de-passe", newPassword(proof, "mûre, forêt & 7 étés")).expect(t, http.StatusOK)
	const elsewhere = "mu\u0302re,\u00a0fore\u0302t & 7 e\u0301te\u0301s" // as another keyboard types it
	v.submit("/connexion", login("contact@a.example", elsewhere)).leadsTo(t, "/espace")
	v.submit("/espace/mot-de-passe", change(elsewhere, "mûre, forêt & 7 étés")).
		expect(t, http.StatusUnprocessableEntity, "Choisissez un mot de passe différent de l’actuel.")
}
