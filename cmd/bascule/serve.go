package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"runtime"
	"time"

	"github.com/spf13/cobra"

	"bascule/internal/conversion"
	"bascule/internal/web"
	"bascule/sql"
)

func (a *app) serveCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "serve",
		Short: "Serve the web pages",
		Args:  noArg,
		RunE:  func(cmd *cobra.Command, _ []string) error { return a.serve(cmd.Context()) },
	}
}

// serveConns leaves room for a waiter on every hashing slot and for lookups.
func serveConns() int { return 16 + 4*runtime.GOMAXPROCS(0) }

func (a *app) serve(ctx context.Context) error {
	cfg, err := a.webConfig()
	if err != nil {
		return err
	}
	cert, key, err := a.env.tlsFiles()
	if err != nil {
		return err
	}
	db, err := a.openDB(ctx, serveConns())
	if err != nil {
		return err
	}
	defer db.Close()
	if err := checkStart(ctx, db, cfg.Keys); err != nil {
		return err
	}
	cfg.DB = db
	pages, err := web.New(cfg)
	if err != nil {
		return err
	}
	servers := []listener{{name: "pages", addr: a.env.listenAddr(), handler: pages.Handler(), cert: cert, key: key}}
	if addr := a.env.metricsAddr(); addr != "" {
		servers = append(servers, listener{name: "metrics", addr: addr, handler: pages.Metrics()})
	}
	return listenAndServe(ctx, a.log, servers)
}

func (a *app) webConfig() (cfg web.Config, err error) {
	cfg.Log = a.log
	if cfg.Keys, err = a.env.keys(); err != nil {
		return cfg, err
	}
	if cfg.PublicURL, err = a.env.publicURL(); err != nil {
		return cfg, err
	}
	if cfg.Profile, err = a.env.passwordProfile(); err != nil {
		return cfg, err
	}
	if cfg.Help, err = a.env.help(); err != nil {
		return cfg, err
	}
	if cfg.TrustedProxies, err = a.env.trustedProxies(); err != nil {
		return cfg, err
	}
	if cfg.CodeLifetime, err = a.env.codeLifetime(); err != nil {
		return cfg, err
	}
	cfg.ThemeDir, err = a.env.themeDir()
	return cfg, err
}

// A listener is one address to serve; with a certificate, over TLS.
type listener struct {
	name, addr string
	handler    http.Handler
	cert, key  string
}

// The limits of a connection. No page needs more: the activation waits two
// seconds for a hashing slot at the most.
const (
	headerTimeout   = 10 * time.Second
	requestTimeout  = 30 * time.Second
	idleTimeout     = 2 * time.Minute
	shutdownTimeout = 10 * time.Second
	maxHeaderBytes  = 16 << 10
)

// listenAndServe serves until ctx ends or one listener fails; then all finish
// the requests under way.
func listenAndServe(ctx context.Context, log *slog.Logger, listeners []listener) error {
	failed := make(chan error, len(listeners))
	var servers []*http.Server
	for _, l := range listeners {
		ln, err := net.Listen("tcp", l.addr)
		if err != nil {
			return errors.Join(fmt.Errorf("listen for %s: %w", l.name, err), stopServers(servers))
		}
		srv := newServer(l.handler, log)
		servers = append(servers, srv)
		log.Info("listening", "for", l.name, "addr", ln.Addr().String())
		go func() { failed <- l.serve(srv, ln) }()
	}
	var err error
	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	return errors.Join(err, stopServers(servers))
}

func newServer(h http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler: h, ReadHeaderTimeout: headerTimeout, ReadTimeout: requestTimeout, WriteTimeout: requestTimeout,
		IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeaderBytes, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
		TLSConfig: &tls.Config{MinVersion: tls.VersionTLS12},
	}
}

func (l listener) serve(srv *http.Server, ln net.Listener) error {
	err := error(nil)
	if l.cert != "" {
		err = srv.ServeTLS(ln, l.cert, l.key)
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

// checkStart refuses to run where deadlines or codes could not be trusted.
func checkStart(ctx context.Context, db *sql.DB, keys *conversion.Keyring) error {
	if err := db.CheckClock(ctx); err != nil {
		return err
	}
	return db.CheckKeys(ctx, keys)
}
