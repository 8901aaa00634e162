// Package devtest gives tests the real services: a PostgreSQL cluster shared by
// the tests of a package with a database of its own for each, a redis-server, an
// inbox, a browser. A package that uses it has
//
//	func TestMain(m *testing.M) { devtest.Main(m) }
//
// A missing program fails the test; it never skips it.
package devtest

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"reflect"
	"sync"
	"testing"

	_ "github.com/lib/pq" // the driver "postgres"
	"golang.org/x/sync/errgroup"
)

// shared is the cluster of this test process, the one state that a package's tests have
// in common. A cluster takes longer to start than a test to run. It starts with the
// first test that needs it and stops in Main.
var shared cluster

type cluster struct {
	inMain bool // set before any test runs

	once     sync.Once
	postgres *ephemeral
	admin    *sql.DB // makes and drops databases: a psql for each would take longer than most tests
	copying  string  // the clause that copies files, "" where nothing else is known
	drops    errgroup.Group
	err      error

	mu        sync.Mutex
	names     int
	templates map[uintptr]*template
}

// A template is a database that tests get copies of.
type template struct {
	once sync.Once
	name string
	err  error
}

// Main runs a package's tests, stops the services that they shared, and ends the
// process.
func Main(m *testing.M) {
	os.Exit(Run(m))
}

// Run is Main for a package that must tidy up before the process ends. The caller exits
// with the status that Run returns. If the tests end in any other way, the kernel stops
// the services.
func Run(m *testing.M) int {
	shared.inMain = true
	code := m.Run()
	if shared.postgres == nil {
		return code
	}
	if err := errors.Join(shared.drops.Wait(), shared.admin.Close(), shared.postgres.Stop()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return max(code, 1)
	}
	return code
}

// Postgres gives the test an empty database of its own and returns its URL. The
// database is dropped after the test, even if somebody is still connected.
func Postgres(t testing.TB) string {
	t.Helper()
	return shared.database(t, "template1")
}

// Database gives the test a copy of the database that migrate makes, and returns its
// URL. migrate runs once in a test process, on an empty database, and must leave no
// connection open. It is recognised by its code, so two closures of the same line count
// as one.
func Database(t testing.TB, migrate func(url string) error) string {
	t.Helper()
	shared.start(t)
	m := shared.template(migrate)
	m.once.Do(func() { m.err = shared.makeTemplate(m.name, migrate) })
	if m.err != nil {
		t.Fatalf("template database: %v", m.err)
	}
	return shared.database(t, m.name)
}

func (c *cluster) makeTemplate(name string, migrate func(url string) error) error {
	if _, err := c.admin.Exec("CREATE DATABASE " + name); err != nil {
		return err
	}
	if err := migrate(c.postgres.URL(name)); err != nil {
		return err
	}
	_, err := c.admin.Exec("ALTER DATABASE " + name + " ALLOW_CONNECTIONS false")
	return err
}

// start starts the cluster with the first test that needs it.
func (c *cluster) start(t testing.TB) *ephemeral {
	t.Helper()
	if !c.inMain {
		t.Fatal("devtest: the package needs func TestMain(m *testing.M) { devtest.Main(m) }")
	}
	c.once.Do(func() { c.err = c.launch() })
	if c.err != nil {
		t.Fatal(c.err)
	}
	return c.postgres
}

func (c *cluster) launch() (err error) {
	if c.postgres, err = startEphemeral(context.Background()); err != nil {
		return err
	}
	if c.admin, err = sql.Open("postgres", c.postgres.URL("postgres")); err != nil {
		return err
	}
	c.admin.SetMaxIdleConns(dropsAtOnce)
	c.drops.SetLimit(dropsAtOnce)
	// A copy of the files takes half as long as a copy through the log, and its drop a
	// third. PostgreSQL before 15 copies files without a word for it.
	return c.admin.QueryRow(`SELECT CASE WHEN current_setting('server_version_num')::int >= 150000 THEN 'STRATEGY file_copy' ELSE '' END`).Scan(&c.copying)
}

func (c *cluster) template(migrate func(url string) error) *template {
	key := reflect.ValueOf(migrate).Pointer()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.templates == nil {
		c.templates = make(map[uintptr]*template)
	}
	if c.templates[key] == nil {
		c.templates[key] = &template{name: fmt.Sprintf("template_%d", len(c.templates))}
	}
	return c.templates[key]
}

// dropsAtOnce bounds the databases whose tests have ended. PostgreSQL waits for a tenth
// of a second if a connection is just ending, so the next test does not wait for a drop.
const dropsAtOnce = 4

// database makes a database from a template, and drops it after the test.
func (c *cluster) database(t testing.TB, from string) string {
	t.Helper()
	p := c.start(t)
	c.mu.Lock()
	c.names++
	name := fmt.Sprintf("test_%d", c.names)
	c.mu.Unlock()
	if _, err := c.admin.Exec("CREATE DATABASE " + name + " TEMPLATE " + from + " " + c.copying); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.drops.Go(func() error {
			_, err := c.admin.Exec("DROP DATABASE " + name + " WITH (FORCE)")
			return err
		})
	})
	return p.URL(name)
}
