package main

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"bascule/internal/certificate"
	"bascule/internal/conversion"
	"bascule/internal/listen"
	"bascule/internal/web"
	"bascule/sql"
)

func (a *app) serveCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "serve",
		Short: "Serve the web pages",
		Long: `Serves the pages that subscribers see, until SIGTERM, SIGINT or SIGHUP; then it finishes
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

func (a *app) serve(ctx context.Context) error {
	outliveReader()
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
	db, err := a.openDB(ctx, sql.OpenPages, web.Connections())
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
	return listen.Serve(ctx, a.log, a.listeners(cfg, pages, pair), func() { a.warnTexts(cfg) })
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
func (a *app) listeners(cfg web.Config, pages *web.Server, pair *certificate.Pair) []listen.Listener {
	proxies := slices.Concat(cfg.TrustedProxies, cfg.CertProxies)
	own := listen.Listener{Name: "pages", Variable: "LISTEN_ADDR", Addr: a.env.listenAddr(), Handler: pages.Handler(), Proxies: proxies}
	asking := listen.Listener{Name: "certificates", Variable: "CERT_LISTEN_ADDR", Addr: a.env.certListenAddr(),
		Handler: pages.CertificateHandler(), Pair: pair, TLS: pages.AskCertificate, Header: certificate.MaxHeader, Proxies: proxies}
	if asking.Addr == "" || cfg.PublicURL.Scheme == "https" {
		own.Pair = pair
	}
	all := []listen.Listener{own}
	if asking.Addr != "" {
		all = append(all, asking)
	}
	if addr := a.env.metricsAddr(); addr != "" {
		all = append(all, listen.Listener{Name: "metrics", Variable: "METRICS_ADDR", Addr: addr, Handler: pages.Metrics()})
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
