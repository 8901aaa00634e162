package main

import (
	"context"
	stdsql "database/sql"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"bascule/importer/sample"
	"bascule/internal/devenv"
	"bascule/internal/devenv/devtest"
	"bascule/sql/sqltest"
)

// R4: the README's commands for the start of a production work as they stand, on a
// cluster of their own. The application gets a role that owns nothing: no command warns
// of it, and PostgreSQL's log tells no values.
func TestReadmeStart(t *testing.T) {
	t.Parallel()
	postgres := devtest.OwnPostgres(t)
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, start, found := strings.Cut(string(readme), "## A production start")
	blocks := regexp.MustCompile("(?s)```(?:sql|sh)\n(.*?)```").FindAllStringSubmatch(start, 2)
	if !found || len(blocks) != 2 {
		t.Fatal("README has not the two blocks of a start")
	}
	if err := postgres.Exec(t.Context(), "postgres", blocks[0][1]); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := installBascule(filepath.Join(dir, ".bin")); err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(dir, "certificats.xlsx"))
	// The database is elsewhere, and this test waits for no relay.
	_, query, _ := strings.Cut(postgres.URL("bascule"), "?")
	script := strings.ReplaceAll(blocks[1][1], "@db.example/bascule", "@/bascule?"+query)
	script = strings.Replace(script, "bascule serve & bascule work &\n", "", 1)
	script, _, _ = strings.Cut(script, "bascule campaign preview")
	cmd := exec.Command("sh", "-eux", "-c", script)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "PATH="+filepath.Join(dir, ".bin")+":"+os.Getenv("PATH"))
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "Batch 1 of the campaign certificats: 5 rows") || strings.Contains(string(out), "note:") {
		t.Errorf("%v\n%s", err, out)
	}
	db, err := stdsql.Open("postgres", strings.Replace(postgres.URL("bascule"), devenv.Superuser+"@", "bascule_app@", 1))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var set string
	if err := db.QueryRow(`SELECT concat_ws(' ', current_setting('log_error_verbosity'), current_setting('log_min_error_statement'),
		current_setting('log_parameter_max_length'), current_setting('log_parameter_max_length_on_error'))`).Scan(&set); err != nil || set != "terse panic 0 0" {
		t.Errorf("the application's sessions log %s, error %v", set, err)
	}
}

func writeFile(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := sample.Write(f, 5, 1); err != nil {
		t.Fatal(err)
	}
}

// R4: a command that writes says in one line that its role could undo it. A command
// that only reads says nothing.
func TestOwnerIsWarned(t *testing.T) {
	t.Parallel()
	db := sqltest.Open(t)
	list := filepath.Join(t.TempDir(), "list.xlsx")
	writeFile(t, list)
	const warning = "bascule: note: the role bascule owns the tables, or is a superuser:"
	for _, url := range []string{db.URL, sqltest.As(t, db.URL, sqltest.Application)} {
		for args, writes := range map[string]bool{
			"import " + list: true, "retry": true, "reissue --key 0a1b2c3d": true, "resend 00123456": true, "cancel 00123456": true,
			"exclude 00123456 --reason R": true,
			"status":                      false, "show 00123456": false, "report " + filepath.Join(t.TempDir(), "out.xlsx"): false,
		} {
			stderr := runCommand(t.Context(), url, strings.Fields(args)...)
			if want := writes && url == db.URL; strings.Contains(stderr, warning) != want || strings.Count(stderr, "note:") > 1 {
				t.Errorf("%s as %s says %q, a warning is wanted: %t", args, url, stderr, want)
			}
		}
	}
}

// I6: PostgreSQL's own log tells no values of the application's statements. If the
// migrating role cannot arrange that, one line says which role can.
func TestQuietLog(t *testing.T) {
	t.Parallel()
	url := devtest.Postgres(t)
	const owner, app = "bascule_quiet_owner", "bascule_quiet_app"
	raw, err := stdsql.Open("postgres", url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { raw.Close() })
	exec := func(statement string) {
		t.Helper()
		if _, err := raw.Exec(statement); err != nil {
			t.Fatal(err)
		}
	}
	for _, role := range []string{owner, app} {
		if err := sqltest.CreateRole(url, role); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { raw.Exec(`DROP OWNED BY ` + role + ` CASCADE`); raw.Exec(`DROP ROLE ` + role) })
	}
	exec(`ALTER SCHEMA public OWNER TO ` + owner)
	stderr := runCommand(t.Context(), sqltest.As(t, url, owner), "migrate", "--grant", app)
	_, statements, found := strings.Cut(stderr, "have a superuser say: ")
	if !found || strings.Count(stderr, "\n") != 1 {
		t.Fatalf("without the right to set it: %q", stderr)
	}
	exec(statements)
	if stderr := runCommand(t.Context(), sqltest.As(t, url, owner), "migrate", "--grant", app); stderr != "" {
		t.Errorf("once a superuser has said so: %q", stderr)
	}
	exec(`DO $$ BEGIN EXECUTE format('ALTER ROLE ` + app + ` IN DATABASE %I RESET ALL', current_database()); END $$`)
	if stderr := runCommand(t.Context(), url, "migrate", "--grant", app); stderr != "" {
		t.Errorf("as a superuser: %q", stderr)
	}
	var settings string
	if err := raw.QueryRow(`SELECT array_to_string(setconfig, ' ') FROM pg_db_role_setting WHERE setrole = $1::regrole`, app).Scan(&settings); err != nil ||
		settings != "log_error_verbosity=terse log_min_error_statement=panic log_parameter_max_length=0 log_parameter_max_length_on_error=0" {
		t.Errorf("it has set %q, error %v", settings, err)
	}
}

// runCommand runs bascule in this process, on a database.
func runCommand(ctx context.Context, databaseURL string, args ...string) (stderr string) {
	env := map[string]string{"DATABASE_URL": databaseURL, "SECRET_KEY": storyKey}
	var out, errs strings.Builder
	run(ctx, args, func(name string) string { return env[name] }, strings.NewReader(""), &out, &errs)
	return errs.String()
}
