package main

import (
	"context"
	stdsql "database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"
)

// A database is one database of the cluster, with the rights of its owner.
type database struct {
	*stdsql.DB
	name  string
	bench *bench
}

func (d *database) open() (err error) {
	d.DB, err = stdsql.Open("postgres", d.bench.postgres.URL(d.name))
	return err
}

// drop removes the database, even if somebody is connected.
func (d *database) drop() error {
	err := d.Close()
	_, dropped := d.bench.admin.Exec("DROP DATABASE IF EXISTS " + d.name + " WITH (FORCE)")
	return errors.Join(err, dropped)
}

// forgetStatistics brings a database into the state before its first analysis. The
// owner of the cluster may write the catalogues.
var forgetStatistics = []string{
	`DELETE FROM pg_statistic`,
	`UPDATE pg_class SET reltuples = -1, relpages = 0, relallvisible = 0 WHERE relnamespace = 'public'::regnamespace`,
}

const (
	checkpoint = `CHECKPOINT` // each measurement starts from the same state
	vacuum     = `VACUUM ANALYZE`
)

// An executor is a pool or a transaction.
type executor interface {
	ExecContext(ctx context.Context, query string, args ...any) (stdsql.Result, error)
}

// execute runs statements, one after another.
func execute(ctx context.Context, db executor, statements ...string) error {
	for _, statement := range statements {
		if _, err := db.ExecContext(ctx, statement); err != nil {
			return fmt.Errorf("%.60s: %w", statement, err)
		}
	}
	return nil
}

func (d *database) count(ctx context.Context, query string) (n int, err error) {
	err = d.QueryRowContext(ctx, query).Scan(&n)
	return n, err
}

// filled lists the tables that hold rows here and none in the template. So the
// reference follows the schema.
func (d *database) filled(ctx context.Context) ([]string, error) {
	before, err := d.bench.newDatabase(ctx, template)
	if err != nil {
		return nil, err
	}
	defer before.drop()
	was, err := before.withRows(ctx)
	if err != nil {
		return nil, err
	}
	is, err := d.withRows(ctx)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(is, func(t string) bool { return slices.Contains(was, t) }), nil
}

// withRows lists the tables that are not empty, in the order in which the migrations make
// them: the foreign keys of each hold once those before are filled.
func (d *database) withRows(ctx context.Context) (names []string, err error) {
	all, err := d.strings(ctx, `SELECT quote_ident(relname) FROM pg_class
		WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition ORDER BY oid`)
	if err != nil {
		return nil, err
	}
	for _, name := range all {
		n, err := d.count(ctx, `SELECT count(*) FROM (SELECT FROM `+name+` LIMIT 1) AS t`)
		if err != nil {
			return nil, err
		}
		if n > 0 {
			names = append(names, name)
		}
	}
	return names, nil
}

func (d *database) strings(ctx context.Context, query string) (list []string, err error) {
	rows, err := d.QueryContext(ctx, query)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			return nil, err
		}
		list = append(list, s)
	}
	return list, rows.Err()
}

// A copied table has its rows in a file.
type copied struct{ table, path string }

// copyOut writes the rows of the filled tables to files.
func (d *database) copyOut(ctx context.Context) (files []copied, err error) {
	tables, err := d.filled(ctx)
	if err != nil {
		return nil, err
	}
	for i, table := range tables {
		c := copied{table, filepath.Join(d.bench.dir, fmt.Sprintf("%s-%d.copy", d.name, i))}
		if err := execute(ctx, d, "COPY "+c.table+" TO '"+c.path+"'"); err != nil {
			return nil, err
		}
		files = append(files, c)
	}
	return files, nil
}

// copyIn fills a fresh database of the product from files, in one transaction, and
// tells how long that took. Indexes, checks and foreign keys are the product's. Its own
// triggers, which run for each row, are off.
func (b *bench) copyIn(ctx context.Context, files []copied) (took time.Duration, err error) {
	d, err := b.newDatabase(ctx, template)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, d.drop()) }()
	var quieten, fill []string
	for _, c := range files {
		quieten = append(quieten, "ALTER TABLE "+c.table+" DISABLE TRIGGER USER")
		fill = append(fill, "COPY "+c.table+" FROM '"+c.path+"'")
	}
	if err := execute(ctx, d, append(quieten, checkpoint)...); err != nil {
		return 0, err
	}
	began := time.Now()
	tx, err := d.BeginTx(ctx, nil)
	if err != nil {
		return 0, err
	}
	defer tx.Rollback()
	if err := execute(ctx, tx, fill...); err != nil {
		return 0, err
	}
	if err := tx.Commit(); err != nil {
		return 0, err
	}
	return time.Since(began), nil
}
