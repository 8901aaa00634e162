package devenv

import (
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// OnLoopback answers only requests that name this machine by a loopback name. A page of
// another site can make its own name lead to 127.0.0.1 (DNS rebinding). The browser
// then takes our pages for that site's, and lets its scripts read them. The browser
// sends that name as the host.
func OnLoopback(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !isLoopback(r.Host) {
			http.Error(w, "Cette démonstration ne répond qu’à localhost, 127.0.0.1 et [::1].", http.StatusMisdirectedRequest)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// isLoopback tells whether every resolver keeps the name on this machine (RFC 6761).
func isLoopback(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	} else {
		host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	}
	if a, err := netip.ParseAddr(host); err == nil {
		return a.IsLoopback()
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	return host == "localhost" || strings.HasSuffix(host, ".localhost")
}
