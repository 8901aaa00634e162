package main

import (
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"io"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"bascule/internal/certificate"
	"bascule/internal/devenv"
	"bascule/internal/devenv/devtest"
	"bascule/sql/sqltest"
)

// R7: a sheet is imported, and its subscriber enters with the certificate that it
// names, at the process that asks for one; a list of revocations that replaces
// the old one ends that at the next request.
func TestServeAsksForCertificates(t *testing.T) {
	t.Parallel()
	authority := devtest.Authority(t, pkix.Name{CommonName: "AC Exemple", Organization: []string{"Exemple"}})
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	server, err := authority.IssueServer([]string{"127.0.0.1"})
	if err != nil {
		t.Fatal(err)
	}
	chain, key, err := devenv.PEM(server)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	for _, err := range []error{
		authority.WriteCRL(at("crl.pem"), now.Add(-time.Hour), now.Add(time.Hour)),
		os.WriteFile(at("server.pem"), chain, 0o600), os.WriteFile(at("server.key"), key, 0o600),
		os.WriteFile(at("list.csv"), []byte("subscriber number;holder;email;serial number;issuer;expiry date\n"+
			"00123456;Anne Durand;anne@exemple.example;0A:1B;o=exemple, cn=ac exemple;31/12/2099\n"), 0o600),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	pages, err := freeAddress()
	if err != nil {
		t.Fatal(err)
	}
	asking, err := freeAddress()
	if err != nil {
		t.Fatal(err)
	}
	o := newOperator(t, "DATABASE_URL="+sqltest.As(t, sqltest.Open(t).URL, sqltest.Application), "SECRET_KEY="+storyKey, "PUBLIC_URL=http://"+pages, "LISTEN_ADDR="+pages,
		"CERT_LISTEN_ADDR="+asking, "CLIENT_CA_FILE="+authority.CAFile(), "CLIENT_CRL_FILE="+at("crl.pem"),
		"TLS_CERT_FILE="+at("server.pem"), "TLS_KEY_FILE="+at("server.key"))
	o.run("import", at("list.csv"))
	serve := o.start(nil, asking, "serve")

	serial := big.NewInt(0x0A1B)
	own, err := authority.IssueClient(pkix.Name{CommonName: "Anne Durand"}, serial, now.Add(-time.Hour), now.Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(authority.Certificate())
	browser := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{own}}}}
	says(t, browser, "http://"+pages+"/certificat", http.StatusOK, "https://"+asking+"/certificat")
	says(t, browser, "https://"+asking+"/certificat", http.StatusOK, "00123456", "Opter pour l’accès sans certificat")
	if err := authority.WriteCRL(at("crl.pem"), now, now.Add(2*time.Hour), serial); err != nil {
		t.Fatal(err)
	}
	says(t, browser, "https://"+asking+"/espace", http.StatusForbidden, "Votre certificat a été révoqué")
	browser.CloseIdleConnections()
	serve.stop(syscall.SIGTERM)
}

// R7: a certificate that Go reads with its faults gets a page that says so; one
// that Go cannot read ends in the handshake, which the log tells with the reason
// and nothing of its holder (I6).
func TestUnreadableCertificates(t *testing.T) {
	t.Parallel()
	e := newEntrance(t)
	o := e.operator
	asking := free(t)
	serve := o.start([]string{"CERT_LISTEN_ADDR=" + asking, "LISTEN_ADDR=" + free(t), "CLIENT_CERT_PROXIES=",
		"TLS_CERT_FILE=" + e.at("tls.pem"), "TLS_KEY_FILE=" + e.at("tls.key")}, asking, "serve")
	at := "https://" + asking + "/espace"
	if status, page := e.get(e.browser(fieldCertificate(t, "negserial")), at, nil); status != http.StatusForbidden || !strings.Contains(page, "pu être lu") {
		t.Errorf("a negative number: status %d", status)
	}
	for _, name := range []string{"printable_underscore", "san_email_nonascii"} {
		if answer, err := e.browser(fieldCertificate(t, name)).Get(at); err == nil { // TLS 1.3: the alert comes with the answer
			answer.Body.Close()
			t.Errorf("%s: status %d, where Go reads it now: mend docs/operations/certificates.md", name, answer.StatusCode)
		}
	}
	if status, _ := e.get(e.browser(nil), at, nil); status != http.StatusForbidden {
		t.Errorf("without a certificate: status %d", status)
	}
	serve.stop(syscall.SIGTERM)
	log := serve.output()
	if n := strings.Count(log, "a client's certificate cannot be used"); n != 2 || !strings.Contains(log, `"level":"WARN"`) || !strings.Contains(log, "x509: ") {
		t.Errorf("%d lines tell of two certificates:\n%s", n, log)
	}
	for _, secret := range []string{"Dupont", "x.example", "127.0.0.1:", "@"} {
		if told := strings.ReplaceAll(strings.ReplaceAll(log, asking, ""), `"addr":"127.0.0.1:`, ""); strings.Contains(told, secret) {
			t.Errorf("the log holds %q:\n%s", secret, log)
		}
	}
}

// R7, I8: a header as long as a certificate may be is answered by a page, not cut
// off before.
func TestLongCertificateHeader(t *testing.T) {
	t.Parallel()
	e := newEntrance(t)
	header := func(length int) http.Header {
		return http.Header{"Client-Cert": {":" + strings.Repeat("A", length-2) + ":"}, "X-Forwarded-For": {strings.Repeat("192.0.2.1, ", 1000)}}
	}
	for _, length := range []int{certificate.MaxHeader, certificate.MaxHeader + 1} {
		if status, page := e.get(http.DefaultClient, "http://"+e.certsAt+"/espace", header(length)); status != http.StatusForbidden || !strings.Contains(page, "pu être lu") {
			t.Errorf("%d bytes: status %d", length, status)
		}
	}
}

// A renewed certificate of the server is shown from the next handshake on, by both
// listeners. If the new files are no pair, the old one stays in force, and a log line
// says so.
func TestRenewedCertificate(t *testing.T) {
	t.Parallel()
	e := newEntrance(t)
	pages, asking := free(t), free(t)
	serve := e.operator.start([]string{"CERT_LISTEN_ADDR=" + asking, "LISTEN_ADDR=" + pages, "PUBLIC_URL=https://" + pages, "CLIENT_CERT_PROXIES=",
		"TLS_CERT_FILE=" + e.at("tls.pem"), "TLS_KEY_FILE=" + e.at("tls.key")}, asking, "serve")
	shown := func() (serials [2]string) {
		for i, at := range []string{pages, asking} {
			c, err := tls.Dial("tcp", at, &tls.Config{InsecureSkipVerify: true})
			if err != nil {
				t.Fatal(err)
			}
			serials[i] = c.ConnectionState().PeerCertificates[0].SerialNumber.String()
			c.Close()
		}
		return serials
	}
	first := shown()
	renewed, err := e.authority.IssueServer([]string{"127.0.0.1"})
	if err != nil {
		t.Fatal(err)
	}
	chain, key, err := devenv.PEM(renewed)
	if err != nil {
		t.Fatal(err)
	}
	e.replace("tls.pem", chain)
	if got := shown(); got != first {
		t.Errorf("with half of a new pair: %v, want %v", got, first)
	}
	e.replace("tls.key", key)
	want := renewed.Leaf.SerialNumber.String()
	if got := shown(); got != [2]string{want, want} || first[0] == want {
		t.Errorf("renewed: %v, want %v", got, want)
	}
	serve.stop(syscall.SIGTERM)
	if log := serve.output(); !strings.Contains(log, "TLS_CERT_FILE and TLS_KEY_FILE: ") || !strings.Contains(log, "file read again") {
		t.Errorf("the log does not tell what became of the files:\n%s", log)
	}
}

// Settings that work but may do harm cause a warning at the start, in a line that names
// the variable.
func TestStartWarns(t *testing.T) {
	t.Parallel()
	e := newEntrance(t)
	for _, page := range []string{"mentions-legales.txt", "donnees-personnelles.txt"} {
		if err := os.WriteFile(e.at(page), []byte("Texte de l’administration.\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, test := range map[string]struct {
		env  []string
		want string // "" for no warning at all
	}{
		"as documented":             {nil, ""},
		"nobody checks revocation":  {[]string{"CLIENT_CRL_FILE="}, "CLIENT_CRL_FILE is not set"},
		"all are one client":        {[]string{"TRUSTED_PROXIES="}, "CLIENT_CERT_PROXIES: a proxy is not in TRUSTED_PROXIES"},
		"some are one client":       {[]string{"TRUSTED_PROXIES=10.0.0.0/9", "CLIENT_CERT_PROXIES=10.0.0.0/8"}, "CLIENT_CERT_PROXIES: a proxy is not in TRUSTED_PROXIES"},
		"within a wider prefix":     {[]string{"TRUSTED_PROXIES=127.0.0.0/8"}, ""},
		"written as IPv6":           {[]string{"CLIENT_CERT_PROXIES=::ffff:127.0.0.1"}, ""},
		"http on all networks":      {[]string{"CERT_LISTEN_ADDR=:0"}, "CERT_LISTEN_ADDR speaks http on all networks"},
		"http on all networks, too": {[]string{"CERT_LISTEN_ADDR=0.0.0.0:0"}, "CERT_LISTEN_ADDR speaks http on all networks"},
		"TLS on all networks":       {[]string{"CERT_LISTEN_ADDR=:0", "TLS_CERT_FILE=" + e.at("tls.pem"), "TLS_KEY_FILE=" + e.at("tls.key")}, ""},
		"an authority without list": {[]string{"CLIENT_CA_FILE=" + e.both()}, "CLIENT_CRL_FILE: no list of an authority"},
	} {
		env := append([]string{"LISTEN_ADDR=127.0.0.1:0", "CERT_LISTEN_ADDR=127.0.0.1:0", "ADMINISTRATION=DDFiP Exemple", "LEGAL_DIR=" + e.at("")}, test.env...)
		serve := e.operator.start(env, `"for":"certificates"`, "serve")
		serve.stop(syscall.SIGTERM)
		if log := serve.output(); !strings.Contains(log, test.want) || strings.Contains(log, `"WARN"`) != (test.want != "") {
			t.Errorf("%s: want %q:\n%s", name, test.want, log)
		}
	}
}

func says(t *testing.T, browser *http.Client, url string, status int, texts ...string) {
	t.Helper()
	res, err := browser.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	page, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	if res.StatusCode != status {
		t.Errorf("%s answers %d, want %d", url, res.StatusCode, status)
	}
	for _, text := range texts {
		if !strings.Contains(string(page), text) && !strings.Contains(string(page), strings.ReplaceAll(text, "&#39;", "'")) {
			t.Errorf("%s does not say %q", url, text)
		}
	}
}
