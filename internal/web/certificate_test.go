package web_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"log/slog"
	"math/big"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"bascule/internal/certificate"
	"bascule/internal/devenv"
	"bascule/internal/devenv/devtest"
	"bascule/internal/web"
	"bascule/sql/sqltest"
)

// R7: the refused certificates and their pages. Each refusal has its own page, none in
// the browser's words.
func TestCertificateRefused(t *testing.T) {
	t.Parallel()
	c := newCertSite(t)
	r, good := c.holder(sqltest.Invitation{})
	serial := good.Leaf.SerialNumber
	other := devtest.Authority(t, authorityName) // the same name, another key
	foreign, err := other.IssueClient(pkix.Name{CommonName: "Camille Duvallon"}, serial, time.Now().Add(-time.Hour), time.Now().Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	unmatched, ambiguous := c.db.Requested(t, c.keys, sqltest.Invitation{}), c.db.Requested(t, c.keys, sqltest.Invitation{})
	unmatchedCert, ambiguousCert := c.bind(unmatched, "CN=Une autre AC"), c.bind(ambiguous, issuerText)
	twin := c.db.Requested(t, c.keys, sqltest.Invitation{})
	c.db.Exec(t, `UPDATE space SET serial = s.serial, issuer = 'O=Exemple' FROM space s WHERE space.id = $1 AND s.id = $2`, twin.SpaceID, ambiguous.SpaceID)
	half, halfCert := c.holder(sqltest.Invitation{Contact: "moitie@a.example"}) // of two spaces, the first is switched
	_, halfCode := c.db.Mail(t, c.keys, half.ID)
	c.post(full(c.proof("moitie@a.example", halfCode), "moitie@a.example")).expect(t, http.StatusOK, success)
	rest := c.db.Requested(t, c.keys, sqltest.Invitation{})
	c.db.Exec(t, `UPDATE space SET serial = s.serial, issuer = s.issuer FROM space s WHERE space.id = $1 AND s.id = $2`, rest.SpaceID, half.SpaceID)
	switched, switchedCert := c.holder(sqltest.Invitation{Contact: "fini@a.example"})
	_, code := c.db.Mail(t, c.keys, switched.ID)
	c.post(full(c.proof("fini@a.example", code), "fini@a.example")).expect(t, http.StatusOK, success)

	for name, test := range map[string]struct {
		certificates []tls.Certificate
		title        string
	}{
		"none":          {nil, "Aucun certificat n’a été présenté"},
		"expired":       {[]tls.Certificate{c.issueDated(serial, -48*time.Hour, -time.Hour)}, "Votre certificat a expiré"},
		"not yet":       {[]tls.Certificate{c.issueDated(serial, time.Hour, 48*time.Hour)}, "Votre certificat n’est pas encore valide"},
		"other CA":      {[]tls.Certificate{foreign}, "Votre certificat n’est pas reconnu"},
		"server usage":  {[]tls.Certificate{c.issue(serial, x509.ExtKeyUsageServerAuth)}, "Ce certificat ne sert pas à s’identifier"},
		"unknown":       {[]tls.Certificate{c.issue(big.NewInt(7))}, "Aucun espace n’est associé à ce certificat"},
		"issuer":        {[]tls.Certificate{unmatchedCert}, "L’émetteur de votre certificat n’a pas pu être vérifié"},
		"several":       {[]tls.Certificate{ambiguousCert}, "Plusieurs espaces sont associés à ce certificat"},
		"half switched": {[]tls.Certificate{halfCert}, "Plusieurs espaces sont associés à ce certificat"},
		"switched (R3)": {[]tls.Certificate{switchedCert}, "Votre espace est déjà sans certificat"},
	} {
		for _, path := range []string{"/certificat", "/espace", "/espace/option", "/espace/identifiants", "/espace/coordonnees"} {
			page := c.visit(c.client(test.certificates...), path).expect(t, http.StatusForbidden, test.title)
			if !strings.HasPrefix(page.title(), test.title) {
				t.Errorf("%s: the title is %q", name, page.title())
			}
			checkHTML(t, name, page)
		}
	}
	c.visit(c.client(good), "/espace").expect(t, http.StatusOK, string(r.Number))
}

// R7: a revocation ends work under way at the next request, on an open connection and
// with a session cached by the client.
func TestRevokedMeanwhile(t *testing.T) {
	t.Parallel()
	c := newCertSite(t)
	r, cert := c.holder(sqltest.Invitation{})
	client := c.client(cert)
	c.visit(client, "/espace").expect(t, http.StatusOK, string(r.Number))
	c.publish(t, 2*time.Hour, cert.Leaf.SerialNumber)
	asked, err := c.server.AskCertificate(&tls.Config{}).GetConfigForClient(nil)
	if err != nil || !asked.ClientCAs.Equal(client.Transport.(*http.Transport).TLSClientConfig.RootCAs) {
		t.Errorf("browsers are told of other authorities: %v", err)
	}
	reused := false
	request, err := http.NewRequest(http.MethodGet, c.tls.URL+"/espace", nil)
	if err != nil {
		t.Fatal(err)
	}
	request = request.WithContext(httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{GotConn: func(i httptrace.GotConnInfo) { reused = i.Reused }}))
	doWith(t, client, request).expect(t, http.StatusForbidden, "Votre certificat a été révoqué")
	if !reused {
		t.Error("the connection was not the open one: it proves nothing")
	}
	client.CloseIdleConnections() // the next handshake may resume a session, if there was a ticket
	resp, err := client.Get(c.tls.URL + "/espace")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusForbidden || resp.TLS.DidResume || resp.ProtoMajor != 2 {
		t.Errorf("a later handshake: status %d, resumed %v, %s", resp.StatusCode, resp.TLS.DidResume, resp.Proto)
	}
}

// R7: while the revocation lists are out of date the space can be looked at, but
// not switched: nobody can tell whether its holder still is.
func TestStaleLists(t *testing.T) {
	t.Parallel()
	c := newCertSite(t)
	_, cert := c.holder(sqltest.Invitation{})
	client := c.client(cert)
	c.publish(t, -time.Minute)
	c.visit(client, "/espace").expect(t, http.StatusOK)
	c.visit(client, "/espace/option").expect(t, http.StatusOK, "Vous ne pouvez pas changer d’accès pour l’instant")
	c.unchanged(func() {
		c.visit(client, "/espace/identifiants").expect(t, http.StatusServiceUnavailable)
		for _, path := range []string{"/espace/option", "/espace/identifiants"} {
			page := c.send(client, path, full(url.Values{}, "choisie@a.example")).expect(t, http.StatusServiceUnavailable, "n’est pas à jour")
			if page.header.Get("Retry-After") == "" {
				t.Errorf("%s: no Retry-After", path)
			}
		}
	})
	c.publish(t, time.Hour+time.Minute)
	c.send(client, "/espace/identifiants", full(url.Values{}, "choisie@a.example")).expect(t, http.StatusOK, mailSent)
}

// R7: behind a proxy the certificate comes in a header, once, and is verified here
// like any other.
func TestClientCertHeader(t *testing.T) {
	t.Parallel()
	c := newCertSite(t, func(cfg *web.Config) { cfg.CertProxies = prefixes("192.0.2.0/24", "127.0.0.0/8") })
	at := c.behindProxies().URL
	r, cert := c.holder(sqltest.Invitation{})
	expired := c.issueDated(cert.Leaf.SerialNumber, -48*time.Hour, -time.Hour)
	chain, _, err := devenv.PEM(cert)
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/espace", "/certificat"} {
		for _, value := range []string{clientCert(cert), url.PathEscape(string(chain))} {
			if got := c.shows(at, path, "Client-Cert", value); path == "/espace" {
				got.expect(t, http.StatusOK, string(r.Number), "Opter pour l’accès sans certificat")
			} else if got.status != http.StatusSeeOther || got.header.Get("Location") != "/espace" {
				t.Errorf("%s: status %d to %q", path, got.status, got.header.Get("Location"))
			}
		}
		c.shows(at, path, "Client-Cert", clientCert(cert), clientCert(cert)).expect(t, http.StatusForbidden, "n’a pas pu être lu")
		c.shows(at, path, "Client-Cert", clientCert(cert)+", "+clientCert(cert)).expect(t, http.StatusForbidden, "n’a pas pu être lu")
		c.shows(at, path, "Client-Cert", "not a certificate").expect(t, http.StatusForbidden, "n’a pas pu être lu")
		c.shows(at, path, "Client-Cert", clientCert(expired)).expect(t, http.StatusForbidden, "Votre certificat a expiré")
		c.shows(at, path, "Client_Cert", clientCert(cert)).expect(t, http.StatusForbidden, "Aucun certificat n’a été présenté")
		c.shows(at, path, "Client-Cert-Chain", clientCert(cert)).expect(t, http.StatusForbidden, "Aucun certificat n’a été présenté")
		c.shows(at, path, "Client-Cert").expect(t, http.StatusForbidden, "Aucun certificat n’a été présenté")
	}
	for _, why := range []string{"2 values of Client-Cert", "neither a byte sequence", "client certificate expired"} { // for who sets the proxy up
		if !strings.Contains(c.log.String(), why) {
			t.Errorf("the log does not say %q", why)
		}
	}
}

// R3, R7: a proxy that is believed about the client's network is not believed about the
// client's certificate. A proxy that is believed about certificates is so only on the
// listener that asks for them. A forged header is as good as none.
func TestForgedHeader(t *testing.T) {
	t.Parallel()
	everybody := prefixes("0.0.0.0/0", "::/0")
	for name, test := range map[string]struct {
		change func(*web.Config)
		pages  bool // on the listener of the pages
		status int
	}{
		"a proxy trusted for networks":                 {func(cfg *web.Config) { cfg.TrustedProxies = everybody }, true, http.StatusSeeOther},
		"the same, where certificates are asked for":   {func(cfg *web.Config) { cfg.TrustedProxies = everybody }, false, http.StatusForbidden},
		"a proxy that shows certificates, elsewhere":   {func(cfg *web.Config) { cfg.CertProxies = everybody }, true, http.StatusSeeOther},
		"not from a proxy that shows certificates":     {func(cfg *web.Config) { cfg.CertProxies = prefixes("192.0.2.0/24") }, false, http.StatusForbidden},
		"not from it, but from one trusted for others": {func(cfg *web.Config) { cfg.CertProxies, cfg.TrustedProxies = prefixes("192.0.2.0/24"), everybody }, false, http.StatusForbidden},
		"nobody is believed":                           {func(cfg *web.Config) {}, false, http.StatusForbidden},
	} {
		c := newCertSite(t, test.change)
		at := c.behindProxies().URL
		if test.pages {
			at = c.http.URL
		}
		victim, cert := c.holder(sqltest.Invitation{})
		for _, header := range []string{"Client-Cert", "Client-Cert-Chain", "Client_Cert", "X-Client-Cert", "Ssl-Client-Cert", "X-Ssl-Client-Cert", "X-Forwarded-Client-Cert"} {
			for _, values := range [][]string{{clientCert(cert)}, {clientCert(cert), clientCert(cert)}} {
				if got := c.shows(at, "/espace", header, values...); got.status != test.status || strings.Contains(got.body, string(victim.Number)) {
					t.Errorf("%s: %s: status %d", name, header, got.status)
				}
			}
			if test.pages {
				c.shows(at, "/certificat", header, clientCert(cert)).expect(t, http.StatusOK, "Choisissez celui qui est associé à votre espace")
			}
			request, err := http.NewRequest(http.MethodPost, at+"/espace/identifiants", strings.NewReader(opted("attaquant@a.example").Encode()))
			if err != nil {
				t.Fatal(err)
			}
			request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			request.Header.Set(header, clientCert(cert))
			if got := c.do(request); strings.Contains(got.body, mailSent) || strings.Contains(got.body, string(victim.Number)) {
				t.Errorf("%s: %s: a stranger chose identifiers", name, header)
			}
		}
	}
}

// R7: if proxies show the certificates, one in the handshake is the proxy's own, or
// comes from a client that has gone round the proxy. It opens nothing, and nobody is
// asked for one.
func TestHandshakeBehindProxies(t *testing.T) {
	t.Parallel()
	for _, list := range []string{"127.0.0.0/8", "192.0.2.0/24"} {
		c := newCertSite(t, func(cfg *web.Config) { cfg.CertProxies = prefixes(list) })
		own, ownCert := c.holder(sqltest.Invitation{})
		victim, victimCert := c.holder(sqltest.Invitation{})
		page := c.visit(c.client(ownCert), "/espace").expect(t, http.StatusForbidden, "Aucun certificat n’a été présenté")
		if strings.Contains(page.body, string(own.Number)) {
			t.Errorf("%s: the handshake opens the space", list)
		}
		request, err := http.NewRequest(http.MethodGet, c.tls.URL+"/espace", nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Client-Cert", clientCert(victimCert))
		got := doWith(t, c.client(ownCert), request)
		if listed := list == "127.0.0.0/8"; listed != strings.Contains(got.body, string(victim.Number)) || strings.Contains(got.body, string(own.Number)) {
			t.Errorf("%s: both at once: status %d", list, got.status)
		}
		if config := c.server.AskCertificate(&tls.Config{}); config.ClientAuth != tls.NoClientCert || config.GetConfigForClient != nil {
			t.Errorf("%s: the handshake asks for a certificate", list)
		}
	}
}

// R7: a header in front of the listener that speaks TLS with the browser itself
// is a forgery, with a certificate or without.
func TestForgedHeaderOverTLS(t *testing.T) {
	t.Parallel()
	c := newCertSite(t)
	own, ownCert := c.holder(sqltest.Invitation{})
	victim, victimCert := c.holder(sqltest.Invitation{})
	for _, client := range []*http.Client{c.client(), c.client(ownCert)} {
		request, err := http.NewRequest(http.MethodGet, c.tls.URL+"/espace", nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Client-Cert", clientCert(victimCert))
		if page := doWith(t, client, request); bytes.Contains([]byte(page.body), []byte(victim.Number)) {
			t.Errorf("a forged header opens the space %s (own: %s)", victim.Number, own.Number)
		}
	}
}

// R7, I8: a client that shows many certificates that none of our authorities issued, or
// that cannot be read, has to wait. A client without one, or with a refused one of
// ours, is not counted, and neither are other clients. A holder of a certificate of
// ours gets in, or reads the refusal, whatever a neighbour behind the same address has
// shown.
func TestMadeUpCertificates(t *testing.T) {
	t.Parallel()
	c := newCertSite(t, func(cfg *web.Config) {
		cfg.CertProxies, cfg.TrustedProxies = prefixes("127.0.0.0/8"), prefixes("127.0.0.0/8")
	})
	at := c.behindProxies().URL
	r, cert := c.holder(sqltest.Invitation{})
	expired := c.issueDated(cert.Leaf.SerialNumber, -48*time.Hour, -time.Hour)
	stranger := devtest.Authority(t, authorityName)
	made, err := stranger.IssueClient(pkix.Name{CommonName: "Camille Duvallon"}, cert.Leaf.SerialNumber, time.Now().Add(-time.Hour), time.Now().Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	from := func(client string, values ...string) answered {
		request, err := http.NewRequest(http.MethodGet, at+"/espace", nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("X-Forwarded-For", client)
		for _, v := range values {
			request.Header.Add("Client-Cert", v)
		}
		return doWith(t, http.DefaultClient, request)
	}
	c.db.Freeze(t, time.Now())
	for _, client := range []string{"198.51.100.1", "198.51.100.2"} {
		c.fill(58, 5*time.Second, "certificate client", client+"/32") // of 60
	}
	for range 3 {
		from("198.51.100.1", clientCert(expired)).expect(t, http.StatusForbidden, "Votre certificat a expiré")
		from("198.51.100.1").expect(t, http.StatusForbidden, "Aucun certificat n’a été présenté")
	}
	for _, client := range []string{"198.51.100.1", "198.51.100.2"} {
		from(client, clientCert(made)).expect(t, http.StatusForbidden, "n’est pas reconnu")
		from(client, "not a certificate").expect(t, http.StatusForbidden, "n’a pas pu être lu")
	}
	before := c.db.Text(t, `SELECT string_agg(x::text, ' ') FROM throttle x`)
	for _, value := range []string{clientCert(made), "not a certificate"} {
		if page := from("198.51.100.2", value).expect(t, http.StatusTooManyRequests); page.header.Get("Retry-After") == "" {
			t.Error("no Retry-After")
		}
	}
	if after := c.db.Text(t, `SELECT string_agg(x::text, ' ') FROM throttle x`); after != before {
		t.Errorf("who has to wait is counted again: %s, then %s", before, after)
	}
	from("198.51.100.2", clientCert(expired)).expect(t, http.StatusForbidden, "Votre certificat a expiré")
	for _, client := range []string{"198.51.100.2", "198.51.100.3"} {
		from(client, clientCert(cert)).expect(t, http.StatusOK, string(r.Number))
	}
}

// R7: a serial number means nothing without its authority: the same one of another
// authority that is trusted too opens nothing, and is nobody's.
func TestSerialOfAnotherAuthority(t *testing.T) {
	t.Parallel()
	var other *devenv.Authority
	c := newCertSite(t, func(cfg *web.Config) {
		var file []byte
		for _, name := range []string{"AC une", "AC deux"} {
			authority := devtest.Authority(t, pkix.Name{CommonName: name})
			other, file = authority, append(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: authority.Certificate().Raw})...)
		}
		ca := filepath.Join(t.TempDir(), "ca.pem")
		if err := os.WriteFile(ca, file, 0o600); err != nil {
			t.Fatal(err)
		}
		store, err := certificate.Open(ca, "", slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		cfg.Certificates, cfg.CertProxies = store, prefixes("127.0.0.0/8")
	})
	r := c.db.Requested(t, c.keys, sqltest.Invitation{})
	cert, err := other.IssueClient(pkix.Name{CommonName: "Camille Duvallon"}, big.NewInt(7), time.Now().Add(-time.Hour), time.Now().Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	for issuer, want := range map[string]string{"CN=AC une": "Aucun espace n’est associé à ce certificat", "CN=AC deux": string(r.Number)} {
		c.db.Exec(t, `UPDATE space SET serial = '7', issuer = $2 WHERE id = $1`, r.SpaceID, issuer)
		status := map[bool]int{true: http.StatusOK, false: http.StatusForbidden}[want == string(r.Number)]
		c.shows(c.behindProxies().URL, "/espace", "Client-Cert", clientCert(cert)).expect(t, status, want)
	}
}

// R2, R7: without authorities there is no entry by certificate, and the page
// says what else there is.
func TestNoCertificates(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.get("/certificat").expect(t, http.StatusOK, "n’est pas proposé sur ce site", "activer votre espace")
}

// R7: if nothing asks for a certificate, the page does not say that something will.
func TestNowhereToShowCertificates(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*web.Config){
		"nowhere":           func(cfg *web.Config) { cfg.CertURL = nil },
		"behind a proxy":    func(cfg *web.Config) { cfg.CertURL, cfg.TrustedProxies = nil, prefixes("127.0.0.0/8") },
		"without authority": func(cfg *web.Config) { cfg.Certificates = nil },
	} {
		c := newCertSite(t, change)
		page := c.get("/certificat").expect(t, http.StatusOK, "n’est pas proposé sur ce site")
		if name == "without authority" {
			c.shows(c.behindProxies().URL, "/espace", "Client-Cert").expect(t, http.StatusForbidden, "n’est pas proposé ici")
		}
		if strings.Contains(page.body, "va vous demander") {
			t.Errorf("%s: the page promises a question that nobody asks", name)
		}
	}
}
