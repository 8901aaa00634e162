package demo

import (
	"context"
	"crypto/tls"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"bascule/importer"
	"bascule/importer/sample"
	"bascule/internal/atomicfile"
	"bascule/internal/certificate"
	"bascule/internal/conversion"
	"bascule/internal/devenv"
	"bascule/internal/listen"
)

// authority is the authority that the sample names as its issuer.
var authority = pkix.Name{CommonName: "AC Exemple Professionnels",
	Organization: []string{"Autorité de certification d'exemple"}, Country: []string{"FR"}}

// certificates are the authority of the demonstration, the listener that asks
// browsers for a certificate, and three certificates: one for each home screen.
type certificates struct {
	dir       string
	authority *devenv.Authority
	store     *certificate.Store
	listener  net.Listener
	server    tls.Certificate
	samples   []browserCertificate
}

// A browserCertificate is a certificate to import into a browser.
type browserCertificate struct {
	screen string
	number conversion.SubscriberNumber
	path   string // PKCS #12
}

// passphrase protects the PKCS #12 files, as browsers import none without a
// passphrase.
const passphrase = "bascule"

// newCertificates makes the authority in the folder, or reads that of an earlier
// run. It listens beside the pages.
func newCertificates(dir string, pages net.Addr, log *slog.Logger) (c *certificates, err error) {
	c = &certificates{dir: dir}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	if c.authority, err = devenv.OpenAuthority(dir, authority); err != nil {
		return nil, err
	}
	now := time.Now()
	crl := filepath.Join(dir, "crl.pem")
	if err := c.authority.WriteCRL(crl, now.Add(-time.Hour), now.AddDate(1, 0, 0)); err != nil {
		return nil, err
	}
	if c.store, err = certificate.Open(c.authority.CAFile(), crl, log); err != nil {
		return nil, err
	}
	if c.server, err = c.authority.IssueServer([]string{"127.0.0.1", "::1", "localhost"}); err != nil {
		return nil, err
	}
	c.listener, err = listenBeside(pages)
	return c, err
}

// certPort is the port that asks browsers for a certificate, if it is free.
const certPort = "8443"

func listenBeside(pages net.Addr) (net.Listener, error) {
	host, _, err := net.SplitHostPort(pages.String())
	if err != nil {
		return nil, err
	}
	if pages.String() == listen.Default {
		if ln, err := net.Listen("tcp", net.JoinHostPort(host, certPort)); err == nil {
			return ln, nil
		}
	}
	return net.Listen("tcp", net.JoinHostPort(host, "0"))
}

func (c *certificates) url() *url.URL {
	return &url.URL{Scheme: "https", Host: c.listener.Addr().String()}
}

// issueSamples makes certificates for three subscribers of the sample: one without a
// company, one with one company, and one with several (R8–R10).
func (c *certificates) issueSamples(ctx context.Context, list string) error {
	screens, err := sampleScreens(ctx, list)
	if err != nil {
		return err
	}
	for _, name := range homeScreens {
		space, ok := screens[name]
		if !ok {
			continue
		}
		path := filepath.Join(c.dir, string(space.Number)+".p12")
		if err := c.issue(space, path); err != nil {
			return fmt.Errorf("certificate of %s: %w", space.Number, err)
		}
		c.samples = append(c.samples, browserCertificate{name, space.Number, path})
	}
	return nil
}

// homeScreens are the home screens, by the number of companies (R8–R10).
var homeScreens = [...]string{"no service", "one company", "several companies"}

// sampleScreens are the first subscribers of the sample for each home screen.
func sampleScreens(ctx context.Context, path string) (map[string]conversion.Space, error) {
	f, err := importer.Open(ctx, path, nil)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	companies := make(map[conversion.SubscriberNumber]map[conversion.SIREN]bool)
	if dossiers := f.Dossiers(); dossiers != nil {
		for d, err := range dossiers {
			if err != nil {
				return nil, err
			}
			if companies[d.Number] == nil {
				companies[d.Number] = make(map[conversion.SIREN]bool)
			}
			companies[d.Number][d.SIREN] = true
		}
	}
	screens := make(map[string]conversion.Space)
	for row, err := range f.Rows() {
		if err != nil {
			return nil, err
		}
		name := homeScreens[min(2, len(companies[row.Space.Number]))]
		if _, known := screens[name]; !known && row.Reason == "" && row.Space.Certificate.Issuer == sample.Issuer {
			screens[name] = row.Space
		}
	}
	return screens, nil
}

// issue writes a certificate, unless an earlier run wrote it.
func (c *certificates) issue(space conversion.Space, path string) error {
	if _, err := os.Stat(path); err == nil {
		return nil
	}
	serial, ok := new(big.Int).SetString(string(space.Certificate.Serial), 16)
	if !ok {
		return errors.New("its serial number is none")
	}
	now := time.Now()
	cert, err := c.authority.IssueClient(pkix.Name{CommonName: space.Holder}, serial, now.Add(-time.Hour), now.AddDate(1, 0, 0))
	if err != nil {
		return err
	}
	p12, err := devenv.PKCS12(cert, passphrase)
	if err != nil {
		return err
	}
	return atomicfile.WriteBytes(path, p12)
}
