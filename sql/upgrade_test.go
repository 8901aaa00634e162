package sql_test

import (
	stdsql "database/sql"
	"flag"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/pressly/goose/v3"

	"bascule/internal/devenv/devtest"
	"bascule/sql"
	"bascule/sql/sqltest"
)

var update = flag.Bool("update", false, "write testdata anew")

// The first release: its migrations, and rows that it left in each state, with a
// mail under way and others that are due.
const (
	firstRelease     = 3
	firstReleaseRows = "testdata/first-release.sql"
)

// C9: a database of the first release is upgraded with all its rows. Every request
// keeps its state, the code that was mailed activates, and mails that were due go out.
func TestUpgrade(t *testing.T) {
	t.Parallel()
	if *update {
		writeFirstRelease(t)
	}
	url := devtest.Postgres(t)
	raw, err := stdsql.Open("postgres", url)
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	first, err := goose.NewProvider(goose.DialectPostgres, raw, os.DirFS("migrations"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := first.UpTo(t.Context(), firstRelease); err != nil {
		t.Fatal(err)
	}
	rows, err := os.ReadFile(firstReleaseRows)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := raw.Exec(`SET session_replication_role = replica; DELETE FROM breaker; ` + string(rows)); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open(t.Context(), url, 4)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	d := &desk{DB: &sqltest.DB{DB: db, URL: url, Raw: raw}, t: t, ctx: t.Context(), keys: sqltest.Keys(t)}
	d.must(d.Migrate(d.ctx))
	d.must(d.CheckSchema(d.ctx))
	var at time.Time
	d.must(raw.QueryRow(`SELECT max(at) + interval '10 seconds' FROM audit`).Scan(&at))
	d.Freeze(t, at)
	d.sound()
	const want = "1 activated, 2 mailed, 3 requested, 4 expired, 5 cancelled, 6 undeliverable, 7 requested, 8 requested"
	if got := d.Text(t, `SELECT string_agg(s.number || ' ' || request_state(r, $1), ', ' ORDER BY s.number)
		FROM request_code r JOIN space s ON s.id = r.space_id`, at); got != want {
		t.Errorf("the requests are %s, want %s", got, want)
	}
	mailed := d.latest("2")
	d.must(d.activate(d.proofOf(mailed)))
	// Due were an option's two, a new password, the word about an expired code and a code; one more is in the hands of a worker.
	if n := d.deliver(); n != 5 {
		t.Errorf("%d mails were due, want 5", n)
	}
	d.Freeze(t, at.Add(sql.Lease))
	if n := d.deliver(); n != 1 {
		t.Errorf("%d mails were under way, want 1", n)
	}
	d.sound()
}

// writeFirstRelease writes what a database of this release holds.
func writeFirstRelease(t *testing.T) {
	d := open(t)
	d.switched("1", "switched@duvallon.example")
	d.askReset("switched@duvallon.example")
	d.invited("2", "mailed@duvallon.example")
	_, p := d.invited("3", "contact@duvallon.example")
	_, err := d.choose(p, "chosen@duvallon.example")
	d.must(err)
	expired, _ := d.invited("4", "expired@duvallon.example")
	d.expire(expired)
	d.invited("5", "cancelled@duvallon.example")
	d.must(d.CancelNumber(d.ctx, "5"))
	d.refuse(d.invite("6", "refused@duvallon.example"))
	d.startOf(d.invite("7", "under-way@duvallon.example"))
	d.invite("8", "due@duvallon.example")
	d.exclude("elsewhere.example")
	dump := exec.Command("pg_dump", "--data-only", "--column-inserts", "--exclude-table=goose_db_version", d.URL)
	out, err := dump.Output()
	d.must(err)
	var kept []string
	for line := range strings.Lines(string(out)) {
		if strings.HasPrefix(line, "INSERT") || strings.HasPrefix(line, "SELECT pg_catalog.setval") {
			kept = append(kept, line)
		}
	}
	d.must(os.WriteFile(firstReleaseRows, []byte(strings.Join(kept, "")), 0o644))
}
