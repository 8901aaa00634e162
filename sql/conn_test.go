package sql_test

import (
	"context"
	"testing"

	"github.com/jmoiron/sqlx"

	"bascule/sql"
	"bascule/sql/sqltest"
)

// pagesOfOne is a pool of one connection that prepares its statements.
func pagesOfOne(t *testing.T) (*desk, *sqlx.DB) {
	t.Helper()
	d := open(t)
	db, err := sql.OpenPages(d.ctx, sqltest.As(t, d.URL, sqltest.Application), 1)
	d.must(err)
	t.Cleanup(func() { db.Close() })
	return d, db.Pool()
}

// I8: a connection prepares each statement with arguments once, in a transaction too.
func TestPrepared(t *testing.T) {
	t.Parallel()
	d, pool := pagesOfOne(t)
	const query = `SELECT count(*) FROM space WHERE id = $1`
	var n int
	for range 3 {
		d.must(pool.GetContext(d.ctx, &n, query, 1))
	}
	tx, err := pool.BeginTxx(d.ctx, nil)
	d.must(err)
	d.must(tx.GetContext(d.ctx, &n, query, 1))
	d.must(tx.Commit())
	d.must(pool.GetContext(d.ctx, &n, `SELECT generic_plans FROM pg_prepared_statements WHERE statement = '`+query+`'`))
	if n != 4 {
		t.Errorf("%d uses of one plan, want 4", n)
	}
}

// A connection whose prepared statement was cancelled is not used again: it is about to
// be closed.
func TestCancelledIsNotKept(t *testing.T) {
	t.Parallel()
	d, pool := pagesOfOne(t)
	before := backend(d, pool)
	read := func(ctx context.Context) error {
		_, err := pool.ExecContext(ctx, `SELECT FROM space WHERE id = $1`, 1)
		return err
	}
	d.must(read(d.ctx))
	release := d.hold(`LOCK TABLE space`)
	ctx, cancel := context.WithCancel(d.ctx)
	defer cancel()
	done := later(func() error { return read(ctx) })
	d.waiting(1)
	cancel()
	if err := <-done; err == nil {
		t.Error("it has succeeded")
	}
	release()
	if backend(d, pool) == before {
		t.Error("its connection is used again")
	}
}

// A connection that prepared a statement before the schema changed gives way to one
// that prepares it anew.
func TestStaleStatement(t *testing.T) {
	t.Parallel()
	d, pool := pagesOfOne(t)
	read := func() error {
		_, err := pool.ExecContext(d.ctx, `SELECT line FROM rejected WHERE batch_id = $1`, 1)
		return err
	}
	d.must(read())
	d.Exec(t, `ALTER TABLE rejected ALTER COLUMN line TYPE bigint`)
	if err := read(); err == nil {
		t.Fatal("the plan is not stale: the test proves nothing")
	}
	d.must(read())
}

// backend is the process of the pool's connection.
func backend(d *desk, pool *sqlx.DB) (pid int) {
	d.t.Helper()
	d.must(pool.GetContext(d.ctx, &pid, `SELECT pg_backend_pid()`))
	return pid
}
