package main

// This file is long because it alone reads the environment: one short method for each
// variable.

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
	"unicode"

	"bascule/internal/assistance"
	"bascule/internal/certificate"
	"bascule/internal/conversion"
	"bascule/internal/mail"
	"bascule/internal/smtp"
	"bascule/internal/web"
)

// environment is the configuration. Nothing else reads environment variables. Each
// command asks for what it uses. The error names a variable that is missing or wrong.
type environment struct {
	getenv func(string) string
}

func (e environment) required(name, hint string) (string, error) {
	v := strings.TrimSpace(e.getenv(name))
	if v == "" {
		return "", fmt.Errorf("%s is not set: %s", name, hint)
	}
	return v, nil
}

func (e environment) databaseURL() (string, error) {
	return e.required("DATABASE_URL", "give the URL of the PostgreSQL database, such as postgres://user@host/bascule")
}

func (e environment) redisURL() (string, error) {
	return e.required("REDIS_URL", "give the URL of Redis, such as redis://localhost:6379")
}

// keys reads SECRET_KEY.
func (e environment) keys() (*conversion.Keyring, error) {
	v, err := e.required("SECRET_KEY", "give the one that the other processes have; for a new database make one with: openssl rand -base64 32")
	if err != nil {
		return nil, err
	}
	keys, err := conversion.ParseKeyring(v)
	if err != nil {
		return nil, fmt.Errorf("SECRET_KEY: %w", err)
	}
	return keys, nil
}

// keysIfSet reads SECRET_KEY; nil if it is not set.
func (e environment) keysIfSet() (*conversion.Keyring, error) {
	if strings.TrimSpace(e.getenv("SECRET_KEY")) == "" {
		return nil, nil
	}
	return e.keys()
}

// publicURL reads PUBLIC_URL: scheme and host of the pages, as subscribers reach them.
func (e environment) publicURL() (*url.URL, error) {
	v, err := e.required("PUBLIC_URL", "give the address of the pages, such as https://espace.example")
	if err != nil {
		return nil, err
	}
	u, ok := parseOrigin(v)
	if !ok {
		return nil, fmt.Errorf("PUBLIC_URL is not of the form https://host")
	}
	return u, nil
}

func (e environment) smtp() (smtp.Config, error) {
	v, err := e.required("SMTP_URL", "give the relay, such as smtp://user:password@relay.example:587")
	if err != nil {
		return smtp.Config{}, err
	}
	cfg, err := smtp.ParseURL(v)
	if err != nil {
		return smtp.Config{}, fmt.Errorf("SMTP_URL: %w", err)
	}
	return cfg, nil
}

// administration reads ADMINISTRATION, "name; short form"; zero if it is not set.
func (e environment) administration() (conversion.Administration, error) {
	a, err := conversion.ParseAdministration(e.getenv("ADMINISTRATION"))
	if err != nil {
		return a, fmt.Errorf("ADMINISTRATION: %w", err)
	}
	return a, nil
}

// senderName is the name of MAIL_FROM if that has none.
const senderName = "Espace abonné"

// mailFrom reads MAIL_FROM. It adds the short form of the administration to its name,
// unless the name has it already.
func (e environment) mailFrom(by conversion.Administration) (mail.Sender, error) {
	v, err := e.required("MAIL_FROM", "give the address that mails come from")
	if err != nil {
		return mail.Sender{}, err
	}
	from, err := mail.ParseSender(v)
	if err != nil {
		return mail.Sender{}, fmt.Errorf("MAIL_FROM: %w", err)
	}
	if from.Name == "" {
		from.Name = senderName
	}
	if !strings.Contains(from.Name, by.Short) {
		from.Name = by.Short + " – " + from.Name
	}
	return from, nil
}

func (e environment) bounceAddress() (conversion.Email, error) {
	v := strings.TrimSpace(e.getenv("BOUNCE_ADDRESS"))
	if v == "" {
		return conversion.Email{}, nil
	}
	return e.email("BOUNCE_ADDRESS", v)
}

// alertEmail reads ALERT_EMAIL, the address for alerts. Zero means that nobody gets
// them.
func (e environment) alertEmail() (conversion.Email, error) {
	v := strings.TrimSpace(e.getenv("ALERT_EMAIL"))
	if v == "" {
		return conversion.Email{}, nil
	}
	return e.email("ALERT_EMAIL", v)
}

func (e environment) email(name, v string) (conversion.Email, error) {
	email, err := conversion.ParseEmail(v)
	if err != nil {
		return conversion.Email{}, fmt.Errorf("%s: %w", name, err)
	}
	return email, nil
}

// The bounds of MAIL_RATE. Below the lower one a mail waits for hours, and its interval
// may overflow a duration.
const (
	minMailRate = 0.001
	maxMailRate = 1_000_000
)

// mailRate reads MAIL_RATE, mails per second of all workers together; 0 is no limit.
func (e environment) mailRate() (float64, error) {
	v := strings.TrimSpace(e.getenv("MAIL_RATE"))
	if v == "" {
		return 0, nil
	}
	rate, err := strconv.ParseFloat(v, 64)
	if err != nil || !(rate >= minMailRate && rate <= maxMailRate) { // NaN is neither
		return 0, fmt.Errorf("MAIL_RATE is not a number of mails per second, of %v to %d", minMailRate, maxMailRate)
	}
	return rate, nil
}

// The bounds of WORKERS: each worker is a connection to the relay and one or
// two to PostgreSQL.
const (
	defaultWorkers = 8
	maxWorkers     = 64
)

func (e environment) workers() (int, error) {
	v := strings.TrimSpace(e.getenv("WORKERS"))
	if v == "" {
		return defaultWorkers, nil
	}
	n, err := strconv.Atoi(v)
	if err != nil || n < 1 || n > maxWorkers {
		return 0, fmt.Errorf("WORKERS is not a number from 1 to %d", maxWorkers)
	}
	return n, nil
}

// The bounds of CODE_LIFETIME. Nobody can type a code in less time. A longer one
// outlives what is known of its mailbox. Both are mistakes in the configuration.
const (
	minLifetime = time.Second
	maxLifetime = 60 * 24 * time.Hour
)

// codeLifetime reads CODE_LIFETIME (R21).
func (e environment) codeLifetime() (time.Duration, error) {
	v := strings.TrimSpace(e.getenv("CODE_LIFETIME"))
	if v == "" {
		return conversion.DefaultCodeLifetime, nil
	}
	d, err := parseDuration(v)
	if err != nil || d < minLifetime || d > maxLifetime {
		return 0, fmt.Errorf("CODE_LIFETIME is not a duration such as 48h, of %s to %d days", minLifetime, maxLifetime/(24*time.Hour))
	}
	return d, nil
}

// helpHours reads HELP_HOURS, the hours in which assistance answers (D14, R32).
func (e environment) helpHours() (assistance.Hours, error) {
	v := strings.TrimSpace(e.getenv("HELP_HOURS"))
	if v == "" {
		v = defaultHelpHours
	}
	h, err := assistance.Parse(v)
	if err != nil {
		return h, fmt.Errorf("HELP_HOURS: %w", err)
	}
	return h, nil
}

const defaultHelpHours = "Mon-Fri 08:00-19:30"

func (e environment) passwordProfile() (conversion.PasswordProfile, error) {
	p, err := conversion.ParsePasswordProfile(strings.TrimSpace(e.getenv("PASSWORD_PROFILE")))
	if err != nil {
		return "", fmt.Errorf("PASSWORD_PROFILE: %w", err)
	}
	return p, nil
}

const defaultListen = "127.0.0.1:8080"

func (e environment) listenAddr() string {
	if v := strings.TrimSpace(e.getenv("LISTEN_ADDR")); v != "" {
		return v
	}
	return defaultListen
}

func (e environment) metricsAddr() string { return strings.TrimSpace(e.getenv("METRICS_ADDR")) }

// folder reads a variable that names a folder; "" if it is not set.
func (e environment) folder(name string) (string, error) {
	v := strings.TrimSpace(e.getenv(name))
	if v == "" {
		return "", nil
	}
	if info, err := os.Stat(v); err != nil || !info.IsDir() {
		return "", fmt.Errorf("%s is not a folder that can be read", name)
	}
	return v, nil
}

// tlsPair reads TLS_CERT_FILE and TLS_KEY_FILE: both, or none and nil.
func (e environment) tlsPair(log *slog.Logger) (*certificate.Pair, error) {
	cert, key := strings.TrimSpace(e.getenv("TLS_CERT_FILE")), strings.TrimSpace(e.getenv("TLS_KEY_FILE"))
	if (cert == "") != (key == "") {
		return nil, fmt.Errorf("TLS_CERT_FILE and TLS_KEY_FILE go together: set both or none")
	}
	if cert == "" {
		return nil, nil
	}
	return certificate.OpenPair(cert, key, log)
}

// trustedProxies reads TRUSTED_PROXIES, the proxies whose X-Forwarded-For is believed.
func (e environment) trustedProxies() ([]netip.Prefix, error) { return e.prefixes("TRUSTED_PROXIES") }

// certProxies reads CLIENT_CERT_PROXIES, the proxies whose Client-Cert is believed.
func (e environment) certProxies() ([]netip.Prefix, error) { return e.prefixes("CLIENT_CERT_PROXIES") }

// prefixes reads addresses and prefixes, separated by commas.
func (e environment) prefixes(name string) (list []netip.Prefix, err error) {
	for _, part := range strings.FieldsFunc(e.getenv(name), func(r rune) bool { return r == ',' || unicode.IsSpace(r) }) {
		prefix, ok := parsePrefix(part)
		if !ok {
			return nil, fmt.Errorf("%s: %q is neither an address nor a prefix such as 10.0.0.0/8", name, part)
		}
		if prefix.Bits() < minPrefix {
			return nil, fmt.Errorf("%s: %s is too wide: anybody could pass for a proxy; name the addresses of your proxies", name, prefix)
		}
		list = append(list, prefix)
	}
	return list, nil
}

// minPrefix keeps whole continents from being trusted: no private network is
// wider than 10.0.0.0/8 or fd00::/8.
const minPrefix = 8

// parsePrefix reads an address or a prefix. IPv4 within IPv6 becomes IPv4, as
// connections show the peer in this form.
func parsePrefix(s string) (netip.Prefix, bool) {
	prefix, err := netip.ParsePrefix(s)
	if err != nil {
		addr, err := netip.ParseAddr(s)
		if err != nil {
			return netip.Prefix{}, false
		}
		prefix = netip.PrefixFrom(addr, addr.BitLen())
	}
	if addr := prefix.Addr(); addr.Is4In6() && prefix.Bits() >= 96 {
		prefix = netip.PrefixFrom(addr.Unmap(), prefix.Bits()-96)
	}
	return prefix.Masked(), true
}

// certificates reads CLIENT_CA_FILE and CLIENT_CRL_FILE; nil if nobody enters with a
// certificate.
func (e environment) certificates(log *slog.Logger) (*certificate.Store, error) {
	ca, crl := strings.TrimSpace(e.getenv("CLIENT_CA_FILE")), strings.TrimSpace(e.getenv("CLIENT_CRL_FILE"))
	if ca == "" {
		if crl != "" {
			return nil, fmt.Errorf("CLIENT_CA_FILE is not set: CLIENT_CRL_FILE needs the authorities that its lists come from")
		}
		return nil, nil
	}
	return certificate.Open(ca, crl, log)
}

// authorities reads CLIENT_CA_FILE alone; nil without it. Commands that let nobody in
// need no revocation list.
func (e environment) authorities(log *slog.Logger) (*certificate.Store, error) {
	ca := strings.TrimSpace(e.getenv("CLIENT_CA_FILE"))
	if ca == "" {
		return nil, nil
	}
	return certificate.Open(ca, "", log)
}

func (e environment) certListenAddr() string { return strings.TrimSpace(e.getenv("CERT_LISTEN_ADDR")) }

// certPublicURL reads CERT_PUBLIC_URL: scheme and host of the pages that ask browsers
// for a certificate. nil means that there are none.
func (e environment) certPublicURL() (*url.URL, error) {
	v := strings.TrimSpace(e.getenv("CERT_PUBLIC_URL"))
	if v == "" {
		return nil, nil
	}
	u, ok := parseOrigin(v)
	if !ok {
		return nil, fmt.Errorf("CERT_PUBLIC_URL is not of the form https://host")
	}
	return u, nil
}

// certURL is CERT_PUBLIC_URL. Without it, it is made from CERT_LISTEN_ADDR, if that
// names a host.
func (e environment) certURL() (*url.URL, error) {
	if u, err := e.certPublicURL(); u != nil || err != nil {
		return u, err
	}
	addr := e.certListenAddr()
	if addr == "" || strings.TrimSpace(e.getenv("CLIENT_CERT_PROXIES")) != "" { // browsers find the proxy, not us
		return nil, nil
	}
	host, _, err := net.SplitHostPort(addr)
	if ip := net.ParseIP(host); err != nil || host == "" || ip != nil && ip.IsUnspecified() {
		return nil, fmt.Errorf("CERT_PUBLIC_URL is not set: give the address at which browsers find CERT_LISTEN_ADDR, such as https://certificat.example")
	}
	return &url.URL{Scheme: "https", Host: addr}, nil
}

// parseOrigin reads scheme and host.
func parseOrigin(v string) (*url.URL, bool) {
	u, err := url.Parse(v)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || strings.Trim(u.Path, "/") != "" ||
		u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		return nil, false
	}
	if _, err := strconv.ParseUint(u.Port(), 10, 16); u.Port() != "" && err != nil {
		return nil, false
	}
	return &url.URL{Scheme: u.Scheme, Host: u.Host}, true
}

//go:embed assistance.txt
var defaultHelp string

// maxHelp is the most bytes of an operator's help text: a text, not a document.
const maxHelp = 4096

// help reads HELP_TEXT_FILE (R32).
func (e environment) help() (string, error) {
	name := strings.TrimSpace(e.getenv("HELP_TEXT_FILE"))
	if name == "" {
		return strings.TrimSpace(defaultHelp), nil
	}
	text, err := readText(name, maxHelp)
	if err != nil {
		return "", fmt.Errorf("HELP_TEXT_FILE: %w", err)
	}
	return text, nil
}

// maxLegal is the most bytes of a legal text: many pages.
const maxLegal = 64 << 10

// legal reads the files of LEGAL_DIR. A missing file leaves the draft.
func (e environment) legal() (l web.Legal, err error) {
	dir, err := e.folder("LEGAL_DIR")
	if dir == "" {
		return l, err
	}
	for i, text := range []*string{&l.Notice, &l.Privacy} {
		*text, err = readText(filepath.Join(dir, web.LegalFiles[i]), maxLegal)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return l, fmt.Errorf("LEGAL_DIR: %w", err)
		}
	}
	return l, nil
}

// maxDays is a hundred years. No certificate lives that long, and PostgreSQL still
// knows the day that is so far from today.
const maxDays = 36600

// parseDuration reads Go durations and whole days, such as 90d.
func parseDuration(s string) (time.Duration, error) {
	if days, ok := strings.CutSuffix(s, "d"); ok {
		n, err := strconv.Atoi(days)
		if err != nil || n < 0 || n > maxDays {
			return 0, fmt.Errorf("%q is not a number of days", s)
		}
		return time.Duration(n) * 24 * time.Hour, nil
	}
	return time.ParseDuration(s)
}

// dkimSelector reads DKIM_SELECTOR, by which the relay signs; "" where it is not set.
func (e environment) dkimSelector() (string, error) {
	v := strings.TrimSpace(e.getenv("DKIM_SELECTOR"))
	if strings.Trim(v, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") != "" {
		return "", errors.New("DKIM_SELECTOR is not the name of a key, such as mail2026")
	}
	return v, nil
}

// resolver reads DNS_SERVER, the server that campaign check asks; without it, the
// machine's own.
func (e environment) resolver() (*net.Resolver, error) {
	v := strings.TrimSpace(e.getenv("DNS_SERVER"))
	if v == "" {
		return net.DefaultResolver, nil
	}
	server, err := netip.ParseAddrPort(v)
	if err != nil {
		addr, err := netip.ParseAddr(v)
		if err != nil {
			return nil, errors.New("DNS_SERVER is neither the address of a resolver, such as 9.9.9.9, nor that and a port")
		}
		server = netip.AddrPortFrom(addr, 53)
	}
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, server.String())
	}}, nil
}
