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
	"syscall"

	"github.com/lib/pq"
)

// newConnector reads a DATABASE_URL. No error repeats any part of it, as any part may
// be a mistyped password.
func newConnector(url string) (*pq.Connector, error) {
	cfg, err := pq.NewConfig(url)
	if err != nil {
		return nil, errors.New("DATABASE_URL is not of the form postgres://user:password@host:5432/bascule?sslmode=require" +
			" (write special characters of the password as %XX)")
	}
	if len(cfg.Multi) > 0 {
		return nil, errors.New("DATABASE_URL names several hosts: give one name that leads to the primary, such as the address of a proxy or of the cluster")
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
	if server, ok := errors.AsType[*pq.Error](err); ok {
		return remedyOfServer(server)
	}
	if _, ok := errors.AsType[*net.DNSError](err); ok {
		return "its host is not known: check the host's name, and that special characters of the password are written as %XX"
	}
	var authority x509.UnknownAuthorityError
	var hostname x509.HostnameError
	var certificate *tls.CertificateVerificationError
	switch {
	case errors.Is(err, pq.ErrSSLNotSupported):
		return "the server offers no TLS: set it up there (ssl = on), or add ?sslmode=disable where nobody can listen on the network"
	case errors.As(err, &authority), errors.As(err, &hostname), errors.As(err, &certificate):
		return fmt.Sprintf("its certificate is not trusted (%v): give its authority by ?sslrootcert=FILE, and the name that it was issued for as host", err)
	case errors.Is(err, syscall.ECONNREFUSED):
		return "connection refused, nobody listens there: check host and port, and that PostgreSQL runs and listens (listen_addresses)"
	case errors.Is(err, fs.ErrNotExist):
		return "there is no such socket: check the folder, and that PostgreSQL runs"
	case errors.Is(err, fs.ErrPermission):
		return "this account may not use the socket"
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded), errors.Is(err, syscall.ETIMEDOUT), errors.Is(err, syscall.EHOSTUNREACH):
		return "no answer: check host and port, and what the firewall lets through"
	}
	return ""
}

// Advice is what the operator can do about a refusal of PostgreSQL; "" for any other
// error.
func Advice(err error) string {
	if server, ok := errors.AsType[*pq.Error](err); ok {
		return remedyOfServer(server)
	}
	return ""
}

// remedyOfServer is what the operator can do about a refusal of PostgreSQL, by its
// SQLSTATE.
func remedyOfServer(err *pq.Error) string {
	remedy := ""
	switch err.Code {
	case "28P01":
		remedy = "user or password is wrong: correct it, with special characters of the password as %XX"
	case "28000":
		remedy = "the role is missing, or pg_hba.conf does not let it in from here: CREATE ROLE … LOGIN, or add a line there"
	case "3D000":
		remedy = "the database is missing: createdb it, then run `bascule migrate`"
	case "42501":
		remedy = "the role lacks a right: run `bascule migrate --grant ROLE` as the owner, which alone may migrate"
	case "53300":
		remedy = "the server has no connection left: raise max_connections, or run less beside it"
	case "57P03":
		remedy = "the server is starting or stopping: try again in a moment"
	case "42704":
		remedy = "an option of the URL is not one of PostgreSQL's: take it out"
	case "42P01", "42703", "42883":
		remedy = "the schema is not the one of this program: run `bascule migrate`"
	case "25006", "0A000": // a standby refuses to begin with 0A000
		remedy = "this server is a standby, or read-only: give the primary"
	case "53100":
		remedy = "the disk of the database is full: make room"
	case "57P01", "57P02":
		remedy = "the server was stopped: try again when it is back"
	default:
		return ""
	}
	return fmt.Sprintf("%s (%s): %s", err.Message, err.Code, remedy)
}
