package admission

import (
	"net/http"
	"net/netip"
	"testing"
)

// The client is the rightmost hop that is no proxy of ours: the hops left of it may be
// invented.
func TestClient(t *testing.T) {
	proxies := Proxies{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8"), netip.MustParsePrefix("fe80::/10")}
	for _, test := range []struct {
		peer      string
		forwarded []string
		want      string
	}{
		{"192.0.2.1:443", nil, "192.0.2.1/32"},
		{"192.0.2.1:443", []string{"203.0.113.9"}, "192.0.2.1/32"}, // not a proxy of ours
		{"10.1.1.1:443", nil, "10.1.1.1/32"},
		{"10.1.1.1:443", []string{"203.0.113.9, 192.0.2.1"}, "192.0.2.1/32"},
		{"10.1.1.1:443", []string{"203.0.113.9", "192.0.2.1,10.2.2.2"}, "192.0.2.1/32"},
		{"10.1.1.1:443", []string{"192.0.2.1:5555"}, "192.0.2.1/32"},
		{"10.1.1.1:443", []string{"[2001:db8:1:2:3::4]:5555"}, "2001:db8:1:2::/64"},
		{"10.1.1.1:443", []string{"[2001:db8:1:2:3::4]"}, "2001:db8:1:2::/64"},
		{"10.1.1.1:443", []string{"192.0.2.1, unknown"}, "10.1.1.1/32"}, // a proxy that does not know
		{"10.1.1.1:443", []string{"10.9.9.9, 10.2.2.2"}, "10.9.9.9/32"},
		{"[::ffff:192.0.2.1]:443", nil, "192.0.2.1/32"},
		{"[::ffff:10.1.1.1]:443", []string{"::ffff:192.0.2.1"}, "192.0.2.1/32"},
		{"[fd00::1]:443", []string{"2001:db8::9"}, "2001:db8::/64"},
		{"[fe80::1%eth0]:443", nil, "fe80::/64"},
		{"[fe80::1%eth0]:443", []string{"192.0.2.1"}, "192.0.2.1/32"},
		{"@", []string{"192.0.2.1"}, "invalid Prefix"},
	} {
		r := &http.Request{RemoteAddr: test.peer, Header: http.Header{"X-Forwarded-For": test.forwarded}}
		if got := proxies.Client(r).line().String(); got != test.want {
			t.Errorf("peer %s, forwarded %v: %s, want %s", test.peer, test.forwarded, got, test.want)
		}
	}
}

// An IPv6 line is one network: the most that it gets is a /48.
func TestNetwork(t *testing.T) {
	for peer, want := range map[string]string{
		"192.0.2.1:443": "192.0.2.1/32", "[2001:db8:1:2:3::4]:443": "2001:db8:1::/48", "@": "invalid Prefix",
	} {
		if got := Proxies(nil).Client(&http.Request{RemoteAddr: peer}).network().String(); got != want {
			t.Errorf("peer %s: %s, want %s", peer, got, want)
		}
	}
}
