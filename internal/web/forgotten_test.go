package web_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"bascule/sql/sqltest"
)

// R31: address and answer, then a mail, then a new password; the code works
// once, the old password no more, and nobody stays in the space.
// R30: the page says what the recap is for.
func TestForgotten(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	r := s.switched(sqltest.Invitation{Contact: "helene+fisc@a.example"})
	thief, v := s.visitor("192.0.2.1"), s.visitor("192.0.2.2")
	thief.connect("helene+fisc@a.example").leadsTo(t, "/espace")
	v.get("/mot-de-passe-oublie").expect(t, http.StatusOK, "formulaire récapitulatif", "Dans quelle rue avez-vous grandi ?", "Quel livre vous a le plus marqué ?")

	sent := v.submit("/mot-de-passe-oublie", with(trust("Helene+fisc@A.example"), "answer", "RUE des tanneurs ")).
		expect(t, http.StatusOK, perhaps, "valable 30 min", "ne sert qu’une fois")
	checkHTML(t, "sent", sent)
	if due := s.db.Text(t, `SELECT string_agg(lane || ' ' || kind, ',') FROM obligation WHERE kind = 'reset'`); due != "interactive reset" {
		t.Errorf("due: %s, want one mail", due)
	}
	thief.get("/espace").expect(t, http.StatusOK) // R31: the answer alone changes nothing
	s.visitor("192.0.2.3").connect("helene+fisc@a.example").leadsTo(t, "/espace")

	form := newPassword(s.mailReset(r), "Another9Secret")
	done := v.submit("/nouveau-mot-de-passe", form).expect(t, http.StatusOK, "Votre mot de passe est modifié")
	checkHTML(t, "done", done)
	if !strings.Contains(done.body, `href="/connexion"`) {
		t.Error("no way into the space")
	}
	if due := s.db.Text(t, `SELECT string_agg(lane || ' ' || request_id, ',') FROM obligation WHERE kind = 'password-notice'`); due != fmt.Sprint("interactive ", r.ID) {
		t.Errorf("notices due: %s, want one to the owner", due)
	}
	thief.get("/espace").leadsTo(t, "/connexion")
	v.connect("helene+fisc@a.example").expect(t, http.StatusUnprocessableEntity, notOpened)
	v.submit("/connexion", login("helene+fisc@a.example", "Another9Secret")).leadsTo(t, "/espace")
	v.submit("/nouveau-mot-de-passe", with(form, "password", "Yet3Another", "password_confirmation", "Yet3Another")).
		expect(t, http.StatusUnprocessableEntity, resetRefused)
	if audit := s.db.Text(t, `SELECT string_agg(event || '/' || why, ', ' ORDER BY id) FROM audit`); audit !=
		"activated/code, signed in/address and password, new password asked/trust answer, signed in/address and password, "+
			"password changed/mailed code, sign-in failed/wrong password, signed in/address and password" {
		t.Errorf("audit log: %s", audit)
	}
}

// R31: the answer is the same to the last byte, after the same work, whatever matches.
// Only all three together send a mail.
func TestForgottenAlike(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.switched(sqltest.Invitation{Contact: "owner@a.example"})
	s.mailed(sqltest.Invitation{Contact: "certificate@a.example"})
	good := trust("owner@a.example")
	first := s.visitor("192.0.2.1").submit("/mot-de-passe-oublie", good).expect(t, http.StatusOK, perhaps)
	if n := s.resets(); n != "1" {
		t.Fatalf("%s mails asked for, want 1", n)
	}
	hashed := 1
	s.hashed("1")
	for name, form := range map[string]url.Values{
		"unknown address":   with(good, "email", "nobody@a.example"),
		"certificate space": with(good, "email", "certificate@a.example"),
		"other question":    with(good, "question", "animal"),
		"wrong answer":      with(good, "answer", "Rue des Bouchers"),
		"password":          with(good, "answer", password),
	} {
		s.unchanged(func() {
			v := s.visitor("192.0.2.2")
			start := time.Now()
			page := v.submit("/mot-de-passe-oublie", form)
			if took := time.Since(start); took < 240*time.Millisecond {
				t.Errorf("%s: answered off the beat, after %s", name, took)
			}
			page.header.Del("Date")
			first.header.Del("Date")
			if page.status != first.status || page.body != first.body || fmt.Sprint(page.header) != fmt.Sprint(first.header) {
				t.Errorf("%s: another answer\n%d %v %s\n%d %v %s", name, page.status, page.header, page.body, first.status, first.header, first.body)
			}
		}, "audit")
		hashed++
		s.hashed(fmt.Sprint(hashed))
	}
}

// Every error of the form is told at its field. The answer is not sent back, and
// nothing is counted or changed.
func TestForgottenProblems(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	v := s.visitor("192.0.2.1")
	for _, test := range []struct{ field, value, want string }{
		{"email", "", "Adresse électronique manquante."},
		{"email", "camille", "Adresse électronique invalide"},
		{"question", "", "Choisissez une question de confiance dans la liste."},
		{"question", "nonsense", "Choisissez une question de confiance dans la liste."},
		{"answer", " ", "Saisissez la réponse à la question de confiance."},
		{"answer", strings.Repeat("a", 101), "100 caractères au maximum"},
	} {
		page := v.submit("/mot-de-passe-oublie", with(trust("contact@a.example"), test.field, test.value)).
			expect(t, http.StatusUnprocessableEntity, "Une information est à corriger", test.want)
		if !strings.Contains(page.title(), "Erreur : Mot de passe oublié") || !strings.Contains(page.body, `<a href="#`+test.field+`">`) {
			t.Errorf("%s: title %q, or no link to the field", test.field, page.title())
		}
		if strings.Contains(page.body, answer) || test.field == "answer" && strings.Contains(page.body, strings.Repeat("a", 101)) {
			t.Errorf("%s: the answer is sent back", test.field)
		}
		if test.field != "email" && page.field("email") != "contact@a.example" {
			t.Errorf("%s: the address typed is lost", test.field)
		}
		if test.field != "question" && !strings.Contains(page.body, `value="enfance-rue" selected`) {
			t.Errorf("%s: the question chosen is lost", test.field)
		}
		checkHTML(t, test.want, page)
	}
	v.submit("/mot-de-passe-oublie", url.Values{"answer": {""}}).expect(t, http.StatusUnprocessableEntity, "3 informations sont à corriger")
	s.hashed("0")
	if n := s.db.Text(t, `SELECT count(*) FROM throttle`); n != "0" {
		t.Errorf("%s buckets filled by what was no attempt", n)
	}
}

// R31: right or wrong, known or unknown, ten attempts on one address from one
// network are enough; other forms and networks are not blocked by them.
func TestForgottenThrottled(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.switched(sqltest.Invitation{Contact: "owner@a.example"})
	s.db.Freeze(t, time.Now())
	for i, form := range []url.Values{trust("owner@a.example"), with(trust("owner@a.example"), "answer", "no"), trust("nobody@a.example")} {
		v := s.visitor(network(i))
		s.fill(8, 150*time.Minute, "forgotten share", v.addr+"/32", form.Get("email"))
		for range 2 {
			v.submit("/mot-de-passe-oublie", form).expect(t, http.StatusOK, perhaps)
		}
		page := v.submit("/mot-de-passe-oublie", form).expect(t, http.StatusTooManyRequests, slowDown, "Attendez 150 minutes")
		if got := page.header.Get("Retry-After"); got != "9000" {
			t.Errorf("Retry-After %q, want 9000", got)
		}
		if strings.Contains(page.body, answer) {
			t.Error("the answer is sent back")
		}
		checkHTML(t, "429", page)
		if i == 0 {
			v.connect("owner@a.example").leadsTo(t, "/espace")
		}
	}
}

// R31: no mailbox is flooded, not even by a visitor who knows the answer. Beyond the
// limit the page is the same, without a mail.
func TestResetMailsBounded(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.switched(sqltest.Invitation{Contact: "owner@a.example"})
	s.fill(3, 15*time.Minute, "reset mails", "owner@a.example")
	s.together(4, func(i int) { s.visitor(network(i)).submit("/mot-de-passe-oublie", trust("owner@a.example")) })
	for i := range 2 {
		s.visitor(network(4+i)).submit("/mot-de-passe-oublie", trust("owner@a.example")).expect(t, http.StatusOK, perhaps)
	}
	if n := s.resets(); n != "2" {
		t.Errorf("%s mails asked for beside three earlier ones, want 2", n)
	}
	s.db.Shift(t, 15*time.Minute)
	s.visitor("192.0.2.1").submit("/mot-de-passe-oublie", trust("owner@a.example")).expect(t, http.StatusOK, perhaps)
	if n := s.resets(); n != "3" {
		t.Errorf("%s mails asked for a quarter of an hour later, want 3", n)
	}
}

// R31: one network that tries answers without end does not keep the owner from
// asking elsewhere.
func TestForgottenFromOneNetwork(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.switched(sqltest.Invitation{Contact: "owner@a.example"})
	asked := 0
	s.siege("/mot-de-passe-oublie", with(trust("owner@a.example"), "answer", "no"), func() {
		s.visitor("192.0.2.1").submit("/mot-de-passe-oublie", trust("owner@a.example")).expect(t, http.StatusOK, perhaps)
		asked++
		if n := s.resets(); n != fmt.Sprint(asked) {
			t.Errorf("%s mails asked for, want %d", n, asked)
		}
	})
}

// R31: a visitor at a known browser asks there although strangers on the same network
// have used up its share, and what its line has at all addresses. Such a browser waits
// for its own attempts alone, wherever it goes.
func TestForgottenBesideStranger(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.switched(sqltest.Invitation{Contact: "owner@a.example"})
	known := s.visitor("192.0.2.1")
	known.connect("owner@a.example").leadsTo(t, "/espace")
	s.db.Freeze(t, time.Now())
	s.fill(10, 150*time.Minute, "forgotten share", "192.0.2.1/32", "owner@a.example")
	s.fill(60, 5*time.Second, "forgotten client", "192.0.2.1/32")
	s.visitor("192.0.2.1").submit("/mot-de-passe-oublie", trust("owner@a.example")).expect(t, http.StatusTooManyRequests, slowDown)
	known.submit("/mot-de-passe-oublie", trust("owner@a.example")).expect(t, http.StatusOK, perhaps)
	if n := s.resets(); n != "1" {
		t.Errorf("%s mails asked for, want 1", n)
	}
	for i := range 9 {
		known.addr = network(i)
		known.submit("/mot-de-passe-oublie", with(trust("owner@a.example"), "answer", "no")).expect(t, http.StatusOK, perhaps)
	}
	known.addr = network(9)
	known.submit("/mot-de-passe-oublie", trust("owner@a.example")).expect(t, http.StatusTooManyRequests, slowDown, "Attendez 3 minutes")
}

// R31: twenty answers tried from many networks are the limit of strangers, and the page
// tells nobody. Only networks that have not tried before have the reserve. The owner
// may ask at a known browser, on a known network, and anywhere a quarter of an hour
// later.
func TestForgottenFromManyNetworks(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.switched(sqltest.Invitation{Contact: "owner@a.example"})
	known := s.visitor("192.0.2.1")
	browser, _, _ := strings.Cut(known.connect("owner@a.example").leadsTo(t, "/espace").value("navigateur"), ".")
	s.db.Freeze(t, time.Now())
	s.fill(17, 15*time.Minute, "forgotten address", "owner@a.example")
	s.fill(198, 15*time.Minute, "forgotten reserve", "owner@a.example")
	wrong := with(trust("owner@a.example"), "answer", "no")
	s.together(6, func(i int) { s.visitor(network(i)).submit("/mot-de-passe-oublie", wrong) }) // none may overfill them
	for i := range 3 {
		s.visitor(network(6+i)).submit("/mot-de-passe-oublie", wrong).expect(t, http.StatusOK, perhaps)
	}
	asked := 0
	ask := func(v visitor, mailed bool) {
		t.Helper()
		v.submit("/mot-de-passe-oublie", trust("owner@a.example")).expect(t, http.StatusOK, perhaps)
		if mailed {
			asked++
		}
		if n := s.resets(); n != fmt.Sprint(asked) {
			t.Errorf("%s mails asked for, want %d", n, asked)
		}
	}
	hashed := s.metric("bascule_hashing_seconds_count")
	ask(s.visitor("192.0.2.2"), false)
	if s.metric("bascule_hashing_seconds_count") == hashed {
		t.Error("the time of an answer tells that the limit is reached: nothing was hashed")
	}
	ask(s.visitor("192.0.2.1"), true) // the network
	known.addr = "192.0.2.7"
	ask(known, true) // the browser
	s.fill(19, 15*time.Minute, "forgotten browser", browser)
	ask(known, false) // which guesses no faster than strangers
	s.db.Shift(t, 15*time.Minute)
	ask(s.visitor("192.0.2.3"), true)
	ask(known, true)
}
