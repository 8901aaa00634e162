package sql_test

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"bascule/internal/devenv/devtest"
	"bascule/sql/sqltest"
)

func TestMain(m *testing.M) { devtest.Main(m) }

// Every query is one that PostgreSQL understands, on the schema of today: a
// renamed column fails here, not in front of a subscriber.
func TestQueriesPrepare(t *testing.T) {
	db := sqltest.Open(t)
	conn, err := db.Raw.Conn(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	staging, err := os.ReadFile("query/stage.sql")
	if err != nil {
		t.Fatal(err)
	}
	tx, err := conn.BeginTx(context.Background(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	if _, err := tx.Exec(string(staging)); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("query/*.sql")
	if err != nil || len(files) < 40 {
		t.Fatalf("found %d queries, error %v", len(files), err)
	}
	for _, file := range files {
		if file == "query/stage.sql" {
			continue
		}
		query, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := tx.Exec("SAVEPOINT s"); err != nil {
			t.Fatal(err)
		}
		if _, err := tx.Prepare(string(query)); err != nil {
			t.Errorf("%s: %v", file, err)
			if _, err := tx.Exec("ROLLBACK TO s"); err != nil {
				t.Fatal(err)
			}
			continue
		}
		for _, n := range seconds.FindAllStringSubmatch(string(query), -1) {
			var kind string
			err := tx.QueryRow(`SELECT parameter_types[$1::int]::text FROM pg_prepared_statements ORDER BY prepare_time DESC, name::int DESC LIMIT 1`, n[1]).Scan(&kind)
			if err != nil || kind != "double precision" {
				t.Errorf("%s: $%s is a number of seconds and of type %s, error %v", file, n[1], kind, err)
			}
		}
	}
}

// seconds are the parameters that hold a time. One that PostgreSQL takes for an
// integer refuses fractions, and what is above 68 years.
var seconds = regexp.MustCompile(`secs => \$(\d+)`)
