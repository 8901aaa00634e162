package devtest

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io"
	"log"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"bascule/internal/devenv"
)

// Of its certificates, a browser presents in the handshake the one whose issuer the
// server names; if none fits, none, and without a question. It learns whom to trust, and
// overlooks nothing: it refuses a server's certificate of another authority.
func TestChromiumTLS(t *testing.T) {
	authority, other := Authority(t, pkix.Name{CommonName: "Autorité de test"}), Authority(t, pkix.Name{CommonName: "Autre autorité"})
	site := newCertificateSite(t, authority)
	mine, others := issue(t, authority, 4711), issue(t, other, 815)
	if got := presented(t, ChromiumTLS(t, authority.Certificate(), others, mine), site); got != "4711" {
		t.Errorf("with another's beside it: the server saw %s, want 4711", got)
	}
	browser := ChromiumTLS(t, authority.Certificate(), others)
	if got := presented(t, browser, site); got != "none" {
		t.Errorf("with another's: the server saw %s, want none", got)
	}
	if err := chromedp.Do(browser, chromedp.Navigate(newCertificateSite(t, other))); err == nil || !strings.Contains(err.Error(), "ERR_CERT_AUTHORITY_INVALID") {
		t.Errorf("a server's certificate of another authority: %v, want a refusal", err)
	}
}

func issue(t *testing.T, a *devenv.Authority, serial int64) tls.Certificate {
	t.Helper()
	now := time.Now()
	c, err := a.IssueClient(pkix.Name{CommonName: "Camille Durand"}, big.NewInt(serial), now.Add(-time.Hour), now.Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// newCertificateSite says which serial number the certificate had that it was
// shown, after asking for one of the authority, which issued its own too.
func newCertificateSite(t *testing.T, a *devenv.Authority) (url string) {
	t.Helper()
	own, err := a.IssueServer([]string{"127.0.0.1"})
	if err != nil {
		t.Fatal(err)
	}
	site := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if len(r.TLS.PeerCertificates) == 0 {
			io.WriteString(w, "none")
			return
		}
		fmt.Fprint(w, r.TLS.PeerCertificates[0].SerialNumber)
	}))
	welcome := x509.NewCertPool()
	welcome.AddCert(a.Certificate())
	site.TLS = &tls.Config{Certificates: []tls.Certificate{own}, ClientAuth: tls.RequestClientCert, ClientCAs: welcome}
	site.Config.ErrorLog = log.New(io.Discard, "", 0) // Chromium hangs up while it looks for a certificate
	site.StartTLS()
	t.Cleanup(site.Close)
	return site.URL
}

// presented is what the site says. A browser that asks somebody which
// certificate to present hangs, far longer than this.
func presented(t *testing.T, browser context.Context, site string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(browser, 30*time.Second)
	defer cancel()
	err := chromedp.Do(ctx, chromedp.Navigate(site))
	if errors.Is(err, context.DeadlineExceeded) {
		t.Fatal("this Chromium asks which certificate to present: it does not heed auto_select_certificate in its preferences any more")
	}
	if err != nil {
		t.Fatal(err)
	}
	said, err := chromedp.Run(ctx, chromedp.Evaluate[string](`document.body.innerText`))
	if err != nil {
		t.Fatal(err)
	}
	return said
}
