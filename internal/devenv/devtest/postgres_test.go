package devtest

import (
	"database/sql"
	"sync/atomic"
	"testing"

	_ "github.com/lib/pq"
)

func TestMain(m *testing.M) { Main(m) }

var migrations atomic.Int32

func migrate(url string) error {
	migrations.Add(1)
	db, err := sql.Open("postgres", url)
	if err != nil {
		return err
	}
	defer db.Close()
	_, err = db.Exec("CREATE TABLE visit (n int)")
	return err
}

// Twenty tests at once each have a migrated database that no other writes to,
// and the migrations run once.
func TestDatabase(t *testing.T) {
	t.Run("at once", func(t *testing.T) {
		for range 20 {
			t.Run("", func(t *testing.T) {
				t.Parallel()
				if n := visit(t, Database(t, migrate)); n != 1 {
					t.Errorf("%d rows in a database of its own, want 1", n)
				}
			})
		}
	})
	if n := migrations.Load(); n != 1 {
		t.Errorf("migrated %d times, want once", n)
	}
}

func visit(t *testing.T, url string) (n int) {
	t.Helper()
	db, err := sql.Open("postgres", url)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err = db.Exec("INSERT INTO visit VALUES (1)"); err == nil {
		err = db.QueryRow("SELECT count(*) FROM visit").Scan(&n)
	}
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// A test's own database is empty, in a cluster that spends nothing on durability.
func TestPostgresIsEmpty(t *testing.T) {
	db, err := sql.Open("postgres", Postgres(t))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var tables, connections int
	var fsync string
	err = db.QueryRow(`SELECT (SELECT count(*) FROM pg_tables WHERE schemaname = 'public'),
		current_setting('max_connections'), current_setting('fsync')`).Scan(&tables, &connections, &fsync)
	if err != nil {
		t.Fatal(err)
	}
	if tables != 0 || connections != 100 || fsync != "off" {
		t.Errorf("%d tables, %d connections, fsync %s; want 0, 100, off", tables, connections, fsync)
	}
}
