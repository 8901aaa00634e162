package sql_test

import (
	"os"
	"testing"

	"github.com/google/uuid"
	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"

	"bascule/sql"
)

// fill makes n open requests whose code mails are due, as an import does. Nobody
// has made statistics of them.
func (d *desk) fill(n int) {
	d.t.Helper()
	d.Exec(d.t, `
		WITH spaces AS (
			INSERT INTO space (number, holder, contact_email, contact_key, serial, issuer, certificate_expires, contents)
			SELECT 'N' || i, 'Camille Duvallon', i || '@a.example', i || '@a.example', to_hex(i), '', '2099-01-01', gen_random_uuid()
			FROM generate_series(1, $1::int) i
			RETURNING id, contact_email
		), requests AS (
			INSERT INTO request (space_id, origin, requested_at) SELECT id, 'import', bascule_now() FROM spaces RETURNING id, space_id
		), codes AS (
			INSERT INTO code (request_id, generation, purpose, email, email_key, key_id, nonce)
			SELECT r.id, 1, 'identify', s.contact_email, s.contact_email, $2, uuid_send(gen_random_uuid())
			FROM requests r JOIN spaces s ON s.id = r.space_id
		)
		INSERT INTO obligation (lane, kind, space_id, request_id, generation, due_at)
		SELECT 'bulk', 'code', space_id, id, 1, bascule_now() FROM requests`, n, d.keys.Newest())
}

// pages is how many pages of the product's tables and indexes the transaction
// has read or changed.
func (d *desk) pages(tx *sqlx.Tx) (n int) {
	d.t.Helper()
	d.must(tx.Get(&n, `SELECT sum(pg_stat_get_xact_blocks_fetched(oid)) FROM pg_class
		WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'i')`))
	return n
}

// I8: a code mail is a bounded number of pages, from its claim to its end, however
// many others wait, with exclusions and without, and with no statistics: the
// planner has no choice.
func TestPagesOfAMail(t *testing.T) {
	t.Parallel()
	d := open(t)
	d.fill(20_000)
	const window = 64
	for _, excluded := range []bool{false, true} {
		if excluded {
			d.exclude("b.example")
		}
		tx, err := sqlx.NewDb(d.Raw, "postgres").Beginx()
		d.must(err)
		defer tx.Rollback()
		tx.MustExec(sql.ByIndex)
		token := uuid.NewString()
		var ids pq.Int64Array
		before := d.pages(tx)
		for _, step := range []struct {
			name string
			most int // pages a mail
			args func() []any
			into *pq.Int64Array
		}{
			{"claim_mail", 10, func() []any { return []any{"bulk", window, token, 60.0, false, 0, 1} }, &ids},
			{"read_mail", 20, func() []any { return []any{ids} }, nil},
			{"judge_mail", 20, func() []any { return []any{token, ids, false} }, nil},
			{"start_codes", 27, func() []any { return []any{ids, ids, 60.0, 60.0} }, nil},
			{"finish_accepted", 36, func() []any { return []any{token, ids} }, nil},
		} {
			query, err := os.ReadFile("query/" + step.name + ".sql")
			d.must(err)
			rows, err := tx.Queryx(string(query), step.args()...)
			d.must(err)
			for rows.Next() {
				var id int64
				if step.into != nil {
					d.must(rows.Scan(&id))
					*step.into = append(*step.into, id)
				}
			}
			d.must(rows.Close())
			after := d.pages(tx)
			if a := (after - before) / window; a > step.most {
				t.Errorf("excluded %v: %s reads %d pages a mail, %d at the most", excluded, step.name, a, step.most)
			}
			before = after
		}
		var n int
		d.must(tx.Get(&n, `SELECT count(*) FROM code WHERE mailed_at IS NOT NULL`))
		if n != window {
			t.Errorf("%d codes were mailed, want %d", n, window)
		}
	}
}
