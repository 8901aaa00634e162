package sql_test

import (
	"context"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"bascule/internal/devenv"
	"bascule/internal/devenv/devtest"
	"bascule/sql"
	"bascule/sql/sqltest"
)

var openers = map[string]func(context.Context, string, int) (*sql.DB, error){
	"commands": sql.Open, "pages": sql.OpenPages, "work": sql.OpenWork,
}

// under is the URL of the database for sessions that begin with a setting, as ALTER ROLE
// or ALTER DATABASE gives it to them.
func under(d *desk, setting string) string {
	d.t.Helper()
	u, err := url.Parse(d.URL)
	d.must(err)
	options := u.Query()
	options.Set("options", "-c "+setting)
	u.RawQuery = options.Encode()
	return u.String()
}

// R4, I5: what was committed outlives a crash of PostgreSQL, whatever a role or a
// database sets. Who waits for standbys goes on waiting. What else they set counts for
// other programs alone: statements that wait or take long are not cut off, none is compiled,
// who waited for a lock sees what was committed, days have 24 hours.
func TestSettingsOfOthers(t *testing.T) {
	t.Parallel()
	d := open(t)
	for name, opens := range openers {
		for setting, want := range map[string]string{
			"synchronous_commit=off":                          "on",
			"synchronous_commit=on":                           "on",
			"synchronous_commit=remote_apply":                 "remote_apply",
			"default_transaction_isolation=serializable":      "read committed",
			"default_transaction_isolation=repeatable\\ read": "read committed",
			"TimeZone=Pacific/Auckland":                       "UTC",
			"statement_timeout=1min":                          "0",
			"lock_timeout=1min":                               "0",
			"idle_in_transaction_session_timeout=1min":        "0",
			"idle_session_timeout=1min":                       "0",
			"jit=on":                                          "off",
		} {
			if name == "pages" && strings.HasPrefix(setting, "lock_timeout") {
				want = "2s"
			}
			db, err := opens(d.ctx, under(d, setting), 1)
			d.must(err)
			var got string
			set, _, _ := strings.Cut(setting, "=")
			d.must(db.Pool().GetContext(d.ctx, &got, `SHOW `+set))
			db.Close()
			if got != want {
				t.Errorf("%s, %s: %s, want %s", name, setting, got, want)
			}
		}
	}
}

// Sessions in which triggers do not run are refused: nothing would be counted, and no
// trigger would keep what is over.
func TestSessionsWithoutTriggers(t *testing.T) {
	t.Parallel()
	d := open(t)
	for name, opens := range openers {
		db, err := opens(d.ctx, under(d, "session_replication_role=replica"), 1)
		if err == nil {
			db.Close()
		}
		if err == nil || !strings.Contains(err.Error(), "RESET session_replication_role") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Pages and workers keep no connection that cannot write: it would stay in the pool when
// the address has long led to the primary. Who only reads may use a standby.
func TestReadOnly(t *testing.T) {
	t.Parallel()
	d := open(t)
	for server, url := range map[string]string{"read-only": under(d, "default_transaction_read_only=on"), "standby": standby(d)} {
		for name, opens := range openers {
			db, err := opens(d.ctx, url, 1)
			if err == nil {
				_, err = db.Status(d.ctx, 0)
				db.Close()
			}
			if reads := name == "commands"; (err == nil) != reads || !reads && !strings.Contains(err.Error(), "give the primary") {
				t.Errorf("%s, %s: %v", server, name, err)
			}
		}
	}
}

// standby is the URL of a migrated database on a server that is a standby.
func standby(d *desk) string {
	d.t.Helper()
	primary := devtest.OwnPostgres(d.t)
	db, err := sql.Open(d.ctx, primary.URL("postgres"), 1)
	d.must(err)
	d.must(db.Migrate(d.ctx))
	var data string
	d.must(db.Pool().Get(&data, `SHOW data_directory`))
	db.Close()
	d.must(primary.Stop())
	d.must(os.WriteFile(filepath.Join(data, "standby.signal"), nil, 0o666))
	server, err := devenv.StartPostgres(d.ctx, filepath.Dir(data))
	d.must(err)
	d.t.Cleanup(func() { server.Stop() })
	return server.URL("postgres")
}

// Tables that exist where the role does not look are not taken for missing: to migrate
// again would not help.
func TestHiddenSchema(t *testing.T) {
	t.Parallel()
	d := open(t)
	db, err := sql.Open(d.ctx, under(d, "search_path=nowhere"), 1)
	d.must(err)
	defer db.Close()
	if err := db.CheckSchema(d.ctx); err == nil || errors.Is(err, sql.ErrSchema) || !strings.Contains(err.Error(), "search_path") {
		t.Errorf("%v", err)
	}
}

// A schema that comes before the one with the tables, such as one named after the role,
// has nobody migrate into it once more.
func TestOtherSchemaFirst(t *testing.T) {
	t.Parallel()
	d := open(t)
	d.Exec(t, `CREATE SCHEMA other`)
	db, err := sql.Open(d.ctx, under(d, "search_path=other,public"), 1)
	d.must(err)
	defer db.Close()
	for name, do := range map[string]func(context.Context) error{"check": db.CheckSchema, "migrate": db.Migrate} {
		if err := do(d.ctx); err == nil || errors.Is(err, sql.ErrSchema) || !strings.Contains(err.Error(), `SET search_path = "public"`) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The functions know the schema that they were made in. In a renamed one no command starts:
// mails would go out, and no outcome be recorded.
func TestRenamedSchema(t *testing.T) {
	t.Parallel()
	d := open(t)
	d.Exec(t, `ALTER SCHEMA public RENAME TO "Bascule"; CREATE SCHEMA public`)
	db, err := sql.Open(d.ctx, under(d, `search_path="Bascule"`), 1)
	d.must(err)
	defer db.Close()
	for name, do := range map[string]func(context.Context) error{"check": db.CheckSchema, "migrate": db.Migrate} {
		if err := do(d.ctx); err == nil || !strings.HasSuffix(err.Error(), `ALTER SCHEMA "Bascule" RENAME TO public`) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Whoever cannot make tables is told what to do: that the owner alone may migrate would not
// help the owner.
func TestNoRoomForTables(t *testing.T) {
	t.Parallel()
	const role = "bascule_roomless"
	d := open(t)
	d.must(sqltest.CreateRole(d.URL, role))
	t.Cleanup(func() { d.Exec(t, `DROP ROLE `+role) })
	for _, c := range []struct{ url, remedy string }{
		{sqltest.As(t, devtest.Postgres(t), role), `ALTER SCHEMA public OWNER TO bascule_roomless`},
		{under(d, "search_path=nowhere"), `ALTER ROLE bascule SET search_path = public`},
	} {
		db, err := sql.Open(d.ctx, c.url, 1)
		d.must(err)
		defer db.Close()
		if err := db.Migrate(d.ctx); err == nil || !strings.Contains(err.Error(), c.remedy) {
			t.Errorf("%v, want %s", err, c.remedy)
		}
	}
}

// A database that cannot keep every name is refused before anything is stored.
func TestEncoding(t *testing.T) {
	t.Parallel()
	d := open(t)
	u, err := url.Parse(d.URL)
	d.must(err)
	for encoding, refused := range map[string]bool{"LATIN1": true, "SQL_ASCII": false} {
		name := strings.TrimPrefix(u.Path, "/") + "_" + strings.ToLower(encoding)
		d.Exec(t, `CREATE DATABASE `+name+` ENCODING `+encoding+` LOCALE 'C' TEMPLATE template0`)
		t.Cleanup(func() { d.Exec(t, `DROP DATABASE `+name) })
		other := *u
		other.Path = "/" + name
		db, err := sql.Open(d.ctx, other.String(), 1)
		d.must(err)
		if err := db.Migrate(d.ctx); (err != nil) != refused || refused && !strings.Contains(err.Error(), "'UTF8'") {
			t.Errorf("%s: %v", encoding, err)
		}
		db.Close()
	}
}
