package sql

import (
	"context"
	stdsql "database/sql"
	"errors"
	"fmt"
	"iter"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"

	"bascule/internal/conversion"
)

// wrap names the operation that met an error. Without an error it returns nil.
func wrap(err error, operation string, args ...any) error {
	if err == nil {
		return nil
	}
	if _, direct := err.(*pq.Error); direct && sqlState(err) == "57014" {
		err = cancelledError{err}
	}
	return marked(fmt.Errorf("%s: %w", fmt.Sprintf(operation, args...), err))
}

// A cancelledError is a statement's that was cancelled. PostgreSQL calls that the user's
// request, but no user has asked for it: the time that we give a statement was over.
type cancelledError struct{ error }

func (cancelledError) Error() string {
	return "the statement took too long and was cancelled (57014): pg_stat_activity and pg_locks tell what it waited for"
}

func (e cancelledError) Unwrap() error { return e.error }

// found makes conversion.ErrNotFound of the lack of a row.
func found(err error) error {
	if errors.Is(err, stdsql.ErrNoRows) {
		return conversion.ErrNotFound
	}
	return err
}

// A step is a statement of a transaction that returns no rows.
type step struct {
	query string
	args  []any
	none  error // the error if no row changes; nil: that is right, too
}

func do(query string, args ...any) step { return step{query: query, args: args} }

// or is the step that returns none if it changes no row.
func (s step) or(none error) step {
	s.none = none
	return s
}

// run runs the steps, one after the other.
func run(ctx context.Context, x sqlx.ExecerContext, steps ...step) error {
	for _, s := range steps {
		n, err := affected(x.ExecContext(ctx, s.query, s.args...))
		if err == nil && n == 0 {
			err = s.none
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// steps runs the steps in a transaction.
func (db *DB) steps(ctx context.Context, steps ...step) error {
	return db.inTx(ctx, func(tx *sqlx.Tx) error { return run(ctx, tx, steps...) })
}

// exec runs one statement that returns no rows.
func (db *DB) exec(ctx context.Context, query string, args ...any) error {
	return busy(run(ctx, db.x, do(query, args...)))
}

// get reads the one row of a query.
func get[T any](ctx context.Context, q sqlx.QueryerContext, query string, args ...any) (row T, err error) {
	err = sqlx.GetContext(ctx, q, &row, query, args...)
	return row, err
}

// first reads the first row of a query, the zero T if there is none.
func first[T any](ctx context.Context, q sqlx.QueryerContext, query string, args ...any) (T, error) {
	row, err := get[T](ctx, q, query, args...)
	if errors.Is(err, stdsql.ErrNoRows) {
		err = nil
	}
	return row, err
}

// readRows streams the rows of a query. The rows are closed when the loop ends.
func readRows[T any](ctx context.Context, q sqlx.QueryerContext, query string, args ...any) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var row T
		rows, err := q.QueryxContext(ctx, query, args...)
		if err != nil {
			yield(row, err)
			return
		}
		defer rows.Close()
		for rows.Next() {
			var row T
			if err := rows.StructScan(&row); err != nil {
				yield(row, err)
				return
			}
			if !yield(row, nil) {
				return
			}
		}
		if err := rows.Err(); err != nil {
			yield(row, err)
		}
	}
}

func copyRows[T any](ctx context.Context, tx *sqlx.Tx, rows iter.Seq2[T, error], query string, values func(T) []any) (n int, err error) {
	stmt, err := tx.PrepareContext(ctx, query)
	if err != nil {
		return 0, err
	}
	defer stmt.Close()
	for row, err := range rows {
		if err != nil {
			return n, err
		}
		if _, err := stmt.ExecContext(ctx, values(row)...); err != nil {
			return n, err
		}
		n++
	}
	_, err = stmt.ExecContext(ctx)
	return n, err
}
