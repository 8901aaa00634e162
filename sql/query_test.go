package sql_test

import (
	"context"
	stdsql "database/sql"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"bascule/internal/devenv/devtest"
	"bascule/sql/sqltest"
)

func TestMain(m *testing.M) { devtest.Main(m) }

// Every query is one that PostgreSQL understands, on the schema of today, and
// that the application's role may run: a renamed column, or one that Grant does
// not give, fails here, not in front of a subscriber.
func TestQueriesPrepare(t *testing.T) {
	db := sqltest.Open(t)
	app, err := stdsql.Open("postgres", sqltest.As(t, db.URL, sqltest.Application))
	if err != nil {
		t.Fatal(err)
	}
	defer app.Close()
	conn, err := app.Conn(context.Background())
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
		if err := explain(tx, string(query)); err != nil {
			t.Errorf("%s: %v", file, err)
			if _, err := tx.Exec("ROLLBACK TO s"); err != nil {
				t.Fatal(err)
			}
			continue
		}
		for _, n := range seconds.FindAllStringSubmatch(string(query), -1) {
			var kind string
			err := tx.QueryRow(`SELECT parameter_types[$1::int]::text FROM pg_prepared_statements WHERE name = 'q'`, n[1]).Scan(&kind)
			if err != nil || kind != "double precision" {
				t.Errorf("%s: $%s is a number of seconds and of type %s, error %v", file, n[1], kind, err)
			}
		}
	}
}

// seconds are the parameters that hold a time. One that PostgreSQL takes for an
// integer refuses fractions, and what is above 68 years.
var seconds = regexp.MustCompile(`secs => \$(\d+)`)

// parameter matches one of a query's.
var parameter = regexp.MustCompile(`\$([0-9]+)`)

// plan is how PostgreSQL would run a query.
func (d *desk) plan(in interface {
	Query(query string, args ...any) (*stdsql.Rows, error)
}, query string, args ...any) (plan string) {
	d.t.Helper()
	rows, err := in.Query("EXPLAIN (VERBOSE) "+query, args...)
	d.must(err)
	defer rows.Close()
	for rows.Next() {
		var line string
		d.must(rows.Scan(&line))
		plan += line + "\n"
	}
	d.must(rows.Err())
	return plan
}

// explain has a query planned with parameters that are all NULL, which looks at
// the rights too, and runs nothing.
func explain(tx *stdsql.Tx, query string) error {
	if _, err := tx.Exec("DEALLOCATE ALL; PREPARE q AS " + query); err != nil {
		return err
	}
	n := 0
	for _, m := range parameter.FindAllStringSubmatch(regexp.MustCompile(`--.*`).ReplaceAllString(query, ""), -1) {
		if i, err := strconv.Atoi(m[1]); err == nil {
			n = max(n, i)
		}
	}
	args := ""
	if n > 0 {
		args = fmt.Sprintf("(%s)", strings.TrimSuffix(strings.Repeat("NULL, ", n), ", "))
	}
	_, err := tx.Exec("EXPLAIN EXECUTE q" + args)
	return err
}
