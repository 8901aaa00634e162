package main

import (
	"context"
	stdsql "database/sql"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"bascule/importer/sample"
	"bascule/internal/atomicfile"
	"bascule/internal/devenv"
	_ "bascule/sql" // brings the driver "postgres"
)

// A bench is what all stages share: a PostgreSQL with the settings of initdb, a sink,
// and a template of the product's database.
type bench struct {
	options
	dir        string // it holds all files; removed at the end
	postgres   *devenv.Postgres
	admin      *stdsql.DB // the database postgres
	postmaster int        // its process
	sink       *sinkProcess
	made       int // databases so far
}

// The role of the product's commands, and the database that is copied for each
// measurement.
const (
	application = "bascule_application"
	template    = "bench_template"
)

// benchKey is a SECRET_KEY that protects nothing.
const benchKey = "YSBrZXkgb2YgdGhlIGJlbmNoIHRoYXQgcHJvdGVjdHMgbm90aGluZw=="

func newBench(ctx context.Context, o options) (b *bench, err error) {
	if o.bascule, err = filepath.Abs(o.bascule); err != nil {
		return nil, err
	}
	b = &bench{options: o}
	defer func() {
		if err != nil {
			err = errors.Join(err, b.close())
		}
	}()
	if b.dir, err = os.MkdirTemp(o.dir, "bascule-bench-"); err != nil {
		return nil, err
	}
	// pg_stat_statements tells what a row costs PostgreSQL. Four workers side by side
	// need more connections than the default.
	settings := append([]string{"shared_preload_libraries=pg_stat_statements", "pg_stat_statements.track_planning=on", "max_connections=200"}, o.settings...)
	b.postgres, err = devenv.StartPostgres(ctx, filepath.Join(b.dir, "postgres"), settings...)
	if err != nil {
		return nil, err
	}
	if b.admin, err = stdsql.Open("postgres", b.postgres.URL("postgres")); err != nil {
		return nil, err
	}
	if b.sink, err = startSink(ctx, b.dir); err != nil {
		return nil, err
	}
	return b, b.prepare(ctx)
}

// prepare makes the template and the lists.
func (b *bench) prepare(ctx context.Context) error {
	var backend int
	if err := b.admin.QueryRowContext(ctx, `SELECT pg_backend_pid()`).Scan(&backend); err != nil {
		return err
	}
	b.postmaster = parentOf(backend)
	if err := execute(ctx, b.admin, "CREATE ROLE "+application+" LOGIN", "CREATE DATABASE "+template); err != nil {
		return err
	}
	if err := b.postgres.Exec(ctx, template, "CREATE EXTENSION pg_stat_statements"); err != nil {
		return err
	}
	migrate := b.command([]string{"DATABASE_URL=" + b.postgres.URL(template)}, "migrate", "--grant", application)
	if out, err := migrate.CombinedOutput(); err != nil {
		return fmt.Errorf("%s migrate: %w: %s", b.bascule, err, out)
	}
	return nil
}

// command prepares a command of the product. The command sees no variable of our
// environment that it would read.
func (b *bench) command(env []string, args ...string) *exec.Cmd {
	cmd := exec.Command(b.bascule, args...)
	cmd.Dir = b.dir
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + b.dir, "TZ=UTC", "SECRET_KEY=" + benchKey}, env...)
	return cmd
}

// A form is how a list of fictitious subscribers is written.
type form struct {
	extension string
	write     func(w io.Writer, rows int, seed int64) error
}

var (
	csvList  = form{"csv", sample.WriteCSV}
	xlsxList = form{"xlsx", sample.WriteList}
	// xlsxBook has the sheet Dossiers, which the others have not.
	xlsxBook = form{"dossiers.xlsx", sample.Write}
)

// list is a file of fictitious subscribers, made at the first call.
func (b *bench) list(rows int, seed int64, f form) (string, error) {
	path := filepath.Join(b.dir, fmt.Sprintf("list-%d-%d.%s", rows, seed, f.extension))
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	return path, atomicfile.Write(path, func(w io.Writer) error { return f.write(w, rows, seed) })
}

// autovacuum turns autovacuum on or off for all later measurements.
func (b *bench) autovacuum(ctx context.Context, on bool) error {
	return execute(ctx, b.admin, fmt.Sprintf("ALTER SYSTEM SET autovacuum = %t", on), "SELECT pg_reload_conf()")
}

// newDatabase copies a database that nobody uses.
func (b *bench) newDatabase(ctx context.Context, from string) (*database, error) {
	b.made++
	d := &database{name: fmt.Sprintf("bench_%d", b.made), bench: b}
	if err := execute(ctx, b.admin, "CREATE DATABASE "+d.name+" TEMPLATE "+from); err != nil {
		return nil, err
	}
	return d, d.open()
}

// close ends all processes and removes the folder.
func (b *bench) close() error {
	var errs []error
	if b.admin != nil {
		errs = append(errs, b.admin.Close())
	}
	if b.sink != nil {
		errs = append(errs, b.sink.stop())
	}
	if b.postgres != nil {
		errs = append(errs, b.postgres.Stop())
	}
	return errors.Join(append(errs, os.RemoveAll(b.dir))...)
}

// soon waits a moment, or until ctx ends.
func soon(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
