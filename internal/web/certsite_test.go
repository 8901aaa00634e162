package web_test

import (
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"io"
	"log"
	"log/slog"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"bascule/internal/certificate"
	"bascule/internal/conversion"
	"bascule/internal/devenv"
	"bascule/internal/devenv/devtest"
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
	entrance  string // URL of the listener that asks for certificates
	next      int64  // serial number
}

// issuerText is the authority as the sheet names it.
const issuerText = "CN=AC des exemples, O=Exemple, C=FR"

var authorityName = pkix.Name{CommonName: "AC des exemples", Organization: []string{"Exemple"}, Country: []string{"FR"}}

func newCertSite(t testing.TB, change ...func(*web.Config)) *certSite {
	t.Helper()
	authority := devtest.Authority(t, authorityName)
	c := &certSite{authority: authority, crl: filepath.Join(t.TempDir(), "crl.pem"), next: 0xA1B2C3}
	c.publish(t, time.Hour)
	store, err := certificate.Open(authority.CAFile(), c.crl, slog.New(slog.DiscardHandler))
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
	c.entrance = c.tls.URL
	t.Cleanup(c.tls.Close)
	return c
}

// newProxiedSite is a certSite where a proxy asks for the certificate, and shows it
// in a header.
func newProxiedSite(t testing.TB) *certSite {
	t.Helper()
	listener := httptest.NewUnstartedServer(nil)
	c := newCertSite(t, func(cfg *web.Config) {
		cfg.CertProxies = prefixes("127.0.0.0/8")
		cfg.CertURL = &url.URL{Scheme: "http", Host: listener.Listener.Addr().String()}
	})
	listener.Config.Handler = c.server.CertificateHandler()
	listener.Start()
	t.Cleanup(listener.Close)
	c.entrance = listener.URL
	return c
}

// uninvited adds a certificate space that nobody was invited to switch, and its
// certificate.
func (c *certSite) uninvited(in sqltest.Invitation) (sqltest.Request, tls.Certificate) {
	c.t.Helper()
	r, cert := c.holder(in)
	c.db.Exec(c.t, `UPDATE request SET cancelled_at = bascule_now() WHERE id = $1`, r.ID)
	c.db.Exec(c.t, `DELETE FROM obligation WHERE request_id = $1`, r.ID)
	return r, cert
}

// publish writes the list of revoked certificates, valid for d from an hour ago.
func (c *certSite) publish(t testing.TB, d time.Duration, revoked ...*big.Int) {
	t.Helper()
	now := time.Now()
	if err := c.authority.WriteCRL(c.crl, now.Add(-time.Hour), now.Add(d), revoked...); err != nil {
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

// give gives a space these companies in place of its own.
func (c *certSite) give(r sqltest.Request, companies ...conversion.Company) {
	c.t.Helper()
	list, err := json.Marshal(append([]conversion.Company{}, companies...))
	if err != nil {
		c.t.Fatal(err)
	}
	c.db.Exec(c.t, `UPDATE space SET companies = $2 WHERE id = $1`, r.SpaceID, list)
}
