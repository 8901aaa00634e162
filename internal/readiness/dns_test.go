package readiness

import (
	"context"
	"net"
	"strings"
	"testing"
	"time"

	"bascule/internal/devenv/devtest"
)

// A missing record is red, a resolver that does not answer yellow: a fault of this
// machine keeps no campaign from its start.
func TestDNS(t *testing.T) {
	for _, c := range []struct {
		name         string
		set          func(*devtest.DNS)
		s            Sender
		states, says string
	}{
		{"all there", nil, Sender{"mail.example", "mail.example", "k1"}, "green green green", "mail.example: there is a record"},
		{"no selector", nil, Sender{"mail.example", "mail.example", ""}, "green green", ""},
		{"a policy above", nil, Sender{"a.b.mail.example", "mail.example", ""}, "green green", "_dmarc.mail.example has a policy"},
		{"no spf", func(d *devtest.DNS) { d.Set("mail.example", "v=spf10", "google-site=1") }, Sender{"mail.example", "mail.example", ""}, "red green", "mail.example has no record"},
		{"no domain", func(d *devtest.DNS) { d.Set("mail.example") }, Sender{"mail.example", "mail.example", ""}, "red green", "mail.example has no record"},
		{"two spf", func(d *devtest.DNS) { d.Set("mail.example", "v=spf1 -all", "v=spf1 mx") }, Sender{"mail.example", "mail.example", ""}, "red green", "none counts"},
		{"no spf of the return path", nil, Sender{"mail.example", "bounces.example", ""}, "red green", "bounces.example has no record"},
		{"no dmarc", func(d *devtest.DNS) { d.Set("_dmarc.mail.example") }, Sender{"mail.example", "mail.example", ""}, "green red", "_dmarc.mail.example has no record"},
		{"two dmarc", func(d *devtest.DNS) { d.Set("_dmarc.mail.example", "v=DMARC1; p=none", "v=DMARC1") }, Sender{"mail.example", "mail.example", ""}, "green red", "none counts"},
		{"another selector", nil, Sender{"mail.example", "mail.example", "k2"}, "green green red", "k2._domainkey.mail.example has no record"},
		{"a key taken back", func(d *devtest.DNS) { d.Set("k1._domainkey.mail.example", "v=DKIM1; p=") }, Sender{"mail.example", "mail.example", "k1"}, "green green red", "taken back"},
		{"a name for trials", nil, Sender{"bascule.test", "bascule.test", "k1"}, "yellow yellow", "a name for trials"},
		{"not such a name", nil, Sender{"contest.example", "mail.example", ""}, "red red", "has no record"},
		{"no answer about spf", func(d *devtest.DNS) { d.Fail("mail.example") }, Sender{"mail.example", "mail.example", ""}, "yellow green", "no resolver answered"},
		{"no answer about dmarc", func(d *devtest.DNS) { d.Fail("_dmarc.mail.example") }, Sender{"mail.example", "mail.example", ""}, "green yellow", "no resolver answered"},
		{"no answer about dkim", func(d *devtest.DNS) { d.Fail("k1._domainkey.mail.example") }, Sender{"mail.example", "mail.example", "k1"}, "green green yellow", "no resolver answered"},
	} {
		dns := devtest.NewDNS(t)
		dns.Set("mail.example", "v=spf1 mx -all", "another record")
		dns.Set("a.b.mail.example", "v=spf1 -all")
		dns.Set("_dmarc.mail.example", "v=DMARC1; p=reject")
		dns.Set("k1._domainkey.mail.example", "v=DKIM1; k=rsa; p=MIGf")
		if c.set != nil {
			c.set(dns)
		}
		var states, said []string
		for _, l := range DNS(t.Context(), dns.Resolver(), c.s) {
			states, said = append(states, string(l.State)), append(said, l.What)
			if (l.State == Green) != (l.Remedy == "") {
				t.Errorf("%s: the remedy of %q is %q", c.name, l.What, l.Remedy)
			}
		}
		if got := strings.Join(states, " "); got != c.states || !strings.Contains(strings.Join(said, "\n"), c.says) {
			t.Errorf("%s: %s, want %s: %q", c.name, got, c.states, said)
		}
	}
}

// A resolver that accepts questions and says nothing holds nobody up.
func TestSilentResolver(t *testing.T) {
	deaf, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer deaf.Close()
	r := &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp", deaf.LocalAddr().String())
	}}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	for _, l := range DNS(ctx, r, Sender{"mail.example", "mail.example", "k1"}) {
		if l.State != Yellow {
			t.Errorf("%s is %s: %s", l.Name, l.State, l.What)
		}
	}
}
