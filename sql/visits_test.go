package sql_test

import (
	"context"
	stdsql "database/sql"
	"errors"
	"fmt"
	"testing"
	"time"

	"bascule/internal/conversion"
	"bascule/sql"
	"bascule/sql/sqltest"
)

// fill makes n open requests whose code mails are due, as an import does; the first
// 10 000 codes have their tags; some addresses have eight spaces. Nobody has made statistics of them.
func (d *desk) fill(n int) {
	d.t.Helper()
	d.Exec(d.t, `
		WITH spaces AS (
			INSERT INTO space (number, holder, contact_email, contact_key, serial, issuer, certificate_expires, contents)
			SELECT 'N' || i, 'Camille Duvallon', email, email, to_hex(i), '', '2099-01-01', gen_random_uuid()
			FROM generate_series(1, $1::int) i, LATERAL (SELECT CASE WHEN i BETWEEN 100000 AND 100255 THEN 'firm' || i / 8 ELSE i::text END || '@a.example' AS email) AS a
			RETURNING id, contact_email
		), requests AS (
			INSERT INTO request (space_id, origin, requested_at) SELECT id, 'import', bascule_now() FROM spaces RETURNING id, space_id
		), codes AS (
			INSERT INTO code (request_id, generation, purpose, email, email_key, key_id, nonce, tag)
			SELECT r.id, 1, 'identify', s.contact_email, s.contact_email, $2, uuid_send(gen_random_uuid()), CASE WHEN r.id <= 10000 THEN r.id END
			FROM requests r JOIN spaces s ON s.id = r.space_id
		)
		INSERT INTO obligation (lane, kind, space_id, request_id, generation, due_at)
		SELECT 'bulk', 'code', space_id, id, 1, bascule_now() FROM requests`, n, d.keys.Newest())
}

// visited is how many pages of the product's tables and indexes were read or
// changed by all sessions that have ended.
const visited = `SELECT coalesce(sum(heap_blks_read + heap_blks_hit + coalesce(idx_blks_read + idx_blks_hit, 0)), 0) FROM pg_statio_user_tables`

// flush has all of the log written, though commits do not wait for that in tests.
const flush = `BEGIN; SET LOCAL synchronous_commit = on; SELECT pg_logical_emit_message(true, 'test', ''); COMMIT`

// visits runs f at the same desk with pools of its own, and returns how many pages that
// visited. The visits of a session are known once it has ended. Visits of the desk's
// own sessions may be counted later, among those of f.
func (d *desk) visits(open func(ctx context.Context, url string, conns int) (*sql.DB, error), f func(d *desk)) int {
	d.t.Helper()
	const name = "visitor"
	before := d.count(visited)
	db, err := open(d.ctx, sqltest.As(d.t, d.URL, sqltest.Application)+"&application_name="+name, 1)
	d.must(err)
	raw, err := stdsql.Open("postgres", d.URL+"&application_name="+name)
	d.must(err)
	other := *d
	other.DB = &sqltest.DB{DB: db, URL: d.URL, Raw: raw}
	f(&other)
	d.must(errors.Join(db.Close(), raw.Close()))
	for d.count(`SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = $1`, name) > 0 {
	}
	return d.count(visited) - before
}

// I8: work on one row of two hundred thousand visits a bounded number of pages, without
// statistics.
func TestPages(t *testing.T) {
	t.Parallel()
	d := open(t)
	d.noAutovacuum()
	d.visits(sql.Open, func(d *desk) { d.fill(200_000) })
	t.Run("mail", d.pagesOfAMail)
	t.Run("shared address", d.pagesOfASharedAddress)
	t.Run("import", d.pagesOfAnImport)
	t.Run("request", d.pagesOfARequest)
	t.Run("release", d.pagesOfARelease)
	t.Run("follow-up", d.pagesOfAFollowUp)
}

// pagesOfAMail is about a code mail, from its start to its end, with exclusions and
// without; also how many records PostgreSQL writes ahead.
func (d *desk) pagesOfAMail(t *testing.T) {
	d.Exec(t, `CREATE EXTENSION pg_walinspect`)
	const (
		windows, window = 4, 64
		records         = 11 // a mail, at the most: 10, and what tidies pages up, which snapshots of others put off
	)
	for _, c := range []struct {
		excluded bool
		pages    float64 // a mail, at the most
	}{{false, 55}, {true, 59}} { // 51.5 and 55.5, and what tidies pages up while others hold snapshots
		if c.excluded {
			d.visits(sql.Open, func(d *desk) { d.exclude("b.example") })
		}
		d.Exec(t, flush)
		before := d.Text(t, `SELECT pg_current_wal_flush_lsn()`)
		visits := d.visits(sql.OpenWork, func(d *desk) {
			for range windows {
				h := d.start(window)
				d.must(d.FinishAccepted(d.ctx, h.mails))
			}
		})
		if a := float64(visits) / windows / window; a > c.pages {
			t.Errorf("excluded %v: %.1f pages a mail, %.0f at the most", c.excluded, a, c.pages)
		}
		// Of other databases, tests of their own write to the same log.
		d.Exec(t, flush)
		written := d.count(`SELECT count(*) FROM pg_get_wal_records_info($1, pg_current_wal_flush_lsn())
			WHERE block_ref LIKE '%/' || (SELECT oid FROM pg_database WHERE datname = current_database()) || '/%'`, before)
		if a := float64(written) / windows / window; a > records {
			t.Errorf("excluded %v: %.1f records a mail, %d at the most", c.excluded, a, records)
		}
	}
	d.visits(sql.Open, func(d *desk) { // its visits belong to no later step
		if n := d.count(`SELECT count(*) FROM code WHERE mailed_at IS NOT NULL`); n != 2*windows*window {
			t.Errorf("%d codes were mailed, want %d", n, 2*windows*window)
		}
	})
}

// pagesOfAnImport is about new rows, and rows of spaces that have an open request, under
// the same address or another one, or whose request has ended.
func (d *desk) pagesOfAnImport(t *testing.T) {
	const rows = 200
	d.visits(sql.Open, func(d *desk) {
		d.Exec(t, `UPDATE request SET cancelled_at = bascule_now() WHERE id IN (SELECT 50 * i + 2 FROM generate_series(0, $1::int - 1) i)`, rows)
	})
	for _, c := range []struct {
		name string
		most int // pages a row
		row  func(i int) sql.ImportRow
	}{
		{"new", 60, func(i int) sql.ImportRow { return row(fmt.Sprintf("%06d", i), fmt.Sprintf("n%d@a.example", i)) }},
		{"the same", 25, func(i int) sql.ImportRow { return row(fmt.Sprintf("%06d", i), fmt.Sprintf("n%d@a.example", i)) }},
		{"changed", 128, func(i int) sql.ImportRow { return row(fmt.Sprintf("N%d", 50*i+1), fmt.Sprintf("%d@a.example", 50*i+1)) }},
		{"another address", 166, func(i int) sql.ImportRow { return row(fmt.Sprintf("N%d", 50*i+1), fmt.Sprintf("other%d@a.example", i)) }},
		{"opened again", 150, func(i int) sql.ImportRow { return row(fmt.Sprintf("N%d", 50*i+2), fmt.Sprintf("%d@a.example", 50*i+2)) }},
	} {
		var list []sql.ImportRow
		for i := range rows {
			list = append(list, c.row(i))
		}
		n := d.visits(sql.Open, func(d *desk) {
			_, err := d.DB.DB.Import(d.ctx, d.sheet(list...), nil)
			d.must(err)
		})
		if n/rows > c.most {
			t.Errorf("%s: %d pages a row, %d at the most", c.name, n/rows, c.most)
		}
	}
}

// pagesOfASharedAddress is about the mails of a campaign to addresses of eight spaces
// each: five of them start, three are held again (D16).
func (d *desk) pagesOfASharedAddress(t *testing.T) {
	const windows, window, most = 4, 64, 60 // pages a mail
	d.visits(sql.Open, func(d *desk) {
		d.Exec(t, `INSERT INTO campaign (name, state, created_at) VALUES ('firms', 'running', bascule_now())`)
		d.Exec(t, `UPDATE obligation SET campaign_id = (SELECT id FROM campaign WHERE name = 'firms'), due_at = 'epoch' WHERE space_id BETWEEN 100000 AND 100255`)
	})
	started := 0
	n := d.visits(sql.OpenWork, func(d *desk) {
		for range windows {
			h := d.start(window)
			started += len(h.mails)
			d.must(d.FinishAccepted(d.ctx, h.mails))
		}
	})
	if want := windows * window * 5 / 8; started != want || n/windows/window > most {
		t.Errorf("%d mails started, want %d: %d pages each, %d at the most", started, want, n/windows/window, most)
	}
	d.visits(sql.Open, func(d *desk) { // later steps look at others
		d.Exec(t, `DELETE FROM held WHERE campaign_id = (SELECT id FROM campaign WHERE name = 'firms')`)
	})
}

// pagesOfARelease is about two hundred thousand invitations that a campaign holds: before
// it starts, as it starts, and as it releases the first.
func (d *desk) pagesOfARelease(t *testing.T) {
	d.visits(sql.Open, func(d *desk) { // so that nothing waits for a worker
		d.Exec(t, `DELETE FROM obligation; UPDATE campaign SET state = 'paused'; INSERT INTO campaign (name, state, created_at) VALUES ('large', 'prepared', bascule_now())`)
		d.Exec(t, `INSERT INTO held (request_id, generation, space_id, campaign_id, priority, expires)
			SELECT 1000000 + i, 1, i, (SELECT id FROM campaign WHERE name = 'large'), 1 + i % 9, date '2099-01-01' + i % 100 FROM generate_series(1, 200000) i`)
		d.Exec(t, `VACUUM obligation`)                                                                      // of what was deleted
		d.Exec(t, `UPDATE held SET not_before = bascule_now() + interval '1 day' WHERE request_id % 2 = 0`) // wait for their address (D16)
	})
	released := 0
	release := func(d *desk) {
		var err error
		released, err = d.Release(d.ctx, nil, time.Hour)
		d.must(err)
	}
	// While they are held, what workers look at does not depend on them.
	idle := d.visits(sql.OpenWork, func(d *desk) {
		release(d)
		_, err := d.Due(d.ctx, 100)
		d.must(err)
		if h := d.start(64); released > 0 || len(h.mails) > 0 {
			t.Errorf("%d were released, %d started", released, len(h.mails))
		}
	})
	start := d.visits(sql.Open, func(d *desk) { d.must(d.StartCampaign(d.ctx, "large", sql.CampaignSettings{}, "", "admin")) })
	if idle > 100 || start > 100 {
		t.Errorf("%d pages while nothing leaves, %d to start; 100 at the most", idle, start)
	}
	begun := time.Now()
	n := d.visits(sql.OpenWork, release)
	t.Logf("%d pages while nothing leaves, %d to start, %d for each of %d released, in %s", idle, start, n/released, released, time.Since(begun).Round(time.Millisecond))
	const most = 16 // pages an invitation
	if released < 10_000 || n/released > most {
		t.Errorf("%d invitations: %d pages each, %d at the most", released, n/released, most)
	}
}

// pagesOfARequest is about all other work: it goes from a number, a code or a deadline
// to the rows by their keys. The bounds leave a third of room: now and then some dozens
// of pages of another session are counted among those of five requests. A statement
// that reads a whole table visits thousands.
func (d *desk) pagesOfARequest(t *testing.T) {
	const requests = 5
	number := func(from, i int) conversion.SubscriberNumber {
		return conversion.SubscriberNumber(fmt.Sprintf("N%d", 20_000+from+900*i+1))
	}
	mailed := func(d *desk, from, i int) (int64, proof) {
		request := d.latest(string(number(from, i)))
		email, code := d.Mail(t, d.keys, request)
		return request, proof{email, code}
	}
	proofs := make(map[int]proof)
	late := func(d *desk, i int) {
		request, _ := mailed(d, 600, i)
		d.Overdue(t, request)
	}
	for _, c := range []struct {
		name    string
		most    int // pages a request
		open    func(ctx context.Context, url string, conns int) (*sql.DB, error)
		prepare func(d *desk, i int)
		act     func(d *desk, i int) error
	}{
		{"wrong code", 20, sql.OpenPages, func(d *desk, i int) { _, proofs[i] = mailed(d, 0, i) }, func(d *desk, i int) error {
			_, err := d.FindCode(d.ctx, d.keys, proofs[(i+1)%requests].email, proofs[i].code)
			if errors.Is(err, conversion.ErrCodeRefused) {
				return nil
			}
			return fmt.Errorf("it is not refused: %w", err)
		}},
		{"another address", 185, sql.OpenPages, func(d *desk, i int) { _, proofs[i] = mailed(d, 100, i) }, func(d *desk, i int) error {
			_, err := d.choose(proofs[i], fmt.Sprintf("another%d@a.example", i))
			return err
		}},
		{"activation", 220, sql.OpenPages, func(d *desk, i int) { _, proofs[i] = mailed(d, 200, i) }, func(d *desk, i int) error { return d.activate(proofs[i]) }},
		{"option", 165, sql.OpenPages, func(*desk, int) {}, func(d *desk, i int) error {
			_, err := d.opt(string(number(300, i)), fmt.Sprintf("opted%d@a.example", i))
			return err
		}},
		{"resend", 70, sql.Open, func(d *desk, i int) { mailed(d, 400, i) }, func(d *desk, i int) error { return d.Resend(d.ctx, number(400, i), "", "admin") }},
		{"cancel", 100, sql.Open, func(d *desk, i int) { mailed(d, 500, i) }, func(d *desk, i int) error { return d.CancelNumber(d.ctx, number(500, i)) }},
		{"expiry", 73, sql.OpenWork, late, func(d *desk, i int) error {
			swept, err := d.Sweep(d.ctx, 1)
			if err == nil && swept.Done != 1 {
				err = fmt.Errorf("%d expired", swept.Done)
			}
			return err
		}},
		{"retry", 150, sql.Open, func(*desk, int) {}, func(d *desk, i int) error {
			n, err := d.RetryNumber(d.ctx, number(600, i), d.keys)
			if err == nil && n != 1 {
				err = fmt.Errorf("%d were invited", n)
			}
			return err
		}},
		{"found by address", 40, sql.Open, func(*desk, int) {}, func(d *desk, i int) error {
			return d.finds(sql.Search{Email: sqltest.Email(t, fmt.Sprintf("%d@a.example", 20_000+700+i))})
		}},
		{"found by SIREN", 40, sql.Open, func(d *desk, i int) {
			d.Exec(t, `UPDATE space SET companies = jsonb_build_array(jsonb_build_object('siren', $2::text)) WHERE number = $1`, number(700, i), fmt.Sprintf("%09d", i))
		}, func(d *desk, i int) error {
			return d.finds(sql.Search{SIREN: conversion.SIREN(fmt.Sprintf("%09d", i))})
		}},
	} {
		d.visits(sql.Open, func(d *desk) {
			for i := range requests {
				c.prepare(d, i)
			}
		})
		n := d.visits(c.open, func(d *desk) {
			for i := range requests {
				d.must(c.act(d, i))
			}
		})
		if n/requests > c.most {
			t.Errorf("%s: %d pages a request, %d at the most", c.name, n/requests, c.most)
		}
	}
}

// finds wants a search to lead to one space.
func (d *desk) finds(by sql.Search) error {
	_, n, err := d.FindSpaces(d.ctx, by, 50)
	if err == nil && n != 1 {
		err = fmt.Errorf("%d spaces are found", n)
	}
	return err
}

// I8: status visits a bounded number of pages, for everything and for one batch, with a
// key that no mail needs, while no mail goes out. Besides, it looks at each request that
// is overdue and not swept yet. The planner goes astray if a table is not large enough to keep it from
// reading the whole table.
func TestPagesOfStatus(t *testing.T) {
	t.Parallel()
	d := open(t)
	d.noAutovacuum()
	d.visits(sql.Open, func(d *desk) { d.fill(20_000) })
	const overdue = 20
	var requests []int64
	var batch int64
	d.visits(sql.Open, func(d *desk) {
		d.must(d.LearnKeys(d.ctx, otherKeys(t), sql.KeyUse{}))
		d.Exec(t, `UPDATE key SET known_at = 'epoch', worker_at = NULL`)
		for i := range overdue {
			requests = append(requests, d.invite(fmt.Sprintf("L%06d", i), fmt.Sprintf("late%d@a.example", i)))
			d.Mail(t, d.keys, requests[i])
		}
		batch = int64(d.count(`SELECT max(id) FROM batch`))
	})
	status := func(expired int) (pages int) {
		for _, batch := range []int64{0, batch} {
			pages = max(pages, d.visits(sql.Open, func(d *desk) {
				s, err := d.Status(d.ctx, batch)
				d.must(err)
				if batch != 0 && s.Expired != expired {
					t.Errorf("status is %+v, want %d expired", s, expired)
				}
			}))
		}
		return pages
	}
	d.Shift(t, 61*time.Second)
	before := status(0)
	if before > 600 {
		t.Errorf("%d pages, 600 at the most", before)
	}
	d.visits(sql.Open, func(d *desk) {
		for _, request := range requests {
			d.Overdue(t, request)
		}
	})
	if n := (status(1) - before) / overdue; n > 15 {
		t.Errorf("%d pages for each overdue request, 15 at the most", n)
	}
	d.tallies(int64(d.count(`SELECT max(id) FROM space`)))
}
