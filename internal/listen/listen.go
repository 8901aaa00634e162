// Package listen serves pages on addresses, within limits that no client can exceed (I8).
package listen

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	stdlog "log"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"time"

	"golang.org/x/net/netutil"

	"bascule/internal/admission"
	"bascule/internal/certificate"
)

// Default is where pages are served unless somebody names another address.
const Default = "127.0.0.1:8080"

// A Listener is one address to serve, over TLS if it has a certificate.
type Listener struct {
	Name     string // for the log
	Variable string // that names Addr
	Addr     string
	Open     net.Listener // listens already, in place of Addr; may be nil
	Handler  http.Handler
	Pair     *certificate.Pair             // nil for none
	TLS      func(*tls.Config) *tls.Config // further settings of TLS; may be nil
	Header   int                           // bytes of headers that it takes beside maxHeaderBytes
	Proxies  []netip.Prefix                // they may hold more connections than one client
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
	// with all its files needs five.
	maxStreams = 16
	// http2Buffer is how much HTTP/2 holds of bodies that no handler has read yet: the
	// longest form, and the least that the protocol allows.
	http2Buffer = 64 << 10
)

// Serve serves until ctx ends or one listener fails. Then all listeners finish
// the requests under way. It calls ready once all listen.
func Serve(ctx context.Context, log *slog.Logger, listeners []Listener, ready func()) error {
	servers := make([]*http.Server, len(listeners))
	for i, l := range listeners {
		servers[i] = l.server(log)
	}
	opened, err := listenAll(listeners)
	if err != nil {
		return err
	}
	ready()
	failed := make(chan error, len(listeners))
	for i, l := range listeners {
		log.Info("listening", "for", l.Name, "addr", opened[i].Addr().String())
		go func() { failed <- l.serve(servers[i], opened[i]) }()
	}
	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	return errors.Join(err, stop(servers))
}

func listenAll(listeners []Listener) ([]net.Listener, error) {
	opened := make([]net.Listener, len(listeners))
	for i, l := range listeners {
		if opened[i] = l.Open; l.Open != nil {
			continue
		}
		var err error
		if opened[i], err = net.Listen("tcp", l.Addr); err != nil {
			for _, ln := range opened[:i] {
				ln.Close()
			}
			return nil, fmt.Errorf("%s: %w", l.Variable, err)
		}
	}
	return opened, nil
}

// server is a server with the limits and settings of a listener. The certificate comes
// before other settings of TLS, as they may copy it.
func (l Listener) server(log *slog.Logger) *http.Server {
	srv := &http.Server{
		Handler: l.Handler, ReadHeaderTimeout: headerTimeout, ReadTimeout: requestTimeout, WriteTimeout: requestTimeout,
		IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeaderBytes + l.Header, ErrorLog: stdlog.New(serverLog{log}, "", 0),
		TLSConfig: &tls.Config{MinVersion: tls.VersionTLS12},
		HTTP2: &http.HTTP2Config{MaxConcurrentStreams: maxStreams, MaxReadFrameSize: 16 << 10,
			MaxReceiveBufferPerConnection: http2Buffer, MaxReceiveBufferPerStream: http2Buffer},
	}
	if l.Pair != nil {
		srv.TLSConfig.GetCertificate = l.Pair.Get
	}
	if l.TLS != nil {
		srv.TLSConfig = l.TLS(srv.TLSConfig)
	}
	return srv
}

// serve speaks TLS if the server has a certificate.
func (l Listener) serve(srv *http.Server, ln net.Listener) error {
	ln = netutil.LimitListener(admission.LimitPerClient(ln, maxConnections/2, l.Proxies), maxConnections)
	err := error(nil)
	if srv.TLSConfig.GetCertificate != nil || len(srv.TLSConfig.Certificates) > 0 {
		err = srv.ServeTLS(ln, "", "")
	} else {
		err = srv.Serve(ln)
	}
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("serve %s: %w", l.Name, err)
}

// stop stops servers once the requests under way are finished, or take too long.
func stop(servers []*http.Server) error {
	ctx, cancel := context.WithTimeout(context.Background(), shutdownTimeout)
	defer cancel()
	var errs error
	for _, srv := range servers {
		errs = errors.Join(errs, srv.Shutdown(ctx))
	}
	return errs
}
