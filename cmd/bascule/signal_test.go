package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"bascule/internal/conversion"
	"bascule/sql"
	"bascule/sql/sqltest"
)

// I7: a signal ends every command that waits for the database, while it still waits:
// exit status 1 after one line, and nothing stored or written.
func TestSignalEndsCommands(t *testing.T) {
	t.Parallel()
	db := sqltest.Open(t)
	keys := sqltest.Keys(t)
	db.Mailed(t, keys, sqltest.Invitation{Number: "00123456"})
	ring, err := conversion.ParseKeyring(storyKey)
	if err != nil {
		t.Fatal(err)
	}
	if err := db.LearnKeys(t.Context(), ring, sql.KeyUse{}); err != nil { // or else an import does, before it waits
		t.Fatal(err)
	}
	folder := t.TempDir()
	list := filepath.Join(folder, "list.xlsx")
	if err := os.WriteFile(list, sampleBook(20), 0o600); err != nil {
		t.Fatal(err)
	}
	o := newOperator(t, "DATABASE_URL="+sqltest.As(t, db.URL, sqltest.Application), "SECRET_KEY="+storyKey)
	before := db.Dump(t)
	letGo := hold(t, db, `BEGIN; LOCK TABLE request, code, space, batch, exclusion IN ACCESS EXCLUSIVE MODE`)
	for _, command := range []string{
		"import " + list, "import " + list + " --dry-run --verdicts " + folder + "/verdicts.xlsx",
		"report " + folder + "/report.xlsx", "report " + folder + "/report.xlsx --batch 1",
		"status", "status --json --batch 1", "show 00123456", "resend 00123456",
		"cancel 00123456 00123457", "retry", "retry 00123456", "retry --batch 1", "reissue --key 24372fa5",
		"exclude 00123456 --reason R", "exclude 00123456 --lift --reason R",
	} {
		t.Run(strings.ReplaceAll(command, folder+"/", ""), func(t *testing.T) {
			stopWaiting(t, db, o.command(nil, strings.Fields(command)...), `wait_event_type = 'Lock'`)
		})
	}
	letGo()
	if db.Dump(t) != before {
		t.Error("something was stored")
	}
	if names, err := filepath.Glob(folder + "/*"); err != nil || len(names) != 1 {
		t.Errorf("%q are in the folder (%v)", names, err)
	}
	if names, err := filepath.Glob(folder + "/.*"); err != nil || len(names) != 0 {
		t.Errorf("%q are left in the folder (%v)", names, err)
	}
}

// I7: a second signal ends the process at once: here a server that waits for the
// rest of a request.
func TestSecondSignalEndsAtOnce(t *testing.T) {
	t.Parallel()
	s, listen := startPages(t)
	beginForm(t, listen)
	err := poll(func() error {
		s.cmd.Process.Signal(syscall.SIGTERM) // fails once the process has ended
		select {
		case <-s.ended:
			return nil
		default:
			return errors.New("it goes on")
		}
	})
	if status, ok := s.cmd.ProcessState.Sys().(syscall.WaitStatus); err != nil || !ok || status.Signal() != syscall.SIGTERM {
		t.Errorf("%v; it ended with %v\n%s", err, s.err, s.output())
	}
}

// I7: a terminal that is closed sends SIGHUP twice, and still what is under way is
// finished.
func TestClosedTerminal(t *testing.T) {
	t.Parallel()
	signal.Notify(make(chan os.Signal, 1), syscall.SIGHUP) // the child would ignore it as we do under nohup
	s, listen := startPages(t)
	client := beginForm(t, listen)
	for range 2 {
		if err := s.cmd.Process.Signal(syscall.SIGHUP); err != nil {
			t.Error(err)
		}
		if err := poll(func() error { return mustRefuse(listen) }); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := client.Write([]byte("email=a&b")); err != nil {
		t.Fatal(err)
	}
	if answer, err := io.ReadAll(client); err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 422") {
		t.Errorf("%v: %q", err, answer)
	}
	if <-s.ended; s.err != nil {
		t.Errorf("%v\n%s", s.err, s.output())
	}
}

func mustRefuse(address string) error {
	c, err := net.Dial("tcp", address)
	if err != nil {
		return nil
	}
	c.Close()
	return errors.New("it still listens")
}

// A service goes on under nohup when its terminal is closed, and when whoever reads its
// log has ended.
func TestServiceOutlives(t *testing.T) {
	t.Parallel()
	o, listen := pagesOperator(t)
	cmd := o.command(nil, "serve")
	cmd.Path, cmd.Args = "/bin/sh", []string{"sh", "-c", `trap '' HUP; exec "$0" serve`, cmd.Path}
	reader, log, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	reader.Close()
	defer log.Close()
	cmd.Stderr = log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := awaitURL("http://" + listen + "/readyz"); err != nil {
			t.Fatal(err)
		}
		if err := cmd.Process.Signal(syscall.SIGHUP); err != nil {
			t.Error(err)
		}
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Error(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
}

func pagesOperator(t *testing.T) (o *operator, listen string) {
	t.Helper()
	listen, err := freeAddress()
	if err != nil {
		t.Fatal(err)
	}
	url := sqltest.As(t, sqltest.Open(t).URL, sqltest.Application)
	return newOperator(t, "DATABASE_URL="+url, "SECRET_KEY="+storyKey, "LISTEN_ADDR="+listen, "PUBLIC_URL=http://"+listen), listen
}

func startPages(t *testing.T) (s *service, listen string) {
	t.Helper()
	o, listen := pagesOperator(t)
	s = o.start(nil, `"listening"`, "serve")
	if err := awaitURL("http://" + listen + "/readyz"); err != nil {
		t.Fatal(err)
	}
	return s, listen
}

// beginForm sends the head of a form of 9 bytes, which the pages then wait for.
func beginForm(t *testing.T, listen string) net.Conn {
	t.Helper()
	client, err := net.Dial("tcp", listen)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	if _, err := fmt.Fprintf(client, "POST /activation HTTP/1.1\r\nHost: %s\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n", listen); err != nil {
		t.Fatal(err)
	}
	goOn := make([]byte, len("HTTP/1.1 100 Continue\r\n\r\n"))
	if _, err := io.ReadFull(client, goOn); err != nil { // the form is being read
		t.Fatal(err)
	}
	return client
}

// A migration waits for another's, and asks now and then.
func TestSignalEndsMigrate(t *testing.T) {
	t.Parallel()
	db := sqltest.Open(t)
	db.Exec(t, `DELETE FROM goose_db_version WHERE version_id = (SELECT max(version_id) FROM goose_db_version)`)
	before := db.Dump(t)
	letGo := hold(t, db, `SELECT pg_advisory_lock(4097083626)`) // goose's lock.DefaultLockID
	stopWaiting(t, db, newOperator(t, "DATABASE_URL="+db.URL).command(nil, "migrate"), `query LIKE '%pg_try_advisory_lock%'`)
	letGo()
	if db.Dump(t) != before {
		t.Error("something was stored")
	}
}

// hold holds a lock of the database until the function it returns is called.
func hold(t testing.TB, db *sqltest.DB, lock string) (letGo func()) {
	t.Helper()
	conn, err := db.Raw.Conn(within(t))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.ExecContext(t.Context(), lock); err != nil {
		t.Fatal(err)
	}
	return func() {
		if _, err := conn.ExecContext(t.Context(), `ROLLBACK; SELECT pg_advisory_unlock_all()`); err != nil {
			t.Error(err)
		}
		conn.Close()
	}
}

// stopWaiting starts a command, lets it wait for a lock, and wants that SIGINT ends it.
func stopWaiting(t *testing.T, db *sqltest.DB, cmd *exec.Cmd, waits string) {
	t.Helper()
	var stdout, stderr strings.Builder
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	awaitWaiter(t, db, waits)
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	select {
	case <-ended:
	case <-within(t).Done():
		cmd.Process.Kill()
		t.Fatalf("it has not ended; stderr %q", stderr.String())
	}
	if code := cmd.ProcessState.ExitCode(); code != exitFailed || stdout.Len() > 0 || stderr.String() != "bascule: stopped; nothing is half done\n" {
		t.Errorf("exit status %d, stdout %q, stderr %q", code, stdout.String(), stderr.String())
	}
}

// awaitWaiter waits until a command's connection waits.
func awaitWaiter(t *testing.T, db *sqltest.DB, waits string) {
	t.Helper()
	err := poll(func() error {
		var n int
		err := db.Raw.QueryRow(`SELECT count(*) FROM pg_stat_activity
			WHERE datname = current_database() AND pid <> pg_backend_pid()
			AND backend_type = 'client backend' AND ` + waits).Scan(&n)
		if err == nil && n == 0 {
			err = fmt.Errorf("no command waits")
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
