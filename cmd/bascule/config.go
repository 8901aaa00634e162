package main

// This file is long because it alone reads the environment: one short method for each
// variable.

import (
	"cmp"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"log/slog"
	"math"
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
	"bascule/internal/listen"
	"bascule/internal/mail"
	"bascule/internal/smtp"
	"bascule/internal/web"
)

// environment is the configuration. Nothing else reads environment variables. Each
// command asks for what it uses. The error names a variable that is missing or wrong.
type environment struct {
	getenv func(string) string
}

// take reads one of several values; the zero value once one of them is missing or wrong.
// err is the error of the first one.
func take[T any](err *error, read func() (T, error)) (v T) {
	if *err == nil {
		v, *err = read()
	}
	return v
}

// A variable is one of the environment, without the blanks around its value.
type variable struct{ name, value string }

func (e environment) get(name string) variable {
	return variable{name, strings.TrimSpace(e.getenv(name))}
}

// required reads a variable that must be set; hint tells how.
func required[T any](v variable, hint string, read func(string) (T, error)) (t T, err error) {
	if v.value == "" {
		return t, fmt.Errorf("%s is not set: %s", v.name, hint)
	}
	return parse(v, read)
}

// parse reads a variable that is set.
func parse[T any](v variable, read func(string) (T, error)) (T, error) {
	t, err := read(v.value)
	if wrong, ok := errors.AsType[misfit](err); ok {
		return t, fmt.Errorf("%s is %w", v.name, wrong)
	} else if err != nil {
		return t, fmt.Errorf("%s: %w", v.name, err)
	}
	return t, nil
}

// optional reads a variable; unset is its value if it is not set.
func optional[T any](v variable, unset T, read func(string) (T, error)) (T, error) {
	if v.value == "" {
		return unset, nil
	}
	return parse(v, read)
}

// A misfit tells what a value is not, behind the name of its variable.
type misfit string

func (m misfit) Error() string { return string(m) }

func (e environment) databaseURL() (string, error) {
	return required(e.get("DATABASE_URL"), "give the URL of the PostgreSQL database, such as postgres://user@host/bascule", asItIs)
}

func (e environment) redisURL() (string, error) {
	return required(e.get("REDIS_URL"), "give the URL of Redis, such as redis://localhost:6379", asItIs)
}

func asItIs(s string) (string, error) { return s, nil }

// keys reads SECRET_KEY.
func (e environment) keys() (*conversion.Keyring, error) {
	return required(e.get("SECRET_KEY"), "give the one that the other processes have; for a new database make one with: openssl rand -base64 32",
		conversion.ParseKeyring)
}

// keysIfSet reads SECRET_KEY; nil if it is not set.
func (e environment) keysIfSet() (*conversion.Keyring, error) {
	return optional(e.get("SECRET_KEY"), nil, conversion.ParseKeyring)
}

// publicURL reads PUBLIC_URL: scheme and host of the pages, as subscribers reach them.
func (e environment) publicURL() (*url.URL, error) {
	return required(e.get("PUBLIC_URL"), "give the address of the pages, such as https://espace.example", parseOrigin)
}

func (e environment) smtp() (smtp.Config, error) {
	return required(e.get("SMTP_URL"), "give the relay, such as smtp://user:password@relay.example:587", smtp.ParseURL)
}

// administration reads ADMINISTRATION, "name; short form"; zero if it is not set.
func (e environment) administration() (conversion.Administration, error) {
	return parse(variable{"ADMINISTRATION", e.getenv("ADMINISTRATION")}, conversion.ParseAdministration)
}

// senderName is the name of MAIL_FROM if that has none.
const senderName = "Espace abonné"

// mailFrom reads MAIL_FROM. It adds the short form of the administration to its name,
// unless the name has it already.
func (e environment) mailFrom(by conversion.Administration) (mail.Sender, error) {
	from, err := required(e.get("MAIL_FROM"), "give the address that mails come from", mail.ParseSender)
	if err != nil {
		return mail.Sender{}, err
	}
	from.Name = cmp.Or(from.Name, senderName)
	if !strings.Contains(from.Name, by.Short) {
		from.Name = by.Short + " – " + from.Name
	}
	return from, nil
}

// bounceAddress reads BOUNCE_ADDRESS, where mails come back to. Zero means that they come
// back to MAIL_FROM.
func (e environment) bounceAddress() (conversion.Email, error) {
	return optional(e.get("BOUNCE_ADDRESS"), conversion.Email{}, conversion.ParseEmail)
}

// alertEmail reads ALERT_EMAIL, the address for alerts. Zero means that nobody gets
// them.
func (e environment) alertEmail() (conversion.Email, error) {
	return optional(e.get("ALERT_EMAIL"), conversion.Email{}, conversion.ParseEmail)
}

// office is the office that writes the mails. host is that of PUBLIC_URL.
func (e environment) office() (o mail.Office, host string, err error) {
	o.Administration = take(&err, e.administration)
	o.From = take(&err, func() (mail.Sender, error) { return e.mailFrom(o.Administration) })
	if u := take(&err, e.publicURL); u != nil {
		o.PublicURL, host = u.String(), u.Hostname()
	}
	o.Help = take(&err, e.help)
	return o, host, err
}

// The bounds of MAIL_RATE. Below the lower one a mail waits for hours, and its interval
// may overflow a duration.
const (
	minMailRate = 0.001
	maxMailRate = 1_000_000
)

// mailRate reads MAIL_RATE, mails per second of all workers together; 0 is no limit.
func (e environment) mailRate() (float64, error) {
	return optional(e.get("MAIL_RATE"), 0, parseMailRate)
}

func parseMailRate(s string) (float64, error) {
	rate, err := strconv.ParseFloat(s, 64)
	if err != nil || !(rate >= minMailRate && rate <= maxMailRate) { // NaN is none
		return 0, misfit(fmt.Sprintf("not a number of mails per second, of %v to %d", minMailRate, maxMailRate))
	}
	return rate, nil
}

// The bounds of WORKERS: each is a connection to the relay and one to PostgreSQL. While
// the outcomes of some are written down, the relay works on the mails of others.
const (
	defaultWorkers = 16
	maxWorkers     = 64
)

func (e environment) workers() (int, error) {
	return optional(e.get("WORKERS"), defaultWorkers, upTo(maxWorkers, misfit(fmt.Sprintf("not a number from 1 to %d", maxWorkers))))
}

// fourEyes reads FOUR_EYES: above so many mails somebody else launches than prepared
// (D18); 0 if it is not set.
func (e environment) fourEyes() (int, error) {
	return optional(e.get("FOUR_EYES"), 0, upTo(math.MaxInt, "not a number of mails from 1 on"))
}

// upTo reads a number from 1 to most.
func upTo(most int, wrong misfit) func(string) (int, error) {
	return func(s string) (int, error) {
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 || n > most {
			return 0, wrong
		}
		return n, nil
	}
}

// The bounds of CODE_LIFETIME. Nobody can type a code in less time. A longer one
// outlives what is known of its mailbox. Both are mistakes in the configuration.
const (
	minLifetime = time.Second
	maxLifetime = 60 * 24 * time.Hour
)

// codeLifetime reads CODE_LIFETIME (R21).
func (e environment) codeLifetime() (time.Duration, error) {
	return optional(e.get("CODE_LIFETIME"), conversion.DefaultCodeLifetime, func(s string) (time.Duration, error) {
		d, err := parseDuration(s)
		if err != nil || d < minLifetime || d > maxLifetime {
			return 0, misfit(fmt.Sprintf("not a duration such as 48h, of %s to %d days", minLifetime, maxLifetime/(24*time.Hour)))
		}
		return d, nil
	})
}

const defaultHelpHours = "Mon-Fri 08:00-19:30"

// helpHours reads HELP_HOURS, the hours in which assistance answers (D14, R32).
func (e environment) helpHours() (assistance.Hours, error) {
	v := e.get("HELP_HOURS")
	v.value = cmp.Or(v.value, defaultHelpHours)
	return parse(v, assistance.Parse)
}

func (e environment) passwordProfile() (conversion.PasswordProfile, error) {
	return parse(e.get("PASSWORD_PROFILE"), conversion.ParsePasswordProfile)
}

func (e environment) listenAddr() string { return cmp.Or(e.get("LISTEN_ADDR").value, listen.Default) }

func (e environment) metricsAddr() string { return e.get("METRICS_ADDR").value }

func (e environment) certListenAddr() string { return e.get("CERT_LISTEN_ADDR").value }

// These read variables that name a folder; "" if they are not set.
func (e environment) themeDir() (string, error)  { return optional(e.get("THEME_DIR"), "", folder) }
func (e environment) bounceDir() (string, error) { return optional(e.get("BOUNCE_DIR"), "", folder) }

func folder(path string) (string, error) {
	if info, err := os.Stat(path); err != nil || !info.IsDir() {
		return "", misfit("not a folder that can be read")
	}
	return path, nil
}

// tlsPair reads TLS_CERT_FILE and TLS_KEY_FILE: both, or none and nil.
func (e environment) tlsPair(log *slog.Logger) (*certificate.Pair, error) {
	cert, key := e.get("TLS_CERT_FILE").value, e.get("TLS_KEY_FILE").value
	if (cert == "") != (key == "") {
		return nil, errors.New("TLS_CERT_FILE and TLS_KEY_FILE go together: set both or none")
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
	crl := e.get("CLIENT_CRL_FILE").value
	if crl != "" && e.get("CLIENT_CA_FILE").value == "" {
		return nil, errors.New("CLIENT_CA_FILE is not set: CLIENT_CRL_FILE needs the authorities that its lists come from")
	}
	return e.authorities(crl, log)
}

// authorities reads CLIENT_CA_FILE; nil without it. Commands that let nobody in need no
// revocation list.
func (e environment) authorities(crl string, log *slog.Logger) (*certificate.Store, error) {
	ca := e.get("CLIENT_CA_FILE").value
	if ca == "" {
		return nil, nil
	}
	return certificate.Open(ca, crl, log)
}

// certPublicURL reads CERT_PUBLIC_URL: scheme and host of the pages that ask browsers
// for a certificate. nil means that there are none.
func (e environment) certPublicURL() (*url.URL, error) {
	return optional(e.get("CERT_PUBLIC_URL"), nil, parseOrigin)
}

// certURL is CERT_PUBLIC_URL. Without it, it is made from CERT_LISTEN_ADDR, if that
// names a host.
func (e environment) certURL() (*url.URL, error) {
	if u, err := e.certPublicURL(); u != nil || err != nil {
		return u, err
	}
	addr := e.certListenAddr()
	if addr == "" || e.get("CLIENT_CERT_PROXIES").value != "" { // browsers find the proxy, not us
		return nil, nil
	}
	host, _, err := net.SplitHostPort(addr)
	if ip := net.ParseIP(host); err != nil || host == "" || ip != nil && ip.IsUnspecified() {
		return nil, errors.New("CERT_PUBLIC_URL is not set: give the address at which browsers find CERT_LISTEN_ADDR, such as https://certificat.example")
	}
	return &url.URL{Scheme: "https", Host: addr}, nil
}

// parseOrigin reads scheme and host.
func parseOrigin(v string) (*url.URL, error) {
	const wrong = misfit("not of the form https://host")
	u, err := url.Parse(v)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || strings.Trim(u.Path, "/") != "" ||
		u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		return nil, wrong
	}
	if _, err := strconv.ParseUint(u.Port(), 10, 16); u.Port() != "" && err != nil {
		return nil, wrong
	}
	ascii := conversion.ASCIIHost(u.Hostname()) // as mails and Message-IDs show it
	if ascii == "" {
		return nil, wrong
	}
	u.Host = strings.Replace(u.Host, u.Hostname(), ascii, 1)
	return &url.URL{Scheme: u.Scheme, Host: u.Host}, nil
}

//go:embed assistance.txt
var defaultHelp string

// maxHelp is the most bytes of an operator's help text: a text, not a document.
const maxHelp = 4096

// help reads HELP_TEXT_FILE (R32).
func (e environment) help() (string, error) {
	return optional(e.get("HELP_TEXT_FILE"), strings.TrimSpace(defaultHelp), func(path string) (string, error) { return readText(path, maxHelp) })
}

// maxLegal is the most bytes of a legal text: many pages.
const maxLegal = 64 << 10

// legal reads the files of LEGAL_DIR. A missing file leaves the draft.
func (e environment) legal() (l web.Legal, err error) {
	dir, err := optional(e.get("LEGAL_DIR"), "", folder)
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
	return parse(e.get("DKIM_SELECTOR"), func(s string) (string, error) {
		if strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") != "" {
			return "", misfit("not the name of a key, such as mail2026")
		}
		return s, nil
	})
}

// resolver reads DNS_SERVER, the server that campaign check asks; without it, the
// machine's own.
func (e environment) resolver() (*net.Resolver, error) {
	return optional(e.get("DNS_SERVER"), net.DefaultResolver, func(s string) (*net.Resolver, error) {
		server, err := netip.ParseAddrPort(s)
		if err != nil {
			addr, err := netip.ParseAddr(s)
			if err != nil {
				return nil, misfit("neither the address of a resolver, such as 9.9.9.9, nor that and a port")
			}
			server = netip.AddrPortFrom(addr, 53)
		}
		return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, server.String())
		}}, nil
	})
}
