package smtp

import (
	"cmp"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// TLSMode says how the connection to the relay is encrypted.
type TLSMode string

// The modes. The relay's certificate is always verified, also when encryption is optional.
const (
	TLSImplicit TLSMode = "implicit" // smtps://
	TLSRequired TLSMode = "required" // STARTTLS, or nothing is sent
	TLSOptional TLSMode = "optional" // STARTTLS if offered
	TLSOff      TLSMode = "off"
)

// Config says how to reach the relay. It prints without its password.
type Config struct {
	Host, Port string
	TLS        TLSMode
	Auth       *Credentials   // nil: no AUTH
	Hello      string         // our name in EHLO, that of this machine after ParseURL; "" for the address of our side of the connection
	RootCAs    *x509.CertPool // nil for the system's
	Limits     Limits         // the zero Limits are [DefaultLimits]

	dial func(ctx context.Context, network, address string) (net.Conn, error) // set by tests alone
}

// Credentials are the relay's user name and password. They are never printed.
type Credentials struct {
	User     string `json:"-"`
	Password string `json:"-"`
}

// String hides the credentials.
func (*Credentials) String() string { return "[credentials]" }

// GoString hides the credentials from %#v.
func (*Credentials) GoString() string { return "[credentials]" }

// LogValue keeps the credentials out of structured logs (I6).
func (*Credentials) LogValue() slog.Value { return slog.StringValue("[credentials]") }

// Limits bound every wait.
type Limits struct {
	Connect time.Duration // TCP, TLS, greeting, EHLO and AUTH: each reply
	Command time.Duration // each reply to MAIL, RCPT, DATA
	Write   time.Duration // one group of commands or one message
	Dot     time.Duration // the reply to the final dot
	Grace   time.Duration // the rest of a wait once the context is cancelled
	Idle    time.Duration // how long an unused connection is kept
	PerConn int           // messages over one connection
}

// DefaultLimits wait for the replies to a message as RFC 5321 §4.5.3.2 asks. Giving up on
// the reply to the dot means a doubt, and perhaps a second copy: hence 10 min.
func DefaultLimits() Limits {
	return Limits{
		Connect: time.Minute,
		Command: 5 * time.Minute,
		Write:   3 * time.Minute,
		Dot:     10 * time.Minute,
		Grace:   5 * time.Second,
		Idle:    30 * time.Second,
		PerConn: 500,
	}
}

// ParseURL reads SMTP_URL: smtp://[user:password@]host[:port] with an optional
// ?starttls=required|optional|off (default required, port 587), or
// smtps://[user:password@]host[:port] (port 465). Its errors repeat nothing of the URL:
// any part of it may be a mistyped password.
func ParseURL(s string) (Config, error) {
	u, err := url.Parse(strings.TrimSpace(s))
	if err != nil {
		return Config{}, errors.New("not a URL (write special characters of the password as %XX)")
	}
	cfg := Config{Host: u.Hostname(), Port: cmp.Or(u.Port(), map[string]string{"smtp": "587", "smtps": "465"}[u.Scheme]), Hello: hostName()}
	if err := checkRelay(u, cfg.Port); err != nil {
		return Config{}, err
	}
	if cfg.TLS, err = tlsMode(u); err != nil {
		return Config{}, err
	}
	if cfg.Auth, err = credentials(u.User); err != nil {
		return Config{}, err
	}
	return cfg, nil
}

// checkRelay requires a host and a port of SMTP, and nothing after them.
func checkRelay(u *url.URL, port string) error {
	n, err := strconv.ParseUint(port, 10, 16)
	switch {
	case u.Scheme != "smtp" && u.Scheme != "smtps":
		return errors.New("must begin with smtp:// or smtps://")
	case u.Hostname() == "":
		return errors.New("names no host")
	case u.Path != "" && u.Path != "/" || u.Fragment != "":
		return errors.New("has something after the host and port (write / ? # of the password as %2F %3F %23)")
	case err != nil || n == 0:
		return errors.New("names no port from 1 to 65535")
	}
	return nil
}

// credentials are nil if the URL has none.
func credentials(u *url.Userinfo) (*Credentials, error) {
	if u == nil {
		return nil, nil
	}
	password, _ := u.Password()
	if password == "" || u.Username() == "" {
		return nil, errors.New("must give both user and password, or neither")
	}
	return &Credentials{User: u.Username(), Password: password}, nil
}

func tlsMode(u *url.URL) (TLSMode, error) {
	query, err := url.ParseQuery(u.RawQuery)
	mode := TLSMode(query.Get("starttls"))
	query.Del("starttls")
	switch {
	case err != nil:
		return "", errors.New("has a malformed query")
	case len(query) > 0:
		return "", errors.New("knows no option but starttls")
	case u.Scheme == "smtps" && u.RawQuery != "":
		return "", errors.New("starttls has no meaning with smtps://")
	case u.Scheme == "smtps":
		return TLSImplicit, nil
	case mode == "":
		return TLSRequired, nil
	case mode != TLSRequired && mode != TLSOptional && mode != TLSOff:
		return "", errors.New("starttls must be required, optional or off")
	}
	return mode, nil
}

// String is the address of the relay, without credentials.
func (c Config) String() string {
	user := ""
	if c.Auth != nil {
		user = "[credentials]@"
	}
	if c.TLS == TLSImplicit {
		return fmt.Sprintf("smtps://%s%s", user, net.JoinHostPort(c.Host, c.Port))
	}
	return fmt.Sprintf("smtp://%s%s?starttls=%s", user, net.JoinHostPort(c.Host, c.Port), c.TLS)
}

// GoString hides the credentials from %#v.
func (c Config) GoString() string { return c.String() }

// LogValue keeps the credentials out of structured logs (I6).
func (c Config) LogValue() slog.Value { return slog.StringValue(c.String()) }
