package sql_test

import (
	"context"
	"os"
	"path/filepath"
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
		}
	}
}
