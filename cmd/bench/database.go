package main

import (
	"context"
	stdsql "database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
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

// withRows lists the tables that are not empty, in the order in which they were made: a
// table refers to earlier ones alone.
func (d *database) withRows(ctx context.Context) (names []string, err error) {
	var all string
	err = d.QueryRowContext(ctx, `SELECT string_agg(quote_ident(relname), ' ' ORDER BY oid) FROM pg_class
		WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'`).Scan(&all)
	if err != nil {
		return nil, err
	}
	for name := range strings.FieldsSeq(all) {
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

// A copied table has its rows in a file.
type copied struct{ table, path string }

// copyOut writes the rows of all tables to files. So the reference follows the schema.
func (d *database) copyOut(ctx context.Context) (files []copied, err error) {
	tables, err := d.withRows(ctx)
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
// tells how long that took. Tables that have rows already stay as they are. Indexes,
// checks and foreign keys are the product's. Its own triggers, which run for each row,
// are off.
func (b *bench) copyIn(ctx context.Context, files []copied) (took time.Duration, err error) {
	d, err := b.newDatabase(ctx, template)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, d.drop()) }()
	had, err := d.withRows(ctx)
	if err != nil {
		return 0, err
	}
	var quieten, fill []string
	for _, c := range files {
		if slices.Contains(had, c.table) {
			continue
		}
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
