package sql

import (
	"context"
	stdsql "database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"
)

// Open connects to the database of a DATABASE_URL with at most conns connections. The
// caller closes it. No error repeats the URL, as any part of it may be a mistyped
// password.
func Open(ctx context.Context, url string, conns int) (*DB, error) {
	return open(ctx, &connector{url: url, settings: own}, conns)
}

// OpenPages is Open for pages. Each statement is prepared once and goes by the indexes.
// None waits longer for a lock than PagePatience: then it returns ErrBusy and has
// changed nothing.
func OpenPages(ctx context.Context, url string, conns int) (*DB, error) {
	settings := fmt.Sprintf("%s; %s; SET lock_timeout = %d", own, byIndex, PagePatience.Milliseconds())
	return open(ctx, &connector{url: url, settings: settings, serves: true}, conns)
}

// OpenWork is Open for workers: each statement is prepared once and goes by the indexes.
func OpenWork(ctx context.Context, url string, conns int) (*DB, error) {
	return open(ctx, &connector{url: url, settings: own + "; " + byIndex, serves: true}, conns)
}

// own undoes settings of the role or the database (ALTER ROLE … SET) under which the
// product would not hold what it promises:
//   - synchronous_commit: a COMMIT would return before it is on the disk, and a crash of
//     PostgreSQL would forget a switch (R4) or the start of a mail (I5).
//   - default_transaction_isolation: who has waited for a lock has to see what its holder
//     has committed.
//   - the timeouts: an import takes minutes, also between two statements. The limits of
//     our patience are our own.
//   - TimeZone: a day would have 23 hours once a year, and a code of 60 days be refused.
//
// It also turns jit off: no statement is so long that compiling it pays.
//
// PostgreSQL 14 knows no transaction_timeout.
const own = `SELECT set_config(name, ours, false) FROM (VALUES ('synchronous_commit', 'on'),
	('default_transaction_isolation', 'read committed'), ('TimeZone', 'UTC'), ('jit', 'off'), ('statement_timeout', '0'), ('lock_timeout', '0'),
	('idle_in_transaction_session_timeout', '0'), ('idle_session_timeout', '0'), ('transaction_timeout', '0')) AS s (name, ours)
	WHERE current_setting(name, true) <> ours AND (name <> 'synchronous_commit' OR current_setting('synchronous_commit') = 'off')`

// byIndex leaves the planner no choice. Statements of workers and pages find a bounded
// number of rows by their keys. Without statistics, the planner could choose to read a
// whole table, for each window of mails.
//
// Such a plan is as good for any other arguments, so PostgreSQL makes it once.
const byIndex = "SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off; SET enable_bitmapscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off"

// PagePatience is how long a statement of a page waits for a lock that another
// transaction holds. An import may hold one for as long as it applies its rows. A page
// that waits keeps a connection from all others.
const PagePatience = 2 * time.Second

func open(ctx context.Context, pool *connector, conns int) (*DB, error) {
	var err error
	if pool.url, err = postgresURL(pool.url); err == nil {
		_, err = newConnector(pool.url, pool.serves)
	}
	if err != nil {
		return nil, err
	}
	pool.patience.Store(int64(longest))
	db := &DB{x: sqlx.NewDb(stdsql.OpenDB(pool), "postgres"), probe: stdsql.OpenDB(pool), pool: pool}
	if err := db.greet(ctx); err != nil {
		db.Close()
		return nil, connectError(err)
	}
	db.x.SetMaxOpenConns(conns)
	db.x.SetMaxIdleConns(conns)
	db.x.SetConnMaxIdleTime(5 * time.Minute)
	db.probe.SetMaxOpenConns(1)
	return db, nil
}

// greet tries two connections: each must be a session of its own.
func (db *DB) greet(ctx context.Context) error {
	conn, err := db.x.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	var backend int
	var replica bool
	err = conn.QueryRowContext(ctx, `SELECT pg_backend_pid(), current_setting('session_replication_role') = 'replica'`).Scan(&backend, &replica)
	if err == nil && replica {
		err = errReplica
	}
	for try := 0; try < poolerTries && err == nil; try++ {
		err = db.checkSession(ctx, conn, backend)
	}
	return err
}

var errReplica = errors.New("its sessions start with session_replication_role = replica, so that triggers do not run and nothing is counted:" +
	" have a superuser say ALTER ROLE … RESET session_replication_role, or ALTER DATABASE … RESET session_replication_role")

// poolerTries is how often a pooler is put to the test: it may give the same process again
// by chance, while other clients are busy.
const poolerTries = 3

const process = `SELECT pg_backend_pid()`

var errPooler = errors.New("it leads to a pooler that lends connections for one transaction only, and would run what other clients prepared:" +
	" have it pool sessions (PgBouncer: pool_mode = session), or give PostgreSQL's own address")

// checkSession returns errPooler if another process than backend answers conn, also while
// another connection is in a transaction, or if backend answers that one, too.
func (db *DB) checkSession(ctx context.Context, conn *stdsql.Conn, backend int) error {
	if err := answeredBy(ctx, conn, backend); err != nil {
		return err
	}
	tx, err := db.begin(ctx, &stdsql.TxOptions{ReadOnly: true}) // a standby begins no other
	if err != nil {
		return err
	}
	defer tx.Rollback()
	other, err := get[int](ctx, tx, process)
	if err == nil && other == backend {
		err = errPooler
	}
	if err != nil {
		return err
	}
	return answeredBy(ctx, conn, backend)
}

func answeredBy(ctx context.Context, conn *stdsql.Conn, backend int) error {
	var answers int
	err := conn.QueryRowContext(ctx, process).Scan(&answers)
	if err == nil && answers != backend {
		err = errPooler
	}
	return err
}
