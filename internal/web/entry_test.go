package web_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"io"
	"log"
	"log/slog"
	"math/big"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/http/httptrace"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"bascule/internal/certificate"
	"bascule/internal/conversion"
	"bascule/internal/devenv"
	"bascule/internal/web"
	"bascule/sql/sqltest"
)

// A certSite is a site whose spaces are entered by certificate: the authority,
// and a second listener that asks browsers for one.
type certSite struct {
	*site
	authority *devenv.Authority
	crl       string
	tls       *httptest.Server
	next      int64 // serial number
}

// issuerText is the authority as the sheet names it.
const issuerText = "CN=AC des exemples, O=Exemple, C=FR"

var authorityName = pkix.Name{CommonName: "AC des exemples", Organization: []string{"Exemple"}, Country: []string{"FR"}}

func newCertSite(t testing.TB, change ...func(*web.Config)) *certSite {
	t.Helper()
	authority, err := devenv.NewAuthority(authorityName)
	if err != nil {
		t.Fatal(err)
	}
	c := &certSite{authority: authority, crl: filepath.Join(t.TempDir(), "crl.pem"), next: 0xA1B2C3}
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := authority.WriteCA(ca); err != nil {
		t.Fatal(err)
	}
	c.publish(t, time.Hour)
	store, err := certificate.Open(ca, c.crl, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	c.tls = httptest.NewUnstartedServer(nil)
	c.site = newSite(t, append([]func(*web.Config){func(cfg *web.Config) {
		cfg.Certificates = store
		cfg.CertURL = &url.URL{Scheme: "https", Host: c.tls.Listener.Addr().String()}
		cfg.TrustedProxies = nil
	}}, change...)...)
	own, err := authority.IssueServer([]string{"127.0.0.1", "localhost"})
	if err != nil {
		t.Fatal(err)
	}
	c.tls.Config.Handler = c.server.CertificateHandler()
	c.tls.Config.ErrorLog = log.New(io.Discard, "", 0) // Chromium hangs up before it asks which certificate
	c.tls.TLS = c.server.AskCertificate(&tls.Config{Certificates: []tls.Certificate{own}})
	c.tls.EnableHTTP2 = true
	c.tls.StartTLS()
	t.Cleanup(c.tls.Close)
	return c
}

// publish writes the list of what is revoked, good for d from an hour ago.
func (c *certSite) publish(t testing.TB, d time.Duration) {
	t.Helper()
	now := time.Now()
	if err := c.authority.WriteCRL(c.crl, now.Add(-time.Hour), now.Add(d)); err != nil {
		t.Fatal(err)
	}
}

// holder adds a certificate space and its certificate.
func (c *certSite) holder(in sqltest.Invitation) (sqltest.Request, tls.Certificate) {
	c.t.Helper()
	r := c.db.Requested(c.t, c.keys, in)
	return r, c.bind(r, issuerText)
}

// bind makes a certificate for a space, and has the sheet name it.
func (c *certSite) bind(r sqltest.Request, issuer string) tls.Certificate {
	c.t.Helper()
	c.next++
	serial := big.NewInt(c.next)
	c.db.Exec(c.t, `UPDATE space SET serial = $2, issuer = $3 WHERE id = $1`, r.SpaceID, conversion.SerialNumberOf(serial), issuer)
	return c.issue(serial)
}

func (c *certSite) issue(serial *big.Int, usages ...x509.ExtKeyUsage) tls.Certificate {
	c.t.Helper()
	return c.issueDated(serial, -time.Hour, 24*time.Hour, usages...)
}

func (c *certSite) issueDated(serial *big.Int, from, until time.Duration, usages ...x509.ExtKeyUsage) tls.Certificate {
	c.t.Helper()
	now := time.Now()
	cert, err := c.authority.IssueClient(pkix.Name{CommonName: "Camille Duvallon"}, serial, now.Add(from), now.Add(until), usages...)
	if err != nil {
		c.t.Fatal(err)
	}
	return cert
}

// A client is a browser's TLS with certificates, and its cookies.
func (c *certSite) client(certificates ...tls.Certificate) *http.Client {
	pool := x509.NewCertPool()
	pool.AddCert(c.authority.Certificate())
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, Certificates: certificates,
		ClientSessionCache: tls.NewLRUClientSessionCache(4)}, ForceAttemptHTTP2: true}
	c.t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

func (c *certSite) visit(client *http.Client, path string) answered {
	c.t.Helper()
	return c.with(client, http.MethodGet, path, nil)
}

func (c *certSite) send(client *http.Client, path string, form url.Values) answered {
	c.t.Helper()
	return c.with(client, http.MethodPost, path, form)
}

func (c *certSite) with(client *http.Client, method, path string, form url.Values) answered {
	c.t.Helper()
	r, err := http.NewRequest(method, c.tls.URL+path, strings.NewReader(form.Encode()))
	if err != nil {
		c.t.Fatal(err)
	}
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	return doWith(c.t, client, r)
}

func doWith(t testing.TB, client *http.Client, r *http.Request) answered {
	t.Helper()
	resp, err := client.Do(r)
	if err != nil {
		t.Error(err)
		return answered{}
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Error(err)
	}
	return answered{resp.StatusCode, string(body), resp.Header}
}

// R7, R8–R11: the certificate that the sheet names opens the space; each of the
// three home screens has the option.
func TestHomeScreens(t *testing.T) {
	t.Parallel()
	c := newCertSite(t)
	company := func(siren, name string, services ...string) conversion.Company {
		return conversion.Company{SIREN: conversion.SIREN(siren), Name: name, Services: services}
	}
	for name, test := range map[string]struct {
		companies []conversion.Company
		path      string
		texts     []string
		not       string
	}{
		"none": {[]conversion.Company{}, "/espace", []string{"Vous ne disposez d'aucun service"}, "SIREN"},
		"one":  {[]conversion.Company{company("123456789", "Boulangerie Duvallon", "TVA")}, "/espace", []string{"Dossier courant : Boulangerie Duvallon", "TVA"}, "Vos entreprises"},
		"several": {[]conversion.Company{company("123456789", "Boulangerie Duvallon", "TVA"), company("987654321", "Garage Duvallon", "Paiement")},
			"/espace?dossier=987654321", []string{"2 entreprises", "Boulangerie Duvallon", "Dossier choisi : Garage Duvallon", "Paiement"}, "TVA"},
		"certificat": {[]conversion.Company{company("123456789", "Boulangerie Duvallon", "TVA")}, "/certificat", []string{"Dossier courant : Boulangerie Duvallon"}, "Vos entreprises"},
	} {
		r, cert := c.holder(sqltest.Invitation{Companies: test.companies})
		page := c.visit(c.client(cert), test.path).expect(t, http.StatusOK, append(test.texts, string(r.Number), r.Holder, "Opter pour l'accès sans certificat")...)
		if strings.Contains(text(page.body), test.not) {
			t.Errorf("%s: the page says %q", name, test.not)
		}
		checkHTML(t, name, page)
	}
}

// R10: an accountant's five hundred companies come on pages of a bearable size,
// and a part of a name or SIREN finds one.
func TestManyCompanies(t *testing.T) {
	t.Parallel()
	c := newCertSite(t)
	var many []conversion.Company
	for i := range 500 {
		many = append(many, conversion.Company{SIREN: conversion.SIREN(big.NewInt(int64(100000000 + i)).String()),
			Name: strings.Repeat("Établissements Duvallon ", 3) + big.NewInt(int64(i)).String(), Services: []string{"TVA"}})
	}
	_, cert := c.holder(sqltest.Invitation{Companies: many})
	client := c.client(cert)
	for path, want := range map[string]string{
		"/espace": "Page 1 sur 17", "/espace?page=17": "Page 17 sur 17", "/espace?page=99": "Page 17 sur 17", "/espace?page=x": "Page 1 sur 17",
		"/espace?recherche=duvallon+499": "1 de vos 500 entreprises correspond", "/espace?recherche=100+000+007": "1 de vos 500 entreprises correspond",
		"/espace?recherche=etablissements+DUVALLON+duvallon": "Aucune de vos 500 entreprises", "/espace?recherche=%C3%89TABLISSEMENTS": "500 de vos 500 entreprises", "/espace?recherche=etablissements": "500 de vos 500 entreprises",
		"/espace?recherche=zzz": "Aucune de vos 500 entreprises",
	} {
		checkHTML(t, path, c.visit(client, path).expect(t, http.StatusOK, want))
	}
}

// R7: what is refused, and what the page says: each its own, none in the
// browser's words.
func TestCertificateRefused(t *testing.T) {
	t.Parallel()
	c := newCertSite(t)
	r, good := c.holder(sqltest.Invitation{})
	serial := good.Leaf.SerialNumber
	other, err := devenv.NewAuthority(authorityName) // the same name, another key
	if err != nil {
		t.Fatal(err)
	}
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
		"none":          {nil, "Aucun certificat n'a été présenté"},
		"expired":       {[]tls.Certificate{c.issueDated(serial, -48*time.Hour, -time.Hour)}, "Votre certificat a expiré"},
		"not yet":       {[]tls.Certificate{c.issueDated(serial, time.Hour, 48*time.Hour)}, "Votre certificat n'est pas encore valide"},
		"other CA":      {[]tls.Certificate{foreign}, "Votre certificat n'est pas reconnu"},
		"server usage":  {[]tls.Certificate{c.issue(serial, x509.ExtKeyUsageServerAuth)}, "Ce certificat ne sert pas à s'identifier"},
		"unknown":       {[]tls.Certificate{c.issue(big.NewInt(7))}, "Aucun espace n'est associé à ce certificat"},
		"issuer":        {[]tls.Certificate{unmatchedCert}, "L'émetteur de votre certificat n'a pas pu être vérifié"},
		"several":       {[]tls.Certificate{ambiguousCert}, "Plusieurs espaces sont associés à ce certificat"},
		"half switched": {[]tls.Certificate{halfCert}, "Plusieurs espaces sont associés à ce certificat"},
		"switched (R3)": {[]tls.Certificate{switchedCert}, "Votre espace a déjà été transformé"},
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

// R7: a revocation ends what is under way, on an open connection and with a
// session cached by the client, at the next request.
func TestRevokedMeanwhile(t *testing.T) {
	t.Parallel()
	c := newCertSite(t)
	r, cert := c.holder(sqltest.Invitation{})
	client := c.client(cert)
	c.visit(client, "/espace").expect(t, http.StatusOK, string(r.Number))
	c.authority.Revoke(cert.Leaf.SerialNumber)
	c.publish(t, 2*time.Hour)
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
	c.visit(client, "/espace/option").expect(t, http.StatusOK, "Vous ne pouvez pas opter pour l'instant")
	c.unchanged(func() {
		c.visit(client, "/espace/identifiants").expect(t, http.StatusServiceUnavailable)
		for _, path := range []string{"/espace/option", "/espace/identifiants"} {
			page := c.send(client, path, full(url.Values{}, "choisie@a.example")).expect(t, http.StatusServiceUnavailable, "n'est pas à jour")
			if page.header.Get("Retry-After") == "" {
				t.Errorf("%s: no Retry-After", path)
			}
		}
	})
	c.publish(t, time.Hour+time.Minute)
	c.send(client, "/espace/identifiants", full(url.Values{}, "choisie@a.example")).expect(t, http.StatusOK, mailSent)
}

func clientCert(c tls.Certificate) string {
	return ":" + base64.StdEncoding.EncodeToString(c.Leaf.Raw) + ":"
}

// behindProxies is the listener that asks for certificates where proxies do so in
// its place.
func (c *certSite) behindProxies() *httptest.Server {
	listener := httptest.NewServer(c.server.CertificateHandler())
	c.t.Cleanup(listener.Close)
	return listener
}

// shows asks a listener for a page, with these certificates in a header.
func (c *certSite) shows(base, path, header string, values ...string) answered {
	c.t.Helper()
	request, err := http.NewRequest(http.MethodGet, base+path, nil)
	if err != nil {
		c.t.Fatal(err)
	}
	for _, v := range values {
		request.Header.Add(header, v)
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return doWith(c.t, client, request)
}

func prefixes(list ...string) (all []netip.Prefix) {
	for _, p := range list {
		all = append(all, netip.MustParsePrefix(p))
	}
	return all
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
				got.expect(t, http.StatusOK, string(r.Number), "Opter pour l'accès sans certificat")
			} else if got.status != http.StatusSeeOther || got.header.Get("Location") != "/espace" {
				t.Errorf("%s: status %d to %q", path, got.status, got.header.Get("Location"))
			}
		}
		c.shows(at, path, "Client-Cert", clientCert(cert), clientCert(cert)).expect(t, http.StatusForbidden, "n'a pas pu être lu")
		c.shows(at, path, "Client-Cert", clientCert(cert)+", "+clientCert(cert)).expect(t, http.StatusForbidden, "n'a pas pu être lu")
		c.shows(at, path, "Client-Cert", "not a certificate").expect(t, http.StatusForbidden, "n'a pas pu être lu")
		c.shows(at, path, "Client-Cert", clientCert(expired)).expect(t, http.StatusForbidden, "Votre certificat a expiré")
		c.shows(at, path, "Client_Cert", clientCert(cert)).expect(t, http.StatusForbidden, "Aucun certificat n'a été présenté")
		c.shows(at, path, "Client-Cert-Chain", clientCert(cert)).expect(t, http.StatusForbidden, "Aucun certificat n'a été présenté")
		c.shows(at, path, "Client-Cert").expect(t, http.StatusForbidden, "Aucun certificat n'a été présenté")
	}
}

// R3, R7: who is believed about the client's network is not believed about who
// the client is; and whoever is, is on the listener that asks for certificates
// alone. A forged header is as good as none.
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

// R7: where a proxy shows the certificates, one in the handshake is the proxy's
// own, or comes from who has gone round the proxy: it opens nothing, and nobody is
// asked for one.
func TestHandshakeBehindProxies(t *testing.T) {
	t.Parallel()
	for _, list := range []string{"127.0.0.0/8", "192.0.2.0/24"} {
		c := newCertSite(t, func(cfg *web.Config) { cfg.CertProxies = prefixes(list) })
		own, ownCert := c.holder(sqltest.Invitation{})
		victim, victimCert := c.holder(sqltest.Invitation{})
		page := c.visit(c.client(ownCert), "/espace").expect(t, http.StatusForbidden, "Aucun certificat n'a été présenté")
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

// R7, I8: who shows certificates that none of our authorities issued, or that
// cannot be read, has to wait after too many; who shows none, or one of ours that
// is refused, is not counted, and neither are other clients. Who holds a
// certificate of ours gets in, and is told of a refusal, whatever a neighbour
// behind the same address has shown.
func TestMadeUpCertificates(t *testing.T) {
	t.Parallel()
	c := newCertSite(t, func(cfg *web.Config) {
		cfg.CertProxies, cfg.TrustedProxies = prefixes("127.0.0.0/8"), prefixes("127.0.0.0/8")
	})
	at := c.behindProxies().URL
	r, cert := c.holder(sqltest.Invitation{})
	expired := c.issueDated(cert.Leaf.SerialNumber, -48*time.Hour, -time.Hour)
	stranger, err := devenv.NewAuthority(authorityName)
	if err != nil {
		t.Fatal(err)
	}
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
		from("198.51.100.1").expect(t, http.StatusForbidden, "Aucun certificat n'a été présenté")
	}
	for _, client := range []string{"198.51.100.1", "198.51.100.2"} {
		from(client, clientCert(made)).expect(t, http.StatusForbidden, "n'est pas reconnu")
		from(client, "not a certificate").expect(t, http.StatusForbidden, "n'a pas pu être lu")
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
			authority, err := devenv.NewAuthority(pkix.Name{CommonName: name})
			if err != nil {
				t.Fatal(err)
			}
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
	for issuer, want := range map[string]string{"CN=AC une": "Aucun espace n'est associé à ce certificat", "CN=AC deux": string(r.Number)} {
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
	s.get("/certificat").expect(t, http.StatusOK, "n'est pas proposé sur ce site", "activer votre espace")
}

// R3, R7, R27: a browser that goes on showing the certificate finds the switched
// space again by address and password, on the listener that asks for certificates
// too; and "Accéder avec mon certificat" leads to the certificate's own space,
// whoever was signed in before.
func TestSessionBesideCertificate(t *testing.T) {
	t.Parallel()
	c := newCertSite(t)
	switched, cert := c.holder(sqltest.Invitation{Contact: "fini@a.example"})
	_, code := c.db.Mail(t, c.keys, switched.ID)
	c.post(full(c.proof("fini@a.example", code), "fini@a.example")).expect(t, http.StatusOK, success)
	other, otherCert := c.holder(sqltest.Invitation{})
	for _, test := range []struct {
		certificate tls.Certificate
		after       string // "/certificat"
		number      conversion.SubscriberNumber
		status      int
	}{
		{cert, "Votre espace a déjà été transformé", switched.Number, http.StatusForbidden},
		{otherCert, "Opter pour l'accès sans certificat", other.Number, http.StatusOK},
	} {
		client := c.client(test.certificate)
		jar, err := cookiejar.New(nil)
		if err != nil {
			t.Fatal(err)
		}
		client.Jar = jar
		c.send(client, "/connexion", url.Values{"email": {"fini@a.example"}, "password": {password}}).expect(t, http.StatusOK, string(switched.Number), "Me déconnecter")
		c.visit(client, "/espace/coordonnees").expect(t, http.StatusOK, "fini@a.example")
		c.visit(client, "/certificat").expect(t, test.status, test.after)
		c.visit(client, "/espace").expect(t, http.StatusOK, string(test.number))
	}
}

// R7: where nothing asks for a certificate, the page does not say that something
// will.
func TestNowhereToShowCertificates(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*web.Config){
		"nowhere":           func(cfg *web.Config) { cfg.CertURL = nil },
		"behind a proxy":    func(cfg *web.Config) { cfg.CertURL, cfg.TrustedProxies = nil, prefixes("127.0.0.0/8") },
		"without authority": func(cfg *web.Config) { cfg.Certificates = nil },
	} {
		c := newCertSite(t, change)
		page := c.get("/certificat").expect(t, http.StatusOK, "n'est pas proposé sur ce site")
		if name == "without authority" {
			c.shows(c.behindProxies().URL, "/espace", "Client-Cert").expect(t, http.StatusForbidden, "n'est pas proposé ici")
		}
		if strings.Contains(page.body, "va vous demander") {
			t.Errorf("%s: the page promises a question that nobody asks", name)
		}
	}
}
