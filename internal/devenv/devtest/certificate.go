package devtest

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/chromedp/chromedp"

	"bascule/internal/devenv"
)

// ChromiumTLS gives the test a browser as Chromium does, for sites with TLS. The
// browser trusts the authority to issue servers' certificates, and accepts no other
// error of a certificate. In the handshake it presents one of these certificates,
// without a question. The server must ask for one, and name its issuer in ClientCAs or
// name none. If several fit, it presents any of them; if none fits, none.
//
// The browser has a home of its own: it does not have the certificates of the user who
// runs the test, and nothing is set up for the whole machine. Debian's Chromium does
// all this. headless-shell, or a Chromium in a snap, may look for certificates
// elsewhere.
func ChromiumTLS(t testing.TB, authority *x509.Certificate, certificates ...tls.Certificate) context.Context {
	t.Helper()
	home := t.TempDir()
	profile := filepath.Join(home, "profile")
	err := errors.Join(
		fillStore(t.Context(), home, authority, certificates),
		writePreferences(profile),
	)
	if err != nil {
		t.Fatal(err)
	}
	return startBrowser(t, browserOptions(chromedp.Env("HOME="+home), chromedp.UserDataDir(profile)))
}

// fillStore makes the NSS database that Chromium reads in this home and puts
// the certificates there, as a user would.
func fillStore(ctx context.Context, home string, authority *x509.Certificate, certificates []tls.Certificate) error {
	dir := filepath.Join(home, ".pki", "nssdb")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	database := "sql:" + dir
	if err := runNSS(ctx, "certutil", "-N", "-d", database, "--empty-password"); err != nil {
		return err
	}
	file := filepath.Join(home, "authority.der")
	if err := os.WriteFile(file, authority.Raw, 0o600); err != nil {
		return err
	}
	if err := runNSS(ctx, "certutil", "-A", "-d", database, "-n", "authority", "-t", "C,,", "-i", file); err != nil {
		return err
	}
	for i, c := range certificates {
		file := filepath.Join(home, strconv.Itoa(i)+".p12")
		if err := importCertificate(ctx, database, file, c); err != nil {
			return err
		}
	}
	return nil
}

func importCertificate(ctx context.Context, database, file string, c tls.Certificate) error {
	const password = "secret" // NSS takes no file without one
	content, err := devenv.PKCS12(c, password)
	if err != nil {
		return err
	}
	if err := os.WriteFile(file, content, 0o600); err != nil {
		return err
	}
	return runNSS(ctx, "pk12util", "-i", file, "-d", database, "-W", password)
}

// runNSS runs a program of the NSS tools to its end.
func runNSS(ctx context.Context, program string, args ...string) error {
	said, err := exec.CommandContext(ctx, program, args...).CombinedOutput()
	if errors.Is(err, exec.ErrNotFound) {
		return fmt.Errorf("%w; make test installs it (Debian, Ubuntu: apt-get install libnss3-tools)", err)
	}
	if err != nil {
		return fmt.Errorf("%s: %w: %s", program, err, said)
	}
	return nil
}

// preferences belong to a user whom no site may ask for a certificate: the browser
// presents the first that fits. The policy AutoSelectCertificateForUrls has the same
// effect, but only for the whole machine. Without it, a headless browser waits for ever
// for somebody to choose.
const preferences = `{"profile": {"content_settings": {"exceptions": {"auto_select_certificate": {
	"https://*,*": {"setting": {"filters": [{}]}}
}}}}}`

func writePreferences(profile string) error {
	dir := filepath.Join(profile, "Default")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "Preferences"), []byte(preferences), 0o600)
}
