package sql_test

import (
	"fmt"
	"testing"

	"bascule/sql"
)

// statistics are the tables that an import fills, with the rows that the planner
// believes them to have and the columns that it knows.
const statistics = `SELECT string_agg(c.relname || ' ' || c.reltuples::int || ' ' || (SELECT count(*) > 3 FROM pg_stats s WHERE s.tablename = c.relname), ', ' ORDER BY c.relname)
	FROM pg_class c WHERE c.relname IN ('space', 'request', 'held') AND c.relkind = 'r'`

// noAutovacuum keeps PostgreSQL from making statistics by itself, and from visiting
// pages.
func (d *desk) noAutovacuum() {
	d.t.Helper()
	d.Exec(d.t, `DO $$
		DECLARE t regclass;
		BEGIN
			FOR t IN SELECT oid FROM pg_class WHERE relkind = 'r' AND relnamespace = current_schema()::regnamespace LOOP
				EXECUTE format('ALTER TABLE %s SET (autovacuum_enabled = off)', t);
			END LOOP;
		END $$`)
}

// C2: when the mails of a large import start, the planner knows its rows, of new spaces
// and of other addresses of known ones. It need not know the rows of a small import.
func TestImportMakesStatistics(t *testing.T) {
	t.Parallel()
	d := open(t)
	d.noAutovacuum()
	rows := func(n int, name string) (rows []sql.ImportRow) {
		for i := range n {
			rows = append(rows, row(fmt.Sprintf("%06d", i), fmt.Sprintf("%s%d@duvallon.example", name, i)))
		}
		return rows
	}
	want := func(want string) {
		t.Helper()
		if got := d.Text(t, statistics); got != want {
			t.Errorf("the statistics are %q, want %q", got, want)
		}
	}
	d.run(d.sheet(rows(100, "few")...))
	want("held -1 false, request -1 false, space -1 false")
	d.run(d.sheet(rows(500, "new")...))
	want("held 500 true, request 500 true, space 500 true")
	d.run(d.sheet(rows(500, "other")...))
	want("held 500 true, request 500 true, space 500 true")
}

// The function runs as the owner of the tables: nobody may call it but whom Grant
// lets, and a caller's own table of the same name is never looked at.
func TestStatisticsFunctionIsSafe(t *testing.T) {
	t.Parallel()
	d := open(t)
	if got := d.Text(t, `SELECT prosecdef || ' ' || array_to_string(proconfig, ';') || ' ' || has_function_privilege('public', oid, 'EXECUTE')
		FROM pg_proc WHERE proname = 'analyze_filled'`); got != "true search_path=public, pg_temp false" {
		t.Errorf("definer, path and right of everybody: %s", got)
	}
}
