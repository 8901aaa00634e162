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

	"bascule/internal/devenv"
	"bascule/sql/sqltest"
)

// R7: a sheet is imported, and its subscriber enters with the certificate that it
// names, at the process that asks for one; a list of revocations that replaces
// the old one ends that at the next request.
func TestServeAsksForCertificates(t *testing.T) {
	t.Parallel()
	authority, err := devenv.NewAuthority(pkix.Name{CommonName: "AC Exemple", Organization: []string{"Exemple"}})
	if err != nil {
		t.Fatal(err)
	}
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
		authority.WriteCA(at("ca.pem")), authority.WriteCRL(at("crl.pem"), now.Add(-time.Hour), now.Add(time.Hour)),
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
	o := newOperator(t, "DATABASE_URL="+sqltest.Open(t).URL, "SECRET_KEY="+storyKey, "PUBLIC_URL=http://"+pages, "LISTEN_ADDR="+pages,
		"CERT_LISTEN_ADDR="+asking, "CLIENT_CA_FILE="+at("ca.pem"), "CLIENT_CRL_FILE="+at("crl.pem"),
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
	says(t, browser, "https://"+asking+"/certificat", http.StatusOK, "00123456", "Opter pour l&#39;accès sans certificat")
	authority.Revoke(serial)
	if err := authority.WriteCRL(at("crl.pem"), now, now.Add(2*time.Hour)); err != nil {
		t.Fatal(err)
	}
	says(t, browser, "https://"+asking+"/espace", http.StatusForbidden, "Votre certificat a été révoqué")
	browser.CloseIdleConnections()
	serve.stop(syscall.SIGTERM)
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
