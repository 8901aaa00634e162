package sql

import (
	"context"
	"iter"

	"github.com/jmoiron/sqlx"
)

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
	if _, err := stmt.ExecContext(ctx); err != nil {
		return n, err
	}
	return n, nil
}
