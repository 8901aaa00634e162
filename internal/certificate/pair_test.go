package certificate

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/pem"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func pemKey(t testing.TB, key *ecdsa.PrivateKey) []byte {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

// A server's own certificate follows its files. A new pair is shown from the next
// handshake on. While the files are no pair, the old one is shown. Each change is
// logged once.
func TestPairFollowsFiles(t *testing.T) {
	first, second := root(t, professionals), root(t, professionals, serial(2))
	dir := t.TempDir()
	f := &folder{ca: filepath.Join(dir, "cert.pem"), crl: filepath.Join(dir, "key.pem")}
	f.write(t, f.ca, pemCA(first))
	f.write(t, f.crl, pemKey(t, first.key))
	pair, err := OpenPair(f.ca, f.crl, slog.New(slog.NewTextHandler(&f.log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		name   string
		change func()
		want   entity
		log    string // a part of the only line; "" for none
	}{
		{"at the start", func() {}, first, ""},
		{"the certificate is new, its key is not", func() { f.write(t, f.ca, pemCA(second)) }, first, "TLS_CERT_FILE and TLS_KEY_FILE: "},
		{"nothing changed", func() {}, first, ""},
		{"the key is new too", func() { f.write(t, f.crl, pemKey(t, second.key)) }, second, "read again"},
		{"nothing changed", func() {}, second, ""},
		{"the key is damaged", func() { f.write(t, f.crl, []byte("x")) }, second, "TLS_CERT_FILE and TLS_KEY_FILE: "},
		{"the key is missing", func() { remove(t, f.crl) }, second, "TLS_KEY_FILE: "},
		{"still missing", func() {}, second, ""},
		{"the certificate is missing", func() { remove(t, f.ca) }, second, "TLS_CERT_FILE: "},
		{"still missing", func() {}, second, ""},
		{"the first again", func() { f.write(t, f.ca, pemCA(first)); f.write(t, f.crl, pemKey(t, first.key)) }, first, "read again"},
	} {
		step.change()
		got, err := pair.Get(nil)
		if err != nil || !bytes.Equal(got.Certificate[0], step.want.Raw) {
			t.Errorf("%s: another certificate, or %v", step.name, err)
		}
		if log := f.logged(); strings.Count(log, "\n") > 1 || !strings.Contains(log, step.log) || (log == "") != (step.log == "") {
			t.Errorf("%s: logged %q, want one line with %q", step.name, log, step.log)
		}
	}
}

// Files that are no pair stop the start; the error names the variable.
func TestOpenPairRefusals(t *testing.T) {
	first, second := root(t, professionals), root(t, professionals)
	dir := t.TempDir()
	at := func(name string, content []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	cert, key, other := at("cert.pem", pemCA(first)), at("key.pem", pemKey(t, first.key)), at("other.pem", pemKey(t, second.key))
	missing := filepath.Join(dir, "missing.pem")
	for want, files := range map[string][2]string{
		"TLS_CERT_FILE: ":                  {missing, key},
		"TLS_KEY_FILE: ":                   {cert, missing},
		"TLS_CERT_FILE and TLS_KEY_FILE: ": {cert, other},
	} {
		if _, err := OpenPair(files[0], files[1], slog.New(slog.DiscardHandler)); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
}
