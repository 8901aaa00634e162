package main

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"bascule/internal/devenv"
	"bascule/internal/devenv/devtest"
	"bascule/sql/sqltest"
)

// An entrance is a real serve whose pages and whose listener for certificates a
// proxy of the documents stands before.
type entrance struct {
	t                testing.TB
	authority        *devenv.Authority
	dir              string            // holds what the documents have in /etc/bascule
	pagesAt, certsAt string            // addresses of serve
	proxy            map[string]string // where the proxy takes connections to a host
	operator         *operator
}

// Where subscribers find the pages, and the entry by certificate, in the documents.
const (
	pagesHost, certsHost = "espace.example", "certificat.example"
	pagesURL, certsURL   = "https://" + pagesHost, "https://" + certsHost
)

// The subscribers of the entrance's sheet and the numbers of their certificates.
var (
	victimNumber, victimSerial = "00123456", big.NewInt(0x0A1B)
	honestNumber, honestSerial = "00654321", big.NewInt(0x0C2D)
)

// newEntrance imports a sheet and starts serve as the documents configure it.
func newEntrance(t *testing.T) *entrance {
	t.Helper()
	authority := devtest.Authority(t, pkix.Name{CommonName: "AC Exemple", Organization: []string{"Exemple"}})
	e := &entrance{t: t, authority: authority, dir: filepath.Dir(authority.CAFile())}
	server, err := authority.IssueServer([]string{"127.0.0.1", pagesHost, certsHost})
	if err != nil {
		t.Fatal(err)
	}
	chain, key, err := devenv.PEM(server)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	list := "subscriber number;holder;email;serial number;issuer;expiry date\n" +
		"00123456;Anne Durand;anne@exemple.example;0A:1B;cn=ac exemple;31/12/2099\n" +
		"00654321;Luc Martin;luc@exemple.example;0C:2D;cn=ac exemple;31/12/2099\n"
	for _, err := range []error{
		authority.WriteCRL(e.at("crl.pem"), now.Add(-time.Hour), now.Add(time.Hour)),
		os.WriteFile(e.at("tls.pem"), chain, 0o600), os.WriteFile(e.at("tls.key"), key, 0o600),
		os.WriteFile(e.at("both.pem"), append(chain, key...), 0o600), os.WriteFile(e.at("list.csv"), []byte(list), 0o600),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	e.pagesAt, e.certsAt = free(t), free(t)
	e.operator = newOperator(t, "DATABASE_URL="+sqltest.As(t, sqltest.Open(t).URL, sqltest.Application), "SECRET_KEY="+storyKey, "PUBLIC_URL="+pagesURL, "CERT_PUBLIC_URL="+certsURL,
		"LISTEN_ADDR="+e.pagesAt, "CERT_LISTEN_ADDR="+e.certsAt, "CLIENT_CA_FILE="+e.authority.CAFile(), "CLIENT_CRL_FILE="+e.at("crl.pem"),
		"CLIENT_CERT_PROXIES=127.0.0.1", "TRUSTED_PROXIES=127.0.0.1")
	e.operator.run("import", e.at("list.csv"))
	e.operator.start(nil, e.certsAt, "serve")
	return e
}

func free(t testing.TB) string {
	t.Helper()
	addr, err := freeAddress()
	if err != nil {
		t.Fatal(err)
	}
	return addr
}

func (e *entrance) at(name string) string { return filepath.Join(e.dir, name) }

// replace puts another file in the place of one, as a renewal does.
func (e *entrance) replace(name string, content []byte) {
	e.t.Helper()
	err := errors.Join(os.WriteFile(e.at(name+".new"), content, 0o600), os.Rename(e.at(name+".new"), e.at(name)))
	if err != nil {
		e.t.Fatal(err)
	}
}

// both is a file of the authority and of a second one.
func (e *entrance) both() string {
	e.t.Helper()
	all := ""
	for _, file := range []string{e.authority.CAFile(), "testdata/certificates/ca.pem"} {
		content, err := os.ReadFile(file)
		if err != nil {
			e.t.Fatal(err)
		}
		all += string(content)
	}
	if err := os.WriteFile(e.at("both-cas.pem"), []byte(all), 0o600); err != nil {
		e.t.Fatal(err)
	}
	return e.at("both-cas.pem")
}

// printed is the configuration of a proxy as the documents print it, both blocks in one
// file, with the addresses of this entrance. At these the proxy takes connections.
func (e *entrance) printed(language string) (text string, addrs []string) {
	e.t.Helper()
	document, err := os.ReadFile("../../docs/operations/proxies.md")
	if err != nil {
		e.t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?ms)^```"+language+"\n(.*?)^```$").FindAllStringSubmatch(string(document), -1)
	if len(blocks) != 2 {
		e.t.Fatalf("docs/operations/proxies.md prints %d blocks of %s, want one for the pages and one for certificates", len(blocks), language)
	}
	text = strings.NewReplacer("127.0.0.1:8080", e.pagesAt, "127.0.0.1:8081", e.certsAt, "/etc/bascule", e.dir).Replace(blocks[0][1] + blocks[1][1])
	e.proxy = make(map[string]string)
	mine := make(map[string]string) // by the address that is printed
	listen := regexp.MustCompile(`(listen |bind |<VirtualHost )(\S*\b443)\b`)
	hosts := []string{pagesHost, certsHost}
	text = listen.ReplaceAllStringFunc(text, func(line string) string {
		m := listen.FindStringSubmatch(line)
		if mine[m[2]] == "" {
			mine[m[2]] = free(e.t)
			addrs = append(addrs, mine[m[2]])
		}
		e.proxy[hosts[len(e.proxy)]] = mine[m[2]]
		return m[1] + mine[m[2]]
	})
	if regexp.MustCompile(`\b(443|808\d)\b`).MatchString(text) {
		e.t.Fatalf("a port of the blocks is not filled in:\n%s", text)
	}
	return text, addrs
}

// holder is a browser with a certificate of the authority.
func (e *entrance) holder(serial *big.Int, from, until time.Duration) (*http.Client, tls.Certificate) {
	e.t.Helper()
	now := time.Now()
	c, err := e.authority.IssueClient(pkix.Name{CommonName: "Luc Martin"}, serial, now.Add(from), now.Add(until))
	if err != nil {
		e.t.Fatal(err)
	}
	return e.browser(&c), c
}

// browser presents a certificate to every server that asks for one; nil for none.
func (e *entrance) browser(certificate *tls.Certificate) *http.Client {
	roots := x509.NewCertPool()
	roots.AddCert(e.authority.Certificate())
	config := &tls.Config{RootCAs: roots}
	if certificate != nil {
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return certificate, nil }
	}
	dial := func(ctx context.Context, network, addr string) (net.Conn, error) {
		host, _, err := net.SplitHostPort(addr)
		if err != nil {
			return nil, err
		}
		return new(net.Dialer).DialContext(ctx, network, cmp.Or(e.proxy[host], addr))
	}
	transport := &http.Transport{TLSClientConfig: config, DialContext: dial}
	e.t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// get asks for a page, with headers as they are written.
func (e *entrance) get(client *http.Client, url string, header http.Header) (status int, page string) {
	e.t.Helper()
	request, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		e.t.Fatal(err)
	}
	request.Header = header
	request.Host = cmp.Or(header.Get("Host"), request.Host)
	answer, err := client.Do(request)
	if err != nil {
		e.t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		e.t.Fatal(err)
	}
	return answer.StatusCode, string(body)
}

// forgeries are the ways in which a client may try to pass for the holder of a
// certificate that it has seen.
func forgeries(c tls.Certificate) (all []http.Header) {
	item := ":" + base64.StdEncoding.EncodeToString(c.Certificate[0]) + ":"
	escaped := url.PathEscape(string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Certificate[0]})))
	for _, value := range []string{item, escaped} {
		for _, name := range []string{"Client-Cert", "client-cert", "CLIENT-CERT", "Client_Cert", "CLIENT_CERT", "client_cert", "Client-Cert-Chain", "Client_Cert_Chain", "Client_Cert-Chain"} {
			all = append(all, http.Header{name: {value}}, http.Header{name: {value, value}})
		}
		all = append(all,
			http.Header{"Client-Cert": {value}, "Client_Cert": {value}},
			http.Header{"Client-Cert": {value, ""}},
			http.Header{"Client-Cert": {value}, "Host": {certsHost}}, // not the one of the handshake
			http.Header{"Client-Cert": {value}, "Connection": {"Client-Cert"}},
			http.Header{"Client-Cert": {value}, "Connection": {"close, X-Forwarded-For"}, "X-Forwarded-For": {"127.0.0.1"}},
		)
	}
	return all
}

// R3, R7: behind the proxies of the documents, a header with a certificate opens
// nothing, however it is written. The certificate of a client that holds its key opens
// its space, and no other.
func TestPrintedProxies(t *testing.T) {
	t.Parallel()
	e := newEntrance(t)
	for _, proxy := range []struct {
		language string
		start    func(testing.TB, string, ...string)
		curt     bool // ends the handshake of a certificate that has expired
	}{
		{"nginx", devtest.Nginx, false}, {"haproxy", devtest.HAProxy, false}, {"apache", devtest.Apache, true},
	} {
		t.Run(proxy.language, func(t *testing.T) {
			e := *e
			e.t = t
			text, addrs := e.printed(proxy.language)
			proxy.start(t, text, addrs...)
			e.refusesForgeries()
			e.letsHolderIn()
			e.explainsRefusals(proxy.curt)
		})
	}
}

func (e *entrance) refusesForgeries() {
	e.t.Helper()
	_, victim := e.holder(victimSerial, -time.Hour, time.Hour)
	stranger := e.browser(nil)
	honest, _ := e.holder(honestSerial, -time.Hour, time.Hour)
	for _, forged := range forgeries(victim) {
		about := fmt.Sprintf("%.60q", fmt.Sprint(forged))
		for _, path := range []string{"/espace", "/certificat", "/espace/identifiants"} {
			for _, at := range []string{pagesURL, certsURL} {
				status, page := e.get(stranger, at+path, forged)
				if strings.Contains(page, victimNumber) || at == certsURL && status != http.StatusForbidden || path == "/espace" && status < 300 {
					e.t.Errorf("%s%s, %s: status %d", at, path, about, status)
				}
			}
		}
		status, page := e.get(honest, certsURL+"/espace", forged)
		dropped := status == http.StatusForbidden && forged.Get("Connection") == "Client-Cert" // as the client asked for it
		if strings.Contains(page, victimNumber) || !strings.Contains(page, honestNumber) && !dropped {
			e.t.Errorf("beside a certificate of one's own, %s: status %d", about, status)
		}
	}
}

func (e *entrance) letsHolderIn() {
	e.t.Helper()
	honest, _ := e.holder(honestSerial, -time.Hour, time.Hour)
	if status, page := e.get(honest, pagesURL+"/certificat", nil); status != http.StatusOK || !strings.Contains(page, "certificat") {
		e.t.Errorf("the pages: status %d", status)
	}
	for path, text := range map[string]string{"/espace": honestNumber, "/espace/identifiants": "new_email"} {
		if status, page := e.get(honest, certsURL+path, nil); status != http.StatusOK || !strings.Contains(page, text) {
			e.t.Errorf("%s by certificate: status %d, without %q", path, status, text)
		}
	}
	if status, _ := e.get(honest, certsURL+"/certificat", nil); status != http.StatusSeeOther {
		e.t.Errorf("/certificat: status %d, want one that leads into the space", status)
	}
}

// explainsRefusals: a page of ours, not the proxy's, explains a bad certificate.
func (e *entrance) explainsRefusals(curt bool) {
	e.t.Helper()
	expired, _ := e.holder(honestSerial, -48*time.Hour, -time.Hour)
	stranger := devtest.Authority(e.t, pkix.Name{CommonName: "AC inconnue"})
	foreign := *e
	foreign.authority = stranger
	_, unknown := foreign.holder(honestSerial, -time.Hour, time.Hour)
	refused := map[string]*http.Client{
		"Votre certificat a expiré":           expired,
		"Votre certificat n’est pas reconnu":  e.browser(&unknown),
		"Aucun certificat n’a été présenté":   e.browser(nil),
		"Votre certificat n’a pas pu être lu": e.browser(unreadable(e.t)),
	}
	if curt {
		delete(refused, "Votre certificat a expiré")
		if answer, err := expired.Get(certsURL + "/espace"); err == nil {
			answer.Body.Close()
			e.t.Errorf("an expired certificate gets a page, status %d: mend docs/operations/proxies.md", answer.StatusCode)
		}
	}
	for title, browser := range refused {
		status, page := e.get(browser, certsURL+"/espace", nil)
		if status != http.StatusForbidden || !strings.Contains(strings.ReplaceAll(page, "&#39;", "'"), title) {
			e.t.Errorf("status %d, want a page that says %q", status, title)
		}
	}
}

// unreadable is a certificate that OpenSSL takes and Go does not: its name has an
// underscore where its type allows none.
func unreadable(t testing.TB) *tls.Certificate {
	t.Helper()
	return fieldCertificate(t, "printable_underscore")
}

// fieldCertificate reads a certificate without looking into it, as browsers do.
func fieldCertificate(t testing.TB, name string) *tls.Certificate {
	t.Helper()
	var blocks [2]*pem.Block
	for i, ending := range []string{".pem", ".key"} {
		content, err := os.ReadFile("testdata/certificates/" + name + ending)
		if err != nil {
			t.Fatal(err)
		}
		if blocks[i], _ = pem.Decode(content); blocks[i] == nil {
			t.Fatalf("%s%s is no PEM", name, ending)
		}
	}
	key, err := x509.ParsePKCS8PrivateKey(blocks[1].Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Certificate{Certificate: [][]byte{blocks[0].Bytes}, PrivateKey: key}
}
