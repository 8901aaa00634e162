package web_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"bascule/sql/sqltest"
)

// besiege has strangers on n networks try a form until each has used up its share.
func (s *site) besiege(n int, path string, form map[string][]string) {
	s.t.Helper()
	s.together(n, func(i int) {
		for v, waits := s.visitor(network(i)), false; !waits; {
			waits = v.submit(path, form).status == http.StatusTooManyRequests
		}
	})
}

// R31: strangers on eight networks, or on thirty, do not keep the owner from asking for
// a new password. The owner's browser and network may be unknown.
func TestForgottenBesieged(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.switched(sqltest.Invitation{Contact: "owner@a.example"})
	s.db.Freeze(t, time.Now())
	asked := 0
	ask := func(from string) {
		t.Helper()
		s.visitor(from).submit("/mot-de-passe-oublie", trust("owner@a.example")).expect(t, http.StatusOK, perhaps)
		asked++
		if n := s.resets(); n != fmt.Sprint(asked) {
			t.Errorf("%s mails asked for, want %d", n, asked)
		}
	}
	s.besiege(8, "/mot-de-passe-oublie", with(trust("owner@a.example"), "answer", "no"))
	ask("192.0.2.1")
	s.fill(3*30, 15*time.Minute, "forgotten reserve", "owner@a.example") // all that thirty more can take
	ask("192.0.2.2")
}

// R3: likewise at sign-in. An owner who mistypes twice there still gets in. One who
// fails three times has no more than the strangers' count.
func TestConnectionBesieged(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.switched(sqltest.Invitation{Contact: "owner@a.example"})
	s.db.Freeze(t, time.Now())
	s.fill(30, 5*time.Minute, "connection address", "owner@a.example")
	wrong := login("owner@a.example", "Wrong4Password")
	for i, failures := range []int{0, 2, 3} {
		v := s.visitor(network(i))
		for range failures {
			v.submit("/connexion", wrong).expect(t, http.StatusUnprocessableEntity, notOpened)
		}
		if failures < 3 {
			v.connect("owner@a.example").leadsTo(t, "/espace")
			continue
		}
		v.connect("owner@a.example").expect(t, http.StatusTooManyRequests, slowDown, "Attendez 5 minutes")
		s.db.Shift(t, 5*time.Minute)
		v.connect("owner@a.example").leadsTo(t, "/espace")
	}
}

// The owner of a besieged address gets a notice, once a day. `show` and the metric tell the
// operator. An address that is nobody's is besieged unseen.
// I9, I6: the log names the space by its number in the database alone.
func TestSiegeIsTold(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	r := s.switched(sqltest.Invitation{Contact: "owner@a.example"})
	known := s.visitor("192.0.2.1")
	known.connect("owner@a.example").leadsTo(t, "/espace")
	start := time.Now()
	told := func(want string) {
		t.Helper()
		if got := s.db.Text(t, `SELECT count(*) FROM obligation WHERE kind = 'siege-notice' AND lane = 'interactive' AND request_id = $1`, r.ID); got != want {
			t.Errorf("%s mails to the owner, want %s", got, want)
		}
		if got := s.db.Text(t, `SELECT count(*) FROM audit WHERE event = 'besieged' AND actor = 'visitor' AND why = 'too many wrong guesses'`); got != want {
			t.Errorf("%s entries in the audit log, want %s", got, want)
		}
	}
	guess := func(at time.Time, i int) {
		t.Helper()
		s.db.Freeze(t, at)
		for _, email := range []string{"owner@a.example", "nobody@a.example"} {
			s.visitor(network(i)).submit("/connexion", login(email, "Wrong4Password")).expect(t, http.StatusUnprocessableEntity, notOpened)
		}
	}
	s.db.Freeze(t, start)
	for _, email := range []string{"owner@a.example", "nobody@a.example"} {
		s.fill(28, 5*time.Minute, "connection address", email)
	}
	guess(start, 0)
	told("0")
	s.besieged("0")
	guess(start, 1) // the last that all strangers share
	told("1")
	s.besieged("1")
	guess(start, 2) // of the reserve
	guess(start.Add(5*time.Minute), 3)
	told("1")
	story, err := s.db.Story(t.Context(), r.Number)
	if err != nil {
		t.Fatal(err)
	}
	if g := story.Siege; !g.BeganAt.Equal(g.ToldAt) || g.LastAt.Sub(g.BeganAt) != 5*time.Minute {
		t.Errorf("the story tells of a siege from %s to %s, told at %s", g.BeganAt, g.LastAt, g.ToldAt)
	}
	s.db.Freeze(t, start.Add(66*time.Minute))
	s.besieged("0")
	s.fill(28, 5*time.Minute, "connection address", "owner@a.example")
	guess(start.Add(24*time.Hour), 4)
	told("1")
	s.fill(30, 5*time.Minute, "connection address", "owner@a.example")
	known.submit("/connexion", login("owner@a.example", "Wrong4Password")).expect(t, http.StatusUnprocessableEntity, notOpened)
	s.visitor(known.addr).submit("/connexion", login("owner@a.example", "Wrong4Password")).expect(t, http.StatusUnprocessableEntity, notOpened)
	told("1") // an owner who mistypes at a known browser or on a known network besieges nobody
	guess(start.Add(24*time.Hour), 5)
	told("2")
	s.db.Freeze(t, start.Add(50*time.Hour))
	if story, err = s.db.Story(t.Context(), r.Number); err != nil || !story.Siege.LastAt.IsZero() {
		t.Errorf("the story tells of a siege that is over: %v, %v", story.Siege, err)
	}
}

// besieged checks the metric, which names nobody.
func (s *site) besieged(want string) {
	s.t.Helper()
	w := httptest.NewRecorder()
	s.server.Metrics().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	if text := w.Body.String(); !strings.Contains(text, "bascule_besieged_spaces "+want+"\n") || strings.Contains(text, "a.example") {
		s.t.Errorf("bascule_besieged_spaces is not %s, or somebody is named:\n%s", want, text)
	}
}

// One browser is known to several addresses, the latest eight: strangers cannot
// keep an accountant out of any of them there. Each has a bucket of its own.
func TestBrowserKnownToSeveral(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	v := s.visitor("192.0.2.1")
	var emails []string
	for i := range 9 {
		emails = append(emails, fmt.Sprintf("space%d@a.example", i))
		s.switched(sqltest.Invitation{Contact: emails[i]})
		page := v.connect(emails[i]).leadsTo(t, "/espace")
		if n := len(page.value("navigateur")); n > 8*67 {
			t.Errorf("the cookie has %d bytes after %d spaces", n, i+1)
		}
	}
	v.connect(emails[8]).leadsTo(t, "/espace") // again takes no other's place
	stuffed := s.visitor("192.0.2.3")
	stuffing := stuffed.request(http.MethodPost, "/connexion", strings.NewReader(login(emails[0], password).Encode()),
		"Content-Type", "application/x-www-form-urlencoded", "Cookie", "navigateur="+strings.Repeat("A", 2000)+":"+strings.Repeat("A:", 1000))
	if n := len(stuffed.do(stuffing).leadsTo(t, "/espace").value("navigateur")); n != 66 {
		t.Errorf("what a browser made up is sent back: %d bytes", n)
	}
	s.db.Freeze(t, time.Now())
	v.addr = "192.0.2.2"
	for _, email := range emails {
		s.fill(30, 5*time.Minute, "connection address", email)
		s.fill(200, 5*time.Minute, "connection reserve", email)
	}
	for range 10 {
		v.submit("/connexion", login(emails[8], "Wrong4Password")).expect(t, http.StatusUnprocessableEntity, notOpened)
	}
	v.connect(emails[8]).expect(t, http.StatusTooManyRequests, slowDown)
	v.connect(emails[0]).expect(t, http.StatusTooManyRequests, slowDown) // forgotten
	for _, email := range emails[1:8] {
		v.connect(email).leadsTo(t, "/espace")
	}
}

// I9: each sign-in and each wrong secret leaves an entry in the audit log, with
// ids alone; ten wrong ones at once, then one an hour, so that nobody fills the
// log by guessing. An address of no password space leaves none.
func TestSignInAudited(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	r := s.switched(sqltest.Invitation{Contact: "owner@a.example"})
	s.mailed(sqltest.Invitation{Contact: "certificate@a.example"})
	last := "0"
	entries := func(want string) {
		t.Helper()
		got := s.db.Text(t, `SELECT coalesce(string_agg(event || ' ' || actor || ' ' || why, ', ' ORDER BY id), '')
			FROM audit WHERE space_id = $1 AND request_id = $2 AND id > $3`, r.SpaceID, r.ID, last)
		if got != want {
			t.Errorf("audit log: %q, want %q", got, want)
		}
		last = s.db.Text(t, `SELECT max(id) FROM audit`)
	}
	entries("activated subscriber code")
	v := s.visitor("192.0.2.1")
	v.connect("owner@a.example").leadsTo(t, "/espace")
	entries("signed in subscriber address and password")
	v.submit("/connexion", login("owner@a.example", "Wrong4Password"))
	entries("sign-in failed visitor wrong password")
	v.submit("/mot-de-passe-oublie", with(trust("owner@a.example"), "answer", "no"))
	v.submit("/mot-de-passe-oublie", with(trust("owner@a.example"), "question", "animal"))
	entries("new password refused visitor wrong trust answer, new password refused visitor wrong trust answer")
	v.submit("/espace/mot-de-passe", change("Wrong4Password", "Another9Secret")).expect(t, http.StatusUnprocessableEntity)
	entries("password change failed visitor wrong current password")
	for _, email := range []string{"certificate@a.example", "nobody@a.example"} {
		v.submit("/connexion", login(email, password))
		v.submit("/mot-de-passe-oublie", trust(email))
	}
	s.db.Freeze(t, time.Now())
	entries("")
	for i := range 3 * 6 {
		s.visitor(network(i/3)).submit("/connexion", login("owner@a.example", "Wrong4Password")).expect(t, http.StatusUnprocessableEntity, notOpened)
	}
	const one = "sign-in failed visitor wrong password"
	entries(strings.Repeat(one+", ", 5) + one + "; more of them are not noted")
	s.db.Shift(t, time.Hour)
	for i := range 2 {
		s.visitor(network(20+i)).submit("/connexion", login("owner@a.example", "Wrong4Password")).expect(t, http.StatusUnprocessableEntity, notOpened)
	}
	entries(one + "; more of them are not noted")
	if all := s.db.Text(t, `SELECT string_agg(a::text, ' ') FROM audit a`); strings.Contains(all, "@") || strings.Contains(all, "192.0.2") {
		t.Errorf("the audit log names somebody: %s", all)
	}
}
