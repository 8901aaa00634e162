package sql

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"strings"
	"syscall"

	"github.com/lib/pq"
	"github.com/lib/pq/pqerror"
)

var errNoURL = errors.New("DATABASE_URL is not of the form postgres://user:password@host:5432/bascule?sslmode=require" +
	" (without quotes; write special characters of the password as %XX)")

// postgresURL returns the URL as lib/pq knows it: with the scheme in small letters. What is
// no such URL, lib/pq would take for options of a connection to this machine, and tell them
// to whoever listens here.
func postgresURL(url string) (string, error) {
	scheme, rest, _ := strings.Cut(url, "://")
	if scheme = strings.ToLower(scheme); scheme != "postgres" && scheme != "postgresql" || rest == "" {
		return "", errNoURL
	}
	return scheme + "://" + rest, nil
}

// newConnector reads a DATABASE_URL. No error repeats any part of it, as any part may
// be a mistyped password.
//
// If writes is true, it refuses a connection that cannot write. While a standby takes
// over, a name may still lead to the other server. A pool that kept such a connection
// would fail on it for as long as that server lives.
func newConnector(url string, writes bool) (*pq.Connector, error) {
	cfg, err := pq.NewConfig(url)
	if err != nil {
		// With a user, as the machine may have no name for the account; without a service, as
		// its file may hold a password.
		if _, err := pq.NewConfig("user=u service=''"); err != nil {
			return nil, fmt.Errorf("one of PostgreSQL's own variables, which count beside DATABASE_URL, is wrong (%w): unset it", err)
		}
		if _, err := pq.NewConfig("user=u"); err != nil {
			return nil, errors.New("the service of PostgreSQL's own variable PGSERVICE, which counts beside DATABASE_URL, cannot be read: mend its file, or unset the variable")
		}
		return nil, errNoURL
	}
	if len(cfg.Multi) > 0 {
		return nil, errors.New("DATABASE_URL names several hosts: give one name that leads to the primary, such as the address of a proxy or of the cluster")
	}
	if writes {
		cfg.TargetSessionAttrs = pq.TargetSessionAttrsReadWrite
	}
	return pq.NewConnectorConfig(cfg)
}

// connectError adds to a failed connection what the operator can do.
func connectError(err error) error {
	if remedy := remedyOf(err); remedy != "" {
		return fmt.Errorf("connect to the PostgreSQL of DATABASE_URL: %s", remedy)
	}
	return fmt.Errorf("connect to the PostgreSQL of DATABASE_URL: %w", err)
}

func remedyOf(err error) string {
	var host *net.DNSError
	var authority x509.UnknownAuthorityError
	var hostname x509.HostnameError
	var certificate *tls.CertificateVerificationError
	var file *fs.PathError
	switch {
	case errors.As(err, &host):
		return "its host is not known: check the host's name, and that special characters of the password are written as %XX"
	case errors.Is(err, pq.ErrSSLNotSupported):
		return "the server offers no TLS: set it up there (ssl = on), or add ?sslmode=disable where nobody can listen on the network"
	case errors.As(err, &authority), errors.As(err, &hostname), errors.As(err, &certificate):
		return fmt.Sprintf("its certificate is not trusted (%v): give its authority by ?sslrootcert=FILE, and the name that it was issued for as host", err)
	case errors.Is(err, syscall.ECONNREFUSED):
		return "connection refused, nobody listens there: check host and port, and that PostgreSQL runs and listens (listen_addresses)"
	case errors.As(err, &file): // a socket's error is none of these
		return fmt.Sprintf("a file of its certificates or keys cannot be read (%v): correct sslrootcert, sslcert and sslkey, or PGSSLROOTCERT, PGSSLCERT and PGSSLKEY", file.Err)
	case errors.Is(err, fs.ErrNotExist):
		return "there is no such socket: check the folder, and that PostgreSQL runs"
	case errors.Is(err, fs.ErrPermission):
		return "this account may not use the socket"
	case err.Error() == "session is read-only", err.Error() == "server is in hot standby mode": // in the words of lib/pq
		return standby
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded), errors.Is(err, syscall.ETIMEDOUT), errors.Is(err, syscall.EHOSTUNREACH):
		return "no answer: check host and port, and what the firewall lets through"
	}
	return Advice(err)
}

// Advice is what the operator can do about a refusal of PostgreSQL, or about its loss under
// a command; "" for any other error.
func Advice(err error) string {
	if _, lost := errors.AsType[*lostError](err); lost && !errors.Is(err, ErrUnknown) {
		return fmt.Sprintf("%v: the connection to PostgreSQL is lost, and what was under way is not stored: try again when it is back", err)
	}
	server, ok := errors.AsType[*pq.Error](err)
	if !ok || remedies[server.Code] == "" {
		return ""
	}
	return fmt.Sprintf("%s (%s): %s", server.Message, server.Code, remedies[server.Code])
}

// remedies are what the operator can do about a refusal of PostgreSQL, by its SQLSTATE.
var remedies = map[pqerror.Code]string{
	"28P01": "user or password is wrong: correct it, with special characters of the password as %XX",
	"28000": "the role is missing, or pg_hba.conf does not let it in from here: CREATE ROLE … LOGIN, or add a line there",
	"3D000": "the database is missing: createdb it, then run `bascule migrate`",
	"42501": "the role lacks a right: run `bascule migrate --grant ROLE` as the owner, which alone may migrate",
	"53300": "no connection is left: raise max_connections, or the CONNECTION LIMIT of the role or the database, or run less beside it",
	"57P03": "the server is starting or stopping: try again in a moment",
	"42704": "an option of the URL is not one of PostgreSQL's: take it out",
	"42P01": anotherSchema, "42703": anotherSchema, "42883": anotherSchema,
	"25006": standby, "0A000": standby, // a standby refuses to begin with 0A000
	"53100": "the disk of the database is full: make room",
	"57P01": stopped, "57P02": stopped,
}

const (
	anotherSchema = "the schema is not the one of this program: run `bascule migrate`"
	standby       = "this server is a standby, or read-only (default_transaction_read_only): give the primary, or have that RESET"
	stopped       = "the server was stopped: try again when it is back"
)
