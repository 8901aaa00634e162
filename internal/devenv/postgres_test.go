package devenv

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// victimVariable makes the test program start a cluster in the folder that it
// names, and wait to be killed.
const victimVariable = "BASCULE_TEST_VICTIM"

func TestMain(m *testing.M) {
	if dir := os.Getenv(victimVariable); dir != "" {
		victim(dir)
	}
	os.Exit(m.Run())
}

func victim(dir string) {
	p, err := StartPostgres(context.Background(), dir)
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println(p.server.cmd.Process.Pid)
	select {}
}

func startPostgres(t *testing.T, dir string) *Postgres {
	t.Helper()
	p, err := StartPostgres(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stopPostgres(t, p) })
	return p
}

func stopPostgres(t *testing.T, p *Postgres) {
	t.Helper()
	if err := p.Stop(); err != nil {
		t.Error(err)
	}
}

func execute(t *testing.T, p *Postgres, script string) {
	t.Helper()
	if err := p.Exec(t.Context(), "kept", script); err != nil {
		t.Fatal(err)
	}
}

// expect fails unless the SQL condition holds.
func expect(t *testing.T, p *Postgres, condition string) {
	t.Helper()
	execute(t, p, "DO $$ BEGIN ASSERT "+condition+"; END $$;")
}

// openTempDir is a temporary folder that user postgres can enter too, for a root
// that has no user namespaces.
func openTempDir(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Chmod(filepath.Dir(dir), 0o711); err != nil {
		t.Fatal(err)
	}
	return dir
}

// R4: committed rows are there again after a clean stop and after the death of the
// whole program. The server dies with its owner, and no folder has two.
func TestPostgresKeepsItsData(t *testing.T) {
	dir := filepath.Join(openTempDir(t), "cluster")
	p := startPostgres(t, dir)
	for range 2 {
		if err := p.EnsureDatabase(t.Context(), "kept"); err != nil {
			t.Fatal(err)
		}
	}
	execute(t, p, "CREATE TABLE visit (n int); INSERT INTO visit VALUES (1);")
	expect(t, p, "current_setting('fsync') = 'on' AND current_setting('server_encoding') = 'UTF8' AND current_setting('TimeZone') = 'UTC'")
	if _, err := StartPostgres(t.Context(), dir); !errors.Is(err, ErrFolderInUse) {
		t.Errorf("a second start on the folder: %v, want %v", err, ErrFolderInUse)
	}
	stopPostgres(t, p)
	stopPostgres(t, p) // again

	server := killVictim(t, dir)
	p = startPostgres(t, dir)
	if alive(server) {
		t.Errorf("the server %d outlived its owner", server)
	}
	expect(t, p, "(SELECT sum(n) FROM visit) = 1")
}

// killVictim has another process start the cluster, kills that process and
// returns the number of the orphaned server's.
func killVictim(t *testing.T, dir string) (server int) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), victimVariable+"="+dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("the other process says %q, %v", line, err)
	}
	if server, err = strconv.Atoi(strings.TrimSpace(line)); err != nil {
		t.Fatalf("the other process says %q", line)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err == nil {
		t.Fatal("the other process ended by itself")
	}
	return server
}

// A folder of another version, or of something else, is refused and untouched.
func TestPostgresRefusesForeignData(t *testing.T) {
	for version, want := range map[string]string{
		"9\n":    "the data are of PostgreSQL 9, this machine has ",
		"":       "is not a PostgreSQL data folder",
		"soup\n": `unknown version "soup"`,
	} {
		dir := t.TempDir()
		data := filepath.Join(dir, "data")
		if err := os.Mkdir(data, 0o700); err != nil {
			t.Fatal(err)
		}
		kept := "notes.txt"
		if version != "" {
			kept = "PG_VERSION"
		}
		if err := os.WriteFile(filepath.Join(data, kept), []byte(version), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := StartPostgres(t.Context(), dir)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("version %q: %v, want one line with %q", version, err, want)
		}
		if got, err := os.ReadFile(filepath.Join(data, kept)); err != nil || string(got) != version {
			t.Errorf("version %q: the data were touched: %q, %v", version, got, err)
		}
	}
}

// A name that is too long for a socket, and signs that need quoting in one, are
// no obstacle; an initdb that was killed half-way is neither; nor is a process
// number that has been given to another process.
func TestPostgresInAwkwardFolder(t *testing.T) {
	dir := filepath.Join(openTempDir(t), "d'été, \"à côté\" & 100%", strings.Repeat("long/", 20))
	half := filepath.Join(dir, "data.unfinished", "PG_VERSION")
	if err := os.MkdirAll(filepath.Dir(half), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(half, []byte("15\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p := startPostgres(t, dir)
	if err := p.EnsureDatabase(t.Context(), "kept"); err != nil {
		t.Fatal(err)
	}
	stopPostgres(t, p)
	if _, err := os.Stat(p.socketDir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the temporary folder of the socket is still there: %v", err)
	}

	pidFile := filepath.Join(p.folder.data(), "postmaster.pid")
	stale := fmt.Sprintf("%d\n%s\n1\n5432\n\n\n\nready\n", os.Getppid(), p.folder.data())
	if err := os.WriteFile(pidFile, []byte(stale), 0o600); err != nil {
		t.Fatal(err)
	}
	expect(t, startPostgres(t, dir), "true")
}

// I6: a violated constraint names no value in the server's log.
func TestPostgresLogHoldsNoData(t *testing.T) {
	p := startPostgres(t, openTempDir(t))
	err := p.Exec(t.Context(), "postgres", "CREATE TABLE a (e text PRIMARY KEY); INSERT INTO a VALUES ('durand@cabinet.example'), ('durand@cabinet.example');")
	if err == nil {
		t.Fatal("a key stands twice")
	}
	log, err := os.ReadFile(p.folder.log())
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(log), "duplicate key") || strings.Contains(string(log), "durand") {
		t.Errorf("log: %s", log)
	}
}

// On a machine without PostgreSQL the error says in one line what to install.
func TestPostgresMissing(t *testing.T) {
	if _, err := findPrograms(nil, 0); !errors.Is(err, ErrNoPostgres) {
		t.Errorf("error %v, want %v", err, ErrNoPostgres)
	}
	installed := []programs{{"/a", 14}, {"/b", 16}}
	for major, want := range map[int]string{0: "/b", 14: "/a", 16: "/b"} {
		if p, err := findPrograms(installed, major); err != nil || p.dir != want {
			t.Errorf("version %d: %s, %v; want %s", major, p.dir, err, want)
		}
	}
	if _, err := findPrograms(installed, 15); err == nil || !strings.Contains(err.Error(), "[14 16]") {
		t.Errorf("version 15: %v, want an error that tells what there is", err)
	}
}

// The embedded Redis asks for the password that its URL holds.
func TestRedisAsksForPassword(t *testing.T) {
	r, err := StartRedis(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(r.URL(), "redis://:"+r.password+"@127.0.0.1:") {
		t.Errorf("URL %s", r.URL())
	}
	c, err := r.server.Dial()
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(c, "*1\r\n$4\r\nPING\r\n*2\r\n$4\r\nAUTH\r\n$%d\r\n%s\r\n*1\r\n$4\r\nPING\r\n*1\r\n$4\r\nQUIT\r\n", len(r.password), r.password)
	answer, err := io.ReadAll(c)
	if err != nil {
		t.Fatal(err)
	}
	if got := string(answer); !strings.HasPrefix(got, "-NOAUTH") || !strings.Contains(got, "+PONG") {
		t.Errorf("answers %q", got)
	}
	r.Stop()
	r.Stop() // again
}
