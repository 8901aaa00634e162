package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/net/netutil"

	"bascule/internal/admission"
	"bascule/internal/certificate"
	"bascule/internal/conversion"
	"bascule/internal/web"
	"bascule/sql"
)

func (a *app) serveCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "serve",
		Short: "Serve the web pages",
		Long: `Serves the pages that subscribers see, until SIGTERM or SIGINT; then it finishes
the requests under way. Any number may run side by side.

Environment, needed:
  DATABASE_URL      the PostgreSQL database, such as postgres://user@host/bascule
  PUBLIC_URL        where subscribers find the pages, such as https://espace.example
  SECRET_KEY        what codes are made with, the same for all processes

Environment, optional:
  ADMINISTRATION    whom the pages are from, "name; short form" (nobody)
  LISTEN_ADDR       where to listen (127.0.0.1:8080)
  TLS_CERT_FILE, TLS_KEY_FILE
                    certificate and key, to serve https without a proxy; read
                    again when they change
  CLIENT_CA_FILE    the authorities whose certificates open spaces, PEM (none)
  CLIENT_CRL_FILE   their revocation lists, PEM, read again when the file changes
  CERT_LISTEN_ADDR  where browsers are asked for a certificate, over TLS (nowhere)
  CERT_PUBLIC_URL   where subscribers find that, such as https://certificat.example
  CLIENT_CERT_PROXIES
                    addresses and prefixes of proxies that ask browsers for the
                    certificate in place of CERT_LISTEN_ADDR: their Client-Cert is
                    believed there (none)
  TRUSTED_PROXIES   addresses and prefixes whose X-Forwarded-For is believed (none)
  METRICS_ADDR      where to serve /metrics to Prometheus, and the probes (nowhere)
  CODE_LIFETIME     how long a code works, as the pages tell it (48h)
  PASSWORD_PROFILE  fiche (8 to 20 letters and digits, the default) or cnil
  HELP_TEXT_FILE    what pages say about the assistance
  LEGAL_DIR         a folder with your legal notice and privacy notice (drafts)
  THEME_DIR         a folder that replaces the look`,
		Example: "  LISTEN_ADDR=127.0.0.1:8081 bascule serve",
		Args:    noArg,
		RunE:    func(cmd *cobra.Command, _ []string) error { return a.serve(cmd.Context()) },
	}
}

// serveConns leaves room for a visitor on every hashing slot, and for lookups.
func serveConns() int { return 16 + 4*runtime.GOMAXPROCS(0) }

func (a *app) serve(ctx context.Context) error {
	cfg, err := a.webConfig()
	if err != nil {
		return err
	}
	pair, err := a.env.tlsPair(a.log)
	if err != nil {
		return err
	}
	if err := a.checkCertificates(cfg, pair); err != nil {
		return err
	}
	a.warnCertificates(cfg, pair)
	db, err := a.openDB(ctx, sql.OpenPages, serveConns())
	if err != nil {
		return err
	}
	defer db.Close()
	db.LimitAnswers(answerTimeout)
	if err := a.checkStart(ctx, db, cfg.Keys, sql.KeyUse{}); err != nil {
		return err
	}
	cfg.DB = db
	pages, err := web.New(cfg)
	if err != nil {
		return err
	}
	return listenAndServe(ctx, a.log, a.listeners(cfg, pages, pair), func() { a.warnTexts(cfg) })
}

// warnTexts warns of texts that subscribers should read and that are missing.
func (a *app) warnTexts(cfg web.Config) {
	if cfg.Administration.IsZero() {
		a.log.Warn("ADMINISTRATION is not set: pages say nobody's name")
	}
	if drafts := cfg.Legal.Drafts(); len(drafts) > 0 {
		a.log.Warn("a page is a draft: write the texts, without a gap, into LEGAL_DIR", "pages", strings.Join(drafts, " "), "files", strings.Join(web.LegalFiles, " "))
	}
}

// listeners are the addresses to serve, with their handlers. If subscribers come over
// http, the TLS certificate is for the listener that asks for client certificates.
func (a *app) listeners(cfg web.Config, pages *web.Server, pair *certificate.Pair) []listener {
	proxies := slices.Concat(cfg.TrustedProxies, cfg.CertProxies)
	own := listener{name: "pages", variable: "LISTEN_ADDR", addr: a.env.listenAddr(), handler: pages.Handler(), proxies: proxies}
	asking := listener{name: "certificates", variable: "CERT_LISTEN_ADDR", addr: a.env.certListenAddr(),
		handler: pages.CertificateHandler(), pair: pair, tls: pages.AskCertificate, header: certificate.MaxHeader, proxies: proxies}
	if asking.addr == "" || cfg.PublicURL.Scheme == "https" {
		own.pair = pair
	}
	all := []listener{own}
	if asking.addr != "" {
		all = append(all, asking)
	}
	if addr := a.env.metricsAddr(); addr != "" {
		all = append(all, listener{name: "metrics", variable: "METRICS_ADDR", addr: addr, handler: pages.Metrics()})
	}
	return all
}

func (a *app) webConfig() (cfg web.Config, err error) {
	certificates := func() (*certificate.Store, error) { return a.env.certificates(a.log) }
	cfg = web.Config{
		Log: a.log, Keys: take(&err, a.env.keys), PublicURL: take(&err, a.env.publicURL), Profile: take(&err, a.env.passwordProfile),
		Administration: take(&err, a.env.administration), Help: take(&err, a.env.help), Legal: take(&err, a.env.legal),
		TrustedProxies: take(&err, a.env.trustedProxies), CertProxies: take(&err, a.env.certProxies),
		Certificates: take(&err, certificates), CertURL: take(&err, a.env.certURL),
		CodeLifetime: take(&err, a.env.codeLifetime), ThemeDir: take(&err, a.env.themeDir),
	}
	return cfg, err
}

// A listener is one address to serve, over TLS if it has a certificate.
type listener struct {
	name, variable, addr string
	handler              http.Handler
	pair                 *certificate.Pair             // nil for none
	tls                  func(*tls.Config) *tls.Config // further settings of TLS; may be nil
	header               int                           // bytes of headers that it takes beside maxHeaderBytes
	proxies              []netip.Prefix                // they may hold more connections than one client
}

// The limits of a connection. No page needs more: an activation waits at most two
// seconds for a hashing slot.
const (
	headerTimeout   = 10 * time.Second
	requestTimeout  = 30 * time.Second
	idleTimeout     = 30 * time.Second
	shutdownTimeout = 10 * time.Second
	maxHeaderBytes  = 16 << 10
)

// The limits of a listener (I8). Its memory stays under 256 MiB, with the passwords
// that are being hashed, whatever clients send or leave half sent.
const (
	// maxConnections is how many connections are open at once. Further ones wait for
	// one to be closed. A browser holds one, a proxy one for each request. One client
	// gets half of them, so that others find room, and so do probes of the process.
	maxConnections = 512
	// maxStreams is how many requests a connection of HTTP/2 carries at once. A page
	// with all its files needs half as many.
	maxStreams = 16
	// http2Buffer is how much HTTP/2 holds of bodies that no handler has read yet: the
	// longest form, and the least that the protocol allows.
	http2Buffer = 64 << 10
)

// listenAndServe serves until ctx ends or one listener fails. Then all listeners finish
// the requests under way. It calls ready once all listen.
func listenAndServe(ctx context.Context, log *slog.Logger, listeners []listener, ready func()) error {
	servers := make([]*http.Server, len(listeners))
	for i, l := range listeners {
		servers[i] = newServer(l.handler, log)
		l.fit(servers[i])
	}
	opened, err := listenAll(listeners)
	if err != nil {
		return err
	}
	ready()
	failed := make(chan error, len(listeners))
	for i, l := range listeners {
		log.Info("listening", "for", l.name, "addr", opened[i].Addr().String())
		go func() { failed <- l.serve(servers[i], opened[i]) }()
	}
	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	return errors.Join(err, stopServers(servers))
}

func listenAll(listeners []listener) ([]net.Listener, error) {
	opened := make([]net.Listener, len(listeners))
	for i, l := range listeners {
		var err error
		if opened[i], err = net.Listen("tcp", l.addr); err != nil {
			for _, ln := range opened[:i] {
				ln.Close()
			}
			return nil, fmt.Errorf("%s: %w", l.variable, err)
		}
	}
	return opened, nil
}

func newServer(h http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler: h, ReadHeaderTimeout: headerTimeout, ReadTimeout: requestTimeout, WriteTimeout: requestTimeout,
		IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeaderBytes, ErrorLog: newServerLog(log),
		TLSConfig: &tls.Config{MinVersion: tls.VersionTLS12},
		HTTP2: &http.HTTP2Config{MaxConcurrentStreams: maxStreams, MaxReadFrameSize: 16 << 10,
			MaxReceiveBufferPerConnection: http2Buffer, MaxReceiveBufferPerStream: http2Buffer},
	}
}

// fit gives a server the settings of its listener. The certificate comes before other
// settings of TLS, as they may copy it.
func (l listener) fit(srv *http.Server) {
	srv.MaxHeaderBytes += l.header
	if l.pair == nil {
		return
	}
	srv.TLSConfig.GetCertificate = l.pair.Get
	if l.tls != nil {
		srv.TLSConfig = l.tls(srv.TLSConfig)
	}
}

// serve speaks TLS if the server has a certificate.
func (l listener) serve(srv *http.Server, ln net.Listener) error {
	ln = netutil.LimitListener(admission.LimitPerClient(ln, maxConnections/2, l.proxies), maxConnections)
	err := error(nil)
	if srv.TLSConfig.GetCertificate != nil || len(srv.TLSConfig.Certificates) > 0 {
		err = srv.ServeTLS(ln, "", "")
	} else {
		err = srv.Serve(ln)
	}
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("serve %s: %w", l.name, err)
}

func stopServers(servers []*http.Server) error {
	ctx, cancel := context.WithTimeout(context.Background(), shutdownTimeout)
	defer cancel()
	var errs error
	for _, srv := range servers {
		errs = errors.Join(errs, srv.Shutdown(ctx))
	}
	return errs
}

// answerTimeout is how long serve and work wait for one statement. None of their
// statements takes seconds.
const answerTimeout = 30 * time.Second

// checkStart refuses to run if deadlines or codes could not be trusted. It warns of a
// role that could undo what it writes.
func (a *app) checkStart(ctx context.Context, db *sql.DB, keys *conversion.Keyring, use sql.KeyUse) error {
	if err := db.CheckClock(ctx); err != nil {
		return err
	}
	if err := warnOwner(ctx, db, func(text string) { a.log.Warn(text) }); err != nil {
		return err
	}
	return db.LearnKeys(ctx, keys, use)
}
