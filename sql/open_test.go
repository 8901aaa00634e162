package sql_test

import (
	"context"
	"net/url"
	"strings"
	"testing"

	"bascule/sql"
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
// database sets. Who waits for standbys goes on waiting.
func TestCommitsAreDurable(t *testing.T) {
	t.Parallel()
	d := open(t)
	for name, opens := range openers {
		for set, want := range map[string]string{"off": "on", "on": "on", "remote_apply": "remote_apply"} {
			db, err := opens(d.ctx, under(d, "synchronous_commit="+set), 1)
			d.must(err)
			var got string
			d.must(db.Pool().GetContext(d.ctx, &got, `SHOW synchronous_commit`))
			db.Close()
			if got != want {
				t.Errorf("%s, %s: %s, want %s", name, set, got, want)
			}
		}
	}
}

// Pages and workers keep no connection that cannot write: it would stay in the pool when
// the address has long led to the primary. Who only reads may use a standby.
func TestReadOnly(t *testing.T) {
	t.Parallel()
	d := open(t)
	for name, opens := range openers {
		db, err := opens(d.ctx, under(d, "default_transaction_read_only=on"), 1)
		if err == nil {
			db.Close()
		}
		if refused := err != nil && strings.Contains(err.Error(), "give the primary"); refused != (name != "commands") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
