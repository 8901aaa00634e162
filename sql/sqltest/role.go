package sqltest

import (
	"context"
	stdsql "database/sql"
	"net/url"
	"testing"

	"bascule/sql"
)

// Application is the role that the product's pool logs in as in tests. It has
// what sql.DB.Grant gives and nothing else, so every test that passes proves
// that the product needs no more.
const Application = "bascule_application"

// migrate makes the template of every test's database, as its owner.
func migrate(url string) error {
	ctx := context.Background()
	db, err := sql.Open(ctx, url, 2)
	if err != nil {
		return err
	}
	defer db.Close()
	if err := db.Migrate(ctx); err != nil {
		return err
	}
	if err := CreateRole(url, Application); err != nil {
		return err
	}
	return db.Grant(ctx, Application)
}

// CreateRole makes a role of the cluster, which all databases share, unless
// another test has made it.
func CreateRole(url, name string) error {
	db, err := stdsql.Open("postgres", url)
	if err != nil {
		return err
	}
	defer db.Close()
	_, err = db.Exec(`DO $$ BEGIN CREATE ROLE ` + name + ` LOGIN; EXCEPTION WHEN duplicate_object OR unique_violation THEN END $$`)
	return err
}

// As is the URL of the same database for another role.
func As(t testing.TB, dbURL, role string) string {
	t.Helper()
	u, err := url.Parse(dbURL)
	must(t, err)
	u.User = url.User(role)
	return u.String()
}
