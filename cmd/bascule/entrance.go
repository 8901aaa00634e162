package main

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"

	"bascule/internal/certificate"
	"bascule/internal/web"
)

// checkCertificates refuses a listener for certificates that could not see any. It also
// refuses settings that let somebody in without a certificate.
func (a *app) checkCertificates(cfg web.Config, pair *certificate.Pair) error {
	addr, proxied := a.env.certListenAddr(), len(cfg.CertProxies) > 0
	switch {
	case addr == "" && proxied:
		return errors.New("CERT_LISTEN_ADDR is not set: CLIENT_CERT_PROXIES are believed on that listener alone")
	case addr == "":
		return nil
	case cfg.Certificates == nil:
		return errors.New("CLIENT_CA_FILE is not set: CERT_LISTEN_ADDR needs the authorities whose certificates open spaces")
	case pair == nil && !proxied:
		return errors.New("TLS_CERT_FILE is not set: CERT_LISTEN_ADDR needs it, or CLIENT_CERT_PROXIES that hand certificates on")
	case cfg.CertURL == nil:
		return errors.New("CERT_PUBLIC_URL is not set: give the address at which browsers find the proxies of CLIENT_CERT_PROXIES, such as https://certificat.example")
	case cfg.CertURL.Scheme != "https":
		return errors.New("CERT_PUBLIC_URL is not of the form https://host: browsers show certificates over TLS alone")
	}
	return a.checkOwnAddress(addr)
}

// checkOwnAddress refuses one address for two listeners: the listener decides whether a
// header is believed.
func (a *app) checkOwnAddress(addr string) error {
	for name, other := range map[string]string{"LISTEN_ADDR": a.env.listenAddr(), "METRICS_ADDR": a.env.metricsAddr()} {
		if addr == other && !strings.HasSuffix(addr, ":0") {
			return fmt.Errorf("CERT_LISTEN_ADDR is the address of %s: give it one of its own", name)
		}
	}
	return nil
}

// warnCertificates warns of settings that work but may do harm.
func (a *app) warnCertificates(cfg web.Config, pair *certificate.Pair) {
	addr := a.env.certListenAddr()
	if addr == "" {
		return
	}
	if !cfg.Certificates.Listed() {
		a.log.Warn("CLIENT_CRL_FILE is not set: a revoked certificate opens its space like any other")
	}
	for _, p := range cfg.CertProxies {
		if !slices.ContainsFunc(cfg.TrustedProxies, func(t netip.Prefix) bool { return t.Bits() <= p.Bits() && t.Contains(p.Addr()) }) {
			a.log.Warn("CLIENT_CERT_PROXIES: a proxy is not in TRUSTED_PROXIES: all who come through it count as one client, and one who is refused too often holds up the others",
				"proxy", p.String())
		}
	}
	if host, _, err := net.SplitHostPort(addr); err == nil && pair == nil {
		if ip, err := netip.ParseAddr(host); host == "" || err == nil && ip.IsUnspecified() {
			a.log.Warn("CERT_LISTEN_ADDR speaks http on all networks of this machine: let it listen where the proxies of CLIENT_CERT_PROXIES alone reach it",
				"addr", addr)
		}
	}
}
