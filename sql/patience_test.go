package sql_test

import (
	"bytes"
	"context"
	stdsql "database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"bascule/internal/conversion"
	"bascule/internal/devenv/devtest"
	"bascule/sql"
)

// ownCluster is a migrated database on a cluster of the test's own.
func ownCluster(t *testing.T) (url string, raw *stdsql.DB) {
	t.Helper()
	url = devtest.OwnPostgres(t).URL("postgres")
	db, err := sql.Open(t.Context(), url, 2)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	if raw, err = stdsql.Open("postgres", url); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { raw.Close() })
	return url, raw
}

// soon is far beyond every limit that these tests set, and far below none.
const soon = 40 * time.Second

// ends fails the test unless f returns soon.
func ends(t *testing.T, what string, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() { defer close(done); f() }()
	select {
	case <-done:
	case <-time.After(soon):
		t.Fatalf("%s does not end on a frozen PostgreSQL", what)
	}
}

// I1: a frozen PostgreSQL holds nobody for ever. Statements under way end with their
// context, or by themselves once no answer has come for the time set. New statements
// find no connection. After the thaw the pool works again.
func TestFrozenPostgres(t *testing.T) {
	t.Parallel()
	url, raw := ownCluster(t)
	db, err := sql.Open(t.Context(), url, 4)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	watch, stopWatching := context.WithCancel(t.Context())
	defer stopWatching()
	if err := db.WatchDue(watch, slog.New(slog.DiscardHandler), make(chan struct{}, 1)); err != nil {
		t.Fatal(err)
	}
	calls := map[string]func(context.Context, *sql.DB) error{
		"a statement":   func(ctx context.Context, db *sql.DB) error { _, err := db.Now(ctx); return err },
		"a transaction": func(ctx context.Context, db *sql.DB) error { return db.Resend(ctx, "00000A", "", "admin") },
		"a look":        func(ctx context.Context, db *sql.DB) error { return db.Ready(ctx) },
		"a read snapshot": func(ctx context.Context, db *sql.DB) error {
			return db.ReadReport(ctx, sql.Scope{}, func(conversion.Report) error { return nil })
		},
	}
	pools := make(map[string]*sql.DB) // each with a connection that stands
	for what := range calls {
		if pools[what], err = sql.Open(t.Context(), url, 1); err != nil {
			t.Fatal(err)
		}
		defer pools[what].Close()
	}
	thaw := devtest.Freeze(t, raw)
	for what, call := range calls {
		ends(t, what+" whose context has ended", func() {
			short, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			defer cancel()
			if err := call(short, pools[what]); err == nil {
				t.Errorf("%s has succeeded", what)
			}
		})
	}
	db.LimitAnswers(200 * time.Millisecond)
	ends(t, "a statement without a deadline", func() {
		if _, err := db.Now(t.Context()); err == nil {
			t.Error("a statement has succeeded")
		}
	})
	ends(t, "a new pool", func() {
		if other, err := sql.Open(t.Context(), url, 1); err == nil {
			other.Close()
			t.Error("a new pool has opened")
		}
	})
	ends(t, "a listener that is stopped", func() {
		watch, stop := context.WithCancel(t.Context())
		time.AfterFunc(50*time.Millisecond, stop)
		if err := db.WatchDue(watch, slog.New(slog.DiscardHandler), make(chan struct{}, 1)); err == nil {
			t.Error("it listens")
		}
	})
	thaw()
	db.LimitAnswers(30 * time.Second)
	if _, err := db.Now(t.Context()); err != nil {
		t.Errorf("thawed: %v", err)
	}
}

// A COMMIT whose answer never comes ends on our side, and the row tells what
// became of it: the form counts as taken (I3).
func TestCommitAnswerLost(t *testing.T) {
	t.Parallel()
	d := open(t)
	_, p := d.invited("00000A", "a@duvallon.example")
	form, err := d.form(p, p.email)
	d.must(err)
	proxied, mute := muteCommits(t, d.URL)
	d.DB.DB, err = sql.Open(t.Context(), proxied, 4)
	d.must(err)
	defer d.Close()
	d.LimitAnswers(2 * time.Second)
	mute.Store(true)
	ends(t, "a COMMIT without an answer", func() {
		if err := d.switchBy(form); err != nil {
			t.Errorf("the switch: %v, want it found done", err)
		}
	})
	if got := d.Text(t, `SELECT access FROM space`); got != "password" {
		t.Errorf("the space is entered by %s", got)
	}
}

// D11: five refusals open the breaker, and the answer to their COMMIT is lost. They are
// not recorded a second time: each would count as two, and close the breaker.
func TestUnclearCommitAnswerLost(t *testing.T) {
	t.Parallel()
	d := open(t)
	for i := range sql.UnclearLimit {
		d.invite(number(i), fmt.Sprintf("contact%d@duvallon.example", i))
	}
	h := d.start(10)
	d.must(d.FinishFailed(d.ctx, h.failures("550 no", true)))
	proxied, mute := muteCommits(t, d.URL)
	pool, err := sql.OpenWork(t.Context(), proxied, 1)
	d.must(err)
	defer pool.Close()
	pool.LimitAnswers(2 * time.Second)
	mute.Store(true)
	ends(t, "a COMMIT without an answer", func() {
		if _, err := pool.NoteUnclear(d.ctx, h.ids(), "550 no"); err != nil {
			t.Errorf("the caller will say it again: %v", err)
		}
	})
	if got := d.Text(t, `SELECT (SELECT opened_at IS NOT NULL FROM breaker) || ' ' || string_agg(DISTINCT blame, ' ') FROM obligation`); got != "true excused" {
		t.Errorf("the breaker is open, and the mails are excused: %s", got)
	}
}

// D9: a signal that comes during the COMMIT of an import leaves open whether all is
// stored, which the error says; one before it does not. The same file again settles it.
func TestImportStoppedWhileCommitting(t *testing.T) {
	t.Parallel()
	d := open(t)
	proxied, mute := muteCommits(t, d.URL)
	pool, err := sql.Open(t.Context(), proxied, 4)
	d.must(err)
	defer pool.Close()

	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	in := d.sheet(row("000001", "a@duvallon.example"))
	in.Stage = func(name string) {
		if name == "committing" {
			stop()
		}
	}
	if _, err := pool.Import(ctx, in, nil); !sql.IsCanceled(err) || errors.Is(err, sql.ErrUnknown) || d.count(`SELECT count(*) FROM batch`) != 0 {
		t.Errorf("stopped before the COMMIT: %v", err)
	}

	ctx, stop = context.WithCancel(t.Context())
	defer stop()
	mute.Store(true)
	done := make(chan error, 1)
	go func() {
		_, err := pool.Import(ctx, d.sheet(row("000001", "a@duvallon.example")), nil)
		done <- err
	}()
	d.until(`SELECT count(*) = 1 FROM batch`)
	stop()
	ends(t, "an import whose COMMIT has no answer", func() {
		if err := <-done; !errors.Is(err, sql.ErrUnknown) || !strings.Contains(err.Error(), "import the same file again") || !strings.Contains(err.Error(), "`bascule show NUMBER`") {
			t.Errorf("stopped during the COMMIT: %v", err)
		}
	})
	if got := d.kinds(row("000001", "a@duvallon.example")); got != "unchanged" {
		t.Errorf("the same file again is %s", got)
	}
}

// muteCommits stands between a pool and PostgreSQL: while mute, it swallows the
// first answer to a COMMIT and all that follows on that connection.
func muteCommits(t *testing.T, databaseURL string) (proxied string, mute *atomic.Bool) {
	t.Helper()
	u, err := url.Parse(databaseURL)
	if err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(u.Query().Get("host"), ".s.PGSQL.5432")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	mute = new(atomic.Bool)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("unix", socket)
			if err != nil {
				c.Close()
				return
			}
			go pass(c, server, mute)
		}
	}()
	u.Host = l.Addr().String()
	u.RawQuery = "sslmode=disable"
	return u.String(), mute
}

func pass(c, server net.Conn, mute *atomic.Bool) {
	var silent atomic.Bool
	go func() {
		defer c.Close()
		buf := make([]byte, 64<<10)
		for {
			n, err := server.Read(buf)
			if err != nil {
				return
			}
			if silent.Load() {
				continue
			}
			if _, err := c.Write(buf[:n]); err != nil {
				return
			}
		}
	}()
	defer server.Close()
	buf := make([]byte, 64<<10)
	for {
		n, err := c.Read(buf)
		if err != nil {
			return
		}
		if bytes.HasPrefix(buf[5:n], []byte("COMMIT")) && mute.CompareAndSwap(true, false) {
			silent.Store(true)
		}
		if _, err := server.Write(buf[:n]); err != nil {
			return
		}
	}
}

// A context that ends cancels its statement on a server that answers. The error says so, and
// the connection is not used again.
func TestCancelledStatement(t *testing.T) {
	t.Parallel()
	d := open(t)
	release := d.hold(`LOCK TABLE space`)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := later(func() error { return d.Resend(ctx, "00000A", "", "admin") })
	d.waiting(1)
	cancel()
	if err := <-done; !sql.IsCanceled(err) || !strings.Contains(err.Error(), "took too long") {
		t.Errorf("the error is %v", err)
	}
	for start := time.Now(); d.count(`SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`) > 0; {
		if time.Since(start) > soon {
			t.Fatal("the statement waits on")
		}
	}
	release()
	if _, err := d.Now(t.Context()); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}
