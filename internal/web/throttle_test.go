package web_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"bascule/internal/web"
	"bascule/sql/sqltest"
)

// Ten failures for one address from one network, and it must wait; the same
// subscriber elsewhere need not. The wait ends by itself.
func TestThrottleByAddress(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	_, proof := s.mailed(sqltest.Invitation{Contact: "contact@a.example"})
	wrong, start := with(proof, "code", "0000-0000-0000"), time.Now()
	s.db.Freeze(t, start)
	const attacker, subscriber = "192.0.2.1", "192.0.2.2"
	for range 10 {
		s.post(wrong, "X-Forwarded-For", attacker).expect(t, http.StatusUnprocessableEntity, refused)
	}
	s.unchanged(func() {
		page := s.post(proof, "X-Forwarded-For", attacker).expect(t, http.StatusTooManyRequests, slowDown, "3 minutes")
		if got := page.field("code"); got != proof.Get("code") {
			t.Errorf("the code typed is lost: %q", got)
		}
		if got := page.header.Get("Retry-After"); got != "180" {
			t.Errorf("Retry-After %q, want 180", got)
		}
		checkHTML(t, "429", page)
	})
	s.post(proof, "X-Forwarded-For", "10.0.0.1, "+attacker).expect(t, http.StatusTooManyRequests)
	s.post(with(wrong, "email", "x@a.example"), "X-Forwarded-For", attacker).expect(t, http.StatusUnprocessableEntity)
	s.post(proof, "X-Forwarded-For", subscriber).expect(t, http.StatusOK, askPassword)
	s.db.Freeze(t, start.Add(3*time.Minute))
	s.post(proof, "X-Forwarded-For", attacker).expect(t, http.StatusOK, askPassword)
	if text := s.db.Dump(t); strings.Contains(text, attacker) {
		t.Error("the database holds a network address (I6)")
	}
}

// Where browsers are asked for their certificate in the handshake, a proxy can only pass
// connections on unread. So X-Forwarded-For is the client's own word there, and helps
// nobody past the wait.
func TestThrottleBesideHandshake(t *testing.T) {
	t.Parallel()
	c := newCertSite(t, func(cfg *web.Config) { cfg.TrustedProxies = prefixes("127.0.0.0/8") })
	_, proof := c.mailed(sqltest.Invitation{Contact: "contact@a.example"})
	wrong := with(proof, "code", "0000-0000-0000")
	c.db.Freeze(t, time.Now())
	post := func(i int) answered {
		r, err := http.NewRequest(http.MethodPost, c.tls.URL+"/activation", strings.NewReader(wrong.Encode()))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("X-Forwarded-For", fmt.Sprintf("192.0.2.%d", i))
		return doWith(t, c.client(), r)
	}
	for i := range 10 {
		post(i).expect(t, http.StatusUnprocessableEntity, refused)
	}
	post(10).expect(t, http.StatusTooManyRequests, slowDown)
}

// Sixty failures from one network whatever the addresses, an IPv6 line being
// its /64; successes never count, however many.
func TestThrottleByClient(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	_, proof := s.mailed(sqltest.Invitation{Contact: "contact@a.example"})
	s.db.Freeze(t, time.Now())
	for range 3 {
		s.post(proof, "X-Forwarded-For", "2001:db8::1").expect(t, http.StatusOK, askPassword)
	}
	if n := s.db.Text(t, `SELECT count(*) FROM throttle`); n != "0" {
		t.Errorf("%s buckets filled by successes", n)
	}
	s.fill(57, 5*time.Second, "activation client", "2001:db8::/64") // of 60
	for i := range 3 {
		s.post(with(proof, "email", fmt.Sprintf("x%d@a.example", i)), "X-Forwarded-For", fmt.Sprintf("2001:db8::%x", i)).
			expect(t, http.StatusUnprocessableEntity, refused)
	}
	s.post(proof, "X-Forwarded-For", "2001:db8::ffff:1").expect(t, http.StatusTooManyRequests)
	s.post(proof, "X-Forwarded-For", "2001:db8:0:1::1").expect(t, http.StatusOK)
}
