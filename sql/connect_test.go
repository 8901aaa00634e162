package sql_test

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/lib/pq"
	"github.com/lib/pq/pqerror"

	"bascule/internal/conversion"
	"bascule/internal/devenv/devtest"
	"bascule/sql"
)

// An operator without a connection reads the remedy, in one line that repeats nothing
// of DATABASE_URL: any part of it may be the password.
func TestOpenTellsTheRemedy(t *testing.T) {
	t.Parallel()
	d := open(t)
	change := func(f func(u *url.URL, options url.Values)) string {
		u, err := url.Parse(d.URL)
		d.must(err)
		options := u.Query()
		f(u, options)
		u.RawQuery = options.Encode()
		return u.String()
	}
	plain := noTLS(t)
	for name, test := range map[string]struct{ url, want string }{
		"no URL":         {"hunter2", "is not of the form"},
		"quoted":         {change(func(u *url.URL, _ url.Values) { u.Scheme, u.User = "'postgres", url.UserPassword("u", "hunter2") }), "is not of the form"},
		"another's URL":  {change(func(u *url.URL, _ url.Values) { u.Scheme, u.User = "https", url.UserPassword("u", "hunter2") }), "is not of the form"},
		"unknown host":   {"postgres://u:p@hunter2.invalid/db", "host is not known"},
		"nobody listens": {"postgres://u:hunter2@127.0.0.1:1/db", "connection refused"},
		"no socket":      {"postgres://u:hunter2@/db?host=/nowhere", "no such socket"},
		"no such authority": {"postgres://u:hunter2@" + plain + "/db?sslmode=verify-full&sslrootcert=/nowhere/hunter2",
			"no such file or directory): correct sslrootcert"},
		"no TLS":        {"postgres://u:hunter2@" + plain + "/db", "offers no TLS"},
		"several hosts": {"postgres://u:hunter2@one.invalid:5432,two.invalid:5432/db", "several hosts"},
		"several, as an option": {change(func(_ *url.URL, o url.Values) {
			o.Set("host", "127.0.0.1,"+o.Get("host"))
		}), "several hosts"},
		"no database":    {change(func(u *url.URL, _ url.Values) { u.Path = "/missing" }), "the database is missing: createdb it, then run `bascule migrate`"},
		"no role":        {change(func(u *url.URL, _ url.Values) { u.User = url.User("nobody") }), "the role is missing"},
		"no such option": {change(func(_ *url.URL, o url.Values) { o.Set("bogus", "1") }), "take it out"},
	} {
		db, err := sql.Open(t.Context(), test.url, 1)
		if err == nil {
			db.Close()
		}
		if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "\n") ||
			!strings.Contains(err.Error(), "DATABASE_URL") || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v, want %q", name, err, test.want)
		}
	}
}

// The scheme of a URL may be written in capitals.
func TestSchemeInCapitals(t *testing.T) {
	t.Parallel()
	d := open(t)
	db, err := sql.Open(d.ctx, strings.Replace(d.URL, "postgres", "Postgres", 1), 1)
	d.must(err)
	db.Close()
}

// A variable that PostgreSQL's own programs read is named if it is at fault. No word of its
// file is repeated: it may be a password.
func TestVariableOfPostgres(t *testing.T) {
	url, file := open(t).URL, filepath.Join(t.TempDir(), "services")
	if err := os.WriteFile(file, []byte("[main]\npassword hunter2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, value string }{{"PGSERVICE", "main"}, {"PGCONNECT_TIMEOUT", "soon"}} {
		t.Setenv("PGSERVICEFILE", file)
		t.Setenv(c.name, c.value)
		if _, err := sql.Open(t.Context(), url, 1); err == nil || !strings.Contains(err.Error(), c.name) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%v", err)
		}
	}
}

// A write to a standby, by a statement or by a BEGIN, fails with an error that names
// the remedy.
func TestStandbyIsTold(t *testing.T) {
	t.Parallel()
	for _, code := range []pqerror.Code{"25006", "0A000"} {
		if got := sql.Advice(fmt.Errorf("begin: %w", &pq.Error{Code: code})); !strings.Contains(got, "give the primary") {
			t.Errorf("%s: %q", code, got)
		}
	}
}

// A command that loses its connection, or finds none any more, tells the remedy.
func TestLossIsTold(t *testing.T) {
	t.Parallel()
	server := devtest.OwnPostgres(t)
	db, err := sql.Open(t.Context(), server.URL("postgres"), 1)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := server.Stop(); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		_, err := db.Now(t.Context())
		if got := sql.Advice(err); !strings.Contains(got, "try again when it is back") {
			t.Errorf("a statement: %v: %q", err, got)
		}
		err = db.Resend(t.Context(), "00000A", "admin", "")
		if got := sql.Advice(err); !strings.Contains(got, "try again when it is back") {
			t.Errorf("a transaction: %v: %q", err, got)
		}
	}
}

// A full disk of this machine is no loss of PostgreSQL, whichever read or write of a
// transaction meets it.
func TestFullDiskIsNoLoss(t *testing.T) {
	t.Parallel()
	d := open(t)
	err := d.ReadReport(t.Context(), sql.Scope{}, func(conversion.Report) error { return syscall.ENOSPC })
	if got := sql.Advice(err); !errors.Is(err, syscall.ENOSPC) || got != "" {
		t.Errorf("%v: %q", err, got)
	}
}

// noTLS is where a server answers that it has no TLS.
func noTLS(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			conn.Read(make([]byte, 8)) // SSLRequest
			conn.Write([]byte("N"))
			conn.Close()
		}
	}()
	return ln.Addr().String()
}
