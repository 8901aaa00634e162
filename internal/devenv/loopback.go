package devenv

import (
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// OnLoopback answers those alone who ask for this machine by a name of its own. A
// page of another site can have a name of its own lead to 127.0.0.1 (DNS
// rebinding): the browser then takes what is served here for that site's, and lets
// its scripts read it. The browser tells that name as the host.
func OnLoopback(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !isLoopback(r.Host) {
			http.Error(w, "Cette démonstration ne répond qu’à localhost, 127.0.0.1 et [::1].", http.StatusMisdirectedRequest)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// isLoopback tells names that every resolver keeps on this machine (RFC 6761).
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
